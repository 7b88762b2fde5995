"""Columns of text and objects that hold no categories: numbers, amounts, dates and identifiers."""

import datetime
import re
from collections import Counter
from decimal import Decimal
from numbers import Complex, Real

import numpy as np

from ctsk._columns.containers import listed

# A column is numeric if more than this share of its distinct words is. The rest may be typing
# errors or words such as "90+". If more words were lost by a conversion, to_numeric would be the
# wrong remedy.
_MOSTLY = 0.8
# Whole numbers with fewer distinct values may be codes that the user turned into text on purpose,
# by .astype(str), because they are categories. Two values of any kind are a flag.
_MANY_CODES = 20
_MAX_FLAG = 2
# Even 5 rows per category leave less than 90% distinct words: if k categories are equally likely,
# n rows hold about k (1 - exp(-n / k)) distinct ones, which is more than 0.9 n only if k > 4.8 n.
# Fewer rows than 20 hold too few words to tell.
_IDENTIFYING = 0.9
_MIN_IDENTIFIED = 20
# Longer text is prose. The limit also bounds the time of the regular expressions.
_LONGEST = 40

# Words for a gap in a file of numbers. The symbols are the reason why a reader returns text; the
# names may also be a category, or what .astype(str) makes of a missing value.
_GAP_SYMBOLS = {"", "?", "-", "--", ".", "..", "*", "n/a", "#n/a", "n.a.", "na", "null", "#value!"}
_GAP_NAMES = {"nan", "none", "<na>", "nat", "missing", "unknown", "not available"}

# Spaces and signs that typography uses in numbers, and those of the keyboard.
_KEYBOARD = str.maketrans({"\u00a0": " ", "\u2009": " ", "\u202f": " ", "’": "'", "\u2212": "-"})
_CURRENCY = (
    "(?:R\\$|US\\$|[$¢£¤¥\u20a0-\u20cf]|AUD|CAD|CHF|CNY|DKK|EUR|GBP|INR|JPY|NOK|PLN|SEK|USD|kr|zł)"
)
# 12, 12.5, 12,5, .5, and groups of three digits, or of two as in India.
_DIGITS = (
    "(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+"
    "|[0-9]{1,3}(?P<mark>[ ,.'])(?:[0-9]{2,3}(?P=mark))*[0-9]{3}(?:[.,][0-9]+)?)(?:e[+-]?[0-9]+)?"
)
_NUMBER = re.compile(f"[+-]?(?:{_CURRENCY} ?)?[+-]?{_DIGITS} ?(?:{_CURRENCY}|%)?", re.I)
_WHOLE = re.compile(r"[+-]?[0-9]+(\.0)?")
_PADDED = re.compile(r"0[0-9]+")
_QUANTITY = re.compile(f"[+-]?{_DIGITS} ?(?P<unit>[a-zµ°]+[23²³]?)", re.I)
_DAY, _MONTH, _YEAR = "(?:[0-2]?[0-9]|3[01])", "(?:0?[1-9]|1[0-2])", "[12][0-9]{3}"
_NAME = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_TIME = (
    r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?: ?[ap]m)?(?: ?utc|z|[+-][0-9]{2}:?[0-9]{2})?"
)
_DATE = re.compile(
    f"(?:{_YEAR}([-/.]){_MONTH}(?:\\1{_DAY})?"  # 2024-05-31, 2024/5
    f"|{_DAY}([-/.]){_DAY}\\2(?:{_YEAR}|[0-9]{{2}})|{_MONTH}/{_YEAR}"  # 31.05.24, 5/31/2024, 5/2024
    f"|{_DAY}[-. ]{{1,2}}{_NAME}[-., ]{{1,2}}(?:{_YEAR}|[0-9]{{2}})"  # 31 May 2024, 31-May-24
    f"|{_NAME}[-. ]{{1,2}}(?:{_DAY},? )?(?:{_YEAR}|[0-9]{{2}})"  # May 31, 2024, May-2024
    f")(?:[T ]{_TIME})?|{_TIME}",
    re.I,
)
_DATE_TYPES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)

# Contents of a column in the error message, by what its cells read as. Gaps and words are missing.
_TEXT = "text that mostly reads as numbers"
_CONTENTS = {
    "object": "numbers as objects",
    "decimal": "decimal.Decimal objects",
    "complex": "complex numbers",
    "date": "dates or times",
    "whole": _TEXT,
    "number": _TEXT,
    "quantity": _TEXT,
}


