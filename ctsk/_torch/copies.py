"""Copies of modules for inference, which are kept as long as the module is unchanged."""

import weakref

import torch
from torch import nn

from ctsk._torch import networks
from ctsk._torch.utils import inference_copy

# Copies by module and dtype. They live outside of the module, so that its pickles, deep copies
# and comparisons do not contain them, and end with the module.
_COPIES = weakref.WeakKeyDictionary()
# Number of weights up to which a copy is kept: to compare more of them takes as long as to copy
# them, and the copies would double the memory of a large module.
_MOST_WEIGHTS = 1_000_000
# Beginning of the names of the files in which torch defines its layers.
_LAYERS = nn.modules.__name__ + "."


def kept_copy(module, dtype):
    """Return a copy of a module for inference, which other calls and threads may share.

    A copy takes longer than the prediction of a row, so it is used again until the module
    differs from it. Users may change weights in place, also through ``weight.data``, and may
    exchange layers. Neither an event nor a version counter of torch reports all of this;
    therefore the copy is compared with the module, weight by weight.

    Parameters
    ----------
    module : torch.nn.Module
    dtype : torch.dtype

    Returns
    -------
    copy : torch.nn.Module
        As `inference_copy` returns it. It must not be changed. A module with a class of a user
        among its parts, whose forward may change its attributes, has a new copy each time.
    """
    copies = _COPIES.get(module, {}) if _is_known_class(module) else {}
    copy = copies.get(dtype)
    if copy is not None and _is_equal(module, copy, dtype):
        return copy
    # A tensor that is copied in inference mode could never enter a graph.
    with torch.inference_mode(False):
        copy = inference_copy(module, dtype)
    if _may_be_kept(module):
        # Another thread may do so at the same time, with a copy of the same weights.
        _COPIES.setdefault(module, {})[dtype] = copy
    return copy


def _may_be_kept(module):
    """Return whether all parts of a module are layers of torch or ctsk, and not too large."""
    n_weights = sum(weights.numel() for weights in module.parameters())
    return n_weights <= _MOST_WEIGHTS and all(map(_is_known_class, module.modules()))


def _is_known_class(part):
    """Return whether a part of a module is a layer of torch or ctsk."""
    # In eval mode, these change no attribute.
    name = type(part).__module__
    return name == networks.__name__ or name.startswith(_LAYERS)


def _is_equal(part, copy, dtype):
    """Return whether a part of a module, with all of its own parts, equals that of a copy."""
    if type(part) is not type(copy) or copy.training:
        return False
    attributes, copied = vars(part), vars(copy)
    if attributes.keys() != copied.keys():
        return False
    for name, value in attributes.items():
        other = copied[name]
        # Immutable objects are not copied, and a copy is always in eval mode.
        if value is other or name == "training":
            continue
        compare = _COMPARISONS.get(name)
        is_equal = _is_empty(value, other) if compare is None else compare(value, other, dtype)
        if not is_equal:
            return False
    return True


def _are_equal_parts(parts, copies, dtype):
    # Not by `modules`, which skips a part that occurs twice.
    return list(parts) == list(copies) and all(
        part is copies[name] or _is_equal(part, copies[name], dtype) for name, part in parts.items()
    )


def _are_equal_tensors(tensors, copies, dtype):
    return list(tensors) == list(copies) and all(
        tensor is copies[name] or _is_equal_tensor(tensor, copies[name], dtype)
        for name, tensor in tensors.items()
    )


def _is_equal_tensor(tensor, copy, dtype):
    if tensor is None or copy is None:
        return False
    expected = tensor.detach().to(dtype) if tensor.is_floating_point() else tensor
    is_alike = copy.dtype == expected.dtype and copy.device == expected.device
    return is_alike and not copy.requires_grad and torch.equal(copy, expected)


def _is_empty(value, other):
    """Return whether an attribute and its copy have no content that could differ."""
    # No hook is registered; and in eval mode, no random number is drawn.
    is_container = isinstance(value, dict | set) and type(value) is type(other)
    return (is_container and not (value or other)) or isinstance(value, torch.Generator)


# How attributes of a module that hold parts or tensors are compared with those of a copy.
_COMPARISONS = {
    "_modules": _are_equal_parts,
    "_parameters": _are_equal_tensors,
    "_buffers": _are_equal_tensors,
}
