import math
import warnings

import numpy as np
import pytest
import torch
from plain_training import ALL_EPOCHS
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback, EarlyStopping, EpochScoring, LRScheduler

from ctsk import CounterfactualTrainedClassifier, ECCCoGenerator, GenericGenerator
from ctsk.exceptions import (
    InertDivergenceWarning,
    NonFiniteLossError,
    NonFiniteLossWarning,
    UnboundedEnergyWarning,
)

TERMS = ("classification", "divergence", "adversarial", "ridge")
CONVENTIONAL = {"lambda_div": 0.0, "lambda_adv": 0.0, "lambda_reg": 0.0}


class Recorder(Callback):
    """Keeps what passes by."""

    def initialize(self):
        self.batches = []
        self.weights = []
        return self

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.weights.append(flat_weights(net.module_))

    def on_batch_begin(self, net, batch=None, training=None, **kwargs):
        self.batches.append(tuple(part.clone() for part in batch))


class CountingGenerator(GenericGenerator):
    n_searches = 0

    def search(self, *args, **kwargs):
        type(self).n_searches += 1
        return super().search(*args, **kwargs)


@pytest.fixture
def n_searches():
    CountingGenerator.n_searches = 0
    return lambda: CountingGenerator.n_searches


def flat_weights(module):
    return torch.cat([weights.detach().flatten() for weights in module.parameters()]).clone()


def test_conventional_training_equals_a_plain_skorch_net_and_searches_nothing(diabetes, n_searches):
    recorder = Recorder()
    clf = CounterfactualTrainedClassifier(
        **CONVENTIONAL,
        generator=CountingGenerator(),
        max_epochs=5,
        callbacks=[recorder],
        random_state=0,
        **ALL_EPOCHS,
    ).fit(*diabetes)
    assert n_searches() == 0

    plain = NeuralNetClassifier(
        torch.nn.Sequential(torch.nn.Linear(10, 32), torch.nn.ReLU(), torch.nn.Linear(32, 2)),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        train_split=None,
        callbacks="disable",
        verbose=0,
        classes=[0, 1],
    ).initialize()
    torch.nn.utils.vector_to_parameters(recorder.weights[0], plain.module_.parameters())
    for X, y in recorder.batches:
        plain.train_step((X, y))
    assert len(recorder.batches) == 5 * math.ceil(442 / 32)
    torch.testing.assert_close(
        flat_weights(clf.net_.module_), flat_weights(plain.module_), rtol=1e-5, atol=1e-6
    )


def test_every_epoch_passes_once_through_all_rows(diabetes):
    recorder = Recorder()
    clf = CounterfactualTrainedClassifier(
        max_epochs=1, callbacks=[recorder], random_state=0, **ALL_EPOCHS
    ).fit(*diabetes)
    seen = torch.cat([X for X, _ in recorder.batches]).numpy()
    rows = clf.encoder_.encode(diabetes[0]).astype(np.float32)
    assert [len(X) for X, _ in recorder.batches] == [32] * 13 + [26]
    np.testing.assert_array_equal(seen[np.lexsort(seen.T)], rows[np.lexsort(rows.T)])
    assert not np.array_equal(seen, rows)


@pytest.mark.parametrize(
    ("lambdas", "computed"),
    [
        ({}, set(TERMS)),
        ({"lambda_div": 0, "lambda_reg": 0}, {"classification", "adversarial"}),
        ({"lambda_adv": 0}, {"classification", "divergence", "ridge"}),
        (CONVENTIONAL, {"classification"}),
    ],
    ids=["CT", "AR", "CD", "BL"],
)
def test_history_records_terms_and_searches_of_every_epoch(iris, lambdas, computed):
    clf = CounterfactualTrainedClassifier(max_epochs=3, random_state=0, **lambdas).fit(*iris)
    assert len(clf.history_) == clf.n_iter_ == 3
    for epoch in clf.history_:
        assert {term for term in TERMS if not math.isnan(epoch[term])} == computed
        assert math.isfinite(epoch["train_loss"])
        searched = computed != {"classification"}
        assert math.isnan(epoch["mature_share"]) != searched
        assert math.isnan(epoch["mean_n_iter"]) != searched
        if searched:
            assert 0 <= epoch["mature_share"] <= 1
            assert 0 <= epoch["mean_n_iter"] <= clf.T


