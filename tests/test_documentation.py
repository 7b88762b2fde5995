"""The documentation links names that exist, and runs the examples whose data are available."""

import importlib
import re
from functools import reduce
from pathlib import Path

import gallery
import pytest

DOC = Path(__file__).parents[1] / "doc"
# The names of each stored inventory: a line holds a name, its kind and its page.
LINKED = [
    line.split()[0]
    for file in sorted((DOC / "inventories").glob("*.inv"))
    for line in file.read_text().splitlines()
    if not line.startswith("#")
]


def exists(name):
    """Return whether a module, or an attribute in a module, exists."""
    parts = name.split(".")
    for n_parts in range(len(parts), 0, -1):
        try:
            module = importlib.import_module(".".join(parts[:n_parts]))
        except ModuleNotFoundError:
            continue
        return (
            reduce(lambda part, key: getattr(part, key, None), parts[n_parts:], module) is not None
        )
    return hasattr(importlib.import_module("builtins"), name)


@pytest.mark.parametrize("name", LINKED)
def test_every_linked_name_of_another_project_exists(name):
    # scikit-learn provides the halving searches only after this import.
    from sklearn.experimental import enable_halving_search_cv  # noqa: F401

    assert exists(name)


def test_a_name_that_does_not_exist_is_noticed():
    assert not exists("sklearn.pipeline.Pipelines")
    assert not exists("strings")


@pytest.mark.parametrize("file", sorted(gallery.EXAMPLES.glob("plot_*.py")), ids=lambda f: f.stem)
def test_the_gallery_knows_which_data_an_example_needs(file):
    text = file.read_text()
    needed = set(re.findall(r"\bfetch_\w+", text)) & set(vars(gallery.datasets))
    # An example that catches the error shows something else where its data are missing.
    if "except OSError" not in text:
        assert needed <= set(gallery.DATA.get(file.stem, ()))


def test_examples_run_if_their_data_are_available(monkeypatch, tmp_path):
    for name in ("plot_a", "plot_ab", "plot_b", "plot_c"):
        (tmp_path / f"{name}.py").touch()
    monkeypatch.setattr(gallery, "EXAMPLES", tmp_path)
    monkeypatch.setattr(gallery, "DATA", {"plot_a": ("fetch_adult",), "plot_b": ("fetch_heloc",)})
    monkeypatch.setattr(gallery, "is_available", lambda fetch: fetch == "fetch_heloc")
    pattern = re.compile(gallery.examples_to_run())
    files = sorted(tmp_path.iterdir())
    assert [file.stem for file in files if pattern.search(str(file))] == [
        "plot_ab",
        "plot_b",
        "plot_c",
    ]


def test_data_that_cannot_be_had_are_not_available(monkeypatch):
    def fail():
        raise OSError

    monkeypatch.setattr(gallery.datasets, "fetch_adult", fail)
    monkeypatch.setattr(gallery.datasets, "fetch_heloc", dict)
    available = gallery.is_available.__wrapped__
    assert not available("fetch_adult")
    assert available("fetch_heloc")


def test_examples_are_in_the_order_of_the_gallery_and_others_follow_by_name():
    names = ["plot_z.py", "plot_dask.py", "plot_quickstart.py", "plot_aa.py", "plot_audit.py"]
    assert sorted(names, key=gallery.ExampleOrder("")) == [
        *("plot_quickstart.py", "plot_audit.py", "plot_dask.py", "plot_aa.py", "plot_z.py")
    ]
