"""What a search pays besides the cross-entropy: formulas of one row, batched."""

import torch


def l1_distance(step, deviations=1.0):
    r"""Distance :math:`\sum_d c_d |x'_d - x_d| / s_d` of each row to its factual.

    Parameters
    ----------
    step : Step
        With states, factuals, and the costs :math:`c_d` of the columns.
    deviations : Tensor of shape (n_columns,) or float, default=1.0
        :math:`s_d`, such as `median_absolute_deviations`.

    Returns
    -------
    distances : Tensor of shape (n_rows,)
    """
    return (step.rows - step.factuals).abs() @ (step.costs / deviations)


def gravity(step, centroids):
    r"""Distance :math:`\|x' - \bar x_{y^+}\|_2` of each row to the centre of its target.

    Parameters
    ----------
    step : Step
    centroids : Tensor of shape (n_classes, n_columns)
        Mean row of each class.

    Returns
    -------
    distances : Tensor of shape (n_rows,)
    """
    return torch.linalg.vector_norm(step.rows - centroids[step.targets], dim=1)


def nearness(rows, ways, groups):
    r"""How near each row is to other ways out, :math:`\sum_i e^{-\|x' - a_i\|_1 / 3}`.

    Parameters
    ----------
    rows : Tensor of shape (n_rows, n_columns)
    ways : Tensor of shape (n_rows, n_ways, n_columns)
        The :math:`a_i` of each row.
    groups : OneHotGroups
        A change of category counts 1, as does one module unit of a number.

    Returns
    -------
    penalties : Tensor of shape (n_rows,)
    """
    weights = torch.ones_like(rows[0])
    weights[groups.n_numeric :] = 0.5
    distances = (rows[:, None] - ways).abs() @ weights
    return (-distances / 3).exp().sum(dim=1)


def ridged_energy(energies, rho=1e-3):
    r"""Energy with a ridge, :math:`E + \rho E^2`, which keeps it from running away.

    Parameters
    ----------
    energies : Tensor of shape (n_rows,)
        :math:`E(x', y^+)`.
    rho : float, default=1e-3

    Returns
    -------
    penalties : Tensor of shape (n_rows,)
    """
    return energies + rho * energies.square()


def energy_schedule(t, T):
    r"""Weight of the energy at step `t` of at most `T`.

    Parameters
    ----------
    t : int
        The step, from 1.
    T : int

    Returns
    -------
    weight : float

    Notes
    -----
    :math:`\phi_t = a (b + t)^{-0.9}` with :math:`b = \max(1, \mathrm{round}(T / 25))`
    and :math:`a = b / 10`: the schedule of the paper's authors, with `b` kept
    from vanishing for small `T`.
    """
    b = max(1, round(T / 25))
    return b / 10 * (b + t) ** -0.9


def median_absolute_deviations(rows, groups):
    r"""Median distance to the median, column by column: a scale that outliers do not move.

    Parameters
    ----------
    rows : Tensor of shape (n_rows, n_columns)
    groups : OneHotGroups

    Returns
    -------
    deviations : Tensor of shape (n_columns,)
        Where more than half of the rows are equal the mean distance to the median; 1
        for a constant column, and for one-hot ones.
    """
    distances = (rows - _median(rows)).abs()
    deviations = _median(distances)
    for fallback in (distances.mean(dim=0), torch.ones_like(deviations)):
        deviations = torch.where(deviations > 0, deviations, fallback)
    deviations[groups.n_numeric :] = 1
    return deviations


def _median(rows):
    ordered, n_rows = rows.sort(dim=0).values, len(rows)
    return (ordered[(n_rows - 1) // 2] + ordered[n_rows // 2]) / 2


def class_centroids(reference):
    """Mean row of each class; of a class without rows, of all.

    Parameters
    ----------
    reference : Reference

    Returns
    -------
    centroids : Tensor of shape (n_classes, n_columns)
    """
    rows, labels = reference.rows, reference.labels
    by_class = [rows[labels == label] for label in range(reference.n_classes)]
    return torch.stack([(own if len(own) else rows).mean(dim=0) for own in by_class])
