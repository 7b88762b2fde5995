"""Searching counterfactuals for rows in the user's units."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.utils import gen_batches

from ctsk._columns.constraints import Constraints
from ctsk._columns.encoder import Encoder
from ctsk._columns.schema import cells_of, repeated
from ctsk._explaining.explanation import Explanation
from ctsk._explaining.failure_reasons import FLIPPED_BACK, LOST, TOO_NEAR
from ctsk._explaining.search import ChunkSearch
from ctsk._torch.threads import one_thread_if_small
from ctsk._torch.utils import CHUNK, inference_copy
from ctsk.generators import BaseGenerator


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
    encoder : Encoder
    constraints : Constraints
        In the user's units.
    feature_costs : ndarray of shape (n_features,)
        Per unit of X, or per change of category.
    generator, tau, T : BaseGenerator, float, int
        The search, unless told otherwise.
    has_learnt : bool
        Whether what the generator has to learn was learnt, in this encoder.
    """

    module: torch.nn.Module
    classes: np.ndarray
    read: Callable
    predict_proba: Callable
    encoder: Encoder
    constraints: Constraints
    feature_costs: np.ndarray
    generator: BaseGenerator
    tau: float
    T: int
    has_learnt: bool


@dataclass(frozen=True)
class RowSearch:
    """A search for rows in the user's units.

    Parameters
    ----------
    subject : Subject
    generator : BaseGenerator
        That has learnt what it has to.
    tau, T, return_path : float, int, bool
        See `BaseGenerator.generate`.
    n_alternatives : int
        Counterfactuals for each row.
    sparse : bool
        Whether to put features back where the row stays what it is.
    """

    subject: Subject
    generator: BaseGenerator
    tau: float
    T: int
    n_alternatives: int
    sparse: bool
    return_path: bool

    def explain(self, factual, values, targets, factual_predictions):
        """Search counterfactuals for each row, a bounded number of rows at once.

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
        subject, schema, classes = self.subject, self.subject.encoder.schema, self.subject.classes
        dtypes = schema.dtypes(factual)
        searcher = inference_copy(subject.module, torch.float32)
        with one_thread_if_small(searcher, min(len(values), CHUNK)):
            parts = [
                ChunkSearch(self, searcher, values, targets, dtypes, chunk).alternatives()
                for chunk in gen_batches(len(values), CHUNK)
            ]
        found, n_iter, reason, path = map(np.concatenate, zip(*parts, strict=True))
        # From here on, a row is an alternative.
        rows = np.repeat(np.arange(len(values)), self.n_alternatives)
        factual, values, targets = (
            repeated(factual, self.n_alternatives),
            values[rows],
            targets[rows],
        )
        proba = subject.predict_proba(found, rows)
        lost = np.flatnonzero(np.isnan(proba).any(axis=1))
        if len(lost):
            found[lost], reason[lost] = values[lost], LOST
            proba[lost] = subject.predict_proba(found[lost], rows[lost])
        predictions = proba.argmax(axis=1)
        valid = predictions == targets
        mature = proba[np.arange(len(found)), targets] >= self.tau
        # The search and its judge may differ in the last bit.
        reached = valid & mature
        reason[reached & (reason != TOO_NEAR)] = None
        reason[~reached & (reason == None)] = FLIPPED_BACK  # noqa: E711
        return Explanation(
            counterfactual=schema.write(factual, values, found),
            factual=schema.write(factual, values, values),
            target=classes[targets],
            prediction=classes[predictions],
            factual_prediction=classes[factual_predictions[rows]],
            proba=proba,
            valid=valid,
            mature=mature,
            n_iter=n_iter,
            cost=self._cost(values, found),
            reason=reason,
            encoder=subject.encoder,
            n_alternatives=self.n_alternatives,
            path=_in_words(path, schema, factual) if self.return_path else None,
        )

    def _cost(self, values, found):
        encoder = self.subject.encoder
        costs = encoder.encode_costs(self.subject.feature_costs)
        moves = (
            encoder.encode_values(found[rows]) - encoder.encode_values(values[rows])
            for rows in gen_batches(len(values), CHUNK)
        )
        return np.concatenate([np.abs(move) @ costs for move in moves])


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
