"""How much longer does counterfactual training take?

Time of a fit of 20 epochs over that of conventional training (BL), for CT, AR and CD and for
other ways to train, in alternation on one core; three times each, the least counts. With one
job: others would be in the way::

    python benchmarks/paper/overhead.py
"""

import time
from functools import partial

from experiment import averages, main
from models import train
from protocol import SYNTHETIC, TABULAR

MODELS = ("BL", "CT", "AR", "CD", "augmented", "PGD", "TRADES", "JEM")
N_EPOCHS, N_REPEATS = 20, 3


def outcome(name, seed, n_rounds, step_size):
    """Return each model's time over BL's."""
    seconds = {model: [] for model in MODELS}
    for _ in range(N_REPEATS):
        for model in MODELS:
            start = time.perf_counter()
            train.func(name, seed, model, step_size=step_size, max_epochs=N_EPOCHS)
            seconds[model].append(time.perf_counter() - start)
    least = min(seconds["BL"])
    return [{"model": model, "ratio": min(seconds[model]) / least} for model in MODELS]


if __name__ == "__main__":
    table = partial(averages, keys=["model"], quantities=["ratio"])
    data = [*SYNTHETIC, *TABULAR]
    main("overhead", __doc__, outcome, table, data=data, keys=["model"], n_seeds=1, n_jobs=1)
