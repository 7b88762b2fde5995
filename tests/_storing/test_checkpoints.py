"""A fit that is interrupted after any epoch goes on, and ends with equal bits."""

import contextlib
import functools
import json
import os
import pickle
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import hostile_kills
import numpy as np
import pandas as pd
import pytest
import torch
from hostile_files import in_order, resigned
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import LRScheduler

import ctsk
from ctsk import CounterfactualTrainedClassifier, GradientGenerator, REVISEGenerator
from ctsk._storing.checkpoints import FitCheckpoint
from ctsk._storing.documents import complete
from ctsk._storing.json_text import compact_json
from ctsk._storing.state import fitted_state
from ctsk._training.net import CounterfactualNet
from ctsk.exceptions import ModelFileError

pytestmark = [
    pytest.mark.filterwarnings("ignore:In each of the last"),
    pytest.mark.filterwarnings("ignore:The autoencoder of REVISEGenerator"),
]

CONVENTIONAL = {"lambda_div": 0.0, "lambda_adv": 0.0, "lambda_reg": 0.0}
FAST = {"max_epochs": 4, "lr": 0.02, "n_counterfactuals": 40, "random_state": 0}


class Killed(BaseException):
    """Ends a fit as abruptly as the end of its process."""


class Noisy(torch.nn.Module):
    """A module with running statistics and dropout, from the global random state."""

    def __init__(self, n_features, n_classes, p=0.3, scale=1.0):
        super().__init__()
        self.linear = torch.nn.Linear(n_features, n_classes)
        self.norm = torch.nn.BatchNorm1d(n_features)
        self.p = p
        self.hook = lambda logits: scale * logits

    def forward(self, rows):
        rows = torch.nn.functional.dropout(self.norm(rows), self.p, self.training)
        return self.hook(self.linear(rows))


class Squared(GradientGenerator):
    """A generator of a user, which learns a center."""

    def __init__(self, step_size=0.25, weight=0.01):
        self.step_size = step_size
        self.weight = weight

    def learn(self, reference):
        self.center_ = reference.rows.mean(dim=0)
        return self

    def penalty(self, step):
        return self.weight * (step.rows - self.center_).square().sum(dim=1)


FITS = {
    "conventional": CONVENTIONAL,
    "counterfactual": {"early_stopping": False},
    "burn-in": {"burn_in": 0.5},
    "early stopping": {
        "early_stopping": True, "max_epochs": 30, "lr": 0.1, "n_iter_no_change": 2,
    },
    "cosine": {"lr_schedule": "cosine"},
    "dropout": {"dropout": 0.3, "class_weight": "balanced", "label_smoothing": 0.1},
    "module": {"module": Noisy, "max_epochs": 6, "early_stopping": True, "n_iter_no_change": 2},
    "optimizer": {"optimizer": functools.partial(torch.optim.SGD, momentum=0.9)},
    "optimizer with scalars": {"optimizer": torch.optim.NAdam},
    "optimizer with rows and columns": {"optimizer": torch.optim.Adafactor},
    "quantiles": {"standardize": "quantile", "generator": "generic"},
    "latent codes": {"generator": REVISEGenerator(max_iter=20)},
    "own generator": {"generator": Squared(), "verbose": 1},
}  # fmt: skip


def estimator(folder=None, **settings):
    return CounterfactualTrainedClassifier(**{**FAST, **settings}, checkpoint_dir=folder)


def state_of(clf):
    """Return all that a fit has determined as text, in which NaN equals itself."""
    with np.printoptions(threshold=10**9, floatmode="unique"):
        return repr(in_order(fitted_state(vars(clf))))


@contextlib.contextmanager
def dying_after(monkeypatch, n_writes, error=Killed):
    """Let fits die once they have written so many checkpoints, except the last one of a fit."""
    write, n_written = FitCheckpoint.write, []

    def dying_write(checkpoint, net, *, is_finished=False):
        write(checkpoint, net, is_finished=is_finished)
        n_written.append(1)
        if len(n_written) == n_writes and not is_finished:
            raise error

    with monkeypatch.context() as patch:
        patch.setattr(FitCheckpoint, "write", dying_write)
        yield


def interrupted_after_each_epoch(monkeypatch, settings, rows, weights=None):
    """Call a fit until it ends, each time for one epoch; return the classifier and the calls."""
    for n_calls in range(1, 100):
        clf = estimator(**settings)
        with dying_after(monkeypatch, 1), contextlib.suppress(Killed):
            return clf.fit(*rows, sample_weight=weights), n_calls
        assert not hasattr(clf, "net_")


