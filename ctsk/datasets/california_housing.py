"""California housing: block groups of the 1990 US census.

Source: StatLib; Pace and Barry, "Sparse spatial autoregressions", 1997. No license is stated.

20,640 rows: the median house value is at most 1.797 times 100,000 dollars, which is the median
over all rows, in 10,323 of them (class 0), and higher in 10,317 (class 1). No values are missing.

The house value is capped at 5.00001 (992 rows are at 5 or above), house_age at 52 and med_inc at
15.0001. ave_occup reaches 1,243 and ave_rooms 142.
"""

from tempfile import TemporaryDirectory

from sklearn.datasets import fetch_california_housing as fetch_original

from ctsk.datasets.convert import as_text
from ctsk.datasets.tables import Feature, Table, check_options, csv_file, fetch

# Incomes, counts and ratios cannot be negative, and none has a natural maximum.
_POSITIVE = Feature(domain=(0, None))
_FEATURES = {
    "med_inc": _POSITIVE,
    # A median over the block group, which grows by itself: nobody can change it.
    "house_age": Feature("none", (0, None)),
    "ave_rooms": _POSITIVE,
    "ave_bedrms": _POSITIVE,
    "population": _POSITIVE,
    "ave_occup": _POSITIVE,
    # A block group stays where it is.
    "latitude": Feature("none", (-90, 90)),
    "longitude": Feature("none", (-180, 180)),
}


def _obtain(folder):
    """Download scikit-learn's copy, because OpenML lacks the ratios."""
    # A temporary folder, because scikit-learn would store a second copy in its own data home.
    with TemporaryDirectory() as temporary:
        frame = fetch_original(data_home=temporary, as_frame=True).frame
    # Whole numbers are stored without ".0", as the digest of the text expects.
    return as_text(
        frame.set_axis([*_FEATURES, "target"], axis=1).astype(
            {"house_age": "int64", "population": "int64"}
        )
    )


CALIFORNIA_HOUSING = Table(
    csv_file(
        "california_housing",
        "ca6c5021c5f5467c3f351c1c789ad6d215af18d8aafbecbbbf27a570d8b30e00",
        _obtain,
        "The original is the one of sklearn.datasets.fetch_california_housing.",
    ),
    _FEATURES,
    target_names=["at or below the median", "above the median"],
    favorable=1,
    descr=__doc__,
    continuous_target="median_house_value",
)


@check_options
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
    """Load California housing: predict whether houses are more expensive than the median.

    Parameters
    ----------
    data_home, download_if_missing, return_X_y, as_frame, drop_missing, balance, random_state
        See :mod:`ctsk.datasets`.

    Returns
    -------
    data : Bunch or tuple
        See :mod:`ctsk.datasets`. The data have 8 numeric columns. The favorable class is 1, the
        block groups whose median house value is above the median over all rows. The Bunch has
        an additional attribute:

        median_house_value : Series or ndarray of shape (n_rows,)
            Median house value in 100,000 dollars.

    Raises
    ------
    OSError
        If the file is missing and cannot or must not be obtained.
    ValueError
        If a parameter is invalid, or the content of the file or of the download is not exactly
        the expected one.

    See Also
    --------
    sklearn.datasets.fetch_california_housing : The original regression problem.

    Notes
    -----
    The columns are those of :func:`sklearn.datasets.fetch_california_housing`, with names in
    lower case; `house_age` and `population` are integers. The data are downloaded by that
    function. There are no missing values, and `balance` drops only 6 rows.

    Latitude, longitude and the age of the houses are immutable.

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
