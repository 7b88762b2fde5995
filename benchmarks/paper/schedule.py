"""Can counterfactual training come late?

Counterfactual training throughout (CT), after half of the epochs (burn-in), and as half as
many further epochs for a conventionally trained model (fine-tuned), measured as in
``baselines.py``::

    python benchmarks/paper/schedule.py
"""

from experiment import main
from portrait import QUANTITIES, portraits

MODELS = ("BL", "CT", "burn-in", "fine-tuned")


def outcome(name, seed, n_rounds, step_size):
    """Return a record for each model."""
    return portraits(name, seed, MODELS, n_rounds, step_size)


if __name__ == "__main__":
    main("schedule", keys=["model"], quantities=QUANTITIES)