@pytest.mark.parametrize("name", FITS)
def test_a_fit_that_dies_after_each_epoch_ends_with_equal_bits(name, loans, tmp_path, monkeypatch):
    settings, rows = FITS[name], (loans[0].head(120), loans[1].head(120))
    uninterrupted = estimator(**settings).fit(*rows)
    clf, n_calls = interrupted_after_each_epoch(monkeypatch, {**settings, "folder": tmp_path}, rows)
    assert n_calls == uninterrupted.n_iter_ > 1
    assert state_of(clf) == state_of(uninterrupted)
    assert repr(clf.history_) == repr(uninterrupted.history_)
    X = loans[0].head(8)
    np.testing.assert_array_equal(clf.predict_proba(X), uninterrupted.predict_proba(X))
    explanations = [model.explain(X, T=5) for model in (clf, uninterrupted)]
    pd.testing.assert_frame_equal(*(part.counterfactual for part in explanations))
    # The fit has no other file than that of its end, and is not trained again.
    (path,) = tmp_path.iterdir()
    written = path.stat().st_mtime_ns
    monkeypatch.setattr(CounterfactualNet, "run_single_epoch", None)
    assert state_of(estimator(tmp_path, **settings).fit(*rows)) == state_of(uninterrupted)
    assert path.stat().st_mtime_ns == written


def test_weights_of_rows_are_part_of_a_resumed_fit(diabetes, tmp_path, monkeypatch):
    weights = np.random.default_rng(0).uniform(0.1, 2, len(diabetes[1]))
    uninterrupted = estimator().fit(*diabetes, sample_weight=weights)
    clf, _ = interrupted_after_each_epoch(monkeypatch, {"folder": tmp_path}, diabetes, weights)
    assert state_of(clf) == state_of(uninterrupted)


def test_a_part_of_a_module_that_stays_in_eval_mode_stays_so(diabetes, tmp_path, monkeypatch):
    def build(n_features, n_classes):
        module = Noisy(n_features, n_classes)
        module.norm.eval()
        return module

    settings = {**CONVENTIONAL, "module": build, "early_stopping": True}
    uninterrupted = estimator(**settings).fit(*diabetes)
    # Its running statistics are still those of a new module.
    assert not uninterrupted.net_.module_.norm.running_mean.any()
    clf, _ = interrupted_after_each_epoch(monkeypatch, {**settings, "folder": tmp_path}, diabetes)
    assert state_of(clf) == state_of(uninterrupted)


# A change of each of these parameters is another fit.
CHANGES = {
    "hidden_layer_sizes": (8,), "activation": "tanh", "module": Noisy, "lambda_div": 0.1,
    "lambda_adv": 0.1, "lambda_reg": 0.2, "tau": 0.6, "T": 20, "epsilon": 0.2,
    "n_counterfactuals": 30, "burn_in": 1.0, "generator": "generic",
    "mutability": {"children": "none"}, "domain": {"income": (0, 9_000)},
    "feature_costs": {"income": 2.0},
    "categorical_features": ["children", "grade", "job", "owner"],
    "special_values": {"children": [4]}, "standardize": "quantile", "optimizer": "sgd",
    "lr": 0.03, "lr_schedule": "cosine", "weight_decay": 0.2, "label_smoothing": 0.1,
    "dropout": 0.1, "batch_size": 50, "max_epochs": 2, "early_stopping": False,
    "validation_fraction": 0.2, "n_iter_no_change": 5, "class_weight": {"granted": 2, "refused": 1},
    "random_state": 1,
}  # fmt: skip
# What these change is computed again in every call, or nothing in the training.
WITHOUT_EFFECT = {
    "resolution": None, "handle_unknown": "error", "warm_start": True, "verbose": 1,
}  # fmt: skip
# These cannot be changed in this table and on this machine, or not together with a checkpoint.
OTHERS = {"one_hot_groups", "callbacks", "device", "checkpoint_dir"}


def test_every_parameter_is_known_to_change_the_fit_or_not():
    names = set(CounterfactualTrainedClassifier().get_params(deep=False))
    assert CHANGES.keys() | WITHOUT_EFFECT.keys() | OTHERS == names


