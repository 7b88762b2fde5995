"""
Calibrated probabilities and a threshold
========================================

An explanation that promises "with a probability of at least 90%" is worth as much as the
probabilities of the model. This example checks them, calibrates a model, lets a bank choose its own
threshold, and explains the decisions of the whole.
"""

# %%
# Is a probability of 30% a share of 30%?
# ---------------------------------------
# The data are holders of credit cards, of whom 22% did not pay in the next month (class 1). Models
# of such data are often trained with ``class_weight="balanced"``, so that they do not ignore the
# rare class. The weights raise its predicted probabilities far above its frequency.
# :class:`sklearn.calibration.CalibratedClassifierCV` turns them into shares: it learns a monotone
# curve from scores to frequencies, by cross-validation. With ``ensemble=False``, a single network
# remains.
import matplotlib.pyplot as plt
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.metrics import log_loss
from sklearn.model_selection import FixedThresholdClassifier, train_test_split

import ctsk
from ctsk import CounterfactualTrainedClassifier
from ctsk.datasets import fetch_credit_default

credit = fetch_credit_default()
X_train, X_test, y_train, y_test = train_test_split(
    credit.data,
    credit.target,
    train_size=2000,
    test_size=4000,
    stratify=credit.target,
    random_state=0,
)
clf = CounterfactualTrainedClassifier(
    class_weight="balanced",
    mutability=credit.mutability,
    domain=credit.domain,
    max_epochs=20,
    n_counterfactuals=300,
    lambda_reg=0.01,
    random_state=0,
)
models = {
    "default network": CounterfactualTrainedClassifier(random_state=0).fit(X_train, y_train),
    "with class weights": clf.fit(X_train, y_train),
    "calibrated": CalibratedClassifierCV(clf, cv=3, ensemble=False).fit(X_train, y_train),
}
_, ax = plt.subplots(layout="constrained")
for name, model in models.items():
    CalibrationDisplay.from_estimator(
        model, X_test, y_test, n_bins=10, strategy="quantile", name=name, ax=ax
    )
    print(f"{name}: log loss {log_loss(y_test, model.predict_proba(X_test)):.3f}")
plt.show()

# %%
# With class weights, the curve lies far below the diagonal: of the people to whom the network gives
# a probability of one half, most did pay. The calibrated curve is close to the diagonal. So is that
# of the default estimator, which stops early and has no class weights.
#
# A threshold of the bank
# -----------------------
# A bank that loses more by a default than it earns by a loan rejects at a lower probability than
# one half. :class:`sklearn.model_selection.FixedThresholdClassifier` predicts class 1 from 30% on
# (:class:`sklearn.model_selection.TunedThresholdClassifierCV` would choose the number). Around a
# model that is fitted, it needs no fit. :func:`ctsk.explain` takes both wrappers. Rows are judged
# by the whole model, and without ``tau``, its decision is the goal.
bank = FixedThresholdClassifier(models["calibrated"], threshold=0.3)
rejected = X_test[bank.predict(X_test) == 1].head(30)
decision = ctsk.explain(bank, rejected, credit.favorable)
print(decision)
defaults = bank.predict_proba(decision.counterfactual)[:, 1]
print(f"\nlargest probability of a default: {defaults.max():.3f}")

# %%
# ``tau`` asks for more than the decision. It is a probability of the wrapped model, which is
# calibrated here: of the people to whom it gives a probability of 80%, about 80% pay. That a person
# who changes will pay is not implied; see :ref:`limits`.
safer = ctsk.explain(bank, rejected, credit.favorable, tau=0.8)
print(safer)

# %%
# In the letter, the probabilities are those of the calibrated model, too.
print(safer.to_text(0, labels=credit.labels, units=credit.units))

# %%
# A single calibrated network is still a network behind a monotone curve, so that the cheapest
# counterfactual can be proven for its decisions.
proven = ctsk.explain(bank, rejected.head(3), credit.favorable, prove=True)
print(proven.proof)

# %%
# What to take away: look at the reliability of a model before you attach a meaning to ``tau``, and
# explain the model that decides, with its calibration and its threshold, rather than the network
# inside.
