"""Weights of rows, through the public surface."""

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from fairlearn import metrics, reductions
from sklearn.base import clone
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_sample_weight_equivalence_on_dense_data

from ctsk import CounterfactualTrainedClassifier
from ctsk._columns.validation import drop_rows_without_weight
from ctsk.metrics import make_multimetric_scorer, validity_scorer

CONVENTIONAL = {"lambda_div": 0.0, "lambda_adv": 0.0, "lambda_reg": 0.0}
FAST = {"max_epochs": 4, "lr": 0.01, "n_counterfactuals": 60, "random_state": 0}


def weights_of(clf):
    return torch.nn.utils.parameters_to_vector(clf.net_.module_.parameters()).detach()


@pytest.fixture
def rows(diabetes):
    X, y = diabetes
    return X.head(120), y.head(120)


@pytest.mark.parametrize("scale", [1.0, 0.01, 1e6])
def test_equal_weights_change_nothing(rows, scale):
    X, y = rows
    plain = CounterfactualTrainedClassifier(**FAST).fit(X, y)
    weighted = CounterfactualTrainedClassifier(**FAST).fit(X, y, np.full(len(y), scale))
    assert torch.equal(weights_of(plain), weights_of(weighted))


def test_only_the_ratios_of_weights_matter(rows):
    X, y = rows
    weights = np.random.default_rng(0).uniform(0.5, 2, len(y))
    fits = [CounterfactualTrainedClassifier(**FAST).fit(X, y, k * weights) for k in (1, 8)]
    assert torch.equal(*map(weights_of, fits))


def test_row_of_weight_zero_is_left_out_with_all_that_it_alone_has(rows):
    X, y = rows
    X = X.assign(group=pd.Categorical(["a", "b"] * 60)).astype({"group": object})
    extreme = X.head(3).assign(bmi=1e6, group="only here")
    weights = np.r_[np.ones(120), np.zeros(3)]
    clf = CounterfactualTrainedClassifier(**FAST).fit(
        pd.concat([X, extreme]), pd.concat([y, y.head(3)]), weights
    )
    plain = CounterfactualTrainedClassifier(**FAST).fit(X, y)
    assert torch.equal(weights_of(clf), weights_of(plain))
    np.testing.assert_array_equal(clf.encoder_.center, plain.encoder_.center)
    assert list(clf.encoder_.schema.categories[10].values) == ["a", "b"]


def test_scales_are_those_of_the_weighted_rows(rows):
    X, y = rows
    weights = np.random.default_rng(0).uniform(0, 2, len(y))
    encoder = CounterfactualTrainedClassifier(**FAST).fit(X, y, weights).encoder_
    mean = np.average(X, axis=0, weights=weights)
    deviation = np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weights))
    np.testing.assert_allclose(encoder.center, mean)
    np.testing.assert_allclose(encoder.scale, deviation)


@pytest.mark.parametrize("parameters", [CONVENTIONAL, {}], ids=["BL", "CT"])
def test_heavy_class_is_predicted_more_often(rows, parameters):
    X, y = rows
    shares = []
    for weight in (0.2, 1, 5):
        weights = np.where(y == "fast", weight, 1.0)
        clf = CounterfactualTrainedClassifier(**parameters, **FAST).fit(X, y, weights)
        shares.append((clf.predict(X) == "fast").mean())
    assert shares[0] < shares[1] < shares[2]


def test_partial_fit_takes_weights(rows):
    X, y = rows
    weights = np.where(y == "fast", 5.0, 1.0)
    clf, plain = (CounterfactualTrainedClassifier(**FAST) for _ in range(2))
    for _ in range(4):
        clf.partial_fit(X, y, classes=["fast", "slow"], sample_weight=weights)
        plain.partial_fit(X, y, classes=["fast", "slow"])
    assert (clf.predict(X) == "fast").mean() > (plain.predict(X) == "fast").mean()
    assert clf.net_.sample_weight is None


def test_held_out_rows_are_weighted_in_the_loss_that_is_monitored(rows):
    X, y = rows
    weights = np.where(y == "fast", 9.0, 1.0)
    records = [
        CounterfactualTrainedClassifier(**FAST, early_stopping=True, validation_fraction=0.4)
        .fit(X, y, sample_weight)
        .history_[0]["valid_loss"]
        for sample_weight in (None, weights)
    ]
    assert records[0] != pytest.approx(records[1], rel=0.02)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros(120), "[Ss]ample.weight.*zero"),
        (np.full(120, -1.0), "[Nn]egative"),
        (np.full(120, np.nan), "NaN"),
        (np.ones(7), "inconsistent numbers of samples"),
        (np.ones((120, 2)), "1D"),
    ],
    ids=["zero", "negative", "missing", "too few", "two columns"],
)
def test_invalid_weights_are_an_error_and_nothing_is_fitted(rows, weights, message):
    clf = CounterfactualTrainedClassifier(**FAST)
    with pytest.raises(ValueError, match=message):
        clf.fit(*rows, weights)
    assert not hasattr(clf, "net_")


def test_boosting_and_bagging_pass_their_weights(rows):
    X, y = rows
    base = CounterfactualTrainedClassifier(**CONVENTIONAL, **FAST)
    for ensemble in (AdaBoostClassifier(base, n_estimators=2), BaggingClassifier(base, 2)):
        assert ensemble.set_params(random_state=0).fit(X, y).score(X, y) > 0.5


