"""The data, splits and settings of the paper, which all questions of this folder use.

Each seed has its own data (for synthetic sets), split and initial weights. Test rows are only used
for evaluation, and validation rows only to choose settings.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from ctsk import datasets

N_VALIDATION = 1_000
N_IMAGES = 10_000
N_SYNTHETIC = {"train": 3_000, "validation": 600, "test": 900}
_EDGE = 5 * 28
# Half the width of the paper's domain, in standard deviations.
_N_DEVIATIONS = 3


@dataclass(frozen=True)
class Protocol:
    """How models of a data set are trained and judged.

    Parameters
    ----------
    title : str
        Name of the data set in the paper's tables.
    load : callable
        Maps a seed, and the number of validation rows, to the rows and labels of (train,
        validation, test).
    tau, lambda_reg : float
        Parameters of the training, as the authors tuned them.
    protected : tuple
        Features that are immutable in the paper's experiments with protected features.
    n_rows : int
        Number of test rows that a round draws.
    training : dict
        Other parameters of the classifier.
    """

    title: str
    load: Callable
    tau: float
    lambda_reg: float
    protected: tuple
    n_rows: int
    training: dict


@dataclass(frozen=True)
class Split:
    """Rows and labels for each purpose, each as a pair (X, y)."""

    train: tuple
    validation: tuple
    test: tuple

    def __str__(self):
        """Return the number of rows for each purpose as text."""
        return ", ".join(f"{len(y):,} {part}" for part, (_, y) in vars(self).items())


def _synthetic(make):
    def load(seed, n_validation=N_SYNTHETIC["validation"]):
        n_rows = {**N_SYNTHETIC, "validation": n_validation}
        X, y = make(sum(n_rows.values()), random_state=seed)
        ends = np.cumsum([0, *n_rows.values()])
        return [(X[low:high], np.asarray(y[low:high])) for low, high in pairwise(ends)]

    return load


def _loan(n_samples, random_state):
    return datasets.make_loan(n_samples, random_state=random_state)


def _with_gaps_named(column):
    return column.cat.add_categories("missing").fillna("missing") if column.hasnans else column


def _as_numbers(column):
    return column.cat.codes.astype(int)


def _tabular(fetch, words=_with_gaps_named, **options):
    def load(seed, n_validation=N_VALIDATION):
        X, y = fetch(return_X_y=True, random_state=seed, **options)
        X = X.assign(**{name: words(X[name]) for name in X.select_dtypes("category")})
        X_rest, X_test, y_rest, y_test = train_test_split(X, y, test_size=0.2, random_state=seed)
        X_train, X_validation, y_train, y_validation = train_test_split(
            X_rest, y_rest, test_size=n_validation, random_state=seed
        )
        pairs = (X_train, y_train), (X_validation, y_validation), (X_test, y_test)
        return [(rows, labels.to_numpy()) for rows, labels in pairs]

    return load


def _images(seed, n_validation=N_VALIDATION):
    X, y = datasets.fetch_mnist(return_X_y=True)
    chosen = np.random.default_rng(seed).permutation(len(X))[: N_IMAGES + n_validation]
    train, validation = chosen[:N_IMAGES], chosen[N_IMAGES:]
    test = datasets.fetch_mnist(return_X_y=True, subset="test")
    return (X[train], y[train]), (X[validation], y[validation]), test


_LITTLE = {"batch_size": 30, "n_counterfactuals": 1_000, "standardize": False}
_MUCH = {"batch_size": 1_000, "n_counterfactuals": 5_000}
_IMAGE = {**_MUCH, "standardize": False, "domain": [(-1, 1)] * 784}
_TOP_AND_BOTTOM = (*range(_EDGE), *range(784 - _EDGE, 784))

SYNTHETIC = {
    "linearly_separable": Protocol(
        "linearly separable",
        _synthetic(datasets.make_linearly_separable),
        0.5,
        0.01,
        (0,),
        250,
        _LITTLE,
    ),
    "circles": Protocol(
        "circles", _synthetic(datasets.make_circles_like), 0.5, 0.5, (0,), 250, _LITTLE
    ),
    "moons": Protocol("moons", _synthetic(datasets.make_moons_like), 0.9, 0.25, (0,), 250, _LITTLE),
    "overlapping": Protocol(
        "overlapping", _synthetic(datasets.make_overlapping), 0.5, 0.25, (0,), 250, _LITTLE
    ),
}
TABULAR = {
    "adult": Protocol("Adult", _tabular(datasets.fetch_adult), 0.75, 0.25, ("age",), 100, _MUCH),
    "california_housing": Protocol(
        "California",
        _tabular(datasets.fetch_california_housing),
        0.5,
        0.25,
        ("house_age",),
        100,
        _MUCH,
    ),
    "credit_default": Protocol(
        "credit default",
        _tabular(datasets.fetch_credit_default, words=_as_numbers, balance=True),
        0.5,
        0.25,
        ("age",),
        100,
        _MUCH,
    ),
    "gmsc": Protocol(
        "GMSC",
        _tabular(datasets.fetch_gmsc, drop_missing=True, balance=True),
        0.5,
        0.5,
        ("age",),
        100,
        _MUCH,
    ),
}
IMAGES = {"mnist": Protocol("MNIST", _images, 0.5, 0.01, _TOP_AND_BOTTOM, 25, _IMAGE)}
LOAN = {
    "loan": Protocol("loan", _synthetic(_loan), 0.5, 0.1, ("age",), 250, {"hidden_layer_sizes": ()})
}
# Not among the data of the paper, whose settings for the other credit data it shares.
HELOC = {
    "heloc": Protocol(
        "HELOC",
        _tabular(datasets.fetch_heloc),
        0.5,
        0.25,
        ("external_risk_estimate",),
        100,
        _MUCH,
    )
}
PROTOCOLS = {**SYNTHETIC, **TABULAR, **IMAGES, **LOAN, **HELOC}


# Keys of stored results depend on the rows, so that each question reads them several times.
@lru_cache(maxsize=4)
def split(name, seed, **options):
    """Return the rows and labels of a data set for each purpose.

    Parameters
    ----------
    name : str
    seed : int
    **options : dict
        "n_validation", the number of validation rows, if it is not that of the paper's protocol.
    """
    return Split(*PROTOCOLS[name].load(seed, **options))


def recourse_constraints(X_train):
    """Return mutability and domain under which people of Adult could seek recourse.

    They are those of ``fetch_adult``, except that the rank of the education, which holds the
    same information as its name, is immutable, and that missing values cannot be reached.
    """
    advised = datasets.fetch_adult()
    known = {
        name: advised.data[name].cat.categories.tolist() for name in ("workclass", "occupation")
    }
    return {
        "mutability": {**advised.mutability, "education_num": "none"},
        "domain": {**three_sigma_domain(X_train), **advised.domain, **known},
    }


def three_sigma_domain(X):
    r"""Return the paper's domain of each numeric feature.

    Parameters
    ----------
    X : DataFrame or ndarray of shape (n_rows, n_features)
        Training rows.

    Returns
    -------
    domain : dict
        The pair (low, high) of each numeric feature, by its name or, in an array, by its index.
        Categorical features are not named, so that a classifier infers their domain.

    Notes
    -----
    The domain is :math:`[\min(\mu - 3\sigma, \min x), \max(\mu + 3\sigma, \max x)]`, cut at zero
    unless a row lies beyond, because many numbers, such as ages, cannot be negative.
    """
    numbers = pd.DataFrame(X).select_dtypes("number")
    # The last bits of a sum depend on the memory order. In this one, each column is contiguous.
    scaler = StandardScaler().fit(np.asfortranarray(numbers, dtype=np.float64))
    spread = _N_DEVIATIONS * np.sqrt(scaler.var_)
    least, most = numbers.min().to_numpy(), numbers.max().to_numpy()
    low = np.maximum(scaler.mean_ - spread, np.where(least >= 0, 0, -np.inf))
    high = np.minimum(scaler.mean_ + spread, np.where(most <= 0, 0, np.inf))
    # The observed range comes last, so that the domain always contains it.
    bounds = np.minimum(low, least).tolist(), np.maximum(high, most).tolist()
    return dict(zip(numbers.columns, zip(*bounds, strict=True), strict=True))
