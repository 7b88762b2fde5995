"""Give Me Some Credit: borrowers, and whether they were delinquent within two years.

Delinquent means 90 days past due or worse.

Source: Kaggle competition "Give Me Some Credit", 2011; the training part, cs-training.csv. The
rules of Kaggle's competition apply; there is no open license.

150,000 rows: 139,974 borrowers were not delinquent (class 0), 10,026 were (class 1). Values are
missing for monthly_income in 29,731 rows and for number_of_dependents in 3,924. In some copies of
the data, 1 means "not delinquent"; do not mix them with this one.

609 rows are duplicates. The three counts of past delinquencies are 96 in the same 5 rows and 98 in
the same 264 rows, and at most 17 in all other rows. Kaggle does not explain these codes, which are
commonly read as "other" and "refused to say". One age is 0.
revolving_utilization_of_unsecured_lines reaches 50,708. debt_ratio reaches 329,664; where the
income is missing, it is an amount rather than a ratio.
"""

from ctsk.datasets.convert import from_original
from ctsk.datasets.tables import Feature, Table, check_options, csv_file, fetch

# No upper bound separates the outliers, such as a debt ratio of 329,664, from plausible values.
_POSITIVE = Feature(domain=(0, None))
# Past delinquencies cannot be undone. That 96 and 98 are codes follows from the data: a row that
# holds one of them in one of the three counts holds it in all three, and no count is near them.
_PAST = Feature("none", (0, None), special_values=(96, 98))
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
    # People cannot shed dependents to obtain credit.
    "number_of_dependents": Feature("none", (0, None)),
}


def _convert(raw):
    """Drop the row number and make the label the last column."""
    # Kaggle writes "NA" for a missing value; an empty field is what the data home holds. The
    # first column is the number of the row, which has no name.
    raw = raw.replace("NA", "").iloc[:, 1:]
    label = raw.pop("SeriousDlqin2yrs")
    return raw.set_axis(list(_FEATURES), axis=1).assign(target=label)


GMSC = Table(
    csv_file(
        "gmsc",
        "7fccd7116ac7ee831a10f9ff2c8fb90d9301fb282b2e364e34d0eadf57160f0b",
        from_original("cs-training.csv", _convert),
        "Get cs-training.csv from Kaggle's competition 'Give Me Some Credit' and put it into that "
        "folder, where it will be converted.",
    ),
    _FEATURES,
    target_names=["not delinquent", "delinquent"],
    favorable=0,
    descr=__doc__,
)


@check_options
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
    """Load Give Me Some Credit: predict serious delinquency within two years.

    Parameters
    ----------
    data_home, download_if_missing, return_X_y, as_frame, drop_missing, balance, random_state
        See :mod:`ctsk.datasets`.

    Returns
    -------
    data : Bunch or tuple
        See :mod:`ctsk.datasets`. The data have 10 numeric columns. The favorable class is 0,
        the borrowers who were not delinquent. `monthly_income` and `number_of_dependents` are
        integers if `drop_missing` is True; otherwise, they are floats and NaN where a value is
        missing. `special_values` lists the codes 96 and 98 of the three counts of past
        delinquencies, which remain in the data.

    Raises
    ------
    OSError
        If the file is missing and cannot or must not be obtained.
    ValueError
        If a parameter is invalid, or the content of the file or of the download is not exactly
        the expected one.

    See Also
    --------
    fetch_credit_default : Another data set on default.
    fetch_heloc : Applications for lines of credit.

    Notes
    -----
    The data are not downloaded, because Kaggle requires users to accept its rules. They are
    converted from Kaggle's file ``cs-training.csv`` if the folder of `data_home` contains it.

    `drop_missing` keeps 120,269 rows, 8,357 of which belong to class 1; with `balance`, 16,714
    rows remain. The classifier accepts missing numbers, so that these rows need not be dropped.

    The codes 96 and 98 of past delinquencies are not amounts: all other counts are at most 17.
    Kaggle does not explain them; they are commonly read as "other" and "refused to say". Pass
    `special_values` to the classifier, so that it treats each code as a separate state.
    `drop_missing` keeps the 269 rows with these codes unless another value is missing.

    Age, the number of dependents and the counts of past delinquencies are immutable.

    Examples
    --------
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.datasets import fetch_gmsc
    >>> data = fetch_gmsc()  # doctest: +SKIP
    >>> clf = CounterfactualTrainedClassifier(
    ...     mutability=data.mutability, domain=data.domain, special_values=data.special_values
    ... )  # doctest: +SKIP
    >>> clf.fit(data.data, data.target)  # doctest: +SKIP
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
