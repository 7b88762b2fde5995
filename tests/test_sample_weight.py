"""Weights of rows, through the public surface."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier
from sklearn.utils.estimator_checks import check_sample_weight_equivalence_on_dense_data

from ctsk import CounterfactualTrainedClassifier

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


def test_weight_equals_repetition_for_conventional_training_on_all_rows_at_once():
    """The check of scikit-learn, which shuffled minibatches cannot pass."""
    clf = CounterfactualTrainedClassifier(
        **CONVENTIONAL, optimizer="sgd", batch_size=10**6, max_epochs=5, random_state=0
    )
    check_sample_weight_equivalence_on_dense_data("CounterfactualTrainedClassifier", clf)