def check_words(name, column):
    """Check that a column that was not declared categorical holds categories.

    Parameters
    ----------
    name : hashable
        Name of the column.
    column : Series of shape (n_rows,)
        A column that is neither numeric nor listed in ``categorical_features``.

    Raises
    ------
    ValueError
        If more than 80% of the distinct words read as numbers, amounts, quantities, dates or
        times, or if more than 90% of at least 20 rows have a word of their own.

    Notes
    -----
    Words for a gap, such as "?", do not count. These columns are accepted as categories:

    - columns of one of pandas' category dtypes, whatever they read as;
    - columns of a bool dtype, and those with at most two numbers;
    - text with fewer than 20 distinct whole numbers, such as "1" to "5", with or without one
      common unit, unless a symbol such as "?" indicates that the numbers were not meant as text;
    - text with a whole number that has leading zeros, such as the postal code "02139".

    A category dtype excuses identifiers only if it is ordered, or if the rows hold at most half of
    its categories. They are then a small part of a larger table, in which a category can be
    common although it occurs once among these rows.
    """
    present = column.dropna()
    try:
        cells = present.unique().tolist()
    except (NotImplementedError, TypeError, ValueError):
        # Lists and other cells without a hash, which pyarrow does not implement at all, are
        # reported when the categories are learned, and so are cells without an equality.
        return
    declared = getattr(column.dtype, "categories", None)
    if declared is None:
        _refuse_numbers(name, cells, len(present))
        is_known = False
    else:
        is_known = column.dtype.ordered or 2 * len(cells) <= len(declared)
    if not is_known and _identifies_rows(cells, len(present)):
        # The words are not listed, because they may be names or addresses of people.
        raise ValueError(
            f"Column {name!r} of X holds {len(cells)} different values in {len(present)} rows, so "
            "that it seems to identify the rows; nothing can be learned from categories that occur "
            "once. Drop the column, or derive from it what rows have in common. If it does hold "
            f"categories, list it in categorical_features."
        )


def _identifies_rows(cells, n_rows):
    """Return whether nearly every row has a value of its own."""
    return n_rows >= _MIN_IDENTIFIED and len(cells) > _IDENTIFYING * n_rows


def _refuse_numbers(name, cells, n_rows):
    """Raise a ValueError if most of the distinct cells read as numbers or dates."""
    kinds = _kinds(cells)
    numbers = [cell for cell, kind in zip(cells, kinds, strict=True) if kind in _CONTENTS]
    others = [cell for cell, kind in zip(cells, kinds, strict=True) if kind not in _CONTENTS]
    is_numeric = len(numbers) > _MOSTLY * (len(numbers) + kinds.count("word"))
    if len(numbers) <= _MAX_FLAG or not is_numeric or _are_codes(cells, kinds):
        return
    contents = Counter(_CONTENTS[kind] for kind in kinds if kind in _CONTENTS)
    content = contents.most_common(1)[0][0]
    # Prose among numbers would make the error too long to read.
    legible = [cell for cell in others if len(str(cell)) <= _LONGEST]
    exceptions = f" (but not {listed(legible[:3])})" if legible else ""
    remedy = _remedy(name, content, numbers, others)
    if 2 * kinds.count("whole") > len(kinds) and _identifies_rows(cells, n_rows):
        remedy += " If they identify the rows, drop the column."
    raise ValueError(
        f"Column {name!r} of X holds {content}, such as {listed(numbers[:3])}{exceptions}. As "
        f"categories, they would have no order and no distances. {remedy} If they are categories, "
        "list the column in categorical_features, or declare it by .astype('category')."
    )


def _kinds(cells):
    """Return what each cell reads as: a key of `_CONTENTS`, "gap" or "word"."""
    kinds = [_kind(cell) for cell in cells]
    quantities = [cell for cell, kind in zip(cells, kinds, strict=True) if kind == "quantity"]
    # One unit measures all quantities, in singular or plural. Different letters belong to codes,
    # such as the seats "12A" and "12B".
    units = {_QUANTITY.fullmatch(_plain(cell))["unit"].lower().rstrip("s") for cell in quantities}
    if len(units) > 1:
        kinds = ["word" if kind == "quantity" else kind for kind in kinds]
    return kinds


def _kind(cell):
    """Return what a cell reads as, if the unit of a quantity does not matter."""
    if isinstance(cell, str | bytes):
        return _kind_of_text(cell)
    # A bool is a Real, too, but stands for a category.
    if isinstance(cell, bool | np.bool_):
        return "word"
    # Periods are identified by name, because pandas is not imported.
    if isinstance(cell, _DATE_TYPES) or type(cell).__name__ == "Period":
        return "date"
    if isinstance(cell, Decimal):
        return "decimal"
    if isinstance(cell, Real):
        return "object"
    return "complex" if isinstance(cell, Complex) else "word"


