"""Checkpoints: the state of a fit after each epoch, in a file from which it is resumed."""

import contextlib
import hashlib
from numbers import Integral
from pathlib import Path

import numpy as np
import torch

from ctsk._storing.checks import (
    check_contents,
    check_document,
    check_flag,
    check_integer,
    check_record,
)
from ctsk._storing.documents import RESUME, WEIGHTS, complete, split_resume
from ctsk._storing.encoders import constraints_state
from ctsk._storing.files import open_files, remove_leftovers, write_archive
from ctsk._storing.generators import array_of, generator_state, is_own, tensor_of
from ctsk._storing.json_text import LARGEST, compact_json, digest_of, parse_json
from ctsk._storing.nets import (
    mapped,
    net_state,
    other_weights,
    restore_history,
    resume_optimizer,
)
from ctsk._storing.reading_training import part_of, read_history, read_resume
from ctsk._storing.tensors import read_tensors, write_tensors
from ctsk._storing.values import from_json, require, to_json
from ctsk._torch.utils import inference_copy
from ctsk._training.callbacks import BestEpoch, users_callbacks
from ctsk._training.module import N_CHECKED_ROWS
from ctsk._version import __version__
from ctsk.exceptions import ModelFileError

FORMAT = "ctsk.FitCheckpoint"
# A fit that another version has begun is never resumed: formats need not be read forever.
FORMAT_VERSION = 1
DOCUMENT = "checkpoint.json"
_KEYS = (
    "format", "format_version", "ctsk_version", "files", "fit", "is_finished", "history", "best",
    "resume", "digest",
)  # fmt: skip
# What early stopping remembers, apart from the weights of the best epoch.
_BEST = ("misses_", "dynamic_threshold_", "best_epoch_")


def checkpoint_of(estimator, net):
    """Return the checkpoint of a fit.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier
    net : CounterfactualNet or None
        The net whose training a warm start continues.

    Returns
    -------
    checkpoint : FitCheckpoint or None
        None if the estimator has no `checkpoint_dir`.

    Raises
    ------
    ValueError
        If the estimator has a parameter that a resumed fit could not repeat.
    """
    if estimator.checkpoint_dir is None:
        return None
    if not isinstance(estimator.random_state, Integral):
        raise ValueError(
            "checkpoint_dir requires that random_state is an integer; it is "
            f"{estimator.random_state!r:.60}. Otherwise, a fit that is called again draws other "
            "random numbers and never finds its checkpoint. Set random_state=0, for example."
        )
    if estimator.callbacks or (net is not None and users_callbacks(net)):
        raise ValueError(
            "callbacks cannot be combined with checkpoint_dir, because their state cannot be "
            "stored. Set callbacks=None, or checkpoint_dir=None; early_stopping and lr_schedule "
            "are supported."
        )
    # Only the module of a user draws from the global random state.
    return FitCheckpoint(Path(estimator.checkpoint_dir), estimator.module is not None)


