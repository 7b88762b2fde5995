"""HELOC: who repays a home equity line of credit."""

from sklearn.utils._param_validation import validate_params

from ctsk.datasets.convert import from_original
from ctsk.datasets.tabular import OPTIONS, Feature, Tabular, csv_file, fetch

_CODES = {
    -7: "condition not met",
    -8: "no usable trades or inquiries",
    -9: "no bureau record",
}
_LAST_12M = {
    "0": "derogatory comment",
    "1": "120+ days delinquent",
    "2": "90 days delinquent",
    "3": "60 days delinquent",
    "4": "30 days delinquent",
    "5": "unknown delinquency",
    "6": "unknown delinquency",
    "7": "current and never delinquent",
    "8": "all other",
    "9": "all other",
}
_EVER = {
    "1": "no such value",
    "2": "derogatory comment",
    "3": "120+ days delinquent",
    "4": "90 days delinquent",
    "5": "60 days delinquent",
    "6": "30 days delinquent",
    "7": "unknown delinquency",
    "8": "current and never delinquent",
    "9": "all other",
}
_COUNT = Feature(domain=(0, None))
_PAST = Feature("none", (0, None))
_GROWS = Feature("increase", (0, None))
_FEATURES = {
    "external_risk_estimate": Feature("none", (0, 100)),
    "m_since_oldest_trade_open": _GROWS,
    "m_since_most_recent_trade_open": _GROWS,
    "average_m_in_file": _GROWS,
    "num_satisfactory_trades": _GROWS,
    "num_trades_60_ever_2_derog_pub_rec": _PAST,
    "num_trades_90_ever_2_derog_pub_rec": _PAST,
    "percent_trades_never_delq": Feature("increase", (0, 100)),
    "m_since_most_recent_delq": _GROWS,
    "max_delq_2_public_rec_last_12m": Feature("none", categories=_LAST_12M),
    "max_delq_ever": Feature("none", categories=_EVER),
    "num_total_trades": _GROWS,
    "num_trades_open_in_last_12m": _COUNT,
    "percent_install_trades": Feature(domain=(0, 100)),
    "m_since_most_recent_inq_excl_7days": _GROWS,
    "num_inq_last_6m": _COUNT,
    "num_inq_last_6m_excl_7days": _COUNT,
    "net_fraction_revolving_burden": _COUNT,
    "net_fraction_install_burden": _COUNT,
    "num_revolving_trades_w_balance": _COUNT,
    "num_install_trades_w_balance": _COUNT,
    "num_bank_2_natl_trades_w_high_utilization": _COUNT,
    "percent_trades_w_balance": Feature(domain=(0, 100)),
}
_DESCR = """HELOC: applicants for a home equity line of credit, and whether they repaid it.

Source: FICO's Explainable Machine Learning Challenge, 2018, heloc_dataset_v1.csv. FICO's terms of
the challenge apply: there is no open licence.

9,871 rows; 5,136 were 90 days past due or worse (class 0, "Bad"), 4,735 were not (class 1,
"Good"). The 588 rows of the original without any bureau record were dropped. One row is a
duplicate.

Three negative codes stand for numbers that are missing: -7 (condition not met, such as no
delinquency) in m_since_most_recent_delq (4,664 rows) and m_since_most_recent_inq_excl_7days
(1,855); -9 (no bureau record) in external_risk_estimate (10); -8 (no usable or valid trades or
inquiries) in m_since_oldest_trade_open (239), m_since_most_recent_delq (176),
m_since_most_recent_inq_excl_7days (476), net_fraction_revolving_burden (186),
net_fraction_install_burden (3,419), num_revolving_trades_w_balance (156),
num_install_trades_w_balance (861), num_bank_2_natl_trades_w_high_utilization (583) and
percent_trades_w_balance (18).

net_fraction_revolving_burden reaches 232 and net_fraction_install_burden 471 percent. Copies of
the data in which codes were replaced by averages within each class are about; they give the label
away."""


