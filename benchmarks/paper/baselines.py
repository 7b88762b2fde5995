"""Is the gain due to the objective? Other training methods in the same protocol.

The table contains the accuracy, the accuracy under PGD (epsilon 0.1), the validity, and the
reductions of Table I relative to conventional training (BL) for counterfactual training (CT),
adversarial training (PGD), TRADES, a joint energy-based model whose negative rows come from
Langevin dynamics (JEM), and augmentation with counterfactuals. The baselines are small estimators
in ``rivals/``; ``fair.py`` compares more of them at equal cost::

    python benchmarks/paper/baselines.py
"""

from experiment import main
from portrait import QUANTITIES, portrait

MODELS = ("BL", "CT", "PGD", "TRADES", "JEM", "augmented")


def outcome(name, seed, n_rounds, step_size):
    """Return a record for each model."""
    return [
        {"model": model, **portrait(name, seed, n_rounds, step_size, model)} for model in MODELS
    ]


if __name__ == "__main__":
    main("baselines", keys=["model"], quantities=QUANTITIES)
