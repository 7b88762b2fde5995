"""Models of random columns of every kind, and random requests to explain their rows.

The tests and ``benchmarks/promise.py`` share them; `promise_checks` holds the checks.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pandas as pd
from plain_training import ALL_EPOCHS
from random_columns import (
    CATEGORICAL,
    ENCODABLE,
    EVERYTHING,
    NUMERIC,
    perturbed,
    random_column,
    random_dummies,
)
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, OrdinalEncoder, StandardScaler

from ctsk import (
    CounterfactualTrainedClassifier,
    ECCCoGenerator,
    GenericGenerator,
    NearestGenerator,
    REVISEGenerator,
)

CONVENTIONAL = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}
WORDS = ("both", "increase", "decrease", "none")
WIDTH = 12


@dataclass(frozen=True)
class Model:
    """A fitted classifier or pipeline, with its training rows and constraints."""

    clf: CounterfactualTrainedClassifier
    columns: list
    X: pd.DataFrame | np.ndarray
    mutability: list
    domains: list
    # What the columns and the rows to explain may hold; see `EVERYTHING`.
    holds: frozenset = EVERYTHING


def random_word(random, column):
    if column.categories is None or column.ordered:
        return random.choice(WORDS)
    return random.choice(("both", "none"))


def random_generator(random):
    """Draw the generator of a training; the autoencoder of REVISE is a small one."""
    small = {"n_latent": 4, "hidden_layer_sizes": (16,), "max_iter": 60}
    return random.choice(
        [
            GenericGenerator(),
            GenericGenerator(distance="mad", lambda_gravity=0.1),
            ECCCoGenerator(),
            REVISEGenerator(**small),
            NearestGenerator(),
        ]
    )


def random_search(random):
    """Draw the generator of an explanation: mostly nearest, or None for that of the training."""
    return random.choice(
        [
            "nearest",
            "nearest",
            "nearest",
            NearestGenerator(lambda_data=0.3),
            NearestGenerator(lambda_data=2.0),
            None,
            None,
            "eccco",
            "generic",
        ]
    )


def random_domain(random, column):
    """Draw a domain that at least one training row lies in, unless the column is a dummy."""
    if column.categories is not None:
        subset = random.sample(column.categories, random.randint(1, len(column.categories)))
        return random.choice(["auto", None, subset])
    if column.group is not None:
        return random.choice(["auto", "auto", None, (0, 1), (None, 0), (1, 1)])
    if not len(column.amounts):
        return random.choice(["auto", None])
    amounts, spread = column.amounts, column.amounts.std() + 0.1
    inner = float(random.choice(amounts))
    if column.step:
        # A domain must hold a multiple of the step. Amounts need not be multiples of a step that
        # the user has set, and may miss those of an inferred step by a rounding error.
        inner = float(column.precision(round(Fraction(inner) / column.step) * column.step))
    low, high = (
        random.choice(
            [
                # An amount of training, a number off every grid, a number of few digits, and a
                # special value, which is inside but cannot be reached.
                float(end(float(random.choice(amounts)), inner)),
                inner + sign * random.uniform(0, 2) * spread,
                end(round(inner + sign * spread, 1), inner),
                end(column.special[0], inner) if column.special else inner,
            ]
        )
        for end, sign in ((min, -1), (max, 1))
    )
    pair = random.choice([(low, None), (None, high), (low, high), (inner, inner)])
    listed = random.sample(column.observed_special, random.randint(0, len(column.observed_special)))
    if listed:
        return [random.choice(["auto", (None, None), pair]), *listed]
    return random.choice(["auto", None, pair, pair])


def random_pipeline(random, *, n_rows=60, **parameters):
    """Fit a classifier behind scalers and encoders, on 1 to 12 random columns."""
    is_tolerant, imputes = random.random() < 0.5, random.random() < 0.5
    holds = {"outside", "gaps"}
    columns = [
        _after_encoding(random_column(random, f"c{i}", ENCODABLE, n_rows, holds), imputes)
        for i in range(random.randint(1, WIDTH))
    ]
    X = pd.DataFrame({column.name: column.data for column in columns})
    names = [column.name for column in columns]
    texts = [column.name for column in columns if column.categories is not None]
    numbers = [name for name in names if name not in texts]
    scaler = random.choice([StandardScaler(), MinMaxScaler()])
    scaler = make_pipeline(SimpleImputer(), scaler) if imputes else scaler
    coded = ColumnTransformer(
        [("numbers", scaler, numbers), ("texts", random_encoder(random, is_tolerant), texts)]
    )
    clf = CounterfactualTrainedClassifier(
        (8,), generator=random_generator(random), random_state=0, **parameters
    )
    fitted = make_pipeline(coded, clf).fit(X, random_labels(random, columns))
    n_columns = len(columns)
    holds |= {"unknown categories"} if is_tolerant else set()
    return Model(fitted, columns, X, ["both"] * n_columns, ["auto"] * n_columns, holds)


def random_encoder(random, is_tolerant):
    """Draw an encoder of scikit-learn, which rejects unknown categories unless it is tolerant."""
    if not is_tolerant:
        return random.choice(
            [OneHotEncoder(sparse_output=False), OrdinalEncoder(encoded_missing_value=-1)]
        )
    codes = {"encoded_missing_value": -1, "unknown_value": -2}
    return random.choice(
        [
            OneHotEncoder(sparse_output=False, handle_unknown="ignore"),
            OrdinalEncoder(handle_unknown="use_encoded_value", **codes),
        ]
    )


def _after_encoding(column, imputes):
    """Return what a pipeline passes on of a column."""
    if column.categories is not None:
        # An encoder knows no categories but those that it has seen.
        observed = [value for value in column.categories if (column.data == value).any()]
        return replace(column, categories=observed)
    # Scaled numbers show no grid but two values, among which there is no constant for gaps.
    has_pair = column.pair and not imputes
    return column if has_pair else replace(column, resolution=None)


def random_model(random, *, kinds=None, constrained=True, n_rows=60, **parameters):
    """Fit a small classifier on 1 to 12 random columns and up to two groups of dummies."""
    as_array = kinds is None and random.random() < 0.3
    dtype = random.choice(["float64", "float64", "float32", "int64"]) if as_array else None
    if as_array:
        kinds = ("int64",) if dtype == "int64" else ("float64", "code")
    kinds = kinds or NUMERIC + CATEGORICAL
    columns = [
        random_column(random, f"c{i}", kinds, n_rows) for i in range(random.randint(1, WIDTH))
    ]
    for group in range(random.choice([0, 0, 1, 2])):
        columns += random_dummies(random, group, n_rows)
    random.shuffle(columns)
    X = pd.DataFrame({column.name: column.data for column in columns})
    if as_array:
        X = X.to_numpy(dtype=dtype)
        columns = [
            replace(column, data=pd.Series(cells))
            for column, cells in zip(columns, X.T, strict=True)
        ]
        parameters["categorical_features"] = [
            i for i, column in enumerate(columns) if column.categories is not None
        ]
    mutability, domains = ["both"] * len(columns), ["auto"] * len(columns)
    if constrained:
        mutability = [random_word(random, column) for column in columns]
        domains = [random_domain(random, column) for column in columns]
    settings, columns = _column_settings(random, columns, as_array)
    # One draw: a tenth of the models keep X's units, and a fifth of them see quantiles.
    draw = random.random()
    parameters.setdefault("standardize", "quantile" if draw < 0.2 else draw < 0.9)
    clf = CounterfactualTrainedClassifier(
        (8,),
        generator=random_generator(random),
        mutability=mutability,
        domain=domains,
        random_state=random.randrange(2**16),
        **settings,
        **parameters,
    )
    y = random_labels(random, columns)
    return Model(clf.fit(X, y), columns, X, mutability, domains)


def _column_settings(random, columns, as_array):
    """Return the estimator's parameters that describe columns, and the columns in agreement."""
    keys = [i if as_array else column.name for i, column in enumerate(columns)]
    by_group, special, resolution = {}, {}, {}
    for key, column in zip(keys, columns, strict=True):
        if column.group is not None:
            by_group.setdefault(f"g{column.group}", []).append(key)
        if column.special:
            special[key] = list(column.special)
        if column.resolution != "auto":
            resolution[key] = column.resolution
    if random.random() < 0.15:
        # No column has a grid, except for columns of integers.
        resolution, columns = None, [replace(column, resolution=None) for column in columns]
    settings = {
        "one_hot_groups": random.choice([by_group, list(by_group.values())]),
        "special_values": special,
        "resolution": resolution if resolution is None else resolution or "auto",
    }
    return settings, columns


