"""Draw the counterfactuals of the first applicant in the guide."""

from snippets import run

run("guide/first_explanation.rst")["choice"].plot()
