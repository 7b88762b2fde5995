import datetime
import io
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from ctsk._columns.text_columns import check_words

N_ROWS = 400
RNG = np.random.default_rng(0)
INCOMES = pd.Series(RNG.lognormal(10, 0.5, N_ROWS).round(2))
# Each number occurs twice, so that the columns do not look like identifiers.
INCOMES[200:] = INCOMES[:200].to_numpy()
SIGNED = INCOMES * np.where(np.arange(N_ROWS) % 3, 1, -1)


def message_of(column, name="income"):
    """The message of the error, or "" if the column is accepted."""
    try:
        check_words(name, column)
    except ValueError as error:
        return str(error)
    return ""


def with_gap(column, word):
    column = column.astype(object)
    column[7] = word
    return column


def german(number):
    return f"{number:,.2f}".translate(str.maketrans(",.", ".,"))


# Text, and the numbers that the remedy has to return.
NUMBERS = {
    "one question mark": (with_gap(INCOMES.astype(str), "?"), INCOMES),
    "thousands separators": (INCOMES.map("{:,.2f}".format), INCOMES),
    "whole thousands": (INCOMES.map("{:,.0f}".format), INCOMES.round()),
    "millions": ((INCOMES * 1_000).map("{:,.0f}".format), (INCOMES * 1_000).round()),
    "decimal comma": (INCOMES.map(lambda v: f"{v:.2f}".replace(".", ",")), INCOMES),
    "points for thousands": (INCOMES.map(german), INCOMES),
    "points for millions": (
        (INCOMES * 1_000).map(lambda v: f"{v:,.0f}".replace(",", ".")),
        (INCOMES * 1_000).round(),
    ),
    "spaces": (INCOMES.map(lambda v: f"{v:,.2f}".replace(",", " ")), INCOMES),
    "unbreakable spaces": (INCOMES.map(lambda v: f" {v:,.2f} ".replace(",", "\u00a0")), INCOMES),
    "Swiss": (INCOMES.map(lambda v: f"CHF {v:,.2f}".replace(",", "’")), INCOMES),
    "dollars": (with_gap(SIGNED, 7.0).map(lambda v: f"${v:,.2f}"), SIGNED),
    "euros": (SIGNED.map(lambda v: f"{german(v)} €"), SIGNED),
    "currency code": (SIGNED.map("{:.2f} EUR".format), SIGNED),
    "percent": (INCOMES.map("{:.2f}%".format), INCOMES),
    "accounting": (SIGNED.map(lambda v: f"{v:,.2f}" if v > 0 else f"({-v:,.2f})"), SIGNED),
    "minus sign": (SIGNED.map(lambda v: f"{v:.2f}".replace("-", "\u2212")), SIGNED),
    "scientific": (SIGNED.map("{:.8e}".format), SIGNED),
    "unit": (INCOMES.map("{:.2f} kmpl".format), INCOMES),
    "unit in the plural": (
        pd.Series(np.arange(N_ROWS) % 30).map(lambda v: f"{v} year{'s' * (v != 1)}"),
        pd.Series(np.arange(N_ROWS) % 30.0),
    ),
    "text and some numbers": (
        INCOMES.map("{:,.2f}".format).where(np.arange(N_ROWS) % 4 > 0, INCOMES),
        INCOMES,
    ),
}
OBJECTS = {
    "Decimal": (INCOMES.map(lambda v: Decimal(str(v))), "astype(float)"),
    "floats": (INCOMES.astype(object), "infer_objects"),
    "floats and None": (with_gap(INCOMES, None), "to_numeric"),
    "whole table of objects": (
        pd.DataFrame(pd.DataFrame({"a": INCOMES, "b": "clerk"}).to_numpy())[0],
        "infer_objects",
    ),
    "Decimal and a question mark": (with_gap(INCOMES.map(Decimal), "?"), "to_numeric"),
    "floats and some text": (
        INCOMES.where(np.arange(N_ROWS) % 4 > 0, INCOMES.map("{:,.2f}".format)),
        r"astype(str).str.replace(',', '')",
    ),
    "few integers": (pd.Series([1, 2, 3] * 20, dtype=object), "to_numeric"),
}
DAYS = pd.Series(pd.date_range("2020-01-01", periods=200).repeat(2))
DATES = {
    "ISO": DAYS.dt.strftime("%Y-%m-%d"),
    "time stamps": DAYS.dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    "slashes": DAYS.dt.strftime("%d/%m/%Y"),
    "American": DAYS.dt.strftime("%m/%d/%y"),
    "German": DAYS.dt.strftime("%d.%m.%Y"),
    "names of months": DAYS.dt.strftime("%d %B %Y"),
    "names first": DAYS.dt.strftime("%b %d, %Y"),
    "months": DAYS.dt.strftime("%b-%Y"),
    "ISO months": DAYS.dt.strftime("%Y-%m"),
    "times of day": pd.Series([f"{i % 24:02}:{i % 60:02}" for i in range(N_ROWS)]),
    "one gap": with_gap(DAYS.dt.strftime("%Y-%m-%d"), "?"),
    "dates": DAYS.dt.date,
    "datetimes": DAYS.astype(object),
    "periods": DAYS.dt.to_period("M").astype(object),
    "durations": (DAYS - DAYS[0]).map(lambda v: v.to_pytimedelta()).astype(object),
}
CATEGORIES = {
    "words": ["clerk", "worker", None],
    "ordered words": ["< 1 year", "1-2 years", "5 years", "10+ years"],
    "intervals": ["<5", "5-10", "10-20", ">20"],
    "age groups": ["18-25", "26-35", "36-45", "46+"],
    "answers": ["1", "2", "3", "4", "5"],
    "top-coded": ["0", "1", "2", "3", "4", "5+"],
    "turned into text": ["1.0", "2.0", "3.0", "nan"],
    "filled": ["1", "2", "3", "missing"],
    "flags": ["0", "1"],
    "flags with a question mark": ["0.0", "1.0", "?"],
    "flags as objects": [0, 1, None],
    "bools as objects": [True, False, None],
    "codes": ["A11", "A12", "A30", "A410"],
    "postal codes": [f"{code:05}" for code in range(7, 90_000, 1_000)],
    "seats": ["12A", "12B", "13A", "13B", "7C"] + [f"{row}D" for row in range(30)],
    "few terms": ["36 months", "48 months", "60 months"],
    "words and some numbers": ["none", "a", "b", "c", 3, 7, 8],
    "prices": ["$", "$$", "$$$"],
    "addresses": ["10.0.0.1", "192.168.0.1", "127.0.0.1"],
    "quarters": ["2020Q1", "2020Q2", "2020Q3"],
    "signs": ["+", "-", "?"],
    "tuples": [(1, 2), (3, 4), (5, 6)],
    "bytes": [b"clerk", b"worker"],
    "infinity": ["inf", "-inf", "nan"],
}


