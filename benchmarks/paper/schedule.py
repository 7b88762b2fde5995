"""Can counterfactual training start late?

The table contains counterfactual training in all epochs (CT), in the second half of the epochs
("burn-in"), and in half as many further epochs after conventional training ("fine-tuned"), measured
as in ``baselines.py``::

    python benchmarks/paper/schedule.py
"""

from experiment import main
from portrait import QUANTITIES, portrait

MODELS = ("BL", "CT", "burn-in", "fine-tuned")


def outcome(name, seed, n_rounds, step_size):
    """Return a record for each model."""
    return [
        {"model": model, **portrait(name, seed, n_rounds, step_size, model)} for model in MODELS
    ]


if __name__ == "__main__":
    main("schedule", keys=["model"], quantities=QUANTITIES)