def unconstrained_model(random):
    """Fit a conventional classifier on random numeric columns, to see whether it is explained."""
    settings = {"max_epochs": 30, "lr": 0.01, "standardize": True, **CONVENTIONAL, **ALL_EPOCHS}
    return random_model(random, kinds=NUMERIC, constrained=False, **settings)


def random_labels(random, columns):
    """Draw two or three balanced classes, which follow a noisy rule of the columns."""
    rng = np.random.default_rng(random.randrange(2**16))
    codes = [
        column.data.to_numpy(dtype=float, na_value=np.nan)
        if column.categories is None
        else pd.factorize(column.data)[0]
        for column in columns
    ]
    rows = np.array(codes, dtype=float).T
    # Missing numbers have an influence of their own.
    rows = np.where(np.isnan(rows), np.nan_to_num(rows).mean(axis=0) + 1.0, rows)
    rows = (rows - rows.mean(axis=0)) / (rows.std(axis=0) + 1e-9)
    scores = rows @ rng.normal(size=rows.shape[1]) + 0.3 * rng.normal(size=len(rows))
    return scores.argsort().argsort() * random.choice([2, 3]) // len(rows)


def random_request(random, model):
    """Draw rows to explain and the arguments of `explain`, and combine the constraints.

    Returns
    -------
    rows : DataFrame or ndarray
    arguments : dict
        Keyword arguments of `explain`.
    mutability, domains : list of list
        In force, by row and feature.
    """
    n_rows = random.randint(1, 6)
    positions = [random.randrange(len(model.X)) for _ in range(n_rows)]
    rows = _random_rows(random, model, positions)
    mutability = [list(model.mutability) for _ in range(n_rows)]
    domains = [list(model.domains) for _ in range(n_rows)]
    arguments = {
        "generator": random_search(random),
        "mutability": _random_spec(random, model, random_word, mutability),
        "domain": _random_spec(random, model, random_domain, domains),
        "max_changes": random.choice([None, None, 1, 2, 3]),
        "sparse": random.random() < 0.3,
    }
    if random.random() < 0.3:
        arguments["feature_costs"] = [random.choice([0.0, 1.0, 5.0]) for _ in model.columns]
    # Several alternatives take most of the time, in particular if a gradient finds them.
    is_nearest = "nearest" in str(arguments["generator"]).lower()
    if random.random() < (0.15 if is_nearest else 0.04):
        arguments["n_alternatives"] = random.choice([2, 3])
    if isinstance(model.clf, Pipeline):
        # Without reference rows, the nearest search of a pipeline has no prototypes.
        must_learn = arguments["generator"] is None and model.clf[-1].generator_.must_learn
        if must_learn or (is_nearest and random.random() < 0.5):
            arguments["X_reference"] = model.X
    return rows, arguments, mutability, domains


def _random_rows(random, model, positions):
    """Return training rows, in which other cells replace a few."""
    if isinstance(model.X, pd.DataFrame):
        rows = model.X.iloc[positions].copy()
        for i, column in enumerate(model.columns):
            rows.isetitem(i, perturbed(random, column, rows.iloc[:, i], model.holds))
        return rows
    rows = model.X[positions]
    for i, column in enumerate(model.columns):
        cells = perturbed(random, column, pd.Series(rows[:, i]), model.holds)
        # An array of integers has no gaps.
        if cells.dtype == rows.dtype:
            rows[:, i] = cells
    return rows


def _random_spec(random, model, draw, in_force):
    """Draw constraints in one of the forms that `explain` accepts; enter them into `in_force`."""
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
