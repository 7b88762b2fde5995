"""Data sets for counterfactual explanations.

The ``make_*`` functions draw synthetic data. The ``fetch_*`` functions load real data together
with constraints that make sense for recourse. All of them but :func:`fetch_mnist` load a table and
take the same keyword parameters:

data_home : str, path-like or None, default=None
    Folder that holds the file ``<name>.csv.gz``, such as ``adult.csv.gz`` for
    :func:`fetch_adult`. If None, the folder is the value of the environment variable
    ``CTSK_DATA_HOME`` or, where that is not set, scikit-learn's data folder
    (:func:`sklearn.datasets.get_data_home`).
download_if_missing : bool, default=True
    Whether to obtain the data and store the file if it is missing. COMPAS, GMSC and HELOC are
    not downloaded but converted from the file that their publisher offers, once it is in the
    same folder.
return_X_y : bool, default=False
    Whether to return ``(data, target)`` instead of a Bunch.
as_frame : bool, default=True
    Whether to return pandas objects. Otherwise, the data are a float64 array in which a category
    is represented by its position in `categories` (NaN if missing), and features are identified
    by their indices.
drop_missing : bool, default=False
    Whether to drop rows with a missing value. The classifier accepts missing values.
balance : bool, default=False
    Whether to drop random rows of the larger class, after `drop_missing`, until both classes are
    equally large.
random_state : int, RandomState or None, default=None
    Determines which rows `balance` drops.

They return a :class:`sklearn.utils.Bunch` with these attributes, or only the first two of them if
`return_X_y` is True:

data : DataFrame or ndarray of shape (n_rows, n_features)
    The index of the DataFrame is the position of a row in the file, starting at 0. Columns
    without missing values that hold whole numbers have an integer dtype; columns with missing
    values are floats.
target : Series or ndarray of shape (n_rows,)
    Class 0 or 1.
frame : DataFrame of shape (n_rows, n_features + 1) or None
    `data` and `target`. None if `as_frame` is False.
feature_names : list of str
    Names of the columns of `data`.
target_names : list of str
    Names of class 0 and class 1.
favorable : int
    The class that people want to be in.
categorical_features : list
    Features that hold categories.
mutability, domain : dict
    Which features people can change, and which values are possible. Both can be passed to the
    parameters of :class:`~ctsk.CounterfactualTrainedClassifier` with the same names. If `domain`
    is not passed, the classifier infers it from its training rows. If `as_frame` is False, a
    category that may only increase is immutable, because an array does not hold the order of
    categories.
special_values : dict of lists of int
    Codes among the numbers of a feature that are not amounts, in ascending order. Features without
    such codes are not listed. It can be passed to the parameter of
    :class:`~ctsk.CounterfactualTrainedClassifier` with the same name. A domain that is a pair of
    bounds refers to amounts only.
labels, units : dict
    Readable names of features, of values and of the classes, and units of numbers, for
    :meth:`ctsk.Explanation.to_text` and :meth:`ctsk.Explanation.plot`.
DESCR : str
    Source, license and peculiarities of the data.
categories : dict
    Labels of each categorical feature, by index. Only if `as_frame` is False.

They raise an OSError if the file is missing and cannot or must not be obtained, and a ValueError if
the content of the file or of the download is not exactly the expected one.
"""

from ctsk.datasets.adult import fetch_adult
from ctsk.datasets.california_housing import fetch_california_housing
from ctsk.datasets.compas import fetch_compas
from ctsk.datasets.credit_default import fetch_credit_default
from ctsk.datasets.german_credit import fetch_german_credit
from ctsk.datasets.gmsc import fetch_gmsc
from ctsk.datasets.heloc import fetch_heloc
from ctsk.datasets.mnist import fetch_mnist
from ctsk.datasets.synthetic import (
    make_circles_like,
    make_linearly_separable,
    make_loan,
    make_moons_like,
    make_overlapping,
)

__all__ = [
    "fetch_adult",
    "fetch_california_housing",
    "fetch_compas",
    "fetch_credit_default",
    "fetch_german_credit",
    "fetch_gmsc",
    "fetch_heloc",
    "fetch_mnist",
    "make_circles_like",
    "make_linearly_separable",
    "make_loan",
    "make_moons_like",
    "make_overlapping",
]
