"""HELOC: applicants for a home equity line of credit, and whether they repaid it.

Source: FICO's Explainable Machine Learning Challenge, 2018, heloc_dataset_v1.csv. FICO's terms of
the challenge apply; there is no open license.

9,871 rows: 5,136 applicants were 90 days past due or worse (class 0, "Bad"), 4,735 were not
(class 1, "Good"). The 588 rows of the original file that have no bureau record at all were
dropped. One row is a duplicate.

Three negative codes represent missing numbers: -7 (condition not met, such as no delinquency) in
m_since_most_recent_delq (4,664 rows) and m_since_most_recent_inq_excl_7days (1,855); -9 (no bureau
record) in external_risk_estimate (10); -8 (no usable or valid trades or inquiries) in
m_since_oldest_trade_open (239), m_since_most_recent_delq (176),
m_since_most_recent_inq_excl_7days (476), net_fraction_revolving_burden (186),
net_fraction_install_burden (3,419), num_revolving_trades_w_balance (156),
num_install_trades_w_balance (861), num_bank_2_natl_trades_w_high_utilization (583) and
percent_trades_w_balance (18).

net_fraction_revolving_burden reaches 232 percent and net_fraction_install_burden 471 percent. In
some copies of the data, codes were replaced by averages within each class, which reveals the
label.
"""

from ctsk.datasets.convert import from_original
from ctsk.datasets.tables import Feature, Table, check_options, csv_file, fetch, with_words

# Reasons why a number is missing. Each feature lists the codes that occur in its column as its
# special values. The codes are negative, whereas all amounts are at least 0.
_CODES = {
    -7: "condition not met",
    -8: "no usable trades or inquiries",
    -9: "no bureau record",
}
# Names of the codes in FICO's data dictionary. Codes that share a name become one category.
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
# What people do next can raise or lower these counts and percentages. A burden may exceed 100
# percent, because balances can exceed limits.
_COUNT = Feature(domain=(0, None))
_COUNT_OF_USABLE = Feature(domain=(0, None), special_values=(-8,))
# Delinquencies that have happened stay in the record.
_PAST = Feature("none", (0, None))
# Waiting and reliable payments raise these numbers. What lowers some of them, such as a new
# account, is not recommended to people who ask for recourse.
_GROWS = Feature("increase", (0, None))
# -7 means that the event, a delinquency or an inquiry, has not happened.
_SINCE_EVENT = Feature("increase", (0, None), special_values=(-8, -7))
_FEATURES = {
    # The output of another model: nobody can change it directly.
    "external_risk_estimate": Feature("none", (0, 100), special_values=(-9,)),
    "m_since_oldest_trade_open": Feature("increase", (0, None), special_values=(-8,)),
    "m_since_most_recent_trade_open": _GROWS,
    "average_m_in_file": _GROWS,
    "num_satisfactory_trades": _GROWS,
    "num_trades_60_ever_2_derog_pub_rec": _PAST,
    "num_trades_90_ever_2_derog_pub_rec": _PAST,
    "percent_trades_never_delq": Feature("increase", (0, 100)),
    "m_since_most_recent_delq": _SINCE_EVENT,
    "max_delq_2_public_rec_last_12m": Feature("none", categories=_LAST_12M),
    "max_delq_ever": Feature("none", categories=_EVER),
    "num_total_trades": _GROWS,
    "num_trades_open_in_last_12m": _COUNT,
    "percent_install_trades": Feature(domain=(0, 100)),
    "m_since_most_recent_inq_excl_7days": _SINCE_EVENT,
    "num_inq_last_6m": _COUNT,
    "num_inq_last_6m_excl_7days": _COUNT,
    "net_fraction_revolving_burden": _COUNT_OF_USABLE,
    "net_fraction_install_burden": _COUNT_OF_USABLE,
    "num_revolving_trades_w_balance": _COUNT_OF_USABLE,
    "num_install_trades_w_balance": _COUNT_OF_USABLE,
    "num_bank_2_natl_trades_w_high_utilization": _COUNT_OF_USABLE,
    "percent_trades_w_balance": Feature(domain=(0, 100), special_values=(-8,)),
}
# Names after FICO's data dictionary, and units.
_WORDS = {
    "external_risk_estimate": ("external risk estimate", ""),
    "m_since_oldest_trade_open": ("time since the oldest account was opened", "months"),
    "m_since_most_recent_trade_open": ("time since the newest account was opened", "months"),
    "average_m_in_file": ("average age of the accounts", "months"),
    "num_satisfactory_trades": ("satisfactory accounts", ""),
    "num_trades_60_ever_2_derog_pub_rec": ("accounts ever 60 days late, or worse", ""),
    "num_trades_90_ever_2_derog_pub_rec": ("accounts ever 90 days late, or worse", ""),
    "percent_trades_never_delq": ("accounts never late", "percent"),
    "m_since_most_recent_delq": ("time since the last late payment", "months"),
    "max_delq_2_public_rec_last_12m": ("worst late payment in 12 months", ""),
    "max_delq_ever": ("worst late payment ever", ""),
    "num_total_trades": ("accounts in all", ""),
    "num_trades_open_in_last_12m": ("accounts opened in 12 months", ""),
    "percent_install_trades": ("installment accounts", "percent"),
    "m_since_most_recent_inq_excl_7days": (
        "time since the last inquiry, without 7 days",
        "months",
    ),
    "num_inq_last_6m": ("inquiries in 6 months", ""),
    "num_inq_last_6m_excl_7days": ("inquiries in 6 months before the last 7 days", ""),
    "net_fraction_revolving_burden": ("revolving balance relative to the limit", "percent"),
    "net_fraction_install_burden": ("installment balance relative to the loan", "percent"),
    "num_revolving_trades_w_balance": ("revolving accounts with a balance", ""),
    "num_install_trades_w_balance": ("installment accounts with a balance", ""),
    "num_bank_2_natl_trades_w_high_utilization": ("bank accounts near their limit", ""),
    "percent_trades_w_balance": ("accounts with a balance", "percent"),
}


