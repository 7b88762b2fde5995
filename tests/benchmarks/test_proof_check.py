"""Proofs against the enumeration of all admissible rows, on the first cases of the benchmark."""

import numpy as np
import pytest
from proof_cases import Case, expected_warnings, random_case
from proof_check import check, checked

SEEDS = range(40)


@pytest.fixture(scope="module")
def results():
    return [result for seed in SEEDS for result in checked(seed)]


def test_no_proof_is_wrong_and_every_row_is_what_is_said_of_it(results):
    assert [problems for _, _, problems in results if problems] == []


def test_rows_whose_admissible_rows_are_all_enumerated_are_never_open(results):
    complete = [proof for kinds, proof, _ in results if "complete enumeration" in kinds]
    assert set(complete) == {"optimal", "impossible"}
    assert min(complete.count("optimal"), complete.count("impossible")) >= 5


def test_the_check_finds_wrong_proofs():
    n_found = 0
    for seed in range(8):
        case = random_case(seed)
        with expected_warnings():
            explanation = case.clf.explain(case.rows, prove=True, **case.arguments)
        is_optimal = explanation.proof == "optimal"
        explanation.proof[is_optimal] = "impossible"
        explanation.lower_bound[~is_optimal] = np.inf
        problems = check(case, explanation)
        assert all(problems[i] for i in np.flatnonzero(is_optimal))
        n_found += is_optimal.sum()
    assert n_found
    assert isinstance(case, Case)