def test_train_loss_is_the_weighted_sum_of_the_recorded_terms(iris):
    X, y = iris
    # One minibatch per epoch: the means over minibatches are the terms themselves.
    clf = CounterfactualTrainedClassifier(max_epochs=2, batch_size=150, random_state=0).fit(X, y)
    for epoch in clf.history_:
        total = epoch["classification"] + 0.5 * epoch["divergence"]
        total += 0.25 * epoch["adversarial"] + 0.1 * epoch["ridge"]
        assert epoch["train_loss"] == pytest.approx(total, rel=1e-5)


def test_burn_in_trains_conventionally_first(iris, n_searches):
    clf = CounterfactualTrainedClassifier(
        burn_in=0.5, max_epochs=6, generator=CountingGenerator(), random_state=0
    ).fit(*iris)
    assert [math.isnan(epoch["mature_share"]) for epoch in clf.history_] == [True] * 3 + [False] * 3
    assert n_searches() == 3


def test_module_is_searched_in_eval_mode_and_left_in_it(iris):
    modes = []

    class Watched(torch.nn.Module):
        def __init__(self, n_features, n_classes):
            super().__init__()
            self.linear = torch.nn.Linear(n_features, n_classes)

        def forward(self, X):
            modes.append((self.training, len(X)))
            return self.linear(X)

    clf = CounterfactualTrainedClassifier(
        module=Watched,
        max_epochs=1,
        batch_size=150,
        n_counterfactuals=40,
        random_state=0,
        **ALL_EPOCHS,
    ).fit(*iris)
    first_draw = modes.index((False, 40))
    checks, searches, step = modes[:first_draw], modes[first_draw + 1 : -1], modes[-1]
    assert checks
    assert not any(training for training, _ in checks)
    assert searches
    assert not any(training for training, _ in searches)
    assert step == (True, 150 + 3 * 40)
    assert not clf.net_.module_.training


def test_skorch_callbacks_work(iris):
    clf = CounterfactualTrainedClassifier(
        max_epochs=30,
        lr=0.01,
        random_state=0,
        callbacks=[
            EpochScoring("accuracy", on_train=True, lower_is_better=False, name="train_accuracy"),
            EarlyStopping("train_loss", patience=1, threshold=10.0, sink=lambda text: None),
        ],
    ).fit(*iris)
    assert clf.n_iter_ < 30
    assert 0.3 < clf.history_[-1]["train_accuracy"] <= 1


@pytest.mark.parametrize(
    "callback",
    [Recorder, Recorder(), ("name", Recorder()), LRScheduler("StepLR", step_size=1)],
    ids=["class", "instance", "pair", "scheduler"],
)
def test_callbacks_are_taken_in_all_forms_of_skorch(iris, callback):
    clf = CounterfactualTrainedClassifier(callbacks=[callback], max_epochs=1, random_state=0)
    assert clf.fit(*iris).n_iter_ == 1


def test_loss_and_size_of_each_minibatch_are_recorded_for_callbacks(iris):
    """Skorch's PassthroughScoring averages losses with these sizes as weights."""
    records = []

    class Batches(Callback):
        def on_batch_end(self, net, loss=None, **kwargs):
            batch = net.history[-1]["batches"][-1]
            records.append((batch["train_batch_size"], batch["train_loss"] == loss.item()))

    CounterfactualTrainedClassifier(
        max_epochs=1, batch_size=100, callbacks=[Batches()], random_state=0, **ALL_EPOCHS
    ).fit(*iris)
    assert records == [(100, True), (50, True)]


