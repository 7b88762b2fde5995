"""The models of ``fair.py``: conventional and counterfactual training, controls and rivals.

All are trained on the same rows of a data set and seed, for all epochs of the paper; only the
conventional model keeps its best epoch, by rows that it holds out of the training rows.
"""

import functools
import time

import kept
import rivals
from controls import CONTROLS, Method, scaled_objective, strongest
from models import settings_of_data
from protocol import PROTOCOLS, split
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import GridSearchCV

from ctsk import CounterfactualTrainedClassifier

# Enough rows to tell accuracies apart that differ by half a point.
N_VALIDATION = 3_000
# Patience of the conventional model. As many epochs as the training has, so that it never stops
# and keeps the best one.
N_EPOCHS = 100
REFERENCE = "conventional"
TREES = "boosted trees"
# Data sets with categories or gaps, for which the trees are not explained.
WITHOUT_TREES = ("adult", "heloc")
# Classes to which recourse leads, where it is not the last one.
FAVORABLE = {"credit default": 0, "GMSC": 0}
# Settings among which the judge is chosen, by cross-validation on training rows.
GRID_OF_JUDGE = {"learning_rate": [0.05, 0.15], "max_leaf_nodes": [7, 31]}


def _fixed(estimator, parameters):
    return Method(estimator, (1,), lambda strength, protocol: parameters)


def _recourse_aware(strength, protocol):
    return {"weight": strength, "favorable": FAVORABLE.get(protocol.title)}


def _weight(strength, protocol):
    return {"weight": strength}


_BEST_EPOCH = {**rivals.CONVENTIONAL, "early_stopping": True, "n_iter_no_change": N_EPOCHS}
MODELS = {
    REFERENCE: _fixed(CounterfactualTrainedClassifier, _BEST_EPOCH),
    "last epoch": _fixed(CounterfactualTrainedClassifier, rivals.CONVENTIONAL),
    "CT": Method(CounterfactualTrainedClassifier, (1,), scaled_objective),
    "CT 0.3": Method(CounterfactualTrainedClassifier, (0.3,), scaled_objective),
    **CONTROLS,
    "PGD": _fixed(rivals.PGDClassifier, {}),
    "TRADES": _fixed(rivals.TRADESClassifier, {}),
    "JEM": _fixed(rivals.JEMClassifier, {}),
    "augmented": _fixed(rivals.AugmentedClassifier, {}),
    # The authors compare weights up to 1.
    "recourse-aware": Method(rivals.RecourseAwareClassifier, (0.1, 0.3, 0.6, 1), _recourse_aware),
    "CounterNet": _fixed(rivals.CounterNetClassifier, {}),
    "counterfactual adversarial": _fixed(rivals.CounterfactualAdversarialClassifier, {}),
    "gradient supervision": Method(rivals.GradientSupervisionClassifier, (0.1, 0.3, 1), _weight),
    "deep ensemble": _fixed(rivals.DeepEnsembleClassifier, {}),
    TREES: _fixed(rivals.BoostedTreesClassifier, {}),
}


def rows_of(name, seed):
    """Return the rows and labels of a data set for each purpose."""
    return split(name, seed, n_validation=N_VALIDATION)


def untrained(name, seed, model, strength, step_size):
    """Return the classifier of a model with a strength."""
    method = MODELS[model]
    settings = settings_of_data(name, rows_of(name, seed).train[0], step_size)
    differing = method.parameters(strength, PROTOCOLS[name])
    return method.estimator(**{**settings, "random_state": seed, **differing})


@kept.MODELS.cache(settings=lambda *_: N_VALIDATION)
def fitted(name, seed, clf):
    """Return a fitted classifier, and the seconds of the processor that this took."""
    clf, start = clone(clf), time.process_time()
    clf.fit(*rows_of(name, seed).train)
    return clf, time.process_time() - start


@functools.lru_cache(maxsize=4)
def chosen(name, seed, model, step_size):
    """Return the classifier of a model with the strength that the validation rows choose.

    Returns
    -------
    clf : CounterfactualTrainedClassifier
        It is not fitted.
    strength : float
    is_within : bool
        Whether its validation accuracy is within half a point of that of the conventional model.
        True if there is nothing to choose.
    """
    grid, is_within = MODELS[model].grid, True
    strength = grid[0]
    if len(grid) > 1:
        reference = _validation_accuracy(name, seed, untrained(name, seed, REFERENCE, 1, step_size))
        strength, is_within = strongest(
            lambda s: _validation_accuracy(name, seed, untrained(name, seed, model, s, step_size)),
            grid,
            reference,
        )
    return untrained(name, seed, model, strength, step_size), strength, is_within


def _validation_accuracy(name, seed, clf):
    return fitted(name, seed, clf)[0].score(*rows_of(name, seed).validation)


def judges(name, seed, step_size):
    """Return the models that accept or reject the counterfactuals of other models, by measure.

    They know nothing of the explained model. The net is the conventional model with other initial
    weights, minibatches and held-out rows.
    """
    net = untrained(name, seed, REFERENCE, 1, step_size).set_params(random_state=seed + 10_000)
    return {"transfer": tuned_trees(name, seed), "transfer to net": fitted(name, seed, net)[0]}


@kept.MODELS.cache(settings=lambda *_: (N_VALIDATION, GRID_OF_JUDGE))
def tuned_trees(name, seed):
    """Return gradient-boosted trees that are tuned by cross-validation on training rows."""
    clf = HistGradientBoostingClassifier(
        categorical_features="from_dtype", early_stopping=True, max_iter=500, random_state=seed
    )
    search = GridSearchCV(clf, GRID_OF_JUDGE, scoring="neg_log_loss", cv=3)
    return search.fit(*rows_of(name, seed).train).best_estimator_
