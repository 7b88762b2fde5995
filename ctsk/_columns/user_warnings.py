"""Warnings that point to the user's code, and warnings that are not the user's."""

import contextlib
import functools
import inspect
import threading
import warnings

# Packages whose functions may stand between the user's call and the warning: decorators of
# contextlib, and estimators of scikit-learn that call ours.
_PACKAGES = {"ctsk", "contextlib", "sklearn"}


class _Depth(threading.local):
    """Number of the blocks in which the present thread ignores warnings."""

    def __init__(self, depth=0):
        # Each thread calls this anew.
        self.depth = depth

    def __reduce__(self):
        # Processes of joblib, which receive the filters, ignore warnings in all of their threads.
        return _Depth, (1,)


class _OfThisThread(type):
    """Type of a class to which warnings belong while the present thread ignores them."""

    def __subclasscheck__(cls, category):
        return cls.blocks.depth > 0 and issubclass(category, cls.category)


@functools.cache
def _ignored(category):
    namespace = {"category": category, "blocks": _Depth()}
    return _OfThisThread("IgnoredWarning", (Warning,), namespace)


@contextlib.contextmanager
def ignored_warnings(category=Warning):
    """Ignore warnings of a class that the present thread issues in a block.

    The filters of warnings belong to the process. ``warnings.catch_warnings`` restores them at its
    end, which is wrong if another thread has changed them meanwhile: pandas and scikit-learn enter
    it in many places, and could restore a filter of ours that ignores all warnings. Therefore, the
    filter of this block concerns no other thread, and is taken out of the list by itself.
    """
    ignored, entered = _ignored(category), warnings.filters
    entry = ("ignore", None, ignored, None, 0)
    ignored.blocks.depth += 1
    entered.insert(0, entry)
    try:
        yield
    finally:
        ignored.blocks.depth -= 1
        # Another thread may be inside of catch_warnings, with a copy of the list.
        lists = [entered] if warnings.filters is entered else [entered, warnings.filters]
        for filters in lists:
            # It may have copied the list before the entry.
            with contextlib.suppress(ValueError):
                filters.remove(entry)


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
