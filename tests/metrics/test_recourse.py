"""The report on the recourse of many people: shares, costs, and their bootstrap intervals."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from ctsk.metrics import cost, recourse, recourse_summary

STATISTICS = ["found", "impossible", "open", "cost", "n_changes"]


@pytest.fixture(scope="module")
def alternatives(fitted_loans, loans):
    """Three alternatives each, with outcomes, proofs and costs that were drawn at random."""
    explanation = fitted_loans.explain(loans[0].head(40), n_alternatives=3)
    rng = np.random.default_rng(0)
    # Every third person has no counterfactual, and every other one of these provably.
    is_found = np.repeat(np.arange(40) % 3 > 0, 3)
    proof = np.where(np.repeat(np.arange(40) % 2 == 0, 3) & ~is_found, "impossible", "open")
    return replace(
        explanation,
        valid=is_found & (rng.random(120) < 0.8),
        mature=is_found & (rng.random(120) < 0.8),
        cost=rng.permutation(120) / 7,
        proof=proof.astype(object),
    )


@pytest.fixture(scope="module")
def explanation(alternatives):
    return replace(alternatives[alternatives.alternative == 0], n_alternatives=1)


def outcomes_by_hand(explanation):
    """The outcome, cost and number of changes of each factual, in a dict by its position in X."""
    n_changes = cost(explanation, norm="n_changed")
    people = {}
    for row in explanation.row.tolist():
        candidates = [
            (explanation.cost[i], n_changes[i])
            for i in np.flatnonzero(explanation.row == row)
            if explanation.valid[i] and explanation.mature[i]
        ]
        if candidates:
            people[row] = ("found", *min(candidates))
        elif (explanation.proof[explanation.row == row] == "impossible").any():
            people[row] = ("impossible", np.nan, np.nan)
        else:
            people[row] = ("open", np.nan, np.nan)
    return people


def statistics_by_hand(people):
    """The five statistics of some people."""
    outcomes = [outcome for outcome, _, _ in people]
    shares = [outcomes.count(name) / len(people) for name in ("found", "impossible", "open")]
    found = [amounts for outcome, *amounts in people if outcome == "found"]
    if not found:
        return [*shares, np.nan, np.nan]
    costs, n_changes = np.transpose(found)
    return [*shares, np.median(costs), np.mean(n_changes)]


def test_statistics_equal_their_formulas_by_group(alternatives):
    groups = np.arange(40) % 3 * (np.arange(40) > 10)
    people = outcomes_by_hand(alternatives)
    summary = recourse_summary(alternatives, groups)
    assert summary.index.tolist() == [0, 1, 2]
    for label in range(3):
        members = [people[row] for row in np.flatnonzero(groups == label)]
        assert summary.loc[label, "n_rows"] == len(members)
        np.testing.assert_allclose(summary.loc[label, STATISTICS], statistics_by_hand(members))


def test_all_rows_are_one_group_by_default(alternatives):
    summary = recourse_summary(alternatives)
    assert summary.index.tolist() == ["all"]
    assert summary.index.name == "group"
    assert summary["n_rows"].tolist() == [40]
    by_hand = statistics_by_hand(list(outcomes_by_hand(alternatives).values()))
    assert min(by_hand) > 0
    np.testing.assert_allclose(summary.loc["all", STATISTICS], by_hand)


def test_columns_are_statistics_with_their_bounds(explanation):
    bounds = [f"{name}{suffix}" for name in STATISTICS for suffix in ("", "_low", "_high")]
    assert list(recourse_summary(explanation)) == ["n_rows", *bounds]


@pytest.mark.parametrize("confidence_level", [0.5, 0.9])
def test_intervals_equal_the_quantiles_over_all_possible_resamples(explanation, confidence_level):
    """Five people have 3125 equally likely resamples, which can be listed."""
    is_found = np.array([True, False, True, True, False])
    five = replace(
        explanation[:5],
        valid=is_found,
        mature=np.ones(5, dtype=bool),
        cost=np.array([4.0, 0.5, 1.0, 2.5, 0.1]),
        proof=np.array(["open", "impossible", "optimal", "optimal", "open"], dtype=object),
    )
    people = list(outcomes_by_hand(five).values())
    resampled = [statistics_by_hand(sample) for sample in product(people, repeat=5)]
    tail = (1 - confidence_level) / 2
    low, high = np.nanquantile(resampled, [tail, 1 - tail], axis=0)
    assert (low < high).sum() >= 4

    settings = {"confidence_level": confidence_level, "n_resamples": 20_000}
    summary = recourse_summary(five, **settings).iloc[0]
    np.testing.assert_allclose(summary[[f"{name}_low" for name in STATISTICS]], low)
    np.testing.assert_allclose(summary[[f"{name}_high" for name in STATISTICS]], high)


def test_intervals_contain_the_statistic_and_grow_with_the_confidence(explanation):
    narrow, wide = (
        recourse_summary(explanation, confidence_level=level).iloc[0] for level in (0.5, 0.99)
    )
    for name in STATISTICS:
        low, high = f"{name}_low", f"{name}_high"
        assert wide[low] < narrow[low] <= narrow[name] <= narrow[high] < wide[high]


def test_the_line_of_a_group_depends_on_its_rows_only(alternatives):
    groups = np.where(np.arange(40) < 15, "young", "old")
    summary = recourse_summary(alternatives, groups)
    for label in ("young", "old"):
        members = alternatives[(groups == label)[alternatives.row]]
        alone = recourse_summary(members).loc["all"]
        assert alone.tolist() == summary.loc[label].tolist()
    # Groups of one label each do not change the others, either.
    split = np.where(np.arange(40) < 15, "young", np.arange(40).astype(str))
    assert recourse_summary(alternatives, split).loc["young"].equals(summary.loc["young"])


def test_the_order_of_rows_has_no_effect(alternatives):
    order = np.random.default_rng(1).permutation(len(alternatives))
    groups = alternatives.row % 2
    summary = recourse_summary(alternatives, groups)
    assert recourse_summary(alternatives[order], groups[order]).equals(summary)


def test_the_same_seed_gives_the_same_bounds_and_global_state_is_untouched(explanation):
    before = np.random.get_state()[1].copy()
    summary = recourse_summary(explanation)
    assert recourse_summary(explanation, random_state=0).equals(summary)
    other = recourse_summary(explanation, random_state=1)
    assert other[STATISTICS].equals(summary[STATISTICS])
    assert not other.equals(summary)
    first, second = (
        recourse_summary(explanation, random_state=np.random.RandomState(2)) for _ in range(2)
    )
    assert first.equals(second)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_few_draws_at_once_give_the_same_bounds(explanation, monkeypatch):
    summary = recourse_summary(explanation)
    for most_draws in (1, 1_000):
        monkeypatch.setattr(recourse, "_MOST_DRAWS", most_draws)
        assert recourse_summary(explanation).equals(summary)


@pytest.mark.parametrize("n_rows", [1, 7])
def test_a_group_without_recourse_has_no_cost(explanation, n_rows):
    """Warnings are errors in all tests, so that this computes no mean of nothing."""
    none = replace(explanation, valid=np.zeros(len(explanation), dtype=bool))[:n_rows]
    summary = recourse_summary(none).iloc[0]
    assert (summary[["found", "found_low", "found_high"]] == 0).all()
    amounts = ["cost", "cost_low", "cost_high", "n_changes", "n_changes_low", "n_changes_high"]
    assert summary[amounts].isna().all()


def test_a_group_of_one_row_has_intervals_of_no_width(explanation):
    single = explanation[np.flatnonzero(explanation.valid & explanation.mature)[:1]]
    summary = recourse_summary(single).iloc[0]
    for name in STATISTICS:
        assert summary[f"{name}_low"] == summary[name] == summary[f"{name}_high"]
    assert summary["found"] == 1
    assert summary["cost"] == single.cost[0]


def test_bounds_of_the_cost_are_over_samples_in_which_something_is_found(explanation):
    """One of five people is found, so that a third of the samples contain nobody found."""
    one = replace(
        explanation[:5],
        valid=np.arange(5) == 3,
        mature=np.ones(5, dtype=bool),
        cost=np.arange(5) / 2,
    )
    summary = recourse_summary(one).iloc[0]
    assert summary["found_low"] == 0
    assert summary["cost_low"] == summary["cost"] == summary["cost_high"] == 1.5


def test_without_proofs_nothing_is_impossible(explanation):
    unproven = recourse_summary(replace(explanation, proof=None)).iloc[0]
    proven = recourse_summary(explanation).iloc[0]
    assert unproven["impossible"] == unproven["impossible_high"] == 0
    assert unproven["open"] == pytest.approx(proven["open"] + proven["impossible"])
    assert unproven["found"] == proven["found"]


def test_a_valid_row_that_is_not_mature_is_not_found(explanation):
    nascent = replace(
        explanation,
        valid=np.ones(len(explanation), dtype=bool),
        mature=np.arange(len(explanation)) < 10,
        proof=np.full(len(explanation), "open", dtype=object),
    )
    summary = recourse_summary(nascent).iloc[0]
    assert summary["found"] == 10 / len(explanation)
    assert summary["open"] == pytest.approx(1 - summary["found"])


def test_a_row_that_is_found_is_not_impossible_whatever_its_proof(explanation):
    found = replace(
        explanation[explanation.valid & explanation.mature],
        proof=np.full((explanation.valid & explanation.mature).sum(), "impossible", dtype=object),
    )
    summary = recourse_summary(found).iloc[0]
    assert (summary["found"], summary["impossible"], summary["open"]) == (1, 0, 0)


def test_the_cheapest_found_alternative_counts(alternatives):
    """The first alternative is the cheapest, but not valid; the last is the next cheapest."""
    three = replace(
        alternatives[:3],
        valid=np.array([False, True, True]),
        mature=np.ones(3, dtype=bool),
        cost=np.array([1.0, 5.0, 3.0]),
    )
    summary = recourse_summary(three).iloc[0]
    assert summary["n_rows"] == summary["found"] == 1
    assert summary["cost"] == 3
    assert summary["n_changes"] == cost(three, norm="n_changed")[2]


def test_explanations_of_arrays_are_summarized(fitted_iris, iris):
    X, y = iris
    explanation = fitted_iris.explain(X[y == 0], 1, mutability={0: "none"}, tau=0.4)
    is_found = explanation.valid & explanation.mature
    summary = recourse_summary(explanation, X[y == 0, 0] > 5)
    assert summary.index.tolist() == [False, True]
    assert summary["n_rows"].sum() == 50
    for label in (False, True):
        members = is_found & ((X[y == 0, 0] > 5) == label)
        assert members.any()
        assert summary.loc[label, "cost"] == np.median(explanation.cost[members])


def test_an_empty_explanation_is_rejected(explanation):
    with pytest.raises(ValueError, match="explanation has no rows; select at least one"):
        recourse_summary(explanation[:0])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("explanation", "rows"),
        ("confidence_level", 1),
        ("confidence_level", 95),
        ("n_resamples", 0),
        ("n_resamples", 10.5),
        ("random_state", "seed"),
        ("groups", 3),
    ],
)
def test_invalid_parameters_are_named(explanation, name, value):
    with pytest.raises((ValueError, TypeError), match=f"'{name}' parameter of recourse_summary"):
        recourse_summary(**{"explanation": explanation, name: value})
