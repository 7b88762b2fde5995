"""COMPAS: defendants, and whether they were charged with another crime within two years.

The defendants were arrested in Broward County, Florida, in 2013 and 2014.

Source: ProPublica, compas-analysis, compas-scores-two-years.csv. Public records; no license is
stated.

6,172 rows, which are those of ProPublica's analysis: 3,363 defendants were not charged again
(class 0), 2,809 were (class 1). No values are missing. c_charge_degree is F (felony) or M
(misdemeanor), length_of_stay is the number of days in jail. Columns that identify people or reveal
the label were dropped, and so were the scores of COMPAS, which are the output of another model.

With so few columns, 999 rows repeat an earlier one, and 338 combinations of features occur with
both labels; they belong to different people.
"""

from ctsk.datasets.convert import from_original
from ctsk.datasets.tables import Feature, Table, check_options, csv_file, fetch

# Convictions, charges and days in jail are counts of past events, which nobody can undo.
_PAST = Feature("none", (0, None))
_FIXED = Feature("none", categories=...)
_FEATURES = {
    "age": Feature("none", (0, 120)),
    "sex": _FIXED,
    "race": _FIXED,
    "juv_fel_count": _PAST,
    "juv_misd_count": _PAST,
    "juv_other_count": _PAST,
    "priors_count": _PAST,
    "c_charge_degree": _FIXED,
    "length_of_stay": _PAST,
}


def _convert(raw):
    """Keep the rows of ProPublica's analysis and count the days in jail as it does."""
    import pandas as pd

    # These are the four conditions of ProPublica's analysis. An arrest long before or after the
    # screening is not the one that the score is about; -1 means that there is no record, "O"
    # that the charge was an ordinary traffic offense.
    days = pd.to_numeric(raw["days_b_screening_arrest"])
    raw = raw[
        days.between(-30, 30)
        & (raw["is_recid"] != "-1")
        & (raw["c_charge_degree"] != "O")
        & (raw["score_text"] != "N/A")
    ]
    # Whole days: ProPublica subtracts dates, so that one night counts as one day.
    jailed = pd.to_datetime(raw["c_jail_in"]).dt.normalize()
    released = pd.to_datetime(raw["c_jail_out"]).dt.normalize()
    raw = raw.assign(length_of_stay=(released - jailed).dt.days, target=raw["two_year_recid"])
    # This selection drops names, dates of birth, case numbers and the scores of COMPAS.
    return raw[[*_FEATURES, "target"]]


COMPAS = Table(
    csv_file(
        "compas",
        "ac47eb95a560a7e2ca67807ae106d53f2d572ffab9b1d42ec77a2b45062b0f22",
        from_original("compas-scores-two-years.csv", _convert),
        "Get compas-scores-two-years.csv from ProPublica's GitHub repository compas-analysis and "
        "put it into that folder, where it will be converted.",
    ),
    _FEATURES,
    target_names=["not charged again", "charged again"],
    favorable=0,
    descr=__doc__,
)


@check_options
def fetch_compas(
    *,
    data_home=None,
    download_if_missing=True,
    return_X_y=False,
    as_frame=True,
    drop_missing=False,
    balance=False,
    random_state=None,
):
    """Load COMPAS: predict whether a defendant is charged with another crime within two years.

    Parameters
    ----------
    data_home, download_if_missing, return_X_y, as_frame, drop_missing, balance, random_state
        See :mod:`ctsk.datasets`.

    Returns
    -------
    data : Bunch or tuple
        See :mod:`ctsk.datasets`. The data have 9 columns, 3 of which are categorical. The
        favorable class is 0, the people who were not charged again.

    Raises
    ------
    OSError
        If the file is missing and cannot or must not be obtained.
    ValueError
        If a parameter is invalid, or the content of the file or of the download is not exactly
        the expected one.

    See Also
    --------
    fetch_adult : Another data set on which groups are compared.

    Notes
    -----
    The data are not downloaded, because OpenML offers a cleaned version with other rows. They
    are converted from ProPublica's file ``compas-scores-two-years.csv`` if the folder of
    `data_home` contains it. There are no missing values.

    Nobody can change any of these features: `mutability` is "none" for all of them, so that no
    defendant has recourse, which is worth knowing before such a model is used. To see what a
    model would predict for a different person, do not pass `mutability` to the classifier.

    Examples
    --------
    >>> from ctsk.datasets import fetch_compas
    >>> X, y = fetch_compas(return_X_y=True)  # doctest: +SKIP
    """
    return fetch(
        COMPAS,
        data_home,
        download_if_missing,
        return_X_y,
        as_frame,
        drop_missing,
        balance,
        random_state,
    )
