"""Models over random columns of every kind, random constraints, and what must hold.

Shared by the suite and by ``benchmarks/promise.py``. What must hold is checked from
what the user said, cell by cell, without the package's own constraints.
"""

import itertools
import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

from ctsk import (
    CounterfactualTrainedClassifier,
    ECCCoGenerator,
    GenericGenerator,
    REVISEGenerator,
)

CONVENTIONAL = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}
WORDS = ("both", "increase", "decrease", "none")
NUMERIC = ("float64", "float32", "int64", "int8", "Int64", "Float32")
CATEGORICAL = ("bool", "boolean", "category", "ordered", "str", "object")
# What scikit-learn's encoders take: neither nullable booleans nor words among numbers.
ENCODABLE = (*NUMERIC, "bool", "category", "ordered", "str")
WIDTH = 12


@dataclass(frozen=True)
class Column:
    """One column of the rows that a model is trained on."""

    name: str
    data: pd.Series
    # In their order, the unobserved ones included and the missing one not.
    categories: list | None = None
    ordered: bool = False


@dataclass(frozen=True)
class Model:
    """A fitted classifier, or a pipeline that ends in one, and what it was told."""

    clf: CounterfactualTrainedClassifier
    columns: list
    X: pd.DataFrame | np.ndarray
    words: list
    domains: list


def random_column(random, name, kinds, n_rows):
    kind = random.choice(kinds)
    rng = np.random.default_rng(random.randrange(2**16))
    if kind in NUMERIC:
        scale = random.choice([0.1, 1.0, 20.0])
        shift = random.choice([0.0, 0.0, 3 * scale])
        numbers = rng.normal(shift, scale, n_rows)
        if "nt" in kind:
            numbers = numbers.round().clip(-100, 100)
        return Column(name, pd.Series(numbers.astype(kind.lower())).astype(kind))
    if kind in ("bool", "boolean"):
        data = pd.Series(rng.random(n_rows) < 0.5)
        return Column(name, _some_missing(data.astype(kind), random, rng), [False, True], True)
    values = {"object": ["a", "b", 3, 7], "code": [0.0, 1.0, 2.5, 9.0]}.get(
        kind, ["low", "mid", "high", "top", "over"]
    )[: random.randint(1, 5)]
    data = pd.Series(np.array(values, dtype=object)[rng.integers(len(values), size=n_rows)])
    if kind == "code":
        return Column(name, data.astype(float), sorted(set(data)))
    if kind in ("category", "ordered"):
        declared = [*values, "unseen"] if random.random() < 0.5 else values
        data = data.astype(pd.CategoricalDtype(declared, ordered=kind == "ordered"))
        return Column(name, _some_missing(data, random, rng), declared, kind == "ordered")
    data = _some_missing(data.astype(kind), random, rng)
    observed = sorted({value for value in data if not pd.isna(value)}, key=str)
    return Column(name, data, observed)


def _some_missing(data, random, rng):
    if data.dtype == bool or random.random() < 0.6:
        return data
    return data.mask(rng.random(len(data)) < 0.1)


def random_word(random, column):
    if column.categories is None or column.ordered:
        return random.choice(WORDS)
    return random.choice(("both", "none"))


def random_generator(random):
    """Draw a generator of any kind; an autoencoder is a small one."""
    small = {"n_latent": 4, "hidden_layer_sizes": (16,), "max_iter": 60}
    return random.choice(
        [
            GenericGenerator(),
            GenericGenerator(distance="mad", lambda_gravity=0.1),
            ECCCoGenerator(),
            REVISEGenerator(**small),
        ]
    )


def random_domain(random, column):
    if column.categories is not None:
        some = random.sample(column.categories, random.randint(1, len(column.categories)))
        return random.choice(["auto", None, some])
    data = column.data.astype(float)
    low, high = sorted(data.mean() + data.std() * random.uniform(-3, 3) for _ in range(2))
    # A domain without a whole number is an error on a column of integers.
    if column.data.dtype.kind in "iu":
        low, high = np.floor(low), np.floor(high)
    return random.choice(["auto", None, (low, None), (None, high), (low, high), (high, high)])


def random_pipeline(random, *, n_rows=60, **parameters):
    """Fit a classifier behind scalers and encoders, on 1 to 12 random columns."""
    columns = [
        random_column(random, f"c{i}", ENCODABLE, n_rows) for i in range(random.randint(1, WIDTH))
    ]
    # An encoder knows no categories but those that it has seen.
    columns = [
        column
        if column.categories is None
        else replace(
            column,
            categories=[value for value in column.categories if (column.data == value).any()],
        )
        for column in columns
    ]
    X = pd.DataFrame({column.name: column.data for column in columns})
    names = [column.name for column in columns]
    words = [column.name for column in columns if column.categories is not None]
    encoder = random.choice(
        [OneHotEncoder(sparse_output=False), OrdinalEncoder(encoded_missing_value=-1)]
    )
    scaler = random.choice([StandardScaler(), MinMaxScaler()])
    numbers = [name for name in names if name not in words]
    coded = ColumnTransformer([("numbers", scaler, numbers), ("words", encoder, words)])
    clf = CounterfactualTrainedClassifier(
        (8,), generator=random_generator(random), random_state=0, **parameters
    )
    fitted = make_pipeline(coded, clf).fit(X, random_labels(random, X, columns))
    return Model(fitted, columns, X, ["both"] * len(columns), ["auto"] * len(columns))


