"""Is the gain due to the divergence, or to the ridge on the energies?

The paper evaluates the two together: its CD includes both. The table contains conventional training
(BL), the ridge alone, the divergence without the ridge, CD, and the whole objective (CT), measured
as in ``baselines.py``::

    python benchmarks/paper/ridge.py
    python benchmarks/paper/ridge.py --dataset mnist --seed 0 1 2
"""

from experiment import main
from portrait import QUANTITIES, portrait

MODELS = {
    "BL": ("BL", {}),
    "ridge": ("CD", {"lambda_div": 0}),
    "divergence": ("CD", {"lambda_reg": 0}),
    "CD": ("CD", {}),
    "CT": ("CT", {}),
}


def outcome(name, seed, n_rounds, step_size):
    """Return a record for each model."""
    return [
        {"model": title, **portrait(name, seed, n_rounds, step_size, variant, **settings)}
        for title, (variant, settings) in MODELS.items()
    ]


if __name__ == "__main__":
    main("ridge", keys=["model"], quantities=QUANTITIES)
