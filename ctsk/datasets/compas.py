"""COMPAS: who will be arrested again."""

from sklearn.utils._param_validation import validate_params

from ctsk.datasets.convert import from_original
from ctsk.datasets.tabular import OPTIONS, Feature, Tabular, csv_file, fetch

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
_DESCR = """COMPAS: defendants in Broward County, Florida, 2013 and 2014, and whether they were
charged with another crime within two years.

Source: ProPublica, compas-analysis, compas-scores-two-years.csv. Public records; no licence is
stated.

6,172 rows, those that ProPublica's analysis keeps; 3,363 were not charged again (class 0), 2,809
were (class 1). Nothing is missing. c_charge_degree is F (felony) or M (misdemeanour),
length_of_stay the days in jail. What identifies people was dropped, and so were the columns that
give the label away and the scores of COMPAS, which are the output of another model.

With so few columns 999 rows repeat an earlier one, and 338 combinations of features occur with
both labels: they are different people."""


def _convert(words):
    """Keep the rows of ProPublica's analysis, and count days in jail as it does."""
    import pandas as pd

    days = pd.to_numeric(words["days_b_screening_arrest"])
    words = words[
        days.between(-30, 30)
        & (words["is_recid"] != "-1")
        & (words["c_charge_degree"] != "O")
        & (words["score_text"] != "N/A")
    ]
    released, jailed = (
        pd.to_datetime(words[name]).dt.normalize() for name in ("c_jail_out", "c_jail_in")
    )
    words = words.assign(length_of_stay=(released - jailed).dt.days, target=words["two_year_recid"])
    return words[[*_FEATURES, "target"]]


COMPAS = Tabular(
    csv_file(
        "compas",
        "ac47eb95a560a7e2ca67807ae106d53f2d572ffab9b1d42ec77a2b45062b0f22",
        from_original("compas-scores-two-years.csv", _convert),
        "Get compas-scores-two-years.csv from ProPublica's GitHub repository compas-analysis and "
        "put it into that folder: it is converted from there.",
    ),
    _FEATURES,
    target_names=["not charged again", "charged again"],
    favourable=0,
    descr=_DESCR,
)


@validate_params(OPTIONS, prefer_skip_nested_validation=True)
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
    """Load COMPAS: who will be charged with another crime within two years.

    Parameters
    ----------
    data_home : str, path-like or None, default=None
        Folder that holds, or will hold, ``compas.csv.gz``. None is the folder that the
        environment variable ``CTSK_DATA_HOME`` names, else scikit-learn's.
    download_if_missing : bool, default=True
        Whether to convert ProPublica's ``compas-scores-two-years.csv``, if that is in the folder,
        and keep the file if it is not there.
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

        data : DataFrame or ndarray of shape (n_rows, 9)
            The index counts the rows of the file, from 0; dropped rows leave gaps.
        target : Series or ndarray of shape (n_rows,)
            0 or 1.
        frame : DataFrame of shape (n_rows, 10) or None
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
        categories : dict
            Only without `as_frame`: the labels of each categorical feature, by index.

    Raises
    ------
    OSError
        If the file is not there, and cannot be downloaded or is not to be.
    ValueError
        If the file, or ProPublica's, does not hold exactly the data.

    Notes
    -----
    The data are not downloaded: what OpenML has is a cleaned version with other rows.

    Nobody can change any of these features: `mutability` is "none" for all, so that under it
    there is no way out for anybody, which is worth knowing before such a model is used. To
    see what a model would have said of another person, leave `mutability` away. Nothing is
    missing.

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
