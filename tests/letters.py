"""A reader of letters: every sentence and every number is compared with the explanation."""

import re
from decimal import ROUND_FLOOR, Decimal

import numpy as np
import pandas as pd

NUMBER = r"-?\d+(?:\.\d+)?"
PERCENT = r"(?:less than )?\d+(?:\.\d+)?%"
VALUE = rf'"[^"]*"|not known|no amount \(code {NUMBER}\)|{NUMBER}(?: [^",]+?)?'
BULLET = re.compile(
    rf"- (?P<name>.+?): from (?P<before>{VALUE}) to (?P<after>{VALUE})"
    rf"(?:, (?P<difference>{NUMBER})(?P<unit>(?: [^,]+?)?) (?P<direction>less|more))?"
)
DECISION = re.compile(
    rf'An automated model assessed your data\. Its result is "(?P<result>[^"]*)", with a '
    rf"probability of (?P<chance>{PERCENT})\."
    rf"(?P<reached> This is the result in question, so nothing has to change\.)?"
    rf"(?: This is the result in question, but its probability is below the required "
    rf"(?P<required>{PERCENT})\.)?"
    rf'(?: Its probability of "(?P<target>[^"]*)" is (?P<target_chance>{PERCENT})\.)?'
)
COUNT = re.compile(
    r'(?P<count>\d+) options for the result "(?P<target>[^"]*)" were found\. One of them is enough, '
    r"but all changes of an option are needed together\."
)
OPTION = re.compile(
    rf'(?:Option (?P<number>\d+): the|The) result would be "(?P<target>[^"]*)", with a probability '
    rf"of (?P<chance>{PERCENT})(?: \(less than the required (?P<required>{PERCENT})\))?, if "
    r"(?:all of )?this were different:"
)
NOT_FOUND = re.compile(
    r'No permitted list of changes was found that leads to the result "(?P<target>[^"]*)" with a '
    rf"probability of at least (?P<required>{PERCENT})\."
)
OPEN = re.compile(
    r"It is not proven that no permitted list of changes leads to the result "
    rf'"(?P<target>[^"]*)" with a probability of at least (?P<required>{PERCENT}): the question is '
    r"open\."
)
FIXED = re.compile(
    r"Everything else may stay as it is\.(?: No further options were found\.)?|"
    r"A search has found this; it is not proven that nothing less would do\.|"
    r"This letter describes the decision of the model, not the world: it does not promise that a "
    r"change is possible, or what else it would bring about\."
)
IMMUTABLE = re.compile(
    r"Not considered, because they cannot change or must not be changed: (?P<names>.*)\."
)


def unwrapped(text):
    """Return the paragraphs of a letter, each as a list of lines; a dash begins a new line."""
    paragraphs = []
    for paragraph in text.split("\n\n"):
        lines = []
        for line in paragraph.split("\n"):
            if line.startswith("- ") or not lines:
                lines.append(line)
            else:
                lines[-1] += f" {line.strip()}"
        paragraphs.append(lines)
    return paragraphs


def floored(share, n_decimals=1):
    """Return a percentage as the letter has to print it, from a float."""
    step = Decimal(10) ** -n_decimals
    percent = (Decimal(repr(float(share))) * 100).quantize(step, ROUND_FLOOR)
    if not percent:
        return f"less than {step}%"
    return f"{format(min(percent, 100 - step).normalize(), 'f')}%"


