"""Choosing among candidates by two scores at once."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BestWithinTolerance:
    """Choose the best candidate by one score among those that are good enough by another.

    For ``refit=`` of :class:`sklearn.model_selection.GridSearchCV` and its like,
    with several scorers.

    Parameters
    ----------
    score : str, default="neg_implausibility"
        The key, in ``scoring``, of the score that is to be as great as possible.
    constraint : str, default="accuracy"
        The key of the score that must not suffer.
    tolerance : float, default=0.01
        By how much it may be lower than that of the best candidate.

    Raises
    ------
    ValueError
        At the end of the search: if ``scoring`` lacks a key, or no candidate has
        both scores.

    Notes
    -----
    A candidate of which a score is missing in any split (NaN, as where no
    counterfactual was valid) is not chosen, and sets no standard. A search whose
    ``refit`` is no score has no ``score`` of its own: ask its ``best_estimator_``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.metrics import make_multimetric_scorer, neg_implausibility_scorer
    >>> from ctsk.model_selection import BestWithinTolerance
    >>> X, y = load_iris(return_X_y=True)
    >>> scoring = make_multimetric_scorer(
    ...     {"accuracy": "accuracy", "neg_implausibility": neg_implausibility_scorer}
    ... )
    >>> search = GridSearchCV(
    ...     CounterfactualTrainedClassifier(max_epochs=30, lr=0.01, random_state=0),
    ...     {"lambda_reg": [0.01, 0.1]},
    ...     scoring=scoring,
    ...     refit=BestWithinTolerance(tolerance=0.02),
    ...     cv=3,
    ... ).fit(X, y)
    >>> search.best_params_ in [{"lambda_reg": 0.01}, {"lambda_reg": 0.1}]
    True
    """

    score: str = "neg_implausibility"
    constraint: str = "accuracy"
    tolerance: float = 0.01

    def __call__(self, cv_results):
        """Return the position of the chosen candidate.

        Parameters
        ----------
        cv_results : dict
            ``cv_results_`` of a search.

        Returns
        -------
        best_index : int
        """
        scores = _mean_scores(cv_results, [self.score, self.constraint])
        known = np.isfinite(scores).all(axis=1)
        if not known.any():
            raise ValueError(
                f"No candidate has both scores, {self.score!r} and {self.constraint!r}, in all "
                "splits. Where no counterfactual is valid, lower the scorer's tau, raise its T, "
                "or lower the candidates' lambda_reg."
            )
        good = known & (scores[:, 1] >= scores[known, 1].max() - self.tolerance)
        return int(np.where(good, scores[:, 0], -np.inf).argmax())


def pareto_front(search, scores):
    """Return the candidates of a finished search that no other one beats in all scores.

    Parameters
    ----------
    search : GridSearchCV or its like
        Finished, with several scorers.
    scores : list of str
        Keys of its ``scoring``; the greater, the better.

    Returns
    -------
    front : DataFrame of shape (n_candidates_on_the_front, n_parameters + n_scores)
        Parameters and mean test scores, indexed by the candidate's position, in
        descending order of the first score. Candidates that lack a score in a
        split are left out.

    Raises
    ------
    ValueError
        If the search has no such score.
    """
    import pandas as pd

    table = _mean_scores(search.cv_results_, scores)
    known = np.flatnonzero(np.isfinite(table).all(axis=1))
    kept = [i for i in known if not _is_beaten(table[i], table[known])]
    front = pd.DataFrame([search.cv_results_["params"][i] for i in kept], index=kept)
    front = front.join(pd.DataFrame(table[kept], index=kept, columns=scores))
    return front.sort_values(scores[0], ascending=False)


def _mean_scores(cv_results, scores):
    """Mean test scores, one column for each; NaN where one is missing in any split."""
    missing = [score for score in scores if f"mean_test_{score}" not in cv_results]
    if missing:
        known = [key.removeprefix("mean_test_") for key in cv_results if "mean_test_" in key]
        raise ValueError(f"The search has no score {missing[0]!r}; its scores are {known}.")
    return np.column_stack([cv_results[f"mean_test_{score}"] for score in scores])


def _is_beaten(candidate, others):
    return ((others >= candidate).all(axis=1) & (others > candidate).any(axis=1)).any()
