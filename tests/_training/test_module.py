import threading

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn.functional import dropout

from ctsk import CounterfactualTrainedClassifier
from ctsk._training.module import build_module

ROWS = np.random.default_rng(0).normal(size=(200, 3))
LABELS = (ROWS[:, 0] > 0).astype(int)
CONVENTIONAL = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}


class Net(nn.Module):
    """Two layers, and something in between or before them."""

    def __init__(self, n_features, n_classes, hidden=lambda x: x, before=lambda x: x):
        super().__init__()
        self.first, self.last = nn.Linear(n_features, 16), nn.Linear(16, n_classes)
        self.hidden, self.before = hidden, before

    def forward(self, x):
        return self.last(self.hidden(torch.relu(self.first(self.before(x)))))


def net(**between):
    return lambda n_features, n_classes: Net(n_features, n_classes, **between)


def with_layer(layer):
    return lambda n_features, n_classes: nn.Sequential(
        nn.Linear(n_features, 8), layer(8), nn.Linear(8, n_classes)
    )


def without_statistics(n):
    return nn.BatchNorm1d(n, track_running_stats=False)


def holding_a_lock(n_features, n_classes):
    module = nn.Linear(n_features, n_classes)
    module.lock = threading.Lock()
    return module


def with_computed_weight(n_features, n_classes):
    module = nn.Linear(n_features, n_classes)
    module.doubled = 2 * module.weight
    return module


class HeadsOf(nn.Linear):
    """A linear model whose heads are `function` of its logits."""

    def __init__(self, n_features, n_classes, function):
        super().__init__(n_features, n_classes)
        self.function = function

    def heads(self, x):
        return self.function(self(x))


def with_heads(function):
    return lambda n_features, n_classes: HeadsOf(n_features, n_classes, function)


def with_attribute(make):
    """A linear model with an attribute `heads` that is no method."""

    def build(n_features, n_classes):
        module = nn.Linear(n_features, n_classes)
        module.heads = make()
        return module

    return build


INVALID = {
    "functional dropout": (net(hidden=lambda x: dropout(x, 0.5)), "random.*nn.Dropout"),
    "little dropout": (net(hidden=lambda x: dropout(x, 0.01)), "random.*nn.Dropout"),
    "noise": (net(before=lambda x: x + 0.1 * torch.randn_like(x)), "random.*self.training"),
    "batch statistics": (with_layer(without_statistics), "other rows.*BatchNorm"),
    "centered by the batch": (net(before=lambda x: x - x.mean(0)), "other rows.*dimension 0"),
    "softmax over the batch": (net(hidden=lambda x: x.softmax(0)), "other rows.*dimension 0"),
    "position in the batch": (
        net(before=lambda x: x * torch.linspace(1, 2, len(x)).to(x)[:, None]),
        "other rows",
    ),
    "in place": (net(before=lambda x: x.mul_(2)), "changes its input in place.*x = x"),
    "in place on a part": (net(before=lambda x: x[:, :1].add_(1) * x), "in place"),
    "no parameters": (lambda d, k: nn.Linear(d, k).requires_grad_(False), "frozen"),
    "frozen": (lambda d, k: nn.Flatten(), "without parameters"),
    "layers in a list": (
        lambda d, k: type("M", (nn.Module,), {"layers": [nn.Linear(d, k)]})(),
        "plain list",
    ),
    "built already": (nn.Linear(3, 2), r"already built.*copy\.deepcopy"),
    "no module": (lambda d, k: None, "returned a NoneType"),
    "one logit": (lambda d, k: nn.Linear(d, 1), "one per class"),
    "tuple": (lambda d, k: nn.LSTM(d, k), "it must return logits of shape"),
    "wrong width": (lambda d, k: nn.Linear(d + 1, k), r"fails for rows of shape \(200, 3\)"),
    "one precision": (net(before=lambda x: x.float()), "float64"),
    "detached": (net(before=lambda x: x.detach()), "No gradient"),
    "integers": (net(before=lambda x: x.round().long().to(x)), "No gradient"),
    "lock": (holding_a_lock, "cannot be copied.*locks"),
    "computed weight": (with_computed_weight, "cannot be copied.*parametrizations"),
    "heads without classes": (with_heads(lambda logits: logits), r"heads.*\(n_rows, n_heads, 2\)"),
    "heads of other rows": (
        with_heads(lambda logits: (logits - logits.mean(0))[:, None]),
        "`heads`.*depend on the other rows",
    ),
    "heads as a list": (with_heads(lambda logits: [logits, logits]), "heads.*list"),
    "heads that fail": (with_heads(lambda logits: logits @ logits), "heads.*fails"),
    "meta": (lambda d, k: nn.Linear(d, k, device="meta"), "meta"),
}


@pytest.mark.parametrize(("module", "message"), INVALID.values(), ids=list(INVALID))
def test_module_that_is_no_function_of_a_row_is_a_value_error_at_fit(module, message):
    clf = CounterfactualTrainedClassifier(module=module, max_epochs=1, random_state=0)
    with pytest.raises(ValueError, match=message):
        clf.fit(ROWS, LABELS)
    assert not hasattr(clf, "net_")


