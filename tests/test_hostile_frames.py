"""A sample of the inputs that ``benchmarks/hostile.py`` tries, two of each kind."""

import pytest
from hostile_frames import all_cases, attempt


def sample():
    """Return a few cases of each kind."""
    kinds = {}
    for case in all_cases():
        kinds.setdefault(case.kind, []).append(case)
    return [
        cases[position]
        for cases in kinds.values()
        for position in sorted({len(cases) // 3, len(cases) * 3 // 4})
    ]


@pytest.mark.parametrize("case", sample(), ids=str)
def test_an_input_works_like_its_plain_twin_or_is_rejected_by_name(case):
    assert attempt(case) == ("works" if case.error is None else "rejected")


def test_the_table_is_as_large_as_promised():
    cases = all_cases()
    # Those of pyarrow and polars come in addition.
    assert len(cases) > 600
    assert len(set(map(str, cases))) == len(cases)