@pytest.mark.parametrize("generator", [GenericGenerator, ECCCoGenerator])
def test_search_that_runs_away_is_blamed_on_its_step_size(iris, generator):
    clf = CounterfactualTrainedClassifier(
        generator=generator(step_size=1e30), domain=None, random_state=0
    )
    with pytest.raises(NonFiniteLossError, match=f"step_size of {generator.__name__}") as error:
        clf.fit(*iris)
    assert "Lower lr" not in str(error.value)


def test_weights_that_overflow_after_ordinary_searches_are_blamed_on_lr(iris):
    clf = CounterfactualTrainedClassifier(
        lr=1e39, optimizer="sgd", max_epochs=1, batch_size=150, domain=None, random_state=0
    )
    with pytest.raises(NonFiniteLossError, match="Lower lr"):
        clf.fit(*iris)


def test_inert_divergence_is_warned_of_once_with_remedies(iris):
    clf = CounterfactualTrainedClassifier(tau=0.9999, T=1, max_epochs=8, random_state=0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clf.fit(*iris)
        for _ in range(3):
            clf.partial_fit(*iris)
    assert [warning.category for warning in caught] == [InertDivergenceWarning]
    assert caught[0].filename == __file__
    assert all(name in str(caught[0].message) for name in ("tau", "T (now 1)", "lambda_reg"))


def separable():
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    return np.where(y, 5, -5)[:, None] + 0.3 * rng.normal(size=(60, 2)), y


@pytest.mark.parametrize("lambda_reg", [0, 1e-5])
def test_energies_that_run_away_are_warned_of_once_by_the_weight_that_bounds_them(lambda_reg):
    clf = CounterfactualTrainedClassifier(
        lambda_reg=lambda_reg, lr=1.0, weight_decay=0, max_epochs=30, random_state=0
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        clf.fit(*separable())
        for _ in range(3):
            clf.partial_fit(*separable())
    assert [warning.category for warning in caught] == [UnboundedEnergyWarning]
    assert caught[0].filename == __file__
    assert f"lambda_reg (now {lambda_reg})" in str(caught[0].message)


def test_a_ridge_bounds_the_energies():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf = CounterfactualTrainedClassifier(lr=0.1, max_epochs=60, random_state=0)
        clf.fit(*separable())
    assert clf.score(*separable()) == 1


def test_inert_searches_do_not_matter_without_divergence(iris):
    CounterfactualTrainedClassifier(
        tau=0.9999, T=1, max_epochs=8, lambda_div=0, random_state=0
    ).fit(*iris)


@pytest.mark.filterwarnings("error")
def test_warning_turned_into_an_error_leaves_the_estimator_as_it_was(iris):
    clf = CounterfactualTrainedClassifier(
        tau=0.9999, T=1, max_epochs=3, warm_start=True, random_state=0
    ).fit(*iris)
    before = clf.predict_proba(iris[0])
    with pytest.raises(InertDivergenceWarning):
        clf.fit(*iris)
    assert clf.n_iter_ == 3
    np.testing.assert_array_equal(clf.predict_proba(iris[0]), before)


class Spoiler(Callback):
    """Makes the gradient of some minibatches NaN."""

    def __init__(self, spoiled):
        self.spoiled = spoiled

    def initialize(self):
        self.count = 0
        return self

    def on_grad_computed(self, net, named_parameters, **kwargs):
        if self.spoiled(self.count):
            next(iter(net.module_.parameters())).grad.fill_(math.nan)
        self.count += 1


def test_update_that_is_not_finite_is_skipped_with_one_warning(iris):
    spoiler = Spoiler(lambda count: count % 5 == 2)
    clf = CounterfactualTrainedClassifier(max_epochs=4, callbacks=[spoiler], random_state=0)
    with pytest.warns(NonFiniteLossWarning, match="in 4 minibatches.*lambda_reg") as caught:
        clf.fit(*iris)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert [epoch["n_skipped"] for epoch in clf.history_] == [1, 1, 1, 1]
    assert flat_weights(clf.net_.module_).isfinite().all()
    assert np.isfinite(clf.predict_proba(iris[0])).all()


def test_loss_that_is_not_finite_is_skipped(iris):
    X = iris[0].copy()
    X[7] = 3e38
    clf = CounterfactualTrainedClassifier(standardize=False, max_epochs=2, random_state=0)
    with pytest.warns(NonFiniteLossWarning):
        clf.fit(X, iris[1])
    assert flat_weights(clf.net_.module_).isfinite().all()


def test_epoch_without_any_update_is_an_error_that_names_parameters(iris):
    clf = CounterfactualTrainedClassifier(callbacks=[Spoiler(lambda count: True)], random_state=0)
    with pytest.raises(NonFiniteLossError, match="Lower lr, lambda_div, lambda_adv, lambda_reg"):
        clf.fit(*iris)
    assert not hasattr(clf, "net_")


def test_training_that_blows_up_is_refused_and_never_ends_in_nan(iris):
    X, y = iris
    clf = CounterfactualTrainedClassifier(
        lr=1e30, optimizer="sgd", standardize=False, max_epochs=5, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NonFiniteLossWarning)
        with pytest.raises(NonFiniteLossError):
            clf.fit(X * 1e6, y)


def test_weights_that_overflow_are_refused(iris):
    clf = CounterfactualTrainedClassifier(
        lr=1e39, optimizer="sgd", max_epochs=1, batch_size=150, random_state=0
    )
    with pytest.raises(NonFiniteLossError, match="Lower lr"):
        clf.fit(*iris)
    assert not hasattr(clf, "net_")


def test_failed_training_gives_back_the_state_before(iris):
    X, y = iris
    clf = CounterfactualTrainedClassifier(random_state=0).partial_fit(X, y, classes=[0, 1, 2])
    twin = CounterfactualTrainedClassifier(random_state=0).partial_fit(X, y, classes=[0, 1, 2])
    clf.net_.callbacks_ = [("spoiler", Spoiler(lambda count: True).initialize())]
    with pytest.raises(NonFiniteLossError):
        clf.partial_fit(X, y)
    clf.net_.callbacks_ = []
    assert clf.n_iter_ == 1
    np.testing.assert_array_equal(clf.predict_proba(X), twin.predict_proba(X))
    np.testing.assert_array_equal(
        clf.partial_fit(X, y).predict_proba(X), twin.partial_fit(X, y).predict_proba(X)
    )


def test_verbose_follows_the_epochs_on_one_line(iris, capsys):
    clf = CounterfactualTrainedClassifier(max_epochs=3, verbose=1, random_state=0).fit(*iris)
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    last = printed.rstrip("\n").split("\r")[-1]
    assert last.startswith("epoch 3/3")
    for said in (*TERMS, "mature", "s left"):
        assert said in last
    clf.set_params(verbose=0).fit(*iris)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("offset", [4, 16, 48])
def test_rows_are_aligned_like_tensors_of_torch_wherever_numpy_has_them(offset):
    """Otherwise, losses of held-out rows could be rounded differently in another process."""
    buffer = np.zeros(1_000, dtype=np.uint8)
    start = -buffer.ctypes.data % 64 + offset
    X = buffer[start : start + 240].view(np.float32).reshape(20, 3)
    clf = CounterfactualTrainedClassifier(max_epochs=1, random_state=0).fit(
        np.random.default_rng(0).normal(size=(20, 3)), [0, 1] * 10
    )
    iterator = clf.net_.get_iterator(clf.net_.get_dataset(X), training=False)
    assert X.ctypes.data % 64 == offset
    assert iterator.rows.X.data_ptr() % 64 == 0
