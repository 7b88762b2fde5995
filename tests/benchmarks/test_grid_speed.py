"""The timed grids are those of the paper, and no model is fitted twice."""

import numpy as np
import pytest
from grid_speed import MAKERS, by_generator
from sklearn.model_selection import ParameterGrid

TITLES = {"ECCCoGenerator", "GenericGenerator", "REVISEGenerator"}


@pytest.fixture(params=["search", "penalties"])
def grid(request):
    return MAKERS[request.param]()


def test_a_grid_of_the_paper_has_45_candidates_per_generator_and_one_conventional(grid):
    candidates = list(ParameterGrid(grid.candidates))
    positions = by_generator(candidates)
    assert {title: len(found) for title, found in positions.items()} == {
        "others": 1,
        **dict.fromkeys(TITLES, 45),
    }
    (conventional,) = (candidates[i] for i in positions["others"])
    assert set(conventional.values()) == {0}


def test_the_candidates_of_a_grid_differ(grid):
    settings = [
        {**candidate, "generator": type(candidate.get("generator")).__name__}
        for candidate in ParameterGrid(grid.candidates)
    ]
    assert len({tuple(sorted(map(str, each.items()))) for each in settings}) == len(settings)


def test_every_candidate_is_trained_as_in_the_paper(grid):
    for candidate in ParameterGrid(grid.candidates):
        params = grid.estimator.set_params(**candidate).get_params()
        assert params["max_epochs"] == 100
        assert params["n_counterfactuals"] == 1_000
        assert params["early_stopping"] is False


def test_the_only_split_trains_on_the_training_rows_and_scores_the_validation_rows(grid):
    ((train, test),) = grid.cv.split()
    np.testing.assert_array_equal(train, np.arange(3_000))
    np.testing.assert_array_equal(test, np.arange(3_000, 3_600))


def test_the_compared_candidates_include_every_generator(grid):
    candidates = [next(iter(ParameterGrid(one))) for one in grid.sample()]
    assert set(by_generator(candidates)) == {"others", *TITLES}
