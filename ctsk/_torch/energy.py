"""Energies: how at home a row is in a class, in the eyes of the model."""

import torch


def energy(logits, classes):
    r"""Energy of each row with respect to one class.

    Parameters
    ----------
    logits : Tensor of shape (n_rows, n_classes)
        What the module returns, before any softmax.
    classes : LongTensor of shape (n_rows,)
        The class, as a column of `logits`, whose energy is wanted.

    Returns
    -------
    energies : Tensor of shape (n_rows,)

    Notes
    -----
    :math:`E(x, k) = -M(x)_k`: low where the model holds `x` for a typical
    member of class `k` [1]_.

    References
    ----------
    .. [1] Grathwohl et al., "Your classifier is secretly an energy based model
       and you should treat it like one", ICLR 2020.
    """
    return -torch.gather(logits, 1, classes[:, None])[:, 0]