def _convert(words):
    """Drop the rows without a bureau record, turn the label round and move it."""
    label = words.pop("RiskPerformance").map({"Bad": "0", "Good": "1"})
    kept = (words != "-9").any(axis=1)
    return words.set_axis(list(_FEATURES), axis=1).assign(target=label)[kept]


HELOC = Tabular(
    csv_file(
        "heloc",
        "35398422de6163cf825a38e40926973ad87cd191cfa2f6709c975f4458f9453a",
        from_original("heloc_dataset_v1.csv", _convert),
        "Get heloc_dataset_v1.csv from FICO's community (Explainable Machine Learning Challenge) "
        "and put it into that folder: it is converted from there.",
    ),
    _FEATURES,
    target_names=["Bad", "Good"],
    favourable=1,
    descr=_DESCR,
    codes=_CODES,
)


@validate_params(OPTIONS, prefer_skip_nested_validation=True)
def fetch_heloc(
    *,
    data_home=None,
    download_if_missing=True,
    return_X_y=False,
    as_frame=True,
    drop_missing=False,
    balance=False,
    random_state=None,
):
    """Load HELOC: who repays a home equity line of credit.

    Parameters
    ----------
    data_home : str, path-like or None, default=None
        Folder that holds, or will hold, ``heloc.csv.gz``. None is the folder that the
        environment variable ``CTSK_DATA_HOME`` names, else scikit-learn's.
    download_if_missing : bool, default=True
        Whether to convert FICO's ``heloc_dataset_v1.csv``, if that is in the folder,
        and keep the file if it is not there.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.
    as_frame : bool, default=True
        Whether to return pandas objects. Otherwise data are float64, categories are their
        position among the known ones (NaN where missing), and features go by index.
    drop_missing : bool, default=False
        Whether to drop rows with a missing value, which is any code.
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
            Columns with codes are integers with `drop_missing`, and otherwise floats, NaN in
            place of a code.
        target : Series or ndarray of shape (n_rows,)
            0 or 1.
        frame : DataFrame of shape (n_rows, 24) or None
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
        DESCR : str
            Source, licence, oddities.
        categories : dict
            Only without `as_frame`: the labels of each categorical feature, by index.
        codes : DataFrame of shape (n_rows, 23)
            Why a number is missing: "condition not met", "no usable trades or inquiries",
            "no bureau record"; itself missing where there is none to explain.

    Raises
    ------
    OSError
        If the file is not there, and cannot be downloaded or is not to be.
    ValueError
        If the file, or FICO's, does not hold exactly the data.

    Notes
    -----
    This function does not download the data: FICO wants its terms accepted.

    Only 2,502 of the 9,871 rows have no code at all, 942 of them of class 1; these are what
    `drop_missing` leaves, and they are no fair sample: somebody who was never delinquent
    has a code for the months since. The alternative is to fill the gaps first, as in
    ``X.fillna(X.median(numeric_only=True))``, or by scikit-learn's ``SimpleImputer`` with
    ``add_indicator=True``; `codes` says where there was one. Behind an imputer inside a
    pipeline rows with gaps are predicted, but not explained.

    `max_delq_2_public_rec_last_12m` and `max_delq_ever` are categories by the names that
    FICO's data dictionary gives to their codes; codes with one name are one category. They
    have no order, for it is not known where unknown ones belong.

    Nobody is told to change the past, nor `external_risk_estimate`, which is the output of
    another model. What counts months, or trades ever opened, may only grow.

    Examples
    --------
    >>> from ctsk.datasets import fetch_heloc
    >>> X, y = fetch_heloc(return_X_y=True)  # doctest: +SKIP
    """
    return fetch(
        HELOC,
        data_home,
        download_if_missing,
        return_X_y,
        as_frame,
        drop_missing,
        balance,
        random_state,
    )
