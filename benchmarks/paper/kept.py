"""Models and results are stored on disk by the settings that they come from.

An interrupted command resumes where it stopped, and questions share models. A commit that changes
neither settings nor numbers leaves what is stored valid; one that changes numbers raises a version.
"""

import functools
import inspect
import os
import shutil
import tempfile
from pathlib import Path

import joblib

# Raise this number by one if the same settings no longer give the same models: if the package
# trains, searches or encodes differently, or if the rows of a split differ. Every question is then
# computed again. Raise it, too, if stored models cannot be read any more. New defaults of
# parameters need no new version, because parameters are part of each key. If only the measurements
# of a question change, raise the version of this question instead, see `experiment.main`.
PROTOCOL = 1

_CACHE = Path(__file__).parent / ".cache"


def description(estimator):
    """Return the class of an estimator and its parameters, as plain values.

    Generators and other estimators among the parameters are described by their own parameters, so
    that neither the module of a class nor the state of an object is part of a key.
    """
    plain = {
        name: type(value).__name__ if hasattr(value, "get_params") else value
        for name, value in estimator.get_params(deep=True).items()
    }
    return type(estimator).__name__, plain


def _described(value):
    """Return a description of estimators, and other values as they are."""
    return description(value) if hasattr(value, "get_params") else value


class Store:
    """Results of functions in a folder, by the arguments of each call and by versions.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder):
        self.folder = Path(folder)

    def cache(self, function=None, *, version=1, settings=None):
        """Return a function that computes each result once; also a decorator.

        Parameters
        ----------
        function : callable, default=None
            None returns a decorator.
        version : int, default=1
            Version of the function; results of other versions are computed again.
        settings : callable, default=None
            Maps the arguments of a call to other values on which its result depends.
        """
        if function is None:
            return functools.partial(self.cache, version=version, settings=settings)
        return Stored(function, self, version, settings)

    def clear(self):
        """Discard all results."""
        shutil.rmtree(self.folder, ignore_errors=True)


class Stored:
    """A function whose results are stored; `func` computes them without the store."""

    def __init__(self, func, store, version, settings):
        functools.update_wrapper(self, func)
        self.func, self.store, self.version, self.settings = func, store, version, settings

    def __call__(self, *args, **kwargs):
        """Return a stored result, or compute and store it."""
        path = self.path(*args, **kwargs)
        if path.exists():
            try:
                return joblib.load(path)
            except (AttributeError, ImportError):
                # A class that it contains was renamed since: it is computed again.
                path.unlink()
        result = self.func(*args, **kwargs)
        path.parent.mkdir(parents=True, exist_ok=True)
        # A result appears under its name only once it is complete, even if the command is killed.
        handle, unfinished = tempfile.mkstemp(dir=path.parent, suffix=".part")
        os.close(handle)
        joblib.dump(result, unfinished)
        os.replace(unfinished, path)
        return result

    def path(self, *args, **kwargs):
        """Return the file of the result of a call."""
        call = inspect.signature(self.func).bind(*args, **kwargs)
        # A default that is passed explicitly is the same call.
        call.apply_defaults()
        # Parameters are flattened, because their order must not matter.
        arguments = dict(call.arguments)
        for name, parameter in call.signature.parameters.items():
            if parameter.kind is parameter.VAR_KEYWORD:
                arguments |= arguments.pop(name)
        arguments = sorted((name, _described(value)) for name, value in arguments.items())
        others = self.settings(*args, **kwargs) if self.settings else None
        key = joblib.hash((PROTOCOL, self.version, arguments, others))
        # The question and its function, whether it runs as a command or is imported.
        return (
            self.store.folder / f"{self.func.__module__}.{self.func.__qualname__}" / f"{key}.joblib"
        )


# Questions share models and rounds.
MODELS = Store(_CACHE / "models")
OUTCOMES = Store(_CACHE / "outcomes")
