"""Does an input work like its plain twin, or is it rejected with the error that is due?"""

import functools
import pickle
import re
import warnings
from collections import deque
from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.exceptions import DataConversionWarning

from ctsk import CounterfactualTrainedClassifier, exceptions

OUR_WARNINGS = [
    item
    for item in vars(exceptions).values()
    if isinstance(item, type) and issubclass(item, Warning)
]
NAMES = "X (has|does not have valid) feature names, but"
N_EXPLAINED = 5
SETTINGS = {
    "hidden_layer_sizes": (3,),
    "activation": "tanh",
    "lambda_reg": 0.5,
    "max_epochs": 2,
    "lr": 0.05,
    "batch_size": 30,
    "n_counterfactuals": 20,
    "T": 4,
    "random_state": 0,
}


class SilentError(Exception):
    """An accepted input has another result than its twin, or should have been rejected."""


class UnclearError(Exception):
    """An input is rejected by an error that does not name what is wrong."""


def attempt(case):
    """Try an input.

    Returns
    -------
    outcome : {"works", "rejected"}

    Raises
    ------
    SilentError, UnclearError
        If something else happens than the case declares.
    """
    trial = case.make()
    before = state_of(trial.X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for category in OUR_WARNINGS:
            warnings.simplefilter("ignore", category)
        # By scikit-learn's convention, a table with names and one without are compared silently
        # by position, after this warning.
        warnings.filterwarnings("ignore", NAMES, UserWarning)
        # So does a column of labels.
        warnings.simplefilter("ignore", DataConversionWarning)
        try:
            result = results(
                trial.X, trial.y, trial.query, trial.settings, trial.fit_settings,
                trial.explain_settings,
            )  # fmt: skip
        except (ValueError, TypeError) as error:
            return rejection(case, error)
        except Exception as error:
            raise UnclearError(f"{type(error).__name__}: {error}") from error
        if case.error is not None:
            raise SilentError(f"The input is accepted, but should be rejected: {case.error}")
        if state_of(trial.X) != before:
            raise SilentError("The user's own table was changed.")
        query = trial.X if trial.query is None else trial.query
        check_container(query, result, trial.keeps_dtypes)
        if trial.twin_X is not None:
            twin = twin_results(trial)
            check_same(result, twin, trial.translate, trial.has_twin_search)
            check_crossed(trial, result, twin)
    return "works"


def rejection(case, error):
    """Return "rejected" if an error is the one that is due, and otherwise raise an error."""
    if case.error is None:
        raise UnclearError(f"A valid input is rejected: {type(error).__name__}: {error}") from error
    if not re.search(case.error, str(error), re.DOTALL):
        raise UnclearError(f"{error!r} does not match {case.error!r}") from error
    if len(str(error)) > 1_500:
        raise UnclearError(f"The message has {len(str(error)):,} characters.") from error
    return "rejected"


def state_of(X):
    """Return the content of a table as bytes, or None if it has none that can be compared."""
    if isinstance(X, pd.DataFrame):
        columns = [X.iloc[:, position].tolist() for position in range(X.shape[1])]
        return repr([list(X.columns), list(X.index), list(X.dtypes), X.attrs, columns])
    if isinstance(X, np.ndarray):
        return X.dtype, X.shape, X.strides, X.flags.writeable, repr(X.tolist())
    return pickle.dumps(X) if isinstance(X, list | dict) else None


def results(X, y, query, settings, fit_settings, explain_settings):
    """Fit, predict and explain; return the classifier, the probabilities and the explanation."""
    clf = CounterfactualTrainedClassifier(**{**SETTINGS, **settings})
    clf.fit(X, y, **fit_settings)
    query = X if query is None else query
    proba = clf.predict_proba(query)
    explanation = clf.explain(head(query), **{"T": 6, **explain_settings})
    return clf, proba, explanation


def head(X):
    """Return the first rows of a table of any library."""
    if hasattr(X, "slice") and hasattr(X, "column_names"):
        return X.slice(0, N_EXPLAINED)
    if hasattr(X, "tocsr"):
        return X.tocsr()[:N_EXPLAINED]
    if isinstance(X, Mapping):
        return X
    if isinstance(X, deque):
        return deque(list(X)[:N_EXPLAINED])
    if getattr(X, "is_sparse", False):
        return X.to_dense()[:N_EXPLAINED]
    if hasattr(X, "iloc"):
        return X.iloc[:N_EXPLAINED] if hasattr(X, "columns") else X
    return (X if hasattr(X, "__getitem__") else np.asarray(X))[:N_EXPLAINED]


def check_container(query, result, keeps_dtypes):
    """Raise a SilentError unless counterfactuals come in the container of the factuals."""
    clf, _, explanation = result
    found, query = explanation.counterfactual, head(query)
    if isinstance(query, pd.DataFrame):
        expected = query.set_flags(allows_duplicate_labels=True).iloc[explanation.row]
        check_that(isinstance(found, type(query)), f"A {type(query)} became {type(found)}.")
        check_that(found.columns.equals(query.columns), "The columns differ.")
        check_that(found.columns.names == query.columns.names, "Names of the columns differ.")
        if explanation.n_alternatives == 1:
            check_that(found.index.equals(expected.index), f"The index differs: {found.index}.")
            check_that(found.index.names == query.index.names, "The name of the index differs.")
        check_that(
            not keeps_dtypes or list(found.dtypes) == list(query.dtypes),
            f"The dtypes {list(query.dtypes)} became {list(found.dtypes)}.",
        )
    elif hasattr(query, "columns") or hasattr(query, "column_names"):
        check_that(type(found) is type(query), f"A {type(query)} became {type(found)}.")
        check_that(found.schema == query.schema, f"{query.schema} became {found.schema}.")
    # What is returned is what was judged, and a first feature that is immutable never moves.
    again = clf.predict_proba(found)
    check_that(
        np.array_equal(again, explanation.proba), "The returned rows are not the judged ones."
    )
    fixed = np.flatnonzero(explanation.immutable.all(axis=0))
    moved = cells_of(explanation.counterfactual) != cells_of(explanation.factual)
    check_that(not moved[:, fixed].any(), "An immutable feature moved.")
    valid = explanation.prediction == explanation.target
    check_that(np.array_equal(valid, explanation.valid), "`valid` is not what is predicted.")
    check_that(len(explanation.to_frame()) == len(found), "to_frame() has not every row.")
    check_that(isinstance(explanation.to_text(0), str), "There is no letter.")
    explanation._repr_html_()
    lists_moves = len(explanation.changes()) == moved.sum()
    check_that(lists_moves, "changes() does not list every change.")


def check_that(is_right, message):
    if not is_right:
        raise SilentError(message)


def cells_of(container):
    """Return the cells of a table as an array of comparable Python objects."""
    if hasattr(container, "to_pandas") and not hasattr(container, "iloc"):
        columns = [
            column.to_pylist() if hasattr(column, "to_pylist") else column.to_list()
            for column in (container.columns if hasattr(container, "column_names") else container)
        ]
    elif isinstance(container, pd.DataFrame):
        columns = [container.iloc[:, i].tolist() for i in range(container.shape[1])]
    else:
        columns = np.asarray(container).T.tolist()
    cells = np.empty((len(columns[0]), len(columns)), dtype=object)
    for position, column in enumerate(columns):
        for row, cell in enumerate(column):
            cells[row, position] = plain(cell)
    return cells


def plain(cell):
    """Return a cell such that equal cells of different dtypes are equal; None for a gap."""
    if cell is None or type(cell).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(cell, float | np.floating) and np.isnan(cell):
        return None
    return cell


def check_same(result, twin, translate, has_twin_search):
    """Raise a SilentError unless two results are equal to the last bit."""
    (clf, proba, explanation), (twin_clf, twin_proba, twin_explanation) = result, twin
    check_that(np.array_equal(proba, twin_proba), "The probabilities differ from the twin's.")
    if not has_twin_search:
        return
    targets = np.searchsorted(clf.classes_, explanation.target)
    twin_targets = np.searchsorted(twin_clf.classes_, twin_explanation.target)
    check_that(np.array_equal(targets, twin_targets), "The targets differ from the twin's.")
    for name in ("proba", "cost", "n_iter", "valid", "reason", "immutable", "feature_cost"):
        found, expected = getattr(explanation, name), getattr(twin_explanation, name)
        check_that(np.array_equal(found, expected), f"{name} of the explanation differs.")
    cells, twin_cells = (
        cells_of(explanation.counterfactual),
        cells_of(twin_explanation.counterfactual),
    )
    if translate is not None:
        cells = np.frompyfunc(lambda cell: plain(translate(cell)), 1, 1)(cells)
    check_that((cells == twin_cells).all(), f"The counterfactuals differ: {cells}, {twin_cells}.")


def twin_results(trial):
    """Return the results of the twin, which many trials share."""
    settings = [
        value if other is None else other
        for value, other in (
            (trial.y, trial.twin_y),
            (trial.settings, trial.twin_settings),
            (trial.explain_settings, trial.twin_explain_settings),
        )
    ]
    y, settings, explain_settings = settings
    arguments = (
        trial.twin_X, y, trial.twin_query, settings, trial.twin_fit_settings, explain_settings
    )  # fmt: skip
    return _twin_results(pickle.dumps(arguments))


@functools.cache
def _twin_results(arguments):
    return results(*pickle.loads(arguments))


def check_crossed(trial, result, twin):
    """Raise a SilentError if a model takes the other's rows for something else without a warning.

    The rows of the twin have the same values. Where the names of categories differ, they are
    unknown to the other model, which has to warn.
    """
    (clf, _, _), (twin_clf, twin_proba, _) = result, twin
    queries = [trial.X if trial.query is None else trial.query]
    queries.append(trial.twin_X if trial.twin_query is None else trial.twin_query)
    for model, query in ((clf, queries[1]), (twin_clf, queries[0])):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                proba = model.predict_proba(query)
                explanation = model.explain(head(query), T=4)
                again = model.predict_proba(explanation.counterfactual)
            except (ValueError, TypeError) as error:
                text = str(error)
                if not re.search("X|feature|column", text):
                    raise UnclearError(f"Rows of the other dtype: {text}") from error
                continue
            except Exception as error:
                raise UnclearError(f"Rows of the other dtype: {error!r}") from error
        foreign = [w for w in caught if w.category not in OUR_WARNINGS]
        foreign = [w for w in foreign if not re.match(NAMES, str(w.message))]
        check_that(not foreign, f"A foreign warning: {[str(w.message) for w in foreign]}")
        check_that(
            np.array_equal(again, explanation.proba),
            "Rows of the other dtype: the returned rows are not the judged ones.",
        )
        has_warned = any(w.category is exceptions.UnknownValueWarning for w in caught)
        check_that(
            has_warned or np.array_equal(proba, twin_proba),
            "Rows of another dtype, with equal values, are predicted otherwise.",
        )
