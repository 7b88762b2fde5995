"""How sensitive is the gain to the settings? The paper's fifth question.

The table contains the reduction of IP relative to conventional training (BL) on the training rows
of the synthetic sets, by the generator that is used in training and evaluation (ECCCo, Generic,
REVISE), for the three grids of the paper: the weights of the objective (45 models per generator),
the search (45) and the schedule (8)::

    python benchmarks/paper/grids.py

These are 222 models per data set, because the weight of the energy only exists for ECCCo. As in the
paper, one seed is used unless ``--seed`` lists more.
"""

import numpy as np
import pandas as pd
from experiment import main
from protocol import SYNTHETIC
from rounds import compare, judge
from sklearn.model_selection import ParameterGrid

from ctsk import ECCCoGenerator, GenericGenerator, REVISEGenerator

GENERATORS = {"eccco": ECCCoGenerator, "generic": GenericGenerator, "revise": REVISEGenerator}
GRIDS = {
    "penalties": {
        "lambda_div": [0.01, 0.1, 1],
        "lambda_adv": [0.1, 0.25, 1],
        "lambda_reg": [0, 0.01, 0.1, 0.25, 0.5],
    },
    "search": {
        "T": [5, 25, 50],
        "tau": [0.5, 0.75, 0.9],
        "lambda_energy": [0.1, 0.5, 5, 10, 20],
    },
    "schedule": {
        "n_counterfactuals": [100, 1000],
        "burn_in": [0, 0.5],
        "max_epochs": [50, 100],
    },
}
SETTINGS = sorted({setting for grid in GRIDS.values() for setting in grid})
KEYS = ["grid", "generator", *SETTINGS]
PARTS = [
    (grid, explainer, place)
    for grid, settings in GRIDS.items()
    for explainer in GENERATORS
    for place in range(len(ParameterGrid(settings)))
]


def outcome(name, seed, n_rounds, step_size, grid, explainer, place):
    """Compare one model of a grid with BL."""
    settings = ParameterGrid(GRIDS[grid])[place]
    parameters = dict(settings)
    weights = {"step_size": step_size}
    if explainer == "eccco" and "lambda_energy" in parameters:
        weights["lambda_energy"] = parameters["lambda_energy"]
    parameters.pop("lambda_energy", None)
    parameters["generator"] = GENERATORS[explainer](**weights)
    how = {"n_rounds": n_rounds, "step_size": step_size, "explainer": explainer, "part": "train"}
    epochs = {"max_epochs": parameters["max_epochs"]} if "max_epochs" in parameters else {}
    bl = judge(name, seed, "BL", **how, **epochs)
    ct = judge(name, seed, "CT", **how, **parameters)
    columns = {**dict.fromkeys(SETTINGS, np.nan), **settings}
    return [{"grid": grid, "generator": explainer, **columns, **compare(bl, ct, "IP")}]


def table(by_seed, suffix):
    """Return, for each setting of each grid, the mean over all other settings and over seeds."""
    parts = []
    for (data, grid), runs in by_seed.groupby(["data", "grid"], sort=False):
        for setting in GRIDS[grid]:
            means = runs.groupby(["generator", setting])["reduction"].mean().reset_index()
            known = {"data": data, "grid": grid, "setting": setting}
            parts.append(means.rename(columns={setting: "value"}).assign(**known))
    return pd.concat(parts)[["data", "grid", "generator", "setting", "value", "reduction"]]


if __name__ == "__main__":
    main("grids", data=SYNTHETIC, keys=KEYS, parts=PARTS, n_seeds=1)
