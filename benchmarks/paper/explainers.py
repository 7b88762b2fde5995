"""Does counterfactual training help explainers that it was not trained with?

IP, IP* and validity of explanations by ECCCo, Generic and REVISE, of a model that was
counterfactually trained by ECCCo (CT), against a conventional one (BL)::

    python benchmarks/paper/explainers.py
"""

from functools import partial

from experiment import averages, compare, main
from protocol import SYNTHETIC, TABULAR
from rounds import judge
from table1 import PLAUSIBILITY


def outcome(name, seed, n_rounds, step_size):
    """Compare CT with BL by explainer."""
    records = []
    for explainer in ("eccco", "generic", "revise"):
        settings = {"n_rounds": n_rounds, "step_size": step_size, "explainer": explainer}
        bl, ct = (judge(name, seed, model, **settings) for model in ("BL", "CT"))
        shares = {"validity BL": bl["validity"].mean(), "validity CT": ct["validity"].mean()}
        records += [
            {"explainer": explainer, **compare(bl, ct, measure), **shares}
            for measure in PLAUSIBILITY
        ]
    return records


if __name__ == "__main__":
    keys = ["explainer", "measure"]
    quantities = ["reduction", "validity BL", "validity CT"]
    table = partial(averages, keys=keys, quantities=quantities)
    main("explainers", __doc__, outcome, table, data=[*SYNTHETIC, *TABULAR], keys=keys)
