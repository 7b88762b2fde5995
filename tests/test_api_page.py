"""The API page lists every public name, and nothing else."""

import re
from operator import attrgetter
from pathlib import Path

import pytest

import ctsk

PAGE = (Path(__file__).parents[1] / "doc" / "api.rst").read_text()
# Entries of the summaries, and constants, which the text names between double backquotes.
ENTRIES = set(re.findall(r"^    ([\w.]+)$", PAGE, re.M)) | set(re.findall(r"``(\w+\.\w+)``", PAGE))
FACADES = ["datasets", "exceptions", "generators", "metrics", "model_selection", "plotting"]


def public_names(module):
    return [name for name in getattr(module, "__all__", vars(module)) if name[0] != "_"]


@pytest.mark.parametrize("facade", FACADES)
def test_the_api_page_lists_every_name_of_a_facade(facade):
    names = public_names(getattr(ctsk, facade))
    # Names that ctsk exports, too, are listed by their shorter path.
    expected = {name if name in ctsk.__all__ else f"{facade}.{name}" for name in names}
    assert names
    assert expected - ENTRIES == set()


def test_the_api_page_lists_every_name_of_the_package():
    assert set(ctsk.__all__) - set(FACADES) - ENTRIES == set()


@pytest.mark.parametrize("entry", sorted(ENTRIES))
def test_every_entry_of_the_api_page_exists(entry):
    assert attrgetter(entry)(ctsk) is not None
