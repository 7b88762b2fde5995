"""Models, rows, searches and proven optima of ``optimality.py``."""

import contextlib
import sys
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from ctsk import CounterfactualTrainedClassifier, NearestGenerator
from ctsk._columns.constraints import Box
from ctsk._explaining.request import Settings, make_request
from ctsk.datasets import fetch_adult
from ctsk.exceptions import ColumnKindWarning

_HERE = Path(__file__).parent
# Data, settings and stored models are those of the paper's questions.
sys.path.append(str(_HERE / "paper"))
import kept  # noqa: E402
from models import untrained  # noqa: E402
from protocol import recourse_constraints, split  # noqa: E402

# Name in the tables: name of the data set, and whether the constraints are those of recourse.
DATA = {
    "moons": ("moons", False),
    "circles": ("circles", False),
    "california": ("california_housing", False),
    "gmsc": ("gmsc", False),
    "credit_default": ("credit_default", False),
    "adult": ("adult", False),
    "adult_recourse": ("adult", True),
}
MODELS = ("BL", "CT")
# So many training rows suffice, and keep a fit to some seconds.
N_TRAINING = 10_000
# Prices of the distance to a prototype, beside the generator's default.
LAMBDAS = (0.1, 0.3, 1.0)
# Seconds for the proof of a row.
TIME_LIMIT = 10.0


def searches(*, with_lambdas=True, with_gradients=True):
    """Return the settings of `explain` for each search, by its name in the tables."""
    # The default search comes first, because its rows limit the programs.
    settings = {"nearest": {"generator": "nearest"}}
    for price in LAMBDAS if with_lambdas else ():
        settings[f"nearest {price:g}"] = {"generator": NearestGenerator(lambda_data=price)}
    if with_gradients:
        settings |= {"eccco": {"generator": "eccco"}, "generic": {"generator": "generic"}}
    return settings


def as_floats(X):
    """Return X with all numbers as float64, so that none is rounded to an integer."""
    if not hasattr(X, "select_dtypes"):
        return X
    return X.astype(dict.fromkeys(X.select_dtypes("number"), np.float64))


@contextlib.contextmanager
def one_thread():
    """Run torch and the linear algebra of NumPy on one thread."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(n_threads)


@kept.MODELS.cache
def trained(title, seed, variant, *, is_whole=False, **parameters):
    """Return a classifier with the paper's settings, trained on at most 10,000 rows.

    Parameters
    ----------
    title : str
        Key of `DATA`.
    seed : int
        Seed of the split, and of the training unless `parameters` has another one.
    variant : {"BL", "CT"}
    is_whole : bool, default=False
        Whether columns keep their integers, and the resolution of numbers is inferred.
    **parameters : dict
        Parameters of the classifier that override the settings.
    """
    name, has_recourse = DATA[title]
    X, y = split(name, seed).train
    constraints = recourse_constraints(X) if has_recourse else {}
    resolution = {"resolution": "auto"} if is_whole else {}
    clf = untrained(name, seed, variant, **{**constraints, **resolution, **parameters})
    X = X if is_whole else as_floats(X)
    # The paper takes codes for numbers, too.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ColumnKindWarning)
        return clf.fit(X[:N_TRAINING], y[:N_TRAINING])


@dataclass(frozen=True)
class Case:
    """A model and the test rows that are explained.

    Parameters
    ----------
    clf : CounterfactualTrainedClassifier
    second : CounterfactualTrainedClassifier
        The same settings, trained with another seed.
    X : DataFrame or ndarray
        Test rows that the model does not predict as their target.
    target : ndarray of shape (n_rows,)
    X_train, y_train : DataFrame or ndarray, ndarray
    """

    clf: CounterfactualTrainedClassifier
    second: CounterfactualTrainedClassifier
    X: object
    target: np.ndarray
    X_train: object
    y_train: np.ndarray

    @classmethod
    def of(cls, title, seed, variant, n_rows, *, is_whole=False, **parameters):
        """Return a case of at most `n_rows` rows; see `trained`."""
        name, has_recourse = DATA[title]
        data = split(name, seed)
        how = {"is_whole": is_whole, **parameters}
        clf = trained(title, seed, variant, **how)
        second = trained(title, seed, variant, **how, random_state=seed + 10_000)
        cast = (lambda X: X) if is_whole else as_floats
        X_train, X = cast(data.train[0]), cast(data.test[0])
        predictions = clf.predict(X)
        # For recourse, the rejected ask; otherwise each row asks for the other class.
        target = clf.classes_[(predictions == clf.classes_[0]).astype(int)]
        idx = np.random.default_rng([seed, 17]).permutation(len(X))
        if has_recourse:
            favorable = fetch_adult().favorable
            idx = idx[predictions[idx] != favorable]
        idx = idx[:n_rows]
        rows = X.iloc[idx].reset_index(drop=True) if hasattr(X, "iloc") else X[idx]
        y_train = data.train[1][:N_TRAINING]
        return cls(clf, second, rows, target[idx], X_train[:N_TRAINING], y_train)

    def head(self, n_rows):
        """Return the case of the first rows only."""
        return replace(self, X=self.X[:n_rows], target=self.target[:n_rows])

    def explain(self, settings, **others):
        """Return the explanation by a search, and its CPU seconds on one thread."""
        settings = {**settings, **others}
        with one_thread():
            start = time.process_time()
            explanation = self.clf.explain(self.X, self.target, **settings)
            return explanation, time.process_time() - start

    def observed(self, label):
        """Return the training rows of a class in module units."""
        return self.clf.encoder_.encode(self.X_train[self.y_train == label])

    def proven(self, n_jobs, **settings):
        """Return the explanation whose rows are proven to be the cheapest, as far as they are."""
        return self.clf.explain(
            self.X, self.target, prove=True, time_limit=TIME_LIMIT, n_jobs=n_jobs, **settings
        )

    def problem(self, *, tau, mutability=None):
        """Return the rows of the case as a search sees them."""
        request = make_request(
            self.clf._explainable(), self.X, self.target, Settings(tau=tau, mutability=mutability)
        )
        encoder = request.model.encoder
        columns = encoder.expand(request.rows.values)
        return Problem(
            request,
            encoder.to_module_units(columns),
            encoder.encode_box(request.constraints.box(columns)),
            encoder.encode_costs(request.feature_costs),
        )


@dataclass(frozen=True)
class Problem:
    """Rows in module units, with the bounds and the costs of their counterfactuals."""

    request: object
    factuals: np.ndarray
    box: Box
    costs: np.ndarray
