"""Does counterfactual training help explainers that it was not trained with?

The table contains IP, IP* and validity of explanations by ECCCo, Generic and REVISE, of a model
that was counterfactually trained with ECCCo (CT) relative to a conventional model (BL)::

    python benchmarks/paper/explainers.py
"""

from experiment import main
from rounds import PLAUSIBILITY, compare, judge


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
    quantities = ["reduction", "validity BL", "validity CT"]
    main("explainers", keys=["explainer", "measure"], quantities=quantities)