def test_a_fit_with_other_parameters_does_not_resume(loans, tmp_path):
    settings = {"max_epochs": 1}
    whole = estimator(tmp_path, **settings).fit(*loans)
    for n_files, (name, value) in enumerate(CHANGES.items(), start=2):
        estimator(tmp_path, **{**settings, name: value}).fit(*loans)
        assert len(list(tmp_path.iterdir())) == n_files, name
    for name, value in WITHOUT_EFFECT.items():
        clf = estimator(tmp_path, **{**settings, name: value}).fit(*loans)
        assert len(list(tmp_path.iterdir())) == n_files, name
        np.testing.assert_array_equal(clf.predict_proba(loans[0]), whole.predict_proba(loans[0]))


def test_a_fit_on_other_rows_does_not_resume(loans, tmp_path):
    X, y = loans
    other_cell, other_label = X.copy(), y.copy()
    other_cell.iloc[5, 0] += 100
    other_label.iloc[5] = "refused" if y.iloc[5] == "granted" else "granted"
    for n_files, (rows, labels, weights) in enumerate(
        [
            (X, y, None),
            (other_cell, y, None),
            (X, other_label, None),
            (X.iloc[::-1], y.iloc[::-1], None),
            (X, y, np.linspace(1, 2, len(X))),
        ],
        start=1,
    ):
        estimator(tmp_path, max_epochs=1).fit(rows, labels, sample_weight=weights)
        assert len(list(tmp_path.iterdir())) == n_files


@pytest.mark.parametrize("other", [{"p": 0.4}, {"scale": 2.0}], ids=["an attribute", "a function"])
def test_modules_of_equal_weights_are_told_apart(diabetes, tmp_path, other):
    for arguments in ({}, other):
        module = functools.partial(Noisy, **arguments)
        estimator(tmp_path, max_epochs=1, module=module).fit(*diabetes)
    assert len(list(tmp_path.iterdir())) == 2


def test_generators_of_other_parameters_are_told_apart(diabetes, tmp_path):
    for weight in (0.01, 0.02):
        estimator(tmp_path, max_epochs=1, generator=Squared(weight=weight)).fit(*diabetes)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_killed_grid_search_resumes_as_a_whole(diabetes, tmp_path, monkeypatch):
    def search(folder):
        grid = {"lambda_reg": [0.05, 0.5]}
        return GridSearchCV(estimator(folder, max_epochs=2), grid, cv=2, scoring="neg_log_loss")

    expected = search(None).fit(*diabetes)
    # The third write is in the middle of the second fit.
    with dying_after(monkeypatch, 3), pytest.raises(Killed):
        search(tmp_path).fit(*diabetes)
    assert len(list(tmp_path.iterdir())) == 2
    resumed = search(tmp_path).fit(*diabetes)
    np.testing.assert_array_equal(
        resumed.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )
    # Two parameters on two folds each, and the refit.
    assert len(list(tmp_path.iterdir())) == 5
    assert state_of(resumed.best_estimator_) == state_of(expected.best_estimator_)


def test_a_warm_start_resumes_from_the_same_state_only(diabetes, tmp_path, monkeypatch):
    former = estimator(warm_start=True, random_state=3).fit(*diabetes)
    uninterrupted = pickle.loads(pickle.dumps(former)).fit(*diabetes)
    assert uninterrupted.n_iter_ == 8
    for n_writes in (1, 2):
        clf = pickle.loads(pickle.dumps(former)).set_params(checkpoint_dir=tmp_path)
        with dying_after(monkeypatch, n_writes), pytest.raises(Killed):
            clf.fit(*diabetes)
        assert state_of(clf) == state_of(former)
    assert state_of(clf.fit(*diabetes)) == state_of(uninterrupted)
    # The next one starts from another state.
    clf.fit(*diabetes)
    assert len(list(tmp_path.iterdir())) == 2


def test_ctrl_c_keeps_the_last_epoch_and_the_fit_can_be_resumed(
    diabetes, tmp_path, monkeypatch, capsys
):
    clf = estimator(tmp_path, verbose=1)
    # Ctrl-C hits the moment at which the second epoch has been written.
    with dying_after(monkeypatch, 2, KeyboardInterrupt):
        with pytest.warns(UserWarning, match="interrupted after 2 of 4 epochs"):
            clf.fit(*diabetes)
    assert clf.n_iter_ == 2
    assert "epoch 4/4" not in capsys.readouterr().out
    assert state_of(clf.fit(*diabetes)) == state_of(estimator(verbose=1).fit(*diabetes))
    assert "epoch 4/4" in capsys.readouterr().out


