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


def letter(explanation, row=0, **words):
    """Return a letter as one line."""
    lines = [line for lines in unwrapped(explanation.to_text(row, **words)) for line in lines]
    return " ".join(lines)


def test_a_row_that_has_reached_its_target_has_nothing_to_change(fitted, diabetes):
    X, _ = diabetes
    sure = X[fitted.predict_proba(X)[:, 1] > 0.8].head(1)
    text = letter(fitted.explain(sure, "slow"))
    assert 'Its result is "slow"' in text
    assert "nothing has to change" in text
    assert "would be" not in text
    assert "proven" not in text


def test_a_row_that_is_predicted_as_its_target_below_tau_says_so(fitted, diabetes):
    X, _ = diabetes
    share = fitted.predict_proba(X)[:, 1]
    unsure = X[(share > 0.5) & (share < 0.6)].head(1)
    text = letter(fitted.explain(unsure, "slow"))
    assert "its probability is below the required 75%" in text
    assert 'the result would be "slow"'.capitalize() in text
    stuck = letter(fitted.explain(unsure, "slow", mutability={"*": "none"}))
    assert "No permitted list of changes was found" in stuck
    assert "would be" not in stuck


def test_a_row_without_recourse_lists_no_changes(fitted, diabetes):
    X = diabetes[0][fitted.predict(diabetes[0]) == "fast"].head(6)
    narrow = {"*": "none", "s6": "decrease"}
    for prove, sentence in ((False, "It is not proven"), (True, "It is proven that no permitted")):
        explanation = fitted.explain(X, "slow", mutability=narrow, prove=prove)
        row = int(np.flatnonzero(~explanation.valid)[0])
        text = letter(explanation, row)
        assert sentence in text
        assert "from" not in text
        assert "would be" not in text


def test_a_row_that_is_valid_but_not_mature_says_what_it_falls_short_of(fitted, diabetes):
    X = diabetes[0][fitted.predict(diabetes[0]) == "fast"]
    explanation = fitted.explain(X, "slow", generator="eccco", T=12, tau=0.9)
    row = int(np.flatnonzero(explanation.valid & ~explanation.mature)[0])
    assert "(less than the required 90%)" in letter(explanation, row)


def test_a_letter_names_the_probability_of_the_target_among_three_classes(fitted_iris, iris):
    explanation = fitted_iris.explain(iris[0][:3], 2)
    text = letter(explanation, labels={("target", 2): "virginica", ("target", 0): "setosa"})
    assert 'Its result is "setosa"' in text
    assert 'Its probability of "virginica" is ' in text
    assert 'would be "virginica"' in text


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "no other permitted list of changes costs noticeably less than this one"),
        ({"sparse": True}, "no permitted list of changes is shorter than this one"),
        ({"max_changes": 3}, "no other permitted list of at most 3 changes costs noticeably less"),
        (
            {"n_alternatives": 2},
            "no other permitted list of changes costs noticeably less than option",
        ),
    ],
)
def test_a_proof_is_told_in_the_terms_of_its_request(fitted, diabetes, settings, sentence):
    X = diabetes[0][fitted.predict(diabetes[0]) == "fast"].head(1)
    explanation = fitted.explain(X, "slow", prove=True, **settings)
    assert explanation.proof[0] == "optimal"
    text = letter(explanation)
    assert f"It is proven that {sentence}" in text
    # The other alternatives are no longer compared with all lists.
    if "n_alternatives" in settings:
        assert "proven" not in letter(explanation[1:2]).replace("not proven", "")


def test_a_letter_lists_what_suffices_alone_and_what_does_not(fitted, diabetes):
    X = diabetes[0][fitted.predict(diabetes[0]) == "fast"].head(4).set_axis(list("pqrs"))
    free = {"*": "none", "bmi": "both", "bp": "both", "s5": "both", "s6": "both"}
    sets = sufficient_changes(fitted, X, "slow", mutability=free, max_size=2)
    explanation = fitted.explain(X, "slow", mutability=free)
    for row, label in enumerate(X.index):
        text = letter(explanation, row, sufficient=sets, units={"bmi": "kg"})
        of_row = sets[sets["row"] == label]
        single = of_row[of_row["features"].map(len) == 1]
        for line in single.to_dict("records"):
            (name,) = line["features"]
            if line["to"] is not None:
                assert f"- {name}: from {line['from'][0]:g}" in text.partition("on its own:")[2]
            else:
                assert line["proof"] == "impossible"
                proven = re.search("whatever permitted value they take: (.*?)\\.", text)[1]
                assert name in proven.split(", ")
        together = of_row[(of_row["features"].map(len) == 2) & of_row["to"].notna()]
        assert ("Each of these combinations is enough" in text) == bool(len(together))
    assert (sets["proof"] == "impossible").any()
    assert sets["to"].notna().any()


