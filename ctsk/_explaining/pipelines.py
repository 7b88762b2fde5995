"""A fitted pipeline as a model that is explained in the units of the rows that enter it."""

from dataclasses import replace
from functools import partial

import numpy as np
import torch

from ctsk._columns.categories import Categories, codes_of, refuse_unknown
from ctsk._columns.containers import check_columns, columns_of, dtypes_of, is_frame, listed
from ctsk._columns.curves import Curve
from ctsk._columns.rows import Rows
from ctsk._columns.schema import Schema
from ctsk._columns.validation import check_table, refuse_values
from ctsk._explaining.made_up_rows import MadeUpRows
from ctsk._explaining.pipeline_constraints import trained_constraints, trained_costs
from ctsk._explaining.pipeline_encoder import complete_encoder, plain_encoder
from ctsk._explaining.pipeline_map import measure
from ctsk._explaining.pipeline_steps import follow, transformed


def model_of(pipeline, inner, X, X_reference=None, *, resolutions=None):
    """Return a fitted pipeline as an explainable model.

    Parameters
    ----------
    pipeline : Pipeline
    inner : ExplainableModel
        The last step.
    X : DataFrame or ndarray of shape (n_rows, n_features)
        A table like those that enter the pipeline. Only its columns and dtypes are used, so
        that the model does not depend on the rows to be explained.
    X_reference : DataFrame or ndarray of shape (n_reference, n_features), default=None
        Observed rows. They list the categories of text that no step lists, and show the
        range and the grid of numbers that the last step does not know.
    resolutions : dict of int to Grid or None, default=None
        Features of the last step whose grid is not to be inferred; see `check_resolution`.

    Returns
    -------
    model : ExplainableModel
        With the constraints and costs of the last step. Its judge returns NaN for rows
        that the pipeline rejects.

    Raises
    ------
    ValueError
        If a step cannot be inverted, or X is not what the pipeline was fitted with.
    """
    # The steps are measured on rows that are made up, so that the model is the same for
    # whatever rows are explained.
    names = check_names(pipeline, X)
    made_up = MadeUpRows(names, dtypes_of(X), is_frame(X))
    known = made_up.known_categories(X_reference)
    paths = follow(pipeline, names, inner.encoder.schema, known)
    schema = _schema(paths, names, made_up.dtypes, inner.encoder.schema)
    # The states of numbers are measured through an encoder that has none.
    plain = plain_encoder(paths, schema, inner.encoder)
    special = _special_values(paths, plain, inner.encoder)
    measured = measure(pipeline, inner, paths, plain, made_up, special)
    constants = _constants(paths, plain, measured, special)
    schema = replace(
        schema,
        special_values={
            f: (*special.get(f, ()), *constants.get(f, ())) for f in {**special, **constants}
        },
        states=measured.states,
        imputed=measured.imputed,
    )
    reference = None if X_reference is None else Rows.read(X_reference, schema, warn=False)
    inferred = _inferred(paths, schema, resolutions)
    encoder = complete_encoder(paths, plain, schema, inner.encoder, measured, reference, inferred)

    def read(X, *, warn=True):
        table = check_table(X, schema.names)
        check_names(pipeline, table)
        rows = Rows.read(table, schema, like=X, warn=False)
        _refuse(rows, measured, encoder)
        # A warning of values that are rejected in the end would be out of place.
        if warn:
            schema.read(table)
        return rows

    # The search descends the affine map and the classifier's module as one module; only the
    # judge transforms rows by the steps themselves.
    to_module = measured.to_module
    return replace(
        inner,
        module=torch.nn.Sequential(to_module, inner.module),
        read=read,
        predict_proba=partial(_judged, pipeline, inner),
        encoder=encoder,
        constraints=trained_constraints(paths, encoder, inner, to_module, special),
        feature_costs=trained_costs(paths, encoder, inner),
        curved=tuple(
            encoder.names[encoder.numeric[column]]
            for column, stages in encoder.curves.items()
            # The classifier's own curves are tables, of which a proof is exact.
            if any(isinstance(stage, Curve) and stage.function for stage in stages)
        ),
        # What generators learned in the classifier's units holds here if they are the same.
        learned=inner.learned if to_module.is_identity(encoder.groups) else (),
    )


