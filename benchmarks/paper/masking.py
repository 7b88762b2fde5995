"""What is the effect of masking the exemplars?

A feature is protected in training and at test time. The table contains the cost of explanations,
their validity, the sensitivity of the logits to the protected feature, and the accuracy, for
conventional training (BL), counterfactual training (CT), and counterfactual training without masked
exemplars ("unmasked"), once for the protected feature of the paper and once for another one::

    python benchmarks/paper/masking.py

"share", "attribution" and "total" are defined as in ``table2.py``.
"""

from experiment import main
from models import train
from protocol import PROTOCOLS, SYNTHETIC, split
from rounds import judge
from table2 import sensitivity

MODELS = ("BL", "CT", "unmasked")
OTHER = {
    **dict.fromkeys(SYNTHETIC, (1,)),
    "adult": ("sex",),
    "california_housing": ("med_inc",),
    "credit_default": ("limit_bal",),
    "gmsc": ("monthly_income",),
}


def outcome(name, seed, n_rounds, step_size):
    """Return a record for each model and each choice of a protected feature."""
    return [
        {
            "model": model,
            "protected": title,
            **measure(name, seed, model, features, n_rounds, step_size),
        }
        for title, features in {"paper's": PROTOCOLS[name].protected, "other": OTHER[name]}.items()
        for model in MODELS
    ]


def measure(name, seed, model, features, n_rounds, step_size):
    """Return the measurements of one model."""
    own = features == PROTOCOLS[name].protected
    settings = {"protected": own or features, "step_size": step_size}
    # Conventional training ignores constraints, so one model serves all choices.
    trained = {**settings, "protected": model != "BL" and settings["protected"]}
    clf = train(name, seed, model, **trained)
    rounds = judge(name, seed, model, n_rounds=n_rounds, **settings)
    X, y = split(name, seed).test
    return {
        "cost": rounds["cost"].mean(),
        "validity": rounds["validity"].mean(),
        **sensitivity(name, seed, clf, features, n_rounds),
        "accuracy": clf.score(X, y),
    }


if __name__ == "__main__":
    quantities = ["cost", "validity", "share", "attribution", "total", "accuracy"]
    main("masking", others=(), keys=["protected", "model"], quantities=quantities)
