import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, Checkpoint, EarlyStopping, LRScheduler

from ctsk import CounterfactualTrainedClassifier
from ctsk._training import net

CONVENTIONAL = {"lambda_div": 0.0, "lambda_adv": 0.0, "lambda_reg": 0.0}


class Recorder(Callback):
    """Keeps the weights at the end of each epoch."""

    def initialize(self):
        self.weights = []
        return self

    def on_epoch_end(self, net, **kwargs):
        weights = torch.nn.utils.parameters_to_vector(net.module_.parameters())
        self.weights.append(weights.detach().clone())


class Interruption(Callback):
    """Interrupts training once, like Ctrl-C, before a minibatch of an epoch."""

    def __init__(self, epoch, batch):
        self.epoch, self.batch = epoch, batch

    def on_batch_begin(self, net, training=None, **kwargs):
        n_begun = len(net.history[-1]["batches"])
        if training and (len(net.history), n_begun - 1) == (self.epoch, self.batch):
            self.epoch = None
            # As the handler of Ctrl-C does, unless a process in the background ignores the signal.
            raise KeyboardInterrupt


def weights_of(clf):
    weights = torch.nn.utils.parameters_to_vector(clf.net_.module_.parameters())
    return weights.detach().clone()


@pytest.mark.parametrize("parameters", [CONVENTIONAL, {}], ids=["BL", "CT"])
def test_training_stops_after_epochs_without_improvement_and_keeps_the_best(diabetes, parameters):
    recorder = Recorder()
    clf = CounterfactualTrainedClassifier(
        **parameters,
        hidden_layer_sizes=(64,),
        lr=1e-2,
        early_stopping=True,
        n_iter_no_change=4,
        n_counterfactuals=50,
        callbacks=[recorder],
        random_state=0,
    ).fit(*diabetes)
    losses = [epoch["valid_loss"] for epoch in clf.history_]
    best = int(np.argmin(losses))
    assert clf.n_iter_ == best + 1 + 4 < 100
    assert torch.equal(weights_of(clf), recorder.weights[best])


def test_epochs_of_a_burn_in_do_not_stop_counterfactual_training(diabetes):
    clf = CounterfactualTrainedClassifier(
        lr=1e-2, early_stopping=True, n_iter_no_change=2, burn_in=0.5, max_epochs=40,
        n_counterfactuals=50, random_state=0,
    ).fit(*diabetes)  # fmt: skip
    assert clf.n_iter_ > 20
    assert sum(not np.isnan(epoch["mature_share"]) for epoch in clf.history_) >= 3


def test_early_stopping_can_be_switched_off_in_a_warm_start(diabetes):
    clf = CounterfactualTrainedClassifier(
        **CONVENTIONAL, lr=1e-2, early_stopping=True, n_iter_no_change=2, warm_start=True,
        random_state=0,
    ).fit(*diabetes)  # fmt: skip
    n_epochs = clf.n_iter_
    assert n_epochs < 100
    clf.set_params(early_stopping=False, max_epochs=30).fit(*diabetes)
    assert clf.n_iter_ == n_epochs + 30
    assert "valid_loss" not in clf.history_[-1]


def test_partial_fit_trains_one_epoch_on_all_rows_whatever_early_stopping_says(diabetes):
    clf = CounterfactualTrainedClassifier(early_stopping=True, random_state=0)
    clf.partial_fit(*diabetes, classes=np.unique(diabetes[1]))
    assert clf.n_iter_ == 1
    assert "valid_loss" not in clf.history_[-1]


@pytest.mark.parametrize(
    "callback",
    [
        EarlyStopping(sink=lambda text: None),
        EarlyStopping("valid_acc", lower_is_better=False, sink=lambda text: None),
        LRScheduler("ReduceLROnPlateau", monitor="valid_loss"),
        LRScheduler("ReduceLROnPlateau"),
        LRScheduler("CosineAnnealingLR", T_max=3),
    ],
    ids=["valid_loss", "valid_acc", "plateau valid_loss", "plateau train_loss", "cosine"],
)
@pytest.mark.parametrize("is_partial", [False, True], ids=["fit", "partial_fit"])
def test_callbacks_of_skorch_work_as_documented(diabetes, callback, is_partial):
    clf = CounterfactualTrainedClassifier(
        callbacks=[callback],
        early_stopping=False,
        max_epochs=3,
        n_counterfactuals=50,
        random_state=0,
    )
    if is_partial:
        for _ in range(2):
            clf.partial_fit(*diabetes, classes=np.unique(diabetes[1]))
    else:
        clf.fit(*diabetes)
    has_valid_loss = "valid_loss" in clf.history_[-1]
    assert has_valid_loss == str(getattr(callback, "monitor", "")).startswith("valid")


@pytest.mark.parametrize("monitor", ["valid_loss_best", "train_loss_best", "valid_acc_best"])
def test_checkpoint_stores_the_best_epoch(diabetes, monitor, tmp_path):
    recorder, checkpoint = Recorder(), Checkpoint(monitor=monitor, dirname=tmp_path)
    clf = CounterfactualTrainedClassifier(
        lr=1e-2, callbacks=[recorder, checkpoint], max_epochs=15, n_counterfactuals=50,
        random_state=0,
    ).fit(*diabetes)  # fmt: skip
    scores = [epoch[monitor.removesuffix("_best")] for epoch in clf.history_]
    best = int(np.argmax(scores) if "acc" in monitor else np.argmin(scores))
    stored = torch.load(tmp_path / "params.pt", weights_only=True)
    vector = torch.cat([weights.flatten() for weights in stored.values()])
    assert torch.equal(vector, recorder.weights[best])


