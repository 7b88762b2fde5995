"""Proofs by explain: what they say, of which models, and when they are open."""

import pickle
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from plain_training import ALL_EPOCHS
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PowerTransformer, StandardScaler
from skorch import NeuralNetClassifier
from torch import nn

import ctsk
from ctsk import CounterfactualTrainedClassifier, NearestGenerator
from ctsk._explaining.chunk_search import ChunkSearch
from ctsk._explaining.failure_reasons import ReasonKind
from ctsk._explaining.proof import program, prover

TAU = 0.9
# Small nets without counterfactual training, which reach high probabilities.
SMALL = {"hidden_layer_sizes": (6,), "lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}
SMALL |= {"lr": 0.05, "max_epochs": 40, "random_state": 0, **ALL_EPOCHS}
pytestmark = pytest.mark.filterwarnings("ignore::ctsk.exceptions.OtherConstraintsWarning")


def is_proven_right(explanation):
    """Return whether each "optimal" row is one, as far as the explanation itself can tell."""
    is_optimal = explanation.proof == "optimal"
    is_found = explanation.valid & explanation.mature
    is_near = explanation.cost <= explanation.lower_bound * (1 + 1e-3) * (1 + 1e-9)
    is_impossible = explanation.proof == "impossible"
    return (
        (is_found & is_near)[is_optimal].all()
        and not is_found[is_impossible].any()
        and np.isinf(explanation.lower_bound[is_impossible]).all()
    )


@pytest.fixture(scope="module")
def flowers(iris):
    X, y = iris
    return X[::15], X, y


@pytest.fixture(scope="module")
def clf(iris):
    """Classifier of iris. All tests of this module share it, so do not refit it."""
    return CounterfactualTrainedClassifier(**SMALL).fit(*iris)


@pytest.fixture(scope="module")
def proven(clf, flowers):
    return clf.explain(flowers[0], tau=TAU, prove=True)


def test_rows_are_proven_and_never_dearer_than_without_proof(clf, flowers, proven):
    searched = clf.explain(flowers[0], tau=TAU)
    assert set(proven.proof) <= {"optimal", "impossible"}
    assert "optimal" in proven.proof
    assert is_proven_right(proven)
    found = searched.valid & searched.mature
    assert (proven.cost[found] <= searched.cost[found]).all()
    assert (proven.lower_bound[found] <= searched.cost[found]).all()
    assert searched.proof is None
    assert searched.lower_bound is None


def test_proofs_survive_slices_and_pickles(proven):
    part = proven[3:7]
    assert part.proof.tolist() == proven.proof[3:7].tolist()
    assert part.lower_bound.tolist() == proven.lower_bound[3:7].tolist()
    copy = pickle.loads(pickle.dumps(proven))
    assert copy.proof.tolist() == proven.proof.tolist()
    assert copy.lower_bound.tolist() == proven.lower_bound.tolist()
    assert pickle.loads(pickle.dumps(copy.reason)).tolist() == proven.reason.tolist()


def test_jobs_prove_the_same(clf, flowers, proven):
    # Processes take seconds to start.
    with joblib.parallel_config("threading"):
        again = clf.explain(flowers[0][:4], tau=TAU, prove=True, n_jobs=2)
    assert again.proof.tolist() == proven.proof[:4].tolist()
    assert again.cost == pytest.approx(proven.cost[:4])


def test_nothing_is_written_unless_verbose(clf, flowers, capfd):
    clf.explain(flowers[0][:3], tau=TAU, prove=True)
    assert capfd.readouterr().out == ""
    clf.explain(flowers[0][:3], tau=TAU, prove=True, verbose=1)
    assert "3 of 3 rows" in capfd.readouterr().out


def test_a_row_of_the_target_class_is_its_own_optimum(clf, flowers):
    target = clf.predict(flowers[0])
    explanation = clf.explain(flowers[0], target=target, tau=0.4, prove=True)
    is_own = explanation.cost == 0
    assert is_own.any()
    assert (explanation.proof[is_own] == "optimal").all()
    assert is_proven_right(explanation)


def test_sparse_and_max_changes_agree_on_the_fewest_changes(clf, flowers):
    def n_changes(explanation):
        return (explanation.counterfactual != explanation.factual).sum(axis=1)

    rows = flowers[0][:5]
    sparse = clf.explain(rows, tau=TAU, prove=True, sparse=True)
    assert (sparse.proof == "optimal").all()
    for i, fewest in enumerate(n_changes(sparse).tolist()):
        row, limits = rows[[i]], {"tau": TAU, "prove": True, "target": sparse.target[[i]]}
        limited = clf.explain(row, max_changes=fewest, **limits)
        assert limited.proof.tolist() == ["optimal"]
        assert n_changes(limited)[0] <= fewest
        if fewest > 1:
            fewer = clf.explain(row, max_changes=fewest - 1, **limits)
            assert fewer.proof.tolist() == ["impossible"]
            assert fewer.reason[0].endswith(f"but at most {fewest - 1} at once")


def test_alternatives_share_the_lower_bound_and_only_the_cheapest_is_optimal(clf, flowers):
    explanation = clf.explain(flowers[0][:5], tau=TAU, prove=True, n_alternatives=2)
    bounds = explanation.lower_bound.reshape(5, 2)
    assert (bounds[:, 0] == bounds[:, 1]).all()
    proofs = explanation.proof.reshape(5, 2)
    assert (proofs[:, 0] == "optimal").all()
    assert (proofs[:, 1] == "open").all()


def test_a_path_ends_at_the_row_that_is_returned(clf, flowers):
    explanation = clf.explain(flowers[0], tau=TAU, prove=True, return_path=True, T=1)
    assert np.array_equal(explanation.path[:, -1], explanation.counterfactual)


def test_with_every_feature_immutable_only_an_own_counterfactual_is_possible(clf, flowers):
    explanation = clf.explain(flowers[0], tau=TAU, prove=True, mutability={"*": "none"})
    assert (explanation.proof == "impossible").all()
    assert (explanation.counterfactual == explanation.factual).all()


def is_possible(clf, row, features, target, tau):
    """Return whether a search finds a counterfactual if only some features may change."""
    mutability = {"*": "none", **dict.fromkeys(features, "both")}
    explanation = clf.explain(row, tau=tau, target=target, mutability=mutability)
    return bool(explanation.valid[0] and explanation.mature[0])


def test_the_constraints_to_relax_are_the_fewest_that_suffice(clf, flowers):
    sizes, names = set(), clf.encoder_.names
    for tau, target in [(TAU, 0), (0.995, 1)]:
        rows = flowers[0][clf.predict(flowers[0]) != target][:4]
        settings = {"tau": tau, "target": target}
        explanation = clf.explain(rows, prove=True, mutability={"*": "none"}, **settings)
        for row, reason in zip(rows, explanation.reason, strict=True):
            assert reason.kind is ReasonKind.IMPOSSIBLE
            relaxed = [name for name in names if f"'{name}'" in reason]
            sizes.add(len(relaxed))
            assert is_possible(clf, row[None], relaxed, **settings)
            if len(relaxed) == 2:
                assert not any(is_possible(clf, row[None], [name], **settings) for name in names)
    assert sizes >= {1, 2}


def test_a_flag_has_two_values_in_any_domain(flowers):
    _, X, y = flowers
    flag = np.where(np.random.default_rng(0).random(len(X)) < 0.5, 1.0, 4.0)
    X = np.column_stack([X, flag])
    clf = CounterfactualTrainedClassifier(**SMALL).fit(X, y == 2)
    settings = {"mutability": {"*": "none", 4: "both"}, "domain": {4: None}, "tau": TAU}
    explanation = clf.explain(X[::15], prove=True, **settings)
    assert "impossible" in explanation.proof
    assert "open" not in explanation.proof


def test_the_fewest_changes_are_proven_if_all_changes_cost_nothing(clf, flowers):
    settings = {"tau": TAU, "prove": True, "sparse": True, "feature_costs": {"*": 0}}
    free = clf.explain(flowers[0], **settings)
    assert (free.cost == 0).all()
    assert (free.proof == "optimal").all()


# What a proof is not possible for.


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"generator": "eccco"}, "generator='nearest'"),
        ({"generator": NearestGenerator(lambda_data=0.3)}, "generator='nearest'"),
    ],
)
def test_a_search_for_another_aim_is_an_error(clf, flowers, settings, message):
    with pytest.raises(ValueError, match=message):
        clf.explain(flowers[0], prove=True, **settings)


