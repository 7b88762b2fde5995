"""How accurate are the models, beside those that people would use otherwise?

``CTSK_DATA_HOME`` names the folder of the data. Each model is trained on up to 10,000 rows of seven
real data sets, and judged on rows that no choice has seen; see ``accuracy_cases.py``. The table
shows means over seeds, with the standard error of the difference from logistic regression in log
loss. Scores by seed are kept in ``results/accuracy_by_seed.csv``, in which those of earlier
commands with other models or data sets remain; ``results/accuracy.csv`` is the table of all::

    python benchmarks/accuracy.py [--data heloc] [--seeds 0 1 2 3 4] [--models BL TabM]
                                  [--develop] [--rows 10000]

Rows of the table are logistic regression, MLPClassifier (32 units, early stopping) and
HistGradientBoosting of scikit-learn, and conventional (BL) and counterfactual (CT) training with
each of the settings below. Where they are installed, a network with embeddings of numbers by
``rtdl_num_embeddings`` follows (see ``accuracy_modules.py``), and RealMLP-TD-S and TabM-D of
``pytabkit``, which are slow and see three seeds only. ``--develop`` judges on training rows of
other seeds, prints only, and is the mode in which to choose settings, with seeds that are not 0 to
4. Seconds are those of the processor; on other machines, only their ratios hold.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from accuracy_cases import MOST_ROWS, SETS, judged, models, rows_of

SETTINGS = {
    "default": {},
    "quantiles": {"standardize": "quantile"},
    # The defaults of earlier versions.
    "100 epochs": {"early_stopping": False, "weight_decay": 0.0},
}
# Number of seeds of models that take minutes.
N_SLOW_SEEDS = 3
BASELINE = "logistic regression"
RESULTS = Path(__file__).parent / "results"
KEYS = ["data", "model", "seed"]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--rows", type=int, default=MOST_ROWS, help="training rows at most")
    parser.add_argument("--develop", action="store_true", help="judge on training rows; no file")
    parser.add_argument("--models", nargs="+", default=[""], help="parts of the names of models")
    args = parser.parse_args()
    for data in args.data:
        scores = pd.DataFrame(scores_of(data, args))
        if not args.develop:
            scores = kept(scores)
        print(
            summary(scores[scores["data"] == data]).round(4).to_string(index=False),
            "\n",
            flush=True,
        )


def scores_of(data, args):
    """Return the scores of all models on one data set, by seed."""
    records = []
    for number, seed in enumerate(args.seeds):
        training, judges = rows_of(data, seed, develop=args.develop, most_rows=args.rows)
        compared = models(seed, SETTINGS, slow=number < N_SLOW_SEEDS)
        for name, model in compared.items():
            if any(part in name for part in (BASELINE, *args.models)):
                scores = judged(model, training, judges)
                records.append({"data": data, "model": name, "seed": seed, **scores})
    return records


def kept(scores):
    """Add scores to those of earlier commands, and write both files; return all scores."""
    path = RESULTS / "accuracy_by_seed.csv"
    if path.exists():
        scores = pd.concat([pd.read_csv(path), scores])
    scores = scores.drop_duplicates(KEYS, keep="last").sort_values(KEYS, ignore_index=True)
    scores.to_csv(path, index=False, float_format="%.5f")
    tables = [summary(part) for _, part in scores.groupby("data")]
    pd.concat(tables).to_csv(RESULTS / "accuracy.csv", index=False, float_format="%.5f")
    return scores


def summary(records):
    """Return the means over seeds, and the paired differences from logistic regression."""
    wide = records.pivot(index="seed", columns="model", values="log loss")
    differences = wide.sub(wide[BASELINE], axis=0)
    table = records.drop(columns="seed").groupby(["data", "model"]).mean()
    table.insert(1, "difference", differences.mean()[table.index.get_level_values("model")].values)
    # Of one seed, no standard error can be estimated. Slow models lack some of the seeds.
    errors = differences.std(ddof=1) / np.sqrt(differences.count())
    table.insert(2, "+-", errors[table.index.get_level_values("model")].values)
    return table.reset_index()


if __name__ == "__main__":
    main()
