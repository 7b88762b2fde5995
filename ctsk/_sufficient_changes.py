"""The function that tells which features suffice to reach the target."""

from numbers import Integral

import numpy as np

from ctsk._columns.validation import Interval, validate_parameter_constraints
from ctsk._explain import requested
from ctsk._explaining.proof.sufficient import find_sufficient
from ctsk._explaining.request import Settings

_COLUMNS = ["row", "features", "proof", "cost", "lower_bound", "from", "to"]


def sufficient_changes(
    model,
    X,
    target=None,
    *,
    max_size=2,
    tau=None,
    mutability=None,
    domain=None,
    feature_costs=None,
    X_reference=None,
    one_hot_groups=None,
    time_limit=5.0,
    n_jobs=None,
    verbose=0,
):
    r"""Tell which features suffice to reach the target, and which cannot, with proof.

    For each row and each feature that may change, a mixed-integer program finds the cheapest
    counterfactual that changes no other feature, or proves that there is none. Pairs of features
    follow, of which neither suffices alone. What cannot help is as useful to know as what can.

    Parameters
    ----------
    model, X, target
        As in :func:`explain`. A proof requires a network of linear layers and ReLUs.
    max_size : int, default=2
        Largest number of features in a set. The number of sets grows quickly with it.
    tau, mutability, domain, feature_costs, X_reference, one_hot_groups
        As in :func:`explain`.
    time_limit : float, default=5.0
        Seconds for the proof of each set of a row, after which it is "open".
    n_jobs : int, default=None
        Number of jobs, as in joblib.
    verbose : int, default=0
        If positive, a line on the standard output tells how many sets are proven.

    Returns
    -------
    sets : DataFrame of shape (n_sets, 7)
        One line per set of features, by rows of X, the smallest sets first and the cheapest
        first among those of equal size:

        - ``row``: label of the row in X's index, or its position;
        - ``features``: tuple of names;
        - ``proof``: "optimal" if the changes suffice, and the cost is proven to be the least;
          "impossible" if they are proven not to; "open" otherwise;
        - ``cost``, ``lower_bound``: as in :class:`Explanation`; the cost is infinite if no
          counterfactual is known;
        - ``from``, ``to``: tuples of the values of these features; ``to`` is None if no
          counterfactual is known.

        A set is left out if a part of it suffices, or if one of its features cannot change at
        all. A row that reaches the target without a change has no line.

    Raises
    ------
    ValueError
        If a parameter is invalid, or if the model is not piecewise linear.

    See Also
    --------
    explain : The cheapest counterfactual among all features, with ``prove=True``.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> import ctsk
    >>> X, progression = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    >>> clf = ctsk.CounterfactualTrainedClassifier(max_epochs=20, random_state=0)
    >>> _ = clf.fit(X, progression > 140)
    >>> patients = X[clf.predict(X)].head(1)
    >>> sets = ctsk.sufficient_changes(clf, patients, mutability={"sex": "none"}, max_size=1)
    >>> set(sets["proof"]) <= {"optimal", "impossible"}
    True
    """
    validate_parameter_constraints(
        {"max_size": [Interval(Integral, 1, None, closed="left")]},
        {"max_size": max_size},
        "sufficient_changes",
    )
    settings = Settings(
        tau=tau,
        mutability=mutability,
        domain=domain,
        feature_costs=feature_costs,
        X_reference=X_reference,
        prove=True,
        time_limit=time_limit,
        n_jobs=n_jobs,
        verbose=verbose,
    )
    with requested(model, X, target, settings, one_hot_groups) as request:
        return _frame(request.rows, find_sufficient(request, max_size))


def _frame(rows, found):
    """Return a DataFrame of what is proven.

    Parameters
    ----------
    rows : Rows
    found : list of Sufficiency
    """
    import pandas as pd

    names, idx = rows.schema.names, np.array([result.row for result in found], dtype=int)
    values = np.array([result.values for result in found]).reshape(-1, len(names))
    # An array becomes a DataFrame with the labels 0, 1, ...
    factuals = pd.DataFrame(rows.frame)
    counterfactuals = pd.DataFrame(rows.select(idx).with_values(values).frame)
    lines = []
    for position, result in enumerate(found):
        features = list(result.features)
        line = {
            "row": factuals.index[result.row],
            "features": tuple(names[feature] for feature in features),
            "proof": result.proof,
            "cost": result.cost,
            "lower_bound": result.lower_bound,
            "from": tuple(factuals.iat[result.row, feature] for feature in features),
            "to": None,
        }
        if np.isfinite(result.cost):
            line["to"] = tuple(counterfactuals.iat[position, feature] for feature in features)
        lines.append(line)
    return pd.DataFrame(lines, columns=_COLUMNS)
