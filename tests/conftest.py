import os

# Before SciPy is imported: without it scikit-learn skips one of its checks.
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import settings  # noqa: E402
from sklearn.datasets import load_diabetes, load_iris  # noqa: E402

from ctsk import CounterfactualTrainedClassifier  # noqa: E402

# The same examples in every run.
settings.register_profile("deterministic", derandomize=True, deadline=None)
settings.load_profile("deterministic")


@pytest.fixture(scope="session")
def diabetes():
    """Raw DataFrame in natural units, and whether the disease progresses fast."""
    X, progression = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    return X, (progression > progression.median()).map({True: "fast", False: "slow"})


@pytest.fixture(scope="session")
def iris():
    return load_iris(return_X_y=True)


@pytest.fixture(scope="session")
def fitted(diabetes):
    """Do not refit: shared by all tests."""
    return CounterfactualTrainedClassifier(
        max_epochs=20, mutability={"age": "none", "sex": "none", "s3": "increase"}, random_state=0
    ).fit(*diabetes)


@pytest.fixture(scope="session")
def fitted_iris(iris):
    """Do not refit: shared by all tests."""
    return CounterfactualTrainedClassifier(max_epochs=30, random_state=0).fit(*iris)


@pytest.fixture
def linear():
    """A linear module with known weights: 3 features, 2 classes."""
    module = torch.nn.Linear(3, 2, dtype=torch.float64)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[1.0, -0.5, 0.2], [-0.8, 0.7, 0.1]]))
        module.bias.copy_(torch.tensor([0.3, -0.2]))
    return module
