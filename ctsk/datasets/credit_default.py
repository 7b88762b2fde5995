"""Default of credit card clients: Taiwan, 2005 (Yeh and Lien, 2009).

Source: UCI Machine Learning Repository, data set 350, doi:10.24432/C55S3H. License: CC BY 4.0.

30,000 rows: 23,364 clients pay (class 0), 6,636 default next month (class 1). No values are
missing. Amounts are in New Taiwan dollars; negative bills are credits.

pay_0, pay_2, ..., pay_6 are the months by which the payments of September back to April are
delayed; there is no pay_1. UCI explains the codes -1 (paid duly) and 1 to 9 (9 or more months), but
neither -2 nor 0. It does not explain education 0 (14 rows), 5 (280) and 6 (51) and marriage 0 (54)
either. Without the column ID, which was dropped, 35 rows are duplicates.
"""

from ctsk.datasets.convert import from_openml
from ctsk.datasets.tables import Feature, Table, check_options, csv_file, fetch

# UCI does not explain the codes 0, 5 and 6; they and "other" are below all degrees.
_EDUCATION = {
    "0": "unexplained (0)",
    "5": "unexplained (5)",
    "6": "unexplained (6)",
    "4": "other",
    "3": "high school",
    "2": "university",
    "1": "graduate school",
}
# A counterfactual can only reach a degree, not "other" or an unexplained code.
_DEGREES = ["high school", "university", "graduate school"]
# Categories are named in the order of UCI's codes, with the unexplained one last.
_MARRIAGE = {"1": "married", "2": "single", "3": "other", "0": "unexplained (0)"}
_FEATURES = {
    "limit_bal": Feature(domain=(0, None)),
    "sex": Feature("none", categories={"1": "male", "2": "female"}),
    "education": Feature("increase", _DEGREES, categories=_EDUCATION, ordered=True),
    "marriage": Feature("none", categories=_MARRIAGE),
    "age": Feature("none", (0, 120)),
    # The column of September is called pay_0, which is why there is no pay_1. The codes mix
    # months with other meanings, but those are below 1: a decrease never prolongs a delay. They
    # are no special values, because a counterfactual must be able to reach a due payment.
    **{f"pay_{month}": Feature("decrease", (-2, 9)) for month in (0, 2, 3, 4, 5, 6)},
    # A bill is negative if a client has paid too much, so its domain is inferred.
    **{f"bill_amt{month}": Feature() for month in range(1, 7)},
    **{f"pay_amt{month}": Feature(domain=(0, None)) for month in range(1, 7)},
}
CREDIT_DEFAULT = Table(
    csv_file(
        "credit_default",
        "c9e1ef355b48cdb6256a831d17fe4fedd68ea146e0896056199d27e87f976b2b",
        from_openml(42477, _FEATURES),
        "The original is the spreadsheet of data set 350 of the UCI Machine Learning Repository.",
    ),
    _FEATURES,
    target_names=["paid", "defaulted"],
    favorable=0,
    descr=__doc__,
)


@check_options
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
    """Load default of credit card clients: predict whether a client defaults next month.

    Parameters
    ----------
    data_home, download_if_missing, return_X_y, as_frame, drop_missing, balance, random_state
        See :mod:`ctsk.datasets`.

    Returns
    -------
    data : Bunch or tuple
        See :mod:`ctsk.datasets`. The data have 23 columns, 3 of which are categorical. The
        favorable class is 0, the clients who pay.

    Raises
    ------
    OSError
        If the file is missing and cannot or must not be obtained.
    ValueError
        If a parameter is invalid, or the content of the file or of the download is not exactly
        the expected one.

    See Also
    --------
    fetch_gmsc : Another data set on default.
    fetch_heloc : Applications for lines of credit.

    Notes
    -----
    `sex`, `education` and `marriage` hold words instead of UCI's numbers. `education` is
    ordered; "other" and the codes that UCI does not explain are below high school, and `domain`
    keeps counterfactuals from entering them. `pay_0` to `pay_6` are UCI's integers, which mix
    months of delay with the codes -2, -1 and 0. These codes are not listed in `special_values`:
    they are better than any delay, which keeps the integers in a meaningful order, and a
    counterfactual may reach them. There are no missing values.

    Age, sex and marital status are immutable. Education can only increase and delays of payment
    can only decrease; bills, payments and the limit can change in both directions. Since
    payments and bills describe the past six months, recourse means different behavior in the
    months to come.

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
