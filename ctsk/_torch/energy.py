"""Energies of rows: how atypical a row is of a class according to the model."""

import torch


def energy(logits, classes):
    r"""Compute the energy of each row with respect to one class.

    Parameters
    ----------
    logits : Tensor of shape (n_rows, n_classes)
        Output of the module, before any softmax.
    classes : LongTensor of shape (n_rows,)
        The class of each row, as a column of `logits`.

    Returns
    -------
    energies : Tensor of shape (n_rows,)

    Notes
    -----
    The energy is :math:`E(x, k) = -M(x)_k`. It is low if the model regards `x` as typical
    of class `k` [1]_.

    References
    ----------
    .. [1] Grathwohl et al., "Your classifier is secretly an energy based model
       and you should treat it like one", ICLR 2020.
    """
    return -torch.gather(logits, 1, classes[:, None])[:, 0]
