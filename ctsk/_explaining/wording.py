"""Features, values and classes in words, for letters and pictures."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Context, Decimal
from numbers import Real
from os.path import commonprefix

import numpy as np

from ctsk._columns.containers import is_missing, listed
from ctsk._columns.schema import Schema
from ctsk._columns.user_entries import feature_position

# First part of the keys of labels that name a class, unless a feature has this name.
TARGET = "target"
_PERCENT = ("%", "percent")
# Enough digits for the difference of any two floats, which decimals of 28 digits would round.
_EXACT = Context(prec=2_000)


def one_line(text):
    """Return text in which every run of white space, also of line breaks, is one blank."""
    return " ".join(str(text).split())


def number_text(number):
    """Return the shortest decimal from which the dtype of a number reads back the same value.

    There are neither exponents nor separators of thousands, and a whole number has no decimals.
    """
    if isinstance(number, int | np.integer):
        return str(int(number))
    if isinstance(number, Decimal):
        return plain(number)
    number = number if isinstance(number, np.floating) else np.float64(number)
    # The sum turns -0.0 into 0.0.
    return np.format_float_positional(number + number.dtype.type(0), unique=True, trim="-")


def plain(decimal):
    """Return a Decimal as text without an exponent and without trailing zeros."""
    text = f"{decimal:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent_text(share, n_decimals=1):
    """Return a probability as a percentage, rounded down, and never as certainty.

    Parameters
    ----------
    share : float
    n_decimals : int, default=1
    """
    percent = Decimal(repr(float(share))) * 100
    step = Decimal(1).scaleb(-n_decimals)
    if percent < step:
        return f"less than {plain(step)}%"
    return f"{plain(min(percent, 100 - step).quantize(step, ROUND_DOWN))}%"


def threshold_text(share):
    """Return a threshold as a percentage, exactly, and the number of its decimals."""
    text = plain(Decimal(repr(float(share))) * 100)
    return f"{text}%", len(text.partition(".")[2])


@dataclass(frozen=True)
class Change:
    """The change of one feature, in words.

    Parameters
    ----------
    name : str
    before, after : str
        The values, with their unit.
    difference : str
        By how much the value changes, such as "200 DM less"; empty unless both are amounts.
    direction : {-1, 0, 1}
        The sign of the difference.
    share : float
        Share of the row's cost that the change makes up.
    """

    name: str
    before: str
    after: str
    difference: str = ""
    direction: int = 0
    share: float = 0.0


class Wording:
    """Names of features, values and classes, as labels and units have them.

    Parameters
    ----------
    schema : Schema
        Names and kinds of the features.
    classes : tuple
        The class labels.
    labels : dict or None, default=None
        Readable names by feature, by pairs of feature and value, and by pairs of "target" and
        class. A feature is a name, or an index as in the constraints of the estimator.
    units : dict or None, default=None
        Units by feature.
    quotes : str, default=""
        What comes before and after the words of classes and categories.

    Raises
    ------
    ValueError
        If a key is no feature, value or class, or if a label or a unit is no string.
    """

    def __init__(self, schema: Schema, classes, labels=None, units=None, *, quotes=""):
        self.schema, self.classes, self.quotes = schema, classes, quotes
        self._names, self._values, self._class_names = {}, {}, {}
        for key, label in _entries(labels, "labels"):
            self._add(key, label)
        self._units = {
            feature_position(key, schema.names, "units"): one_line(unit)
            for key, unit in _entries(units, "units")
        }

    def _add(self, key, label):
        """Enter a label of a feature, of a value or of a class."""
        names = self.schema.names
        if isinstance(key, str) and key not in names and key in self.classes:
            raise ValueError(
                f"labels names {key!r}, which is a class and no feature. The key of a class is a "
                f"pair: ({TARGET!r}, {key!r})."
            )
        # The name of a feature may itself be a tuple, as in a DataFrame of two header rows.
        if key in names or not (isinstance(key, tuple) and len(key) == 2):
            self._names[feature_position(key, names, "labels")] = one_line(label)
            return
        name, value = key
        if name == TARGET and TARGET not in names:
            if value not in self.classes:
                raise ValueError(
                    f"labels names the class {value!r}, which the model does not have. Its classes "
                    f"are {listed(list(self.classes))}."
                )
            self._class_names[value] = one_line(label)
            return
        feature = feature_position(name, names, "labels")
        self._values[feature, self._checked(feature, value)] = one_line(label)

    def _checked(self, feature, value):
        """Return a value that a label names, None if it is missing, or raise a ValueError."""
        categories, name = self.schema.categories.get(feature), self.schema.names[feature]
        if is_missing(value):
            return None
        if categories is not None and value not in categories.values:
            raise ValueError(
                f"labels names the value {value!r} of feature {name!r}, which is none of its "
                f"categories: {listed(list(categories.values))}."
            )
        if categories is None and not isinstance(value, Real):
            raise ValueError(
                f"labels names the value {value!r} of feature {name!r}, whose values are numbers. "
                "Use one of its numbers."
            )
        return value

    def name(self, feature):
        """Return the readable name of the feature at a position."""
        if feature in self._names:
            return self._names[feature]
        name = self.schema.names[feature]
        # The name of a column with several header rows is a tuple.
        return one_line(" / ".join(map(str, name)) if isinstance(name, tuple) else name)

    def group_of(self, feature):
        """Return the dummies of the group that a feature belongs to, or None."""
        groups = (group for group in self.schema.dummies if feature in group)
        return next(groups, None)

    def unit_name(self, feature):
        """Return the name of a feature or, for a dummy, what the names of its group share."""
        group = self.group_of(feature)
        if group is None:
            return self.name(feature)
        prefix = commonprefix([str(self.schema.names[member]) for member in group])
        return one_line(prefix.rstrip(" _-.=:/")) or "choice"

    def exchange(self, feature, before, after):
        """Return the change from one dummy of a group to another one in words."""
        names = self._quoted(self.name(before)), self._quoted(self.name(after))
        return Change(self.unit_name(feature), *names)

    def class_name(self, label):
        """Return the readable name of a class."""
        return self._quoted(self._class_names.get(label, label))

    def value(self, feature, cell):
        """Return a value in words, with its unit if it is an amount."""
        amount = self._amount(feature, cell)
        if amount is not None:
            return _with_unit(amount, self._unit(feature))
        label = self._label(feature, cell)
        if label is not None:
            return self._quoted(label)
        if is_missing(cell):
            return "not known"
        if isinstance(cell, bool | np.bool_):
            return self._quoted("yes" if cell else "no")
        if feature in self.schema.categories:
            return self._quoted(cell)
        # A special value of a feature is no amount and has no unit.
        return f"no amount (code {number_text(cell)})"

    def _quoted(self, word):
        """Return a word on one line, between quotes."""
        return f"{self.quotes}{one_line(word)}{self.quotes}"

    def change(self, feature, before, after, share=0.0):
        """Return the change of a feature in words.

        The difference is that of the numbers as they are printed, so that it adds up in decimals.
        """
        words = self.name(feature), self.value(feature, before), self.value(feature, after)
        amounts = [self._amount(feature, cell) for cell in (before, after)]
        if None in amounts:
            return Change(*words, share=share)
        difference = _EXACT.subtract(Decimal(amounts[1]), Decimal(amounts[0]))
        direction = -1 if difference < 0 else 1
        unit = self._unit(feature)
        # A rate that falls from 50% to 40% does not fall by 10% of itself.
        if unit in _PERCENT:
            unit = "percentage points"
        amount = _with_unit(plain(difference.copy_abs()), unit)
        return Change(*words, f"{amount} {'less' if direction < 0 else 'more'}", direction, share)

    def _unit(self, feature):
        """Return the unit of a feature; empty if it has none."""
        return self._units.get(feature, "")

    def _label(self, feature, cell):
        """Return the label of a value, or None."""
        return self._values.get((feature, None if is_missing(cell) else cell))

    def _amount(self, feature, cell):
        """Return the text of a number that is an amount; None for all other values."""
        if feature in self.schema.categories or is_missing(cell):
            return None
        if isinstance(cell, bool | np.bool_) or self._label(feature, cell) is not None:
            return None
        # Numbers may have come as text, or as categories.
        number = cell if isinstance(cell, Real | Decimal) else float(cell)
        for special in self.schema.special_values.get(feature, ()):
            # A float32 holds only the first digits of a special value such as 999.9.
            if number == special or (
                isinstance(number, np.floating) and number == type(number)(special)
            ):
                return None
        return number_text(number)


def _with_unit(amount, unit):
    """Return an amount with its unit, of which one is singular: 1 month, 2 months."""
    if amount == "1" and len(unit) > 3 and unit[-1] == "s" and unit[-2] not in "siu":
        unit = unit[:-1]
    return f"{amount} {unit}".rstrip()


def _entries(entries, parameter):
    """Return the items of labels or units, or raise a ValueError if they are no dict of strings."""
    if entries is None:
        return []
    if not isinstance(entries, Mapping):
        raise ValueError(f"{parameter} must be a dict of strings or None; got {entries!r:.200}.")
    for key, text in entries.items():
        if not isinstance(text, str):
            raise ValueError(f"{parameter}[{key!r}] must be a string; got {text!r:.200}.")
    return list(entries.items())
