"""Ways to train, and the choice of their strengths.

For each control, the strongest setting of its grid counts whose validation accuracy is within half
a point of that of the conventional model. Test rows have no part in the choice.
"""

from collections.abc import Callable
from dataclasses import dataclass

import rivals

from ctsk import CounterfactualTrainedClassifier

# Largest loss of validation accuracy: half a point.
TOLERANCE = 0.005
# Weights of the divergence and of the adversarial loss in the paper; that of the ridge depends on
# the data.
LAMBDA_DIV, LAMBDA_ADV = 0.5, 0.25


@dataclass(frozen=True)
class Method:
    """A way to train, and the strengths among which one is chosen.

    Parameters
    ----------
    estimator : type
    grid : tuple of float
        Strengths, in any order; a single one is not chosen but given.
    parameters : callable
        Maps a strength and the `Protocol` of a data set to the parameters of the estimator that
        differ from those of the data set.
    """

    estimator: type
    grid: tuple
    parameters: Callable


def _strength(strength, protocol):
    return {"strength": strength}


def conventional_with(name):
    """Return a function from a strength to conventional training with a parameter of this value."""
    return lambda strength, protocol: {**rivals.CONVENTIONAL, name: strength}


def scaled_objective(strength, protocol):
    """Return the weights of the paper's objective for a data set, times a strength."""
    return {
        "lambda_div": strength * LAMBDA_DIV,
        "lambda_adv": strength * LAMBDA_ADV,
        "lambda_reg": strength * protocol.lambda_reg,
    }


CONTROLS = {
    "weight decay": Method(
        CounterfactualTrainedClassifier, (0.1, 0.3, 1, 3, 10), conventional_with("weight_decay")
    ),
    "label smoothing": Method(
        CounterfactualTrainedClassifier,
        (0.02, 0.05, 0.1, 0.2, 0.4),
        conventional_with("label_smoothing"),
    ),
    "mixup": Method(rivals.MixupClassifier, (0.1, 0.2, 0.4, 1, 2), _strength),
    "logit penalty": Method(
        rivals.LogitPenaltyClassifier, (0.003, 0.01, 0.03, 0.1, 0.3), _strength
    ),
    "noise": Method(rivals.NoiseClassifier, (0.05, 0.1, 0.2, 0.4, 0.8), _strength),
    "ridge": Method(rivals.LabelRidgeClassifier, (0.003, 0.01, 0.03, 0.1, 0.3), _strength),
    "mild PGD": Method(rivals.MildPGDClassifier, (0.1, 0.3, 1, 3), _strength),
    # Counterfactual training under the same rule.
    "CT within": Method(CounterfactualTrainedClassifier, (0.03, 0.1, 0.3, 1), scaled_objective),
}


def strongest(accuracy_of, grid, reference):
    """Return the strongest setting that keeps the accuracy, and whether there is one.

    Parameters
    ----------
    accuracy_of : callable
        Maps a strength to the accuracy on validation rows. It is called from the strongest setting
        down, until one keeps the accuracy.
    grid : iterable of float
    reference : float
        Accuracy of the conventional model on the same rows.

    Returns
    -------
    strength : float
        The weakest setting if none keeps the accuracy.
    is_within : bool
    """
    for strength in sorted(grid, reverse=True):
        # Differences of shares are exact up to rounding only.
        if accuracy_of(strength) >= reference - TOLERANCE - 1e-9:
            return strength, True
    return min(grid), False
