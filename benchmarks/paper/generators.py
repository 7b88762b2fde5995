"""How much does the generator matter in training? The paper's fifth question with one search.

Models are counterfactually trained with ECCCo, Generic and REVISE, and all are judged by the same
search (ECCCo on the test rows, as in Table I), whatever they were trained with. The table contains
the reductions relative to conventional training, and the difference in IP to training with ECCCo::

    python benchmarks/paper/generators.py

The paper finds ECCCo to be best, closely followed by Generic, and REVISE to be last.
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
        settings = {}
        if generator is not None:
            settings["generator"] = generator(step_size=step_size, max_step=None)
        record = {"model": title, **portrait(name, seed, n_rounds, step_size, "CT", **settings)}
        history = train(name, seed, "CT", step_size=step_size, **settings).history_
        record["mature"] = np.mean([epoch["mature_share"] for epoch in history])
        records.append(record)
    for record in records:
        record["IP less ECCCo's"] = record["IP"] - records[0]["IP"]
    return records


if __name__ == "__main__":
    quantities = ["IP reduction", "IP less ECCCo's", "IP* 5.0 reduction", "cost", "mature"]
    main("generators", data=SYNTHETIC, keys=["model"], quantities=quantities)