def test_another_activation_is_an_error_that_names_it(flowers):
    _, X, y = flowers
    clf = CounterfactualTrainedClassifier(activation="tanh", max_epochs=1).fit(X, y)
    with pytest.raises(ValueError, match="activation='relu'.*Tanh.*without a proof"):
        clf.explain(X[:2], prove=True)


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, rows):
        return self.linear(rows)


def test_a_module_that_is_no_sequential_is_an_error_that_names_it(flowers):
    with pytest.raises(ValueError, match="Own.*without a proof"):
        ctsk.explain(Own().double(), flowers[0], X_reference=flowers[1], prove=True)


def test_a_curve_in_a_pipeline_is_an_error_that_names_the_feature(flowers):
    _, X, y = flowers
    X = pd.DataFrame(np.abs(X) + 1, columns=list("abcd"))
    curve = ColumnTransformer([("curve", PowerTransformer(), ["b"])], remainder="passthrough")
    clf = CounterfactualTrainedClassifier(max_epochs=1)
    pipeline = make_pipeline(curve, clf).fit(X, y)
    with pytest.raises(ValueError, match="'b'.*by a curve.*without a proof"):
        ctsk.explain(pipeline, X.head(2), prove=True)


@pytest.mark.parametrize("name, setting", [("time_limit", 0), ("n_jobs", "two"), ("prove", "yes")])
def test_settings_out_of_range_are_errors_that_name_them(clf, flowers, name, setting):
    with pytest.raises(ValueError, match=name):
        clf.explain(flowers[0], **{"prove": True, name: setting})


