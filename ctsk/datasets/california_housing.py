"""California housing: where houses are expensive."""

from tempfile import TemporaryDirectory

from sklearn.datasets import fetch_california_housing as fetch_original
from sklearn.utils._param_validation import validate_params

from ctsk.datasets.convert import as_text
from ctsk.datasets.tabular import OPTIONS, Feature, Tabular, csv_file, fetch

_POSITIVE = Feature(domain=(0, None))
_FEATURES = {
    "med_inc": _POSITIVE,
    "house_age": Feature("none", (0, None)),
    "ave_rooms": _POSITIVE,
    "ave_bedrms": _POSITIVE,
    "population": _POSITIVE,
    "ave_occup": _POSITIVE,
    "latitude": Feature("none", (-90, 90)),
    "longitude": Feature("none", (-180, 180)),
}
_DESCR = """California housing: block groups of the 1990 US census (Pace and Barry, "Sparse spatial
autoregressions", 1997).

Source: StatLib. No licence is stated.

20,640 rows; 10,323 have a median house value of at most 1.797 times 100,000 dollars (class 0),
which is the median over all rows, 10,317 a higher one (class 1). Nothing is missing.

The value is capped at 5.00001 (992 rows are at 5 or above), house_age at 52, med_inc at 15.0001.
ave_occup reaches 1,243 and ave_rooms 142."""


def _obtain(folder):
    """Take scikit-learn's copy: OpenML lacks the ratios."""
    with TemporaryDirectory() as temporary:
        frame = fetch_original(data_home=temporary, as_frame=True).frame
    return as_text(
        frame.set_axis([*_FEATURES, "target"], axis=1).astype(
            {"house_age": "int64", "population": "int64"}
        )
    )


CALIFORNIA_HOUSING = Tabular(
    csv_file(
        "california_housing",
        "ca6c5021c5f5467c3f351c1c789ad6d215af18d8aafbecbbbf27a570d8b30e00",
        _obtain,
        "The original is the one of sklearn.datasets.fetch_california_housing.",
    ),
    _FEATURES,
    target_names=["at or below the median", "above the median"],
    favourable=1,
    descr=_DESCR,
    continuous_target="median_house_value",
)


@validate_params(OPTIONS, prefer_skip_nested_validation=True)
def fetch_california_housing(
    *,
    data_home=None,
    download_if_missing=True,
    return_X_y=False,
    as_frame=True,
    drop_missing=False,
    balance=False,
    random_state=None,
):
    """Load California housing: where houses are expensive.

    Parameters
    ----------
    data_home : str, path-like or None, default=None
        Folder that holds, or will hold, ``california_housing.csv.gz``. None is the folder that the
        environment variable ``CTSK_DATA_HOME`` names, else scikit-learn's.
    download_if_missing : bool, default=True
        Whether to download the data as scikit-learn does and keep the file if it is not
        there.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.
    as_frame : bool, default=True
        Whether to return pandas objects. Otherwise data are float64, and features go
        by index.
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

        data : DataFrame or ndarray of shape (n_rows, 8)
            The index counts the rows of the file, from 0; dropped rows leave gaps.
        target : Series or ndarray of shape (n_rows,)
            1 where the median house value is above its median over all rows, else 0.
        frame : DataFrame of shape (n_rows, 9) or None
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
        median_house_value : Series or ndarray of shape (n_rows,)
            In 100,000 dollars.

    Raises
    ------
    OSError
        If the file is not there, and cannot be downloaded or is not to be.
    ValueError
        If the file, or what is downloaded, does not hold exactly the data.

    Notes
    -----
    All columns are as in :func:`sklearn.datasets.fetch_california_housing`, with names in
    lower case. `house_age` and `population` are integers. Nothing is missing, and 6 rows are
    all that `balance` drops.

    Latitude, longitude and the age of the houses cannot be changed.

    Examples
    --------
    >>> from ctsk.datasets import fetch_california_housing
    >>> X, y = fetch_california_housing(return_X_y=True)  # doctest: +SKIP
    """
    return fetch(
        CALIFORNIA_HOUSING,
        data_home,
        download_if_missing,
        return_X_y,
        as_frame,
        drop_missing,
        balance,
        random_state,
    )
