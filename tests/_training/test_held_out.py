import numpy as np
import pytest

from ctsk import CounterfactualTrainedClassifier, GenericGenerator
from ctsk._torch.utils import make_generator
from ctsk._training.held_out import held_out_rows


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.5, 0.9])
def test_the_same_share_of_each_class_is_held_out(fraction):
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [10, 40, 150]))
    is_held_out = held_out_rows(labels, fraction, np.random.default_rng(1))
    counts = np.bincount(labels[is_held_out], minlength=3)
    np.testing.assert_array_equal(counts, np.rint(fraction * np.array([10, 40, 150])))


def test_every_class_keeps_a_row_to_train_on():
    labels = np.array([0, 1, 1, 2, 2, 2])
    is_held_out = held_out_rows(labels, 0.99, np.random.default_rng(0))
    assert set(labels[~is_held_out]) == {0, 1, 2}
    assert is_held_out.sum() == 3


def test_the_rows_that_are_held_out_are_random():
    labels = np.zeros(100, dtype=int)
    first, second = (held_out_rows(labels, 0.5, np.random.default_rng(seed)) for seed in (0, 1))
    assert first.sum() == second.sum() == 50
    assert 10 < (first & second).sum() < 40


def mask_of_fit(y, fraction, random_state):
    labels = np.unique(y, return_inverse=True)[1]
    seed = make_generator(random_state).initial_seed()
    return held_out_rows(labels, fraction, np.random.default_rng(seed))


class WatchingGenerator(GenericGenerator):
    """Keeps the factuals that it has searched from."""

    factuals = []

    def search(self, module, factuals, *args, **kwargs):
        type(self).factuals.append(factuals.clone())
        return super().search(module, factuals, *args, **kwargs)


def test_rows_that_are_held_out_are_scored_but_never_trained_on_or_searched_from(diabetes):
    X, y = diabetes
    WatchingGenerator.factuals = []
    clf = CounterfactualTrainedClassifier(
        early_stopping=True,
        validation_fraction=0.2,
        max_epochs=3,
        generator=WatchingGenerator(),
        random_state=3,
    ).fit(X, y)
    is_held_out = mask_of_fit(y, 0.2, 3)
    encoded = clf.encoder_.encode(X).astype(np.float32)
    searched = np.unique(
        np.concatenate([rows.numpy() for rows in WatchingGenerator.factuals]), axis=0
    )
    trained = np.unique(encoded[~is_held_out], axis=0)
    np.testing.assert_array_equal(searched, trained)
    # The scales are those of all rows.
    np.testing.assert_allclose(clf.encoder_.encode(X).mean(axis=0), 0, atol=1e-9)


def test_valid_loss_and_accuracy_are_those_of_the_held_out_rows(diabetes):
    X, y = diabetes
    clf = CounterfactualTrainedClassifier(
        early_stopping=True, validation_fraction=0.2, max_epochs=2, random_state=3
    ).fit(X, y)
    labels = np.unique(y, return_inverse=True)[1]
    is_held_out = mask_of_fit(y, 0.2, 3)
    # The best of two epochs is kept, so that its record describes the fitted model.
    best = min(clf.history_, key=lambda epoch: epoch["valid_loss"])
    proba = clf.predict_proba(X[is_held_out])
    truth = labels[is_held_out]
    loss = -np.log(proba[np.arange(len(truth)), truth]).mean()
    assert best["valid_loss"] == pytest.approx(loss, rel=1e-4)
    assert best["valid_acc"] == pytest.approx((proba.argmax(axis=1) == truth).mean(), abs=1e-6)


def test_the_fitted_net_keeps_no_held_out_row(diabetes):
    clf = CounterfactualTrainedClassifier(early_stopping=True, max_epochs=2, random_state=0)
    assert clf.fit(*diabetes).net_.is_held_out is None


def test_rows_are_held_out_automatically_only_from_a_hundred_on():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 2))
    y = X[:, 0] > 0
    clf = CounterfactualTrainedClassifier(max_epochs=1, n_counterfactuals=10, random_state=0)
    assert "valid_loss" in clf.fit(X, y).history_[-1]
    assert "valid_loss" not in clf.fit(X[1:], y[1:]).history_[-1]


def test_classes_that_are_too_small_to_hold_out_rows_are_an_error_with_remedies():
    X, y = np.random.default_rng(0).normal(size=(6, 2)), [0, 0, 0, 1, 1, 1]
    clf = CounterfactualTrainedClassifier(early_stopping=True, max_epochs=1)
    with pytest.raises(ValueError, match="validation_fraction=0.1.*early_stopping=False"):
        clf.fit(X, y)
