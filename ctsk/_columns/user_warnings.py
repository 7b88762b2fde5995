"""Warnings that point to the user's code, and warnings that are not the user's."""

import contextlib
import inspect
import re
import threading
import warnings

# Packages whose functions may stand between the user's call and the warning: decorators of
# contextlib, and estimators of scikit-learn that call ours.
_PACKAGES = {"ctsk", "contextlib", "sklearn"}


class _InOneThread(threading.local):
    """The text of a filter of warnings: that of each warning of one thread, and of no others."""

    # Both are functions of C, so that no other thread runs, and changes the filters, in between.
    match = frozenset().__contains__

    def match_in_this_thread(self):
        """Match each text in the present thread."""
        # An attribute of a local object belongs to the thread that sets it.
        self.match = type

    def __reduce__(self):
        # Jobs of scikit-learn receive the filters; what is ignored here is ignored there.
        return re.compile, ("",)


@contextlib.contextmanager
def ignored_warnings(category=Warning):
    """Ignore warnings of a class that the present thread issues in a block.

    The filters of warnings belong to the process. ``warnings.catch_warnings`` restores them at its
    end, which is wrong if another thread has changed them meanwhile: pandas and scikit-learn enter
    it in many places, and would restore a filter that ignores all warnings. Here, a filter of one
    thread is entered into the list, and taken out of it.
    """
    text = _InOneThread()
    text.match_in_this_thread()
    entered, entry = warnings.filters, ("ignore", text, category, None, 0)
    entered.insert(0, entry)
    try:
        yield
    finally:
        # Another thread may be inside of catch_warnings, with a copy of the list.
        for filters in (entered, warnings.filters):
            if entry in filters:
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
