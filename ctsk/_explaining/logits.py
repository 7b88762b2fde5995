"""Asking a trained module: logits for rows in the user's units."""

import numpy as np
import torch
from sklearn.utils import gen_batches

from ctsk._torch.threads import one_thread_if_small
from ctsk._torch.utils import CHUNK, device_of, inference_copy


def logit_function(module, encoder):
    """Return a function from values to logits, by a float64 copy of a module.

    Parameters
    ----------
    module : torch.nn.Module
    encoder : Encoder

    Returns
    -------
    logits : callable
        From values (n_rows, n_features), see `Schema.read`, to an ndarray of shape
        (n_rows, n_classes).
    """
    module = inference_copy(module, torch.float64)
    device = device_of(module)

    def logits(values):
        with one_thread_if_small(module, min(len(values), CHUNK)):
            parts = [
                module(torch.as_tensor(encoder.encode_values(values[chunk]), device=device))
                .cpu()
                .numpy()
                for chunk in gen_batches(len(values), CHUNK)
            ]
        return np.concatenate(parts)

    return logits
