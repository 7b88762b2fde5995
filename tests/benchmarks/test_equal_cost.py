"""Measures at equal cost, on arrays whose results are known."""

import equal_cost
import numpy as np
import pytest
from equal_cost import TAUS, Curve, Measure, compare, interpolated, mean_of

MEASURES = {
    "distance": Measure(mean_of("distance"), True),
    "accepted": Measure(mean_of("accepted"), False),
}


def curve(cost_of_tau, distance_of_cost, *, n_rows=20, is_found=True):
    """Return a curve on which all rows have the same cost and distance."""
    cost = np.repeat(np.array([cost_of_tau(tau) for tau in TAUS])[:, None], n_rows, axis=1)
    values = {"distance": distance_of_cost(cost), "accepted": cost / 10}
    found = np.broadcast_to(is_found, cost.shape)
    return Curve(found, cost, values, np.zeros((*cost.shape, 2)))


def line(records, tau, measure):
    (record,) = [r for r in records if (r["tau"], r["measure"]) == (tau, measure)]
    return record


def test_the_taus_are_those_of_the_protocol():
    assert TAUS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
    assert equal_cost.TAUS_COMPARED == (0.75, 0.9)


def test_interpolation_is_linear_between_costs_in_any_order():
    costs, values = np.array([3.0, 1.0, np.nan, 2.0]), np.array([30.0, 10.0, 5.0, 40.0])
    assert interpolated(costs, values, 1.25) == pytest.approx(10 + 0.25 * 30)
    assert interpolated(costs, values, 2.5) == pytest.approx(35)
    assert interpolated(costs, values, 3.0) == 30


def test_points_without_a_value_are_left_out_of_the_interpolation():
    costs, values = np.array([1.0, 2.0, 3.0]), np.array([10.0, np.nan, 30.0])
    assert interpolated(costs, values, 2.0) == pytest.approx(20)


@pytest.mark.parametrize("cost", [0.99, 3.01, np.nan])
def test_a_cost_outside_of_the_range_has_no_value(cost):
    costs, values = np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 30.0])
    assert np.isnan(interpolated(costs, values, cost))
    assert np.isnan(interpolated(costs[:0], values[:0], 2.0))


def test_two_models_are_compared_at_the_costs_of_the_conventional_one():
    # The other model pays twice as much at each probability, and is nearer by 1 at equal cost.
    conventional = curve(lambda tau: tau, lambda cost: 5 - cost)
    other = curve(lambda tau: 2 * tau - 0.9, lambda cost: 4 - cost)
    records = compare(conventional, other, MEASURES)
    assert len(records) == 4
    for tau in (0.75, 0.9):
        record = line(records, tau, "distance")
        assert record["cost"] == pytest.approx(tau)
        assert record["conventional"] == pytest.approx(5 - tau)
        assert record["other"] == pytest.approx(4 - tau)
        assert record["gain"] == pytest.approx(100 / (5 - tau))
        assert record["rows"] == 20
    # A difference instead of a reduction.
    assert line(records, 0.9, "accepted")["gain"] == pytest.approx(0)


def test_a_cell_outside_of_the_range_is_empty_and_the_other_one_is_not():
    conventional = curve(lambda tau: tau, lambda cost: 5 - cost)
    # At a probability of 0.95, the other model pays 0.8 only.
    cheaper = curve(lambda tau: tau - 0.15, lambda cost: 4 - cost)
    records = compare(conventional, cheaper, MEASURES)
    assert line(records, 0.75, "distance")["gain"] > 0
    empty = line(records, 0.9, "distance")
    assert np.isnan(empty["other"]) and np.isnan(empty["gain"])
    assert empty["conventional"] == pytest.approx(4.1)
    # At a probability of 0.5, this model pays more than the conventional one at 0.9.
    dearer = curve(lambda tau: tau + 1, lambda cost: 4 - cost)
    assert np.isnan([r["gain"] for r in compare(conventional, dearer, MEASURES)]).all()


def test_only_rows_count_that_both_models_reach():
    n_rows = 40
    easy = np.arange(n_rows) < 25
    conventional = curve(lambda tau: tau, lambda cost: 5 - cost, n_rows=n_rows, is_found=easy)
    other = curve(lambda tau: tau, lambda cost: 4 - cost, n_rows=n_rows)
    # The rows that only the other model reaches are bad ones.
    other.values["distance"][:, ~easy] = 100
    record = line(compare(conventional, other, MEASURES), 0.75, "distance")
    assert record["rows"] == 25
    assert record["other"] == pytest.approx(3.25)
    few = curve(
        lambda tau: tau, lambda cost: 4 - cost, n_rows=n_rows, is_found=np.arange(n_rows) < 9
    )
    assert np.isnan(line(compare(conventional, few, MEASURES), 0.75, "distance")["cost"])


def test_a_mean_leaves_out_rows_without_a_value():
    found = curve(lambda tau: tau, lambda cost: cost)
    found.values["distance"][3, :5] = np.nan
    found.values["distance"][3, 5:] = np.arange(15)
    assert mean_of("distance")(found, 3, np.arange(20)) == pytest.approx(7)
    assert np.isnan(mean_of("distance")(found, 3, np.arange(5)))
