"""The contract of all generators: what they learn, and what a search takes and returns."""

import copy
import itertools
from abc import ABCMeta, abstractmethod
from numbers import Real
from typing import ClassVar

import torch
from sklearn.base import BaseEstimator

from ctsk._columns.validation import Interval

NON_NEGATIVE = Interval(Real, 0, None, closed="left")


class BaseGenerator(BaseEstimator, metaclass=ABCMeta):
    """Base class of all generators of counterfactuals.

    A subclass implements `search`, which finds counterfactuals of rows in any way, and
    `learn`, if the search needs observed rows. A generator that descends a gradient is a
    subclass of :class:`GradientGenerator`, which implements `search` for it.

    :func:`~ctsk.generators.check_generator` tests a subclass against this contract.

    Attributes
    ----------
    default_T : int
        Number of steps in ``explain`` unless `T` is passed; an attribute of the class.

    See Also
    --------
    GradientGenerator : Base class of searches by gradient descent.
    ctsk.generators.check_generator : Tests a subclass.

    Examples
    --------
    A search that jumps to the observed row with the largest probability of the target:

    >>> import torch
    >>> from sklearn.datasets import load_iris
    >>> from ctsk import BaseGenerator, CounterfactualTrainedClassifier
    >>> from ctsk.generators import SearchResult
    >>> class MostProbable(BaseGenerator):
    ...     def learn(self, reference):
    ...         self.rows_ = reference.rows
    ...         return self
    ...
    ...     def search(self, model, factuals, targets, box, *, tau, T, **settings):
    ...         best = model(self.rows_).softmax(dim=1).argmax(dim=0)[targets]
    ...         found = torch.clamp(self.rows_[best], box.lower, box.upper)
    ...         proba = model(found).softmax(dim=1).gather(1, targets[:, None])[:, 0]
    ...         return SearchResult.of_jumps(factuals, found, proba >= tau, T=T)
    >>> X, y = load_iris(return_X_y=True)
    >>> clf = CounterfactualTrainedClassifier(max_epochs=30, random_state=0).fit(X, y)
    >>> clf.explain(X[:3], target=1, generator=MostProbable(), X_reference=X).valid
    array([ True,  True,  True])
    """

    # Parameters without an entry are not checked.
    _parameter_constraints: ClassVar[dict] = {}

    # Can be overridden by users.
    default_T = 300

    # Can be overridden by users, if learning depends on parameters.
    @property
    def learns(self):
        """Whether `learn` is called before a search; by default, if it is overridden."""
        return type(self).learn is not BaseGenerator.learn

    # Can be overridden by users, if a search without learning is possible, though worse.
    @property
    def must_learn(self):
        """Whether a search is impossible before `learn`; by default equal to `learns`."""
        return self.learns

    # Can be overridden by users, if some parameters have no part in `learn`.
    @property
    def learning_parameters(self):
        """Names of the parameters on which `learn` depends; by default, all of them."""
        return tuple(self.get_params(deep=False))

    # Can be overridden by users.
    def learn(self, reference):
        """Learn from observed rows; called once, before any search.

        Parameters
        ----------
        reference : Reference

        Returns
        -------
        self : BaseGenerator
            With the results in attributes whose names end with an underscore. Tensors and
            modules must be attributes themselves, not elements of a container, because
            only attributes follow the model to another device.
        """
        return self

    def _learned(self, reference):
        """Return the generator after `learn`; raise a TypeError if `learn` does not return it."""
        learned = self.learn(reference)
        if learned is not self:
            raise TypeError(
                f"learn of {type(self).__name__} returned a {type(learned).__name__}; it must "
                "return self."
            )
        return self

    # Must be overridden by users.
    @abstractmethod
    def search(
        self,
        model,
        factuals,
        targets,
        box,
        *,
        costs,
        tau,
        T,
        epsilon=None,
        accept=None,
        earlier=None,
        push=0.0,
        sparse=False,
        max_changes=None,
        return_path=False,
    ):
        """Search for a counterfactual of each factual, all of them as one batch.

        Parameters
        ----------
        model : callable
            Maps rows (n_rows, n_columns) to logits (n_rows, n_classes).
        factuals : Tensor of shape (n_rows, n_columns)
            In module units.
        targets : LongTensor of shape (n_rows,)
            The class to reach, as a column of the logits.
        box : Box
            Bounds of each row, which contain the factuals: ``box.lower`` and ``box.upper``,
            of the shape of `factuals`. The numeric columns come first;
            ``box.groups.slices`` are the columns of each category, of which a
            counterfactual sets one to 1 and the others to 0.
        costs : Tensor of shape (n_columns,) or (n_rows, n_columns)
            Cost of a unit of each column.
        tau : float
            Probability of the target at which a search ends.
        T : int
            Maximum number of steps.
        epsilon : float, default=None
            Radius of the ball (maximum norm) within which nascent counterfactuals are
            recorded; None records none.
        accept : callable, default=None
            Second check of rows that have reached `tau`. It is called with their states
            and their positions in `factuals` and returns a bool Tensor. The search of a
            rejected row continues.
        earlier : Tensor of shape (n_rows, n_earlier, n_columns), default=None
            Earlier counterfactuals of the same factuals, from which the search keeps away.
        push : float, default=0.0
            Weight of the term that pushes a row away from its `earlier` counterfactuals.
        sparse : bool, default=False
            Whether few changed features count before the cost. A search may ignore it,
            because ``explain`` reverts features afterward.
        max_changes : int, default=None
            Largest number of features that a counterfactual changes. A search may ignore
            it, because ``explain`` searches again among fewer features.
        return_path : bool, default=False
            Whether to record every state.

        Returns
        -------
        result : SearchResult
        """

    def with_learned(self, fitted):
        """Return a copy that has learned what another generator of its kind has learned."""
        generator = copy.copy(self)
        learned = {name: value for name, value in vars(fitted).items() if name.endswith("_")}
        vars(generator).update(learned)
        return generator

    def __getstate__(self):
        """Return the state with all learned tensors on the CPU, so that any machine loads it."""
        state = super().__getstate__()
        return {**state, **_moved(state, torch.device("cpu"))}

    def _on_device(self, device):
        """Return a generator whose learned tensors are on a device: self, if they are."""
        moved = _moved(vars(self), device)
        if not moved:
            return self
        # The generator of a model is not changed by a search, which may run in several threads.
        generator = copy.copy(self)
        for name, value in moved.items():
            setattr(generator, name, value)
        return generator


def _moved(attributes, device):
    """Return copies of the learned tensors and modules that are not on a device, by name."""
    moved = {}
    for name, value in attributes.items():
        if not name.endswith("_"):
            continue
        if isinstance(value, torch.Tensor) and value.device != device:
            moved[name] = value.to(device)
        elif isinstance(value, torch.nn.Module):
            tensors = itertools.chain(value.parameters(), value.buffers())
            if any(tensor.device != device for tensor in tensors):
                moved[name] = copy.deepcopy(value).to(device)
    return moved
