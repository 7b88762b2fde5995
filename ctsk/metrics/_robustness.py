"""How well a model withstands attacks."""

import numpy as np
import torch
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted
from torch.nn.functional import cross_entropy

from ctsk._modules import inference_copy
from ctsk._validation import check_X, encode_labels


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
        How far each numeric feature is moved, in module units: with
        ``standardize=True``, in standard deviations. Categories stay.

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
    Each row is attacked once in its numeric features, :math:`x + \epsilon \,
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
    values, y = check_X(estimator, X), column_or_1d(y)
    check_consistent_length(values, y)
    remedy = "Leave out rows of classes that the estimator does not know."
    labels = encode_labels(np.asarray(y), estimator.classes_, "y", remedy)
    space = estimator.feature_space_
    module = inference_copy(estimator.net_.module_, torch.float64)
    device = next(module.parameters()).device
    rows = torch.as_tensor(space.encode_values(values), device=device).requires_grad_()
    labels = torch.as_tensor(labels, device=device)
    with torch.enable_grad():
        losses = cross_entropy(module(rows), labels, reduction="sum")
    (gradients,) = torch.autograd.grad(losses, rows)
    gradients[:, space.groups.n_numeric :] = 0
    attacked = module(rows.detach() + epsilon * gradients.sign()).argmax(dim=1)
    return float((attacked == labels).double().mean())
