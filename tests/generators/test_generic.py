import numpy as np
import pytest
import torch

from ctsk import CounterfactualTrainedClassifier, GenericGenerator
from ctsk._columns.one_hot import OneHotGroups
from ctsk.generators import Reference, Step


def reference(rows, labels, groups, n_classes=2):
    return Reference(
        rows=torch.tensor(rows),
        labels=torch.tensor(labels),
        n_classes=n_classes,
        groups=groups,
        random=torch.Generator(),
    )


def step(rows, factuals, targets, costs):
    arrays = (torch.tensor(array) for array in (rows, factuals, targets))
    energies = torch.zeros(len(rows), dtype=torch.float64)
    return Step(*arrays, energies=energies, costs=torch.tensor(costs), t=1, T=5)


def test_penalty_equals_wachters_distance_and_gravity():
    rng = np.random.default_rng(0)
    observed = np.hstack(
        [rng.normal(size=(41, 3)) * [1, 10, 0.1], np.eye(2)[rng.integers(0, 2, 41)]]
    )
    labels = rng.integers(0, 2, 41)
    groups = OneHotGroups(3, (2,), (False,))
    generator = GenericGenerator(lambda_cost=0.7, distance="mad", lambda_gravity=0.3)
    generator.learn(reference(observed, labels, groups))
    rows, factuals = rng.normal(size=(2, 6, 5))
    targets, costs = rng.integers(0, 2, 6), rng.uniform(0, 2, 5)
    medians = np.median(observed, axis=0)
    deviations = np.median(np.abs(observed - medians), axis=0)
    deviations[3:] = 1
    centers = np.array([observed[labels == label].mean(axis=0) for label in (0, 1)])
    expected = 0.7 * (np.abs(rows - factuals) / deviations) @ costs
    expected += 0.3 * np.linalg.norm(rows - centers[targets], axis=1)
    found = generator.penalty(step(rows, factuals, targets, costs))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_deviation_falls_back_to_the_mean_where_most_rows_are_equal_and_to_1_for_a_constant():
    column = np.array([0.0, 0.0, 0.0, 4.0, 8.0])
    rows = np.column_stack([column, np.ones(5)])
    generator = GenericGenerator(distance="mad")
    generator.learn(reference(rows, [0, 1, 0, 1, 0], OneHotGroups(2)))
    assert generator.deviations_.tolist() == pytest.approx([12 / 5, 1.0])


def test_median_of_an_even_number_of_rows_is_between_the_middle_two():
    rows = np.array([[0.0], [1.0], [3.0], [10.0]])
    generator = GenericGenerator(distance="mad").learn(
        reference(rows, [0, 1, 0, 1], OneHotGroups(1))
    )
    assert generator.deviations_.item() == pytest.approx(np.median(np.abs(rows - 2)))


def test_class_without_rows_has_the_mean_of_all_as_its_centre():
    rows = np.array([[0.0], [2.0], [7.0]])
    generator = GenericGenerator(lambda_gravity=1.0)
    generator.learn(reference(rows, [0, 0, 2], OneHotGroups(1), n_classes=3))
    assert generator.centroids_[:, 0].tolist() == [1.0, 3.0, 7.0]


def test_gravity_draws_counterfactuals_to_the_rows_of_their_class(iris):
    X, y = iris
    clf = CounterfactualTrainedClassifier(max_epochs=20, random_state=0).fit(X, y)
    distances = []
    for generator in (GenericGenerator(), GenericGenerator(lambda_gravity=0.5)):
        found = clf.explain(X, generator=generator, X_reference=X, tau=0.9, T=100)
        centers = np.array([X[y == label].mean(axis=0) for label in range(3)])
        distances.append(np.abs(found.counterfactual - centers[found.target]).mean())
    assert distances[1] < distances[0]


def test_only_what_looks_at_observed_rows_has_to_learn():
    assert not GenericGenerator().must_learn
    assert GenericGenerator(distance="mad").must_learn
    assert GenericGenerator(lambda_gravity=0.1).must_learn
