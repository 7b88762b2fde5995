"""Warnings that point to the user's code."""

import inspect
import warnings

# Packages whose functions may stand between the user's call and the warning: decorators of
# contextlib, and estimators of scikit-learn that call ours.
_PACKAGES = {"ctsk", "contextlib", "sklearn"}


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
