import bare_loop
import numpy as np
import pytest
import torch
from plain_training import ALL_EPOCHS
from rivals import UnmaskedClassifier
from sklearn.datasets import make_classification
from sklearn.utils import check_random_state

from ctsk import CounterfactualTrainedClassifier, ECCCoGenerator, GenericGenerator
from ctsk.exceptions import NonFiniteLossError


@pytest.mark.parametrize(
    ("n_classes", "batch_size", "n_counterfactuals"),
    [(2, 30, 100), (3, 64, 300), (2, 30, 5)],
    ids=["binary", "multi-class, all rows drawn", "fewer tuples than minibatches"],
)
def test_fit_ends_at_the_weights_of_a_bare_loop(n_classes, batch_size, n_counterfactuals):
    X, y = make_classification(300, 6, n_informative=4, n_classes=n_classes, random_state=0)
    clf = CounterfactualTrainedClassifier(
        max_epochs=3,
        batch_size=batch_size,
        n_counterfactuals=n_counterfactuals,
        random_state=0,
        **ALL_EPOCHS,
    ).fit(X, y)
    encoder = clf.encoder_
    low, high = (
        torch.as_tensor(encoder.to_module_units(bound)).float() for bound in encoder.domain
    )
    model, losses = bare_loop.train(
        torch.as_tensor(encoder.encode(X)).float(),
        torch.as_tensor(y),
        low=low,
        high=high,
        epochs=3,
        batch_size=batch_size,
        n_counterfactuals=n_counterfactuals,
        seed=int(check_random_state(0).randint(2**31 - 1)),
    )
    for ours, theirs in zip(clf.net_.module_.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
    assert clf.history_[:, "train_loss"] == pytest.approx(losses, rel=1e-4)


def sensitivity(estimator, seed):
    """Weight of an immutable feature relative to a mutable one, in a linear model."""
    rng = np.random.default_rng(seed)
    y = np.repeat([0, 1], 150)
    X = rng.normal(size=(300, 2)) + np.where(y[:, None] == 1, 1.0, -1.0)
    clf = estimator(
        (),
        lambda_adv=0,
        mutability=["none", "both"],
        max_epochs=10,
        lr=0.025,
        random_state=seed,
        **ALL_EPOCHS,
    ).fit(X, y)
    weights = clf.net_.module_[0].weight.detach()
    immutable, mutable = (weights[1] - weights[0]).abs().tolist()
    return immutable / mutable


@pytest.mark.parametrize("seed", range(8))
def test_protection_lowers_the_sensitivity_to_an_immutable_feature(seed):
    """Proposition III.1 of the paper, read exactly: with the masking against without."""
    masked = sensitivity(CounterfactualTrainedClassifier, seed)
    assert masked < sensitivity(UnmaskedClassifier, seed)


def test_fit_that_fails_leaves_the_generator_and_all_settings_of_the_net(iris):
    clf = CounterfactualTrainedClassifier(max_epochs=2, warm_start=True, random_state=0).fit(*iris)
    generator, before = clf.generator_, clf.explain(iris[0][:9])
    clf.set_params(generator=GenericGenerator(lambda_cost=0.5), lr=1e38)
    with pytest.raises(NonFiniteLossError):
        clf.fit(*iris)
    assert clf.generator_ is generator
    assert clf.net_.lr == 1e-3
    np.testing.assert_array_equal(clf.explain(iris[0][:9]).counterfactual, before.counterfactual)


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({0: np.nan, 1: 1, 2: 1}, "class_weight must .* is nan for class 0"),
        ({0: 1, 1: np.inf, 2: 1}, "class_weight must .* is inf for class 1"),
        ({0: 1, 1: 1, 2: -1}, "class_weight must .* is -1.0 for class 2"),
        ({0: 1e300, 1: 1, 2: 1}, r"class_weight must .* is 1e\+300 for class 0"),
        ({0: 0, 1: 0, 2: 0}, "class_weight must be positive .* 0 for all"),
        ({0: "much", 1: 1, 2: 1}, "class_weight must be .*'much'"),
        ({0: None, 1: 1, 2: 1}, "class_weight must"),
        ({0: 1, "1": 1, 2: 1}, "class_weight must be .*number for each class"),
    ],
    ids=["nan", "inf", "negative", "float32", "zeros", "string", "None", "unknown class"],
)
def test_class_weight_that_is_invalid_is_named(iris, class_weight, message):
    clf = CounterfactualTrainedClassifier(class_weight=class_weight, random_state=0)
    with pytest.raises(ValueError, match=message):
        clf.fit(*iris)
    assert not hasattr(clf, "net_")


def test_weight_of_zero_ignores_a_class(iris):
    X, y = iris
    clf = CounterfactualTrainedClassifier(
        class_weight={0: 1, 1: 1, 2: 0}, lambda_adv=0, lambda_div=0, lambda_reg=0,
        lr=0.01, max_epochs=20, random_state=0,
    ).fit(X, y)  # fmt: skip
    assert 2 not in clf.predict(X)


@pytest.mark.parametrize("cost", [0.0, 1e-3, 1e6])
def test_cost_of_an_immutable_feature_does_not_matter(iris, cost):
    X, y = iris
    settings = {
        "mutability": {0: "none"},
        "generator": GenericGenerator(lambda_cost=0.05),
        "max_epochs": 3,
        "random_state": 0,
    }
    plain = CounterfactualTrainedClassifier(**settings).fit(X, y)
    other = CounterfactualTrainedClassifier(**settings, feature_costs={0: cost}).fit(X, y)
    np.testing.assert_allclose(other.predict_proba(X), plain.predict_proba(X), atol=1e-5)
    np.testing.assert_allclose(
        other.explain(X[:20]).counterfactual, plain.explain(X[:20]).counterfactual, atol=1e-3
    )


def test_cost_of_a_feature_that_is_immutable_for_some_rows_does_not_matter_to_them(iris):
    X, y = iris
    generator = GenericGenerator(lambda_cost=0.05)
    clf = CounterfactualTrainedClassifier(generator=generator, max_epochs=4, random_state=0)
    clf.fit(X, y)
    mutability = [{0: "none"}, {0: "none"}, {}, {}]
    plain = clf.explain(X[:4], 1, generator=None, mutability=mutability)
    other = clf.explain(X[:4], 1, generator=None, mutability=mutability, feature_costs={0: 1e3})
    np.testing.assert_allclose(other.counterfactual[:2], plain.counterfactual[:2], atol=1e-5)
    assert (other.counterfactual[2:] != plain.counterfactual[2:]).any()
    # A row alone and in a batch of other constraints is searched alike.
    alone = clf.explain(X[:1], 1, generator=None, mutability=mutability[:1], feature_costs={0: 1e3})
    np.testing.assert_allclose(alone.counterfactual[0], other.counterfactual[0], atol=1e-5)


def test_training_takes_whole_steps_unless_max_step_is_a_number(iris):
    def weights(max_step):
        clf = CounterfactualTrainedClassifier(
            generator=ECCCoGenerator(max_step=max_step), max_epochs=4, lr=0.01, random_state=0
        ).fit(*iris)
        return [parameter.detach() for parameter in clf.net_.module_.parameters()]

    automatic, whole, capped = map(weights, ("auto", None, 0.01))
    assert all(map(torch.equal, automatic, whole))
    assert not all(map(torch.equal, automatic, capped))
