import numpy as np
import pytest
from sklearn.datasets import make_blobs, make_circles, make_moons

from ctsk import datasets

MAKERS = [
    datasets.make_moons_like,
    datasets.make_circles_like,
    datasets.make_linearly_separable,
    datasets.make_overlapping,
    datasets.make_loan,
]


@pytest.mark.parametrize(
    ("make", "original"),
    [
        (datasets.make_moons_like, lambda n: make_moons(n, noise=0.1, random_state=3)),
        (
            datasets.make_circles_like,
            lambda n: make_circles(n, noise=0.15, factor=0.01, random_state=3),
        ),
        (
            datasets.make_linearly_separable,
            lambda n: make_blobs(n, 2, centers=2, cluster_std=0.5, random_state=3),
        ),
        (
            datasets.make_overlapping,
            lambda n: make_blobs(n, 2, centers=2, cluster_std=2.0, random_state=3),
        ),
    ],
    ids=["moons", "circles", "linearly separable", "overlapping"],
)
def test_same_rows_as_scikit_learn_with_the_papers_parameters(make, original):
    for mine, theirs in zip(make(random_state=3), original(4_500), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("make", MAKERS)
def test_same_seed_gives_the_same_rows_and_leaves_global_chance_alone(make):
    before = np.random.get_state()[1].copy()
    (X, y), (again, y_again) = (make(60, random_state=1) for _ in range(2))
    np.testing.assert_array_equal(X, again)
    np.testing.assert_array_equal(y, y_again)
    np.testing.assert_array_equal(np.random.get_state()[1], before)
    assert len(X) == len(y) == 60
    assert sorted(set(y)) == [0, 1]


@pytest.mark.parametrize("make", MAKERS)
def test_wrong_n_samples_is_refused_by_name(make):
    with pytest.raises(ValueError, match="'n_samples' parameter"):
        make(0)


def test_loans_are_two_gaussian_classes_with_the_stated_parameters():
    X, y = datasets.make_loan(40_000, random_state=0)
    assert list(X.columns) == ["debt", "age"]
    for label, means in {0: (30, 38), 1: (18, 50)}.items():
        rows = X[y == label]
        assert len(rows) == 20_000
        np.testing.assert_allclose(rows.mean(), means, atol=0.15)
        np.testing.assert_allclose(rows.std(), (5, 7), atol=0.1)
        assert abs(rows.corr().iloc[0, 1]) < 0.02
    best = -12 / 5**2 * (X["debt"] - 24) + 12 / 7**2 * (X["age"] - 44) > 0
    assert (best == y).mean() == pytest.approx(0.93, abs=0.004)


def test_odd_loan_is_rejected():
    assert datasets.make_loan(3, random_state=0)[1].sum() == 1


def test_loans_as_arrays_are_the_same():
    X, y = datasets.make_loan(20, random_state=0)
    array, labels = datasets.make_loan(20, random_state=0, as_frame=False)
    assert type(array) is type(labels) is np.ndarray
    np.testing.assert_array_equal(X, array)
    np.testing.assert_array_equal(y, labels)
