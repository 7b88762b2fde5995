"""From raw tables to recourse with nothing but loading, fit and explain."""

import os
from pathlib import Path

import pandas as pd
import pytest

from ctsk import CounterfactualTrainedClassifier, ECCCoGenerator, datasets

HOME = os.environ.get("CTSK_DATA_HOME")
IMMUTABLE = {
    "adult": ["age", "race", "sex", "native_country"],
    "credit_default": ["age", "sex"],
    "german_credit": ["age", "foreign_worker", "personal_status_sex"],
}

pytestmark = pytest.mark.skipif(HOME is None, reason="CTSK_DATA_HOME names no folder of data sets")


@pytest.mark.parametrize("name", IMMUTABLE)
def test_raw_columns_in_and_recourse_in_the_same_units_out(name):
    X = pd.read_csv(Path(HOME) / f"{name}.csv.gz")
    y = X.pop("target")
    clf = CounterfactualTrainedClassifier(
        mutability=dict.fromkeys(IMMUTABLE[name], "none"),
        max_epochs=5 if len(X) > 10_000 else 40,
        lr=0.01,
        random_state=0,
    ).fit(X, y)
    assert clf.score(X, y) > y.value_counts(normalize=True).max() + 0.02
    some = X.sample(500, random_state=0)
    # Among many categories, short steps often need more than this number.
    explanation = clf.explain(some, T=100, generator=ECCCoGenerator(max_step=None))
    found = explanation.counterfactual

    assert explanation.valid.mean() > 0.9
    assert (found.dtypes == X.dtypes).all()
    pd.testing.assert_frame_equal(found[IMMUTABLE[name]], some[IMMUTABLE[name]])
    for column in X.columns:
        moved = found[column].notna() & (found[column] != some[column])
        if pd.api.types.is_numeric_dtype(X[column]):
            assert found[column].notna().all()
            assert (found[column][moved] >= 0).all() or X[column].min() < 0
        else:
            assert set(found[column][moved]) <= set(X[column].dropna())
            assert not (found[column].isna() & some[column].notna()).any()


@pytest.mark.parametrize(
    ("name", "options"), [("gmsc", {}), ("heloc", {}), ("heloc", {"keep_codes": True})]
)
def test_gaps_and_special_values_stay_or_are_left_but_are_never_reached(name, options):
    data = getattr(datasets, f"fetch_{name}")(download_if_missing=False, **options)
    X = data.data.sample(1_000, random_state=0)
    y = data.target[X.index]
    clf = CounterfactualTrainedClassifier(
        special_values=data.special_values, max_epochs=20, lr=0.01, random_state=0
    ).fit(X, y)
    before = X[states_of(X, data).any(axis=1)][:60]
    explanation = clf.explain(before, T=100)
    after = explanation.counterfactual

    assert explanation.valid.mean() > 0.9
    assert (after.dtypes == before.dtypes).all()
    was_state, is_state = states_of(before, data), states_of(after, data)
    is_equal = (after == before) | (after.isna() & before.isna())
    assert (is_equal | ~is_state).all(axis=None)
    # Evidence of both: a search that held all states, or left all, would pass the line above.
    assert (was_state & is_equal).any(axis=None)
    assert (was_state & ~is_state).any(axis=None)
    for column in X.select_dtypes("number").columns:
        observed = X[column][~states_of(X, data)[column]]
        moved = after[column][~is_equal[column]]
        assert moved.between(observed.min(), observed.max()).all()


def states_of(X, data):
    """Return where X holds gaps or special values; DataFrame of bool."""
    is_state = X.isna()
    for feature, codes in data.special_values.items():
        is_state[feature] |= X[feature].isin(codes)
    return is_state
