"""Explainers of other packages on the rows of ``optimality.py``.

``pip install ctsk[benchmarks]`` installs DiCE. Beside it, a gradient descent in the manner of
Wachter, Mittelstadt and Russell (2017), a few lines of torch, stands for what users write
themselves. Each explainer is asked for one counterfactual of each row, with the target, the
probability and the bounds of the row. What it returns is judged as
our rows are: it must be within the bounds, have one known category in each feature, and be
predicted as the target with a probability of at least tau. A search is stopped once its time is
up, after a row at the earliest; the rows that it did not reach do not count.

Two packages cannot be installed beside the versions of ``constraints.txt``:

- NICE: all releases of NICEx (0.1.0 to 0.2.3) require ``numpy<2.0.0``, and ctsk requires NumPy 2.
- alibi: the current release, 0.9.6, requires ``numpy<2``. Without a version, pip installs 0.5.5 of
  2020, whose ``CounterFactual`` fails with Keras 3: it calls ``keras.backend.get_session``, which
  belongs to TensorFlow 1.
"""

import contextlib
import io
import time
import warnings

import numpy as np
import pandas as pd
import torch
from optimality_cases import one_thread
from torch.nn.functional import cross_entropy

UNAVAILABLE = {
    "NICE": "all releases of NICEx require numpy<2",
    "alibi": "release 0.9.6 requires numpy<2, and release 0.5.5 requires TensorFlow 1",
}
_OUTCOME = "outcome"
# Steps of the gradient search of DiCE. Its own default, 5,000, takes minutes for a row.
_N_STEPS = 1_000
# Steps, their length, and prices of the distance in our own gradient descent, one after the other.
_N_DESCENT, _LENGTH, _PRICES = 300, 0.05, (1.0, 0.1, 0.01)
# Distance in module units by which a number may miss its bound.
_TOLERANCE = 1e-6


def available():
    """Return the explainers that can be imported, by name; print why others cannot."""
    explainers = {"gradient, torch": _GradientSearch}
    for name, reason in UNAVAILABLE.items():
        print(f"{name} is left out: {reason}.")
    try:
        import dice_ml  # noqa: F401
    except ImportError as error:
        print(f"DiCE is left out: {error}. It is part of ctsk[benchmarks].")
        return explainers
    return {"DiCE random": _dice_random, "DiCE gradient": _dice_gradient, **explainers}


def attempts(explainer, case, *, tau, seconds):
    """Return what an explainer of another package finds for the rows of a case.

    Parameters
    ----------
    explainer : callable
        A value of `available`.
    case : Case
    tau : float
    seconds : float
        CPU time after which no further row is begun.

    Returns
    -------
    figures : dict of ndarray
        "is_found" and "cost" of each row that was reached, and "rows/s".
    """
    problem = case.problem(tau=tau)
    frame = Frame(case)
    found, costs = [], []
    with one_thread(), warnings.catch_warnings(), _silence():
        warnings.simplefilter("ignore")
        explain = explainer(case, frame, tau)
        start = time.process_time()
        for row in range(len(case.X)):
            if row and time.process_time() - start > seconds:
                break
            bounds = frame.bounds(problem, row)
            counterfactual = explain(
                frame.X[row : row + 1], int(problem.request.targets[row]), bounds
            )
            is_found, price = _judged(case, problem, frame, row, counterfactual, tau)
            found.append(is_found)
            costs.append(price)
        duration = time.process_time() - start
    return {
        "is_found": np.array(found),
        "cost": np.array(costs),
        "rows/s": np.array([len(found) / duration]),
    }


def _judged(case, problem, frame, row, counterfactual, tau):
    """Return whether a counterfactual reaches tau within its bounds, and its cost."""
    X = None if counterfactual is None else frame.original(counterfactual)
    if X is None:
        return False, np.inf
    encoded = case.clf.encoder_.encode(X)[0]
    box = problem.box
    # A row outside its domain keeps its number, or moves into the domain.
    low, high = (box.lower, box.upper) if box.low is None else (box.low, box.high)
    is_within = (encoded >= low[row] - _TOLERANCE) & (encoded <= high[row] + _TOLERANCE)
    is_within |= np.abs(encoded - problem.factuals[row]) <= _TOLERANCE
    share = case.clf.predict_proba(X)[0, problem.request.targets[row]]
    price = np.abs(encoded - problem.factuals[row]) @ problem.costs
    return bool(is_within.all() and share >= tau), float(price)


