"""Models that were trained elsewhere, explained by ctsk.explain."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit, softmax
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor
from torch import nn

import ctsk
from ctsk import REVISEGenerator
from ctsk.metrics import cost, implausibility, redundancy, validity

SEARCH = {"tau": 0.6, "T": 60}


@pytest.fixture(scope="module")
def flowers():
    X, y = load_iris(return_X_y=True)
    return X.astype(np.float32), y


class Net(nn.Module):
    """Two layers; what they end in."""

    def __init__(self, n_features=4, n_out=3, end=None):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(n_features, 8), nn.ReLU(), nn.Linear(8, n_out))
        self.end = end

    def forward(self, rows):
        said = self.layers(rows.to(self.layers[0].weight))
        return said if self.end is None else self.end(said)


def quiet(net, *args, **kwargs):
    torch.manual_seed(0)
    return net(*args, verbose=0, max_epochs=30, optimizer=torch.optim.Adam, lr=0.02, **kwargs)


def skorch_net(criterion, n_classes=3, **kwargs):
    ends = {nn.NLLLoss: nn.Softmax(dim=-1), nn.BCELoss: nn.Sigmoid()}
    is_binary = criterion in (nn.BCELoss, nn.BCEWithLogitsLoss)
    return quiet(
        NeuralNetBinaryClassifier if is_binary else NeuralNetClassifier,
        Net,
        module__n_out=1 if is_binary else n_classes,
        module__end=ends.get(criterion),
        criterion=criterion,
        train_split=None,
        **kwargs,
    )


@pytest.fixture(scope="module")
def module(flowers):
    """Do not retrain: a module that returns logits."""
    return skorch_net(nn.CrossEntropyLoss).fit(flowers[0], flowers[1].astype(np.int64)).module_


@pytest.mark.parametrize("criterion", [nn.CrossEntropyLoss, nn.NLLLoss])
def test_skorch_classifier_is_judged_by_itself(flowers, criterion):
    X, y = flowers
    net = skorch_net(criterion).fit(X, y.astype(np.int64))
    explanation = ctsk.explain(net, X, X_reference=X, **SEARCH)
    assert explanation.valid.mean() > 0.95
    np.testing.assert_array_equal(net.predict(explanation.counterfactual), explanation.prediction)
    np.testing.assert_allclose(
        net.predict_proba(explanation.counterfactual), explanation.proba, atol=1e-6
    )
    assert explanation.counterfactual.dtype == np.float32


@pytest.mark.parametrize("criterion", [nn.BCEWithLogitsLoss, nn.BCELoss])
def test_skorch_binary_classifier_is_judged_by_itself(flowers, criterion):
    X, y = flowers
    y = (y > 0).astype(np.float32)
    net = skorch_net(criterion)
    if criterion is nn.BCELoss:
        net.set_params(module__end=nn.Sequential(nn.Sigmoid(), nn.Flatten(0)))
    net.fit(X, y)
    explanation = ctsk.explain(net, X, X_reference=X, **SEARCH)
    assert explanation.valid.mean() > 0.95
    np.testing.assert_array_equal(net.predict(explanation.counterfactual), explanation.prediction)


def test_module_is_explained_in_its_own_units_and_classes(flowers, module):
    X, _ = flowers
    frame = pd.DataFrame(X.astype(float), columns=["a", "b", "c", "d"])
    explanation = ctsk.explain(
        module, frame, 1, X_reference=frame, mutability={"a": "none", "b": "increase"}, **SEARCH
    )
    found = explanation.counterfactual
    assert (found["a"] == frame["a"]).all()
    assert (found["b"] >= frame["b"]).all()
    assert explanation.valid.mean() > 0.9
    with torch.no_grad():
        logits = module(torch.tensor(found.to_numpy(), dtype=torch.float32)).double().numpy()
    np.testing.assert_allclose(explanation.proba, softmax(logits, axis=1), rtol=1e-5)
    assert (explanation.target == 1).all()


def test_domain_and_scales_come_from_the_reference_rows(flowers, module):
    X, _ = flowers
    explanation = ctsk.explain(module, X, X_reference=X[:100], **SEARCH)
    rows = X[:100].astype(float)
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    low = np.minimum(rows.min(axis=0), np.maximum(0, mean - 3 * deviation))
    high = np.maximum(rows.max(axis=0), mean + 3 * deviation)
    assert (explanation.counterfactual >= np.minimum(low, X) - 1e-6).all()
    assert (explanation.counterfactual <= np.maximum(high, X) + 1e-6).all()
    moves = np.abs(explanation.counterfactual.astype(float) - X)
    np.testing.assert_allclose(explanation.cost, (moves / deviation).sum(axis=1), rtol=1e-4)


def test_model_is_left_as_it_was(flowers):
    X, _ = flowers
    net = Net().train()
    before = [weights.clone() for weights in net.parameters()]
    ctsk.explain(net, X[:5], X_reference=X, T=3)
    assert net.training
    assert all(map(torch.equal, net.parameters(), before))
    assert all(weights.requires_grad and weights.grad is None for weights in net.parameters())


@pytest.mark.parametrize("shape", ["flat", "column"])
def test_single_logit_is_that_of_class_1(flowers, shape):
    X, y = flowers
    net = skorch_net(nn.BCEWithLogitsLoss).fit(X, (y > 0).astype(np.float32)).module_
    if shape == "flat":
        net = nn.Sequential(net, nn.Flatten(0))
    explanation = ctsk.explain(net, X[:20], 1, X_reference=X, **SEARCH)
    with torch.no_grad():
        shares = expit(net(torch.tensor(explanation.counterfactual)).double().numpy().ravel())
    np.testing.assert_allclose(explanation.proba[:, 1], shares, rtol=1e-5)
    assert explanation.prediction.tolist() == (shares > 0.5).astype(int).tolist()


def test_module_in_double_precision_is_judged_in_it(flowers):
    X = flowers[0].astype(np.float64)
    torch.manual_seed(0)
    net = Net().double()
    explanation = ctsk.explain(net, X[:20], X_reference=X, **SEARCH)
    with torch.no_grad():
        logits = net(torch.tensor(explanation.counterfactual)).numpy()
    np.testing.assert_allclose(explanation.proba, softmax(logits, axis=1), rtol=1e-12)


def test_module_without_weights_is_explained():
    class Rule(nn.Module):
        def forward(self, rows):
            return torch.stack([rows[:, 0], rows[:, 1]], dim=1)

    X = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    explanation = ctsk.explain(Rule(), X, X_reference=X, **SEARCH)
    assert explanation.valid.all()


@pytest.mark.parametrize(
    "settings",
    [
        {"generator": "generic"},
        {"generator": REVISEGenerator(n_latent=4, max_iter=300)},
        {"n_alternatives": 2, "sparse": True},
    ],
    ids=["generic", "revise", "sparse alternatives"],
)
def test_every_way_of_explaining_works_on_any_module(flowers, module, settings):
    X, y = flowers
    explanation = ctsk.explain(module, X, X_reference=X, **SEARCH, **settings)
    assert validity(explanation) > 0.9
    assert (cost(explanation) > 0).any()
    assert len(redundancy(explanation)) == len(explanation)
    found = explanation.counterfactual_encoded[explanation.valid]
    assert np.isfinite(implausibility(found, explanation.encoder.encode(X))).all()


def test_same_question_has_the_same_answer(flowers, module):
    X, _ = flowers
    before = torch.get_rng_state()
    ask = {"X_reference": X, "generator": REVISEGenerator(max_iter=50), **SEARCH}
    one, other = (ctsk.explain(module, X[:20], **ask) for _ in range(2))
    np.testing.assert_array_equal(one.counterfactual, other.counterfactual)
    assert torch.equal(torch.get_rng_state(), before)


def to_float32(X):
    return X.astype(np.float32)


@pytest.mark.parametrize("is_grid", [False, True])
def test_pipeline_that_ends_in_skorch_is_explained_in_its_inputs(loans, is_grid):
    X, y = loans
    X, y = X.fillna({"job": "none"}), (y == "granted").to_numpy().astype(np.int64)
    encode = make_column_transformer(
        (StandardScaler(), ["income", "children"]),
        (OneHotEncoder(sparse_output=False), ["grade", "job", "owner"]),
    )
    width = 2 + 3 + X["job"].nunique() + 2
    net = skorch_net(nn.CrossEntropyLoss, 2, module__n_features=width)
    model = make_pipeline(encode, FunctionTransformer(to_float32), net)
    if is_grid:
        model = GridSearchCV(model, {"neuralnetclassifier__lr": [0.02]}, cv=2)
    model.fit(X, y)
    fixed = {"job": "none", "children": "decrease"}
    explanation = ctsk.explain(model, X.head(60), X_reference=X, mutability=fixed, **SEARCH)
    found = explanation.counterfactual
    assert (found["job"] == X["job"].head(60)).all()
    assert (found["children"] <= X["children"].head(60)).all()
    assert found.dtypes.equals(X.dtypes)
    assert explanation.valid.mean() > 0.8
    np.testing.assert_array_equal(model.predict(found), explanation.prediction)
    assert set(found["grade"].dropna()) <= set(X["grade"])


def test_steps_before_a_net_are_followed_with_or_without_an_inverse(flowers):
    X, y = flowers
    net = skorch_net(nn.CrossEntropyLoss)
    shifted = make_pipeline(FunctionTransformer(lambda X: X + 1), net).fit(X, y.astype(np.int64))
    cast = FunctionTransformer(to_float32, lambda X: X.astype(np.float64))
    followed = make_pipeline(cast, net).fit(X, y.astype(np.int64))
    assert len(ctsk.explain(followed, X[:3].astype(float), X_reference=X, T=3)) == 3
    explanation = ctsk.explain(shifted, X[:3], X_reference=X)
    np.testing.assert_array_equal(
        shifted.predict(explanation.counterfactual), explanation.prediction
    )


def explain(model, X=None, X_reference=None, **settings):
    rows = load_iris().data.astype(np.float32)
    X_reference = rows if X_reference is None else X_reference
    return ctsk.explain(model, rows[:3] if X is None else X, X_reference=X_reference, **settings)


def test_missing_reference_rows_are_asked_for(flowers, module):
    with pytest.raises(ValueError, match=r"X_reference is missing.*X_reference=X_train"):
        ctsk.explain(module, flowers[0])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"X_reference": np.ones((9, 3))},
            r"not accept the rows of X_reference, of shape \(9",
        ),
        ({"X": np.ones((2, 3))}, r"X has 3 columns; X_reference has 4 \('x0'"),
        ({"X": pd.DataFrame({"a": [1.0]})}, "Pass the same columns"),
        ({"X_reference": pd.DataFrame({"a": ["x"]})}, "'a' of X_reference.*skorch classifier"),
        ({"X_reference": np.ones((1, 4))}, "X_reference has one row"),
        ({"X_reference": np.array([["x"]])}, "'x0' of X_reference.*takes numbers"),
        ({"X_reference": np.full((2, 4), np.nan)}, "X_reference cannot.* NaN in feature 'x0'"),
        ({"X": np.full((2, 4), np.inf)}, "contains infinity in feature 'x0'"),
        ({"X_reference": pd.DataFrame({"a": [1.0]}).head(0)}, "X_reference has no rows"),
        ({"target": 3}, "label 3 "),
    ],
)
def test_rows_and_labels_that_do_not_fit_are_refused(module, given, said):
    with pytest.raises(ValueError, match=said):
        explain(module, **given)


@pytest.mark.parametrize("end", [nn.Softmax(dim=1), nn.Sequential(nn.Linear(3, 1), nn.Sigmoid())])
def test_probabilities_are_no_logits(end):
    torch.manual_seed(0)
    with pytest.raises(ValueError, match=r"model returns probabilities.*Leave out the last"):
        explain(Net(end=end))


def test_net_that_is_no_fitted_classifier_is_refused(flowers):
    X, y = flowers
    with pytest.raises((TypeError, NotFittedError)):
        explain(skorch_net(nn.CrossEntropyLoss))
    regressor = quiet(NeuralNetRegressor, Net, train_split=None)
    with pytest.raises(ValueError, match="criterion of model is MSELoss"):
        explain(regressor.fit(X, np.eye(3, dtype=np.float32)[y]))


def test_threshold_other_than_one_half_is_refused(flowers):
    X, y = flowers
    net = skorch_net(nn.BCEWithLogitsLoss, threshold=0.3).fit(X, (y > 0).astype(np.float32))
    with pytest.raises(ValueError, match="threshold of 0.3; only 0.5"):
        explain(net)


def test_classes_are_the_columns_that_skorch_predicts(flowers):
    """Labels that skorch was told, in whatever order, are not what its predict returns."""
    X, y = flowers
    net = skorch_net(nn.CrossEntropyLoss, 4, classes=["s", "v", "a", "none"])
    net.fit(X, y.astype(np.int64))
    explanation = ctsk.explain(net, X, 2, X_reference=X, **SEARCH)
    assert (explanation.target == 2).all()
    np.testing.assert_array_equal(net.predict(explanation.counterfactual), explanation.prediction)
    with pytest.raises(ValueError, match=r"not one of the classes \(0, 1, 2, 3\)"):
        explain(net, target="s")


def test_nonlinearity_of_its_own_is_refused(flowers):
    X, y = flowers
    net = skorch_net(nn.CrossEntropyLoss, predict_nonlinearity=None).fit(X, y.astype(np.int64))
    with pytest.raises(ValueError, match="Leave it at 'auto'"):
        explain(net)


class Detached(Net):
    def forward(self, rows):
        with torch.no_grad():
            return super().forward(rows)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (Detached(), "No gradient flows through model"),
        (nn.Sequential(Net(n_out=6), nn.Unflatten(1, (2, 3))), r"shape \(150, 2, 3\)"),
    ],
    ids=["detached", "too many dimensions"],
)
def test_modules_that_cannot_be_searched_are_refused(model, said):
    with pytest.raises(ValueError, match=said):
        explain(model)


def test_module_of_several_precisions_is_judged_as_it_is(flowers):
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3).double()

        def forward(self, rows):
            hidden = self.first(rows.to(self.first.weight)).relu()
            return self.last(hidden.to(self.last.weight))

    torch.manual_seed(0)
    net, X = Mixed(), flowers[0]
    explanation = ctsk.explain(net, X[:10], X_reference=X, **SEARCH)
    with torch.no_grad():
        logits = net(torch.tensor(explanation.counterfactual)).numpy()
    np.testing.assert_allclose(explanation.proba, softmax(logits, axis=1), rtol=1e-6)


def test_explaining_others_models_leaves_the_global_random_state_alone(flowers):
    X, y = flowers
    net = skorch_net(nn.CrossEntropyLoss).fit(X, y.astype(np.int64))
    before = torch.get_rng_state()
    ctsk.explain(net, X[:5], X_reference=X, T=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_columns_of_reference_rows_have_to_be_the_pipelines_in_their_order(loans):
    X, y = loans
    X = X[["income", "children"]]
    net = skorch_net(nn.CrossEntropyLoss, 2, module__n_features=2)
    model = make_pipeline(StandardScaler(), FunctionTransformer(to_float32), net)
    model.fit(X, (y == "granted").to_numpy().astype(np.int64))
    for wrong in (X[["children", "income"]], model[:-1].transform(X)):
        with pytest.raises(ValueError, match="X_reference cannot be used: .*column"):
            ctsk.explain(model, X.head(), X_reference=wrong)


class Dropping(nn.Module):
    """Its functional dropout stays on in eval mode."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, rows):
        return nn.functional.dropout(self.linear(rows), 0.5)


@pytest.mark.parametrize(
    ("module", "cause"),
    [
        (Dropping(), "Model returns different logits for the same rows"),
        (
            nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, track_running_stats=False)),
            "depend on the other rows of the batch",
        ),
    ],
    ids=["dropout", "batch statistics"],
)
def test_modules_that_are_no_function_of_a_row_are_refused(flowers, module, cause):
    X, _ = flowers
    with pytest.raises(ValueError, match=cause):
        ctsk.explain(module, X[:3], X_reference=X)


class RejectsEmptyBatches(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def forward(self, rows):
        # The size of the other dimension is ambiguous if there is no row.
        return self.linear(rows).reshape(len(rows), -1)


@pytest.mark.parametrize("n_alternatives", [1, 2])
def test_the_search_never_evaluates_a_module_without_rows(n_alternatives):
    rows = np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)
    module = RejectsEmptyBatches()
    explanation = ctsk.explain(
        module, rows, X_reference=rows, tau=0.6, n_alternatives=n_alternatives
    )
    assert len(explanation) == 30 * n_alternatives