def repeated(cells, n_times=10):
    cells = np.fromiter(list(cells) * n_times, dtype=object)
    return pd.Series(cells, dtype=object)


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_as_text_are_an_error_whose_remedy_returns_the_numbers(name):
    column, expected = NUMBERS[name]
    message = message_of(column)
    assert "Column 'income' of X holds text that mostly reads as numbers" in message
    assert "categorical_features" in message
    remedy = re.search(r"by (pandas\.to_numeric\(.*?, errors='coerce'\))\.", message)[1]
    numbers = eval(remedy, {"pandas": pd, "X": pd.DataFrame({"income": column})})
    others = numbers.index != 7
    np.testing.assert_allclose(numbers[others], expected[others], rtol=1e-8)


@pytest.mark.parametrize("name", OBJECTS)
def test_numbers_as_objects_are_an_error_that_names_the_conversion(name):
    column, conversion = OBJECTS[name]
    message = message_of(column)
    assert "objects" in message
    assert conversion in message


@pytest.mark.parametrize("name", DATES)
def test_dates_as_text_or_objects_are_an_error(name):
    message = message_of(DATES[name], "since")
    assert "Column 'since' of X holds dates or times" in message
    assert "pandas.to_datetime(X['since'], errors='coerce')" in message


@pytest.mark.parametrize("name", CATEGORIES)
def test_categories_are_accepted(name):
    assert message_of(repeated(CATEGORIES[name])) == ""


@pytest.mark.parametrize("symbol", ["?", "n/a", "-", " ", "#N/A"])
def test_a_symbol_for_a_gap_shows_that_whole_numbers_are_not_meant_as_text(symbol):
    message = message_of(repeated(["1", "2", "3", symbol]))
    assert f"(but not {symbol!r})" in message
    assert "to_numeric" in message


def test_twenty_whole_numbers_are_no_codes():
    assert message_of(repeated(map(str, range(19)))) == ""
    assert "to_numeric" in message_of(repeated(map(str, range(20))))


def test_mostly_means_more_than_four_of_five_words():
    amounts = [f"{number}.5" for number in range(80)]
    words = ["".join(["w"] * (i + 1)) for i in range(20)]
    assert message_of(repeated([*amounts, *words])) == ""
    assert "to_numeric" in message_of(repeated([*amounts, *words[1:]]))


def test_words_for_a_gap_do_not_count_as_words():
    gaps = ["?", "n/a", "-", "unknown", "missing", "none"]
    assert "to_numeric" in message_of(repeated(["1.5", "2.5", "3.5", *gaps]))


@pytest.mark.parametrize("name", ["Decimal", "Decimal and a question mark", "floats and some text"])
def test_the_remedy_for_objects_returns_the_numbers(name):
    column, _ = OBJECTS[name]
    remedy = re.search(r"Convert them by (.*?\))(?:, or all|\. )", message_of(column))[1]
    numbers = eval(remedy, {"pandas": pd, "X": pd.DataFrame({"income": column})})
    others = numbers.index != 7
    np.testing.assert_allclose(numbers[others], INCOMES[others], rtol=1e-8)


