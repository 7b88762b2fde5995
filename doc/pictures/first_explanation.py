"""Draw the counterfactuals of the first applicant in the guide."""

import matplotlib.pyplot as plt
from snippets import run

names = run("guide/first_explanation.rst")
ax = plt.figure(figsize=(4.2, 4.6)).add_axes((0.03, 0.02, 0.94, 0.96))
names["choice"].plot(labels=names["labels"], units=names["units"], ax=ax)
