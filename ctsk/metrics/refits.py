"""Whether counterfactuals outlive the model that they were made for."""

import numpy as np
from sklearn.base import clone
from sklearn.utils import resample

from ctsk._torch.utils import make_rng


def stability(estimator, explanation, X, y, *, n_refits=10, random_state=0):
    r"""Share of refitted models for which each counterfactual is still valid.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier or Pipeline
        Cloned and refitted.
    explanation : Explanation
        In the units of rows that go into `estimator`.
    X : DataFrame or array-like of shape (n_rows, n_features)
        Training rows.
    y : array-like of shape (n_rows,)
    n_refits : int, default=10
    random_state : int, RandomState or None, default=0
        Of the bootstrap samples, and of each refit.

    Returns
    -------
    shares : ndarray of shape (n_explained,)
        NaN where the counterfactual is not valid to begin with.

    Notes
    -----
    :math:`\frac{1}{B} \sum_b 1[\hat y_b(x') = y^+]`, where :math:`\hat y_b` is fitted
    on a bootstrap sample of the training rows, drawn within each class.

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
    seeds = make_rng(random_state).integers(2**31 - 1, size=(n_refits, 2)).tolist()
    still = np.zeros(len(explanation))
    for draw, seed in seeds:
        X_drawn, y_drawn = resample(X, y, stratify=y, random_state=draw)
        refitted = _with_seed(clone(estimator), seed)
        refitted.fit(X_drawn, y_drawn)
        still += refitted.predict(explanation.counterfactual) == explanation.target
    return np.where(explanation.valid, still / n_refits, np.nan)


def _with_seed(estimator, seed):
    seeded = {
        name: seed
        for name in estimator.get_params()
        if name == "random_state" or name.endswith("__random_state")
    }
    return estimator.set_params(**seeded)
