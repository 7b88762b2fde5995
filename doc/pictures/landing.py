"""Draw the counterfactuals of the landing page's patient."""

from snippets import run

run("index.rst")["explanation"].plot()
