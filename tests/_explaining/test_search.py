"""What happens to rows that the model rejects, and to constraints of other models."""

import numpy as np
import pandas as pd
import pytest
import torch
from hostile_files import state_text
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PowerTransformer, StandardScaler

import ctsk
from ctsk import BaseGenerator, CounterfactualTrainedClassifier, GenericGenerator
from ctsk._explaining.chunk_search import ChunkSearch
from ctsk._explaining.failure_reasons import ReasonKind
from ctsk._explaining.request import Settings, make_request
from ctsk._torch.networks import MLP
from ctsk.exceptions import OtherConstraintsWarning, UnknownValueWarning
from ctsk.generators import SearchResult

CONVENTIONAL = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}


def negative_of_small_numbers(rows):
    if np.abs(np.asarray(rows)).max() > negative_of_small_numbers.limit:
        raise ValueError("too large")
    return np.negative(rows)


@pytest.fixture
def picky_pipeline():
    """A pipeline that rejects rows beyond those of its training once it has been traced."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    negative_of_small_numbers.limit = np.inf
    clf = CounterfactualTrainedClassifier(
        (), **CONVENTIONAL, max_epochs=30, lr=0.05, random_state=0
    )
    step = FunctionTransformer(negative_of_small_numbers, np.negative)
    return make_pipeline(step, clf).fit(X, X[:, 0] > 0), X


@pytest.mark.filterwarnings("ignore::ctsk.exceptions.OtherConstraintsWarning")
@pytest.mark.parametrize("n_alternatives", [1, 3])
def test_rejected_rows_stay_factuals_and_their_paths_end_there(
    picky_pipeline, monkeypatch, n_alternatives
):
    pipeline, X = picky_pipeline
    read = ctsk._explaining.pipelines.model_of

    def picky_once_followed(*args, **kwargs):
        model = read(*args, **kwargs)
        negative_of_small_numbers.limit = np.abs(X).max() * 1.001
        return model

    monkeypatch.setattr(ctsk._explaining.pipelines, "model_of", picky_once_followed)
    explanation = ctsk.explain(
        pipeline,
        X[:50],
        target=False,
        domain=[(-1e3, 1e3)] * 2,
        generator=GenericGenerator(step_size=20, max_step=None),
        tau=1 - 1e-6,
        T=30,
        n_alternatives=n_alternatives,
        return_path=True,
    )
    lost = np.array([getattr(r, "kind", None) is ReasonKind.LOST for r in explanation.reason])
    assert lost.any()
    np.testing.assert_array_equal(explanation.counterfactual[lost], explanation.factual[lost])
    np.testing.assert_array_equal(explanation.path[:, -1], explanation.counterfactual)


def test_a_frozen_classifier_in_a_pipeline_warns_of_other_constraints_too(iris):
    X, y = iris
    clf = CounterfactualTrainedClassifier(max_epochs=2, random_state=0)
    for last in (clf, FrozenEstimator(clf.fit(X, y))):
        pipeline = make_pipeline(StandardScaler(), last).fit(X, y)
        with pytest.warns(OtherConstraintsWarning, match="mutability or domain of 'x0'"):
            ctsk.explain(pipeline, X[:2], mutability={0: "none"}, T=1)


def test_a_factual_that_a_step_rejects_is_an_error_that_names_its_row(diabetes):
    X, y = diabetes
    pipeline = make_pipeline(
        PowerTransformer("box-cox"), CounterfactualTrainedClassifier(max_epochs=1)
    ).fit(X, y)
    rows = X.head(4).copy()
    rows.iloc[2, 2] = -5.0
    with pytest.raises(ValueError, match=r"rejects row 2 of X \(1 in all\).*predict"):
        ctsk.explain(pipeline, rows)


def test_reference_rows_of_a_pipeline_may_be_dicts(diabetes):
    X, y = diabetes
    clf = CounterfactualTrainedClassifier(max_epochs=1, random_state=0)
    pipeline = make_pipeline(StandardScaler(), clf).fit(X, y)
    generator = GenericGenerator(distance="mad")
    found, expected = (
        ctsk.explain(pipeline, X.head(3), T=2, generator=generator, X_reference=rows)
        for rows in (X.head(50).to_dict("records"), X.head(50))
    )
    np.testing.assert_array_equal(found.counterfactual, expected.counterfactual)


class NearTheFactual(BaseGenerator):
    """Moves every number by a twentieth of its standard deviation, and finds nothing."""

    def search(self, model, factuals, targets, box, *, T, return_path=False, **settings):
        states = torch.clamp(factuals + 0.05, box.lower, box.upper)
        mature = torch.zeros(len(factuals), dtype=torch.bool)
        return SearchResult.of_jumps(factuals, states, mature, T=T, return_path=return_path)


def test_max_changes_counts_a_gap_that_becomes_the_number_by_which_it_is_coded():
    """Training rows without gaps code a gap by their mean, here a whole number."""
    rng = np.random.default_rng(0)
    whole = rng.permutation(np.repeat([1.0, 2.0, 3.0], 20))
    X = pd.DataFrame({"whole": whole, "real": rng.normal(size=60)})
    clf = CounterfactualTrainedClassifier(domain=None, max_epochs=1, random_state=0, **CONVENTIONAL)
    clf.fit(X, X["real"] > 0)
    rows = X.assign(whole=np.nan)
    with pytest.warns(UnknownValueWarning):
        free, limited = (
            clf.explain(rows, generator=NearTheFactual(), max_changes=max_changes)
            for max_changes in (None, 1)
        )
    assert (free.counterfactual["whole"] == 2).all()
    assert (free.counterfactual["real"] != rows["real"]).all()
    is_filled = limited.counterfactual["whole"].notna()
    is_moved = limited.counterfactual["real"] != rows["real"]
    assert not (is_filled & is_moved).any()


@pytest.mark.parametrize("generator", ["nearest", "generic"])
@pytest.mark.parametrize("constraints", [{"max_changes": 1}, {"mutability": {"*": "none"}}])
def test_what_is_held_reaches_no_category_and_no_number(loans, generator, constraints):
    X, y = loans
    clf = CounterfactualTrainedClassifier(
        max_epochs=20, lr=0.01, n_counterfactuals=50, random_state=0
    ).fit(X, y)
    rows = X.head(30).assign(income=np.nan, job="zookeeper")
    rows.iloc[:10, 1] = 50
    with pytest.warns(UnknownValueWarning):
        explanation = clf.explain(rows, generator=generator, tau=0.6, T=30, **constraints)
    before, after = rows.to_numpy(dtype=object), explanation.counterfactual.to_numpy(dtype=object)
    is_kept = (before == after) | (pd.isna(before) & pd.isna(after))
    assert (~is_kept).sum(axis=1).max() == constraints.get("max_changes", 0)


@pytest.fixture
def colored():
    """A classifier of rows with a group of three dummies and two numbers, and the rows."""
    rng = np.random.default_rng(0)
    codes = rng.integers(3, size=200)
    X = np.column_stack([np.eye(3)[codes], rng.normal(size=(200, 2))])
    clf = CounterfactualTrainedClassifier(
        (),
        **CONVENTIONAL,
        one_hot_groups=[[0, 1, 2]],
        max_epochs=30,
        lr=0.05,
        random_state=0,
    ).fit(X, codes + X[:, 3] > 1)
    return clf, X


def test_a_group_of_dummies_holds_exactly_one_1_if_features_are_reverted(colored):
    clf, X = colored
    groups = clf.explain(X[:40], tau=0.6, T=60, sparse=True).counterfactual[:, :3]
    assert np.isin(groups, [0, 1]).all()
    assert (groups.sum(axis=1) == 1).all()
    assert (groups != X[:40, :3]).any()


def test_a_group_of_dummies_is_held_as_a_whole(colored):
    clf, X = colored
    request = make_request(clf._explainable(), X[:5], None, Settings())
    chunk = ChunkSearch(request, None, slice(None))
    first_dummy = np.tile([True, False, False, False, False], (5, 1))
    box = chunk.box_of(np.arange(5), first_dummy)
    # The numbers come first in the columns of the search.
    np.testing.assert_array_equal(box.lower[:, 2:], X[:5, :3])
    np.testing.assert_array_equal(box.upper[:, 2:], X[:5, :3])
    assert (box.lower[:, :2] < box.upper[:, :2]).all()


def test_a_number_never_reaches_a_special_value_that_is_its_bound():
    rng = np.random.default_rng(0)
    amounts = rng.normal(size=200)
    X = np.where(rng.random(200) < 0.1, -9.0, amounts)[:, None]
    clf = CounterfactualTrainedClassifier(
        (),
        **CONVENTIONAL,
        special_values={0: [-9]},
        domain={0: (-9, None)},
        max_epochs=30,
        lr=0.05,
        random_state=0,
    ).fit(X, X[:, 0] > 0)
    factuals = X[X[:, 0] > 0]
    explanation = clf.explain(
        factuals, tau=0.999999, T=500, generator=GenericGenerator(step_size=9.0, max_step=None)
    )
    low = explanation.counterfactual[:, 0].min()
    assert low == np.nextafter(-9.0, 0.0)


def test_the_path_of_an_unknown_category_that_stays_shows_its_own_cell(loans):
    X, y = loans
    clf = CounterfactualTrainedClassifier(max_epochs=1, random_state=0).fit(X, y)
    assert X["job"].isna().any()
    rows = X.head(4).assign(job="zookeeper")
    with pytest.warns(UnknownValueWarning):
        explanation = clf.explain(rows, T=3, mutability={"job": "none"}, return_path=True)
    assert (explanation.path[:, :, list(X).index("job")] == "zookeeper").all()


@pytest.mark.parametrize("generator", ["nearest", "generic"])
def test_an_unknown_category_that_may_not_move_never_moves(generator):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=200), "job": rng.choice(["cook", "pilot"], 200)})
    clf = CounterfactualTrainedClassifier(
        (), **CONVENTIONAL, max_epochs=30, lr=0.05, random_state=0
    ).fit(X, X["a"] + 2 * (X["job"] == "pilot") > 1)
    with pytest.warns(UnknownValueWarning):
        explanation = clf.explain(
            X.assign(job="pirate"), generator=generator, mutability={"job": "none"}
        )
    assert (explanation.counterfactual["job"] == "pirate").all()
    assert explanation.valid.mean() > 0.9


@pytest.mark.parametrize(
    "cells", [[False] * 60, [False, True] * 30], ids=["one known", "two known"]
)
def test_an_unknown_value_of_an_ordered_column_stays_if_it_may_move_one_way(cells):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=60), "owner": cells})
    clf = CounterfactualTrainedClassifier(
        domain={"owner": [False, True]}, mutability={"*": "none", "owner": "increase"},
        max_epochs=3, random_state=0,
    ).fit(X, (X["a"] > 0).astype(int))  # fmt: skip
    rows = X.assign(owner=pd.array([pd.NA] * 60, dtype="boolean"))
    with pytest.warns(UnknownValueWarning):
        explanation = clf.explain(rows, T=20)
    assert explanation.counterfactual["owner"].isna().all()


def test_held_features_are_equal_though_another_row_lies_outside_its_domain(diabetes):
    X, y = diabetes
    clf = CounterfactualTrainedClassifier(max_epochs=20, n_counterfactuals=50, random_state=0).fit(
        X, y
    )
    rows = X.head(20).copy()
    rows.iloc[0, 2] = X.iloc[:, 2].max() + 10
    request = make_request(clf._explainable(), rows, None, Settings())
    chunk = ChunkSearch(request, clf.net_.module_.float(), slice(None))
    held = np.zeros(rows.shape, dtype=bool)
    held[:, 4:] = True
    found = chunk.find(np.arange(len(rows)), held=held)
    assert (found.values != rows.to_numpy())[:, :4].any()
    np.testing.assert_array_equal(found.values[held], rows.to_numpy()[held])


@pytest.mark.parametrize("max_changes", [1, 2])
def test_max_changes_is_kept_though_a_row_lies_outside_its_domain(diabetes, max_changes):
    X, y = diabetes
    clf = CounterfactualTrainedClassifier(max_epochs=20, n_counterfactuals=50, random_state=0).fit(
        X, y
    )
    rows = X.head(20).copy()
    rows.iloc[0, 2] = X.iloc[:, 2].max() + 10
    explanation = clf.explain(rows, max_changes=max_changes)
    n_changes = (explanation.counterfactual != explanation.factual).sum(axis=1)
    assert n_changes.max() == max_changes


@pytest.mark.parametrize(("n_columns", "T", "return_path"), [(3_000, 2, False), (5, 999, True)])
def test_rows_of_many_cells_are_searched_in_parts(monkeypatch, n_columns, T, return_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, n_columns))
    clf = CounterfactualTrainedClassifier((), **CONVENTIONAL, max_epochs=1, random_state=0)
    clf.fit(X[:40], X[:40, 0] > 0)
    n_rows = []

    class Counting(GenericGenerator):
        def search(self, model, factuals, *args, **kwargs):
            n_rows.append(len(factuals))
            return super().search(model, factuals, *args, **kwargs)

    clf.explain(X, generator=Counting(), T=T, return_path=return_path)
    n_cells = n_columns * (T + 1 if return_path else 1)
    assert max(n_rows) * n_cells <= 1_000_000
    assert sum(n_rows) == 400


@pytest.mark.parametrize("n_calls", [1, 4, 12])
@pytest.mark.parametrize(
    "settings",
    [{}, {"generator": "eccco"}, {"n_alternatives": 2, "sparse": True}],
    ids=["nearest", "eccco", "alternatives"],
)
def test_ctrl_c_raises_and_leaves_the_estimator_as_it_was(
    fitted_loans, loans, monkeypatch, settings, n_calls
):
    X = loans[0].head(20)
    expected = fitted_loans.explain(X, T=10, **settings)
    state, n_threads = state_text(fitted_loans), torch.get_num_threads()
    random_state, forward = torch.get_rng_state(), MLP.forward
    calls = []

    def interrupted(module, rows):
        calls.append(len(rows))
        if len(calls) == n_calls:
            raise KeyboardInterrupt
        return forward(module, rows)

    with monkeypatch.context() as patch:
        patch.setattr(MLP, "forward", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fitted_loans.explain(X, T=10, **settings)
    assert state_text(fitted_loans) == state
    assert not fitted_loans.net_.module_.training
    assert torch.get_num_threads() == n_threads
    assert torch.equal(torch.get_rng_state(), random_state)
    again = fitted_loans.explain(X, T=10, **settings)
    pd.testing.assert_frame_equal(again.counterfactual, expected.counterfactual)
