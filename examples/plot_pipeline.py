"""
A pipeline of your own
======================

Your model has steps before the classifier: imputers, encoders, logarithms. In which units are its
explanations? :func:`ctsk.explain` explains the whole pipeline, in the units of the rows that enter
it.
"""

# %%
# A pipeline for census data
# --------------------------
# The data are people of a census, for whom the model predicts whether their income is high. Ages
# and hours are scaled. Capital gains are zero for most people and large for a few, so their
# logarithm is taken. Categories, some of which are missing, are left to the classifier. (An encoder
# such as :class:`sklearn.preprocessing.OneHotEncoder` would work as well.) To show an imputer,
# every tenth number of hours is removed.
import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import ctsk
from ctsk.datasets import fetch_adult

adult = fetch_adult()
NUMBERS, GAINS = ["age", "hours_per_week"], ["capital_gain"]
CATEGORIES = ["workclass", "occupation", "sex"]
X = adult.data[NUMBERS + GAINS + CATEGORIES].copy()
has_gap = np.random.default_rng(0).random(len(X)) < 0.1
X["hours_per_week"] = X["hours_per_week"].mask(has_gap)
X_train, X_test, y_train, y_test = train_test_split(
    X, adult.target, train_size=2000, test_size=500, stratify=adult.target, random_state=0
)
logarithm = FunctionTransformer(np.log1p, feature_names_out="one-to-one")
preprocessing = ColumnTransformer(
    [
        ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
        ("gains", make_pipeline(logarithm, StandardScaler()), GAINS),
        ("categories", "passthrough", CATEGORIES),
    ],
    verbose_feature_names_out=False,
).set_output(transform="pandas")
# The constraints of the classifier have the names of the columns that reach it.
clf = ctsk.CounterfactualTrainedClassifier(
    mutability={"age": "none", "sex": "none"}, max_epochs=15, lr=0.005, random_state=0
)
pipeline = make_pipeline(preprocessing, clf)

# %%
# A search over the pipeline
# --------------------------
# The pipeline is tuned like any other one. A finished search is explained by its best pipeline.
search = GridSearchCV(
    pipeline, {"counterfactualtrainedclassifier__lambda_reg": [0.05, 0.25]}, cv=2
).fit(X_train, y_train)
print(search.best_params_, f"accuracy: {search.score(X_test, y_test):.3f}")

# %%
# Explanations in the units of the data
# -------------------------------------
# The constraints of the training are kept, and expressed in the units of the columns that enter the
# pipeline. ``X_reference`` shows which values these columns hold, such as whole numbers that an
# imputer has mixed with a mean.
rejected = X_test[search.predict(X_test) != adult.favorable].head(60)
explanation = ctsk.explain(
    search, rejected, adult.favorable, tau=0.5, sparse=True, X_reference=X_train
)
print(explanation, "\n")
print(explanation[:5].changes().round(2).to_string(index=False))

# %%
# The constraints hold in these units, because the whole pipeline judges each counterfactual.
before, after = explanation.factual, explanation.counterfactual
was_gap, is_gap = before.isna(), after.isna()
print("age and sex are unchanged:", before[["age", "sex"]].equals(after[["age", "sex"]]))
print("hours are whole:", (after["hours_per_week"].dropna() % 1 == 0).all())
print("a value became missing:", bool((is_gap & ~was_gap).any(axis=None)))
print("missing hours replaced by an amount:", int((was_gap & ~is_gap)["hours_per_week"].sum()))
print("accepted by the pipeline:", (search.predict(after) == explanation.prediction).all())

# %%
# A counterfactual may replace a missing value by a value of the domain, in words: "state how many
# hours you work". The opposite would be no recommendation, and is never made.
#
# One person
# ----------
# The letter and the picture work for pipelines, too.
LABELS = {
    "capital_gain": "capital gain",
    "hours_per_week": "weekly hours of work",
    "workclass": "class of employer",
    ("target", adult.favorable): "high income",
    ("target", 1 - adult.favorable): "low income",
}
UNITS = {"capital_gain": "dollars", "hours_per_week": "hours"}
# The person with the lowest cost of those for whom more than one feature has to change.
n_changes = explanation.changes().groupby("row").size().reindex(rejected.index)
position = int(np.argmin(np.where(n_changes > 1, explanation.cost, np.inf)))
print(explanation.to_text(position, labels=LABELS, units=UNITS))
_ = explanation.plot(position, labels=LABELS, units=UNITS)

# %%
# What to take away: tune and explain the pipeline as a whole, name constraints as its input does,
# and pass training rows as ``X_reference``.