# What leaves a row open.


def open_rows(clf, rows, **settings):
    """Return the explanation of rows, which must be open and those of the nearest search."""
    searched = clf.explain(rows, tau=TAU, **settings)
    explanation = clf.explain(rows, tau=TAU, prove=True, **settings)
    assert (explanation.proof == "open").all()
    assert (explanation.lower_bound <= searched.cost).all()
    assert np.array_equal(explanation.counterfactual, searched.counterfactual)
    return explanation


def test_without_time_rows_are_open(clf, flowers):
    rows = flowers[0][:3]
    searched = clf.explain(rows, tau=TAU)
    explanation = clf.explain(rows, tau=TAU, prove=True, time_limit=1e-9)
    assert (explanation.proof == "open").all()
    assert (explanation.lower_bound == 0).all()
    assert np.array_equal(explanation.counterfactual, searched.counterfactual)


def test_an_open_domain_without_a_known_counterfactual_is_open(flowers):
    _, X, y = flowers
    clf = CounterfactualTrainedClassifier(**SMALL, domain=None).fit(X, y)
    # No row reaches a logit that does not depend on it.
    with torch.no_grad():
        for weights in clf.net_.module_.parameters():
            weights.zero_()
    open_rows(clf, flowers[0][:2])


def test_trouble_of_the_solver_leaves_rows_open(clf, flowers, monkeypatch):
    trouble = SimpleNamespace(status=4, message="Numerical trouble", x=None, mip_dual_bound=np.inf)
    monkeypatch.setattr(program, "milp", lambda *args, **kwargs: trouble)
    open_rows(clf, flowers[0][:3])


def test_rows_that_the_judge_rejects_are_not_returned(clf, flowers, monkeypatch):
    def accepted(chunk, states, idx):
        return chunk.rows.values[idx] + 1.0, np.zeros(len(idx), dtype=bool)

    monkeypatch.setattr(ChunkSearch, "accepted", accepted)
    # After one round, the nearest search leaves something to improve.
    searched = clf.explain(flowers[0], tau=TAU, T=1)
    explanation = clf.explain(flowers[0], tau=TAU, T=1, prove=True)
    assert np.array_equal(explanation.counterfactual, searched.counterfactual)
    is_dear = explanation.cost > explanation.lower_bound * 1.0011
    assert is_dear.any()
    assert (explanation.proof[is_dear] == "open").all()


def test_huge_weights_leave_rows_open(flowers):
    _, X, y = flowers
    clf = CounterfactualTrainedClassifier(**SMALL).fit(X, y)
    with torch.no_grad():
        for weights in clf.net_.module_.parameters():
            weights.mul_(1e8)
    open_rows(clf, flowers[0][:3])


