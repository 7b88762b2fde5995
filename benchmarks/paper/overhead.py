"""How much longer does counterfactual training take?

The table contains the time of a fit of 20 epochs divided by that of conventional training (BL), for
CT, AR, CD and other training methods. All fits are repeated three times in alternation, and the
shortest time counts. They run one at a time, because parallel jobs would disturb the measurement.
The other methods are written for clarity rather than speed. Since all synthetic sets have the same
shape, circles represents them::

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
    """Return the time of each model divided by that of BL."""
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
