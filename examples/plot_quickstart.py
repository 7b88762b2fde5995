"""
======================
A model with a way out
======================

A classifier that decides about people owes them two things: an explanation, and a
way out that they can take. Counterfactual training makes a model answerable for both
while it trains. This example trains the same network twice, conventionally (BL) and
counterfactually (CT), on two data sets that come with scikit-learn.
"""

# %%
# Will the disease progress fast?
# -------------------------------
# 442 patients, ten baseline measurements in their natural units. Nobody gets younger
# or changes sex by treatment: ``mutability`` says so once, by column name, and training
# and explanations honour it.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes, load_digits
from sklearn.model_selection import train_test_split

from ctsk import CounterfactualTrainedClassifier, ECCCoGenerator
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
# Small steps and a price on every one of them: recourse should be near.
NEAR = {"generator": ECCCoGenerator(step_size=0.05, lambda_cost=0.05), "tau": 0.6, "T": 200}


def judge(clf, explanation, X, y, epsilon):
    """Judge a model by rows it has not seen, and by its explanations of them."""
    valid = explanation.valid
    rows, found = clf.encoder_.encode(X), explanation.counterfactual_encoded
    distances, discrepancies = [], []
    for label in clf.classes_:
        of_label = valid & (explanation.target == label)
        if of_label.sum() > 1:
            distances.append(implausibility(found[of_label], rows[y == label]))
            discrepancies.append(maximum_mean_discrepancy(found[of_label], rows[y == label]))
    return {
        "accuracy": clf.score(X, y),
        f"accuracy, FGSM {epsilon}": robust_accuracy(clf, X, y, epsilon=epsilon, attack="fgsm"),
        "validity": valid.mean(),
        "cost": np.median(explanation.cost[valid]),
        "implausibility": np.concatenate(distances).mean(),
        "MMD": np.mean(discrepancies),
    }


def print_table(title, judged):
    """Print the mean over splits, with its standard error, of every figure."""
    print(f"\n{title}\n{'':20}" + "".join(f"{name:>20}" for name in judged))
    for figure in judged["BL"][0]:
        cells = []
        for splits in judged.values():
            values = [split[figure] for split in splits]
            error = np.std(values, ddof=1) / len(values) ** 0.5
            cells.append(f"{np.mean(values):13.3f} ± {error:.3f}")
        print(f"{figure:20}" + " ".join(cells))


# %%
# Five random splits, so that chance can be told from method. Cost and implausibility
# are l1 distances in standard deviations: to the patient, and to patients of the other
# class.
judged = {name: [] for name in MODELS}
for seed in range(5):
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.3, stratify=y, random_state=seed
    )
    explanations = {}
    for name, clf in MODELS.items():
        clf.fit(X_train, y_train)
        explanations[name] = clf.explain(X_test, **NEAR)
        judged[name].append(judge(clf, explanations[name], X_test, y_test, epsilon=0.2))
print_table("Diabetes: 133 test patients, mean over five splits", judged)

