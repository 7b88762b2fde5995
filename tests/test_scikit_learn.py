"""The estimator as a part of scikit-learn."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from ctsk import CounterfactualTrainedClassifier, ECCCoGenerator

STEP = "counterfactualtrainedclassifier"
FAST = {"max_epochs": 6, "lr": 0.01, "random_state": 0}


@pytest.fixture
def clf():
    return CounterfactualTrainedClassifier(generator=ECCCoGenerator(), **FAST)


@pytest.fixture
def pipeline(clf):
    return make_pipeline(StandardScaler(), clf).set_output(transform="pandas")


def test_grid_search_tunes_every_knob_through_a_pipeline(pipeline, diabetes):
    X, y = diabetes
    knobs = {
        "lambda_div": 0.1,
        "lambda_adv": 0.0,
        "lambda_reg": 0.5,
        "tau": 0.6,
        "T": 5,
        "generator__lambda_energy": 0.1,
    }
    grid = [{f"{STEP}__{name}": [value]} for name, value in knobs.items()]
    search = GridSearchCV(pipeline, grid, cv=2, scoring=["accuracy", "roc_auc"], refit="accuracy")
    search.fit(X, y)
    assert (search.cv_results_["mean_test_accuracy"] > 0.55).all()
    best = search.best_estimator_[-1]
    for name, value in search.best_params_.items():
        assert best.get_params()[name.removeprefix(f"{STEP}__")] == value
    # Every knob changes the model.
    assert len(set(search.cv_results_["mean_test_roc_auc"])) == len(knobs)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_parallel_grid_search_equals_a_serial_one(pipeline, diabetes, backend):
    grid = {f"{STEP}__lambda_reg": [0.01, 0.5], f"{STEP}__tau": [0.6, 0.8]}
    serial = GridSearchCV(pipeline, grid, cv=2, scoring="neg_log_loss").fit(*diabetes)
    with joblib.parallel_config(backend, n_jobs=2):
        parallel = GridSearchCV(pipeline, grid, cv=2, scoring="neg_log_loss").fit(*diabetes)
    np.testing.assert_allclose(
        parallel.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"], rtol=1e-6
    )


def test_halving_search_spends_epochs(clf, iris):
    search = HalvingGridSearchCV(
        clf,
        {"lambda_reg": [0.01, 0.05, 0.1, 0.5]},
        resource="max_epochs",
        min_resources=5,
        max_resources=20,
        factor=2,
        cv=2,
        random_state=0,
    ).fit(*iris)
    assert search.n_resources_ == [5, 10, 20]
    assert search.best_estimator_.n_iter_ == 20


def test_cross_validate_through_a_pipeline(pipeline, diabetes):
    scores = cross_validate(
        pipeline, *diabetes, cv=3, scoring=["accuracy", "roc_auc"], return_estimator=True
    )
    assert scores["test_roc_auc"].mean() > 0.7
    assert all(fitted[-1].feature_names_in_[2] == "bmi" for fitted in scores["estimator"])


def test_last_step_of_a_pipeline_takes_names_and_units_that_reach_it(clf, diabetes):
    X, y = diabetes
    clf.set_params(standardize=False, mutability={"age": "none"}, domain={"bmi": (0.0, 0.5)})
    pipeline = make_pipeline(MinMaxScaler(), clf).set_output(transform="pandas").fit(X, y)
    scaled = pipeline[0].transform(X.head(30))
    explanation = pipeline[-1].explain(scaled)
    assert isinstance(explanation.counterfactual, pd.DataFrame)
    assert_array_equal(explanation.counterfactual["age"], scaled["age"])
    assert (explanation.counterfactual["bmi"] <= scaled["bmi"].clip(lower=0.5)).all()


def test_calibration(clf, iris):
    X, y = iris
    calibrated = CalibratedClassifierCV(clf, cv=3).fit(X, y)
    np.testing.assert_allclose(calibrated.predict_proba(X).sum(axis=1), 1)
    assert calibrated.score(X, y) > 0.8


def test_clone_is_unfitted_and_fits_to_the_same_model(clf, iris):
    X, y = iris
    clf.set_params(mutability={0: "none"}, domain=[(0, 10)] * 4, class_weight={0: 2.0})
    proba = clf.fit(X, y).predict_proba(X)
    twin = clone(clf)
    assert not hasattr(twin, "net_")
    assert twin.get_params(deep=False).keys() == clf.get_params(deep=False).keys()
    assert_array_equal(twin.fit(X, y).predict_proba(X), proba)


@pytest.mark.parametrize("how", ["pickle", "joblib"])
def test_stored_estimator_predicts_explains_and_goes_on_training(clf, diabetes, tmp_path, how):
    X, y = diabetes
    clf.fit(X, y)
    if how == "pickle":
        stored = pickle.loads(pickle.dumps(clf))
    else:
        joblib.dump(clf, tmp_path / "clf.joblib")
        stored = joblib.load(tmp_path / "clf.joblib")
    assert_array_equal(stored.predict_proba(X), clf.predict_proba(X))
    ours, theirs = clf.explain(X.head(9)), stored.explain(X.head(9))
    pd.testing.assert_frame_equal(ours.counterfactual, theirs.counterfactual, check_exact=True)
    assert len(stored.history_) == len(clf.history_)
    assert stored.net_.module is stored.net_.module_
    # Random state and optimiser were stored, too.
    assert_array_equal(
        stored.partial_fit(X, y).predict_proba(X), clf.partial_fit(X, y).predict_proba(X)
    )


def test_explanation_can_be_pickled(clf, diabetes):
    explanation = clf.fit(*diabetes).explain(diabetes[0].head(5))
    stored = pickle.loads(pickle.dumps(explanation))
    assert repr(stored) == repr(explanation)
    assert_array_equal(stored.counterfactual_encoded, explanation.counterfactual_encoded)


def test_metadata_routing_does_not_get_in_the_way(clf, iris):
    import sklearn

    with sklearn.config_context(enable_metadata_routing=True):
        assert clf.fit(*iris).score(*iris) > 0.5