def test_partial_fit_ignores_the_folder(diabetes, tmp_path):
    clf = estimator(tmp_path / "checkpoints").partial_fit(*diabetes, classes=["fast", "slow"])
    assert clf.n_iter_ == 1
    assert list(tmp_path.iterdir()) == []


def test_temporary_files_of_killed_processes_are_deleted_an_hour_later(diabetes, tmp_path):
    estimator(tmp_path).fit(*diabetes)
    (path,) = tmp_path.iterdir()
    old, new, other = (
        tmp_path / name for name in (f".{path.name}.0a", f".{path.name}.1b", ".other.zip.2c")
    )
    for temporary in (old, new, other):
        temporary.write_bytes(b"half")
    for temporary in (old, other):
        os.utime(temporary, (time.time() - 4_000,) * 2)
    estimator(tmp_path).fit(*diabetes)
    assert set(tmp_path.iterdir()) == {path, new, other}


DAMAGES = {
    "truncated": lambda content: content[:-100],
    "empty": lambda content: b"",
    "flipped": lambda content: content.replace(b'"is_finished":true', b'"is_finished":null'),
    "no archive": lambda content: b"no archive",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_an_error_that_names_the_file(diabetes, tmp_path, damage):
    estimator(tmp_path, max_epochs=1).fit(*diabetes)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    path.write_bytes(DAMAGES[damage](content))
    assert path.read_bytes() != content
    clf = estimator(tmp_path, max_epochs=1)
    with pytest.raises(ModelFileError, match=f"{path.name} cannot be resumed.* Delete it"):
        clf.fit(*diabetes)
    assert not hasattr(clf, "net_")
    path.unlink()
    clf.fit(*diabetes)


def test_a_checkpoint_under_another_name_is_rejected(diabetes, tmp_path):
    paths = []
    for seed in (0, 1):
        estimator(tmp_path / str(seed), max_epochs=1, random_state=seed).fit(*diabetes)
        paths += (tmp_path / str(seed)).iterdir()
    os.replace(paths[1], paths[0])
    with pytest.raises(ModelFileError, match="another fit"):
        estimator(tmp_path / "0", max_epochs=1).fit(*diabetes)


def edited(path, edit):
    """Write a checkpoint with an edited document, whose digests are right."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    document = json.loads(files["checkpoint.json"])
    edit(document)
    others = {name: files[name] for name in files if name != "checkpoint.json"}
    content = {key: document[key] for key in document if key not in ("digest", "files")}
    files["checkpoint.json"] = compact_json(complete(content, others, content.pop("ctsk_version")))
    with zipfile.ZipFile(path, "w") as archive:
        for name, part in files.items():
            archive.writestr(name, part)


EDITS = {
    "history": lambda document: document.update(history={}),
    "best": lambda document: document["best"].update(misses_="many"),
    "threshold": lambda document: document["best"].update(dynamic_threshold_=[]),
    "flag": lambda document: document.update(is_finished=1),
    "optimizer": lambda document: document["resume"]["param_groups"].pop(),
    "key": lambda document: document.update(code="import os"),
    "version": lambda document: document.update(format_version=2),
    "format": lambda document: document.update(format="ctsk.CounterfactualTrainedClassifier"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_checkpoint_with_right_digests_but_invalid_content_is_rejected(diabetes, tmp_path, edit):
    estimator(tmp_path, max_epochs=1).fit(*diabetes)
    (path,) = tmp_path.iterdir()
    edited(path, EDITS[edit])
    with pytest.raises(ModelFileError, match="Delete it"):
        estimator(tmp_path, max_epochs=1).fit(*diabetes)


class Accumulating(torch.optim.SGD):
    """An optimizer with a state in float64, which torch loads in float32."""

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for weight in group["params"]:
                total = self.state[weight].setdefault("total", weight.new_zeros(()).double())
                total += weight.grad.double().sum() / 3
        super().step()


class WithObject(torch.optim.SGD):
    """An optimizer with a setting that is an object."""

    def __init__(self, params, lr):
        super().__init__(params, lr)
        self.param_groups[0]["schedule"] = object()


class WithExtraState(Noisy):
    """A module whose state is more than tensors."""

    def get_extra_state(self):
        return {"n_calls": 3}

    def set_extra_state(self, state):
        """Ignore the state."""


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"random_state": None}, "checkpoint_dir requires that random_state is an integer"),
        ({"random_state": np.random.RandomState(0)}, "random_state is an integer.*RandomState"),
        ({"callbacks": [LRScheduler()]}, "callbacks cannot be combined with checkpoint_dir"),
        ({"optimizer": Accumulating}, "optimizer=Accumulating cannot be resumed"),
        ({"optimizer": WithObject}, "state of optimizer .* builtins.object"),
        ({"module": WithExtraState}, "state of module .* cannot be stored"),
        ({"generator": Squared(weight=object())}, "state of generator .* builtins.object"),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value)),
)
def test_what_cannot_be_resumed_is_an_error_that_names_the_parameter(
    diabetes, tmp_path, settings, message
):
    clf = estimator(tmp_path, **settings)
    with pytest.raises(ValueError, match=message):
        clf.fit(*diabetes)
    assert not hasattr(clf, "net_")
    assert list(tmp_path.iterdir()) == []


def test_a_net_with_callbacks_of_its_first_fit_has_no_checkpoints(diabetes, tmp_path):
    clf = estimator(callbacks=[LRScheduler()], warm_start=True).fit(*diabetes)
    with pytest.raises(ValueError, match="callbacks cannot be combined"):
        clf.set_params(callbacks=None, checkpoint_dir=tmp_path).fit(*diabetes)


def test_a_folder_that_cannot_be_created_is_an_error(diabetes, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="checkpoint_dir='.*file' cannot be created"):
        estimator(str(tmp_path / "file")).fit(*diabetes)


def test_a_stored_model_does_not_know_the_folder(diabetes, tmp_path):
    clf = estimator(tmp_path / "checkpoints").fit(*diabetes)
    assert clone(clf).checkpoint_dir == tmp_path / "checkpoints"
    ctsk.save(clf, tmp_path / "model")
    assert "checkpoint" not in (tmp_path / "model" / "model.json").read_text()
    assert ctsk.load(tmp_path / "model").checkpoint_dir is None


def test_a_stored_model_cannot_choose_a_folder(diabetes, tmp_path):
    ctsk.save(estimator().fit(*diabetes), tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    document = json.loads(path.read_text())
    document["parameters"]["checkpoint_dir"] = "elsewhere"
    files = {part.name: part.read_bytes() for part in path.parent.iterdir()}
    path.write_bytes(resigned(files, document)["model.json"])
    with pytest.raises(ModelFileError, match="a parameter is unknown"):
        ctsk.load(tmp_path / "model")


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_checkpoint_takes_three_times_the_space_of_the_weights_and_four_until_it_stops(
    diabetes, tmp_path, monkeypatch, early_stopping
):
    """The weights, two averages of Adam, and, until a fit is finished, the best weights."""
    settings = {"hidden_layer_sizes": (400, 400), "early_stopping": early_stopping, **CONVENTIONAL}
    clf = estimator(tmp_path, **settings, max_epochs=2)
    with dying_after(monkeypatch, 1), contextlib.suppress(Killed):
        clf.fit(*diabetes)
    (file,) = tmp_path.iterdir()
    size_before_the_end = file.stat().st_size
    clf.fit(*diabetes)
    n_bytes = sum(w.numel() * w.element_size() for w in clf.net_.module_.parameters())
    assert size_before_the_end / n_bytes == pytest.approx(4 if early_stopping else 3, rel=0.05)
    assert file.stat().st_size / n_bytes == pytest.approx(3, rel=0.05)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="This system has no SIGKILL.")
@pytest.mark.parametrize("kind", ["half written", "after its name"])
def test_a_process_that_is_killed_at_writing_leaves_a_checkpoint(tmp_path, kind):
    script = (
        "import hostile_kills, multiprocessing\n"
        "_, sender = multiprocessing.Pipe()\n"
        f"hostile_kills.fit_to_be_killed('stopped early', {str(tmp_path)!r}, ({kind!r}, 3), sender)"
    )
    folders = map(str, (Path(hostile_kills.__file__).parent, Path(ctsk.__file__).parents[1]))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    process = subprocess.run([sys.executable, "-c", script], env=environment)
    assert process.returncode == -signal.SIGKILL
    n_stored = hostile_kills.n_stored(tmp_path)
    assert n_stored == (3 if kind == "after its name" else 2)
    uninterrupted = hostile_kills.fit("stopped early", None)
    resumed = hostile_kills.fit("stopped early", tmp_path)
    assert resumed["digest"] == uninterrupted["digest"]
    assert resumed["n_trained"] == uninterrupted["n_trained"] - n_stored
