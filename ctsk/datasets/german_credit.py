"""German credit, or Statlog (German Credit Data) (Hofmann, 1994).

Source: UCI Machine Learning Repository, data set 144, doi:10.24432/C5NC77. License: CC BY 4.0.

1,000 rows: 300 applicants are bad risks (class 0), 700 are good ones (class 1). No values are
missing. Amounts are in German marks.

Categories are UCI's codes. UCI's table of their meanings is wrong for many attributes, as Groemping
found ("South German Credit Data: Correcting a Widely Used Data Set", Report 4/2019, Beuth
University of Applied Sciences Berlin): A14, for example, is not "no checking account", but at least
200 DM. `labels` holds the meanings of the corrected data (UCI data set 522), whose rows have the
same digits, except that those of people_liable and foreign_worker are exchanged. Codes of
personal_status_sex mix men and women: A92 stands for women who are not single and for single men.
Do not base claims about sex on them.
"""

from ctsk.datasets.convert import from_openml
from ctsk.datasets.tables import Feature, Table, check_options, csv_file, fetch

# These columns hold the numbers 1 to 4 of ranges, not amounts.
_GRADE = (1, 4)
# The domains of savings and property leave out "unknown or none": to become unknown is no recourse.
_FEATURES = {
    # Not ordered, because A11 means that there is no account.
    "status": Feature(
        categories=("A11", "A12", "A13", "A14"),
        label="checking account",
        words={
            "A11": "no checking account",
            "A12": "below 0 DM",
            "A13": "0 to 200 DM",
            "A14": "200 DM or more, or salary for at least a year",
        },
    ),
    "duration_months": Feature(domain=(1, None), label="duration of the credit", unit="months"),
    "credit_history": Feature(
        "none",
        categories=...,
        label="credit history",
        words={
            "A30": "delay in paying off in the past",
            "A31": "critical account or other credits elsewhere",
            "A32": "no credits taken, or all paid back duly",
            "A33": "existing credits paid back duly till now",
            "A34": "all credits at this bank paid back duly",
        },
    ),
    "purpose": Feature(
        "none",
        categories=...,
        label="purpose",
        words={
            "A40": "others",
            "A41": "new car",
            "A42": "used car",
            "A43": "furniture or equipment",
            "A44": "radio or television",
            "A45": "domestic appliances",
            "A46": "repairs",
            "A48": "vacation",
            "A49": "retraining",
            "A410": "business",
        },
    ),
    "credit_amount": Feature(domain=(0, None), label="credit amount", unit="DM"),
    "savings": Feature(
        domain=["A62", "A63", "A64", "A65"],
        categories=...,
        label="savings",
        words={
            "A61": "unknown or no savings account",
            "A62": "below 100 DM",
            "A63": "100 to 500 DM",
            "A64": "500 to 1000 DM",
            "A65": "1000 DM or more",
        },
    ),
    "employment_since": Feature(
        "increase",
        categories=("A71", "A72", "A73", "A74", "A75"),
        ordered=True,
        label="employment",
        words={
            "A71": "unemployed",
            "A72": "less than 1 year",
            "A73": "1 to 4 years",
            "A74": "4 to 7 years",
            "A75": "7 years or more",
        },
    ),
    "installment_rate": Feature(
        domain=_GRADE,
        label="installments as a share of income",
        words={
            1: "35 percent or more",
            2: "25 to 35 percent",
            3: "20 to 25 percent",
            4: "less than 20 percent",
        },
    ),
    "personal_status_sex": Feature(
        "none",
        categories=...,
        label="personal status and sex",
        words={
            "A91": "male, divorced or separated",
            "A92": "female, not single, or male, single",
            "A93": "male, married or widowed",
            "A94": "female, single",
        },
    ),
    "other_debtors": Feature(
        categories=...,
        label="other debtors",
        words={"A101": "none", "A102": "co-applicant", "A103": "guarantor"},
    ),
    "residence_since": Feature(
        "increase",
        _GRADE,
        label="time at the present residence",
        words={
            1: "less than 1 year",
            2: "1 to 4 years",
            3: "4 to 7 years",
            4: "7 years or more",
        },
    ),
    "property": Feature(
        domain=["A122", "A123", "A124"],
        categories=...,
        label="most valuable property",
        words={
            "A121": "unknown or none",
            "A122": "car or other",
            "A123": "building society savings or life insurance",
            "A124": "real estate",
        },
    ),
    "age": Feature("none", (0, 120), label="age", unit="years"),
    "other_installment_plans": Feature(
        categories=...,
        label="installment plans elsewhere",
        words={"A141": "at a bank", "A142": "at stores", "A143": "none"},
    ),
    "housing": Feature(
        categories=...,
        label="housing",
        words={"A151": "for free", "A152": "rented", "A153": "owned"},
    ),
    "number_credits": Feature(
        domain=_GRADE,
        label="credits at this bank, including this one",
        words={1: "one", 2: "two or three", 3: "four or five", 4: "six or more"},
    ),
    # The codes order the levels of skill.
    # Nobody is advised to take up a job of less skill.
    "job": Feature(
        "increase",
        categories=("A171", "A172", "A173", "A174"),
        ordered=True,
        label="job",
        words={
            "A171": "unemployed, or unskilled and not resident",
            "A172": "unskilled and resident",
            "A173": "skilled employee or official",
            "A174": "manager, self-employed or highly qualified",
        },
    ),
    # Dependents cannot be dropped to obtain a credit.
    "people_liable": Feature(
        "none",
        (1, 2),
        label="dependents",
        words={1: "none to two", 2: "three or more"},
    ),
    "telephone": Feature(
        categories=...,
        label="telephone in the applicant's name",
        words={"A191": "no", "A192": "yes"},
    ),
    "foreign_worker": Feature(
        "none", categories=..., label="foreign worker", words={"A201": "no", "A202": "yes"}
    ),
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
    Categories are UCI's codes, and `labels` holds what they mean. UCI's own table is wrong for many
    attributes; the meanings are those that Groemping (2019) has corrected [1]_, except that the
    codes of `people_liable` and `foreign_worker` are exchanged in UCI's file.
    `employment_since` and `job` are ordered by their codes. `savings` is not, because "A61" means
    that savings are unknown or that there are none; `status` is not, because "A11" means that there
    is no account. `domain` keeps counterfactuals from entering unknown savings and property ("A61",
    "A121").
    `installment_rate`, `residence_since`, `number_credits` and `people_liable` are integers that
    represent ranges; those of `installment_rate` fall as the rate rises. There are no missing
    values.

    Age, personal status and sex, number of dependents, nationality, credit history and the
    purpose of the credit are immutable. `employment_since`, `residence_since` and `job` can only
    increase.

    References
    ----------
    .. [1] Groemping, "South German Credit Data: Correcting a Widely Used Data Set", Reports in
       Mathematics, Physics and Chemistry 4/2019, Beuth University of Applied Sciences Berlin.

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
