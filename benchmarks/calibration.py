"""Are the probabilities of the estimator calibrated, and does a temperature improve them?

``CTSK_DATA_HOME`` names the folder of the data. Conventional (BL) and counterfactual (CT) training
with early stopping are judged as they are, with a temperature, and within a CalibratedClassifierCV
of five folds. The temperature is fitted to the rows that early stopping holds out, so that it costs
neither rows nor time. The table shows means over seeds::

    python benchmarks/calibration.py [--data heloc] [--seeds 0 1 2] [--develop] [--rows 10000]

The calibration error is the mean distance between predicted probability and observed frequency of
class 1 in ten groups of equal size; a model that is calibrated has one, too, because the groups are
finite (``expected``: the mean over labels that are drawn with the probabilities of the model).
``--develop`` judges on training rows of other seeds; see ``accuracy_cases.py``.
"""

import argparse

import numpy as np
import pandas as pd
from accuracy_cases import CONVENTIONAL, MOST_ROWS, SETS, rows_of
from scipy.optimize import minimize_scalar
from scipy.special import expit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import log_loss
from skorch.callbacks import Callback

from ctsk import CounterfactualTrainedClassifier

N_GROUPS, N_DRAWS = 10, 20


class HeldOutRows(Callback):
    """Keeps which training rows a fit has held out."""

    def on_epoch_end(self, net, **kwargs):
        """Keep the rows of a net."""
        self.is_held_out = net.is_held_out


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--rows", type=int, default=MOST_ROWS, help="training rows at most")
    parser.add_argument("--develop", action="store_true", help="judge on training rows")
    args = parser.parse_args()
    for data in args.data:
        records = []
        for seed in args.seeds:
            training, judges = rows_of(data, seed, develop=args.develop, most_rows=args.rows)
            for name, weights in {"BL": CONVENTIONAL, "CT": {}}.items():
                for variant, scores in variants(weights, seed, training, judges).items():
                    records.append({"data": data, "training": name, "model": variant, **scores})
        table = pd.DataFrame(records).groupby(["data", "training", "model"], sort=False).mean()
        print(table.round(4).to_string(), "\n", flush=True)


def variants(weights, seed, training, judges):
    """Return the scores of a classifier as it is, with a temperature, and calibrated by folds."""
    (X, y), (X_judges, y_judges) = training, judges
    held_out = HeldOutRows()
    clf = CounterfactualTrainedClassifier(**weights, early_stopping=True, random_state=seed)
    clf.set_params(callbacks=[held_out]).fit(X, y)
    mask = held_out.is_held_out
    beta = inverse_temperature(clf.decision_function(X[mask]), y[mask] == clf.classes_[1])
    margins, is_one = clf.decision_function(X_judges), y_judges == clf.classes_[1]
    folds = CalibratedClassifierCV(clf.set_params(callbacks=None), cv=5).fit(X, y)
    return {
        "as trained": {**scores(expit(margins), is_one), "temperature": 1.0},
        "temperature": {**scores(expit(beta * margins), is_one), "temperature": 1 / beta},
        "five folds": scores(folds.predict_proba(X_judges)[:, 1], is_one),
    }


def inverse_temperature(margins, is_one):
    """Return the factor of the margins at which their log loss is the least."""

    def loss(log_beta):
        return np.logaddexp(0, np.where(is_one, -1, 1) * np.exp(log_beta) * margins).mean()

    return np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x)


def scores(proba, is_one):
    """Return log loss and calibration error of probabilities."""
    random = np.random.default_rng(0)
    drawn = random.random((N_DRAWS, len(proba))) < proba
    return {
        "log loss": log_loss(is_one, proba),
        "error": calibration_error(proba, is_one),
        "expected": np.mean([calibration_error(proba, labels) for labels in drawn]),
    }


def calibration_error(proba, is_one):
    """Return the mean distance between probability and frequency in groups of equal size."""
    groups = np.array_split(np.argsort(proba, kind="stable"), N_GROUPS)
    distances = [abs(proba[group].mean() - is_one[group].mean()) for group in groups]
    return np.average(distances, weights=[len(group) for group in groups])


if __name__ == "__main__":
    main()
