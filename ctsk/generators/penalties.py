"""Penalties of a search, in addition to the cross-entropy: one number per row."""

import torch
from torch.nn.functional import smooth_l1_loss


def l1_distance(step, deviations=1.0):
    r"""Distance :math:`\sum_d c_d |x'_d - x_d| / s_d` of each row to its factual.

    Parameters
    ----------
    step : Step
        Provides the states, the factuals, and the costs :math:`c_d` of the columns.
    deviations : Tensor of shape (n_columns,) or float, default=1.0
        The scales :math:`s_d`, for example `median_absolute_deviations`.

    Returns
    -------
    distances : Tensor of shape (n_rows,)
    """
    # The smooth l1 loss is the absolute value beyond `beta`, here the least positive number. It is
    # one operation forward and one backward, where a difference and its absolute value are two.
    beta = torch.finfo(step.rows.dtype).tiny
    moves = smooth_l1_loss(step.rows, step.factuals, reduction="none", beta=beta)
    weights = step.costs / deviations
    if weights.ndim == 1:
        # A product of a matrix and a vector is faster than an elementwise product and a sum.
        return moves @ weights
    return (moves * weights).sum(dim=1)


def l1_slopes(step, weight, deviations=1.0):
    """Slopes of `l1_distance`, times a weight, with respect to the states.

    Parameters
    ----------
    step : Step
    weight : float
    deviations : Tensor of shape (n_columns,) or float, default=1.0

    Returns
    -------
    slopes : Tensor of shape (n_rows, n_columns)
        They are 0 where a column has not moved.
    """
    return (step.rows - step.factuals).sign_().mul_(weight * step.costs / deviations)


def gravity(step, centroids):
    r"""Distance :math:`\|x' - \bar x_{y^+}\|_2` of each row to the center of its target.

    Parameters
    ----------
    step : Step
    centroids : Tensor of shape (n_classes, n_columns)
        Mean row of each class.

    Returns
    -------
    distances : Tensor of shape (n_rows,)
    """
    # vector_norm has the gradient 0 at 0, where that of a square root is not finite.
    return torch.linalg.vector_norm(step.rows - centroids[step.targets], dim=1)


def gravity_slopes(step, centroids):
    """Slopes of `gravity` with respect to the states.

    Parameters
    ----------
    step : Step
    centroids : Tensor of shape (n_classes, n_columns)

    Returns
    -------
    slopes : Tensor of shape (n_rows, n_columns)
        The unit vectors that point away from the centroids; 0 at a centroid.
    """
    moves = step.rows - centroids[step.targets]
    # The quotient of zero and the least positive number is zero.
    least = torch.finfo(moves.dtype).tiny
    return moves / torch.linalg.vector_norm(moves, dim=1, keepdim=True).clamp(min=least)


def nearness(rows, earlier, groups):
    r"""Nearness of each row to earlier counterfactuals, :math:`\sum_i e^{-\|x' - a_i\|_1 / 3}`.

    Parameters
    ----------
    rows : Tensor of shape (n_rows, n_columns)
    earlier : Tensor of shape (n_rows, n_earlier, n_columns)
        The earlier counterfactuals :math:`a_i` of each row.
    groups : OneHotGroups
        The one-hot columns of each categorical feature.

    Returns
    -------
    penalties : Tensor of shape (n_rows,)
    """
    weights = torch.as_tensor(groups.column_weights, dtype=rows.dtype, device=rows.device)
    distances = (rows[:, None] - earlier).abs() @ weights
    # The push decays over 3 module units, summed over features, so that it is felt well beyond
    # the distance that alternatives must keep.
    return (-distances / 3).exp().sum(dim=1)


def ridged_energy(energies, rho=1e-3):
    r"""Energy with a ridge, :math:`E + \rho E^2`, which bounds it from below.

    Parameters
    ----------
    energies : Tensor of shape (n_rows,)
        The energies :math:`E(x', y^+)`.
    rho : float, default=1e-3
        Weight of the ridge.

    Returns
    -------
    penalties : Tensor of shape (n_rows,)
    """
    return energies + rho * energies.square()


def ridged_energy_slopes(energies, rho=1e-3):
    r"""Slopes of `ridged_energy` with respect to the energies, :math:`1 + 2 \rho E`.

    Parameters
    ----------
    energies : Tensor of shape (n_rows,)
    rho : float, default=1e-3

    Returns
    -------
    slopes : Tensor of shape (n_rows,)
    """
    return (2 * rho * energies).add_(1)


def energy_schedule(t, T):
    r"""Weight of the energy at step `t` of at most `T` steps.

    Parameters
    ----------
    t : int
        Number of the step, starting at 1.
    T : int
        Maximum number of steps.

    Returns
    -------
    weight : float

    Notes
    -----
    :math:`\phi_t = a (b + t)^{-0.9}` with :math:`b = \max(1, \mathrm{round}(T / 25))`
    and :math:`a = b / 10`. This is the schedule of the paper's authors, except that `b`
    does not vanish for small `T`.
    """
    b = max(1, round(T / 25))
    return b / 10 * (b + t) ** -0.9


def median_absolute_deviations(rows, groups):
    r"""Median distance to the median in each column, a scale that is robust to outliers.

    Parameters
    ----------
    rows : Tensor of shape (n_rows, n_columns)
    groups : OneHotGroups

    Returns
    -------
    deviations : Tensor of shape (n_columns,)
        If more than half of the rows are equal, the mean distance to the median takes the
        place of the median one. Constant columns and one-hot columns have deviation 1.
    """
    distances = (rows - _median(rows)).abs()
    deviations = _median(distances)
    # Both fallbacks apply only where the deviation before is 0, so no division by 0 follows.
    for fallback in (distances.mean(dim=0), torch.ones_like(deviations)):
        deviations = torch.where(deviations > 0, deviations, fallback)
    deviations[groups.n_numeric :] = 1
    return deviations


def _median(rows):
    """Return the median of each column; torch.median would return the lower of two."""
    ordered, n_rows = rows.sort(dim=0).values, len(rows)
    return (ordered[(n_rows - 1) // 2] + ordered[n_rows // 2]) / 2


def class_centroids(reference):
    """Mean row of each class; for a class without rows, the mean of all rows.

    Parameters
    ----------
    reference : Reference

    Returns
    -------
    centroids : Tensor of shape (n_classes, n_columns)
    """
    rows, labels = reference.rows, reference.labels
    by_class = [rows[labels == label] for label in range(reference.n_classes)]
    return torch.stack([(part if len(part) else rows).mean(dim=0) for part in by_class])
