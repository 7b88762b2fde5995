"""Cases of ``optimality.py`` whose optimum is not proven: other modules, and images."""

import itertools
from pathlib import Path

import numpy as np
import torch
from optimality_cases import Case, kept, searches, split, untrained
from optimality_figures import is_found, quality
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from ctsk import NearestGenerator

PICTURE = Path(__file__).parent / "results" / "nearest_on_images.png"
# Seeded runs of the default search, and how many times as many starts they have.
N_RUNS, N_TIMES = 10, 10
N_IMAGES = 50
IMAGES = ("digits", "mnist")
# Side of the digits, and the largest value of a pixel in the data.
_SIDES = {"digits": 8, "mnist": 28}
_MOST_OF_DIGITS = 16
_N_DRAWN = 5
_TAU = 0.75


class SkipNetwork(torch.nn.Module):
    """A user's own module: two smooth layers, of which the second one is skipped in part."""

    def __init__(self, n_features, n_classes, n_units=32):
        super().__init__()
        self.first = torch.nn.Linear(n_features, n_units)
        self.second = torch.nn.Linear(n_units, n_units)
        self.last = torch.nn.Linear(n_units, n_classes)

    def forward(self, rows):
        """Return the logits."""
        hidden = torch.nn.functional.silu(self.first(rows))
        return self.last(hidden + torch.nn.functional.silu(self.second(hidden)))


# Parameters of the classifier by the name of the setting.
MODULES = {
    "tanh": {"activation": "tanh"},
    "two layers": {"hidden_layer_sizes": (32, 32)},
    "own module": {"module": SkipNetwork},
}


def against_many_starts(data, model, tau, setting, seed, n_rows):
    """Return the figures of the default search, whose reference is the best of many runs.

    The reference of a row is the least cost among its own and those of ten seeded runs with ten
    times the starts.
    """
    case = Case.of(data, seed, model, n_rows, **MODULES[setting])
    explanation, seconds = case.explain({"generator": "nearest"}, tau=tau)
    n_starts = N_TIMES * NearestGenerator().n_starts
    costs = [np.where(is_found(explanation), explanation.cost, np.inf)]
    for run in range(N_RUNS):
        generator = NearestGenerator(n_starts=n_starts, random_state=run)
        other, _ = case.explain({"generator": generator}, tau=tau)
        costs.append(np.where(is_found(other), other.cost, np.inf))
    best = np.min(costs, axis=0)
    with np.errstate(invalid="ignore"):
        ratio = explanation.cost / best
    figures = {
        "exists": np.isfinite(best),
        "is_open": np.isinf(best),
        "is_found": is_found(explanation),
        "ratio": ratio,
    }
    return {"nearest": {**figures, **quality(case, explanation, seconds)}}


def images(name, seed):
    """Return rows and labels of training and test images."""
    if name == "digits":
        X, y = load_digits(return_X_y=True)
        X, X_test, y, y_test = train_test_split(
            X / _MOST_OF_DIGITS, y, test_size=0.2, random_state=seed
        )
        return (X, y), (X_test, y_test)
    data = split(name, seed)
    return data.train, data.test


@kept.MODELS.cache
def trained_on_images(name, seed, variant, **parameters):
    """Return a classifier of images with the settings that the paper has for MNIST."""
    if name == "digits":
        parameters = {"domain": [(0, 1)] * _SIDES[name] ** 2, "batch_size": 100, **parameters}
    (X, y), _ = images(name, seed)
    return untrained("mnist", seed, variant, **parameters).fit(X, y)


def image_case(name, seed, variant, n_rows=N_IMAGES):
    """Return a case of test images, each of which asks for its second most probable class."""
    (X_train, y_train), (X, _) = images(name, seed)
    clf = trained_on_images(name, seed, variant)
    second = trained_on_images(name, seed, variant, random_state=seed + 10_000)
    rows = X[np.random.default_rng([seed, 17]).permutation(len(X))[:n_rows]]
    target = clf.classes_[np.argsort(clf.predict_proba(rows), axis=1)[:, -2]]
    return Case(clf, second, rows, target, X_train, y_train)


def of_images(data, model, tau, seed, n_rows):
    """Return the figures of all searches for images."""
    case = image_case(data, seed, model, n_rows)
    found = {search: case.explain(how, tau=tau) for search, how in searches().items()}
    return {
        search: {
            "found": is_found(explanation),
            "cost": explanation.cost[is_found(explanation)],
            **quality(case, explanation, seconds),
        }
        for search, (explanation, seconds) in found.items()
    }


def draw(name, seed):
    """Draw five images and their counterfactuals by each search, and save the picture."""
    import matplotlib.pyplot as plt

    explained = searches()
    explained.pop("generic")
    titles = {"nearest": "nearest", "eccco": "ECCCo"}
    side, models = _SIDES[name], {"BL": "conventional", "CT": "counterfactual training"}
    n_columns = len(explained) + 1
    size = (1.1 * n_columns * len(models), 1.15 * _N_DRAWN + 0.5)
    figure = plt.figure(figsize=size, layout="constrained")
    parts = figure.subfigures(1, len(models))
    for part, (variant, title) in zip(parts, models.items(), strict=True):
        case = image_case(name, seed, variant, _N_DRAWN)
        columns = {"factual": (case.X, case.clf.predict(case.X))}
        for search, how in explained.items():
            explanation, _ = case.explain(how, tau=_TAU)
            head = titles.get(search, search.replace("nearest", r"$\lambda$ ="))
            columns[head] = explanation.counterfactual, explanation.prediction
        axes = part.subplots(_N_DRAWN, n_columns, squeeze=False)
        part.suptitle(title)
        for column, (head, (rows, labels)) in enumerate(columns.items()):
            axes[0, column].set_title(head, fontsize=9)
            for ax, row, label in zip(axes[:, column], rows, labels, strict=True):
                ax.imshow(np.reshape(row, (side, side)), cmap="gray")
                ax.set_xlabel(f"predicted {label}", fontsize=7)
                ax.set(xticks=[], yticks=[])
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=150)
    plt.close(figure)


def image_names(models, tau=_TAU):
    """Return the keys of the tables of images."""
    return [
        {"data": name, "model": model, "tau": tau}
        for name, model in itertools.product(IMAGES, models)
    ]
