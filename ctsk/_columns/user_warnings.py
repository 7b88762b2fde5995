"""Warnings that point to the user's code, and warnings that are not the user's."""

import contextlib
import inspect
import warnings

from ctsk._torch.threads import ForkSafeLock

# Packages whose functions may stand between the user's call and the warning: decorators of
# contextlib, and estimators of scikit-learn that call ours.
_PACKAGES = {"ctsk", "contextlib", "sklearn"}
# Filters of warnings belong to the process. If a thread restores them in between the two ends of
# a block of another thread, that block ends by restoring the filters that ignore all warnings.
_FILTERS = ForkSafeLock()


@contextlib.contextmanager
def ignored_warnings(category=Warning):
    """Ignore warnings of a class in a block, which runs in one thread at a time."""
    with _FILTERS.held(), warnings.catch_warnings():
        warnings.simplefilter("ignore", category)
        yield


def warn_user(message, category):
    """Issue a warning that points to the line from which the user called ctsk.

    Parameters
    ----------
    message : str
    category : type
        The class of the warning.
    """
    # Counted rather than fixed, because the same check is reached by several paths. At level 1,
    # a warning points to the frame that calls `warnings.warn`: this one.
    frame, level = inspect.currentframe(), 1
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] in _PACKAGES:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
