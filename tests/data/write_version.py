"""Write the models of a format version, which later versions of ctsk have to load.

Run it once, when the format changes, from the top of the repository: files of versions that were
released are never written again::

    python tests/data/write_version.py 1
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import ctsk

FOLDER = Path(__file__).parent


def main(version):
    rng = np.random.default_rng(0)
    n_rows = 120
    grades = pd.CategoricalDtype(["none", "school", "college", "doctor"], ordered=True)
    north = rng.integers(0, 2, n_rows)
    X = pd.DataFrame(
        {
            "income": rng.gamma(3, 1_000, n_rows).round(2),
            "children": rng.integers(0, 5, n_rows),
            "grade": pd.Series(rng.choice(grades.categories[:3], n_rows)).astype(grades),
            "job": pd.Series(rng.choice(["cook", "nurse"], n_rows)).mask(rng.random(n_rows) < 0.1),
            "owner": rng.random(n_rows) < 0.4,
            "debt": np.where(rng.random(n_rows) < 0.2, -9.0, rng.integers(0, 50, n_rows)),
            # Two numbers have no curve.
            "rate": rng.choice([1.5, 2.5], n_rows),
            "north": north,
            "south": 1 - north,
        }
    )
    X.loc[::11, "debt"] = np.nan
    score = X["income"] / 3_000 + X["owner"] - X["children"] / 3 + rng.normal(0, 0.2, n_rows)
    clf = ctsk.CounterfactualTrainedClassifier(
        hidden_layer_sizes=(6,),
        standardize="quantile",
        special_values={"debt": -9},
        one_hot_groups=[["north", "south"]],
        mutability={"children": "none", "grade": "increase"},
        domain={"income": (0, None)},
        feature_costs={"job": 2.0},
        generator=ctsk.GenericGenerator(distance="mad"),
        max_epochs=12,
        lr=0.02,
        random_state=0,
    ).fit(X, (score > 0.6).map({True: "granted", False: "refused"}))
    ctsk.save(clf, FOLDER / f"version_{version}.zip", resume=True)
    ctsk.save(clf, FOLDER / f"version_{version}")
    # As text, the rows do not depend on the dtypes of pandas.
    rows = json.loads(X.astype({"grade": str}).iloc[[0, 3, 11, 20]].to_json(orient="records"))
    frame = pd.DataFrame(rows).astype({"owner": bool})
    expected = {"rows": rows, "proba": clf.predict_proba(frame).tolist(), "n_iter": clf.n_iter_}
    (FOLDER / f"version_{version}.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
