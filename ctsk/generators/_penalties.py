"""What a search pays besides the cross-entropy: formulas of one row, batched."""


def l1_distance(step):
    r"""Distance :math:`\sum_d c_d |x'_d - x_d|` of each row to its factual.

    Parameters
    ----------
    step : Step
        With states, factuals, and the costs :math:`c_d` of the columns.

    Returns
    -------
    distances : Tensor of shape (n_rows,)
    """
    return (step.rows - step.factuals).abs() @ step.costs


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
