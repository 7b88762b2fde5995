"""Searching counterfactuals for rows in the user's units."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.utils import gen_batches
from torch.nn.functional import cross_entropy

from ctsk._constraints import Constraints
from ctsk._explanation import Explanation
from ctsk._feature_space import FeatureSpace
from ctsk._inference import CHUNK
from ctsk._modules import device_of, inference_copy
from ctsk._schema import cells_of
from ctsk._threads import one_thread_if_small
from ctsk.generators import BaseGenerator
from ctsk.generators._base import descend, held_back

# In module units: a search whose next step is shorter leads nowhere.
_STANDSTILL = 1e-4
_MOST_NAMED = 5
_FLIPPED_BACK = "flipped back by rounding: the search had reached tau"
_LOST = "no way on: the pipeline does not take the row that the search has led to"


@dataclass(frozen=True)
class Subject:
    """What is explained: a model, and what it was told of its features.

    Parameters
    ----------
    module : torch.nn.Module
        From module rows to logits.
    classes : ndarray of shape (n_classes,)
        Labels, by column of the logits.
    read : callable
        From rows in the user's units and container to values; a ValueError where
        they are not what the model takes.
    predict_proba : callable
        The judge: from values (n_rows, n_features) and the positions of their
        factuals in X to probabilities (n_rows, n_classes). NaN for rows that the
        model does not take.
    space : FeatureSpace
    constraints : Constraints
        In the user's units.
    feature_costs : ndarray of shape (n_features,)
        Per unit of X, or per change of category.
    generator, tau, T : BaseGenerator, float, int
        The search, unless told otherwise.
    has_learnt : bool
        Whether what the generator has to learn was learnt, in this space.
    """

    module: torch.nn.Module
    classes: np.ndarray
    read: Callable
    predict_proba: Callable
    space: FeatureSpace
    constraints: Constraints
    feature_costs: np.ndarray
    generator: BaseGenerator
    tau: float
    T: int
    has_learnt: bool


@dataclass(frozen=True)
class RowSearch:
    """A search for rows in the user's units.

    A row is mature only when the values that the user would be handed are: they
    are decoded, clamped and rounded first, then judged in float64. A row that
    this turns down goes on searching.

    Parameters
    ----------
    subject : Subject
    generator : BaseGenerator
    tau, T, return_path : float, int, bool
        See `BaseGenerator.generate`.
    """

    subject: Subject
    generator: BaseGenerator
    tau: float
    T: int
    return_path: bool

    def explain(self, factual, values, targets, factual_predictions):
        """Search a counterfactual for each row, a bounded number of rows at once.

        Parameters
        ----------
        factual : DataFrame or array-like of shape (n_rows, n_features)
            As the user has it.
        values : ndarray of shape (n_rows, n_features)
            The same, as `Schema.read` reads it.
        targets, factual_predictions : ndarray of shape (n_rows,)
            As positions in the subject's classes.

        Returns
        -------
        explanation : Explanation
        """
        subject, schema, classes = self.subject, self.subject.space.schema, self.subject.classes
        dtypes = schema.dtypes(factual)
        searcher = inference_copy(subject.module, torch.float32)
        with one_thread_if_small(searcher, min(len(values), CHUNK)):
            parts = [
                self._search(np.arange(chunk.start, chunk.stop), values, targets, dtypes, searcher)
                for chunk in gen_batches(len(values), CHUNK)
            ]
        found, n_iter, reason, path = zip(*parts, strict=True)
        found, reason = np.concatenate(found), np.concatenate(reason)
        proba = subject.predict_proba(found, np.arange(len(found)))
        lost = np.flatnonzero(np.isnan(proba).any(axis=1))
        if len(lost):
            found[lost], reason[lost] = values[lost], _LOST
            proba[lost] = subject.predict_proba(found[lost], lost)
        predictions = proba.argmax(axis=1)
        valid = predictions == targets
        mature = proba[np.arange(len(found)), targets] >= self.tau
        # The search and its judge may differ in the last bit.
        reached = valid & mature
        reason[reached] = None
        reason[~reached & (reason == None)] = _FLIPPED_BACK  # noqa: E711
        return Explanation(
            counterfactual=schema.write(factual, values, found),
            factual=schema.write(factual, values, values),
            target=classes[targets],
            prediction=classes[predictions],
            factual_prediction=classes[factual_predictions],
            proba=proba,
            valid=valid,
            mature=mature,
            n_iter=np.concatenate(n_iter),
            cost=self._cost(values, found),
            reason=reason,
            feature_space=subject.space,
            path=_in_words(np.concatenate(path), schema, factual) if self.return_path else None,
        )

    def _cost(self, values, found):
        space = self.subject.space
        costs = space.encode_costs(self.subject.feature_costs)
        moves = (
            space.encode_values(found[rows]) - space.encode_values(values[rows])
            for rows in gen_batches(len(values), CHUNK)
        )
        return np.concatenate([np.abs(move) @ costs for move in moves])

    def _search(self, positions, values, targets, dtypes, searcher):
        space, device = self.subject.space, device_of(searcher)
        values, targets = values[positions], targets[positions]
        box = self.subject.constraints.of_rows(positions).box(space.expand(values))
        factual_rows = space.encode_values(values).astype(np.float32)

        def tensor(array, dtype=torch.float32):
            return torch.as_tensor(array, dtype=dtype, device=device)

        def hand_over(states, rows=slice(None), dtypes=dtypes):
            return space.hand_over(
                states, factual_rows[rows], values[rows], box.select(rows), dtypes
            )

        def accept(states, rows):
            rows = rows.cpu().numpy()
            handed = hand_over(states.cpu().numpy(), rows)
            proba = self.subject.predict_proba(handed, positions[rows])
            reached = proba[np.arange(len(rows)), targets[rows]] >= self.tau
            return tensor(reached & (proba.argmax(axis=1) == targets[rows]), torch.bool)

        arguments = tensor(targets, torch.int64), space.scaled_box(box).to_tensors(tensor)
        result = self.generator.generate(
            searcher,
            tensor(factual_rows),
            *arguments,
            costs=tensor(space.relative_costs(self.subject.feature_costs)),
            tau=self.tau,
            T=self.T,
            accept=accept,
            return_path=self.return_path,
        )
        found = hand_over(result.counterfactuals.cpu().numpy())
        n_iter = result.n_iter.cpu().numpy()
        reason = self._reasons(searcher, result, *arguments)
        path = None
        if self.return_path:
            states = result.path.cpu().numpy()
            path = np.stack(
                [hand_over(states[:, t], dtypes=None) for t in range(self.T + 1)], axis=1
            )
            ended = np.arange(self.T + 1) >= n_iter[:, None]
            path = np.where(ended[:, :, None], found[:, None], path)
        return found, n_iter, reason, path

    def _reasons(self, searcher, result, targets, box):
        """Say of each row why its search did not end at maturity; None where it did."""
        reasons = np.full(len(targets), None, dtype=object)
        unreached = (~result.mature).nonzero()[:, 0]
        if not len(unreached):
            return reasons
        groups = self.subject.space.groups
        states = result.counterfactuals[unreached].requires_grad_()
        lower, upper = box.lower[unreached], box.upper[unreached]
        with torch.enable_grad():
            logits = searcher(states)
            loss = cross_entropy(logits, targets[unreached], reduction="sum")
        (gradients,) = torch.autograd.grad(loss, states)
        states = states.detach()
        moved = descend(states, gradients, self.generator.step_size, lower, upper, groups)
        stands = ((moved - states).abs().amax(dim=1) < _STANDSTILL).cpu().numpy()
        pressure = _pressure(states, gradients, lower, upper, groups).cpu().numpy()
        # Below one half, a target may have reached tau and another class be predicted.
        is_predicted = logits.argmax(dim=1) == targets[unreached]
        refused = (result.refused[unreached] & is_predicted).cpu().numpy()
        for i, row in enumerate(unreached.tolist()):
            if refused[i]:
                reasons[row] = _FLIPPED_BACK
            elif stands[i]:
                reasons[row] = self._standstill(pressure[i])
            else:
                reasons[row] = f"not mature within T={self.T} steps"
        return reasons

    def _standstill(self, pressure):
        """Name the features whose constraints hold a search back, the tightest first."""
        space = self.subject.space
        by_feature = [
            pressure[space.columns_of(feature)].max() for feature in range(len(space.names))
        ]
        order = np.argsort(by_feature)[::-1]
        binding = [repr(space.names[f]) for f in order if by_feature[f] > 0]
        if not binding:
            return "no way on: the model is flat around this row"
        more = ", ..." if len(binding) > _MOST_NAMED else ""
        return f"boxed in by the constraints on {', '.join(binding[:_MOST_NAMED])}{more}"


def _pressure(states, gradients, lower, upper, groups):
    """How much each column would gain by leaving the box; 0 where nothing holds it back."""
    pressure = gradients.abs() * held_back(states, gradients, lower, upper)
    for columns in groups.slices:
        here = (gradients[:, columns] * states[:, columns]).sum(dim=1, keepdim=True)
        gain = (here - gradients[:, columns]).clamp(min=0)
        pressure[:, columns] = gain * (upper[:, columns] == 0)
    return pressure


def _in_words(path, schema, factual):
    """Put categories in place of their positions; numbers alone stay float64."""
    if not (schema.categories or schema.unread):
        return path
    words = path.astype(object)
    for feature in schema.categories:
        words[..., feature] = schema.cells(feature, path[..., feature])
    for feature in schema.unread:
        words[..., feature] = cells_of(factual, feature)[:, None]
    return words
