"""Picture of what one person would have to change."""

import itertools

from ctsk._explaining.recourse import describe, wording_of
from ctsk.plotting.page import Page

# Lengths are in points. An option is narrower than this only if the whole picture is.
_LEAST_CARD_WIDTH = 185.0
_MARGIN, _GAP = 9.0, 14.0
# Numbers of changes of an option, and of other features, that are tried until they fit.
_NUMBERS_SHOWN = ((8, 10), (5, 6), (3, 3), (1, 1))
_FONT_SCALES = (1.0, 0.9, 0.8, 0.7)


class RecourseDisplay:
    """Picture of what one person would have to change.

    Alternatives are side by side where the figure is wide enough, and one below the other
    otherwise. The features that stay as they are follow, and, in gray italics, those that
    cannot change. Use :meth:`from_explanation` or :meth:`ctsk.Explanation.plot` to create a
    display.

    Parameters
    ----------
    recourse : Recourse
        The classes, the options and the other features, in words.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the picture.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    See Also
    --------
    ctsk.Explanation.to_text : The same as a letter.
    ctsk.Explanation.changes : The changes of all rows as a DataFrame.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("agg")
    >>> from sklearn.datasets import load_iris
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.plotting import RecourseDisplay
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> clf = CounterfactualTrainedClassifier(max_epochs=10, lr=0.01, random_state=0).fit(X, y)
    >>> explanation = clf.explain(X.head(3), target=1, n_alternatives=2)
    >>> display = RecourseDisplay.from_explanation(explanation, row=2)
    >>> display.figure_
    <Figure size ...>
    """

    def __init__(self, *, recourse):
        self.recourse = recourse

    @classmethod
    def from_explanation(cls, explanation, row=0, *, labels=None, units=None, ax=None):
        """Plot what would have to change for one factual of an explanation.

        Parameters
        ----------
        explanation : Explanation
            Result of ``explain``.
        row : int, default=0
            Position of the factual among the factuals of the explanation, with all of its
            alternatives.
        labels : dict or None, default=None
            Readable words for features, values and classes; see
            :meth:`ctsk.Explanation.to_text`.
        units : dict or None, default=None
            Units of numbers by feature.
        ax : matplotlib Axes, default=None
            Axes to plot on, in which font and number of features are reduced until all fits.
            If None, a new figure of the default width is created, as high as it must be.

        Returns
        -------
        display : RecourseDisplay

        Raises
        ------
        IndexError
            If there is no factual at this position.
        TypeError
            If `row` is no integer.
        ValueError
            If `labels` or `units` name a feature, a value or a class that does not exist.
        """
        recourse = describe(explanation, row, wording_of(explanation, labels, units))
        return cls(recourse=recourse).plot(ax=ax)

    def plot(self, *, ax=None):
        """Plot the changes.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.

        Returns
        -------
        display : RecourseDisplay
            The display itself.
        """
        import matplotlib.pyplot as plt

        if ax is None:
            figure = plt.figure()
            ax = figure.add_axes((0, 0, 1, 1))
            width, _ = _size(ax)
            page = _page(self.recourse, width, 1.0, *_NUMBERS_SHOWN[0])
            figure.set_figheight(page.height / 72)
            height = page.height
        else:
            width, height = _size(ax)
            page = _fitting(self.recourse, width, height)
        ax.set(xlim=(0, width), ylim=(height, 0))
        ax.axis("off")
        page.draw(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _size(ax):
    """Return width and height of axes in points."""
    box = ax.get_window_extent()
    # `ax.figure` may be a part of the figure, which has the resolution of the whole.
    dpi = ax.figure.dpi
    return box.width * 72 / dpi, box.height * 72 / dpi


def _fitting(recourse, width, height):
    """Return the largest page that fits into a height."""
    for scale, numbers in itertools.product(_FONT_SCALES, _NUMBERS_SHOWN):
        page = _page(recourse, width, scale, *numbers)
        if page.height <= height:
            return page
    # The smaller the font, the more fits into a line, so that this ends.
    while page.height > height and scale > 0.05:
        scale *= 0.9
        page = _page(recourse, width, scale, *_NUMBERS_SHOWN[-1])
    return page


def _page(recourse, width, scale, n_changes, n_names):
    """Return the page of a recourse, in a width and with a scale of fonts."""
    page = Page(scale)
    inner = width - 2 * _MARGIN
    y = _add_heading(page, recourse, inner)
    several = len(recourse.options) > 1

    def add_option(number, x, y, width):
        title = f"Option {number + 1}" if several else "Changes"
        return _add_option(page, recourse, recourse.options[number], title, x, y, width, n_changes)

    if recourse.options:
        y = _in_columns(page, len(recourse.options), add_option, _MARGIN, y, inner) + _GAP * scale
    page.height = _add_others(page, recourse, y, inner, n_names) + _MARGIN
    return page


def _in_columns(page, n_items, add, x, y, width, gap=_GAP):
    """Add items side by side, as many as there is room for, row by row; return the y below.

    Parameters
    ----------
    page : Page
    n_items : int
    add : callable
        Adds the item of a number at x and y in a width, and returns the y below.
    x, y, width : float
    gap : float
        Space between two rows.
    """
    n_columns = int((width + _GAP) // (_LEAST_CARD_WIDTH * page.scale + _GAP))
    n_columns = max(1, min(n_columns, n_items))
    item_width = (width - (n_columns - 1) * _GAP) / n_columns
    for start in range(0, n_items, n_columns):
        # Items of one row begin at the same height, below the longest of the row before.
        y += gap * page.scale * (start > 0)
        numbers = range(start, min(start + n_columns, n_items))
        bottoms = [
            add(number, x + (number - start) * (item_width + _GAP), y, item_width)
            for number in numbers
        ]
        y = max(bottoms)
    return y


def _add_heading(page, recourse, width):
    """Add what is predicted and what is to be reached; return the y below."""
    now = f"Now: {recourse.prediction} (probability {recourse.prediction_probability})"
    y = page.add_text(now, _MARGIN, _MARGIN, width, "title")
    if recourse.is_reached:
        return page.add_text("Nothing has to change.", _MARGIN, y, width, "title")
    return page.add_text(_goal(recourse), _MARGIN, y, width, "title") + _GAP * page.scale / 2


def _goal(recourse):
    """Return the line on what is to be reached."""
    if recourse.options:
        if recourse.is_already:
            return f"Required probability: {recourse.required}"
        one = " of one option" if len(recourse.options) > 1 else ""
        return f"With the changes{one}: {recourse.target}"
    goal = f"to {recourse.target} with a probability of at least {recourse.required}"
    if recourse.proof == "impossible":
        return f"It is proven that no permitted changes lead {goal}."
    return f"No permitted changes were found that lead {goal}."


def _add_option(page, recourse, option, title, x, y, width, n_changes):
    """Add the changes of one option; return the y below."""
    y = page.add_text(title, x, y, width, "title")
    chance = f"probability of {recourse.target}: {option.probability}"
    if not option.is_mature:
        chance += f", less than the required {recourse.required}"
    y = page.add_text(chance, x, y, width, "muted")

    def add_change(number, x, y, width):
        return _add_change(page, option.changes[number], x, y, width)

    y += 5 * page.scale
    n_shown = min(n_changes, len(option.changes))
    y = _in_columns(page, n_shown, add_change, x, y, width, gap=5)
    n_left = len(option.changes) - n_changes
    if n_left > 0:
        text = f"and {n_left} smaller change{'s' * (n_left != 1)}"
        y = page.add_text(text, x, y + 5 * page.scale, width, "name")
    return y


def _add_change(page, change, x, y, width):
    """Add the change of one feature; return the y below."""
    page.add_rule(x, y, width)
    y = page.add_text(change.name, x, y + 3 * page.scale, width, "name")
    both = f"{change.before} → {change.after}"
    triangle, style = ("▲", "rise") if change.direction > 0 else ("▼", "fall")
    difference = f"{triangle} {change.difference}"
    indent = page.width_of(f"{both}    ", "plain")
    top = y
    if page.width_of(both, "plain") <= width:
        y = page.add_text(both, x, y, width, "plain")
    else:
        y = page.add_text(f"from {change.before}", x, y, width, "plain")
        y = page.add_text(f"→ to {change.after}", x, y, width, "plain")
    if change.difference and indent + page.width_of(difference, style) <= width:
        page.add_text(difference, x + indent, top, width - indent, style)
    elif change.difference:
        y = page.add_text(difference, x, y, width, style)
    return page.add_bar(change.share, x, y, width)


def _add_others(page, recourse, y, width, n_names):
    """Add the features that no option changes; return the y below."""
    if any(option.changes for option in recourse.options):
        legend = "Bars: share of each change in the total cost of its option."
        y = page.add_text(legend, _MARGIN, y, width, "muted") + 3 * page.scale
    if recourse.unchanged and not recourse.is_reached:
        lead = "May stay as they are" if recourse.options else "Could change"
        y = _add_names(page, lead, recourse.unchanged, y, width, "muted", n_names)
        y += 3 * page.scale
    if recourse.immutable and not recourse.is_reached:
        names = recourse.immutable
        y = _add_names(page, "Cannot change", names, y, width, "immutable", n_names)
    return y


def _add_names(page, lead, names, y, width, style, most):
    """Add as many names as fit, and how many others there are; return the y below."""
    # A page cuts the end of a text that is too long, which here is the number of the others.
    for n_shown in range(min(most, len(names)), 0, -1):
        text = f"{lead}: {_names(names, n_shown)}"
        if page.fits(text, width, style):
            break
    return page.add_text(text, _MARGIN, y, width, style)


def _names(names, most):
    """Return a bounded number of names in a row."""
    n_left = len(names) - most
    if n_left > 0:
        names = [*names[:most], "and 1 other" if n_left == 1 else f"and {n_left} others"]
    # Names may hold commas themselves.
    return ("; " if any("," in name for name in names) else ", ").join(names)