VALID = {
    "dropout": with_layer(lambda n: nn.Dropout(0.5)),
    "functional dropout": lambda d, k: type(
        "M",
        (Net,),
        {"forward": lambda self, x: self.last(dropout(self.first(x), 0.5, self.training))},
    )(d, k),
    "batch norm": with_layer(nn.BatchNorm1d),
    "layer norm": with_layer(nn.LayerNorm),
    "lazy": lambda d, k: nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.LazyLinear(k)),
    "float64": lambda d, k: nn.Linear(d, k, dtype=torch.float64),
    "half": lambda d, k: nn.Linear(d, k, dtype=torch.bfloat16),
    "ensemble": with_heads(lambda logits: torch.stack([logits, 2 * logits], dim=1)),
    "number of heads": with_attribute(lambda: 8),
    "list of heads": with_attribute(lambda: nn.ModuleList([nn.Linear(3, 2)])),
    "partly frozen": lambda d, k: nn.Sequential(
        nn.Linear(d, 4).requires_grad_(False), nn.Linear(4, k)
    ),
}


@pytest.mark.parametrize("module", VALID.values(), ids=list(VALID))
def test_module_that_is_a_function_of_a_row_is_trained_and_explained(module):
    clf = CounterfactualTrainedClassifier(module=module, max_epochs=2, random_state=0)
    explanation = clf.fit(ROWS, LABELS).explain(ROWS[:9])
    np.testing.assert_array_equal(
        clf.predict(explanation.counterfactual) == explanation.target, explanation.valid
    )
    assert all(weights.dtype == torch.float32 for weights in clf.net_.module_.parameters())


def test_lazy_module_is_built_with_the_weights_of_its_random_state():
    def lazy(n_features, n_classes):
        return nn.LazyLinear(n_classes)

    before = torch.get_rng_state()
    first, second = (
        CounterfactualTrainedClassifier(module=lazy, max_epochs=1, random_state=0)
        .fit(ROWS, LABELS)
        .predict_proba(ROWS)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


def test_huge_rows_are_no_reason_to_reject_a_module():
    build_module(lambda d, k: nn.Linear(d, k), np.full((5, 3), 3e38, dtype=np.float32), 2, 3)


def test_single_row_suffices_to_check_a_module():
    build_module(with_layer(nn.LayerNorm), ROWS[:1], 2, 3)


@pytest.mark.parametrize("batch_size", [199, 99, 200, 1000])
def test_batch_norm_trains_conventionally_at_any_batch_size_but_one(batch_size):
    clf = CounterfactualTrainedClassifier(
        **CONVENTIONAL,
        module=with_layer(nn.BatchNorm1d),
        batch_size=batch_size,
        max_epochs=1,
        random_state=0,
    )
    assert clf.fit(ROWS, LABELS).n_iter_ == 1


def test_batch_norm_with_minibatches_of_one_row_is_an_error_that_names_batch_size():
    clf = CounterfactualTrainedClassifier(
        **CONVENTIONAL, module=with_layer(nn.BatchNorm1d), batch_size=1, random_state=0
    )
    with pytest.raises(ValueError, match=r"BatchNorm.*raise batch_size \(now 1\)"):
        clf.fit(ROWS, LABELS)


class EmbeddedNumbers(nn.Module):
    """Each number passes through a layer of its own; one-hot columns enter as they are."""

    def __init__(self, n_features, n_classes, *, n_numeric):
        super().__init__()
        self.n_numeric = n_numeric
        self.embeddings = nn.ModuleList([nn.Linear(1, 4) for _ in range(n_numeric)])
        self.last = nn.Linear(4 * n_numeric + n_features - n_numeric, n_classes)

    def forward(self, x):
        numbers = x[:, : self.n_numeric].split(1, dim=1)
        parts = [
            torch.relu(layer(column))
            for layer, column in zip(self.embeddings, numbers, strict=True)
        ]
        return self.last(torch.cat([*parts, x[:, self.n_numeric :]], dim=1))


def test_module_that_asks_for_it_receives_the_number_of_numeric_columns():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"word": rng.choice(["a", "b", "c"], 200), "x": rng.normal(size=200)})
    X["gap"] = np.where(rng.random(200) < 0.3, np.nan, rng.normal(size=200))
    y = (X["x"] > 0) | (X["word"] == "a")
    clf = CounterfactualTrainedClassifier(module=EmbeddedNumbers, max_epochs=2, random_state=0)
    clf.fit(X, y)
    # The states "a number" and "missing" of the feature with gaps are one-hot columns.
    assert clf.net_.module_.n_numeric == 2
    assert clf.encoder_.encode(X).shape[1] == 2 + 3 + 2
    explanation = clf.explain(X.head(10))
    assert explanation.valid.any()
