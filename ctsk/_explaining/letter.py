"""Letters in plain language, written from templates."""

import functools
import textwrap
from dataclasses import dataclass

from ctsk._columns.containers import is_missing, listed
from ctsk._columns.user_entries import feature_position
from ctsk._explaining.recourse import cell_of, describe, label_of, rows_of_factual
from ctsk._explaining.wording import Change

_WIDTH = 88
# Number of features, or of sets of them, that one paragraph names.
_MOST_NAMES, _MOST_SETS = 20, 5
# What is said of single features that are not known to suffice.
_PROOFS = {
    "impossible": "Proven not to be enough on their own, whatever permitted value they take:",
    "open": "It is open whether one of these could be enough on its own:",
}
_CLOSING = (
    "This letter describes the decision of the model, not the world: it does not promise that a "
    "change is possible, or what else it would bring about."
)


def write_letter(explanation, row, wording, sufficient=None):
    """Return a letter about the recourse of one factual.

    Parameters
    ----------
    explanation : Explanation
    row : int
        Position of the factual.
    wording : Wording
    sufficient : DataFrame or None, default=None
        See `sufficient_changes`.

    Returns
    -------
    text : str
    """
    recourse = describe(explanation, row, wording)
    permitted = _permitted(explanation.max_changes)
    paragraphs = [_decision(recourse, len(explanation.classes))]
    if not recourse.is_reached:
        paragraphs += _options(recourse, permitted)
        paragraphs.append(_proof(recourse, permitted, explanation.sparse))
        if sufficient is not None:
            sets = _sets_of_row(explanation, row, wording, sufficient)
            paragraphs += _sufficient(sets, recourse.target)
        if recourse.immutable:
            names = _names(recourse.immutable)
            paragraphs.append(
                f"Not considered, because they cannot change or must not be changed: {names}."
            )
    paragraphs.append(_CLOSING)
    return "\n\n".join(map(_filled, paragraphs))


def _decision(recourse, n_classes):
    """Return the paragraph on what was decided."""
    text = (
        f"An automated model assessed your data. Its result is {recourse.prediction}, with a "
        f"probability of {recourse.prediction_probability}."
    )
    if recourse.is_reached:
        return f"{text} This is the result in question, so nothing has to change."
    if recourse.is_already:
        return (
            f"{text} This is the result in question, but its probability is below the required "
            f"{recourse.required}."
        )
    # With two classes, the probability of the other one says nothing new.
    if n_classes > 2:
        text += f" Its probability of {recourse.target} is {recourse.target_probability}."
    return text


def _permitted(max_changes):
    """Return the noun phrase for what a counterfactual may be."""
    if max_changes is None:
        return "permitted list of changes"
    return f"permitted list of at most {max_changes} change{'s' * (max_changes != 1)}"


def _options(recourse, permitted):
    """Return the paragraphs on what would have to change."""
    if not recourse.options:
        # What is proven follows, and says more.
        if recourse.proof == "impossible":
            return []
        return [
            f"No {permitted} was found that leads to the result {recourse.target} with a "
            f"probability of at least {recourse.required}."
        ]
    several = len(recourse.options) > 1
    paragraphs = []
    if several:
        paragraphs.append(
            f"{len(recourse.options)} options for the result {recourse.target} were found. One of "
            "them is enough, but all changes of an option are needed together."
        )
    for number, option in enumerate(recourse.options, start=1):
        lead = f"Option {number}: the" if several else "The"
        lead += (
            f" result would be {recourse.target}, with a probability of "
            f"{option.probability}{_shortfall(option, recourse)}, if "
        )
        lead += (
            "this were different:" if len(option.changes) == 1 else "all of this were different:"
        )
        lines = [f"- {in_words(change)}" for change in option.changes]
        paragraphs.append("\n".join([lead, *lines]))
    rest = "Everything else may stay as it is."
    if recourse.n_not_found:
        rest += " No further options were found."
    return [*paragraphs, rest]


def _shortfall(option, recourse):
    """Return the clause on a probability that is less than the required one."""
    return "" if option.is_mature else f" (less than the required {recourse.required})"


def in_words(change):
    """Return a change as a clause."""
    text = f"{change.name}: from {change.before} to {change.after}"
    return f"{text}, {change.difference}" if change.difference else text


def _proof(recourse, permitted, sparse):
    """Return the paragraph on what is proven."""
    goal = f"the result {recourse.target} with a probability of at least {recourse.required}"
    if recourse.proof == "impossible":
        return f"It is proven that no {permitted} leads to {goal}."
    if not any(option.is_mature for option in recourse.options):
        return f"It is not proven that no {permitted} leads to {goal}: the question is open."
    if recourse.proof != "optimal":
        return "A search has found this; it is not proven that nothing less would do."
    subject = "option 1" if len(recourse.options) > 1 else "this one"
    costs = "as the costs of changes are set here"
    if sparse:
        return (
            f"It is proven that no {permitted} is shorter than {subject}, and that none of the "
            f"same length costs noticeably less, {costs}."
        )
    return f"It is proven that no other {permitted} costs noticeably less than {subject}, {costs}."


