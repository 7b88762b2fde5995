import numpy as np
import pytest

from ctsk import CounterfactualTrainedClassifier


@pytest.mark.parametrize("dtype", [">f8", ">f4", ">i4"])
def test_arrays_are_accepted_in_any_order_of_bytes(iris, dtype):
    X, y = iris
    X = X.astype(dtype)
    clf, twin = (
        CounterfactualTrainedClassifier(max_epochs=2, random_state=0).fit(rows, y)
        for rows in (X, X.astype(X.dtype.newbyteorder("=")))
    )
    np.testing.assert_array_equal(clf.predict_proba(X), twin.predict_proba(X))
    assert clf.explain(X[:3], target=1).counterfactual.dtype == dtype
