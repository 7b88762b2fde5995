"""REVISE: counterfactuals searched among the codes of an autoencoder."""

import warnings
from numbers import Integral, Real
from typing import ClassVar

import torch
from sklearn.utils._param_validation import Interval

from ctsk._torch.networks import VAE, check_layers
from ctsk._torch.threads import one_thread_if_small
from ctsk._torch.utils import CHUNK
from ctsk.exceptions import PoorReconstructionWarning
from ctsk.generators.base import NON_NEGATIVE, BaseGenerator
from ctsk.generators.penalties import l1_distance

_POSITIVE = Interval(Integral, 1, None, closed="left")
# Mean share of what a feature varies that may be lost before a search is not to be trusted.
_POOR = 0.5
# Share of the iterations over which the divergence from the prior gains its full weight:
# at full weight from the start, many codes never come to carry anything.
_WARM_UP = 0.5
# Norm to which gradients are clipped: rows a hundred deviations away exist.
_STEEPEST = 10.0


class REVISEGenerator(BaseGenerator):
    r"""Search among the codes of an autoencoder of the training rows.

    What it moves is a code; what it hands over is the row that the code decodes to,
    which looks like the rows that the autoencoder was trained on, within the
    constraints. All features that are free to move do move, at least by what the
    autoencoder loses; ``explain(..., sparse=True)`` takes most of that back.

    Parameters
    ----------
    step_size : float, default=0.25
        Step of the gradient descent, in units of the code, whose prior is standard
        normal.
    lambda_cost : float, default=0.001
        Weight of the l1 distance to the factual, in module units, or weighted by
        the estimator's `feature_costs` relative to their mean.
    n_latent : int, default=16
        Length of a code. What is not needed stays idle.
    hidden_layer_sizes : sequence of int or int, default=(128,)
        Units of the encoder's hidden layers; the decoder has them in reverse.
    max_iter : int, default=3000
        Updates of the autoencoder, whatever the number of rows.
    batch_size : int, default=128
        Rows per update, drawn with replacement.
    lr : float, default=3e-3
        Learning rate at the start, of Adam; it falls to 0 in a line.

    Attributes
    ----------
    vae_ : torch.nn.Module
        The autoencoder, after `learn`.
    reconstruction_error_ : float
        How poorly it gives the rows back that it was trained on: the mean over
        features of the share that is lost. Of a number that is its mean squared
        error relative to its variance; of a category the share of rows that get
        another one, relative to always saying the most frequent one. 0 is perfect, 1
        as good as knowing nothing of a row.

    Warns
    -----
    PoorReconstructionWarning
        In `learn`, if `reconstruction_error_` is above 0.5.

    Notes
    -----
    REVISE [1]_ descends

    .. math::

        \mathrm{CE}(M(x'), y^+) + \lambda_{cost} \|x' - x\|_1,
        \quad x' = \Pi(\mathrm{decode}(z))

    over codes :math:`z`, from the mean code of the factual on. :math:`\Pi` brings a
    row into the box that domain and mutability leave to it; see
    :class:`BaseGenerator` for the gradient. The autoencoder is a variational one with a
    Gaussian likelihood for numbers, each with a deviation that is learnt, and a
    categorical one for categories. It is trained once per `learn` of the estimator, in
    module units; it does not learn from the labels.

    References
    ----------
    .. [1] Joshi, Koyejo, Vijitbenjaronk, Kim and Ghosh, "Towards realistic
       individual recourse and actionable explanations in black-box decision making
       systems", 2019.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from ctsk import CounterfactualTrainedClassifier, REVISEGenerator
    >>> X, y = load_iris(return_X_y=True)
    >>> generator = REVISEGenerator(n_latent=4, max_iter=500)
    >>> clf = CounterfactualTrainedClassifier(generator=generator, random_state=0).fit(X, y)
    >>> clf.generator_.reconstruction_error_ < 0.2
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **BaseGenerator._parameter_constraints,
        "lambda_cost": [NON_NEGATIVE],
        "n_latent": [_POSITIVE],
        "hidden_layer_sizes": ["array-like", _POSITIVE],
        "max_iter": [_POSITIVE],
        "batch_size": [_POSITIVE],
        "lr": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        *,
        step_size=0.25,
        lambda_cost=0.001,
        n_latent=16,
        hidden_layer_sizes=(128,),
        max_iter=3000,
        batch_size=128,
        lr=3e-3,
    ):
        self.step_size = step_size
        self.lambda_cost = lambda_cost
        self.n_latent = n_latent
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.lr = lr

    def learn(self, reference):
        """Train the autoencoder; see `BaseGenerator.learn`.

        Raises
        ------
        ValueError
            If a parameter is out of range, or the training diverges.
        """
        self._validate_params()
        rows, random = reference.rows, reference.random
        vae = VAE(
            rows,
            reference.groups,
            n_latent=self.n_latent,
            hidden_layer_sizes=check_layers(self.hidden_layer_sizes),
            generator=random,
        )
        with one_thread_if_small(vae, self.batch_size), torch.enable_grad():
            self._train(vae, rows, random)
        self.vae_ = vae.eval().requires_grad_(False)
        self.reconstruction_error_ = error = self._reconstruction_error(reference)
        if error != error:
            raise ValueError(
                f"The autoencoder of {type(self).__name__} diverged. Lower its lr (now {self.lr})."
            )
        if error > _POOR:
            warnings.warn(
                f"The autoencoder loses {error:.0%} of what a feature varies, on average, so that "
                "counterfactuals searched among its codes tell little. Raise n_latent (now "
                f"{self.n_latent}) or max_iter (now {self.max_iter}) of {type(self).__name__}; "
                "features that have nothing to do with each other cannot be compressed.",
                PoorReconstructionWarning,
                stacklevel=2,
            )
        return self

    def encode(self, rows):
        """Return the mean code of each row; see `BaseGenerator.encode`."""
        return self.vae_.encode(rows)

    def decode(self, codes):
        """Return the mean row of each code; see `BaseGenerator.decode`."""
        return self.vae_.decode(codes)

    def penalty(self, step):
        """Return the distance, weighted; see `BaseGenerator.penalty`."""
        return self.lambda_cost * l1_distance(step)

    def _train(self, vae, rows, random):
        optimizer = torch.optim.Adam(vae.parameters(), lr=self.lr, fused=True)
        for iteration in range(self.max_iter):
            done = iteration / self.max_iter
            optimizer.param_groups[0]["lr"] = self.lr * (1 - done)
            drawn = torch.randint(len(rows), (self.batch_size,), generator=random)
            noise = torch.randn(self.batch_size, self.n_latent, generator=random)
            losses = vae(rows[drawn.to(rows.device)], noise.to(rows), min(1, done / _WARM_UP))
            optimizer.zero_grad()
            losses.mean().backward()
            torch.nn.utils.clip_grad_norm_(vae.parameters(), _STEEPEST)
            optimizer.step()

    def _reconstruction_error(self, reference):
        rows, groups = reference.rows, reference.groups
        decoded = torch.cat([self.decode(self.encode(part)) for part in rows.split(CHUNK)])
        vae = self.vae_
        lost = ((decoded - rows) / vae.scale).square().mean(dim=0)
        errors = lost[vae.varies].tolist()
        kept = (groups.harden(decoded) * rows).mean(dim=0)
        shares = rows.mean(dim=0)
        for columns in groups.slices:
            rarer = 1 - shares[columns].max().item()
            if rarer > 0:
                errors.append((1 - kept[columns].sum().item()) / rarer)
        return sum(errors) / len(errors) if errors else 0.0