def test_sets_of_other_rows_are_rejected(fitted, diabetes):
    X = diabetes[0][fitted.predict(diabetes[0]) == "fast"].head(2)
    sets = sufficient_changes(fitted, X, "slow", max_size=1, time_limit=0.1)
    other = fitted.explain(X.iloc[::-1].set_axis(X.index), "slow", T=1)
    with pytest.raises(ValueError, match="sufficient holds the value .* Compute it for the same"):
        other.to_text(0, sufficient=sets)
    with pytest.raises(ValueError, match="it lacks 'features', 'from'"):
        other.to_text(0, sufficient=sets[["row"]])
    doubled = fitted.explain(pd.concat([X, X]), "slow", T=1)
    with pytest.raises(ValueError, match="holds the label .* for several rows"):
        doubled.to_text(0, sufficient=sets)


def test_rows_are_positions_and_an_error_knows_the_labels(fitted, diabetes):
    explanation = fitted.explain(diabetes[0].iloc[[7, 3, 5]], T=1)
    assert explanation.to_text(-1) == explanation.to_text(2)
    with pytest.raises(IndexError, match="row is 7, .* 3 factuals.* 0 to 2.* 7 is at position 0"):
        explanation.to_text(7)
    with pytest.raises(IndexError, match="The label 7 is at position 0"):
        explanation.to_text(explanation.factual.index[0])
    with pytest.raises(IndexError, match=r"row is -4, .* of X's index\.$"):
        explanation.to_text(-4)
    with pytest.raises(IndexError, match="holds no rows"):
        explanation[:0].to_text()
    named = fitted.explain(diabetes[0].head(2).set_axis(["p", "q"]), T=1, n_alternatives=2)
    with pytest.raises(TypeError, match="row must be the position.* 'q' is at position 1"):
        named.to_text("q")


def test_alternatives_of_a_selection_belong_to_one_letter(fitted, diabetes):
    X = diabetes[0][fitted.predict(diabetes[0]) == "fast"].head(3)
    explanation = fitted.explain(X, "slow", n_alternatives=3)
    assert "Option 3" in explanation.to_text(2)
    assert explanation[6:].to_text(0) == explanation.to_text(2)
    assert explanation[[8, 8, 7]].to_text().count("Option") == 2


def test_dummies_of_a_group_are_one_change():
    rng = np.random.default_rng(0)
    jobs = pd.get_dummies(pd.Series(rng.choice(["cook", "nurse", "pilot"], 200)), "job", dtype=int)
    X = jobs.assign(income=rng.normal(size=200))
    y = (X["job_pilot"] * 3 + X["income"] > 1).map({True: "yes", False: "no"})
    clf = CounterfactualTrainedClassifier(
        one_hot_groups=[list(jobs)], max_epochs=20, lr=0.01, random_state=0
    ).fit(X, y)
    rows = X[(clf.predict(X) == "no") & (X["job_cook"] == 1)].head(3)
    explanation = clf.explain(rows, "yes", mutability={"income": "none"})
    assert '- job: from "job_cook" to "job_pilot"' in explanation.to_text()
    sets = sufficient_changes(clf, rows, "yes", mutability={"income": "none"}, max_size=1)
    text = explanation.to_text(sufficient=sets)
    assert text.count('- job: from "job_cook" to "job_pilot"') == 2
    assert "must not be changed: income." in text
    assert explanation.changes()["share"].iloc[:2].tolist() == [0.5, 0.5]


def test_names_of_every_kind_are_written(iris):
    X, y = iris
    names = [("a", 1), ("a", "two\nlines"), ('quo"te', ""), ("$x$", 3)]
    frame = pd.DataFrame(X, columns=pd.MultiIndex.from_tuples(names))
    clf = CounterfactualTrainedClassifier(max_epochs=10, lr=0.03, random_state=0).fit(frame, y)
    text = clf.explain(frame.head(1), 1, mutability={("$x$", 3): "none"}).to_text()
    assert "must not be changed: $x$ / 3." in text
    numbered = pd.DataFrame(X)
    clf = CounterfactualTrainedClassifier(max_epochs=10, lr=0.03, random_state=0).fit(numbered, y)
    assert "- 2: from " in clf.explain(numbered.head(1), 1).to_text()
    assert "- width: from " in clf.explain(numbered.head(1), 1).to_text(labels={2: "width"})
