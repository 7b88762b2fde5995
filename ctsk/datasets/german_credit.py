"""German credit, or Statlog (German Credit Data) (Hofmann, 1994).

Source: UCI Machine Learning Repository, data set 144, doi:10.24432/C5NC77. License: CC BY 4.0.

1,000 rows: 300 applicants are bad risks (class 0), 700 are good ones (class 1). No values are
missing. Amounts are in German marks.

Categories are UCI's codes. UCI's table of their meanings is known to be wrong for several
attributes (Groemping, "South German Credit Data", 2019), among them status, credit_history,
personal_status_sex, property, housing and foreign_worker. Do not base claims about sex or
nationality on them.
"""

from ctsk.datasets.convert import from_openml
from ctsk.datasets.tables import Feature, Table, check_options, csv_file, fetch

# These columns hold the numbers 1 to 4 of ranges, not amounts.
_GRADE = (1, 4)
_CHOICE = Feature(categories=...)
_FIXED = Feature("none", categories=...)
_FEATURES = {
    # Not ordered, because A14 means that there is no account.
    "status": Feature(categories=("A11", "A12", "A13", "A14")),
    "duration_months": Feature(domain=(1, None)),
    "credit_history": _FIXED,
    "purpose": _FIXED,
    "credit_amount": Feature(domain=(0, None)),
    # A65 is left out of the domain: to make savings unknown is no recourse.
    "savings": Feature(domain=["A61", "A62", "A63", "A64"], categories=...),
    "employment_since": Feature(
        "increase", categories=("A71", "A72", "A73", "A74", "A75"), ordered=True
    ),
    "installment_rate": Feature(domain=_GRADE),
    "personal_status_sex": _FIXED,
    "other_debtors": _CHOICE,
    "residence_since": Feature("increase", _GRADE),
    # A124, unknown or no property, is left out for the same reason.
    "property": Feature(domain=["A121", "A122", "A123"], categories=...),
    "age": Feature("none", (0, 120)),
    "other_installment_plans": _CHOICE,
    "housing": _CHOICE,
    "number_credits": Feature(domain=_GRADE),
    # The codes order the levels of skill.
    "job": Feature(categories=("A171", "A172", "A173", "A174"), ordered=True),
    # Dependents cannot be dropped to obtain a credit.
    "people_liable": Feature("none", (1, 2)),
    "telephone": _CHOICE,
    "foreign_worker": _FIXED,
}
# OpenML replaced UCI's codes by labels. For each attribute: the number of the first code, and the
# labels of this and all following codes.
_OPENML = {
    "status": (11, ["<0", "0<=X<200", ">=200", "no checking"]),
    "credit_history": (
        30,
        [
            "no credits/all paid",
            "all paid",
            "existing paid",
            "delayed previously",
            "critical/other existing credit",
        ],
    ),
    "savings": (61, ["<100", "100<=X<500", "500<=X<1000", ">=1000", "no known savings"]),
    "employment_since": (71, ["unemployed", "<1", "1<=X<4", "4<=X<7", ">=7"]),
    "personal_status_sex": (
        91,
        ["male div/sep", "female div/dep/mar", "male single", "male mar/wid"],
    ),
    "other_debtors": (101, ["none", "co applicant", "guarantor"]),
    "property": (121, ["real estate", "life insurance", "car", "no known property"]),
    "other_installment_plans": (141, ["bank", "stores", "none"]),
    "housing": (151, ["rent", "own", "for free"]),
    "job": (
        171,
        [
            "unemp/unskilled non res",
            "unskilled resident",
            "skilled",
            "high qualif/self emp/mgmt",
        ],
    ),
    "telephone": (191, ["none", "yes"]),
    "foreign_worker": (201, ["yes", "no"]),
}
# These codes have a gap at A47.
_PURPOSES = {
    "new car": "A40",
    "used car": "A41",
    "furniture/equipment": "A42",
    "radio/tv": "A43",
    "domestic appliance": "A44",
    "repairs": "A45",
    "education": "A46",
    "retraining": "A48",
    "business": "A49",
    "other": "A410",
}


def _convert(frame):
    """Replace OpenML's labels by UCI's codes."""
    for name, (first, labels) in _OPENML.items():
        # The labels are listed in the order of the codes, without gaps.
        codes = {label: f"A{number}" for number, label in enumerate(labels, start=first)}
        frame[name] = frame[name].map(codes)
    frame["purpose"] = frame["purpose"].map(_PURPOSES)
    return frame.assign(target=frame["target"].map({"bad": 0, "good": 1}))


GERMAN_CREDIT = Table(
    csv_file(
        "german_credit",
        "d5e96b59b008bf11b3203f3c3271504e9961a2ece298801b80efb1a3f07b6bd8",
        from_openml(31, _FEATURES, _convert),
        "The original is german.data of data set 144 of the UCI Machine Learning Repository.",
    ),
    _FEATURES,
    target_names=["bad", "good"],
    favorable=1,
    descr=__doc__,
)


@check_options
def fetch_german_credit(
    *,
    data_home=None,
    download_if_missing=True,
    return_X_y=False,
    as_frame=True,
    drop_missing=False,
    balance=False,
    random_state=None,
):
    """Load German credit: predict whether an applicant is a good credit risk.

    Parameters
    ----------
    data_home, download_if_missing, return_X_y, as_frame, drop_missing, balance, random_state
        See :mod:`ctsk.datasets`.

    Returns
    -------
    data : Bunch or tuple
        See :mod:`ctsk.datasets`. The data have 20 columns, 13 of which are categorical. The
        favorable class is 1, the good credit risks.

    Raises
    ------
    OSError
        If the file is missing and cannot or must not be obtained.
    ValueError
        If a parameter is invalid, or the content of the file or of the download is not exactly
        the expected one.

    See Also
    --------
    fetch_heloc : Applications for lines of credit.
    make_loan : Synthetic applications for loans.

    Notes
    -----
    Categories are UCI's codes. Their explanation in the repository is partly wrong, so treat
    them as mere labels. `employment_since` and `job` are ordered by their codes. `savings` is
    not, because "A65" means that savings are unknown; `status` is not, because "A14" means that
    there is no account. `domain` keeps counterfactuals from entering unknown savings and
    property ("A65", "A124"). `installment_rate`, `residence_since`, `number_credits` and
    `people_liable` are integers that represent ranges. There are no missing values.

    Age, personal status and sex, number of dependents, nationality, credit history and the
    purpose of the credit are immutable. `employment_since` and `residence_since` can only
    increase.

    Examples
    --------
    >>> from ctsk.datasets import fetch_german_credit
    >>> X, y = fetch_german_credit(return_X_y=True)  # doctest: +SKIP
    """
    return fetch(
        GERMAN_CREDIT,
        data_home,
        download_if_missing,
        return_X_y,
        as_frame,
        drop_missing,
        balance,
        random_state,
    )
