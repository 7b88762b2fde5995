"""German credit: who is a good credit risk."""

from sklearn.utils._param_validation import validate_params

from ctsk.datasets.convert import from_openml
from ctsk.datasets.tabular import OPTIONS, Feature, Tabular, csv_file, fetch

_GRADE = (1, 4)
_CHOICE = Feature(categories=...)
_FIXED = Feature("none", categories=...)
_FEATURES = {
    "status": Feature(categories=("A11", "A12", "A13", "A14")),
    "duration_months": Feature(domain=(1, None)),
    "credit_history": _FIXED,
    "purpose": _FIXED,
    "credit_amount": Feature(domain=(0, None)),
    "savings": Feature(domain=["A61", "A62", "A63", "A64"], categories=...),
    "employment_since": Feature(
        "increase", categories=("A71", "A72", "A73", "A74", "A75"), ordered=True
    ),
    "installment_rate": Feature(domain=_GRADE),
    "personal_status_sex": _FIXED,
    "other_debtors": _CHOICE,
    "residence_since": Feature("increase", _GRADE),
    "property": Feature(domain=["A121", "A122", "A123"], categories=...),
    "age": Feature("none", (0, 120)),
    "other_installment_plans": _CHOICE,
    "housing": _CHOICE,
    "number_credits": Feature(domain=_GRADE),
    "job": Feature(categories=("A171", "A172", "A173", "A174"), ordered=True),
    "people_liable": Feature("none", (1, 2)),
    "telephone": _CHOICE,
    "foreign_worker": _FIXED,
}
# By attribute, the number of UCI's first code, and what OpenML calls the codes from there on.
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
_DESCR = """German credit, or Statlog (German Credit Data) (Hofmann, 1994).

Source: UCI Machine Learning Repository, data set 144, doi:10.24432/C5NC77. Licence: CC BY 4.0.

1,000 rows; 300 are bad risks (class 0), 700 good ones (class 1). Nothing is missing. Amounts are
in German marks.

Categories are UCI's codes. UCI's table of their meanings is known to be wrong for several
attributes (Groemping, "South German Credit Data", 2019), among them status, credit_history,
personal_status_sex, property, housing and foreign_worker: rest no claim about sex or nationality on
them."""


def _convert(frame):
    """Put UCI's codes in place of OpenML's words."""
    frame = frame.set_axis([*_FEATURES, "target"], axis=1)
    frame = frame.astype(dict.fromkeys(frame.select_dtypes("category"), "object"))
    for name, (first, words) in _OPENML.items():
        codes = {word: f"A{number}" for number, word in enumerate(words, start=first)}
        frame[name] = frame[name].map(codes)
    frame["purpose"] = frame["purpose"].map(_PURPOSES)
    frame["target"] = frame["target"].map({"bad": 0, "good": 1})
    numbers = [name for name, known in _FEATURES.items() if known.categories is None]
    return frame.astype(dict.fromkeys([*numbers, "target"], "int64"))


GERMAN_CREDIT = Tabular(
    csv_file(
        "german_credit",
        "d5e96b59b008bf11b3203f3c3271504e9961a2ece298801b80efb1a3f07b6bd8",
        from_openml(31, _convert),
        "The original is german.data of data set 144 of the UCI Machine Learning Repository.",
    ),
    _FEATURES,
    target_names=["bad", "good"],
    favourable=1,
    descr=_DESCR,
)


@validate_params(OPTIONS, prefer_skip_nested_validation=True)
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
    """Load German credit: who is a good credit risk.

    Parameters
    ----------
    data_home : str, path-like or None, default=None
        Folder that holds, or will hold, ``german_credit.csv.gz``. None is the folder that the
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

        data : DataFrame or ndarray of shape (n_rows, 20)
            The index counts the rows of the file, from 0; dropped rows leave gaps.
        target : Series or ndarray of shape (n_rows,)
            0 or 1.
        frame : DataFrame of shape (n_rows, 21) or None
            Both; None without `as_frame`.
        feature_names : list of str
            Columns of data.
        target_names : list of str
            Of class 0 and class 1.
        favourable : int
            The class that people want to be in: 1.
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
    Categories are UCI's codes, which the repository explains, partly wrongly: take them as
    labels. `employment_since` and `job` are ordered by their codes. `savings` is not, for
    "A65" says that they are unknown; `status` is not, for "A14" says that there is no
    account. By `domain` unknown savings and property ("A65", "A124") cannot be reached.
    `installment_rate`, `residence_since`, `number_credits` and `people_liable` are integers
    that stand for ranges. Nothing is missing.

    Nobody is told to change age, personal status, sex, dependants, nationality, history or
    what the credit is for. `employment_since` and `residence_since` may rise.

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
