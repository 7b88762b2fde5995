"""Figure 6: which part of the objective makes explanations plausible?

The table contains the reductions of IP and IP* relative to conventional training, as in Table I,
for the adversarial loss alone (AR), the contrastive divergence with its ridge (CD; ``ridge.py``
separates the two), and the whole objective (CT)::

    python benchmarks/paper/figure6.py
    python benchmarks/paper/figure6.py --dataset mnist --seed 0 1 2
"""

from experiment import main
from rounds import PLAUSIBILITY, compare, judge


def outcome(name, seed, n_rounds, step_size):
    """Compare the three models with BL on one data set and for one seed."""
    settings = {"n_rounds": n_rounds, "step_size": step_size}
    bl = judge(name, seed, "BL", **settings)
    return [
        {"model": model, **compare(bl, judge(name, seed, model, **settings), measure)}
        for model in ("AR", "CD", "CT")
        for measure in PLAUSIBILITY
    ]


if __name__ == "__main__":
    main("figure6", keys=["model", "measure"], quantities=["reduction"])