def _convert(raw):
    """Drop rows without a bureau record and make the label the last column."""
    label = raw.pop("RiskPerformance").map({"Bad": "0", "Good": "1"})
    # -9 in every column marks applicants without any bureau record, whose rows hold nothing to
    # learn from. The label is removed before, because it is never -9.
    has_record = (raw != "-9").any(axis=1)
    return raw.set_axis(list(_FEATURES), axis=1).assign(target=label)[has_record]


HELOC = Table(
    csv_file(
        "heloc",
        "35398422de6163cf825a38e40926973ad87cd191cfa2f6709c975f4458f9453a",
        from_original("heloc_dataset_v1.csv", _convert),
        "Get heloc_dataset_v1.csv from FICO's community (Explainable Machine Learning Challenge) "
        "and put it into that folder, where it will be converted.",
    ),
    with_words(_FEATURES, _WORDS),
    target_names=["Bad", "Good"],
    favorable=1,
    descr=__doc__,
    codes=_CODES,
)


@check_options
def fetch_heloc(
    *,
    data_home=None,
    download_if_missing=True,
    return_X_y=False,
    as_frame=True,
    drop_missing=False,
    balance=False,
    random_state=None,
    keep_codes=False,
):
    """Load HELOC: predict whether an applicant repays a home equity line of credit.

    Parameters
    ----------
    data_home, download_if_missing, return_X_y, as_frame, drop_missing, balance, random_state
        See :mod:`ctsk.datasets`. `drop_missing` drops rows with a code, even if `keep_codes` is
        True.
    keep_codes : bool, default=False
        Whether missing numbers are represented by FICO's codes:

        - -7: the condition is not met; for example, there has been no delinquency;
        - -8: there are no usable or valid trades or inquiries;
        - -9: there is no bureau record.

        Otherwise, they are NaN.

    Returns
    -------
    data : Bunch or tuple
        See :mod:`ctsk.datasets`. The data have 23 columns, 2 of which are categorical. The
        favorable class is 1, the applicants who repaid. All numeric columns are integers if
        `keep_codes` or `drop_missing` is True; otherwise, the 10 columns with missing numbers are
        floats. `special_values` lists the codes of each of these columns if `keep_codes` is True,
        and is empty otherwise. The Bunch has an additional attribute:

        codes : DataFrame of shape (n_rows, 23)
            Reason why a number is missing: "condition not met", "no usable trades or inquiries"
            or "no bureau record". Missing itself where the number is present. It does not depend
            on `keep_codes`.

    Raises
    ------
    OSError
        If the file is missing and cannot or must not be obtained.
    ValueError
        If a parameter is invalid, or the content of the file or of the download is not exactly
        the expected one.

    Notes
    -----
    The data are not downloaded, because FICO requires users to accept its terms. They are
    converted from FICO's file ``heloc_dataset_v1.csv`` if the folder of `data_home` contains
    it.

    Only 2,502 of the 9,871 rows have no code at all, and 942 of these belong to class 1. These
    are the rows that `drop_missing` keeps, and they are not a representative sample: people who
    have never been delinquent have a code for the months since their last delinquency. The
    classifier accepts missing numbers, so that these rows need not be dropped.

    NaN does not distinguish the reasons. To have the classifier treat each of them as a separate
    state, load the data with ``keep_codes=True`` and pass `special_values` to the classifier.
    Without `special_values`, it would take the codes for amounts.

    `max_delq_2_public_rec_last_12m` and `max_delq_ever` are categories named after FICO's data
    dictionary; codes with the same name form one category. The categories are not ordered,
    because the position of unknown delinquencies is not known.

    Features that describe the past are immutable, and so is `external_risk_estimate`, which is
    the output of another model. Features that count months, or trades ever opened, can only
    increase.

    Examples
    --------
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.datasets import fetch_heloc
    >>> data = fetch_heloc(keep_codes=True)  # doctest: +SKIP
    >>> clf = CounterfactualTrainedClassifier(
    ...     mutability=data.mutability, domain=data.domain, special_values=data.special_values
    ... )  # doctest: +SKIP
    >>> clf.fit(data.data, data.target)  # doctest: +SKIP
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
        keep_codes,
    )
