"""
Tuning a model and its explanations
===================================

Accuracy is not all that can be tuned. Scorers of counterfactuals go wherever scikit-learn
takes ``scoring=``, and judge every candidate by one and the same search.
"""

# %%
# A grid over two scores
# ----------------------
# Measurements of breast tumours, behind a scaler. The grid is judged by accuracy and by how
# close counterfactuals come to real rows of their class; both cost one search for
# counterfactuals per split. Chosen is the most plausible candidate whose accuracy is within
# one point of the best.
import pandas as pd
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingRandomSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ctsk import CounterfactualTrainedClassifier
from ctsk.metrics import neg_implausibility_scorer, validity_scorer
from ctsk.model_selection import BestWithinTolerance, pareto_front
from ctsk.plotting import ParetoFrontDisplay

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
model = make_pipeline(
    StandardScaler(), CounterfactualTrainedClassifier(max_epochs=30, random_state=0)
)
STEP = "counterfactualtrainedclassifier__"
scoring = {
    "accuracy": "accuracy",
    "neg_implausibility": neg_implausibility_scorer,
    "validity": validity_scorer,
}
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
# What was gained
# ---------------
# On rows that no candidate has seen:


def judge(fitted):
    return {
        "accuracy": fitted.score(X_test, y_test),
        "implausibility": -neg_implausibility_scorer(fitted, X_test, y_test),
        "validity": validity_scorer(fitted, X_test, y_test),
    }


judged = {"default": judge(clone(model).fit(X_train, y_train)), "grid": judge(grid.best_estimator_)}

# %%
# Halving over epochs
# -------------------
# A search that drops poor candidates early takes one score. Weights are drawn where they
# make sense, and a candidate that survives is trained for more epochs.
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
judged["halving"] = judge(halving.best_estimator_)
print(pd.DataFrame(judged).round(3).to_string())