def test_an_error_names_three_numbers_and_three_exceptions():
    message = message_of(repeated([f"{i}.5" for i in range(60)] + list("abcdefgh")))
    assert "such as '0.5', '1.5', '2.5' (but not 'a', 'b', 'c')" in message


def test_an_error_does_not_quote_prose():
    message = message_of(repeated(["1.5", "2.5", "3.5", "4.5", "5.5", "a remark " * 1_000]))
    assert "such as '1.5', '2.5', '3.5'. As" in message


@pytest.mark.parametrize("dtype", ["object", "str", "string", "category"])
def test_only_a_category_dtype_declares_numbers_as_categories(dtype):
    column = INCOMES.map("{:,.2f}".format).astype(dtype)
    assert (message_of(column) == "") == (dtype == "category")


@pytest.mark.parametrize("dtype", ["bool", "boolean"])
def test_bools_are_categories(dtype):
    assert message_of(pd.Series([True, False] * 20, dtype=dtype)) == ""


@pytest.mark.parametrize("dtype", ["object", "str", "string", "category"])
def test_identifiers_are_an_error_that_does_not_disclose_them(dtype):
    emails = pd.Series([f"person{i:03}@example.org" for i in range(N_ROWS)], dtype=dtype)
    message = message_of(emails, "email")
    assert "Column 'email' of X holds 400 different values in 400 rows" in message
    assert "person" not in message
    assert "list it in categorical_features" in message


def test_whole_numbers_that_identify_the_rows_should_rather_be_dropped():
    column = pd.Series(range(1_000_000, 1_000_400)).astype(str)
    assert "If they identify the rows, drop the column." in message_of(column)
    incomes = pd.Series([f"{20_000 + i * 0.25}" for i in range(400)])
    assert "identify" not in message_of(incomes)


@pytest.mark.parametrize(
    ("n_words", "n_rows", "is_error"),
    [(91, 100, True), (90, 100, False), (20, 20, True), (19, 19, False)],
)
def test_identifiers_are_words_of_more_than_nine_of_ten_rows(n_words, n_rows, is_error):
    words = [f"word {i}" for i in range(n_words)]
    words += words[: n_rows - n_words]
    assert (message_of(pd.Series(words)) != "") == is_error
    # Missing cells are not rows with a word.
    assert (message_of(pd.Series(words + [None] * 300, dtype=object)) != "") == is_error


def test_declared_categories_are_no_identifiers_in_a_small_part_of_a_table_or_in_order():
    cities = [f"city {i}" for i in range(60)]
    assert message_of(pd.Series(cities[:30]).astype(pd.CategoricalDtype(cities))) == ""
    assert message_of(pd.Series(cities[:31]).astype(pd.CategoricalDtype(cities))) != ""
    assert message_of(pd.Series(pd.Categorical(cities, ordered=True))) == ""


@pytest.mark.parametrize("cells", [[], [None, None], [np.nan] * 30])
def test_a_column_without_words_is_accepted(cells):
    assert message_of(pd.Series(cells, dtype=object)) == ""


def test_cells_that_cannot_be_categories_are_left_to_the_schema():
    assert message_of(pd.Series([[1], [2], [3]] * 10)) == ""


def test_a_csv_file_of_whole_numbers_with_one_question_mark_is_an_error():
    text = "bare_nuclei\n" + "\n".join([*map(str, range(1, 11)), "?"] * 5)
    column = pd.read_csv(io.StringIO(text))["bare_nuclei"]
    assert "'?'" in message_of(column, "bare_nuclei")


def test_numbers_as_bytes_are_an_error():
    assert "to_numeric" in message_of(repeated([b"1.5", b"2.5", b"3.5"]))


def test_names_of_columns_may_be_numbers():
    assert "pandas.to_numeric(X[3], " in message_of(INCOMES.astype(str), 3)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_rows_does_not_change_the_verdict(seed):
    columns = [column for column, _ in [*NUMBERS.values(), *OBJECTS.values()]]
    columns += [*DATES.values(), *map(repeated, CATEGORIES.values())]
    for column in columns:
        shuffled = column.sample(frac=1, random_state=seed)
        assert bool(message_of(shuffled)) == bool(message_of(column))


def test_dates_in_an_object_column_need_not_be_of_one_type():
    cells = [datetime.date(2020, 1, 1), datetime.datetime(2021, 1, 1), "2022-05-01", "2023-05-01"]
    assert "dates or times" in message_of(repeated(cells))


def test_complex_numbers_are_rejected_with_their_remedy():
    column = pd.Series([complex(n, 1) for n in range(30)] * 2, dtype=object)
    with pytest.raises(ValueError, match=r"Column 'x' .*complex numbers.*X\['x'\].map\(abs\)"):
        check_words("x", column)
