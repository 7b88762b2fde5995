"""Whether counterfactuals remain valid when their model is refitted."""

from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_consistent_length, resample

from ctsk._columns.containers import cells_of, is_missing, rows_of
from ctsk._columns.validation import HasMethods, Interval, check_table, validate_params
from ctsk._explaining.explanation import Explanation
from ctsk._torch.utils import make_rng


@validate_params(
    {
        "estimator": [HasMethods(["fit", "predict"])],
        "explanation": [Explanation],
        "n_refits": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def stability(estimator, explanation, X, y, *, n_refits=10, random_state=0):
    r"""Share of refitted models for which each counterfactual remains valid.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier or Pipeline
        Estimator to clone and refit.
    explanation : Explanation
        Explanation of rows in the input units of `estimator`: by its method
        ``explain``, or for a pipeline by :func:`ctsk.explain`.
    X : DataFrame or array-like of shape (n_rows, n_features)
        Training rows.
    y : array-like of shape (n_rows,)
        Training labels.
    n_refits : int, default=10
        Number of bootstrap samples.
    random_state : int, RandomState or None, default=0
        Seed of the bootstrap samples and of all random states of the refitted
        estimators.

    Returns
    -------
    shares : ndarray of shape (n_explained,)
        NaN if the counterfactual is not valid for the model that it explains.

    Raises
    ------
    ValueError
        If a parameter is invalid, X and y differ in length, or X has other columns
        than the explained rows.

    See Also
    --------
    transfer_validity : Validity under another model.
    validity : Validity under the model itself.

    Notes
    -----
    :math:`\frac{1}{B} \sum_b 1[\hat y_b(x') = y^+]`, where :math:`\hat y_b` is fitted
    on a bootstrap sample of the training rows, drawn within each class. If a sample
    lacks a category of a categorical feature, or a missing or special value of a number,
    that the training rows have, the first row that has it is added. Without it, the
    refitted model would not know the category when it predicts counterfactuals.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.metrics import stability
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CounterfactualTrainedClassifier(max_epochs=30, lr=0.01, random_state=0).fit(X, y)
    >>> shares = stability(clf, clf.explain(X), X, y, n_refits=2)
    >>> set(shares[shares == shares]) <= {0.0, 0.5, 1.0}
    True
    """
    check_consistent_length(X, y)
    # The table stays in the user's units: a pipeline transforms it itself in each refit.
    X, y = check_table(X), np.asarray(y)
    n_features, n_expected = X.shape[1], len(explanation.encoder.names)
    if n_features != n_expected:
        raise ValueError(
            f"X has {n_features} features, but the explained rows have {n_expected}. Pass the "
            "training rows as they enter the estimator."
        )
    encoder = explanation.encoder
    categories = [_code_cells(cells_of(X, f)) for f in encoder.categorical]
    categories += [_code_states(cells_of(X, f), encoder.schema, f) for f in encoder.schema.states]
    # All seeds are drawn before the first refit, so that more refits extend the list of
    # samples rather than change it.
    seeds = make_rng(random_state).integers(2**31 - 1, size=(n_refits, 2)).tolist()
    n_valid = np.zeros(len(explanation))
    for sample_seed, fit_seed in seeds:
        # Samples are drawn within each class: otherwise, a refitted model could lack the
        # target class.
        idx = resample(np.arange(len(y)), stratify=y, random_state=sample_seed)
        idx = _add_missing_categories(idx, categories)
        refitted = _set_seeds(clone(estimator), fit_seed)
        refitted.fit(rows_of(X, idx), y[idx])
        n_valid += refitted.predict(explanation.counterfactual) == explanation.target
    return np.where(explanation.valid, n_valid / n_refits, np.nan)


def _code_cells(cells):
    """Return integer codes of the values of a column; missing values share one code."""
    # NaN is not equal to itself: each missing cell would be a category of its own.
    codes = {}
    keys = (None if is_missing(cell) else cell for cell in cells)
    return np.array([codes.setdefault(key, len(codes)) for key in keys])


def _code_states(cells, schema, feature):
    """Return integer codes of the states of a number; all amounts share one."""
    special = schema.special_values.get(feature, ())
    # The text cannot be one of the special values, which are numbers.
    keys = (cell if is_missing(cell) or cell in special else "amount" for cell in cells)
    return _code_cells(list(keys))


def _add_missing_categories(idx, categories):
    """Append to a sample the first row of each category that no row of it has."""
    for codes in categories:
        # The first row rather than a random one: additions do not depend on the seed.
        present, first = np.unique(codes, return_index=True)
        idx = np.append(idx, first[~np.isin(present, codes[idx])])
    return idx


def _set_seeds(estimator, seed):
    """Set all random states of an estimator and of the estimators inside it."""
    # The estimator of a pipeline step appears as "step__random_state".
    seeded = {
        name: seed
        for name in estimator.get_params()
        if name == "random_state" or name.endswith("__random_state")
    }
    return estimator.set_params(**seeded)
