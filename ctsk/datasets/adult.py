"""Adult: who earns more than 50,000 dollars a year."""

from sklearn.utils._param_validation import validate_params

from ctsk.datasets.convert import from_openml
from ctsk.datasets.tabular import OPTIONS, Feature, Tabular, csv_file, fetch

_N_ROWS = 32_561
_FIXED = Feature("none", categories=...)
_EDUCATION = (
    "Preschool",
    "1st-4th",
    "5th-6th",
    "7th-8th",
    "9th",
    "10th",
    "11th",
    "12th",
    "HS-grad",
    "Some-college",
    "Assoc-voc",
    "Assoc-acdm",
    "Bachelors",
    "Masters",
    "Prof-school",
    "Doctorate",
)
_FEATURES = {
    "age": Feature("none", (0, 120)),
    "workclass": Feature(categories=...),
    "fnlwgt": Feature("none", (0, None)),
    "education": Feature("increase", categories=_EDUCATION, ordered=True),
    "education_num": Feature("increase", (1, 16)),
    "marital_status": _FIXED,
    "occupation": Feature(categories=...),
    "relationship": _FIXED,
    "race": _FIXED,
    "sex": _FIXED,
    "capital_gain": Feature(domain=(0, 99_999)),
    "capital_loss": Feature(domain=(0, None)),
    "hours_per_week": Feature(domain=(1, 99)),
    "native_country": _FIXED,
}
_DESCR = """Adult, or Census Income: people of the 1994 US census (Becker and Kohavi).

Source: UCI Machine Learning Repository, data set 2, doi:10.24432/C5XW20; the training part,
adult.data. Licence: CC BY 4.0.

32,561 rows; 24,720 earn at most 50,000 dollars a year (class 0), 7,841 more (class 1). Missing:
workclass in 1,836 rows, occupation in 1,843, native_country in 583.

24 rows are duplicates. fnlwgt is a sampling weight. education and education_num say the same
thing. capital_gain is capped at 99,999, age at 90."""


def _convert(frame):
    """Keep UCI's training part, which OpenML has after the test part."""
    frame = frame.tail(_N_ROWS).set_axis([*_FEATURES, "target"], axis=1)
    frame = frame.astype(dict.fromkeys(frame.select_dtypes("category"), "object"))
    frame["target"] = frame["target"].map({"<=50K": 0, ">50K": 1})
    numbers = [name for name, known in _FEATURES.items() if known.categories is None]
    return frame.astype(dict.fromkeys([*numbers, "target"], "int64"))


ADULT = Tabular(
    csv_file(
        "adult",
        "9494cad0dbc553f690f4d152cf3d1d41d1f3245efb5a153987b5cf775446c101",
        from_openml(1590, _convert),
        "The original is adult.data of data set 2 of the UCI Machine Learning Repository.",
    ),
    _FEATURES,
    target_names=["<=50K", ">50K"],
    favourable=1,
    descr=_DESCR,
)


@validate_params(OPTIONS, prefer_skip_nested_validation=True)
def fetch_adult(
    *,
    data_home=None,
    download_if_missing=True,
    return_X_y=False,
    as_frame=True,
    drop_missing=False,
    balance=False,
    random_state=None,
):
    """Load Adult: who earns more than 50,000 dollars a year.

    Parameters
    ----------
    data_home : str, path-like or None, default=None
        Folder that holds, or will hold, ``adult.csv.gz``. None is the folder that the
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

        data : DataFrame or ndarray of shape (n_rows, 14)
            The index counts the rows of the file, from 0; dropped rows leave gaps.
        target : Series or ndarray of shape (n_rows,)
            0 or 1.
        frame : DataFrame of shape (n_rows, 15) or None
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
    `education` is ordered by `education_num`, which says the same: change one of them
    alone, and a row contradicts itself. Train without one, as in
    ``X.drop(columns="education_num")``, and take it out of `mutability` and `domain`.

    `workclass`, `occupation` and `native_country` have missing values. To the classifier
    these are a category of its own, which can be left but not reached; training rows have
    to hold one wherever rows to be predicted do. `drop_missing` leaves 30,162 rows, 7,508 of
    them of class 1.

    Nobody is told to change age, marital status, relationship, race, sex or native country;
    `fnlwgt` is no attribute of a person. Education may rise.

    Examples
    --------
    >>> from ctsk.datasets import fetch_adult
    >>> X, y = fetch_adult(return_X_y=True)  # doctest: +SKIP
    """
    return fetch(
        ADULT,
        data_home,
        download_if_missing,
        return_X_y,
        as_frame,
        drop_missing,
        balance,
        random_state,
    )
