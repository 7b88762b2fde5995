"""CounterNet."""

import itertools
from functools import partial

import torch
from torch import nn
from torch.nn.functional import mse_loss, one_hot, softmax

from rivals.base import RivalClassifier, setting


class CounterNetClassifier(RivalClassifier):
    r"""CounterNet (Guo, Nguyen and Yadav, KDD 2023), which generates its own counterfactuals.

    An encoder serves a predictor and a generator of counterfactuals. Layers, dropout, learning rate
    and weights of the losses are those of the authors' code for Adult. The authors scale numbers to
    [0, 1], smooth labels and train up to 800 epochs; here, numbers are standardized, and epochs
    and minibatches are those of the other models. The searches that explain all models explain this
    one, too; `generate` returns the counterfactuals of its own generator.

    Parameters
    ----------
    lr : float, default=0.003
        Learning rate of both steps.
    weights : tuple of float, default=(1.0, 0.2, 0.01)
        Weights of the errors of prediction, validity and proximity.
    **parameters : dict
        Parameters of the base class. The sizes of hidden layers have no effect.

    Notes
    -----
    With the probabilities :math:`p(x)` of the predictor, the generated row :math:`x'` and the
    one-hot label :math:`y`, a minibatch takes one step on :math:`\lambda_1 \|p(x) - y\|^2` with
    the parameters of encoder and predictor, and then one step on
    :math:`\lambda_2 \|p(x') - y'\|^2 + \lambda_3 \|x' - x\|^2` with those of the generator, where
    :math:`y'` is the one-hot label of the class that is not predicted (with more than two classes,
    of the runner-up). All norms are means over rows and columns.
    """

    def __init__(self, *, lr=0.003, weights=(1.0, 0.2, 0.01), **parameters):
        super().__init__(lr=lr, **parameters)
        self.weights = weights

    def fit(self, X, y):
        """Fit the model; see the base class."""
        with setting(self, module=CounterNet):
            return super().fit(X, y)

    def prepare(self, module, rows, labels):
        """Tell the generator which columns are one-hot."""
        module.slices = self.encoder_.groups.slices

    def optimizer_of(self, module):
        """Return one optimizer for encoder and predictor, and one for the generator."""
        first = [*module.encoder.parameters(), *module.predictor.parameters()]
        first += module.output.parameters()
        make = partial(torch.optim.Adam, lr=self.lr)
        return make(first), make(module.generator.parameters())

    def update(self, module, rows, labels, idx):
        """Take a step of the predictor, then one of the generator."""
        for optimizer, loss in zip(
            self._optimizer, (self.prediction_loss, self.generation_loss), strict=True
        ):
            # A step of one part leaves gradients in the other part, which must not add up.
            module.zero_grad()
            loss(module, rows, labels).backward()
            optimizer.step()

    def prediction_loss(self, module, rows, labels):
        """Return the squared error of the probabilities."""
        probabilities = softmax(module(rows), dim=1)
        return self.weights[0] * mse_loss(
            probabilities, one_hot(labels, len(self.classes_)).float()
        )

    def generation_loss(self, module, rows, labels):
        """Return the squared errors of the generated rows: of their class and their distance."""
        # Of two classes, the less probable one is the opposite label.
        opposite = module(rows).detach().argsort(dim=1)[:, -2]
        generated = module.generate(rows)
        probabilities = softmax(module(generated), dim=1)
        validity = mse_loss(probabilities, one_hot(opposite, len(self.classes_)).float())
        return self.weights[1] * validity + self.weights[2] * mse_loss(generated, rows)

    def generate(self, X):
        """Return the counterfactuals of the generator.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_rows, n_features)

        Returns
        -------
        generated : ndarray of shape (n_rows, n_columns)
            In module units; each group of one-hot columns holds one category.
        """
        rows = torch.as_tensor(self.encoder_.encode(X), dtype=torch.float32)
        with torch.no_grad():
            generated = self.net_.module_.generate(rows)
        return self.encoder_.groups.harden(generated).numpy()


class CounterNet(nn.Module):
    """An encoder with two heads: a predictor, and a generator that sees the predictor's layer.

    Parameters
    ----------
    n_features, n_classes : int
    """

    ENCODED, PREDICTED, GENERATED, DROPOUT = (50, 10), 10, 50, 0.3

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.encoder = self._layers(n_features, *self.ENCODED)
        self.predictor = self._layers(self.ENCODED[-1], self.PREDICTED)
        self.output = nn.Linear(self.PREDICTED, n_classes)
        self.generator = nn.Sequential(
            self._layers(self.ENCODED[-1] + self.PREDICTED, self.GENERATED),
            nn.Linear(self.GENERATED, n_features),
        )
        # Slices of one-hot columns, which are known after the encoder of X is fitted.
        self.slices = []

    def _layers(self, *sizes):
        blocks = [
            (nn.Linear(n_in, n_out), nn.LeakyReLU(), nn.Dropout(self.DROPOUT))
            for n_in, n_out in itertools.pairwise(sizes)
        ]
        return nn.Sequential(*itertools.chain.from_iterable(blocks))

    def forward(self, rows):
        """Return the logits of the predictor."""
        return self.output(self.predictor(self.encoder(rows)))

    def generate(self, rows):
        """Return generated rows, in which the columns of each group sum to one."""
        encoded = self.encoder(rows)
        generated = self.generator(torch.cat([encoded, self.predictor(encoded)], dim=1))
        parts = [generated[:, : self.slices[0].start if self.slices else None]]
        parts += [softmax(generated[:, columns], dim=1) for columns in self.slices]
        return torch.cat(parts, dim=1)
