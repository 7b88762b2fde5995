"""How much longer does counterfactual training take?

Time of a fit of 20 epochs over that of conventional training (BL), for CT, AR and CD and for
other ways to train, in alternation; three times each, the least counts. One at a time: other
jobs would be in the way. The other ways are written for clarity, not for speed. Of the
synthetic sets, which are all of one shape, circles stands for all::

    python benchmarks/paper/overhead.py
"""

import time

from experiment import main
from models import untrained
from protocol import TABULAR, split

DATA = ("circles", *TABULAR)
MODELS = ("BL", "CT", "AR", "CD", "augmented", "PGD", "TRADES", "JEM")
N_EPOCHS, N_REPEATS = 20, 3


def outcome(name, seed, n_rounds, step_size):
    """Return each model's time over BL's."""
    X, y = split(name, seed).train
    seconds = {model: [] for model in MODELS}
    for _ in range(N_REPEATS):
        for model in MODELS:
            clf = untrained(name, seed, model, step_size=step_size, max_epochs=N_EPOCHS)
            start = time.perf_counter()
            clf.fit(X, y)
            seconds[model].append(time.perf_counter() - start)
    least = min(seconds["BL"])
    return [{"model": model, "ratio": min(seconds[model]) / least} for model in MODELS]


if __name__ == "__main__":
    main(
        "overhead",
        data=DATA,
        others=("linearly_separable", "moons", "overlapping", "mnist"),
        keys=["model"],
        quantities=["ratio"],
        n_seeds=1,
        n_jobs=1,
    )
