"""The question of the fair page: its rows, its measurements, and its table."""

from types import SimpleNamespace

import equal_cost
import fair
import fair_models
import kept
import numpy as np
import pandas as pd
import pytest
from protocol import PROTOCOLS
from scipy.spatial.distance import cdist

from ctsk import CounterfactualTrainedClassifier

TAUS = (0.6, 0.75, 0.9, 0.95)


@pytest.fixture(scope="module", autouse=True)
def small(tmp_path_factory):
    """Explain few rows of models that are trained for few epochs, and store them elsewhere."""
    models = kept.Store(tmp_path_factory.mktemp("models"))
    short = {"max_epochs": 3, "n_iter_no_change": 3, "lr": 0.03}
    untrained = fair_models.untrained
    with pytest.MonkeyPatch.context() as patch:
        for module, name in (
            (fair_models, "fitted"),
            (fair_models, "tuned_trees"),
            (fair, "curves_of"),
        ):
            patch.setattr(getattr(module, name), "store", models)
        patch.setattr(fair_models, "untrained", lambda *args: untrained(*args).set_params(**short))
        patch.setattr(fair, "N_EXPLAINED", 12)
        patch.setattr(fair, "N_PROVEN", 2)
        patch.setattr(fair, "TAUS", TAUS)
        patch.setattr(equal_cost, "TAUS", TAUS)
        fair_models.chosen.cache_clear()
        yield
    fair_models.chosen.cache_clear()


def test_validation_rows_are_many_and_disjoint_from_the_others():
    rows = fair_models.rows_of("moons", 0)
    parts = [{tuple(row) for row in X} for X, _ in (rows.train, rows.validation, rows.test)]
    assert [len(part) for part in parts] == [3_000, 3_000, 900]
    assert len(set.union(*parts)) == 6_900


def test_rows_are_explained_toward_another_label_and_are_the_same_for_all_models():
    X, targets = fair.explained_rows("moons", 0)
    test, labels = fair_models.rows_of("moons", 0).test
    label_of = {tuple(row): label for row, label in zip(test, labels, strict=True)}
    found = np.array([label_of[tuple(row)] for row in X])
    assert np.bincount(found).tolist() == [12, 12]
    assert (targets == 1 - found).all()
    np.testing.assert_array_equal(X, fair.explained_rows("moons", 0)[0])


def test_the_conventional_model_is_compared_with_itself_without_a_gain():
    records = pd.DataFrame(fair.outcome("moons", 0, 100, 0.1, "conventional"))
    assert len(records) == 24
    assert set(records["search"]) == {"nearest", "ECCCo"}
    known = records.dropna(subset="gain")
    # The cost of the conventional model is one of its own points.
    np.testing.assert_allclose(known["gain"], 0, atol=1e-6)
    assert len(known) >= 20


def test_tables_with_categories_have_no_trees():
    assert fair.outcome("adult", 0, 100, 0.1, "boosted trees") == []


def test_measurements_are_those_of_the_definition():
    clf = fair_models.untrained("moons", 0, "last epoch", 1, 0.1)
    curve = fair.curves_of("moons", 0, clf, 0.1)["nearest"]
    fitted, _ = fair_models.fitted("moons", 0, clf)
    X, targets = fair.explained_rows("moons", 0)
    explanation = fitted.explain(X, targets, tau=0.9)
    position = TAUS.index(0.9)
    train, y = fair_models.rows_of("moons", 0).train
    is_found = (fitted.predict(X) != targets) & (
        fitted.predict_proba(explanation.counterfactual)[np.arange(len(X)), targets] >= 0.9
    )
    assert (curve.is_found[position] == is_found).all() and is_found.any()
    np.testing.assert_allclose(curve.cost[position], explanation.cost)
    for label in (0, 1):
        mine = targets == label
        distances = cdist(explanation.counterfactual[mine], train[y == label], "cityblock")
        nearest = np.sort(distances, axis=1)[:, :5].mean(axis=1)
        np.testing.assert_allclose(curve.values["IP5"][position, mine], nearest, rtol=1e-4)
        np.testing.assert_allclose(curve.values["IP"][position, mine], distances.mean(axis=1))
    for measure, judge in fair_models.judges("moons", 0, 0.1).items():
        accepted = judge.predict(explanation.counterfactual) == targets
        assert (curve.values[measure][position] == accepted).all()
    ratios = curve.values["cost / optimum"][position]
    assert 0 < (~np.isnan(ratios)).sum() <= 4
    assert np.nanmin(ratios) >= 1 - 1e-3


def test_the_discrepancy_compares_counterfactuals_with_rows_of_their_targets():
    random = np.random.default_rng(0)
    observed = {0: random.normal(size=(200, 2)), 1: random.normal(size=(200, 2)) + 3}
    targets = np.repeat([0, 1], 30)
    rows = np.arange(60)

    def of(shift):
        encoded = random.normal(size=(60, 2)) + shift * targets[:, None]
        curve = SimpleNamespace(encoded=encoded[None])
        return fair.discrepancy(curve, 0, rows, targets, observed)

    assert of(3) < 0.05 < 0.3 < of(0)
    assert np.isnan(fair.discrepancy(None, 0, rows[:1], targets, observed))


