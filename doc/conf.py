"""Configuration of the documentation."""

import sys
from pathlib import Path

# Sphinx-gallery looks up the names that an example imports even if it does not run the example;
# scikit-learn provides the halving searches only after this import.
from sklearn.experimental import enable_halving_search_cv  # noqa: F401

import ctsk
import ctsk.generators
import ctsk.plotting

DOC = Path(__file__).parent
sys.path[:0] = [str(DOC), str(DOC.parent / "benchmarks" / "paper")]
import gallery  # noqa: E402
import page  # noqa: E402

page.write(DOC)

project = "ctsk"
author = "The ctsk developers"
copyright = "2026, The ctsk developers"
version = release = ctsk.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "matplotlib.sphinxext.plot_directive",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates"]
html_theme = "pydata_sphinx_theme"
html_title = f"ctsk {version}"
html_theme_options = {"show_prev_next": False, "navbar_align": "left"}
# The table of contents of a class names its methods without the class.
toc_object_entries_show_parents = "hide"
html_show_sourcelink = False
# These pages have no pages below them, which the left column would list.
html_sidebars = dict.fromkeys(
    ("index", "install", "results", "coming_from", "glossary", "contributing", "changes"), []
)
html_static_path = ["_static"]
# landing.css holds the cards of the landing page.
html_css_files = ["custom.css", "landing.css"]

# Docstrings name the types in words; annotations would repeat them as links to private classes.
autodoc_typehints = "none"
autosummary_generate = True
numpydoc_show_class_members = False
# Types of parameters become links, but only the words that are listed here.
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = {
    **{kind: f":class:`python:{kind}`" for kind in ("bool", "int", "float", "str", "dict", "list")},
    "tuple": ":class:`python:tuple`",
    "ndarray": "numpy.ndarray",
    "RandomState": "numpy.random.RandomState",
    "DataFrame": "pandas.DataFrame",
    "Series": "pandas.Series",
    "Bunch": "sklearn.utils.Bunch",
    "GridSearchCV": "sklearn.model_selection.GridSearchCV",
    "Pipeline": "sklearn.pipeline.Pipeline",
    "Axes": "matplotlib.axes.Axes",
    "Figure": "matplotlib.figure.Figure",
    "skorch.history.History": "skorch.history.History",
    **dict.fromkeys(("Tensor", "LongTensor", "BoolTensor"), "torch.Tensor"),
    **{name: name for name in ("torch.Generator", "torch.device", "torch.nn.Module")},
    # The words that numpydoc would link by itself to pages that are not in the inventories.
    **{
        word: word
        for word in ("None", "True", "False", "callable", "sequence", "iterable", "array-like")
    },
    **{
        name: f"{module.__name__}.{name}"
        for module in (ctsk.generators, ctsk.plotting, ctsk)
        for name in module.__all__
        if isinstance(getattr(module, name), type)
    },
}

# A reference that leads nowhere is a warning, and warnings are errors.
nitpicky = True

# Inventories of other projects are stored, so that the documentation is built offline; see
# "Link to other projects" in contributing.rst.
intersphinx_mapping = {
    name: (address, str(DOC / "inventories" / f"{name}.inv"))
    for name, address in {
        "python": "https://docs.python.org/3/",
        "numpy": "https://numpy.org/doc/stable/",
        "scipy": "https://docs.scipy.org/doc/scipy/",
        "pandas": "https://pandas.pydata.org/docs/",
        "sklearn": "https://scikit-learn.org/stable/",
        "torch": "https://docs.pytorch.org/docs/stable/",
        "skorch": "https://skorch.readthedocs.io/en/stable/",
        "matplotlib": "https://matplotlib.org/stable/",
    }.items()
}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": gallery.examples_to_run(),
    "within_subsection_order": "gallery.ExampleOrder",
    # Names that examples use become links, and the API pages list the examples.
    "backreferences_dir": "api/examples",
    "doc_module": ("ctsk",),
    "reference_url": {"ctsk": None},
    "abort_on_example_error": True,
    "show_memory": False,
}

# The pictures of the guide are drawn by the scripts in doc/pictures.
plot_formats = [("png", 150)]
plot_html_show_formats = plot_html_show_source_link = False
