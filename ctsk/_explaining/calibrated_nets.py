"""The mean of the calibrated probabilities of several networks, as one torch module."""

import copy

import numpy as np
import torch
from scipy.special import logit
from torch import nn
from torch.nn.functional import log_softmax, logsigmoid

# Least probability of a plateau of an isotonic calibrator in the smooth curve that takes its place
# in gradients, and in its logits, which would be infinite at 0 and 1.
_LEAST_SMOOTH, _LEAST = 1e-3, 1e-6
# Least slope of that curve beyond all plateaus.
_LEAST_SLOPE = 1e-3


class CalibratedNets(nn.Module):
    """Networks with their calibrators, whose logits are the logarithms of mean probabilities.

    Parameters
    ----------
    nets : list of CalibratedNet
    """

    def __init__(self, nets):
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, rows):
        """Return the logarithms of mean probabilities, (n_rows, n_classes)."""
        smooth = self._mean([net(rows) for net in self.nets])
        if not any(net.has_plateaus for net in self.nets):
            return smooth
        # The plateaus of isotonic calibrators have no gradient, so that the values are those of
        # the calibrators, but the gradients are those of smooth curves.
        with torch.no_grad():
            exact = self._mean([net(rows, is_exact=True) for net in self.nets])
            difference = exact - smooth
        return smooth + difference

    @staticmethod
    def _mean(log_probas):
        # A constant would not change the softmax, so that the sum is as good as the mean.
        return torch.stack(log_probas).logsumexp(dim=0)


class CalibratedNet(nn.Module):
    """A network with its calibrator, which returns the logarithms of probabilities.

    Parameters
    ----------
    align : torch.nn.Module
        Maps the rows of the search to the rows of the network.
    module : torch.nn.Module
        Maps these to logits.
    curves : list of torch.nn.Module
        A curve for each class, or that of class 1 of two, which maps scores to logits; a single
        temperature for all classes.
    scores : {"margins", "logits", "probabilities"}
        What the calibrator takes.
    """

    def __init__(self, align, module, curves, scores):
        super().__init__()
        self.align = align
        self.module = copy.deepcopy(module)
        self.curves = nn.ModuleList(curves)
        self.scores = scores
        self.has_plateaus = any(isinstance(curve, Isotonic) for curve in curves)

    def forward(self, rows, is_exact=False):
        """Return the logarithms of the probabilities of rows, (n_rows, n_classes)."""
        logits = self.module(self.align(rows))
        first = self.curves[0]
        if isinstance(first, Temperature):
            # scikit-learn scales the logits (-m, m) where a decision function has the margin m.
            factor = 2 if self.scores == "margins" else 1
            return log_softmax(factor * first.beta * logits, dim=1)
        if self.scores == "probabilities":
            scores = logits.softmax(dim=1)
        else:
            scores = logits
        if logits.shape[1] == 2:
            of_one = scores[:, 1]
            if self.scores == "margins":
                of_one = logits[:, 1] - logits[:, 0]
            calibrated = first(of_one, is_exact)
            return torch.stack([logsigmoid(-calibrated), logsigmoid(calibrated)], dim=1)
        calibrated = [
            curve(score, is_exact) for curve, score in zip(self.curves, scores.T, strict=True)
        ]
        # Each class is calibrated against all others, and probabilities are then normalized.
        return log_softmax(logsigmoid(torch.stack(calibrated, dim=1)), dim=1)


class Affine(nn.Module):
    """The affine map from the rows of one encoder to those of another."""

    def __init__(self, weights, bias):
        super().__init__()
        self.register_buffer("weights", torch.as_tensor(weights))
        self.register_buffer("bias", torch.as_tensor(bias))

    def forward(self, rows):
        """Return rows in the units of the other encoder."""
        return rows @ self.weights + self.bias


class Sigmoid(nn.Module):
    """Platt's calibration, which is linear on the scale of logits."""

    def __init__(self, slope, intercept):
        super().__init__()
        self.register_buffer("line", torch.tensor([slope, intercept], dtype=torch.float64))

    def forward(self, scores, is_exact=False):
        """Return the logits of scores."""
        return self.line[0] * scores + self.line[1]


class Temperature(nn.Module):
    """Temperature scaling, of all classes at once."""

    def __init__(self, beta):
        super().__init__()
        self.register_buffer("beta", torch.tensor(beta, dtype=torch.float64))


class Isotonic(nn.Module):
    """Isotonic calibration, and a smooth curve through the centers of its plateaus.

    Parameters
    ----------
    scores, probas : ndarray of shape (n_thresholds,)
        The corners of the calibrator, which is linear between them and constant beyond.
    """

    def __init__(self, scores, probas):
        super().__init__()
        self.exact = _Polygon(scores, probas)
        # Corners of the same probability are one plateau.
        starts = np.flatnonzero(np.append(True, np.diff(probas) > 0))
        ends = np.append(starts[1:], len(probas)) - 1
        centers = (scores[starts] + scores[ends]) / 2
        logits = logit(probas[starts].clip(_LEAST_SMOOTH, 1 - _LEAST_SMOOTH))
        # The curve goes on beyond the scores with its mean slope, or with that of the network.
        width = max(10 * (scores[-1] - scores[0]), 1.0)
        length = centers[-1] - centers[0]
        slope = (logits[-1] - logits[0]) / length if length > 0 else 1.0
        centers = np.concatenate([[centers[0] - width], centers, [centers[-1] + width]])
        beyond = max(slope, _LEAST_SLOPE) * width
        logits = np.concatenate([[logits[0] - beyond], logits, [logits[-1] + beyond]])
        self.smooth = _Polygon(centers, logits)

    def forward(self, scores, is_exact=False):
        """Return the logits of scores, exactly or by the smooth curve."""
        if not is_exact:
            return self.smooth(scores)
        return torch.logit(self.exact(scores), eps=_LEAST)


class _Polygon(nn.Module):
    """A function that is linear between corners and constant beyond."""

    def __init__(self, x, y):
        super().__init__()
        slopes = np.diff(y) / np.diff(x) if len(x) > 1 else np.zeros(0)
        for name, values in (("x", x), ("y", y), ("slopes", np.append(slopes, 0.0))):
            self.register_buffer(name, torch.as_tensor(np.asarray(values, dtype=np.float64)))

    def forward(self, values):
        values = values.clamp(self.x[0], self.x[-1])
        idx = torch.searchsorted(self.x, values.detach().contiguous(), right=True) - 1
        idx = idx.clamp(min=0)
        return self.y[idx] + (values - self.x[idx]) * self.slopes[idx]