class Reader:
    """Compares letters with an explanation of a DataFrame.

    Parameters
    ----------
    explanation : Explanation
    labels, units : dict
        As the letters had them; labels of features and values only.
    special : dict
        Special values by feature.
    """

    def __init__(self, explanation, labels, units, special):
        self.explanation, self.labels, self.units, self.special = explanation, labels, units, special
        self.factual, self.counterfactual = explanation.factual, explanation.counterfactual
        is_missing = self.factual.isna() & self.counterfactual.isna()
        self.moved = ((self.factual != self.counterfactual) & ~is_missing).to_numpy()
        # Lists of cells, because to look cells up in a DataFrame is slow.
        self.before, self.after = (
            {name: list(frame[name].array) for name in frame}
            for frame in (self.factual, self.counterfactual)
        )
        self.already = explanation.already
        self.order = {name: position for position, name in enumerate(self.factual)}
        self.features = {labels.get(name, name): name for name in self.factual}
        self.positions = pd.Series(range(len(explanation))).groupby(explanation.row).apply(list)
        self.read = {"numbers": 0, "options": 0, "words": 0, "none": 0, "reached": 0, "short": 0}

    def check(self, row, text):
        """Raise an AssertionError unless a letter says what the explanation holds, and no more."""
        e, idx = self.explanation, self.positions.iloc[row]
        first, required = idx[0], f"{format((Decimal(repr(e.tau)) * 100).normalize(), 'f')}%"
        target = e.classes.index(e.target[first])
        options, described = [i for i in idx if e.valid[i] and self.changed(i)], []
        for lines in unwrapped(text):
            match = OPTION.fullmatch(lines[0])
            if match:
                i = options[len(described)]
                described.append(i)
                assert match["chance"] == floored(e.proba[i, target])
                assert (match["required"] is None) == e.mature[i]
                self.check_changes(i, lines[1:])
                assert int(match["number"] or 1) == len(described)
                self.read["short"] += not e.mature[i]
            else:
                (line,) = lines
                patterns = (DECISION, COUNT, NOT_FOUND, OPEN, FIXED, IMMUTABLE)
                match = next(filter(None, (p.fullmatch(line) for p in patterns)), None)
                assert match, line
            found = match.groupdict()
            assert found.get("target") in (None, str(e.target[first]))
            assert found.get("required") in (None, required)
            assert found.get("count") in (None, str(len(options)))
            if match.re is DECISION:
                self.check_decision(match, first, target)
            if match.re is IMMUTABLE:
                names = match["names"]
                separator = "; " if "; " in names or names in self.features else ", "
                named = [self.features[name] for name in names.split(separator)]
                changed = set().union(*map(self.changed, options))
                expected = [
                    name
                    for name, fixed in zip(self.factual, e.immutable[first], strict=True)
                    if fixed and name not in changed
                ]
                assert named == expected
        assert described == ([] if self.is_reached(first, target) else options)
        self.read["options"] += len(options)
        self.read["none"] += not options

    def is_reached(self, position, target):
        e = self.explanation
        return self.already[position] and e.factual_proba[position, target] >= e.tau

    def check_decision(self, match, position, target):
        e = self.explanation
        assert match["result"] == str(e.factual_prediction[position])
        assert match["chance"] == floored(e.factual_proba[position].max())
        assert bool(match["reached"]) == self.is_reached(position, target)
        is_short = self.already[position] and not self.is_reached(position, target)
        assert bool(match["required"]) == is_short
        if match["target_chance"]:
            assert match["target_chance"] == floored(e.factual_proba[position, target])
        self.read["reached"] += bool(match["reached"])

    def changed(self, i):
        """Return the features that differ in a row, as a set."""
        names = self.factual.columns
        return {name for name, moved in zip(names, self.moved[i], strict=True) if moved}

    def check_changes(self, i, lines):
        named = []
        for line in lines:
            match = BULLET.fullmatch(line)
            assert match, line
            name = self.features[match["name"]]
            named.append(name)
            self.check_value(match["before"], name, self.before[name][i])
            self.check_value(match["after"], name, self.after[name][i])
            amounts = [re.match(NUMBER, match[side]) for side in ("before", "after")]
            assert bool(match["difference"]) == all(amounts)
            if all(amounts):
                self.check_difference(match, name, *(Decimal(amount[0]) for amount in amounts))
        assert set(named) == self.changed(i)
        assert len(named) == len(set(named))
        costs = self.explanation.feature_cost[i][[self.order[name] for name in named]]
        assert (np.diff(costs) <= 0).all()

    def check_difference(self, match, name, before, after):
        sign = 1 if match["direction"] == "more" else -1
        assert before + sign * Decimal(match["difference"]) == after
        singular = match["difference"] == "1" and self.units.get(name) == "months"
        unit = "month" if singular else self.units.get(name, "")
        # A rate does not fall by a share of itself.
        unit = "percentage points" if unit == "percent" else unit
        assert match["unit"].strip() == unit
        self.read["numbers"] += 3

    def check_value(self, text, name, cell):
        if (name, cell) in self.labels:
            assert text == f'"{self.labels[name, cell]}"'
        elif pd.isna(cell):
            assert text == "not known"
        elif isinstance(cell, str):
            assert text == f'"{cell}"'
        elif isinstance(cell, bool | np.bool_):
            assert text == ('"yes"' if cell else '"no"')
        elif cell in self.special.get(name, ()):
            assert text == f"no amount (code {cell:.0f})"
        else:
            number, _, unit = text.partition(" ")
            dtype = self.factual[name].dtype
            assert np.dtype(dtype).type(number) == cell
            assert float(number) == float(str(cell))
            # No shorter decimal reads back the same number, so that nothing is printed in excess.
            assert len(number.lstrip("-").replace(".", "").strip("0")) == len(
                f"{Decimal(str(cell)):f}".lstrip("-").replace(".", "").strip("0")
            )
            singular = number == "1" and self.units.get(name) == "months"
            assert unit == ("month" if singular else self.units.get(name, ""))
            return
        self.read["words"] += 1