def _kind_of_text(cell):
    if len(cell) > _LONGEST:
        return "word"
    word = _plain(cell)
    if word.lower() in _GAP_SYMBOLS | _GAP_NAMES:
        return "gap"
    if _WHOLE.fullmatch(word):
        return "whole"
    # Accountants write a negative amount in parentheses.
    amount = word[1:-1] if word.startswith("(") and word.endswith(")") else word
    # Numbers come first: 2024.05 may be a month, too.
    if _NUMBER.fullmatch(amount):
        return "number"
    if _DATE.fullmatch(word):
        return "date"
    return "quantity" if _QUANTITY.fullmatch(word) else "word"


def _plain(cell):
    """Return text without outer spaces, in characters of the keyboard."""
    text = cell.decode("latin-1") if isinstance(cell, bytes) else cell
    return text.translate(_KEYBOARD).strip()


def _are_codes(cells, kinds):
    """Return whether whole numbers are codes that are text on purpose."""
    whole = [_plain(cell) for cell, kind in zip(cells, kinds, strict=True) if kind == "whole"]
    # Leading zeros have no meaning in a number, but they have one in a postal code.
    if any(_PADDED.fullmatch(word) for word in whole):
        return True
    gaps = [_plain(cell) for cell, kind in zip(cells, kinds, strict=True) if kind == "gap"]
    are_whole = set(kinds) <= {"whole", "quantity", "gap", "word"}
    has_symbol = any(gap.lower() in _GAP_SYMBOLS for gap in gaps)
    n_numbers = sum(kind in _CONTENTS for kind in kinds)
    return are_whole and not has_symbol and n_numbers < _MANY_CODES


def _remedy(name, content, numbers, others):
    """Return a sentence that says how to convert a column to numbers."""
    column = f"X[{name!r}]"
    if content == _CONTENTS["date"]:
        return (
            "Derive numbers from them, such as years, or days since a date, for example by "
            f"pandas.to_datetime({column}, errors='coerce')."
        )
    if content == _CONTENTS["complex"]:
        return f"Derive real numbers from them, for example by {column}.map(abs)."
    if content == _CONTENTS["decimal"] and not others:
        return f"Convert them by {column}.astype(float)."
    are_text = any(isinstance(number, str | bytes) for number in numbers)
    steps = _steps(numbers) if are_text else ""
    whole_table = "" if are_text else ", or all such columns by X.infer_objects()"
    return f"Convert them by pandas.to_numeric({column}{steps}, errors='coerce'){whole_table}."


def _steps(numbers):
    """Return the methods of a Series, as code, that make its numbers legible for to_numeric."""
    # The accessor .str turns everything but text into a missing value.
    steps = "" if all(isinstance(number, str) for number in numbers) else ".astype(str)"
    words = [str(number) for number in numbers]
    characters = set("".join(words))
    if "(" in characters:
        steps += r""".str.replace(r"\((.*)\)", r"-\1", regex=True)"""
    has_decimal_comma = _has_decimal_comma(words)
    if "." in characters and (has_decimal_comma or any(word.count(".") > 1 for word in words)):
        steps += ".str.replace('.', '')"
    if "," in characters:
        steps += f".str.replace(',', {'.' if has_decimal_comma else ''!r})"
    if "\u2212" in characters:
        steps += ".str.replace('\u2212', '-')"
    # Currencies, units, percent signs and spaces are removed; only those that occur in numbers,
    # so that other words do not become numbers. Of letters, to_numeric reads an exponent.
    marks = characters - set("0123456789.,+-()\u2212")
    if marks - {"e", "E"}:
        steps += f".str.replace({'[' + ''.join(sorted(marks)) + ']'!r}, '', regex=True)"
    return steps


def _has_decimal_comma(words):
    """Return whether the comma, and not the point, precedes the decimals of numbers."""
    with_comma = [word for word in words if "," in word]
    with_both = [word for word in with_comma if "." in word]
    # The mark that comes last precedes the decimals; a mark that is repeated separates thousands.
    if with_both:
        return with_both[0].rfind(",") > with_both[0].rfind(".")
    if any(word.count(",") > 1 for word in with_comma):
        return False
    # Three digits after every comma are thousands.
    return not all(re.search(",[0-9]{3}(?![0-9])", word) for word in with_comma)
