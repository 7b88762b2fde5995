import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from ctsk import CounterfactualTrainedClassifier, REVISEGenerator, explain
from ctsk._torch.utils import check_device, chunk_size, default_torch_modes, evaluating
from ctsk.generators import GenericGenerator, check_generator
from ctsk.metrics import energy_gap, feature_sensitivity, integrated_gradients, robust_accuracy

X = np.random.default_rng(0).normal(size=(100, 3))
Y = (X[:, 0] > 0).astype(int)
CLASSES = [0, 1]


@contextlib.contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def default_device(device):
    torch.set_default_device(device)
    try:
        yield
    finally:
        torch.set_default_device(None)


MODES = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "float64": lambda: default_dtype(torch.float64),
    "float16": lambda: default_dtype(torch.float16),
    "bfloat16": lambda: default_dtype(torch.bfloat16),
    "device meta": lambda: default_device("meta"),
    "device context": lambda: torch.device("meta"),
}
# One of each kind: gradients, precision of operations, dtype of new tensors, device of new tensors.
KINDS_OF_MODES = ("inference_mode", "autocast", "float64", "device meta")
SETTINGS = {
    "default": {},
    "revise": {"generator": REVISEGenerator(n_latent=3, hidden_layer_sizes=(8,), max_iter=20)},
    "gravity": {"generator": GenericGenerator(distance="mad", lambda_gravity=0.1)},
    "module": {
        "module": lambda d, k: nn.Sequential(
            nn.Linear(d, 8), nn.BatchNorm1d(8), nn.Dropout(0.1), nn.ReLU(), nn.Linear(8, k)
        )
    },
    "class weights, sgd": {"class_weight": "balanced", "optimizer": "sgd"},
}
pytestmark = pytest.mark.filterwarnings("ignore::ctsk.exceptions.PoorReconstructionWarning")


def results(settings):
    """Everything that trains, predicts, searches or takes gradients."""
    clf = CounterfactualTrainedClassifier(
        (8,), max_epochs=2, n_counterfactuals=20, random_state=0, **settings
    ).fit(X, Y)
    if "class_weight" not in settings:
        clf.partial_fit(X, Y, classes=CLASSES)
    if settings:
        explanation = clf.explain(X[:5], generator=None, T=8, tau=0.51)
    else:
        # The search for the nearest is that of every net, so one net does for its longest form.
        explanation = clf.explain(X[:3], n_alternatives=2, sparse=True)
    return [
        clf.predict_proba(X),
        clf.decision_function(X),
        explanation.counterfactual,
        explanation.reason == None,  # noqa: E711
        robust_accuracy(clf, X[:20], Y[:20], attack="pgd", epsilon=0.1),
        integrated_gradients(clf, X[:5]),
        feature_sensitivity(clf, X[:5], n_rounds=2),
        energy_gap(clf, explanation, X, Y),
    ]


@pytest.fixture(scope="module")
def expected():
    return {name: results(settings) for name, settings in SETTINGS.items()}


@pytest.mark.parametrize(
    ("mode", "settings"),
    [
        (mode, settings)
        for mode in MODES
        for settings in SETTINGS
        # Each kind of mode is tried with each setting, and each mode with the unlike ones.
        if settings in ("default", "module") or mode in KINDS_OF_MODES
    ],
)
def test_modes_of_the_caller_change_no_result(expected, mode, settings):
    with MODES[mode]():
        found = results(SETTINGS[settings])
    for ours, theirs in zip(found, expected[settings], strict=True):
        assert np.shape(ours) == np.shape(theirs)
        assert np.isfinite(ours).all()
        # A user's module draws its weights in the default dtype, so other ones.
        if settings != "module":
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("mode", MODES)
def test_generators_are_checked_and_foreign_modules_explained_in_any_mode(mode):
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    with MODES[mode]():
        check_generator(GenericGenerator())
        assert len(explain(module, X[:5], X_reference=X)) == 5