class Frame:
    """The rows of a case as a DataFrame of floats and strings, which other packages expect."""

    def __init__(self, case):
        self.case = case
        self.is_array = not hasattr(case.X, "columns")
        self.names = [str(name) for name in case.clf.encoder_.names]
        self.X, self.X_train = self._converted(case.X), self._converted(case.X_train)
        self.categorical = self.X.select_dtypes(exclude="number").columns.tolist()
        self.numeric = [name for name in self.names if name not in self.categorical]

    def _converted(self, X):
        if self.is_array:
            return pd.DataFrame(X, columns=self.names)
        categorical = X.select_dtypes(exclude="number").columns
        return X.astype(dict.fromkeys(categorical, object)).rename(columns=str)

    def original(self, frame):
        """Return rows in the container of the case, or None if a category is unknown."""
        frame = frame[self.names].reset_index(drop=True)
        if self.is_array:
            return frame.to_numpy(dtype=float)
        frame = frame.astype(dict.fromkeys(self.numeric, float))
        frame = frame.set_axis(self.case.X.columns, axis=1).astype(self.case.X.dtypes)
        return None if frame.isna().any(axis=None) else frame

    def bounds(self, problem, row):
        """Return, for each feature that may move, its range or its categories."""
        encoder, box = self.case.clf.encoder_, problem.box
        lower, upper = (np.asarray(bound[row], dtype=float) for bound in (box.lower, box.upper))
        ends = [encoder.to_x_units(bound) for bound in (lower, upper)]
        slices = dict(zip(encoder.categorical.tolist(), encoder.groups.slices, strict=False))
        bounds = {}
        for feature, name in enumerate(self.names):
            if feature in slices:
                columns = slices[feature]
                codes = np.flatnonzero(upper[columns] > 0).astype(float)
                if len(codes) > 1:
                    cells = encoder.schema.cells(feature, codes)
                    bounds[name] = [str(cell) for cell in cells]
            else:
                column = encoder.feature_columns[feature][0]
                if lower[column] < upper[column]:
                    observed = self.X_train[name]
                    low, high = ends[0][column], ends[1][column]
                    # DiCE knows no open domains.
                    low = low if np.isfinite(low) else float(observed.min())
                    high = high if np.isfinite(high) else float(observed.max())
                    bounds[name] = [float(low), float(high)]
        return bounds


def _dice_random(case, frame, tau):
    """Return DiCE's random search, as a function of a row, a target and bounds."""
    import dice_ml

    data = _dice_data(case, frame)
    model = dice_ml.Model(model=_Predictor(case, frame), backend="sklearn")
    explainer = dice_ml.Dice(data, model, method="random")
    return _DiceSearch(explainer, tau, random_seed=0)


def _dice_gradient(case, frame, tau):
    """Return DiCE's gradient search, as a function of a row, a target and bounds."""
    import dice_ml

    data = _dice_data(case, frame)
    module = _DiceModule(case, frame, data)
    model = dice_ml.Model(model=module, backend="PYT", func="ohe-min-max")
    explainer = dice_ml.Dice(data, model, method="gradient")
    return _DiceSearch(explainer, tau, max_iter=_N_STEPS, all_ranges=frame)


def _dice_data(case, frame):
    import dice_ml

    codes = np.searchsorted(case.clf.classes_, case.y_train)
    return dice_ml.Data(
        dataframe=frame.X_train.assign(**{_OUTCOME: codes}),
        continuous_features=frame.numeric,
        outcome_name=_OUTCOME,
    )


