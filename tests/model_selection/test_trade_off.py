import pickle
from types import SimpleNamespace

import numpy as np
import pytest

from ctsk.model_selection import BestWithinTolerance, pareto_front

NAN = np.nan


def results(accuracy, neg_implausibility):
    return {
        "params": [{"lambda_reg": i} for i in range(len(accuracy))],
        "mean_test_accuracy": np.array(accuracy),
        "mean_test_neg_implausibility": np.array(neg_implausibility),
    }


@pytest.mark.parametrize(
    ("accuracy", "plausibility", "chosen"),
    [
        pytest.param([0.90, 0.895, 0.80], [-5, -3, -1], 1, id="best within the tolerance"),
        pytest.param([0.90, 0.88, 0.80], [-5, -3, -1], 0, id="none but the best is within"),
        pytest.param([0.90, 0.90, 0.90], [-5, NAN, -7], 0, id="a NaN never wins"),
        pytest.param([0.99, 0.90, 0.90], [NAN, -6, -4], 2, id="a NaN sets no standard"),
        pytest.param([NAN, 0.90, 0.90], [-1, -6, -4], 2, id="a candidate that failed"),
    ],
)
def test_most_plausible_of_those_that_are_accurate_enough(accuracy, plausibility, chosen):
    assert BestWithinTolerance()(results(accuracy, plausibility)) == chosen


def test_no_candidate_with_both_scores_is_an_error():
    with pytest.raises(ValueError, match="No candidate has both scores"):
        BestWithinTolerance()(results([0.9, NAN], [NAN, -1.0]))


def test_unknown_score_is_refused_and_the_known_are_named():
    with pytest.raises(ValueError, match=r"no score 'neg_mmd'; its scores are \['accuracy'"):
        BestWithinTolerance(score="neg_mmd")(results([0.9], [-1.0]))


def test_choice_is_stored_with_the_search():
    choice = BestWithinTolerance(constraint="validity", tolerance=0.1)
    assert pickle.loads(pickle.dumps(choice)) == choice


def test_pareto_front_is_what_no_other_candidate_beats():
    search = SimpleNamespace(
        cv_results_=results([0.9, 0.8, 0.85, 0.7, 0.95], [-5.0, -3.0, -6.0, NAN, -9.0])
    )
    front = pareto_front(search, ["accuracy", "neg_implausibility"])
    assert front.index.tolist() == [4, 0, 1]
    assert list(front.columns) == ["lambda_reg", "accuracy", "neg_implausibility"]
    assert front["lambda_reg"].tolist() == [4, 0, 1]


def test_equal_candidates_do_not_beat_each_other():
    search = SimpleNamespace(cv_results_=results([0.9, 0.9], [-5.0, -5.0]))
    assert len(pareto_front(search, ["accuracy", "neg_implausibility"])) == 2
