"""Configuration of the documentation."""

import sys
from pathlib import Path

import ctsk
from ctsk.datasets import fetch_adult

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks" / "paper"))
import page  # noqa: E402

page.write(Path(__file__).parent)

project = "ctsk"
author = "The ctsk developers"
copyright = "2026, The ctsk developers"
version = release = ctsk.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates"]
html_theme = "pydata_sphinx_theme"
html_title = f"ctsk {version}"
html_theme_options = {"show_prev_next": False}
html_show_sourcelink = False

autosummary_generate = True
numpydoc_show_class_members = False


def _examples_to_run():
    """Return the pattern of the examples that run; the audit needs data that may be missing."""
    try:
        fetch_adult()
    except OSError:
        return "/plot_(?!recourse)"
    return "/plot_"


sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": _examples_to_run(),
    "abort_on_example_error": True,
    "show_memory": False,
}

# The pictures of the guide are drawn by the scripts in doc/pictures.
extensions.append("matplotlib.sphinxext.plot_directive")
plot_formats = [("png", 150)]
plot_html_show_formats = plot_html_show_source_link = False

# landing.css holds the cards of the landing page.
html_static_path = ["_static"]
html_css_files = ["custom.css", "landing.css"]
