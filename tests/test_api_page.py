"""The API page lists every public name, and nothing else."""

import inspect
import re
from operator import attrgetter
from pathlib import Path

import pytest

import ctsk

PAGE = (Path(__file__).parents[1] / "doc" / "api.rst").read_text()
# Entries of the summaries, and constants, which the text names between double backquotes.
ENTRIES = set(re.findall(r"^    ([\w.]+)$", PAGE, re.M)) | set(re.findall(r"``(\w+\.\w+)``", PAGE))
# Scorers are objects, which the text describes.
DOCUMENTED = sorted(
    entry
    for entry in ENTRIES
    if inspect.isclass(attrgetter(entry)(ctsk)) or inspect.isroutine(attrgetter(entry)(ctsk))
)
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


@pytest.mark.parametrize("facade", [name for name in FACADES if name != "exceptions"])
def test_tab_completion_of_a_facade_shows_public_names_only(facade):
    assert dir(getattr(ctsk, facade)) == sorted(getattr(ctsk, facade).__all__)


def test_the_api_page_lists_every_name_of_the_package():
    assert set(ctsk.__all__) - set(FACADES) - ENTRIES == set()


@pytest.mark.parametrize("entry", sorted(ENTRIES))
def test_every_entry_of_the_api_page_exists(entry):
    assert attrgetter(entry)(ctsk) is not None


def sections(text):
    """Return the texts of the sections of a docstring by their titles."""
    parts = re.split(r"^(\S.*)\n-{3,}$", inspect.cleandoc(text), flags=re.M)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def sections_of_page(entry, title):
    """Return the sections of that title on the page of a name, those of its methods included."""
    documented = attrgetter(entry)(ctsk)
    names = vars(documented) if inspect.isclass(documented) else ()
    members = [getattr(documented, name) for name in names if name[0] != "_"]
    texts = [part.__doc__ for part in (documented, *filter(inspect.isroutine, members))]
    return "\n".join(sections(text).get(title, "") for text in texts if text)


@pytest.mark.parametrize("entry", DOCUMENTED)
def test_the_page_of_every_public_name_has_an_example_that_runs(entry):
    assert re.search(r"^\s*>>> \S", sections_of_page(entry, "Examples"), re.M)


@pytest.mark.parametrize("entry", DOCUMENTED)
def test_the_page_of_every_public_name_says_what_to_see_also(entry):
    assert re.search(r"^[\w.]+ :\s", sections_of_page(entry, "See Also"), re.M)


@pytest.mark.parametrize("entry", DOCUMENTED)
def test_a_docstring_that_speaks_of_a_paper_has_references_and_cites_all_of_them(entry):
    parts = sections(attrgetter(entry)(ctsk).__doc__)
    references = parts.pop("References", "")
    text = "\n".join(parts.values())
    speaks = "]_" in text or re.search(r"\bthe paper\b", text, re.I)
    assert bool(speaks) == bool(references)
    assert set(re.findall(r"\[(\d+)\]_", text)) == set(re.findall(r"\.\. \[(\d+)\] ", references))
