"""
Storing a model, and certificates
=================================

A lender stores the model that decides about loans, and gives each person who is rejected a
certificate. Years later, an auditor checks both without the code of the lender.
"""

# %%
# Train and store
# ---------------
# A folder, or a zip file, holds the weights and a description that people can read.
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import ctsk
from ctsk.datasets import make_loan

folder = Path(tempfile.mkdtemp())
X, y = make_loan(600, random_state=0)
clf = ctsk.CounterfactualTrainedClassifier(
    mutability={"age": "none"}, lr=0.01, max_epochs=20, random_state=0
).fit(X, y)
ctsk.save(clf, folder / "loan")
for path in sorted((folder / "loan").iterdir()):
    print(f"{path.name:20} {path.stat().st_size:7,} bytes")

# %%
# The card is a summary.
print((folder / "loan" / "card.md").read_text()[:700])

# %%
# Load and explain
# ----------------
# Loading executes no code, and gives the same explanations.
loaded = ctsk.load(folder / "loan")
rejected = X[loaded.predict(X) == 0].head(3)
explanation = loaded.explain(rejected, target=1)
print(explanation.changes().round(3).to_string(index=False))

# %%
# A certificate
# -------------
# The certificate contains the digest of the model, and for each person, the row, the
# counterfactual, what each feature could become, and the probabilities.
certificate = folder / "certificate.json"
certificate.write_text(ctsk.certificate(loaded, explanation))
first = json.loads(certificate.read_text())["rows"][0]
print({name: first[name] for name in ("factual", "counterfactual", "proba", "may_become")})

# %%
# The auditor has the folder, the certificate, and a script of 80 lines that needs NumPy only; see
# :ref:`certificates`. It is next to the user guide in a clone of the repository.
script = next(
    (
        parent / "doc" / "guide" / "check_certificate.py"
        for parent in Path(ctsk.__file__).resolve().parents
        if (parent / "doc" / "guide" / "check_certificate.py").exists()
    ),
    None,
)


def check(path):
    """Return what the script says of a certificate."""
    if script is None:
        return "The script is not installed."
    command = [sys.executable, script, path, folder / "loan"]
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout + done.stderr).strip()


print(check(certificate))

# %%
# Somebody edits the certificate, so that a person seems to have been closer to a loan.
tampered = json.loads(certificate.read_text())
tampered["rows"][0]["factual_proba"] = [0.5, 0.5]
(folder / "tampered.json").write_text(json.dumps(tampered))
print(check(folder / "tampered.json"))

# %%
# Damage is noticed
# -----------------
# A single bit of the weights is flipped.
weights = folder / "loan" / "weights.safetensors"
content = bytearray(weights.read_bytes())
content[-1] ^= 1
weights.write_bytes(content)
try:
    ctsk.load(folder / "loan")
except ctsk.exceptions.ModelFileError as error:
    print(error)

# %%
# Training goes on
# ----------------
# With ``resume=True``, the optimizer and the random state are stored, too. The training of a model
# that was loaded does not differ from one that was never interrupted.
ctsk.save(clf, folder / "loan.zip", resume=True)
resumed = ctsk.load(folder / "loan.zip")
for model in (clf, resumed):
    model.set_params(warm_start=True, max_epochs=10).fit(X, y)
losses = [[epoch["train_loss"] for epoch in model.history_] for model in (clf, resumed)]
_, ax = plt.subplots(layout="constrained")
ax.plot(losses[0], label="never stored", linewidth=4, alpha=0.4)
ax.plot(losses[1], label="stored after 20 epochs", linestyle="--")
ax.set(xlabel="Epoch", ylabel="Training loss")
ax.legend()
plt.show()
print("Equal bits:", np.array_equal(clf.predict_proba(X), resumed.predict_proba(X)))

# %%
# What to take away: the files notice damage and execute nothing. Who has written them is shown by a
# signature only; see :ref:`security`.