def _special_values(paths, encoder, inner):
    """Return the special values of numbers, by feature.

    Returns
    -------
    special : dict of int to dict of float to float or None
        In X's units, each with the classifier's special value that it becomes; None if it
        is one of an imputer.
    """
    special = {}
    for column, feature in enumerate(encoder.numeric.tolist()):
        entries = dict.fromkeys(paths.special.get(feature, ()))
        if feature in paths.alone:
            inner_feature = paths.alone[feature]
            inner_column = inner.feature_columns[inner_feature][0]
            values = np.array(inner.schema.special_values.get(inner_feature, ()))
            encoded = inner.column_to_module_units(values, inner_column)
            # A number that arrives unchanged needs no way back, which would round it.
            is_mapped = paths.stages[feature] and len(values)
            solved = encoder.solve({column: encoded})[column] if is_mapped else values
            entries |= dict(zip(solved.tolist(), values.tolist(), strict=True))
        if entries:
            special[feature] = entries
    return special


def _constants(paths, encoder, measured, special):
    """Return special values of features in whose gaps an unknown step puts a constant.

    A step of which nothing but its effect is known puts a constant in place of gaps, rather
    than a mean or a median, if the classifier has seen no number beyond it.
    """
    constants = {}
    for column, feature in enumerate(encoder.numeric.tolist()):
        ends = encoder.observed[:, column]
        is_filled = feature in measured.imputed and feature not in measured.states
        # A column of one number shows nothing.
        if feature in paths.imputed or not is_filled or not ends[0] < ends[1]:
            continue
        is_end = np.abs(ends - measured.fill[column]) <= 1e-9 * (ends[1] - ends[0])
        if is_end.any():
            constants[feature] = [*special.get(feature, ()), ends[is_end][0].item()]
    return constants


def _inferred(paths, schema, resolutions):
    """Return the features whose grid may be inferred from reference rows."""
    if resolutions is None:
        return set()
    fixed = {f for f, inner_feature in paths.alone.items() if inner_feature in resolutions}
    return set(schema.numeric) - fixed


def _refuse(rows, measured, encoder):
    """Raise a ValueError, naming feature and row, if rows cannot be explained."""
    _refuse_gaps(rows, measured.refused)
    _refuse_unknown(rows, measured.refused_unknown)
    refuse_values(rows.values, rows.schema.names, "explain")
    _check_branches(rows, encoder)


def _refuse_gaps(rows, refused):
    """Raise a ValueError if a number is missing without which the pipeline rejects the row."""
    for feature in sorted(refused):
        gaps = np.flatnonzero(np.isnan(rows.values[:, feature]))
        if len(gaps):
            raise ValueError(
                f"X has no number in feature {rows.schema.names[feature]!r} (first in row "
                f"{gaps[0]}), which the pipeline rejects. Impute it, for example by a "
                "SimpleImputer in the pipeline, or drop the row."
            )


def _refuse_unknown(rows, refused):
    """Raise a ValueError if a category is unknown that the pipeline rejects."""
    schema = rows.schema
    columns = columns_of(rows.table) if refused else []
    for feature in sorted(refused):
        name, categories = schema.names[feature], schema.categories[feature]
        # The codes are not enough, because an unknown category may have that of a missing one.
        _, unknown = codes_of(columns[feature], name, categories)
        if unknown:
            refuse_unknown(name, unknown, categories)


def _check_branches(rows, encoder):
    """Raise a ValueError if a number lies where the pipeline folds it onto other numbers."""
    is_state = rows.schema.is_state(rows.values)
    for column, stages in encoder.curves.items():
        feature = encoder.numeric[column]
        # A gap or a special value lies on no curve.
        numbers = np.where(is_state[:, feature], np.nan, rows.values[:, feature])
        for stage in stages:
            if isinstance(stage, Curve):
                outside = (numbers < stage.domain[0]) | (numbers > stage.domain[1])
                if outside.any():
                    row = np.flatnonzero(outside)[0]
                    raise ValueError(
                        f"The pipeline maps numbers of feature {encoder.names[feature]!r} on both "
                        "sides of a point to the same, as an absolute value does, and a search "
                        f"follows one side only, to which row {row} of X does not belong. Derive "
                        "such a column before the rows enter the pipeline."
                    )
            numbers = stage.forward(numbers)


