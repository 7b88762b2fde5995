"""Give me some credit: who will be in financial distress."""

from sklearn.utils._param_validation import validate_params

from ctsk.datasets.convert import from_original
from ctsk.datasets.tabular import OPTIONS, Feature, Tabular, csv_file, fetch

_POSITIVE = Feature(domain=(0, None))
_PAST = Feature("none", (0, None))
_FEATURES = {
    "revolving_utilization_of_unsecured_lines": _POSITIVE,
    "age": Feature("none", (0, 120)),
    "number_of_time_30_59_days_past_due_not_worse": _PAST,
    "debt_ratio": _POSITIVE,
    "monthly_income": _POSITIVE,
    "number_of_open_credit_lines_and_loans": _POSITIVE,
    "number_of_times_90_days_late": _PAST,
    "number_real_estate_loans_or_lines": _POSITIVE,
    "number_of_time_60_89_days_past_due_not_worse": _PAST,
    "number_of_dependents": Feature("none", (0, None)),
}
_DESCR = """Give me some credit: borrowers, and whether they were seriously delinquent (90 days past
due or worse) within two years.

Source: Kaggle competition "Give Me Some Credit", 2011; the training part, cs-training.csv. Kaggle's
competition rules apply: there is no open licence.

150,000 rows; 139,974 were not delinquent (class 0), 10,026 were (class 1). Missing: monthly_income
in 29,731 rows, number_of_dependents in 3,924. Copies of the data in which 1 means "not delinquent"
are about: do not mix them.

609 rows are duplicates. The three counts of past dues hold the codes 96 and 98 in the same 269
rows. One age is 0. revolving_utilization_of_unsecured_lines reaches 50,708, debt_ratio 329,664:
where the income is missing it is an amount."""


def _convert(words):
    """Drop the row number and move the label; numbers stay digit for digit."""
    words = words.replace("NA", "").iloc[:, 1:]
    label = words.pop("SeriousDlqin2yrs")
    return words.set_axis(list(_FEATURES), axis=1).assign(target=label)


GMSC = Tabular(
    csv_file(
        "gmsc",
        "7fccd7116ac7ee831a10f9ff2c8fb90d9301fb282b2e364e34d0eadf57160f0b",
        from_original("cs-training.csv", _convert),
        "Get cs-training.csv from Kaggle's competition 'Give Me Some Credit' and put it into that "
        "folder: it is converted from there.",
    ),
    _FEATURES,
    target_names=["not delinquent", "delinquent"],
    favourable=0,
    descr=_DESCR,
)


@validate_params(OPTIONS, prefer_skip_nested_validation=True)
def fetch_gmsc(
    *,
    data_home=None,
    download_if_missing=True,
    return_X_y=False,
    as_frame=True,
    drop_missing=False,
    balance=False,
    random_state=None,
):
    """Load Give Me Some Credit: who will be seriously delinquent within two years.

    Parameters
    ----------
    data_home : str, path-like or None, default=None
        Folder that holds, or will hold, ``gmsc.csv.gz``. None is the folder that the
        environment variable ``CTSK_DATA_HOME`` names, else scikit-learn's.
    download_if_missing : bool, default=True
        Whether to convert Kaggle's ``cs-training.csv``, if that is in the folder,
        and keep the file if it is not there.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.
    as_frame : bool, default=True
        Whether to return pandas objects. Otherwise data are float64, and features go
        by index.
    drop_missing : bool, default=False
        Whether to drop rows with a missing value.
    balance : bool, default=False
        Whether to drop rows of the larger class at random, after `drop_missing`, until
        the classes are equally large.
    random_state : int, RandomState or None, default=None
        Which rows `balance` drops.

    Returns
    -------
    data : Bunch or tuple
        With `return_X_y` only the first two of these:

        data : DataFrame or ndarray of shape (n_rows, 10)
            The index counts the rows of the file, from 0; dropped rows leave gaps.
            `monthly_income` and `number_of_dependents` are integers with `drop_missing`, and
            otherwise floats, NaN where missing.
        target : Series or ndarray of shape (n_rows,)
            0 or 1.
        frame : DataFrame of shape (n_rows, 11) or None
            Both; None without `as_frame`.
        feature_names : list of str
            Columns of data.
        target_names : list of str
            Of class 0 and class 1.
        favourable : int
            The class that people want to be in: 0.
        categorical_features : list
            Those that hold categories.
        mutability, domain : dict
            What people can be told to change, and where values make sense: for the
            parameters of `CounterfactualTrainedClassifier` that are called so. Without
            `domain` it infers one from its rows.
        DESCR : str
            Source, licence, oddities.

    Raises
    ------
    OSError
        If the file is not there, and cannot be downloaded or is not to be.
    ValueError
        If the file, or Kaggle's, does not hold exactly the data.

    Notes
    -----
    This function does not download the data: Kaggle wants its rules accepted.

    `drop_missing` leaves 120,269 rows, 8,357 of them of class 1; with `balance` 16,714. The
    classifier refuses missing numbers: drop such rows, or fill the gaps first, as in
    ``X.fillna(X.median())``.

    Nobody is told to change age, dependants, or what was past due: that has happened.

    Examples
    --------
    >>> from ctsk.datasets import fetch_gmsc
    >>> X, y = fetch_gmsc(return_X_y=True)  # doctest: +SKIP
    """
    return fetch(
        GMSC,
        data_home,
        download_if_missing,
        return_X_y,
        as_frame,
        drop_missing,
        balance,
        random_state,
    )
