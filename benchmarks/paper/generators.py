"""How much does the generator matter in training? The paper's fifth question, one search.

Counterfactual training by ECCCo, Generic and REVISE, all judged by the same search (ECCCo, on
the test rows, as in Table I), whatever a model was trained with: reductions against
conventional training, and the difference of IP to training by ECCCo::

    python benchmarks/paper/generators.py

The paper finds ECCCo best, Generic close behind, REVISE last.
"""

import numpy as np
from experiment import main
from models import train
from portrait import portrait
from protocol import SYNTHETIC

from ctsk import GenericGenerator, REVISEGenerator

GENERATORS = {"ECCCo": None, "Generic": GenericGenerator, "REVISE": REVISEGenerator}


def outcome(name, seed, n_rounds, step_size):
    """Return a record for each generator."""
    records = []
    for title, generator in GENERATORS.items():
        given = {} if generator is None else {"generator": generator(step_size=step_size)}
        told = {"model": title, **portrait(name, seed, n_rounds, step_size, "CT", **given)}
        history = train(name, seed, "CT", step_size=step_size, **given).history_
        told["mature"] = np.mean([epoch["mature_share"] for epoch in history])
        records.append(told)
    for told in records:
        told["IP less ECCCo's"] = told["IP"] - records[0]["IP"]
    return records


if __name__ == "__main__":
    quantities = ["IP reduction", "IP less ECCCo's", "IP* 5.0 reduction", "cost", "mature"]
    main("generators", data=SYNTHETIC, keys=["model"], quantities=quantities)
