"""A report on the recourse of many people, by group."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils import gen_batches

from ctsk._columns.validation import Interval, validate_params
from ctsk._explaining.explanation import Explanation
from ctsk._torch.utils import make_rng
from ctsk.metrics.counterfactual import cost
from ctsk.metrics.groups import group_codes

# Outcomes of a factual. Those found are sorted to the front; see `_statistics`.
_OUTCOMES = ["found", "impossible", "open"]
_FOUND, _IMPOSSIBLE, _OPEN = range(3)
# Number of draws that are held at once (8 MB), so that memory does not grow with `n_resamples`.
_MOST_DRAWS = 2**20


@validate_params(
    {
        "explanation": [Explanation],
        "groups": [str, "array-like", None],
        "confidence_level": [Interval(Real, 0, 1, closed="neither")],
        "n_resamples": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def recourse_summary(
    explanation, groups=None, *, confidence_level=0.95, n_resamples=1000, random_state=0
):
    r"""Summarize by group how many rows have recourse, and what it costs.

    Parameters
    ----------
    explanation : Explanation
        Counterfactuals of the rows that need recourse. If a factual has several
        alternatives, the cheapest one that is found counts.
    groups : str or array-like of shape (n_factuals,) or (n_rows,), default=None
        The name of a column of the factuals, or labels that are matched by position: one
        per factual, in the order in which the factuals appear in `explanation`, or one
        per row of `explanation`. The two differ only if there are several alternatives.
        None puts all rows into one group.
    confidence_level : float, default=0.95
        Probability mass between the bounds of each interval.
    n_resamples : int, default=1000
        Number of bootstrap samples of each group.
    random_state : int, RandomState or None, default=0
        Seed of the bootstrap samples.

    Returns
    -------
    summary : DataFrame of shape (n_groups, 16)
        One line per group, in the order of the labels (that of the categories, if the
        labels are a categorical Series). The index holds the labels; its name is that of
        the column or of the Series, and "group" otherwise. Without `groups`, the only
        label is "all". The columns are

        - ``n_rows``, the number of factuals;
        - ``found``, the share of factuals with a counterfactual that is valid and mature;
        - ``impossible``, the share of the others that are proven to have none within the
          constraints, which is 0 unless ``explain`` was called with ``prove=True``;
        - ``open``, the share for which neither is known;
        - ``cost``, the median of `Explanation.cost` over those found;
        - ``n_changes``, the mean number of changed features over those found, as counted
          by ``cost(explanation, norm="n_changed")``.

        All but the first are followed by the bounds of their intervals, such as
        ``found_low`` and ``found_high``. `cost`, `n_changes` and their bounds are NaN if
        nothing is found.

    Raises
    ------
    ValueError
        If `explanation` has no rows, or another parameter is invalid; if `groups` is no
        column, has another length, lacks a label, has different labels for the
        alternatives of one factual, or is a Series whose index holds the labels of X's
        index in another order.
    TypeError
        If labels cannot be hashed or sorted.

    See Also
    --------
    cost : Distance of each counterfactual to its factual.
    validity : Share of valid counterfactuals, mature or not.

    Notes
    -----
    All shares are of ``n_rows``, and add up to 1. Costs are those of the factuals that
    have recourse: a group in which recourse is found only where it is cheap has a low
    `cost`, so read `cost` next to `found`. Factuals that are predicted as their target need
    no recourse, and count as found at no cost if they are mature;
    ``explanation[~explanation.already]`` leaves them out.

    The intervals are percentile intervals [1]_: each group is resampled with replacement,
    and the bounds are the quantiles :math:`(1 \mp c) / 2` of the resampled statistics, where
    :math:`c` is the confidence level. They account for the choice of the rows, not for that
    of the model. Those of `cost` and `n_changes` are over samples in which something is
    found. A share of 0 or 1 has an interval of no width, which says little about a small
    group. The line of a group does not depend on the other groups.

    The burden of recourse as a measure of fairness is due to [2]_.

    References
    ----------
    .. [1] Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 13.
    .. [2] Ustun, Spangher and Liu, "Actionable recourse in linear classification",
       FAT* 2019.

    Examples
    --------
    >>> from ctsk import CounterfactualTrainedClassifier
    >>> from ctsk.datasets import make_loan
    >>> from ctsk.metrics import recourse_summary
    >>> X, y = make_loan(400, random_state=0)
    >>> clf = CounterfactualTrainedClassifier(max_epochs=30, random_state=0).fit(X, y)
    >>> rejected = X[clf.predict(X) == 0]
    >>> explanation = clf.explain(rejected, 1, mutability={"age": "none"})
    >>> age = (rejected["age"] < 35).map({True: "under 35", False: "35 or older"})
    >>> summary = recourse_summary(explanation, age)
    >>> list(summary.index)
    ['35 or older', 'under 35']
    >>> bool(summary.loc["under 35", "cost_low"] > summary.loc["35 or older", "cost_high"])
    True
    """
    import pandas as pd

    if not len(explanation):
        raise ValueError("explanation has no rows; select at least one row to summarize.")
    codes, index = group_codes(explanation, groups)
    people = _people(explanation, codes)
    # The same seed for every group, so that a line does not depend on the groups before it.
    seed = make_rng(random_state).integers(2**31 - 1)
    lines = []
    for _, members in people.groupby("group"):
        estimates = _statistics(members, np.arange(len(members))[np.newaxis]).iloc[0]
        resampled = _resampled_statistics(members, n_resamples, np.random.default_rng(seed))
        line = {"n_rows": len(members)}
        for name in estimates.index:
            low, high = _percentile_interval(resampled[name].to_numpy(), confidence_level)
            line |= {name: estimates[name], f"{name}_low": low, f"{name}_high": high}
        lines.append(line)
    return pd.DataFrame(lines, index=index)


def _people(explanation, codes):
    """Return one line per factual: its group, outcome, cost and number of changes.

    The lines are sorted by outcome, cost and number of changes.
    """
    import pandas as pd

    is_found = explanation.valid & explanation.mature
    outcomes = np.full(len(explanation), _OPEN)
    if explanation.proof is not None:
        outcomes[explanation.proof == "impossible"] = _IMPOSSIBLE
    # Last, because a counterfactual that was returned outweighs any proof.
    outcomes[is_found] = _FOUND
    people = pd.DataFrame(
        {
            "row": explanation.row,
            "group": codes,
            "outcome": outcomes,
            "cost": np.where(is_found, explanation.cost, np.nan),
            "n_changes": np.where(is_found, cost(explanation, norm="n_changed"), np.nan),
        }
    )
    # The first line of each factual is now the one that counts.
    return people.sort_values(["outcome", "cost", "n_changes"]).drop_duplicates("row")


def _statistics(people, samples):
    """Return the statistics of samples of people, as a DataFrame of a line per sample.

    Parameters
    ----------
    people : DataFrame
        See `_people`.
    samples : int ndarray of shape (n_samples, n_draws)
        Positions in `people`, in ascending order within each sample.
    """
    import pandas as pd

    outcomes, costs, n_changes = (
        people[name].to_numpy() for name in ("outcome", "cost", "n_changes")
    )
    drawn = outcomes[samples]
    is_found = drawn == _FOUND
    n_found = is_found.sum(axis=1)
    shares = {name: (drawn == code).mean(axis=1) for code, name in enumerate(_OUTCOMES)}
    # People are sorted, so that each sample begins with those found, the cheapest first, and
    # the middle ones of these have the median cost. Without any, the first person drawn was
    # not found either, and has the cost NaN.
    each = np.arange(len(samples))
    lower = costs[samples[each, np.maximum(n_found - 1, 0) // 2]]
    upper = costs[samples[each, n_found // 2]]
    totals = n_changes[samples].sum(axis=1, where=is_found)
    return pd.DataFrame(
        {
            **shares,
            "cost": (lower + upper) / 2,
            "n_changes": totals / np.where(n_found > 0, n_found, np.nan),
        }
    )


def _resampled_statistics(people, n_resamples, rng):
    """Return the statistics of bootstrap samples, as a DataFrame of a line per sample."""
    import pandas as pd

    n_people = len(people)
    parts = []
    for batch in gen_batches(n_resamples, max(_MOST_DRAWS // n_people, 1)):
        samples = rng.integers(n_people, size=(batch.stop - batch.start, n_people))
        samples.sort(axis=1)
        parts.append(_statistics(people, samples))
    return pd.concat(parts)


def _percentile_interval(values, confidence_level):
    """Return the bounds of the central values, leaving out NaN; NaN if there is no other."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return np.nan, np.nan
    tail = (1 - confidence_level) / 2
    return np.quantile(defined, [tail, 1 - tail])