def _judged(pipeline, inner, rows):
    """Return probabilities of rows by the whole pipeline; NaN for rows that it rejects."""

    def predict_proba(rows):
        with np.errstate(all="ignore"):
            return inner.predict_proba(
                inner.read(transformed(pipeline, rows.container), warn=False)
            )

    return judged_in_halves(predict_proba, rows, len(inner.classes))


def judged_in_halves(predict_proba, rows, n_classes):
    """Return probabilities of rows; NaN for each row that a model rejects by a ValueError."""
    try:
        return predict_proba(rows)
    except ValueError:
        # A row that a step or the classifier rejects must not take the others along.
        if len(rows) == 1:
            return np.full((1, n_classes), np.nan)
        middle = len(rows) // 2
        halves = rows.select(slice(middle)), rows.select(slice(middle, None))
        return np.concatenate([judged_in_halves(predict_proba, h, n_classes) for h in halves])


def check_names(pipeline, X):
    """Return the names of the features that enter a pipeline; a ValueError if X has others."""
    fitted = getattr(pipeline, "feature_names_in_", None)
    if is_frame(X):
        names = list(X.columns)
        check_columns(names)
        if fitted is not None and names != list(fitted):
            raise ValueError(
                f"The columns of X are {listed(names)}; the pipeline was fitted with "
                f"{listed(list(fitted))}. Pass these, in this order."
            )
        return names
    if fitted is not None:
        raise ValueError(
            "X has no column names, but the pipeline was fitted with a DataFrame; its columns "
            f"are {listed(list(fitted))}. Pass a DataFrame with these columns."
        )
    if X.dtype.kind not in "biuf":
        raise ValueError(
            f"X is an array of {X.dtype}. A pipeline that accepts text needs a DataFrame, in which "
            "each column has a name and a dtype."
        )
    n_fitted = getattr(pipeline, "n_features_in_", X.shape[1])
    if X.shape[1] != n_fitted:
        raise ValueError(
            f"X has {X.shape[1]} features, but the pipeline was fitted with {n_fitted}. Pass the "
            "same features in the same order."
        )
    return [f"x{i}" for i in range(n_fitted)]


def _schema(paths, names, dtypes, inner):
    """Return names and kinds of the pipeline's columns."""
    categories = {}
    for feature, coding in paths.codings.items():
        values, ordered = coding.values, coding.ordered
        # Where the classifier knows the category itself, its order is the one that counts.
        if feature not in paths.alone and getattr(dtypes[feature], "ordered", False):
            order = [*dtypes[feature].categories, None]
            if set(values) <= set(order):
                values, ordered = [value for value in order if value in values], True
        observed = np.array([value is not None and value not in coding.unseen for value in values])
        categories[feature] = Categories(tuple(values), observed, ordered)
    integral = np.array([dtype.kind in "iu" for dtype in dtypes])
    # What reaches the classifier unchanged: whole there, it is whole here, and dummies of one
    # group are a group.
    unchanged = {
        inner_feature: feature
        for feature, inner_feature in paths.alone.items()
        if feature in paths.stages and not paths.stages[feature]
    }
    for inner_feature, feature in unchanged.items():
        integral[feature] |= inner.integral[inner_feature]
    integral[list(categories)] = False
    dummies = tuple(
        tuple(unchanged[inner_feature] for inner_feature in group)
        for group in inner.dummies
        if unchanged.keys() >= set(group)
    )
    # A feature that no step and no classifier reads may hold anything, dates for example.
    unread = frozenset(range(len(names))) - set(paths.codings) - set(paths.stages)
    return Schema(names, categories, integral, unread, dummies=dummies)