class _GradientSearch:
    """A descent by Adam on the cross-entropy of the target and the priced l1 distance."""

    def __init__(self, case, frame, tau):
        self.module, self.encoder = case.clf.net_.module_, case.clf.encoder_
        self.names, self.tau = frame.names, tau
        problem = case.problem(tau=tau)
        arrays = (problem.factuals, problem.box.lower, problem.box.upper)
        self.rows = [torch.as_tensor(array, dtype=torch.float32) for array in arrays]
        self.costs = torch.as_tensor(problem.costs, dtype=torch.float32)

    def __call__(self, row, target, bounds):
        """Return the first state that reaches tau, at the highest price, as a DataFrame."""
        start, lower, upper = (rows[row.index] for rows in self.rows)
        label = torch.tensor([target])
        for price in _PRICES:
            state = start.clone().requires_grad_()
            optimizer = torch.optim.Adam([state], lr=_LENGTH)
            for _ in range(_N_DESCENT):
                hardened = self.encoder.groups.harden(state.detach())
                if self.module(hardened).softmax(dim=1)[0, target] >= self.tau:
                    return self.decoded(hardened)
                distance = (self.costs * (state - start).abs()).sum()
                loss = cross_entropy(self.module(state), label) + price * distance
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                with torch.no_grad():
                    state.clamp_(lower, upper)
        return None

    def decoded(self, hardened):
        """Return a state of the search as a DataFrame of floats and strings."""
        encoder = self.encoder
        values = encoder.collapse(encoder.to_x_units(hardened.double().numpy()))
        columns = (encoder.schema.cells(i, values[:, i]) for i in range(len(self.names)))
        return pd.DataFrame(dict(zip(self.names, columns, strict=True)))


class _DiceSearch:
    """A search of DiCE for one counterfactual of a row."""

    def __init__(self, explainer, tau, all_ranges=None, **settings):
        self.explainer = explainer
        self.settings = {"stopping_threshold": tau, **settings}
        # The gradient search needs the range of every number, even of those that are fixed.
        self.ranges = {}
        if all_ranges is not None:
            X = all_ranges.X_train
            self.ranges = {n: [float(X[n].min()), float(X[n].max())] for n in all_ranges.numeric}

    def __call__(self, row, target, bounds):
        """Return the counterfactual as a DataFrame, or None."""
        from raiutils.exceptions import UserConfigValidationException

        if not bounds:
            return None
        try:
            result = self.explainer.generate_counterfactuals(
                row,
                total_CFs=1,
                desired_class=target,
                features_to_vary=list(bounds),
                permitted_range={**self.ranges, **bounds},
                **self.settings,
            )
        except UserConfigValidationException:
            # This is how DiCE reports that it found none, or that a row is outside its data.
            return None
        found = result.cf_examples_list[0].final_cfs_df
        return None if found is None or not len(found) else found.iloc[:1]


class _Predictor:
    """The classifier with the methods that DiCE calls, for DataFrames of floats and strings."""

    def __init__(self, case, frame):
        self.clf, self.frame = case.clf, frame

    def predict_proba(self, X):
        """Return class probabilities; uniform ones for rows with unknown categories."""
        rows = self.frame.original(X)
        return np.full((len(X), 2), 0.5) if rows is None else self.clf.predict_proba(rows)

    def predict(self, X):
        """Return the positions of the predicted classes."""
        return self.predict_proba(X).argmax(axis=1)


class _DiceModule(torch.nn.Module):
    """The module behind DiCE's own encoding, with the probability of the second class."""

    def __init__(self, case, frame, data):
        super().__init__()
        self.module = case.clf.net_.module_
        # Both encodings are affine in the numbers and the one-hot columns, so that some rows
        # determine the map between them.
        rows = frame.X_train.head(2_000)
        scaled = data.get_ohe_min_max_normalized_data(rows).to_numpy(dtype=float)
        design = np.column_stack([scaled, np.ones(len(scaled))])
        encoded = case.clf.encoder_.encode(case.X_train[:2_000])
        solution = np.linalg.lstsq(design, encoded, rcond=None)[0]
        self.map = torch.as_tensor(solution, dtype=torch.float32)

    def forward(self, scaled):
        """Return the probability of the second class, of shape (n_rows, 1)."""
        rows = scaled @ self.map[:-1] + self.map[-1]
        return self.module(rows).softmax(dim=-1)[..., 1:]


@contextlib.contextmanager
def _silence():
    """Suppress the progress bars and messages of other packages."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
