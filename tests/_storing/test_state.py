import copy
import io
import pickle
from functools import partial

import cloudpickle
import joblib
import numpy as np
import pytest
import torch
from skorch.callbacks import EpochScoring, LRScheduler

import ctsk
from ctsk import CounterfactualTrainedClassifier, GradientGenerator
from ctsk._storing.state import FITTED
from ctsk.exceptions import OtherVersionWarning

# Settings that change what an estimator keeps of its training.
SETTINGS = {
    "default": {},
    "dropout and sgd": {"dropout": 0.2, "optimizer": "sgd", "weight_decay": 0.1, "tau": 0.4},
    "cosine and early stopping": {"lr_schedule": "cosine", "early_stopping": True},
    "linear": {"hidden_layer_sizes": ()},
    "deep": {"hidden_layer_sizes": (8, 4), "activation": "tanh", "tau": 0.4},
    "class weights": {"class_weight": {0: 1, 1: 2, 2: 1}, "label_smoothing": 0.1},
    "generic": {"generator": "generic"},
    "progress": {"verbose": 1},
    "quantile": {"standardize": "quantile"},
}


def by_joblib(clf):
    file = io.BytesIO()
    joblib.dump(clf, file)
    file.seek(0)
    return joblib.load(file)


COPIES = {
    "pickle": lambda clf: pickle.loads(pickle.dumps(clf)),
    "joblib": by_joblib,
    "cloudpickle": lambda clf: cloudpickle.loads(cloudpickle.dumps(clf)),
    "deepcopy": copy.deepcopy,
    "copy": copy.copy,
}


