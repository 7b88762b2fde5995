"""REVISE: a search for counterfactuals in the latent space of an autoencoder."""

import math
import warnings
from numbers import Integral, Real
from typing import ClassVar

import torch

from ctsk._closed_form.flat_update import FlatUpdate
from ctsk._columns.validation import Interval
from ctsk._torch.networks import VAE, check_layers
from ctsk._torch.threads import one_thread_if_small
from ctsk._torch.utils import chunk_size
from ctsk.exceptions import PoorReconstructionWarning
from ctsk.generators.base import NON_NEGATIVE
from ctsk.generators.gradient import GradientGenerator
from ctsk.generators.penalties import l1_distance, l1_slopes

_POSITIVE = Interval(Integral, 1, None, closed="left")
# Reconstruction error above which a search in the latent space is not trustworthy.
_POOR = 0.5
# Share of the iterations over which the weight of the divergence from the prior rises to 1.
# With the full weight from the start, many dimensions of the code stay unused.
_WARM_UP = 0.5
# Norm to which gradients are clipped, because some rows are a hundred standard deviations
# away from the mean.
_MAX_NORM = 10.0


class REVISEGenerator(GradientGenerator):
    r"""Search in the latent space of an autoencoder of the training rows.

    The search moves a code; the counterfactual is the row that the code decodes to. It
    resembles the rows on which the autoencoder was trained, within the constraints. All
    features that may move do move, at least by the reconstruction error of the
    autoencoder; ``explain(..., sparse=True)`` reverts most of these changes.

    Parameters
    ----------
    step_size : float, default=0.25
        Step size of the gradient descent, in units of the code, whose prior is standard
        normal.
    max_step : "auto", float or None, default="auto"
        Largest change of one dimension of the code in one step, in units of the code; a
        longer step is shortened as a whole. "auto" is None in training and 0.05 in
        ``explain``. None does not limit the steps.
    lambda_cost : float, default=0.001
        Weight of the l1 distance to the factual, in module units. If `feature_costs` are
        given to the estimator, they weight the distance, relative to their mean over the
        features that may move.
    n_latent : int, default=16
        Dimension of the latent space; surplus dimensions collapse to the prior.
    hidden_layer_sizes : sequence of int or int, default=(128,)
        Number of units of each hidden layer of the encoder; the decoder has the same
        layers in reverse order.
    max_iter : int, default=3000
        Number of updates of the autoencoder, regardless of the number of rows.
    batch_size : int, default=128
        Rows per update, drawn with replacement.
    lr : float, default=3e-3
        Initial learning rate of Adam, which decreases linearly to 0.

    Attributes
    ----------
    vae_ : torch.nn.Module
        The autoencoder; set by `learn`.
    reconstruction_error_ : float
        Mean over features of the share of information that the autoencoder loses on its
        training rows. For a number it is the mean squared error relative to the variance;
        for a category, the share of rows that are decoded to another category, relative to
        the error of the most frequent category. A value of 0 is perfect, and 1 is as good
        as a constant.

    Warns
    -----
    PoorReconstructionWarning
        By `learn`, if `reconstruction_error_` is above 0.5.

    See Also
    --------
    GenericGenerator : The same search among the rows themselves.
    ECCCoGenerator : Favors plausible counterfactuals without an autoencoder.

    Notes
    -----
    REVISE [1]_ descends

    .. math::

        \mathrm{CE}(M(x'), y^+) + \lambda_{cost} \|x' - x\|_1,
        \quad x' = \Pi(\mathrm{decode}(z))

    over codes :math:`z`, starting at the mean code of the factual. :math:`\Pi` brings a
    row into the box that follows from its domain and mutability; see
    :class:`GradientGenerator` for the gradient. The autoencoder is variational, with a Gaussian
    likelihood of learned deviation for each number and a categorical likelihood for each
    category. It is trained in module units, once before the first search, and does not use
    the labels.

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
        **GradientGenerator._parameter_constraints,
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
        max_step="auto",
        lambda_cost=0.001,
        n_latent=16,
        hidden_layer_sizes=(128,),
        max_iter=3000,
        batch_size=128,
        lr=3e-3,
    ):
        self.step_size = step_size
        self.max_step = max_step
        self.lambda_cost = lambda_cost
        self.n_latent = n_latent
        self.hidden_layer_sizes = hidden_layer_sizes
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.lr = lr

    @property
    def learning_parameters(self):
        """Names of the parameters of the autoencoder; the others are those of the search."""
        return ("n_latent", "hidden_layer_sizes", "max_iter", "batch_size", "lr")

    def learn(self, reference):
        """Train the autoencoder; see `BaseGenerator.learn`.

        Raises
        ------
        ValueError
            If a parameter is out of range, or if the training diverges.
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
        if math.isnan(error):
            raise ValueError(
                f"The autoencoder of {type(self).__name__} diverged. Lower its lr (now {self.lr})."
            )
        if error > _POOR:
            warnings.warn(
                f"The autoencoder of {type(self).__name__} loses {error:.0%} of the variation of "
                "a feature, on average, so counterfactuals from its latent space are "
                f"hardly informative. Raise n_latent (now {self.n_latent}) or max_iter (now "
                f"{self.max_iter}); independent features cannot be compressed.",
                PoorReconstructionWarning,
                stacklevel=2,
            )
        return self

    def encode(self, rows):
        """Return the mean code of each row; see `GradientGenerator.encode`."""
        return self.vae_.encode(rows)

    def decode(self, codes):
        """Return the mean row of each code; see `GradientGenerator.decode`."""
        return self.vae_.decode(codes)

    def penalty(self, step):
        """Return the weighted distances; see `GradientGenerator.penalty`."""
        return self.lambda_cost * l1_distance(step)

    def _penalty_slopes(self, step):
        """Return the slopes of the penalty with respect to the states and to their energies."""
        return l1_slopes(step, self.lambda_cost), torch.zeros_like(step.energies)

    def _train(self, vae, rows, random):
        """Update the autoencoder `max_iter` times."""
        # Without decay, AdamW is Adam.
        optimizer = torch.optim.AdamW(vae.parameters(), lr=self.lr, weight_decay=0.0, fused=True)
        update = FlatUpdate.of(optimizer)
        for iteration in range(self.max_iter):
            progress = iteration / self.max_iter
            optimizer.param_groups[0]["lr"] = self.lr * (1 - progress)
            # Random numbers are drawn on the CPU in float32, so that all devices and default
            # dtypes see the same ones.
            idx = torch.randint(len(rows), (self.batch_size,), generator=random)
            shape = self.batch_size, self.n_latent
            noise = torch.randn(shape, dtype=torch.float32, generator=random)
            beta = min(1, progress / _WARM_UP)
            losses = vae(rows[idx.to(rows.device)], noise.to(rows), beta)
            update.gradients.zero_()
            losses.mean().backward()
            update.clip(_MAX_NORM)
            update.step()

    def _reconstruction_error(self, reference):
        """Return the mean over features of the share that is lost."""
        rows, groups = reference.rows, reference.groups
        decoded = torch.cat(
            [self.decode(self.encode(part)) for part in rows.split(chunk_size(rows.shape[1]))]
        )
        # Numbers: squared error relative to the variance; constants have nothing to lose.
        vae = self.vae_
        squared = ((decoded - rows) / vae.scale).square().mean(dim=0)
        errors = squared[vae.varies].tolist()
        # Categories: the product of two one-hot rows is 1 where the category is kept.
        kept = (groups.harden(decoded) * rows).mean(dim=0)
        shares = rows.mean(dim=0)
        for columns in groups.slices:
            constant_error = 1 - shares[columns].max().item()
            if constant_error > 0:
                errors.append((1 - kept[columns].sum().item()) / constant_error)
        return sum(errors) / len(errors) if errors else 0.0
