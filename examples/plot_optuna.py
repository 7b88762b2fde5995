"""
Tuning with Optuna
==================

A grid tries its candidates in a fixed order. The sampler of Optuna learns from the candidates
that it has evaluated which region of the parameter space to try next.
"""

# %%
# A study with two objectives
# ---------------------------
# The study maximizes the accuracy and the plausibility of counterfactuals, both
# cross-validated on measurements of breast tumors.
import optuna
import pandas as pd
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import cross_validate, train_test_split

from ctsk import CounterfactualTrainedClassifier, ECCCoGenerator
from ctsk.metrics import make_multimetric_scorer, neg_implausibility_scorer, validity_scorer

optuna.logging.set_verbosity(optuna.logging.WARNING)
X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
model = CounterfactualTrainedClassifier(generator=ECCCoGenerator(), max_epochs=40, random_state=0)
objectives = {"accuracy": "accuracy", "neg_implausibility": neg_implausibility_scorer}
# The scores of the final comparison; scorers of counterfactuals share one search.
scoring = make_multimetric_scorer({**objectives, "validity": validity_scorer})


def candidate(trial):
    """Return a model whose parameters are drawn from intervals."""
    return clone(model).set_params(
        lambda_div=trial.suggest_float("lambda_div", 0.05, 2.0, log=True),
        lambda_adv=trial.suggest_float("lambda_adv", 0.05, 1.0, log=True),
        lambda_reg=trial.suggest_float("lambda_reg", 0.005, 0.5, log=True),
        tau=trial.suggest_float("tau", 0.5, 0.9),
        T=trial.suggest_int("T", 10, 40),
        generator__lambda_energy=trial.suggest_float("lambda_energy", 0.5, 10.0, log=True),
    )


def objective(trial):
    scores = cross_validate(candidate(trial), X_train, y_train, scoring=objectives, cv=3)
    return [scores[f"test_{name}"].mean() for name in objectives]


study = optuna.create_study(
    directions=["maximize", "maximize"], sampler=optuna.samplers.TPESampler(seed=0)
)
study.enqueue_trial(
    {"lambda_div": 0.5, "lambda_adv": 0.25, "lambda_reg": 0.1, "tau": 0.75, "T": 30,
     "lambda_energy": 5.0}
)  # fmt: skip
study.optimize(objective, n_trials=20)

# %%
# Comparison with the default parameters
# --------------------------------------
# The chosen trial is the most plausible one whose accuracy is within one percentage point of
# the best. The first trial used the default parameters.
trials = study.trials_dataframe().rename(columns={"values_0": "accuracy", "values_1": "plausible"})
accurate = trials[trials["accuracy"] >= trials["accuracy"].max() - 0.01]
chosen = study.trials[accurate["plausible"].idxmax()]
print(f"{len(study.best_trials)} of {len(trials)} trials are on the Pareto front")
print(pd.Series(chosen.params).round(3).to_string())

scores = {
    name: scoring(candidate(trial).fit(X_train, y_train), X_test, y_test)
    for name, trial in {"default": study.trials[0], "chosen": chosen}.items()
}
print(pd.DataFrame(scores).round(3).to_string())
