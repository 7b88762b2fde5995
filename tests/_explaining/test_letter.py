import re

import numpy as np
import pandas as pd
import pytest
from letters import Reader, unwrapped

from ctsk import CounterfactualTrainedClassifier, sufficient_changes

LABELS = {
    "income": "monthly income, net",
    ("job", "cook"): "cook, level 3",
    ("owner", True): "owns a flat",
    ("children", 3): "three or more",
}
UNITS = {"income": "EUR", "months": "months", "rate": "percent"}
SPECIAL = {"months": [-9, -8]}


@pytest.fixture(scope="module")
def table():
    """Rows with columns of every kind and dtype, gaps and special values, and labels."""
    rng = np.random.default_rng(0)
    n_rows = 9_000
    X = pd.DataFrame(
        {
            "income": rng.gamma(3, 1_000, n_rows).round(2),
            "rate": rng.normal(5, 2, n_rows).astype(np.float32),
            "balance": rng.normal(0, 1e-4, n_rows),
            "children": rng.integers(0, 5, n_rows),
            "months": rng.integers(0, 60, n_rows).astype(np.int32),
            "job": pd.Series(rng.choice(["cook", "nurse", "pilot"], n_rows)).mask(
                rng.random(n_rows) < 0.1
            ),
            "owner": rng.random(n_rows) < 0.4,
            "age": rng.integers(18, 80, n_rows),
        },
        index=rng.permutation(n_rows),
    )
    score = X["income"] / 1_500 + X["rate"] / 4 + X["owner"] - X["children"] / 3 + X["months"] / 30
    y = (score > score.median()).map({True: "granted", False: "refused"})
    X.loc[rng.random(n_rows) < 0.1, "months"] = -9
    X.loc[rng.random(n_rows) < 0.1, "income"] = np.nan
    return X, y


@pytest.fixture(scope="module")
def clf(table):
    X, y = table
    return CounterfactualTrainedClassifier(
        mutability={"age": "none", "rate": "increase"},
        special_values=SPECIAL,
        lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=8, lr=0.01, random_state=0,
    ).fit(X.head(1_000), y.head(1_000))  # fmt: skip


@pytest.fixture(scope="module")
def requests(table, clf):
    """Explanations of 10,000 factuals: found and not, already there, and with alternatives."""
    X, _ = table
    descent = {"generator": "generic", "T": 8}
    narrow = {"*": "none", "children": "decrease", "owner": "both"}
    of_words = {"*": "none", "job": "both", "owner": "both", "months": "both"}
    return [
        clf.explain(X.head(3_000), T=1),
        clf.explain(X.head(3_000), **descent),
        clf.explain(X.head(1_000), "granted", **descent),
        clf.explain(X.head(1_000), mutability=narrow, T=1),
        clf.explain(X.head(1_000), mutability=of_words, tau=0.55, T=1),
        clf.explain(X.tail(1_000), n_alternatives=2, **descent),
    ]


def test_every_number_of_ten_thousand_letters_is_that_of_the_row(requests):
    n_letters, read = 0, dict.fromkeys(Reader(requests[0], {}, {}, {}).read, 0)
    for explanation in requests:
        reader = Reader(explanation, LABELS, UNITS, SPECIAL)
        for row in range(len(explanation) // explanation.n_alternatives):
            text = explanation.to_text(row, labels=LABELS, units=UNITS)
            reader.check(row, text)
            n_letters += 1
        read = {key: read[key] + reader.read[key] for key in read}
    assert n_letters == 10_000
    assert min(read.values()) > 100, read


def test_the_reader_of_letters_finds_every_digit_that_is_changed(requests):
    explanation = requests[0][:50]
    reader = Reader(explanation, LABELS, UNITS, SPECIAL)
    texts = [explanation.to_text(row, labels=LABELS, units=UNITS) for row in range(50)]
    row, text = max(enumerate(texts), key=lambda pair: len(pair[1]))
    reader.check(row, text)
    digits = [match.start() for match in re.finditer(r"\d", text)]
    assert len(digits) > 10
    for position in digits:
        other = str((int(text[position]) + 1) % 10)
        with pytest.raises((AssertionError, KeyError)):
            reader.check(row, text[:position] + other + text[position + 1 :])