def test_module_that_was_created_in_inference_mode_is_explained():
    with torch.inference_mode():
        module = nn.Linear(3, 2)
    assert len(explain(module, X[:5], X_reference=X)) == 5


def test_modes_are_suspended_inside_and_restored_afterwards():
    with torch.inference_mode(), torch.device("meta"), torch.autocast("cpu"):
        with default_torch_modes():
            assert torch.is_grad_enabled()
            assert not torch.is_inference_mode_enabled()
            assert not torch.is_autocast_enabled("cpu")
            assert torch.ones(1).device.type == "cpu"
        assert not torch.is_grad_enabled()
        assert torch.is_inference_mode_enabled()
        assert torch.is_autocast_enabled("cpu")
        assert torch.ones(1).device.type == "meta"


@pytest.mark.parametrize("device", ["meta", "hpu", "mps", "xla", "cuda:99", "nonsense", 3.5])
def test_device_that_cannot_compute_is_a_value_error_that_names_it(device):
    with pytest.raises(ValueError, match=f"device='{device}' cannot be used .*Use 'cpu'"):
        check_device(device)


def test_device_that_computes_is_returned():
    assert check_device("cpu") == check_device(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize("device", ["meta", "nonsense"])
def test_fit_on_a_device_that_cannot_compute_leaves_nothing_behind(device):
    clf = CounterfactualTrainedClassifier(device=device)
    with pytest.raises(ValueError, match=f"device='{device}'"):
        clf.fit(X, Y)
    assert not hasattr(clf, "encoder_")


def test_own_modules_are_trained_in_threads_as_one_after_the_other():
    def module(n_features, n_classes):
        return nn.Sequential(nn.Linear(n_features, 8), nn.Dropout(0.5), nn.Linear(8, n_classes))

    def weights(seed):
        clf = CounterfactualTrainedClassifier(
            module=module, max_epochs=4, early_stopping=False, random_state=seed
        ).fit(X, Y)
        return torch.cat([part.flatten() for part in clf.net_.module_.parameters()])

    serial = [weights(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert all(map(torch.equal, serial, pool.map(weights, range(4))))


def test_an_explanation_does_not_disturb_a_module_that_another_thread_trains():
    first_epoch, search, second_epoch, explained = (threading.Event() for _ in range(4))

    class Slow(GenericGenerator):
        def search(self, *args, **kwargs):
            search.set()
            second_epoch.wait(timeout=20)
            return super().search(*args, **kwargs)

    class Meanwhile(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 1:
                first_epoch.set()
                search.wait(timeout=20)
            elif len(net.history) == 2:
                second_epoch.set()
                explained.wait(timeout=20)

    def fit(callbacks):
        clf = CounterfactualTrainedClassifier(
            module=lambda d, k: nn.Sequential(nn.Dropout(0.5), nn.Linear(d, k)),
            max_epochs=3,
            early_stopping=False,
            callbacks=callbacks,
            random_state=0,
        )
        return clf.fit(X, Y)

    alone = fit([])
    with ThreadPoolExecutor(1) as pool:
        training = pool.submit(fit, [Meanwhile()])
        first_epoch.wait(timeout=20)
        alone.explain(X[:2], generator=Slow())
        explained.set()
        disturbed = training.result()
    weights = [clf.net_.module_[1].weight for clf in (alone, disturbed)]
    assert torch.equal(*weights)


@pytest.mark.parametrize("n_columns", [0, 1, 100, 5_000, 100_000, 10_000_000])
def test_chunks_are_bounded_by_rows_and_by_cells(n_columns):
    n_rows = chunk_size(n_columns)
    assert 1 <= n_rows <= 4096
    assert n_rows == 1 or n_rows * n_columns <= 1_000_000
    # Tables of ordinary width are computed in as few chunks as before.
    assert n_columns > 200 or n_rows == 4096


def test_evaluating_restores_the_mode_of_each_part():
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    module[1].eval()
    with evaluating(module):
        assert not any(part.training for part in module.modules())
    assert [part.training for part in module.modules()] == [True, True, False]