def test_second_model_of_a_boosting_is_fitted_with_the_weights_of_samme(rows):
    X, y = rows[0].to_numpy(), rows[1]
    base = CounterfactualTrainedClassifier(**FAST)
    boosting = AdaBoostClassifier(base, n_estimators=2, random_state=0).fit(X, y)
    first, second = boosting.estimators_
    # Two classes, all weights 1/n before the first model: each row that it misclassifies counts
    # (1 - error) / error times as much afterward.
    is_wrong = first.predict(X) != y
    odds = (1 - is_wrong.mean()) / is_wrong.mean()
    expected = clone(second).fit(X, y, np.where(is_wrong, odds, 1.0))
    assert 0 < is_wrong.mean() < 0.5
    np.testing.assert_allclose(second.predict_proba(X), expected.predict_proba(X), rtol=1e-4)


# fairlearn 0.15 uses features that pandas 3.1 deprecates.
@pytest.mark.filterwarnings("ignore:Setting an? (value|item) ")
@pytest.mark.parametrize("parameters", [CONVENTIONAL, {}], ids=["BL", "CT"])
def test_reduction_of_fairlearn_lowers_the_disparity_of_a_classifier(parameters):
    rng = np.random.default_rng(0)
    group = rng.random(200) < 0.5
    merit = rng.normal(size=200) + group
    X = pd.DataFrame({"merit": merit, "group": group})
    y = (merit + 0.3 * rng.normal(size=200) > 0.5).astype(int)
    clf = CounterfactualTrainedClassifier(**parameters, **FAST | {"lr": 0.05})
    mixture = reductions.ExponentiatedGradient(clf, reductions.DemographicParity(), max_iter=5)
    mixture.fit(X, y, sensitive_features=group)
    # A mixture draws one of its classifiers for each row.
    mitigated, plain = mixture.predict(X, random_state=0), clf.fit(X, y).predict(X)
    disparity, expected = (
        metrics.demographic_parity_difference(y, predictions, sensitive_features=group)
        for predictions in (mitigated, plain)
    )
    assert disparity < 0.1 < 0.4 < expected
    assert (mitigated == y).mean() > 0.75


def test_grid_search_routes_weights_to_fits_and_scorers(rows):
    X, y = rows
    weights = np.where(y == "fast", 5.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        scoring = make_multimetric_scorer(
            {
                "accuracy": get_scorer("accuracy").set_score_request(sample_weight=True),
                "validity": validity_scorer.set_score_request(sample_weight=True),
                "plain": validity_scorer.set_score_request(sample_weight=False),
            }
        )
        clf = CounterfactualTrainedClassifier(**FAST).set_fit_request(sample_weight=True)
        search = GridSearchCV(clf, {"lambda_reg": [0.1, 0.5]}, scoring=scoring, refit="accuracy")
        split = np.arange(120) < 60
        search.set_params(cv=[(np.flatnonzero(split), np.flatnonzero(~split))])
        search.fit(X, y, sample_weight=weights)
    for lambda_reg, accuracy, validity, plain in zip(
        [0.1, 0.5],
        *(search.cv_results_[f"mean_test_{name}"] for name in ("accuracy", "validity", "plain")),
        strict=True,
    ):
        fitted = CounterfactualTrainedClassifier(lambda_reg=lambda_reg, **FAST)
        fitted.fit(X[split], y[split], weights[split])
        test = (X[~split], y[~split], weights[~split])
        assert accuracy == pytest.approx(fitted.score(*test))
        assert validity == pytest.approx(validity_scorer(fitted, *test[:2], sample_weight=test[2]))
        assert plain == pytest.approx(validity_scorer(fitted, *test[:2]))
    best = CounterfactualTrainedClassifier(**search.best_params_, **FAST).fit(X, y, weights)
    assert torch.equal(weights_of(search.best_estimator_), weights_of(best))


def test_pipeline_routes_weights_to_the_classifier(rows):
    X, y = rows
    weights = np.where(y == "fast", 5.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        clf = CounterfactualTrainedClassifier(**FAST)
        clf.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pipeline = make_pipeline(scaler, clf).fit(X, y, sample_weight=weights)
        score = pipeline.score(X, y, sample_weight=weights)
    scaled = StandardScaler().fit_transform(X)
    alone = CounterfactualTrainedClassifier(**FAST).fit(scaled, y, weights)
    assert torch.equal(weights_of(pipeline[-1]), weights_of(alone))
    assert score == pytest.approx(alone.score(scaled, y, weights))


def test_weight_equals_repetition_for_conventional_training_on_all_rows_at_once():
    """The check of scikit-learn, which shuffled minibatches cannot pass."""
    clf = CounterfactualTrainedClassifier(
        **CONVENTIONAL, optimizer="sgd", batch_size=10**6, max_epochs=5, random_state=0
    )
    check_sample_weight_equivalence_on_dense_data("CounterfactualTrainedClassifier", clf)


def test_the_scale_of_weights_is_arbitrary_up_to_the_largest_floats():
    X, y, weights = np.zeros((3, 1)), np.array([0, 1, 1]), np.array([1.0, 2, 3])
    expected = drop_rows_without_weight(X, y, weights)[2]
    with np.errstate(all="raise"):
        for scale in (2.0**1021, 2.0**-1000):
            scaled = drop_rows_without_weight(X, y, weights * scale)[2]
            np.testing.assert_array_equal(scaled, expected)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ("balanced", "cannot be converted to numbers.*one nonnegative number for each row"),
        (["a", "b"], "cannot be converted to numbers"),
        (2.0, "is 2.0; pass one nonnegative number for each row"),
        (np.ma.masked_array([1.0, 2.0], mask=[True, False]), "is a masked array"),
        (np.array(["2020", "2021"], dtype="datetime64[Y]"), "has dtype datetime64"),
    ],
    ids=["word", "words", "number", "masked", "dates"],
)
def test_weights_that_are_no_numbers_are_rejected_by_name(weights, message):
    with pytest.raises(ValueError, match=f"sample_weight {message}"):
        drop_rows_without_weight(np.zeros((2, 1)), [0, 1], weights)