def test_judges_are_good_and_the_net_is_another_one_than_the_explained_model():
    trees, net = fair_models.judges("moons", 0, 0.1).values()
    X, y = fair_models.rows_of("moons", 0).test
    assert trees.score(X, y) > 0.95
    clf, *_ = fair_models.chosen("moons", 0, "conventional", 0.1)
    explained, _ = fair_models.fitted("moons", 0, clf)
    assert net.score(X, y) > 0.8
    assert np.abs(net.predict_proba(X) - explained.predict_proba(X)).max() > 0.01


def test_strengths_are_chosen_on_validation_rows(monkeypatch):
    fair_models.chosen.cache_clear()
    accuracies = {0.3: 0.80, 0.1: 0.85, 0.03: 0.895, 0.01: 0.9, 0.003: 0.9}
    seen = []

    def accuracy_of(name, seed, clf):
        if "strength" not in clf.get_params():
            return 0.9
        seen.append(clf.strength)
        return accuracies[clf.strength]

    monkeypatch.setattr(fair_models, "_validation_accuracy", accuracy_of)
    clf, strength, is_within = fair_models.chosen("moons", 0, "logit penalty", 0.1)
    assert (clf.strength, strength, is_within) == (0.03, 0.03, True)
    assert seen == [0.3, 0.1, 0.03]
    fair_models.chosen.cache_clear()


def test_counterfactual_training_has_the_weights_of_the_paper_times_its_strength():
    for model, strength in (("CT", 1), ("CT 0.3", 0.3)):
        clf, *_ = fair_models.chosen("circles", 0, model, 0.1)
        expected = [0.5 * strength, 0.25 * strength, 0.5 * strength]
        assert [clf.lambda_div, clf.lambda_adv, clf.lambda_reg] == pytest.approx(expected)
        assert (clf.weight_decay, clf.early_stopping) == (0, False)


@pytest.mark.parametrize("model", fair_models.MODELS)
def test_every_model_is_constructed_for_every_data_set(model, monkeypatch):
    rows = SimpleNamespace(train=(np.zeros((3, 2)), None))
    monkeypatch.setattr(fair_models, "rows_of", lambda name, seed: rows)
    for name in PROTOCOLS:
        method = fair_models.MODELS[model]
        clf = fair_models.untrained(name, 0, model, method.grid[0], 0.1)
        assert isinstance(clf, CounterfactualTrainedClassifier)
        assert clf.random_state == 0


def test_recourse_leads_to_the_favorable_class(monkeypatch):
    rows = SimpleNamespace(train=(np.zeros((3, 2)), None))
    monkeypatch.setattr(fair_models, "rows_of", lambda name, seed: rows)
    favorable = {
        name: fair_models.untrained(name, 0, "recourse-aware", 1, 0.1).favorable
        for name in ("gmsc", "credit_default", "adult")
    }
    assert favorable == {"gmsc": 0, "credit_default": 0, "adult": None}


def test_the_table_counts_empty_cells_and_averages_the_others():
    known = {"data": "moons", "model": "CT", "search": "nearest", "tau": 0.9, "measure": "IP5"}
    known |= {"accuracy": 0.9, "log loss": 0.2, "strength": 1, "seconds": 3, "within": True}
    gains = [3.0, np.nan, 5.0]
    by_seed = pd.DataFrame(
        {**known, "seed": seed, "gain": value, "conventional": 1.0, "other": 1 - value / 100}
        for seed, value in enumerate(gains)
    )
    (line,) = fair.table(by_seed, "").to_dict("records")
    assert (line["gain"], line["seeds"], line["empty"]) == (4, 3, 1)
    # 12.7062 is the 97.5 % point of t with one degree of freedom.
    reach = 12.7062 * np.std([3, 5], ddof=1) / np.sqrt(2)
    assert (line["from"], line["to"]) == pytest.approx((4 - reach, 4 + reach), rel=1e-4)
    assert line["other"] == pytest.approx(0.96)


def test_a_stored_outcome_goes_by_the_settings_of_its_model(monkeypatch):
    call = "moons", 0, 100, 0.1, "logit penalty"
    before = kept.OUTCOMES.cache(fair.outcome, settings=fair.settings_of_outcome).path(*call)
    method = fair_models.MODELS["logit penalty"]
    fewer = fair_models.Method(method.estimator, method.grid[1:], method.parameters)
    monkeypatch.setitem(fair_models.MODELS, "logit penalty", fewer)
    after = kept.OUTCOMES.cache(fair.outcome, settings=fair.settings_of_outcome).path(*call)
    assert before != after