class FitCheckpoint:
    """The file that a fit writes after each epoch, and from which it is resumed.

    Its name is a digest of everything that the training depends on, so that a fit finds its own
    file in a folder that it shares with others.

    Parameters
    ----------
    folder : Path
    forks_random_state : bool
        Whether the training draws from torch's global random state, which is forked.

    Attributes
    ----------
    n_epochs : int
        Number of epochs in the history that the file contains.
    is_finished : bool
        Whether the file contains the end of the fit.
    """

    def __init__(self, folder, forks_random_state):
        self.folder = folder
        self.forks_random_state = forks_random_state
        self.is_finished = False
        self._records = []

    def resume(self, net, encoded, labels):
        """Restore the state that is stored for a training, if there is one.

        Parameters
        ----------
        net : CounterfactualNet
            About to be trained. Its history comes last, so that an interruption leaves none of
            the stored epochs or all of their state.
        encoded : ndarray of shape (n_rows, n_columns)
        labels : LongTensor of shape (n_rows,)

        Returns
        -------
        is_finished : bool
            Whether nothing is left to train.

        Raises
        ------
        ModelFileError
            If the file is damaged, or is not of this fit.
        ValueError
            If the folder cannot be created, or if a part of the net cannot be stored.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ValueError(
                f"checkpoint_dir={str(self.folder)!r} cannot be created ({error.strerror}). Pass a "
                "folder in which files can be written."
            ) from error
        forked = self._forked_generators(net)
        self.digest = _digest_of_fit(net, encoded, labels, forked)
        # Half of the digits are enough to tell all fits apart.
        self.path = self.folder / f"{self.digest[:32]}.zip"
        remove_leftovers(self.path)
        try:
            self._restore(net, forked)
        except FileNotFoundError:
            pass
        except ModelFileError as error:
            raise ModelFileError(
                f"The checkpoint {self.path} cannot be resumed. {error} Delete it to begin the fit "
                "anew."
            ) from error
        self.n_epochs = len(net.history)
        return self.is_finished

    def write(self, net, *, is_finished=False):
        """Write the state of a net after an epoch.

        Parameters
        ----------
        net : CounterfactualNet
        is_finished : bool, default=False
            Whether the fit has ended.

        Raises
        ------
        ValueError
            If the state of the module or of the optimizer cannot be stored.
        OSError
            If the file cannot be written. The one that is there stays.
        """
        best, best_weights = _best_epoch(net), {}
        # After a fit, the weights of the net are those of the best epoch.
        if best.best_model_weights_ is not None and not is_finished:
            best_weights = best.best_model_weights_
        with _requiring_plain_state("module"):
            state = net_state(net)
            arrays = {f"module.{name}": values for name, values in state["weights"].items()}
            arrays |= {f"best.{name}": array_of(weights) for name, weights in best_weights.items()}
            for name, generator in self._forked_generators(net).items():
                arrays[f"forked.{name}"] = array_of(generator.get_state())
            files = {WEIGHTS: write_tensors(arrays)}
        with _requiring_plain_state("optimizer"):
            numbers, arrays = split_resume(state["resume"])
            resume = to_json(numbers)
            files[RESUME] = write_tensors(arrays)
        if state["optimizer"] is None and self.n_epochs == 0:
            _check_optimizer(net, resume, arrays)
        # Records of earlier epochs never change; to encode them again would take longer and longer.
        self._records += to_json(state["history"][len(self._records) :])
        document = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "fit": self.digest,
            "is_finished": is_finished,
            "history": self._records,
            "best": to_json({name: getattr(best, name) for name in _BEST}),
            "resume": resume,
        }
        files[DOCUMENT] = compact_json(complete(document, files, __version__))
        write_archive(self.path, files)
        self.n_epochs, self.is_finished = len(net.history), is_finished

    def finish(self, net):
        """Write the state of a net after its fit, unless it was read from the file."""
        if not self.is_finished:
            self.write(net, is_finished=True)

    def _forked_generators(self, net):
        """Return the global generators of random numbers from which the training draws."""
        if not self.forks_random_state:
            return {}
        generators = {"cpu": torch.default_generator}
        if net.device.type == "cuda":
            generators["cuda"] = torch.cuda.default_generators[net.device.index]
        return generators

    def _restore(self, net, forked):
        """Read the file and restore what it contains."""
        with open_files(self.path, (DOCUMENT, WEIGHTS, RESUME)) as read:
            document = parse_json(read(DOCUMENT, LARGEST))
            check_document(document, _KEYS, DOCUMENT, file_format=FORMAT, latest=FORMAT_VERSION)
            require(document["fit"] == self.digest, "it belongs to another fit")
            contents = check_contents(document["files"], read, DOCUMENT, required={WEIGHTS, RESUME})
        arrays = read_tensors(contents[WEIGHTS])
        parts = {name: part_of(arrays, name) for name in ("module", "best", "forked")}
        require(sum(map(len, parts.values())) == len(arrays), "the weights contain unknown arrays")
        for name in ("module", "best"):
            # Without early stopping, there is no best epoch.
            is_alike = (name == "best" and not parts[name]) or not other_weights(
                net.module_, parts[name]
            )
            require(is_alike, f"the weights of {name} are others")
        require(set(parts["forked"]) == set(forked), "the random states are others")
        history = read_history(document["history"])
        resume = read_resume(document["resume"], read_tensors(contents[RESUME]))
        is_finished = check_flag(document["is_finished"], "is_finished")
        _restore_best(_best_epoch(net), document["best"], parts["best"], net.device)
        net.module_.load_state_dict(_tensors(parts["module"]))
        resume_optimizer(net, resume["optimizer"])
        net.random.set_state(tensor_of(resume["random"]))
        for name, generator in forked.items():
            try:
                generator.set_state(tensor_of(parts["forked"][name]))
            except (RuntimeError, TypeError):
                require(False, "a random state is invalid")
        restore_history(net, history)
        self.is_finished = is_finished


def _best_epoch(net):
    return next(callback for _, callback in net.callbacks_ if type(callback) is BestEpoch)


def _restore_best(best, described, weights, device):
    """Restore what early stopping remembers."""
    state = from_json(check_record(described, _BEST, "best"))
    for name in ("misses_", "best_epoch_"):
        check_integer(state[name], name)
    require(type(state["dynamic_threshold_"]) is float, "the best loss is no number")
    vars(best).update(state)
    best.best_model_weights_ = _tensors(weights, device) if weights else None


def _tensors(arrays, device="cpu"):
    return {name: tensor_of(values).to(device) for name, values in arrays.items()}


def _digest_of_fit(net, encoded, labels, forked):
    """Return the digest of everything that the training of a net depends on.

    The same rows and parameters lead to the same digest, and so does a warm start from the same
    state. Whatever does not enter the training, such as the names of columns, is not part of it:
    it is computed again when the fit is called again.
    """
    with _requiring_plain_state("module"):
        state = net_state(net)
        # Whether progress is shown makes no difference.
        del state["shows_progress"]
    parts = {
        "versions": [FORMAT_VERSION, __version__, str(torch.__version__)],
        "net": state,
        "rows": encoded,
        "labels": labels,
        "is_held_out": net.is_held_out,
        "sample_weight": net.sample_weight,
        "constraints": constraints_state(net.constraints),
        "groups": repr(net.constraints.groups),
        "costs": net.costs,
        "module": _identity_of_module(net, encoded),
        "forked": {name: generator.get_state() for name, generator in forked.items()},
    }
    # Of all of this, only the settings of an optimizer of a user can be of any type.
    with _requiring_plain_state("optimizer"):
        digests = {name: digest_of(_plain(part)) for name, part in parts.items()}
        digests["optimizer"] = digest_of(_identity(net.optimizer_))
    with _requiring_plain_state("generator"):
        digests["generator"] = digest_of(_plain(_described_generator(net.generator)))
    return digest_of(digests)


def _plain(value):
    """Return a value as JSON, with digests in place of arrays and tensors."""
    value = mapped(value, torch.Tensor, array_of)
    return to_json(mapped(value, np.ndarray, _digest_of_array))


def _digest_of_array(array):
    digest = hashlib.sha256(np.ascontiguousarray(array)).hexdigest()
    return [array.dtype.str, list(array.shape), digest]


def _described_generator(generator):
    if is_own(generator):
        return generator_state(generator)
    # What it has learned follows from its class, its parameters and the rows.
    return [_identity(generator), generator.get_params(deep=False)]


def _identity_of_module(net, encoded):
    """Return what tells modules with equal weights apart: classes, attributes and logits.

    A grid search over functions that build modules has no other sign of their code.
    """
    rows = torch.tensor(encoded[:N_CHECKED_ROWS], device=net.device)
    logits = inference_copy(net.module_, torch.float32)(rows)
    parts = [[name, _identity(module)] for name, module in net.module_.named_modules()]
    return [parts, logits]


def _identity(instance):
    """Return the class of an object and its public attributes that are plain values."""
    kind = type(instance)
    attributes = {}
    for name, value in vars(instance).items():
        # Attributes of any other type are skipped.
        with contextlib.suppress(TypeError):
            if not name.startswith("_"):
                attributes[name] = _plain(value)
    return [kind.__module__, kind.__qualname__, attributes]


def _check_optimizer(net, described, arrays):
    """Raise a ValueError if the state of a user's optimizer does not survive its storage."""
    before = _plain(net.optimizer_.state_dict())
    problem = "its state changes when it is loaded"
    try:
        resume_optimizer(net, read_resume(described, arrays)["optimizer"])
        is_equal = _plain(net.optimizer_.state_dict()) == before
    except ModelFileError as error:
        # What precedes the colon says that the file is damaged.
        is_equal, problem = False, str(error).partition(": ")[2].rstrip(".")
    if not is_equal:
        raise ValueError(
            f"optimizer={type(net.optimizer_).__name__} cannot be resumed with equal bits "
            f"({problem}). Use another optimizer, or set checkpoint_dir=None."
        )


@contextlib.contextmanager
def _requiring_plain_state(parameter):
    """Convert an error of a state that cannot be stored to a ValueError that names a parameter."""
    try:
        yield
    except (TypeError, AttributeError) as error:
        raise ValueError(
            f"checkpoint_dir requires that the state of {parameter} consists of tensors and plain "
            f"values, but it cannot be stored: {error}. Set checkpoint_dir=None."
        ) from error
