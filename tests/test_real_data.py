"""From a raw CSV to recourse with nothing but read_csv, fit and explain."""

import os
from pathlib import Path

import pandas as pd
import pytest

from ctsk import CounterfactualTrainedClassifier

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
    explanation = clf.explain(some, T=100)
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
