import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import ctsk
from ctsk import CounterfactualTrainedClassifier
from ctsk.metrics import stability


def test_confident_counterfactuals_outlive_refits_more_often(iris):
    X, y = iris
    clf = CounterfactualTrainedClassifier(
        lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=30, lr=0.01, random_state=0
    ).fit(X, y)
    bold, timid = clf.explain(X, tau=0.99, T=300), clf.explain(X, tau=0.5, T=300)
    shares = [stability(clf, explanation, X, y, n_refits=4) for explanation in (bold, timid)]
    assert np.nanmean(shares[0]) > np.nanmean(shares[1])
    np.testing.assert_array_equal(np.isnan(shares[0]), ~bold.valid)
    assert set(shares[0][bold.valid]) <= {0, 0.25, 0.5, 0.75, 1}
    np.testing.assert_array_equal(stability(clf, bold, X, y, n_refits=4), shares[0])


def test_pipelines_are_refitted_whole(iris):
    X, y = iris
    clf = CounterfactualTrainedClassifier(max_epochs=10, lr=0.01, random_state=0)
    fitted = make_pipeline(StandardScaler(), clf).fit(X, y)
    before = fitted.predict_proba(X)
    shares = stability(fitted, ctsk.explain(fitted, X, T=60), X, y, n_refits=2)
    assert np.nanmean(shares) > 0.3
    np.testing.assert_array_equal(fitted.predict_proba(X), before)
