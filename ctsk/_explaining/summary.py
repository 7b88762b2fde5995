"""The representations of an explanation: a few lines, and a table of changes in HTML."""

import html
from collections import Counter

import numpy as np

from ctsk._explaining.recourse import changed_features, changes_of_row, label_of, wording_of

# Bounds of the table of changes, whatever the explanation holds.
_MOST_ROWS, _MOST_CHANGES, _MOST_CHARACTERS = 5, 5, 40
# Colors are those of the notebook, light or dark; the gray of the lines is visible on both.
_STYLE = "text-align:left;vertical-align:top;border-top:1px solid rgba(128,128,128,.5)"


def summary_lines(explanation):
    """Return the lines of the representations, as a dict of captions and texts."""
    lines = {"rows": f"{len(explanation)}"}
    if explanation.n_alternatives > 1:
        n_factuals = len(np.unique(explanation.row))
        lines["rows"] += f", alternatives of {n_factuals} factual{'s' * (n_factuals != 1)}"
    # Means and medians of no rows would be NaN, with warnings.
    if not len(explanation):
        return lines
    valid, already = explanation.valid, explanation.already
    lines["valid"] = f"{valid.sum()} ({valid.mean():.0%})"
    lines["mature"] = f"{explanation.mature.sum()} ({explanation.mature.mean():.0%})"
    if already.any():
        lines["predicted as target before"] = f"{already.sum()} ({already.mean():.0%})"
    if valid.any():
        lines["median cost of the valid"] = f"{np.median(explanation.cost[valid]):.3g}"
        lines["median steps of the valid"] = f"{np.median(explanation.n_iter[valid]):g}"
    if explanation.proof is not None:
        counts = Counter(explanation.proof).most_common()
        lines["proof"] = ", ".join(f"{n} {word}" for word, n in counts)
    if not valid.all():
        lines["not valid"] = _counts(explanation.reason[~valid])
    # A valid row has a reason if it is not mature or too near to an earlier alternative.
    short = [reason for reason in explanation.reason[valid] if reason is not None]
    if short:
        lines["valid, but not as requested"] = _counts(short)
    return lines


def summary_html(explanation):
    """Return the summary and the changes of the first rows as tables of HTML."""
    cells = "".join(
        f"<tr><th style='text-align:left'>{html.escape(caption)}</th>"
        f"<td>{html.escape(value)}</td></tr>"
        for caption, value in summary_lines(explanation).items()
    )
    table = f"<table><caption>Explanation</caption>{cells}</table>"
    return table + _changes_table(explanation) if len(explanation) else table


def _changes_table(explanation):
    """Return the largest changes of the first rows as a table of HTML."""
    first = explanation[:_MOST_ROWS]
    lines = [line for position in range(len(first)) for line in _lines_of_row(first, position)]
    captions = ["row", "feature", "from", "to", "share of cost"]
    if first.n_alternatives > 1:
        captions.insert(1, "alternative")
    head = "".join(f"<th style='text-align:left'>{caption}</th>" for caption in captions)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    n_left = len(explanation) - len(first)
    more = f"; {n_left} more row{'s' * (n_left != 1)}" if n_left else ""
    return (
        f"<table><caption>Changes{more}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>"
    )


def _lines_of_row(explanation, position):
    """Return the cells of each line of the table for one row."""
    lead = _cell(label_of(explanation, position))
    if explanation.n_alternatives > 1:
        lead += _cell(explanation.alternative[position])
    changed = changed_features(explanation, position)
    if not explanation.valid[position]:
        return [lead + _cell("not valid", width=4)]
    if not changed:
        return [lead + _cell("no change", width=4)]
    largest = dict(list(changed.items())[:_MOST_CHANGES])
    lines = []
    for change in changes_of_row(explanation, position, largest, wording_of(explanation)):
        cells = (change.name, change.before, change.after, f"{change.share:.0%}")
        lines.append(lead + "".join(map(_cell, cells)))
    n_left = len(changed) - len(lines)
    if n_left:
        lines.append(lead + _cell(f"{n_left} more change{'s' * (n_left != 1)}", width=4))
    return lines


def _cell(value, width=1):
    """Return a cell of HTML, with text of bounded length."""
    text = str(value)
    if len(text) > _MOST_CHARACTERS:
        text = f"{text[: _MOST_CHARACTERS - 1]}…"
    span = f" colspan='{width}'" if width > 1 else ""
    return f"<td style='{_STYLE}'{span}>{html.escape(text)}</td>"


def _counts(reasons):
    """Return how often each kind of reason occurs, the most frequent first."""
    kinds = Counter(reason.kind.value for reason in reasons)
    return ", ".join(f"{n} {kind}" for kind, n in kinds.most_common())
