"""Warnings and errors of ctsk."""


class ColumnKindWarning(UserWarning):
    """Warning used if numeric columns look like codes or dummies of categories."""


class InertDivergenceWarning(UserWarning):
    """Warning used if so few counterfactuals mature that the divergence has no effect."""


class NonFiniteLossWarning(RuntimeWarning):
    """Warning used if an update is skipped because the loss or its gradient is not finite."""


class NonFiniteLossError(ValueError):
    """Error raised if every update of an epoch is skipped, so that training cannot continue."""


class OtherConstraintsWarning(UserWarning):
    """Warning used if constraints differ from those of the pipeline's classifier in training."""


class PoorReconstructionWarning(UserWarning):
    """Warning used if an autoencoder reconstructs rows too poorly for a search among its codes."""


class UnknownValueWarning(UserWarning):
    """Warning used if X or a domain holds values that the training rows did not have."""


class UnobservedDomainWarning(UserWarning):
    """Warning used if no training value of a feature lies in the domain that the user passed."""
