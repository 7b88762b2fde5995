"""
Tuning with Optuna
==================

Better than a grid: a sampler that learns from the candidates it has seen where to look next.
"""

# %%
# A study with two goals
# ----------------------
# Accuracy and plausibility, by cross-validation on measurements of breast tumours. Both scores
# come from one call, which searches counterfactuals once per split.
import optuna
import pandas as pd
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import cross_validate, train_test_split

from ctsk import CounterfactualTrainedClassifier, ECCCoGenerator
from ctsk.metrics import neg_implausibility_scorer, validity_scorer

optuna.logging.set_verbosity(optuna.logging.WARNING)
X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
model = CounterfactualTrainedClassifier(generator=ECCCoGenerator(), max_epochs=40, random_state=0)
scoring = {"accuracy": "accuracy", "neg_implausibility": neg_implausibility_scorer}


def candidate(trial):
    """Draw a candidate: what a grid would list, an interval for each."""
    return clone(model).set_params(
        lambda_div=trial.suggest_float("lambda_div", 0.05, 2.0, log=True),
        lambda_adv=trial.suggest_float("lambda_adv", 0.05, 1.0, log=True),
        lambda_reg=trial.suggest_float("lambda_reg", 0.005, 0.5, log=True),
        tau=trial.suggest_float("tau", 0.5, 0.9),
        T=trial.suggest_int("T", 10, 40),
        generator__lambda_energy=trial.suggest_float("lambda_energy", 0.5, 10.0, log=True),
    )


def objective(trial):
    scores = cross_validate(candidate(trial), X_train, y_train, scoring=scoring, cv=3)
    return [scores[f"test_{name}"].mean() for name in scoring]


study = optuna.create_study(
    directions=["maximize", "maximize"], sampler=optuna.samplers.TPESampler(seed=0)
)
study.enqueue_trial(
    {"lambda_div": 0.5, "lambda_adv": 0.25, "lambda_reg": 0.1, "tau": 0.75, "T": 30,
     "lambda_energy": 5.0}
)  # fmt: skip
study.optimize(objective, n_trials=20)

# %%
# What was gained
# ---------------
# Of the trials, chosen is the most plausible within one point of the best accuracy; the
# first trial was the defaults.
trials = study.trials_dataframe().rename(columns={"values_0": "accuracy", "values_1": "plausible"})
accurate = trials[trials["accuracy"] >= trials["accuracy"].max() - 0.01]
chosen = study.trials[accurate["plausible"].idxmax()]
print(f"{len(study.best_trials)} of {len(trials)} trials are beaten by no other")
print(pd.Series(chosen.params).round(3).to_string())

judged = {}
for name, trial in {"default": study.trials[0], "chosen": chosen}.items():
    fitted = candidate(trial).fit(X_train, y_train)
    judged[name] = {
        "accuracy": fitted.score(X_test, y_test),
        "implausibility": -neg_implausibility_scorer(fitted, X_test, y_test),
        "validity": validity_scorer(fitted, X_test, y_test),
    }
print(pd.DataFrame(judged).round(3).to_string())
