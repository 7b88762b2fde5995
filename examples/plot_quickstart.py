"""
=====================
A model with recourse
=====================

A classifier that makes decisions about people should be able to explain a decision and to name
changes that would lead to a different one. Counterfactual training makes both part of the training
objective. This example trains the same network twice, conventionally (BL) and counterfactually
(CT), on two data sets that come with scikit-learn.
"""

# %%
# Will the disease progress fast?
# -------------------------------
# The data hold ten baseline measurements of 442 patients, in their natural units. No treatment
# changes the age or sex of a patient. The parameter ``mutability`` declares this once, by column
# name, and both training and explanations respect it.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes, load_digits
from sklearn.model_selection import train_test_split

from ctsk import CounterfactualTrainedClassifier
from ctsk.metrics import implausibility, maximum_mean_discrepancy, robust_accuracy

X, progression = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
y = (progression > progression.median()).map({True: "fast", False: "slow"})

CONVENTIONAL = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}
MODELS = {
    "BL": CounterfactualTrainedClassifier(
        **CONVENTIONAL, mutability={"age": "none", "sex": "none"}, random_state=0
    ),
    "CT": CounterfactualTrainedClassifier(
        mutability={"age": "none", "sex": "none"}, random_state=0
    ),
}


def evaluate(clf, explanation, X, y, epsilon):
    """Evaluate a model on test rows and on its explanations of them."""
    valid = explanation.valid
    # Metrics of plausibility compare rows in module units, in which all features count alike.
    observed = clf.encoder_.encode(X)
    counterfactuals = explanation.counterfactual_encoded
    distances, discrepancies = [], []
    for label in clf.classes_:
        of_label = counterfactuals[valid & (explanation.target == label)]
        if len(of_label) > 1:
            distances.append(implausibility(of_label, observed[y == label]))
            discrepancies.append(maximum_mean_discrepancy(of_label, observed[y == label]))
    return {
        "accuracy": clf.score(X, y),
        f"accuracy, FGSM {epsilon}": robust_accuracy(clf, X, y, epsilon=epsilon, attack="fgsm"),
        "validity": valid.mean(),
        "cost": np.median(explanation.cost[valid]),
        "implausibility": np.concatenate(distances).mean(),
        "MMD": np.mean(discrepancies),
    }


def print_table(title, scores):
    """Print the mean of each score over the splits, with its standard error."""
    print(f"\n{title}\n{'':20}" + "".join(f"{name:>20}" for name in scores))
    for score in scores["BL"][0]:
        cells = []
        for splits in scores.values():
            values = [split[score] for split in splits]
            error = np.std(values, ddof=1) / len(values) ** 0.5
            cells.append(f"{np.mean(values):13.3f} ± {error:.3f}")
        print(f"{score:20}" + " ".join(cells))


# %%
# Five random splits distinguish the effect of the method from chance. By default, ``explain``
# searches for the cheapest counterfactual of each patient. The cost is its l1 distance to the
# patient, and the implausibility is its mean l1 distance to the patients of the target class, both
# in standard deviations.
scores = {name: [] for name in MODELS}
for seed in range(5):
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.3, stratify=y, random_state=seed
    )
    explanations = {}
    for name, clf in MODELS.items():
        clf.fit(X_train, y_train)
        explanations[name] = clf.explain(X_test)
        scores[name].append(evaluate(clf, explanations[name], X_test, y_test, epsilon=0.2))
print_table("Diabetes: 133 test patients, mean over five splits", scores)

