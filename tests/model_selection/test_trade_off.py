import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

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
        pytest.param([0.90, 0.88, 0.80], [-5, -3, -1], 0, id="only the best is within"),
        pytest.param([0.90, 0.90, 0.90], [-5, NAN, -7], 0, id="a NaN is never chosen"),
        pytest.param([0.99, 0.90, 0.90], [NAN, -6, -4], 2, id="a NaN sets no threshold"),
        pytest.param([NAN, 0.90, 0.90], [-1, -6, -4], 2, id="a candidate that failed"),
    ],
)
def test_most_plausible_candidate_within_the_tolerance_is_chosen(accuracy, plausibility, chosen):
    assert BestWithinTolerance()(results(accuracy, plausibility)) == chosen


def test_candidate_at_the_tolerance_is_eligible():
    choice = BestWithinTolerance(tolerance=0.25)
    assert choice(results([0.75, 0.5, 0.25], [-5, -3, -1])) == 1


def test_no_candidate_with_both_scores_is_an_error():
    with pytest.raises(ValueError, match="No candidate has both scores"):
        BestWithinTolerance()(results([0.9, NAN], [NAN, -1.0]))


def test_unknown_score_is_rejected_and_the_known_ones_are_listed():
    with pytest.raises(ValueError, match=r"no score 'neg_mmd'; its scores are \['accuracy'"):
        BestWithinTolerance(score="neg_mmd")(results([0.9], [-1.0]))


def test_choice_survives_pickling_with_its_search():
    choice = BestWithinTolerance(constraint="validity", tolerance=0.1)
    assert pickle.loads(pickle.dumps(choice)) == choice


def test_pareto_front_holds_the_candidates_that_no_other_dominates():
    search = SimpleNamespace(
        cv_results_=results([0.9, 0.8, 0.85, 0.7, 0.95], [-5.0, -3.0, -6.0, NAN, -9.0])
    )
    front = pareto_front(search, ["accuracy", "neg_implausibility"])
    assert front.index.tolist() == [4, 0, 1]
    assert list(front.columns) == ["lambda_reg", "accuracy", "neg_implausibility"]
    assert front["lambda_reg"].tolist() == [4, 0, 1]


def test_equal_candidates_do_not_dominate_each_other():
    search = SimpleNamespace(cv_results_=results([0.9, 0.9], [-5.0, -5.0]))
    assert len(pareto_front(search, ["accuracy", "neg_implausibility"])) == 2


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"tolerance": -0.1}, ValueError, "tolerance is -0.1"),
        ({"tolerance": NAN}, ValueError, "tolerance is nan"),
        ({"tolerance": "1%"}, TypeError, "tolerance is '1%'"),
        ({"score": ["accuracy"]}, TypeError, "score is"),
        ({"constraint": None}, TypeError, "constraint is None"),
    ],
)
def test_invalid_parameter_of_the_choice_is_named(params, error, message):
    with pytest.raises(error, match=message):
        BestWithinTolerance(**params)


def test_pareto_front_needs_a_fitted_search_and_a_list_of_scores():
    fitted = SimpleNamespace(cv_results_=results([0.9], [-5.0]))
    with pytest.raises(NotFittedError, match="SimpleNamespace is not fitted"):
        pareto_front(SimpleNamespace(), ["accuracy"])
    with pytest.raises(TypeError, match="scores is 'accuracy'; it must be a list"):
        pareto_front(fitted, "accuracy")
    with pytest.raises(ValueError, match="scores is empty"):
        pareto_front(fitted, [])
    with pytest.raises(ValueError, match="no score 'validity'; its scores are"):
        pareto_front(fitted, ["accuracy", "validity"])


def test_at_most_ten_scores_are_listed():
    scores = {f"mean_test_score_{i}": np.array([0.5]) for i in range(30)}
    with pytest.raises(ValueError, match=r"'score_9'\] and others\.$"):
        BestWithinTolerance()({"params": [{}], **scores})
