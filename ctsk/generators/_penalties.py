"""What a search pays besides the cross-entropy: formulas of one row, batched."""


def l1_distance(rows, factuals):
    r"""Distance :math:`\|x' - x\|_1` of each row to its factual.

    Parameters
    ----------
    rows, factuals : Tensor of shape (n_rows, n_features)

    Returns
    -------
    distances : Tensor of shape (n_rows,)
    """
    return (rows - factuals).abs().sum(dim=1)


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
