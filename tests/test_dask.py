"""Beyond one machine: searches run on a Dask cluster by joblib's backend."""

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ctsk import CounterfactualTrainedClassifier
from ctsk.metrics import neg_implausibility_scorer, validity_scorer

distributed = pytest.importorskip("distributed", reason="Dask is an extra")


@pytest.mark.filterwarnings("default")
def test_search_on_a_cluster_of_two_processes_equals_a_local_one(diabetes):
    clf = CounterfactualTrainedClassifier(max_epochs=5, lr=0.01, random_state=0)
    search = GridSearchCV(
        make_pipeline(StandardScaler(), clf),
        {"counterfactualtrainedclassifier__lambda_reg": [0.01, 0.5]},
        scoring={
            "accuracy": "accuracy",
            "validity": validity_scorer,
            "neg_implausibility": neg_implausibility_scorer,
        },
        refit="accuracy",
        cv=3,
    )
    local = search.fit(*diabetes).cv_results_
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
        parallel_config(backend="dask"),
    ):
        remote = search.fit(*diabetes).cv_results_
    scores = [key for key in local if "test_" in key]
    assert len(scores) == 3 * 6
    for key in scores:
        np.testing.assert_array_equal(remote[key], local[key])
