import os

# This must precede the import of SciPy; otherwise, scikit-learn skips its check of the array API.
os.environ.setdefault("SCIPY_ARRAY_API", "1")
# This must precede the import of torch. One thread is enough for small nets, and pytest-xdist uses
# the other cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import settings  # noqa: E402
from sklearn.datasets import load_diabetes, load_iris  # noqa: E402

from ctsk import CounterfactualTrainedClassifier  # noqa: E402

# Every run draws the same examples.
settings.register_profile("deterministic", derandomize=True, deadline=None)
settings.load_profile("deterministic")


@pytest.fixture(scope="session")
def diabetes():
    """Raw DataFrame in natural units, and labels: "fast" if the disease progresses fast."""
    X, progression = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    return X, (progression > progression.median()).map({True: "fast", False: "slow"})


@pytest.fixture(scope="session")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="session")
def fitted(diabetes):
    """Classifier of diabetes, with constraints. All tests share it, so do not refit it."""
    return CounterfactualTrainedClassifier(
        max_epochs=20, mutability={"age": "none", "sex": "none", "s3": "increase"}, random_state=0
    ).fit(*diabetes)


@pytest.fixture(scope="session")
def fitted_iris(iris):
    """Classifier of iris. All tests share it, so do not refit it."""
    return CounterfactualTrainedClassifier(max_epochs=30, random_state=0).fit(*iris)


@pytest.fixture(scope="session")
def loans():
    """Columns of every kind with a shuffled index, and labels: "granted" or "refused"."""
    rng = np.random.default_rng(0)
    n_rows = 300
    # No row has the category "doctor", and a tenth of the jobs are missing.
    grades = pd.CategoricalDtype(["none", "school", "college", "doctor"], ordered=True)
    X = pd.DataFrame(
        {
            "income": rng.gamma(3, 1_000, n_rows).round(2),
            "children": rng.integers(0, 5, n_rows),
            "grade": pd.Series(rng.choice(grades.categories[:3], n_rows)).astype(grades),
            "job": pd.Series(rng.choice(["cook", "nurse", "pilot"], n_rows)).mask(
                rng.random(n_rows) < 0.1
            ),
            "owner": rng.random(n_rows) < 0.4,
        },
        index=rng.permutation(n_rows),
    )
    score = X["income"] / 3_000 + X["grade"].cat.codes / 2 + X["owner"] - X["children"] / 3
    noisy = score + (X["job"] == "pilot") + rng.normal(0, 0.2, n_rows)
    return X, (noisy > noisy.median()).map({True: "granted", False: "refused"})


@pytest.fixture(scope="session")
def fitted_loans(loans):
    """Classifier of loans. All tests share it, so do not refit it."""
    return CounterfactualTrainedClassifier(max_epochs=30, lr=0.01, random_state=0).fit(*loans)


@pytest.fixture
def linear():
    """A linear module with known weights: 3 features, 2 classes."""
    module = torch.nn.Linear(3, 2, dtype=torch.float64)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[1.0, -0.5, 0.2], [-0.8, 0.7, 0.1]]))
        module.bias.copy_(torch.tensor([0.3, -0.2]))
    return module
