"""Model selection under a trade-off between two scores."""

from dataclasses import dataclass
from numbers import Real

import numpy as np
from sklearn.exceptions import NotFittedError

from ctsk._columns.containers import listed


@dataclass(frozen=True)
class BestWithinTolerance:
    """Choose the best candidate by one score among those that are good enough by another.

    Pass an instance as the parameter ``refit`` of
    :class:`sklearn.model_selection.GridSearchCV` or a similar search over several
    scores.

    Parameters
    ----------
    score : str, default="neg_implausibility"
        Name of the score to maximize.
    constraint : str, default="accuracy"
        Name of the score that the chosen candidate must keep.
    tolerance : float, default=0.01
        Maximum difference of the constraint between the best candidate and the chosen
        one.

    Raises
    ------
    ValueError
        If `tolerance` is negative or NaN; and at the end of the search, if it lacks
        one of the scores or no candidate has both.
    TypeError
        If the type of a parameter is wrong.

    See Also
    --------
    pareto_front : All candidates that no other one dominates.
    ctsk.plotting.ParetoFrontDisplay : Plots the trade-off.

    Notes
    -----
    Candidates with a NaN in any split of either score are ignored; a score of
    counterfactuals is NaN where none is valid. With a callable ``refit``,
    the method ``score`` of the search fails; use ``best_estimator_.score``.

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

    def __post_init__(self):
        """Validate the parameters, before the search rather than after it."""
        for name in ("score", "constraint"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(
                    f"{name} is {getattr(self, name)!r}; it must be the name of a score."
                )
        if not isinstance(self.tolerance, Real):
            raise TypeError(f"tolerance is {self.tolerance!r}; it must be a number.")
        # Negated, so that NaN is rejected as well.
        if not self.tolerance >= 0:
            raise ValueError(f"tolerance is {self.tolerance}; it must be at least 0.")

    def __call__(self, cv_results):
        """Return the position of the chosen candidate.

        Parameters
        ----------
        cv_results : dict
            Attribute ``cv_results_`` of a search.

        Returns
        -------
        best_index : int
            Position of the candidate in the arrays of `cv_results`.

        Raises
        ------
        ValueError
            If one of the scores is missing, or no candidate has both.
        """
        scores = _mean_scores(cv_results, [self.score, self.constraint])
        is_known = np.isfinite(scores).all(axis=1)
        if not is_known.any():
            raise ValueError(
                f"No candidate has both scores, {self.score!r} and {self.constraint!r}, in all "
                "splits. If no counterfactual is valid, lower the scorer's tau, raise its T, "
                "or lower the candidates' lambda_reg."
            )
        # The best constraint is that of known candidates: one that has no counterfactuals must
        # not raise the bar for those that have some.
        threshold = scores[is_known, 1].max() - self.tolerance
        is_eligible = is_known & (scores[:, 1] >= threshold)
        # Masking keeps positions, so that argmax is an index into all candidates.
        return int(np.where(is_eligible, scores[:, 0], -np.inf).argmax())


def pareto_front(search, scores):
    """Return the candidates of a fitted search that no other candidate dominates.

    A candidate dominates another one if it is at least as good in all scores and
    better in one.

    Parameters
    ----------
    search : GridSearchCV or a similar search
        Fitted search over several scores.
    scores : list of str
        Names of the scores. Greater values are better.

    Returns
    -------
    front : DataFrame of shape (n_candidates_on_the_front, n_parameters + n_scores)
        Parameters and mean test scores, indexed by the position of the candidate, in
        descending order of the first score. Candidates with a NaN in any split are
        left out.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the search is not fitted.
    ValueError
        If the search lacks one of the scores, or `scores` is empty.
    TypeError
        If `scores` is a single name.

    See Also
    --------
    BestWithinTolerance : Chooses one candidate under the trade-off.
    ctsk.plotting.ParetoFrontDisplay : Plots the front.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from ctsk.model_selection import pareto_front
    >>> search = GridSearchCV(
    ...     DecisionTreeClassifier(random_state=0),
    ...     {"max_depth": [1, 2, 5]},
    ...     scoring=["accuracy", "neg_log_loss"],
    ...     refit="accuracy",
    ... ).fit(*load_iris(return_X_y=True))
    >>> pareto_front(search, ["accuracy", "neg_log_loss"]).columns.tolist()
    ['max_depth', 'accuracy', 'neg_log_loss']
    """
    import pandas as pd

    if not hasattr(search, "cv_results_"):
        raise NotFittedError(f"This {type(search).__name__} is not fitted; call its fit first.")
    # A str is a sequence of names as well, each of one letter.
    if isinstance(scores, str):
        raise TypeError(f"scores is {scores!r}; it must be a list of names of scores.")
    if not len(scores):
        raise ValueError("scores is empty; it must name at least one score.")

    # Every comparison with NaN is false: a candidate without a score could neither dominate
    # nor be dominated, and would always be on the front.
    table = _mean_scores(search.cv_results_, scores)
    known = np.flatnonzero(np.isfinite(table).all(axis=1))
    front_idx = [i for i in known if not _is_dominated(table[i], table[known])]

    # The position of a candidate is the index: the front can be looked up in `cv_results_`.
    front = pd.DataFrame([search.cv_results_["params"][i] for i in front_idx], index=front_idx)
    front = front.join(pd.DataFrame(table[front_idx], index=front_idx, columns=scores))
    return front.sort_values(scores[0], ascending=False)


def _mean_scores(cv_results, scores):
    """Return mean test scores, one column each; NaN if a split has none."""
    missing = [score for score in scores if f"mean_test_{score}" not in cv_results]
    if missing:
        prefix = "mean_test_"
        known = [key.removeprefix(prefix) for key in cv_results if key.startswith(prefix)]
        raise ValueError(f"The search has no score {missing[0]!r}; its scores are {listed(known)}.")
    return np.column_stack([cv_results[f"mean_test_{score}"] for score in scores])


def _is_dominated(candidate, others):
    """Return whether another candidate is at least as good in all scores and better in one."""
    return ((others >= candidate).all(axis=1) & (others > candidate).any(axis=1)).any()
