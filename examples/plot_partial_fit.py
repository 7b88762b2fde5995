"""
Training from a file that does not fit in memory
================================================

A table may be larger than the memory of the machine. ``partial_fit`` trains on one chunk of it at a
time. This example reads loan applications from a file in chunks, passes over the file several
times, and compares the result with a fit on all rows at once.
"""

# %%
# A file
# ------
# The data are Give Me Some Credit: applicants, and whether they were in arrears within two years.
# The example writes its training rows to a file, as if they were too many to be held at once. Their
# order is random, so that each chunk resembles the whole. A file that is sorted has to be shuffled
# first.
import tempfile
from pathlib import Path

import pandas as pd
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split

from ctsk import CounterfactualTrainedClassifier
from ctsk.datasets import fetch_gmsc

gmsc = fetch_gmsc()
X_train, X_test, y_train, y_test = train_test_split(
    gmsc.data, gmsc.target, train_size=20_000, test_size=10_000, random_state=0
)
folder = tempfile.TemporaryDirectory()
path = Path(folder.name, "applicants.csv")
X_train.assign(label=y_train).to_csv(path, index=False)

# %%
# Epochs over chunks
# ------------------
# A call of ``partial_fit`` trains one epoch on the rows that it receives. The first call needs all
# class labels. It also fixes the scales of the columns, their domains and, if there are any, their
# categories: the first chunk should be large, and contain all that occurs.
#
# ``batch_size="auto"`` and ``n_counterfactuals`` refer to the rows of a call. For the same training
# as by ``fit``, set the batch size of the whole table, and divide the number of searches by the
# number of chunks.
EPOCHS, CHUNK = 10, 4_000
settings = {"batch_size": 200, "random_state": 0}
n_chunks = len(X_train) // CHUNK

chunked = CounterfactualTrainedClassifier(**settings, n_counterfactuals=1_000 // n_chunks)
losses = []
for _ in range(EPOCHS):
    for chunk in pd.read_csv(path, chunksize=CHUNK, dtype=X_train.dtypes.to_dict()):
        chunked.partial_fit(chunk.drop(columns="label"), chunk["label"], classes=[0, 1])
    losses.append(log_loss(y_test, chunked.predict_proba(X_test)))
folder.cleanup()
print("log loss after each epoch:", *(f"{loss:.4f}" for loss in losses))

# %%
# The same rows at once
# ---------------------
# ``partial_fit`` neither holds rows out nor stops early, so that the comparison does not, either.
# With your own data, follow the loss of some rows as above, and stop when it no longer falls.
whole = CounterfactualTrainedClassifier(
    **settings, n_counterfactuals=1_000, max_epochs=EPOCHS, early_stopping=False
).fit(X_train, y_train)


def scores(clf):
    """Return scores of predictions and explanations on test rows."""
    probabilities = clf.predict_proba(X_test)
    explanation = clf.explain(X_test.head(500), tau=0.5)
    return {
        "log loss": log_loss(y_test, probabilities),
        "AUC": roc_auc_score(y_test, probabilities[:, 1]),
        "valid": explanation.valid.mean(),
        "cost": explanation.cost.mean(),
    }


print(pd.DataFrame({"chunks": scores(chunked), "at once": scores(whole)}).T.round(4).to_string())

# %%
# Explanations
# ------------
# Rows are explained in slices, too: each call returns an explanation, which is written before the
# next slice is read.
for start in range(0, 2_000, 1_000):
    explanation = chunked.explain(X_test.iloc[start : start + 1_000])
    print(f"rows {start} to {start + 999}: {explanation.valid.mean():.1%} valid")

# %%
# What to take away: little is lost by chunks if the first one represents the table and the rows
# are in random order.
