"""
Tuning on a Dask cluster
========================

A search trains many candidates, which do not depend on one another. How does one spread them over
several machines? The searches of scikit-learn run on a Dask cluster inside a context of joblib, and
nothing else in the code changes.
"""

# %%
# The search
# ----------
# The model predicts from the measurements of diabetes patients whether the disease progresses fast.
# All scores of a candidate are computed by the worker that trains it.
import time

import pandas as pd
from distributed import Client, LocalCluster
from joblib import parallel_config
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV

from ctsk import CounterfactualTrainedClassifier
from ctsk.metrics import make_multimetric_scorer, neg_implausibility_scorer, validity_scorer
from ctsk.model_selection import BestWithinTolerance
from ctsk.plotting import ParetoFrontDisplay

X, progression = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
y = (progression > progression.median()).map({True: "fast", False: "slow"})
scoring = make_multimetric_scorer(
    {
        "accuracy": "accuracy",
        "neg_implausibility": neg_implausibility_scorer,
        "validity": validity_scorer,
    }
)
search = GridSearchCV(
    CounterfactualTrainedClassifier(
        mutability={"age": "none", "sex": "none"}, max_epochs=15, lr=0.005, random_state=0
    ),
    {"lambda_reg": [0.02, 0.1, 0.5]},
    scoring=scoring,
    refit=BestWithinTolerance(tolerance=0.02),
    cv=3,
)

# %%
# The cluster
# -----------
# Here, the cluster consists of two processes on this machine. ``Client("tcp://scheduler:8786")``
# connects to a cluster of several machines, on which ``ctsk`` has to be installed. Each worker has
# one thread, because a process trains a small network fastest with one thread. The guard is
# required wherever processes are started from a script: the workers import the script, and must not
# start a cluster of their own.
if __name__ == "__main__":
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs="ERROR"
        ) as cluster,
        Client(cluster),
        parallel_config(backend="dask"),
    ):
        start = time.perf_counter()
        search.fit(X, y)
        print(f"{len(cluster.workers)} workers, {time.perf_counter() - start:.1f} seconds")

    columns = [f"mean_test_{name}" for name in ("accuracy", "neg_implausibility", "validity")]
    results = pd.DataFrame(search.cv_results_).set_index("param_lambda_reg")[columns]
    print(results.rename(columns=lambda name: name.removeprefix("mean_test_")).round(3).to_string())
    print("chosen:", search.best_params_)
    ParetoFrontDisplay.from_search(search)

# %%
# The results do not depend on where they were computed
# -----------------------------------------------------
# A candidate with a ``random_state`` has the same scores on a cluster as in this process. (On
# machines with other processors, the last digits of a number may differ.)
if __name__ == "__main__":
    remote = search.cv_results_["mean_test_neg_implausibility"]
    local = search.fit(X, y).cv_results_["mean_test_neg_implausibility"]
    print("equal scores:", (remote == local).all())

# %%
# What to take away: start a cluster, enter ``parallel_config``, and give each worker one thread.