# %%
# Be honest about it: these two classes overlap so much that there is little room for
# more plausible explanations, and most differences are of the size of their standard
# errors. CT's ways out are somewhat longer, because the model is less easily convinced.
# The digits below, with distinct classes, are another matter.
#
# One patient's way out
# ---------------------
# In words and in the units of the data. Explanations are rows like those that went in.
ct = explanations["CT"]
fast = (ct.factual_prediction == "fast") & ct.valid
patient = ct.factual.index[fast][np.argsort(ct.cost[fast])[fast.sum() // 2]]
position = ct.factual.index.get_loc(patient)
print(
    f"\nPatient {patient} is predicted to progress fast. The model would say slow "
    f"(probability {ct.proba[position, 1]:.2f}) if"
)
changes = ct.changes().query("row == @patient")
WORDS = {
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
for change in changes.loc[largest.sort_values(ascending=False).index].head(4).itertuples():
    before, after = change[3], change[4]
    words, unit = WORDS[change.feature]
    verb = "were higher" if after > before else "were lower"
    print(f"  - {words} {verb}: {after:.1f} in place of {before:.1f} {unit}".rstrip())
print(f"and {max(len(changes) - 4, 0)} more moved a little; age and sex stay as they are.")
print(f"\n{ct!r}")

# %%
# Where thirty patients of the last split who are predicted to progress fast are sent:
fig, axes = plt.subplots(1, 2, figsize=(9, 4), sharex=True, sharey=True, layout="constrained")
pair = ["bmi", "s5"]
for ax, (name, explanation) in zip(axes, explanations.items(), strict=True):
    for label, color in {"fast": "tab:red", "slow": "tab:blue"}.items():
        of_label = X_test.loc[y_test == label, pair]
        ax.scatter(*of_label.T.to_numpy(), s=14, c=color, alpha=0.35, label=f"progressed {label}")
    sent = np.flatnonzero((explanation.target == "slow") & explanation.valid)[:30]
    start = explanation.factual[pair].to_numpy()[sent]
    way = explanation.counterfactual[pair].to_numpy()[sent] - start
    ax.quiver(*start.T, *way.T, angles="xy", scale_units="xy", scale=1, width=0.003)
    title = {"BL": "conventional training", "CT": "counterfactual training"}[name]
    ax.set(title=title, xlabel="body mass index")
axes[0].set_ylabel("s5 (log of serum triglycerides)")
axes[1].legend(loc="lower right")
fig.savefig("quickstart_diabetes.png", dpi=110)

# %%
# What would make this 4 a 5?
# ---------------------------
# Handwritten digits, pixels scaled to [-1, 1], which is their domain, too. With
# ``lambda_reg=0.01`` energies may differ more between likely and unlikely rows than by
# default, which suits classes as distinct as these.
images, digits = load_digits(return_X_y=True)
images = images / 8 - 1
MODELS = {
    name: CounterfactualTrainedClassifier(
        **parameters, standardize=False, domain=[(-1, 1)] * 64, random_state=0
    )
    for name, parameters in {"BL": CONVENTIONAL, "CT": {"lambda_reg": 0.01}}.items()
}
judged, explanations = {name: [] for name in MODELS}, {}
for seed in range(3):
    X_train, X_test, y_train, y_test = train_test_split(
        images, digits, test_size=0.3, stratify=digits, random_state=seed
    )
    targets = (y_test + np.random.default_rng(seed).integers(1, 10, len(y_test))) % 10
    for name, clf in MODELS.items():
        clf.fit(X_train, y_train)
        explanations[name] = clf.explain(X_test, targets)
        judged[name].append(judge(clf, explanations[name], X_test, y_test, epsilon=0.3))
print_table("Digits: 540 test images, a random target each, mean over three splits", judged)
bl, ct = ({k: np.mean([s[k] for s in splits]) for k in splits[0]} for splits in judged.values())
print(
    f"\nCT's counterfactual digits are closer to real ones: implausibility "
    f"{100 * (ct['implausibility'] / bl['implausibility'] - 1):+.0f}%, "
    f"MMD {100 * (ct['MMD'] / bl['MMD'] - 1):+.0f}%; accuracy under FGSM 0.3 "
    f"{bl['accuracy, FGSM 0.3']:.2f} -> {ct['accuracy, FGSM 0.3']:.2f}."
)

# %%
# Each column starts from one test image of a digit and asks for the next digit. The rows
# were not picked: they are the first test image of every digit.
first = [np.flatnonzero(y_test == digit)[0] for digit in range(10)]
wanted = (np.arange(10) + 1) % 10
rows = {"factual": X_test[first]}
for name, clf in MODELS.items():
    rows[name] = clf.explain(X_test[first], wanted).counterfactual
fig, axes = plt.subplots(3, 10, figsize=(10, 3.4), layout="constrained")
for line, (name, pictures) in zip(axes, rows.items(), strict=True):
    for ax, picture in zip(line, pictures, strict=True):
        ax.imshow(picture.reshape(8, 8), cmap="gray_r", vmin=-1, vmax=1)
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name)
for ax, digit, target in zip(axes[0], range(10), wanted, strict=True):
    ax.set_title(f"{digit} to {target}")
fig.savefig("quickstart_digits.png", dpi=110)