@dataclass(frozen=True)
class _Set:
    """What is proven of a set of features that alone may change.

    Parameters
    ----------
    names : list of str
    changes : list of Change or None
        None if no values are known that suffice.
    proof : str
    """

    names: list[str]
    changes: list[Change] | None
    proof: str

    def __str__(self):
        """Return the changes or, without any, the names of the features."""
        return "; ".join(map(in_words, self.changes)) if self.changes else " and ".join(self.names)


def _sets_of_row(explanation, row, wording, sufficient):
    """Return what is proven of the sets of features of a factual, as a list of `_Set`."""
    position = rows_of_factual(explanation, row)[0]
    label, frame = label_of(explanation, position), explanation.factual_rows.frame
    _check_sufficient(explanation, label, sufficient)
    names, sets = explanation.factual_rows.schema.names, []
    is_of_row = [other == label for other in sufficient["row"]]
    for line in sufficient[is_of_row].to_dict("records"):
        features = [feature_position(name, names, "sufficient") for name in line["features"]]
        for feature, cell in zip(features, line["from"], strict=True):
            factual = cell_of(frame, position, feature)
            if not (is_missing(factual) and is_missing(cell)) and factual != cell:
                raise ValueError(
                    f"sufficient holds the value {cell!r} of feature {names[feature]!r} in the row "
                    f"{label!r}, where the explanation has {factual!r}. Compute it for the same "
                    "rows, by ctsk.sufficient_changes."
                )
        to = line["to"]
        changes = None if to is None else _changes(wording, features, line["from"], to)
        units = dict.fromkeys(map(wording.unit_name, features))
        sets.append(_Set(list(units), changes, line["proof"]))
    return sets


def _check_sufficient(explanation, label, sufficient):
    """Raise a ValueError unless the sets of a row can be told from those of other rows."""
    missing = {"row", "features", "proof", "from", "to"} - set(getattr(sufficient, "columns", ()))
    if missing:
        raise ValueError(
            "sufficient must be the DataFrame that ctsk.sufficient_changes returns; it lacks "
            f"{listed(sorted(missing))}."
        )
    labels = [label_of(explanation, idx[0]) for idx in explanation._rows_by_factual]
    if labels.count(label) > 1:
        raise ValueError(
            f"The index of X holds the label {label!r} for several rows, so that those of "
            "sufficient cannot be told apart. Use X.reset_index(drop=True) for both."
        )


def _changes(wording, features, before, after):
    """Return the changes of a set of features in words; those of a group are one."""
    changes = {}
    cells = dict(zip(features, zip(before, after, strict=True), strict=True))
    for feature, pair in cells.items():
        group = wording.group_of(feature)
        if group is None:
            changes[feature] = wording.change(feature, *pair)
        else:
            ones = [[f for f in group if cells[f][i] == 1][0] for i in (0, 1)]
            changes[group] = wording.exchange(feature, *ones)
    return list(changes.values())


def _sufficient(sets, target):
    """Return the paragraphs on which features suffice, and which do not."""
    single, several = [], []
    for found in sets:
        (single if len(found.names) == 1 else several).append(found)
    paragraphs = []
    if enough := [found for found in single if found.changes]:
        lead = f"Each of these changes is enough for the result {target} on its own:"
        paragraphs.append(_list(lead, enough))
    if enough := [found for found in several if found.changes]:
        lead = f"Each of these combinations is enough for the result {target}:"
        paragraphs.append(_list(lead, enough))
    for proof, lead in _PROOFS.items():
        names = [str(found) for found in single if found.proof == proof and not found.changes]
        if names:
            paragraphs.append(f"{lead} {_names(names)}.")
    return paragraphs


def _list(lead, sets):
    """Return a paragraph that lists a bounded number of sets."""
    lines = [f"- {found}" for found in sets[:_MOST_SETS]]
    if len(sets) > _MOST_SETS:
        lines.append(f"- and {len(sets) - _MOST_SETS} more")
    return "\n".join([lead, *lines])


def _names(names):
    """Return a bounded number of names in a row."""
    # Names may hold commas themselves.
    separator = "; " if any("," in name for name in names) else ", "
    if len(names) > _MOST_NAMES:
        names = [*names[:_MOST_NAMES], f"and {len(names) - _MOST_NAMES} more"]
    return separator.join(names)


# Most paragraphs of letters to many people are equal.
@functools.lru_cache(maxsize=256)
def _filled(paragraph):
    """Return a paragraph in lines of bounded length; the lines of a list start with a dash."""
    return "\n".join(
        textwrap.fill(
            line,
            _WIDTH,
            subsequent_indent="  " if line.startswith("- ") else "",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in paragraph.split("\n")
    )
