"""
Tuning a model and its explanations
===================================

The explanations of a model can be tuned as well as its accuracy. Scorers of counterfactuals
work wherever scikit-learn has a parameter ``scoring``. They judge all candidates by the same
search for counterfactuals, whatever the candidates were trained with.
"""

# %%
# Grid search with several scores
# -------------------------------
# The data are measurements of breast tumors. Each candidate is rated by its accuracy, by the
# share of counterfactuals that are valid, and by how close counterfactuals are to observed rows
# of their class. ``make_multimetric_scorer`` lets all scores of counterfactuals share a single
# search per split. The chosen candidate is the most plausible one whose accuracy is within one
# percentage point of the best.
import pandas as pd
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ctsk import CounterfactualTrainedClassifier
from ctsk.metrics import make_multimetric_scorer, neg_implausibility_scorer, validity_scorer
from ctsk.model_selection import BestWithinTolerance, pareto_front
from ctsk.plotting import ParetoFrontDisplay

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
model = make_pipeline(
    StandardScaler(), CounterfactualTrainedClassifier(max_epochs=30, random_state=0)
)
STEP = "counterfactualtrainedclassifier__"
scoring = make_multimetric_scorer(
    {
        "accuracy": "accuracy",
        "neg_implausibility": neg_implausibility_scorer,
        "validity": validity_scorer,
    }
)
grid = GridSearchCV(
    model,
    {
        STEP + "lambda_div": [0.1, 1.0],
        STEP + "lambda_adv": [0.1, 0.5],
        STEP + "lambda_reg": [0.01, 0.1],
        STEP + "tau": [0.5, 0.9],
        STEP + "T": [15, 30],
    },
    scoring=scoring,
    refit=BestWithinTolerance(tolerance=0.01),
    cv=3,
).fit(X_train, y_train)
front = pareto_front(grid, ["accuracy", "neg_implausibility"])
print(front.rename(columns=lambda name: name.removeprefix(STEP)).round(3).to_string())

ParetoFrontDisplay.from_search(grid).figure_.set_layout_engine("tight")

# %%
# Comparison with the default parameters
# --------------------------------------
# The same scorer rates both models on rows that no candidate has seen.
default = clone(model).fit(X_train, y_train)
scores = {
    "default": scoring(default, X_test, y_test),
    "grid": scoring(grid.best_estimator_, X_test, y_test),
}

# %%
# Successive halving over epochs
# ------------------------------
# Successive halving discards poor candidates early and trains the remaining ones for more
# epochs. It optimizes a single score, so it takes one of the scorers alone.
halving = HalvingRandomSearchCV(
    model,
    {STEP + "lambda_reg": loguniform(0.005, 0.5), STEP + "lambda_div": loguniform(0.05, 2.0)},
    resource=STEP + "max_epochs",
    min_resources=8,
    max_resources=30,
    factor=2,
    n_candidates=8,
    scoring=neg_implausibility_scorer,
    cv=3,
    random_state=0,
).fit(X_train, y_train)
scores["halving"] = scoring(halving.best_estimator_, X_test, y_test)
print(pd.DataFrame(scores).round(3).to_string())