def test_after_an_interrupt_the_other_rows_are_open(clf, flowers, monkeypatch, capfd):
    rows, prove = flowers[0], prover._prove

    def interrupted(row, *args):
        if row == 3:
            raise KeyboardInterrupt
        return prove(row, *args)

    monkeypatch.setattr(prover, "_prove", interrupted)
    searched = clf.explain(rows, tau=TAU)
    explanation = clf.explain(rows, tau=TAU, prove=True, verbose=1)
    assert "open" not in explanation.proof[:3]
    assert (explanation.proof[3:] == "open").all()
    assert np.array_equal(explanation.counterfactual[3:], searched.counterfactual[3:])
    assert "interrupted" in capfd.readouterr().out


# Models of every kind.


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n_out", [1, 3])
def test_a_sequential_of_torch_is_proven_in_its_own_precision(flowers, dtype, n_out):
    rows, X, _ = flowers
    random = torch.Generator().manual_seed(0)
    layers = [torch.nn.utils.skip_init(nn.Linear, *size) for size in ((4, 8), (8, n_out))]
    module = nn.Sequential(layers[0], nn.ReLU(), nn.Dropout(0.1), layers[1]).to(dtype).eval()
    with torch.no_grad():
        for weights in module.parameters():
            weights.copy_(0.7 * torch.randn(weights.shape, generator=random, dtype=dtype))
        # In the middle of what the rows reach, so that both classes occur.
        layers[1].bias.sub_(module(torch.as_tensor(X, dtype=dtype)).mean(dim=0))
    explanation = ctsk.explain(module, rows, tau=0.7, X_reference=X, prove=True)
    assert set(explanation.proof) <= {"optimal", "impossible"}
    assert "optimal" in explanation.proof
    assert is_proven_right(explanation)


def test_a_skorch_classifier_is_proven(flowers):
    rows, X, y = flowers
    # skorch and torch draw from the global random state.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        module = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
        net = NeuralNetClassifier(
            module,
            criterion=nn.CrossEntropyLoss,
            optimizer=torch.optim.Adam,
            max_epochs=60,
            lr=0.05,
            train_split=None,
            verbose=0,
        ).fit(X.astype(np.float32), y.astype(np.int64))
    rows = rows.astype(np.float32)
    explanation = ctsk.explain(net, rows, tau=0.5, X_reference=X.astype(np.float32), prove=True)
    assert "optimal" in explanation.proof
    assert "open" not in explanation.proof
    assert is_proven_right(explanation)


def test_a_pipeline_of_scalers_encoders_and_imputers_is_proven(loans):
    X, y = loans
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    coded = ColumnTransformer(
        [
            ("numbers", numbers, ["income", "children"]),
            ("words", OneHotEncoder(sparse_output=False), ["job"]),
        ]
    )
    X = X[["income", "children", "job"]].assign(job=X["job"].fillna("none").astype(object))
    X["income"] = X["income"].mask(np.arange(len(X)) % 9 == 0)
    clf = CounterfactualTrainedClassifier((6,), max_epochs=20, lr=0.01, random_state=0)
    pipeline = make_pipeline(coded, clf).fit(X, y)
    rows = X.iloc[:12]
    explanation = ctsk.explain(pipeline, rows, tau=0.7, prove=True, X_reference=X)
    searched = ctsk.explain(pipeline, rows, tau=0.7, X_reference=X)
    assert (explanation.proof == "optimal").mean() >= 0.9
    assert is_proven_right(explanation)
    assert (explanation.cost <= searched.cost * (1 + 1e-12)).all()
    assert explanation.valid.all()


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_columns_of_few_digits_and_whole_numbers_are_proven(flowers, dtype):
    _, X, y = flowers
    X = (10 * X).astype(dtype)
    clf = CounterfactualTrainedClassifier(**SMALL).fit(X, y)
    explanation = clf.explain(X[::15], tau=TAU, prove=True)
    assert explanation.counterfactual.dtype == dtype
    assert set(explanation.proof) <= {"optimal", "impossible"}
    assert "optimal" in explanation.proof
    assert is_proven_right(explanation)


def test_a_constant_column_stays_or_returns_to_its_constant(flowers):
    _, X, y = flowers
    X = np.column_stack([X, np.ones(len(X))])
    clf = CounterfactualTrainedClassifier(**SMALL).fit(X, y)
    rows = X[::15].copy()
    rows[::2, 4] = 3.0
    explanation = clf.explain(rows, tau=TAU, prove=True)
    assert "open" not in explanation.proof
    assert np.isin(explanation.counterfactual[:, 4], [1.0, 3.0]).all()
    assert is_proven_right(explanation)
