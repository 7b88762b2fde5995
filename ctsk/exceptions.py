"""Warnings and errors of ctsk."""


class InertDivergenceWarning(UserWarning):
    """Hardly any counterfactual matured, so the divergence term did nothing."""


class NonFiniteLossWarning(RuntimeWarning):
    """An update was skipped because the loss or its gradient was not finite."""


class NonFiniteLossError(ValueError):
    """Every update of an epoch was skipped: training cannot go on."""


class OtherConstraintsWarning(UserWarning):
    """A pipeline is explained under constraints other than its classifier was trained with."""


class PoorReconstructionWarning(UserWarning):
    """An autoencoder gives its own rows back too poorly for a search among its codes."""
