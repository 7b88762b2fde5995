"""Default of credit card clients: who will not pay next month."""

from sklearn.utils._param_validation import validate_params

from ctsk.datasets.convert import from_openml
from ctsk.datasets.tabular import OPTIONS, Feature, Tabular, csv_file, fetch

# Codes 0, 5 and 6 are not explained by UCI.
_EDUCATION = {
    "0": "unexplained (0)",
    "5": "unexplained (5)",
    "6": "unexplained (6)",
    "4": "other",
    "3": "high school",
    "2": "university",
    "1": "graduate school",
}
_DEGREES = ["high school", "university", "graduate school"]
_MARRIAGE = {"1": "married", "2": "single", "3": "other", "0": "unexplained (0)"}
_FEATURES = {
    "limit_bal": Feature(domain=(0, None)),
    "sex": Feature("none", categories={"1": "male", "2": "female"}),
    "education": Feature("increase", _DEGREES, categories=_EDUCATION, ordered=True),
    "marriage": Feature("none", categories=_MARRIAGE),
    "age": Feature("none", (0, 120)),
    **{f"pay_{month}": Feature("decrease", (-2, 9)) for month in (0, 2, 3, 4, 5, 6)},
    **{f"bill_amt{month}": Feature() for month in range(1, 7)},
    **{f"pay_amt{month}": Feature(domain=(0, None)) for month in range(1, 7)},
}
_DESCR = """Default of credit card clients: Taiwan, 2005 (Yeh and Lien, 2009).

Source: UCI Machine Learning Repository, data set 350, doi:10.24432/C55S3H. Licence: CC BY 4.0.

30,000 rows; 23,364 pay (class 0), 6,636 default next month (class 1). Nothing is missing. Amounts
are in New Taiwan dollars; negative bills are credits.

pay_0, pay_2, ..., pay_6 are months of delay of the payments of September back to April; there is
no pay_1. UCI explains -1 (paid duly) and 1 to 9 (9 or more months), but neither -2 nor 0. Nor
does it explain education 0 (14 rows), 5 (280) and 6 (51), and marriage 0 (54). Without the
column ID, which was dropped, 35 rows are duplicates."""


def _convert(frame):
    """Name the columns, which OpenML calls x1 to x23 and y."""
    return frame.set_axis([*_FEATURES, "target"], axis=1).astype("int64")


CREDIT_DEFAULT = Tabular(
    csv_file(
        "credit_default",
        "c9e1ef355b48cdb6256a831d17fe4fedd68ea146e0896056199d27e87f976b2b",
        from_openml(42477, _convert),
        "The original is the spreadsheet of data set 350 of the UCI Machine Learning Repository.",
    ),
    _FEATURES,
    target_names=["paid", "defaulted"],
    favourable=0,
    descr=_DESCR,
)


@validate_params(OPTIONS, prefer_skip_nested_validation=True)
def fetch_credit_default(
    *,
    data_home=None,
    download_if_missing=True,
    return_X_y=False,
    as_frame=True,
    drop_missing=False,
    balance=False,
    random_state=None,
):
    """Load default of credit card clients: who will not pay next month.

    Parameters
    ----------
    data_home : str, path-like or None, default=None
        Folder that holds, or will hold, ``credit_default.csv.gz``. None is the folder that the
        environment variable ``CTSK_DATA_HOME`` names, else scikit-learn's.
    download_if_missing : bool, default=True
        Whether to download the data from OpenML and keep the file if it is not there.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.
    as_frame : bool, default=True
        Whether to return pandas objects. Otherwise data are float64, categories are their
        position among the known ones (NaN where missing), and features go by index.
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

        data : DataFrame or ndarray of shape (n_rows, 23)
            The index counts the rows of the file, from 0; dropped rows leave gaps.
        target : Series or ndarray of shape (n_rows,)
            0 or 1.
        frame : DataFrame of shape (n_rows, 24) or None
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
            Without `as_frame` a category that may only rise may not move at all, because an
            array does not say that categories have an order.
        DESCR : str
            Source, licence, oddities.
        categories : dict
            Only without `as_frame`: the labels of each categorical feature, by index.

    Raises
    ------
    OSError
        If the file is not there, and cannot be downloaded or is not to be.
    ValueError
        If the file, or what is downloaded, does not hold exactly the data.

    Notes
    -----
    `sex`, `education` and `marriage` hold words in place of UCI's numbers. `education` is
    ordered, with "other" and the codes that UCI does not explain below high school; by
    `domain` they cannot be reached. `pay_0` to `pay_6` stay the integers that they are, which
    mix months of delay with codes. Nothing is missing.

    Nobody is told to change age, sex or marital status. Education may rise, delays of payment
    may become shorter; bills, payments and the limit may move both ways. All these tell of
    the last six months, so that a way out is one for the months to come.

    Examples
    --------
    >>> from ctsk.datasets import fetch_credit_default
    >>> X, y = fetch_credit_default(return_X_y=True)  # doctest: +SKIP
    """
    return fetch(
        CREDIT_DEFAULT,
        data_home,
        download_if_missing,
        return_X_y,
        as_frame,
        drop_missing,
        balance,
        random_state,
    )
