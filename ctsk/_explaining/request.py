"""What `explain` is asked for: settings checked, gaps filled in, then the search."""

from dataclasses import replace
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)

from ctsk._columns.user_constraints import check_constraints, check_costs
from ctsk._columns.validation import check_target, naming_reference
from ctsk._explaining.models import RowSearch
from ctsk._torch.threads import one_thread_if_small
from ctsk._torch.utils import CHUNK, device_of, inference_copy
from ctsk.generators import SHORTCUTS, BaseGenerator, Reference
from ctsk.generators.shortcuts import are_alike, new_generator

# What the estimator has as parameters, too.
SHARED_SETTINGS = {
    "generator": [StrOptions(set(SHORTCUTS)), BaseGenerator],
    "tau": [Interval(Real, 0, 1, closed="neither")],
    "T": [Interval(Integral, 1, None, closed="left")],
    "mutability": [dict, "array-like", None],
    "domain": [StrOptions({"auto"}), dict, "array-like", None],
    "feature_costs": [dict, "array-like", None],
}
_SETTINGS = {
    **SHARED_SETTINGS,
    "n_alternatives": [Interval(Integral, 1, None, closed="left")],
    "sparse": ["boolean"],
    "return_path": ["boolean"],
}
# Generators draw by a seed of their own when they learn for an explanation, so that
# the same question has the same answer.
_SEED = 0


def explain_rows(subject, X, target, *, X_reference=None, **settings):
    """Explain rows in the user's units.

    Parameters
    ----------
    subject : Subject
    X : DataFrame or array-like of shape (n_rows, n_features)
    target : None, label or array-like of shape (n_rows,)
    X_reference : DataFrame or array-like of shape (n_reference, n_features), default=None
        Rows that a generator learns from.
    **settings : dict
        The others of :meth:`CounterfactualTrainedClassifier.explain`; one that is
        None is the subject's.

    Returns
    -------
    explanation : Explanation
    """
    given = {
        name: value
        for name, value in settings.items()
        if value is not None or name not in SHARED_SETTINGS
    }
    validate_parameter_constraints(_SETTINGS, given, "explain")
    values = subject.read(X)
    encoder = subject.encoder
    subject = replace(
        subject,
        constraints=check_constraints(
            given.get("mutability"), given.get("domain"), encoder, subject.constraints, len(values)
        ),
        feature_costs=check_costs(given.get("feature_costs"), encoder, subject.feature_costs),
    )
    search = RowSearch(
        subject,
        generator=_ready(given.get("generator"), subject, X_reference),
        tau=given.get("tau", subject.tau),
        T=given.get("T", subject.T),
        n_alternatives=given["n_alternatives"],
        sparse=given["sparse"],
        return_path=given["return_path"],
    )
    scores = subject.predict_proba(values, np.arange(len(values)))
    targets = check_target(target, subject.classes, scores)
    return search.explain(X, values, targets, scores.argmax(axis=1))


def _ready(given, subject, X_reference):
    """Return the generator to search by, with what it has to learn learnt."""
    trained = subject.generator
    generator = trained if given is None else new_generator(given)
    if not generator.must_learn:
        return generator
    if X_reference is not None:
        return clone(generator).learn(_reference(subject, X_reference))
    if subject.has_learnt and are_alike(generator, trained):
        return trained
    raise ValueError(
        f"{generator!r} learns from rows, and the model was not trained with it in these units. "
        "Give rows for it to learn from, such as the training rows: explain(X, "
        "X_reference=X_train, ...)."
    )


def _reference(subject, X_reference):
    """Return observed rows in module units; their classes are those that the model predicts."""
    with naming_reference():
        values = subject.read(X_reference)
    module = inference_copy(subject.module, torch.float32)
    rows = torch.as_tensor(
        subject.encoder.encode_values(values), dtype=torch.float32, device=device_of(module)
    )
    with one_thread_if_small(module, min(len(rows), CHUNK)):
        labels = torch.cat([module(part).argmax(dim=1) for part in rows.split(CHUNK)])
    return Reference(
        rows=rows,
        labels=labels,
        n_classes=len(subject.classes),
        groups=subject.encoder.groups,
        random=torch.Generator().manual_seed(_SEED),
    )
