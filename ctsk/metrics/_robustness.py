"""How well a model withstands attacks."""

import copy

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted, validate_data
from torch.nn.functional import cross_entropy


def robust_accuracy(estimator, X, y, *, epsilon=0.1):
    r"""Accuracy under the fast gradient sign method.

    Parameters
    ----------
    estimator : CounterfactualTrainedClassifier
        Fitted.
    X : array-like of shape (n_rows, n_features)
        In the estimator's input units.
    y : array-like of shape (n_rows,)
        Labels.
    epsilon : float, default=0.1
        How far each feature is moved, in module units: with
        ``standardize=True``, in standard deviations.

    Returns
    -------
    accuracy : float

    Raises
    ------
    ValueError
        If X does not have the columns that were fitted, or y holds a label that
        is not among the classes.

    Notes
    -----
    Each row is attacked once, :math:`x + \epsilon \,
    \mathrm{sign}\, \nabla_x \mathrm{CE}(M(x), y)` [1]_, in float64.

    References
    ----------
    .. [1] Goodfellow, Shlens and Szegedy, "Explaining and harnessing adversarial
       examples", ICLR 2015.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.metrics import robust_accuracy
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CounterfactualTrainedClassifier(max_epochs=30, random_state=0).fit(X, y)
    >>> robust_accuracy(clf, X, y, epsilon=0.2) <= clf.score(X, y)
    True
    """
    check_is_fitted(estimator)
    X, y = validate_data(estimator, X, y, reset=False, dtype=np.float64)
    unknown = np.flatnonzero(~np.isin(y, estimator.classes_))
    if len(unknown):
        raise ValueError(
            f"y holds the label {y[unknown].tolist()[0]!r} (row {unknown[0]}), which is not one of "
            f"the classes {estimator.classes_.tolist()} that the estimator knows."
        )
    module = copy.deepcopy(estimator.net_.module_).double().eval()
    device = next(module.parameters()).device
    rows = torch.as_tensor(estimator.feature_space_.encode(X), device=device)
    labels = torch.as_tensor(np.searchsorted(estimator.classes_, y), device=device)
    rows.requires_grad_()
    (gradients,) = torch.autograd.grad(cross_entropy(module(rows), labels, reduction="sum"), rows)
    with torch.no_grad():
        attacked = module(rows + epsilon * gradients.sign()).argmax(dim=1)
    return float((attacked == labels).double().mean())