def random_model(random, *, kinds=None, constrained=True, n_rows=60, **parameters):
    """Fit a small classifier on 1 to 12 random columns."""
    as_array = kinds is None and random.random() < 0.3
    kinds = kinds or (("float64", "code") if as_array else NUMERIC + CATEGORICAL)
    n_columns = random.randint(1, WIDTH)
    columns = [random_column(random, f"c{i}", kinds, n_rows) for i in range(n_columns)]
    X = pd.DataFrame({column.name: column.data for column in columns})
    if as_array:
        X = X.to_numpy(dtype=random.choice(["float64", "float32"]))
        parameters["categorical_features"] = [
            i for i, column in enumerate(columns) if column.categories is not None
        ]
    words, domains = ["both"] * n_columns, ["auto"] * n_columns
    if constrained:
        words = [random_word(random, column) for column in columns]
        domains = [random_domain(random, column) for column in columns]
    clf = CounterfactualTrainedClassifier(
        (8,),
        generator=random_generator(random),
        mutability=words,
        domain=domains,
        random_state=random.randrange(2**16),
        **parameters,
    )
    y = random_labels(random, X, columns)
    return Model(clf.fit(X, y), columns, X, words, domains)


def unconstrained_model(random):
    """Fit a conventional classifier on random numeric columns, to see whether it is explained."""
    settings = {"max_epochs": 30, "lr": 0.01, **CONVENTIONAL}
    return random_model(random, kinds=NUMERIC, constrained=False, **settings)


def random_labels(random, X, columns):
    """Two or three balanced classes that a rule of the columns tells, mostly."""
    rng = np.random.default_rng(random.randrange(2**16))
    codes = [
        column.data.astype(float) if column.categories is None else pd.factorize(column.data)[0]
        for column in columns
    ]
    rows = np.array(codes, dtype=float).T
    rows = (rows - rows.mean(axis=0)) / (rows.std(axis=0) + 1e-9)
    scores = rows @ rng.normal(size=rows.shape[1]) + 0.3 * rng.normal(size=len(rows))
    return scores.argsort().argsort() * random.choice([2, 3]) // len(rows)


def random_request(random, model):
    """Rows to explain, constraints as a user may write them, and what these come to.

    Returns
    -------
    rows : DataFrame or ndarray
    given : dict
        Arguments of `explain`.
    words, domains : list of list
        In force, by row and feature.
    """
    n_rows = random.randint(1, 6)
    positions = [random.randrange(len(model.X)) for _ in range(n_rows)]
    rows = model.X.iloc[positions] if isinstance(model.X, pd.DataFrame) else model.X[positions]
    words = [list(model.words) for _ in range(n_rows)]
    domains = [list(model.domains) for _ in range(n_rows)]
    given = {
        "mutability": _random_spec(random, model, random_word, words),
        "domain": _random_spec(random, model, random_domain, domains),
    }
    if random.random() < 0.3:
        given["feature_costs"] = [random.choice([0.0, 1.0, 5.0]) for _ in model.columns]
    if random.random() < 0.2:
        given["n_alternatives"] = random.choice([2, 3])
    given["sparse"] = random.random() < 0.3
    if isinstance(model.clf, Pipeline) and model.clf[-1].generator_.must_learn:
        given["X_reference"] = model.X
    return rows, given, words, domains