@pytest.mark.parametrize(
    "callback",
    [lambda folder: Checkpoint(dirname=folder), lambda folder: EarlyStopping(patience=1000)],
    ids=["checkpoint", "patience"],
)
def test_rows_held_out_for_a_callback_do_not_stop_the_training(diabetes, callback, tmp_path):
    recorder = Recorder()
    clf = CounterfactualTrainedClassifier(
        **CONVENTIONAL, lr=1e-2, early_stopping=False, n_iter_no_change=2, max_epochs=40,
        callbacks=[recorder, callback(tmp_path)], random_state=0,
    ).fit(*diabetes)  # fmt: skip
    assert clf.n_iter_ == 40
    assert torch.equal(weights_of(clf), recorder.weights[-1])


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (3, "callbacks contains 3, .*not a skorch callback"),
        (("name", 3), r"callbacks contains \('name', 3\)"),
        (int, "callbacks contains <class 'int'>"),
    ],
    ids=["number", "pair", "class"],
)
def test_what_is_no_callback_is_refused_before_training(iris, callback, message):
    recorder = Recorder()
    clf = CounterfactualTrainedClassifier(callbacks=[recorder, callback], random_state=0)
    with pytest.raises(ValueError, match=message):
        clf.fit(*iris)
    assert not hasattr(recorder, "weights")
    assert not hasattr(clf, "net_")


@pytest.mark.parametrize("batch", [0, 3])
@pytest.mark.parametrize("early_stopping", [False, True], ids=["", "held-out rows"])
def test_ctrl_c_keeps_the_last_finished_epoch(diabetes, batch, early_stopping):
    uninterrupted = CounterfactualTrainedClassifier(
        early_stopping=early_stopping, max_epochs=2, random_state=0
    ).fit(*diabetes)
    clf = CounterfactualTrainedClassifier(
        early_stopping=early_stopping,
        max_epochs=5,
        callbacks=[Interruption(3, batch)],
        random_state=0,
    )
    with pytest.warns(UserWarning, match="interrupted after 2 of 5 epochs"):
        clf.fit(*diabetes)
    assert clf.n_iter_ == len(clf.history_) == 2
    assert torch.equal(weights_of(clf), weights_of(uninterrupted))
    np.testing.assert_array_equal(
        clf.predict_proba(diabetes[0]), uninterrupted.predict_proba(diabetes[0])
    )


def test_training_goes_on_after_ctrl_c_as_if_it_had_not_been_interrupted(diabetes):
    settings = {"max_epochs": 4, "random_state": 0, "warm_start": True}
    clf = CounterfactualTrainedClassifier(callbacks=[Interruption(3, 5)], **settings)
    with pytest.warns(UserWarning, match="interrupted after 2 of 4"):
        clf.fit(*diabetes)
    clf.set_params(max_epochs=2).fit(*diabetes)
    uninterrupted = CounterfactualTrainedClassifier(**settings).fit(*diabetes)
    assert torch.equal(weights_of(clf), weights_of(uninterrupted))


def test_ctrl_c_in_the_first_epoch_raises_and_leaves_the_estimator_as_it_was(diabetes):
    clf = CounterfactualTrainedClassifier(callbacks=[Interruption(1, 2)], random_state=0)
    with pytest.raises(KeyboardInterrupt):
        clf.fit(*diabetes)
    assert not hasattr(clf, "net_")


@pytest.mark.parametrize("early_stopping", [False, True])
def test_ctrl_c_between_two_epochs_is_noticed(diabetes, monkeypatch, early_stopping):
    settings = {"early_stopping": early_stopping, "warm_start": True, "random_state": 0}
    clf = CounterfactualTrainedClassifier(max_epochs=4, **settings)
    n_begun, keep_state = [], net.Snapshot

    def interrupted(*args):
        n_begun.append(1)
        if len(n_begun) in (3, 4):
            raise KeyboardInterrupt
        return keep_state(*args)

    monkeypatch.setattr(net, "Snapshot", interrupted)
    with pytest.warns(UserWarning, match="interrupted after 2 of 4 epochs"):
        clf.fit(*diabetes)
    weights = weights_of(clf)
    # Before the first epoch of another fit, nothing changes.
    with pytest.raises(KeyboardInterrupt):
        clf.fit(*diabetes)
    assert clf.n_iter_ == 2
    assert torch.equal(weights_of(clf), weights)


def test_ctrl_c_before_the_first_epoch_raises(diabetes, monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(net, "Snapshot", interrupted)
    clf = CounterfactualTrainedClassifier(random_state=0)
    with pytest.raises(KeyboardInterrupt):
        clf.fit(*diabetes)
    assert not hasattr(clf, "net_")


def test_progress_line_shows_the_held_out_rows(diabetes, capsys):
    CounterfactualTrainedClassifier(
        early_stopping=True, max_epochs=1, verbose=1, random_state=0
    ).fit(*diabetes)
    assert "valid loss 0." in capsys.readouterr().out
