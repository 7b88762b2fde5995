"""Draw the counterfactuals of the landing page's patient."""

import matplotlib.pyplot as plt
from snippets import run

names = run("index.rst")
# Narrow enough to be read on a phone.
ax = plt.figure(figsize=(4.2, 5.3)).add_axes((0.03, 0.02, 0.94, 0.96))
names["explanation"].plot(labels=names["labels"], ax=ax)