def _random_spec(random, model, draw, in_force):
    """Draw constraints in one of the forms that `explain` takes; enter them into `in_force`."""
    form = random.choice(["nothing", "dict", "sequence", "dicts", "table"])
    if form == "nothing":
        return None
    columns = list(enumerate(model.columns))
    if form == "sequence":
        spec = [draw(random, column) for column in model.columns]
        for row in in_force:
            row[:] = spec
        return spec
    if form in ("dict", "dicts"):
        n_specs = 1 if form == "dict" else len(in_force)
        specs = [
            {i: draw(random, column) for i, column in columns if random.random() < 0.5}
            for _ in range(n_specs)
        ]
        for row, spec in zip(in_force, specs * (len(in_force) // n_specs), strict=True):
            for i, entry in spec.items():
                row[i] = entry
        named = isinstance(model.X, pd.DataFrame) and random.random() < 0.7
        if named:
            specs = [{model.columns[i].name: e for i, e in spec.items()} for spec in specs]
        return specs[0] if form == "dict" else specs
    if draw is random_word:
        for row in in_force:
            row[:] = [draw(random, column) for column in model.columns]
        return [list(row) for row in in_force]
    bounds = np.full((len(in_force), len(columns), 2), np.nan)
    for row, entries in zip(bounds, in_force, strict=True):
        for i, column in columns:
            entry = draw(random, column)
            if column.categories is None and isinstance(entry, tuple):
                entries[i] = entry
                row[i] = [np.nan if bound is None else bound for bound in entry]
    return bounds


def violations(model, rows, explanation, words, domains):
    """Say of every cell handed back where it breaks what the user was promised."""
    found, n_each = explanation.counterfactual, explanation.n_alternatives
    said = [*_said_of_other_rows(model.clf, explanation), *_not_apart(explanation)]
    positions = [i for i in range(len(rows)) for _ in range(n_each)]
    words, domains = ([spec[i] for i in positions] for spec in (words, domains))
    rows = rows.iloc[positions] if isinstance(rows, pd.DataFrame) else rows[positions]
    if isinstance(rows, pd.DataFrame):
        index = found.index if n_each == 1 else found.index.droplevel("alternative")
        if not (index.equals(rows.index) and found.dtypes.equals(rows.dtypes)):
            said.append("index, columns or dtypes differ")
        before, after = (frame.to_numpy(dtype=object).tolist() for frame in (rows, found))
    else:
        if found.dtype != rows.dtype:
            said.append("dtype differs")
        before, after = rows.tolist(), found.tolist()
    for i in range(len(before)):
        for j, column in enumerate(model.columns):
            auto = [bound[j] for bound in _numeric_domain(model)]
            problem = _broken(column, before[i][j], after[i][j], words[i][j], domains[i][j], auto)
            if problem:
                said.append(
                    f"row {i}, {column.name}: {before[i][j]!r} -> {after[i][j]!r}, "
                    f"{words[i][j]!r}, domain {domains[i][j]!r}: {problem}"
                )
    return said


def _numeric_domain(model):
    """Inferred bounds by feature, of the numeric ones; a test of their formula is elsewhere."""
    bounds = np.repeat([[-np.inf], [np.inf]], len(model.columns), axis=1)
    if not isinstance(model.clf, CounterfactualTrainedClassifier):
        return bounds
    numeric = [i for i, column in enumerate(model.columns) if column.categories is None]
    bounds[:, numeric] = np.array(model.clf.encoder_.domain)[:, : len(numeric)]
    return bounds


def _said_of_other_rows(clf, explanation):
    found = explanation.counterfactual
    if not np.array_equal(clf.predict_proba(found), explanation.proba):
        yield "proba is not that of the rows returned"
    if not np.array_equal(clf.predict(found), explanation.prediction):
        yield "prediction is not that of the rows returned"
    if not np.array_equal(explanation.prediction == explanation.target, explanation.valid):
        yield "valid is not prediction == target"
    for i, reason in enumerate(explanation.reason):
        ended_well = explanation.valid[i] and explanation.mature[i]
        is_double = explanation.alternative[i] > 0 and str(reason).startswith("too near")
        if (reason is None) != ended_well and not (ended_well and is_double):
            yield f"row {i}: valid and mature is {ended_well}, reason is {reason!r}"


def _not_apart(explanation):
    n_each, weights = explanation.n_alternatives, explanation.encoder.column_weights
    ways = explanation.counterfactual_encoded.reshape(-1, n_each, len(weights))
    reached = (explanation.reason == None).reshape(-1, n_each)  # noqa: E711
    for i, j in itertools.combinations(range(n_each), 2):
        distances = np.abs(ways[:, i] - ways[:, j]) @ weights
        if (distances < 0.1)[reached[:, i] & reached[:, j]].any():
            yield f"alternatives {i} and {j} of a row are the same, or nearly so"


def _broken(column, before, after, word, domain, auto):
    """Say what is wrong with a cell; None if nothing is."""
    missing = pd.isna(before)
    same = type(before) is type(after) and (pd.isna(after) if missing else before == after)
    if column.categories is None:
        if not math.isfinite(after):
            return "not finite"
        low, high = auto if domain == "auto" else domain or (None, None)
        if low is not None and not after >= min(low, before):
            return "below the domain"
        if high is not None and not after <= max(high, before):
            return "above the domain"
    elif same:
        return None
    elif pd.isna(after):
        return "became missing"
    elif domain == "auto" and after not in set(column.data.dropna()):
        return "not a category that was observed"
    elif after not in column.categories or isinstance(domain, list) and after not in domain:
        return "not a category that may be reached"
    if word == "none" and not same:
        return "moved"
    if word in ("increase", "decrease") and not same:
        if missing:
            return "moved from missing"
        rank = column.categories.index if column.ordered else lambda value: value
        if (rank(after) > rank(before)) != (word == "increase"):
            return "moved the wrong way"
    return None
