"""Table I: how much more plausible and less costly does training make explanations?

The table contains reductions by counterfactual training (CT) relative to conventional training
(BL), in percent: of the distance to test rows of the target class (IP), of the discrepancy between
the two samples (IP*, for three length scales of its kernel), and of the cost if a feature is
protected::

    python benchmarks/paper/table1.py
    python benchmarks/paper/table1.py --dataset mnist --seed 0 1 2
"""

import pandas as pd
import published
from experiment import main, over_seeds, sign
from rounds import PLAUSIBILITY, compare, judge


def outcome(name, seed, n_rounds, step_size):
    """Compare CT with BL on one data set and for one seed."""
    settings = {"n_rounds": n_rounds, "step_size": step_size}
    bl, ct = (judge(name, seed, variant, **settings) for variant in ("BL", "CT"))
    bl_protected = judge(name, seed, "BL", protected=True, **settings)
    ct_protected = judge(name, seed, "CT", protected=True, **settings)
    return [compare(bl, ct, measure) for measure in PLAUSIBILITY] + [
        compare(bl_protected, ct_protected, "cost")
    ]


def table(by_seed, suffix):
    """Return the means over seeds next to the published figures."""
    lines = []
    for (data, measure), runs in by_seed.groupby(["data", "measure"], sort=False):
        place = published.DATA.index(data)
        figure, error, star = published.TABLE_1[measure.split()[0]][place]
        ours = over_seeds(runs["reduction"])
        lines.append(
            {
                "data": data,
                "measure": measure,
                "published": figure,
                "+-": error,
                "star": "*" if star else "",
                **ours,
                "error": runs["error"].mean(),
                "stars": f"{(runs['star'] & (runs['reduction'] > 0)).sum()} better, "
                f"{(runs['star'] & (runs['reduction'] < 0)).sum()} worse of {len(runs)}",
                "sign": sign(figure, ours),
            }
        )
    return pd.DataFrame(lines)


if __name__ == "__main__":
    main("table1", keys=["measure"])
