"""Do all classes gain?

The table contains the reductions of IP and IP* relative to conventional training by target class,
and the recall of each class by both models::

    python benchmarks/paper/classes.py
    python benchmarks/paper/classes.py --dataset mnist --seed 0 1 2
"""

from experiment import main
from models import train
from protocol import split
from rounds import compare, judge
from sklearn.metrics import recall_score


def outcome(name, seed, n_rounds, step_size):
    """Compare CT with BL by class."""
    settings = {"step_size": step_size}
    X, y = split(name, seed).test
    rounds, recalls = {}, {}
    for model in ("BL", "CT"):
        rounds[model] = judge(name, seed, model, n_rounds=n_rounds, **settings)
        clf = train(name, seed, model, **settings)
        recalls[model] = recall_score(y, clf.predict(X), average=None, labels=clf.classes_)
    records = []
    for place, label in enumerate(clf.classes_.tolist()):
        mine = [found[found["target"] == label].reset_index() for found in rounds.values()]
        records.append(
            {
                "class": label,
                "IP reduction": compare(*mine, "IP").get("reduction"),
                "IP* 5.0 reduction": compare(*mine, "IP* 5.0").get("reduction"),
                **{f"recall {model}": recalls[model][place] for model in recalls},
            }
        )
    return records


if __name__ == "__main__":
    quantities = ["IP reduction", "IP* 5.0 reduction", "recall BL", "recall CT"]
    main("classes", keys=["class"], quantities=quantities)