# %%
# The two classes overlap so much that explanations do not become more plausible. The
# counterfactuals of CT cost more, because more has to change before the target has a probability of
# ``tau``. The digits below, whose classes are distinct, give a different picture.
#
# The counterfactual of one patient
# ---------------------------------
# A counterfactual is a row in the units of the data, so it can be put into words. The cheapest one
# changes few features.
ct = explanations["CT"]
fast = (ct.factual_prediction == "fast") & ct.valid
patient = ct.factual.index[fast][np.argsort(ct.cost[fast])[fast.sum() // 2]]
position = ct.factual.index.get_loc(patient)
print(
    f"\nPatient {patient} is predicted to progress fast. The model would predict slow "
    f"(probability {ct.proba[position, 1]:.2f}) if"
)
changes = ct.changes().query("row == @patient")
NAMES = {
    "bmi": ("body mass index", "kg/m²"),
    "bp": ("mean blood pressure", "mm Hg"),
    "s1": ("total cholesterol", "mg/dl"),
    "s2": ("LDL cholesterol", "mg/dl"),
    "s3": ("HDL cholesterol", "mg/dl"),
    "s4": ("total over HDL cholesterol", ""),
    "s5": ("logarithm of triglycerides", ""),
    "s6": ("blood sugar", "mg/dl"),
}
largest = (changes["to"] - changes["from"]).abs() / X[changes["feature"]].std().to_numpy()
for change in changes.loc[largest.sort_values(ascending=False).index].itertuples():
    # "from" is a keyword of Python, so these two columns have no attributes.
    before, after = change[3], change[4]
    name, unit = NAMES[change.feature]
    direction = "higher" if after > before else "lower"
    print(f"  - the {name} were {direction}: {after:.4g} instead of {before:.4g} {unit}".rstrip())
print(f"and nothing else changed.\n\n{ct!r}")

# %%
# The lines lead from twenty patients of the last split who are predicted to progress fast to their
# counterfactuals (squares). Some of them change other features than these two.
fig, axes = plt.subplots(1, 2, figsize=(9, 4), sharex=True, sharey=True, layout="constrained")
pair = ["bmi", "s5"]
for ax, (name, explanation) in zip(axes, explanations.items(), strict=True):
    for label, color in {"fast": "tab:red", "slow": "tab:blue"}.items():
        of_label = X_test.loc[y_test == label, pair]
        ax.scatter(*of_label.T.to_numpy(), s=14, c=color, alpha=0.35, label=f"progressed {label}")
    idx = np.flatnonzero((explanation.target == "slow") & explanation.valid)[:20]
    ends = [explanation.factual, explanation.counterfactual]
    lines = np.stack([rows[pair].to_numpy()[idx] for rows in ends])
    # plot draws one line per column: from a factual (first row) to its counterfactual.
    ax.plot(lines[:, :, 0], lines[:, :, 1], color="0.2", lw=0.8)
    ax.scatter(*lines[0].T, s=22, c="tab:red", edgecolors="k", zorder=3)
    ax.scatter(*lines[1].T, s=26, c="tab:blue", edgecolors="k", marker="s", zorder=3)
    title = {"BL": "conventional training", "CT": "counterfactual training"}[name]
    ax.set(title=title, xlabel="body mass index (kg/m²)", xticks=range(20, 41, 5))
axes[0].set_ylabel("s5 (logarithm of triglycerides)")
axes[1].legend(loc="upper left", framealpha=1)
fig.savefig("quickstart_diabetes.png", dpi=110)

# %%
# What would turn this 4 into a 5?
# --------------------------------
# The pixels of the handwritten digits are scaled to [-1, 1], which is also their domain. A small
# ``lambda_reg`` allows the energies of likely and unlikely rows to differ more than the default
# does, which suits classes as distinct as these. With ``resolution=None``, counterfactuals may use
# all shades of gray, even for pixels that are white in every training image. On images, the
# cheapest counterfactual of a conventional model is an adversarial example, which looks like
# the image with a few changed pixels (see :ref:`nearest-images`), so the search here is ECCCo, that
# of the training.
images, digits = load_digits(return_X_y=True)
images = images / 8 - 1
MODELS = {
    name: CounterfactualTrainedClassifier(
        **parameters,
        standardize=False,
        domain=[(-1, 1)] * 64,
        resolution=None,
        random_state=0,
    )
    for name, parameters in {"BL": CONVENTIONAL, "CT": {"lambda_reg": 0.01}}.items()
}
scores = {name: [] for name in MODELS}
for seed in range(3):
    X_train, X_test, y_train, y_test = train_test_split(
        images, digits, test_size=0.3, stratify=digits, random_state=seed
    )
    targets = (y_test + np.random.default_rng(seed).integers(1, 10, len(y_test))) % 10
    for name, clf in MODELS.items():
        clf.fit(X_train, y_train)
        explanation = clf.explain(X_test, targets, generator="eccco")
        scores[name].append(evaluate(clf, explanation, X_test, y_test, epsilon=0.3))
print_table("Digits: 540 test images, a random target each, mean over three splits", scores)


def mean_score(name, score):
    """Return the mean of a score over the splits."""
    return np.mean([split[score] for split in scores[name]])


print("\nCounterfactual training compared with conventional training:")
for score in ("implausibility", "MMD"):
    print(f"  {score} {100 * (mean_score('CT', score) / mean_score('BL', score) - 1):+.0f}%")
robust = "accuracy, FGSM 0.3"
print(f"  {robust}: {mean_score('CT', robust):.2f} instead of {mean_score('BL', robust):.2f}")

# %%
# Each column shows one test image and its counterfactuals with the next digit as the target. The
# images were not selected: they are the first test image of each digit.
first = [np.flatnonzero(y_test == digit)[0] for digit in range(10)]
targets = (np.arange(10) + 1) % 10
images_of = {"factual": X_test[first]}
for name, clf in MODELS.items():
    images_of[name] = clf.explain(X_test[first], targets, generator="eccco").counterfactual
fig, axes = plt.subplots(3, 10, figsize=(10, 3.4), layout="constrained")
for row, (name, row_images) in zip(axes, images_of.items(), strict=True):
    for ax, image in zip(row, row_images, strict=True):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=-1, vmax=1)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)
for ax, digit, target in zip(axes[0], range(10), targets, strict=True):
    ax.set_title(f"{digit} to {target}")
fig.savefig("quickstart_digits.png", dpi=110)
