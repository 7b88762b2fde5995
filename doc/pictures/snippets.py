"""Pictures of what a page describes are drawn from the snippets of the page itself."""

import doctest
from pathlib import Path

import matplotlib.pyplot as plt


def run(page):
    """Run the snippets of a page.

    Parameters
    ----------
    page : str
        Path of the page, relative to the folder of the documentation.

    Returns
    -------
    names : dict
        The variables that the snippets define. Snippets that pytest skips are not run.
    """
    text = (Path(__file__).parents[1] / page).read_text(encoding="utf-8")
    names = {}
    for example in doctest.DocTestParser().get_examples(text):
        if doctest.SKIP not in example.options:
            exec(example.source, names)
    # Sphinx shows all figures that are open: those of the snippets are not the picture.
    plt.close("all")
    return names
