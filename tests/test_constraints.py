import numpy as np
import pytest
import torch

from ctsk._constraints import Constraints

CONSTRAINTS = Constraints(
    low=np.array([-1.0, -1.0, -1.0, -1.0]),
    high=np.array([1.0, 1.0, 1.0, np.inf]),
    may_rise=np.array([True, True, False, False]),
    may_fall=np.array([True, False, True, False]),
)


def test_box_is_domain_cut_by_mutability():
    lower, upper = CONSTRAINTS.box(np.array([[0.5, 0.5, 0.5, 0.5]]))
    assert lower.tolist() == [[-1.0, 0.5, -1.0, 0.5]]
    assert upper.tolist() == [[1.0, 1.0, 0.5, 0.5]]


def test_factual_outside_the_domain_may_stay_or_come_back():
    lower, upper = CONSTRAINTS.box(np.array([[3.0, 3.0, -3.0, -3.0]]))
    assert lower.tolist() == [[-1.0, 3.0, -3.0, -3.0]]
    assert upper.tolist() == [[3.0, 3.0, -3.0, -3.0]]


def test_box_is_the_same_in_numpy_and_torch():
    rows = np.random.default_rng(0).normal(size=(20, 4))
    tensors = CONSTRAINTS.to_tensors(dtype=torch.float64, device="cpu").box(torch.tensor(rows))
    for bound, tensor in zip(CONSTRAINTS.box(rows), tensors, strict=True):
        np.testing.assert_array_equal(bound, tensor.numpy())


@pytest.mark.parametrize(
    ("rise", "fall", "exemplar", "expected"),
    [
        pytest.param(False, False, 2.0, 1.0, id="immutable, exemplar above"),
        pytest.param(False, False, 0.0, 1.0, id="immutable, exemplar below"),
        pytest.param(False, True, 2.0, 1.0, id="may only fall, exemplar above"),
        pytest.param(False, True, 0.0, 0.0, id="may only fall, exemplar below"),
        pytest.param(True, False, 0.0, 1.0, id="may only rise, exemplar below"),
        pytest.param(True, False, 2.0, 2.0, id="may only rise, exemplar above"),
        pytest.param(True, True, 2.0, 2.0, id="free"),
    ],
)
def test_exemplar_is_protected_where_moving_towards_it_is_forbidden(rise, fall, exemplar, expected):
    constraints = Constraints(
        low=torch.tensor([-9.0]),
        high=torch.tensor([9.0]),
        may_rise=torch.tensor([rise]),
        may_fall=torch.tensor([fall]),
    )
    protected = constraints.protect(torch.tensor([[exemplar]]), torch.tensor([[1.0]]))
    assert protected.item() == expected