class Shift(torch.nn.Module):
    """A module with a buffer that counts its training steps, and with chance of its own."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.linear = torch.nn.Linear(n_features, n_classes)
        self.dropout = torch.nn.Dropout(0.3)
        self.norm = torch.nn.BatchNorm1d(n_features)

    def forward(self, rows):
        return self.linear(self.dropout(self.norm(rows)))


class Squared(GradientGenerator):
    """A generator that learns a center."""

    def __init__(self, step_size=0.25):
        self.step_size = step_size

    def learn(self, reference):
        self.center_ = reference.rows.mean(dim=0)
        return self

    def penalty(self, step):
        return 0.01 * (step.rows - self.center_).square().sum(dim=1)


def fit(iris, **settings):
    settings = {"max_epochs": 3, "lr": 0.02, "random_state": 0, **settings}
    return CounterfactualTrainedClassifier(**settings).fit(*iris)


def plain_types(value):
    """Return the types of all objects in nested dicts, lists and tuples."""
    if isinstance(value, dict):
        return set().union(*(plain_types(part) for pair in value.items() for part in pair))
    if isinstance(value, list | tuple):
        return set().union(set(), *map(plain_types, value))
    if isinstance(value, np.ndarray):
        assert value.dtype != object
    return {type(value)}


def assert_goes_on_alike(clf, other, iris):
    """Assert that further training of two estimators ends with equal bits."""
    for estimator in (clf, other):
        estimator.partial_fit(*iris)
        estimator.set_params(warm_start=True, max_epochs=2).fit(*iris)
    assert np.array_equal(clf.predict_proba(iris[0]), other.predict_proba(iris[0]))
    # As text, missing terms are equal.
    assert repr(other.history_) == repr(clf.history_)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_fitted_objects_are_stored_as_names_numbers_and_arrays(iris, settings):
    state = fit(iris, **settings).__getstate__()
    assert not {"net_", "encoder_", "constraints_", "explainer_"} & set(state)
    assert state[FITTED].pop("users_parts") == {}
    plain = {str, bool, int, float, type(None), np.ndarray}
    assert plain_types(state[FITTED]) <= plain


def test_fitted_objects_of_every_kind_of_column_are_plain(fitted_loans):
    plain = {str, bool, int, float, type(None), np.ndarray}
    state = fitted_loans.__getstate__()[FITTED]
    assert plain_types(state) <= plain


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_explains_with_equal_bits(fitted_loans, loans, copied):
    other, X = copied(fitted_loans), loans[0].head(6)
    assert np.array_equal(other.predict_proba(X), fitted_loans.predict_proba(X))
    for generator in ("nearest", None):
        explanation = fitted_loans.explain(X, generator=generator)
        of_other = other.explain(X, generator=generator)
        assert of_other.counterfactual.equals(explanation.counterfactual)
        assert np.array_equal(of_other.cost, explanation.cost)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_a_stored_estimator_goes_on_training_with_equal_bits(iris, settings):
    clf = fit(iris, **settings)
    assert_goes_on_alike(clf, pickle.loads(pickle.dumps(clf)), iris)


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_training_of_a_copy_leaves_the_estimator_alone(iris, copied):
    clf = fit(iris, module=Shift)
    expected = clf.predict_proba(iris[0])
    copied(clf).partial_fit(*iris)
    assert np.array_equal(clf.predict_proba(iris[0]), expected)
    assert clf.n_iter_ == 3


def test_objects_of_a_user_go_on_training_with_equal_bits(iris):
    clf = fit(
        iris,
        module=Shift,
        optimizer=partial(torch.optim.SGD, momentum=0.9),
        generator=Squared(),
        callbacks=[LRScheduler(policy="ExponentialLR", gamma=0.9), EpochScoring("accuracy")],
    )
    state = clf.__getstate__()[FITTED]
    parts = state.pop("users_parts")
    assert set(parts) == {"module", "optimizer", "generator", "callbacks"}
    # Everything else is as plain as in other estimators.
    assert torch.nn.Module not in {kind.__mro__[-2] for kind in plain_types(state)}
    other = pickle.loads(pickle.dumps(clf))
    assert other.net_.callbacks_[1][1].best_score_ == clf.net_.callbacks_[1][1].best_score_
    assert_goes_on_alike(clf, other, iris)


def test_a_frozen_layer_stays_frozen(iris):
    clf = fit(iris)
    clf.net_.module_[0].weight.requires_grad_(False)
    other = pickle.loads(pickle.dumps(clf))
    assert not other.net_.module_[0].weight.requires_grad
    assert other.net_.module_[0].bias.requires_grad


def test_a_perceptron_that_was_changed_is_stored_as_it_is(iris):
    clf = fit(iris)
    clf.net_.module_[1] = torch.nn.GELU()
    other = pickle.loads(pickle.dumps(clf))
    assert isinstance(other.net_.module_[1], torch.nn.GELU)
    assert np.array_equal(other.predict_proba(iris[0]), clf.predict_proba(iris[0]))


def test_parameters_that_were_set_after_the_fit_do_not_change_what_is_fitted(iris):
    clf = fit(iris)
    expected = clf.predict_proba(iris[0])
    clf.set_params(hidden_layer_sizes=(7,), activation="tanh", optimizer="sgd", dropout=0.1)
    other = pickle.loads(pickle.dumps(clf))
    assert np.array_equal(other.predict_proba(iris[0]), expected)
    assert other.hidden_layer_sizes == (7,)
    assert_goes_on_alike(clf, other, iris)


def test_an_estimator_on_an_absent_device_is_loaded_on_the_cpu(iris):
    state = fit(iris).__getstate__()
    state[FITTED]["net"]["device"] = "cuda:77"
    other = CounterfactualTrainedClassifier()
    with pytest.warns(UserWarning, match="device 'cuda:77', which is unavailable"):
        other.__setstate__(state)
    assert other.net_.module_[0].weight.device.type == "cpu"


def test_an_estimator_that_is_loaded_in_inference_mode_can_be_trained(iris):
    stored = pickle.dumps(fit(iris))
    with torch.inference_mode():
        clf = pickle.loads(stored)
    clf.partial_fit(*iris)
    assert clf.n_iter_ == 4


def test_read_only_memory_of_joblib_is_copied(iris, tmp_path):
    clf = fit(iris)
    joblib.dump(clf, tmp_path / "clf.joblib")
    other = joblib.load(tmp_path / "clf.joblib", mmap_mode="r")
    assert_goes_on_alike(clf, other, iris)


def test_an_unfitted_estimator_is_its_parameters():
    clf = CounterfactualTrainedClassifier(T=7)
    assert pickle.loads(pickle.dumps(clf)).get_params() == clf.get_params()


def test_skops_trusts_our_classes_alone_and_unpickles_nothing(fitted_loans, loans, monkeypatch):
    skops = pytest.importorskip("skops.io")
    stored = skops.dumps(fitted_loans)
    trusted = skops.get_untrusted_types(data=stored)
    assert trusted == ["ctsk._classifier.CounterfactualTrainedClassifier"]

    def refuse(*args, **kwargs):
        raise AssertionError("A file was unpickled.")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)
    monkeypatch.setattr(torch, "load", refuse)
    other = skops.loads(stored, trusted=trusted)
    assert np.array_equal(other.predict_proba(loans[0]), fitted_loans.predict_proba(loans[0]))


@pytest.mark.parametrize("is_fitted", [False, True])
@pytest.mark.parametrize("version", ["0.0.1", None])
def test_a_pickle_of_another_version_warns_and_is_unpickled(fitted_iris, is_fitted, version):
    clf = fitted_iris if is_fitted else CounterfactualTrainedClassifier()
    state = clf.__getstate__()
    assert state.pop("ctsk_version") == ctsk.__version__
    if version is not None:
        state["ctsk_version"] = version
    other = CounterfactualTrainedClassifier.__new__(CounterfactualTrainedClassifier)
    with pytest.warns(OtherVersionWarning, match=version or "an unknown version") as caught:
        other.__setstate__(state)
    assert caught[0].filename == __file__
    assert vars(other).keys() == vars(clf).keys()


def test_a_pickle_of_this_version_does_not_warn_and_keeps_no_version(fitted_iris):
    copied = pickle.loads(pickle.dumps(fitted_iris))
    assert vars(copied).keys() == vars(fitted_iris).keys()
