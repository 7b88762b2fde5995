"""Draw counterfactuals of a conventional and of a counterfactually trained model."""

import matplotlib.pyplot as plt

from ctsk import CounterfactualTrainedClassifier, ECCCoGenerator
from ctsk.datasets import make_moons_like
from ctsk.plotting import CounterfactualDisplay

X, y = make_moons_like(1_200, random_state=0)
X_train, y_train, X_test, y_test = X[:1_000], y[:1_000], X[1_000:], y[1_000:]
# The parameters of the paper for moons; the domain is three standard deviations around the mean.
center, reach = X_train.mean(axis=0), 3 * X_train.std(axis=0)
domain = list(zip(center - reach, center + reach, strict=True))
settings = {"lambda_reg": 0.25, "tau": 0.9, "batch_size": 30, "domain": domain, "random_state": 0}
conventional = {**settings, "lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}
generator = ECCCoGenerator(max_step=None)

figure, axes = plt.subplots(2, figsize=(5, 7.5), layout="constrained")
for ax, title, parameters in zip(
    axes,
    ["conventional training", "counterfactual training"],
    [conventional, settings],
    strict=True,
):
    clf = CounterfactualTrainedClassifier(**parameters).fit(X_train, y_train)
    rows = X_test[(clf.predict(X_test) == 0) & (y_test == 0)][:15]
    explanation = clf.explain(rows, target=1, generator=generator, tau=0.95, T=50)
    CounterfactualDisplay.from_explanation(
        explanation, estimator=clf, X=X_train[:300], y=y_train[:300], ax=ax
    )
    # The legend of the display takes two lines above the axes.
    ax.set_title(title, pad=40)
