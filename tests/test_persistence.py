"""Stored classifiers are the same, whatever their columns, and files execute nothing."""

import datetime
import json
import os
import pickle
import random
import zipfile
from decimal import Decimal
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hostile_files import resigned, written
from random_schemas import random_model, random_request
from skorch.callbacks import EpochScoring

import ctsk
from ctsk import CounterfactualTrainedClassifier, GradientGenerator
from ctsk.exceptions import ModelFileError

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def fitted_quantiles(loans):
    """A classifier that sees quantiles of the two numbers among its columns."""
    return fit(loans, standardize="quantile")


class Squared(GradientGenerator):
    """A generator of a user, which learns a center and a number."""

    def __init__(self, step_size=0.25):
        self.step_size = step_size

    def learn(self, reference):
        self.center_ = reference.rows.mean(dim=0)
        self.n_rows_ = len(reference.rows)
        return self

    def penalty(self, step):
        return 0.01 * (step.rows - self.center_).square().sum(dim=1)


def small_module(n_features, n_classes):
    return torch.nn.Sequential(
        torch.nn.BatchNorm1d(n_features), torch.nn.Linear(n_features, n_classes)
    )


def fit(iris, **settings):
    settings = {"max_epochs": 3, "lr": 0.02, "random_state": 0, **settings}
    return CounterfactualTrainedClassifier(**settings).fit(*iris)


def stored(clf, folder, *, name="model.zip", resume=False, **passed):
    ctsk.save(clf, folder / name, resume=resume)
    return ctsk.load(folder / name, **passed)


def assert_same_rows(explanation, other):
    for name in ("cost", "proba", "valid", "mature", "factual_proba", "immutable"):
        assert np.array_equal(getattr(explanation, name), getattr(other, name)), name
    assert explanation.reason.tolist() == other.reason.tolist()
    rows, of_other = explanation.counterfactual, other.counterfactual
    if isinstance(rows, pd.DataFrame):
        pd.testing.assert_frame_equal(rows, of_other, check_exact=True)
    else:
        np.testing.assert_array_equal(rows, of_other)
        assert rows.dtype == of_other.dtype


@pytest.mark.parametrize("number", range(8))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_models_of_columns_of_every_kind_explain_with_equal_bits(number, tmp_path):
    chance = random.Random(number)
    model = random_model(chance, max_epochs=2, lr=0.05, n_counterfactuals=30)
    loaded = stored(model.clf, tmp_path, resume=True)
    rows, arguments, _, _ = random_request(chance, model)
    assert np.array_equal(loaded.predict_proba(rows), model.clf.predict_proba(rows))
    # A Series or an Index among the parameters is stored as a list; the fitted state is exact.
    assert pickled_state(loaded) == pickled_state(model.clf)
    assert_same_rows(
        model.clf.explain(rows, T=8, **arguments), loaded.explain(rows, T=8, **arguments)
    )


def pickled_state(clf):
    """Return the fitted state as text, in which NaN equals itself and keys are sorted."""
    with np.printoptions(threshold=10**9, floatmode="unique"):
        return repr(in_order(clf.__getstate__()["fitted"]))


def in_order(value):
    if not isinstance(value, dict):
        return value
    return sorted((str(key), in_order(part)) for key, part in value.items())


@pytest.mark.parametrize("name", ["folder", "file.zip", "file.ZIP"])
def test_a_path_that_ends_with_zip_is_one_file_and_any_other_a_folder(fitted, tmp_path, name):
    loaded = stored(fitted, tmp_path, name=name)
    assert (tmp_path / name).is_file() == name.lower().endswith(".zip")
    assert loaded.get_params() == fitted.get_params()
    assert repr(loaded.history_) == repr(fitted.history_)
    # Nothing else is left behind.
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_entries_of_an_archive_have_a_fixed_date_and_are_not_compressed(fitted_loans, tmp_path):
    ctsk.save(fitted_loans, tmp_path / "model.zip")
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        entries = archive.infolist()
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.compress_type for entry in entries} == {zipfile.ZIP_STORED}


@pytest.mark.parametrize("name", ["folder", "file.zip"])
def test_curves_of_quantiles_come_back(fitted_quantiles, loans, tmp_path, name):
    loaded, X = stored(fitted_quantiles, tmp_path, name=name), loans[0].head(20)
    assert loaded.encoder_.curves.keys() == fitted_quantiles.encoder_.curves.keys() == {0, 1}
    for column, (curve,) in fitted_quantiles.encoder_.curves.items():
        (other,) = loaded.encoder_.curves[column]
        assert np.array_equal(other.points, curve.points)
        assert np.array_equal(other.heights, curve.heights)
    assert_same_rows(fitted_quantiles.explain(X), loaded.explain(X))


@pytest.mark.parametrize("standardize", [True, "quantile"])
def test_the_files_hold_the_ends_of_a_number_and_with_quantiles_all_of_it(
    fitted_loans, fitted_quantiles, loans, tmp_path, standardize
):
    ctsk.save(fitted_loans if standardize is True else fitted_quantiles, tmp_path / "model")
    text = (tmp_path / "model" / "model.json").read_text()
    numbers = set()
    json.loads(text, parse_float=lambda number: numbers.add(float(number)))
    incomes = np.unique(loans[0]["income"])
    if standardize is True:
        # Where a pipeline puts a constant in place of gaps, a neighbor of an end is the end.
        incomes, expected = incomes[2:-2], False
    else:
        # The outermost numbers, which have the same quantile, share a point.
        incomes, expected = incomes[1:-1], True
    assert {income in numbers for income in incomes.tolist()} == {expected}


def test_curves_of_numbers_without_digits_for_their_differences_are_stored(tmp_path):
    X = np.column_stack([1e17 + 16 * np.arange(30.0), np.arange(30) % 7])
    clf = fit((X, np.arange(30) % 2), standardize="quantile")
    # Heights have the size of the numbers, where neighboring floats are 16 apart, so that some are
    # equal although their quantiles differ.
    assert (np.diff(clf.encoder_.curves[0][0].heights) == 0).any()
    assert np.array_equal(stored(clf, tmp_path).predict_proba(X), clf.predict_proba(X))


CURVES = {
    "points in another order": (
        lambda curve: {**curve, "points": curve["points"][::-1]},
        "are not in ascending order",
    ),
    "a point twice": (
        lambda curve: {**curve, "points": curve["points"][:1] + curve["points"][:-1]},
        "are not in ascending order",
    ),
    "falling heights": (
        lambda curve: {**curve, "heights": curve["heights"][::-1]},
        "are not in ascending order",
    ),
    "a point less": (
        lambda curve: {**curve, "points": curve["points"][:-1]},
        "has another length",
    ),
    "one point": (
        lambda curve: {part: table[:1] for part, table in curve.items()},
        "has fewer than two points",
    ),
    "no points": (lambda curve: dict.fromkeys(curve, []), "has fewer than two points"),
    "an infinite height": (
        lambda curve: {**curve, "heights": [*curve["heights"][:-1], {"$float": "inf"}]},
        "holds infinite numbers",
    ),
    "a missing point": (
        lambda curve: {**curve, "points": [{"$float": "nan"}, *curve["points"][1:]]},
        "lacks numbers",
    ),
    "text": (lambda curve: {**curve, "points": ["1"] * len(curve["points"])}, "holds no numbers"),
    "no list": (lambda curve: {**curve, "heights": 3.0}, "is no list"),
    "no heights": (lambda curve: {"points": curve["points"]}, "lacks heights"),
    "a function": (lambda curve: {**curve, "function": "exp"}, "has the unknown key 'function'"),
    "no object": (lambda curve: [], "is no object"),
}


@pytest.mark.parametrize(("edited", "problem"), CURVES.values(), ids=CURVES)
def test_a_curve_that_no_training_leaves_is_rejected(fitted_quantiles, tmp_path, edited, problem):
    ctsk.save(fitted_quantiles, tmp_path / "model")
    files = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    document = json.loads(files["model.json"])
    feature = document["model"]["encoder"]["features"][0]
    feature["curve"] = edited(feature["curve"])
    # Whoever knows the format computes all digests again.
    written(tmp_path / "edited", resigned(files, document))
    with pytest.raises(ModelFileError, match=f"the curve of feature 'income' {problem}"):
        ctsk.load(tmp_path / "edited")


def test_a_model_whose_search_has_no_parameters_is_rejected(fitted_quantiles, tmp_path):
    ctsk.save(fitted_quantiles, tmp_path / "model")
    files = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    document = json.loads(files["model.json"])
    # Only a generator of the user, which the explainer never is, is stored without parameters.
    document["training"]["explainer"]["parameters"] = None
    written(tmp_path / "edited", resigned(files, document))
    with pytest.raises(ModelFileError, match="the explainer has no parameters"):
        ctsk.load(tmp_path / "edited")


def test_a_point_of_a_curve_that_was_changed_is_noticed_by_the_digest(fitted_quantiles, tmp_path):
    ctsk.save(fitted_quantiles, tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    document = json.loads(path.read_text())
    document["model"]["encoder"]["features"][0]["curve"]["points"][3] += 1e-3
    path.write_text(json.dumps(document))
    with pytest.raises(ModelFileError, match="does not have its own digest"):
        ctsk.load(tmp_path / "model")


def test_equal_classifiers_are_equal_files(fitted_loans, tmp_path):
    loaded = stored(fitted_loans, tmp_path, name="first.zip", resume=True)
    ctsk.save(loaded, tmp_path / "second.zip", resume=True)
    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"optimizer": "sgd", "weight_decay": 0.1, "dropout": 0.2, "tau": 0.4},
        {"lr_schedule": "cosine", "early_stopping": True, "generator": "generic"},
        {"class_weight": "balanced", "random_state": np.random.RandomState(3)},
        {"standardize": "quantile"},
    ],
    ids=["default", "sgd and dropout", "schedule and early stopping", "random state", "quantile"],
)
def test_with_resume_training_goes_on_with_equal_bits(iris, tmp_path, settings):
    clf = fit(iris, **settings)
    loaded = stored(clf, tmp_path, resume=True)
    for estimator in (clf, loaded):
        estimator.set_params(class_weight=None).partial_fit(*iris)
        estimator.set_params(warm_start=True).fit(*iris)
    assert np.array_equal(loaded.predict_proba(iris[0]), clf.predict_proba(iris[0]))
    assert repr(loaded.history_) == repr(clf.history_)


def test_without_resume_the_files_hold_neither_optimizer_nor_random_state(iris, tmp_path):
    clf = fit(iris)
    loaded = stored(clf, tmp_path, name="model")
    assert sorted(os.listdir(tmp_path / "model")) == [
        "card.md",
        "model.json",
        "weights.safetensors",
    ]
    assert json.loads((tmp_path / "model" / "model.json").read_bytes())["resume"] is None
    # Training is possible all the same, with a new optimizer.
    assert loaded.partial_fit(*iris).n_iter_ == 4


@pytest.mark.parametrize(
    "labels",
    [
        [True, False, True],
        [-1, 5, 7],
        ["a", "longer", "a"],
        np.array([1.0, 2.0, 2.0], dtype=np.float32),
        np.array([2, 1, 1], dtype=np.uint8),
        np.array(["x", "y", "y"], dtype=object),
        pd.Series(["x", "y", "y"], dtype="string"),
        pd.Series(["x", "y", "y"], dtype="category"),
    ],
    ids=str,
)
def test_labels_of_any_dtype_come_back(tmp_path, labels):
    X = np.random.default_rng(0).normal(size=(30, 2))
    y = np.tile(np.asarray(labels), 10)
    y = y if not isinstance(labels, pd.Series) else pd.concat([labels] * 10, ignore_index=True)
    clf = CounterfactualTrainedClassifier(max_epochs=1, random_state=0).fit(X, y)
    loaded = stored(clf, tmp_path)
    assert loaded.classes_.dtype == clf.classes_.dtype
    assert loaded.classes_.tolist() == clf.classes_.tolist()
    assert np.array_equal(loaded.predict(X), clf.predict(X))


@pytest.mark.parametrize(
    "categories",
    [
        ["low", "high"],
        ["low", None],
        [3, 1, 2],
        [True, False],
        [1.5, 2.5, None],
        [pd.Timestamp("2020-01-01"), pd.Timestamp("2021-01-01 10:30")],
        [pd.Timestamp("2020-01-01", tz="Europe/Berlin"), pd.Timestamp("2021", tz="Europe/Berlin")],
        [pd.Timedelta("1D"), pd.Timedelta("2h")],
        [pd.Interval(0, 1), pd.Interval(1, 2)],
        [("a", 1), ("b", 2)],
        [datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)],
        [Decimal("1.10"), Decimal("2.5")],
        [frozenset({"a"}), frozenset()],
        ["Ä\u2028\x00", "$array", "\U0001f600"],
        ["a", 1],
    ],
    ids=str,
)
@pytest.mark.parametrize("ordered", [False, True])
def test_categories_of_any_type_come_back(tmp_path, categories, ordered):
    present = [value for value in categories if value is not None]
    cells = pd.Series([*categories, *present] * 10, dtype=object)
    kind = pd.CategoricalDtype(pd.Index(present, dtype=object, tupleize_cols=False), ordered)
    X = pd.DataFrame({"kind": cells.astype(kind), "n": np.arange(len(cells)) % 7})
    clf = CounterfactualTrainedClassifier(max_epochs=1, random_state=0)
    clf.fit(X, np.arange(len(X)) % 2)
    loaded = stored(clf, tmp_path)
    known = clf.encoder_.schema.categories[0]
    values = loaded.encoder_.schema.categories[0].values
    assert values == known.values
    assert list(map(type, values)) == list(map(type, known.values))
    assert loaded.encoder_.schema.categories[0].ordered == ordered
    assert np.array_equal(loaded.predict_proba(X), clf.predict_proba(X))
    assert_same_rows(clf.explain(X.head(2)), loaded.explain(X.head(2)))


@pytest.mark.parametrize(
    "names",
    [
        ["a", "b"],
        [0, 1],
        [1.5, 2],
        [("a", 1), ("b", 2)],
        [pd.Timestamp("2020"), None],
        ["`|\n", ""],
    ],
    ids=str,
)
def test_names_of_any_type_come_back(tmp_path, names):
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 2)))
    X.columns = pd.Index(names, dtype=object, tupleize_cols=False)
    clf = CounterfactualTrainedClassifier(max_epochs=1, random_state=0).fit(X, X.iloc[:, 0] > 0)
    loaded = stored(clf, tmp_path)
    assert loaded.encoder_.names == clf.encoder_.names
    assert hasattr(loaded, "feature_names_in_") == hasattr(clf, "feature_names_in_")
    assert np.array_equal(loaded.predict_proba(X), clf.predict_proba(X))


def test_parameters_of_every_form_come_back(loans, tmp_path):
    X, y = loans
    parameters = {
        "hidden_layer_sizes": np.array([8, 4]),
        "mutability": {"children": "none", "*": "both"},
        "domain": {"income": (0, None), "job": ["cook", "pilot"], 1: (0, 3)},
        "feature_costs": {"income": np.float32(0.5)},
        "categorical_features": X.columns[2:],
        "resolution": {"income": 0.01},
        "special_values": {"children": [4]},
        "class_weight": {"granted": 1, "refused": 2.5},
        "device": torch.device("cpu"),
        "generator": ctsk.GenericGenerator(distance="mad"),
    }
    clf = CounterfactualTrainedClassifier(max_epochs=1, random_state=0, **parameters).fit(X, y)
    loaded = stored(clf, tmp_path)
    expected = {**clf.get_params(), "categorical_features": X.columns[2:].tolist()}
    assert repr(loaded.get_params()) == repr(expected)
    assert np.array_equal(loaded.fit(X, y).predict_proba(X), clf.fit(X, y).predict_proba(X))


CODE = {
    "module": small_module,
    "generator": Squared(),
    "optimizer": partial(torch.optim.SGD, momentum=0.9),
    "callbacks": [EpochScoring("accuracy", use_caching=False)],
}


@pytest.mark.parametrize("name", CODE)
def test_code_of_a_user_must_be_passed_to_load(iris, tmp_path, name):
    clf = fit(iris, **{name: CODE[name]})
    ctsk.save(clf, tmp_path / "model", resume=True)
    with pytest.raises(ValueError, match=f"parameter {name} .* ctsk.load\\(path, {name}=...\\)"):
        ctsk.load(tmp_path / "model")
    loaded = ctsk.load(tmp_path / "model", **{name: CODE[name]})
    assert np.array_equal(loaded.predict_proba(iris[0]), clf.predict_proba(iris[0]))
    assert_same_rows(
        clf.explain(iris[0][:9], generator=None), loaded.explain(iris[0][:9], generator=None)
    )
    for estimator in (clf, loaded):
        estimator.partial_fit(*iris)
    assert np.array_equal(loaded.predict_proba(iris[0]), clf.predict_proba(iris[0]))


@pytest.mark.parametrize("name", CODE)
def test_code_that_the_model_does_not_need_is_rejected_by_name(fitted_iris, tmp_path, name):
    ctsk.save(fitted_iris, tmp_path / "model")
    with pytest.raises(ValueError, match=f"parameter {name} of this model is stored"):
        ctsk.load(tmp_path / "model", **{name: CODE[name]})


def test_another_module_or_generator_is_rejected(iris, tmp_path):
    clf = fit(iris, module=small_module, generator=Squared())
    ctsk.save(clf, tmp_path / "model")

    def other(n_features, n_classes):
        return torch.nn.Linear(n_features, n_classes)

    with pytest.raises(ValueError, match="module builds a network whose weights are not those"):
        ctsk.load(tmp_path / "model", module=other, generator=Squared())
    with pytest.raises(ValueError, match="generator is a GenericGenerator"):
        ctsk.load(tmp_path / "model", module=small_module, generator=ctsk.GenericGenerator())


def test_loading_leaves_the_global_random_state_alone(iris, tmp_path):
    ctsk.save(fit(iris, module=small_module), tmp_path / "model")
    before = torch.random.get_rng_state()
    ctsk.load(tmp_path / "model", module=small_module)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_what_cannot_be_stored_is_an_error_that_names_it(iris, tmp_path):
    class Learned(Squared):
        def learn(self, reference):
            self.rows_ = [1, 2]
            return super().learn(reference)

    for clf, text in (
        (fit(iris, generator=Learned()), "generator cannot be stored: rows_ is a list"),
        (fit(iris).set_params(mutability={0: object()}), "parameter mutability cannot be stored"),
    ):
        with pytest.raises(TypeError, match=text):
            ctsk.save(clf, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_only_a_fitted_classifier_is_stored(fitted_iris, tmp_path):
    class Other(CounterfactualTrainedClassifier):
        pass

    with pytest.raises(TypeError, match="estimator is a Other"):
        ctsk.save(Other(), tmp_path / "model")
    with pytest.raises(ValueError, match="not fitted"):
        ctsk.save(CounterfactualTrainedClassifier(), tmp_path / "model")


@pytest.mark.parametrize("name", ["model", "model.zip"])
def test_a_model_is_replaced_and_anything_else_is_not(iris, fitted_iris, tmp_path, name):
    path = tmp_path / name
    ctsk.save(fitted_iris, path, resume=True)
    clf = fit(iris)
    ctsk.save(clf, path)
    assert np.array_equal(ctsk.load(path).predict_proba(iris[0]), clf.predict_proba(iris[0]))
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_with_other_files_is_not_replaced(fitted_iris, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to.txt").write_text("Dear")
    (tmp_path / "folder.zip").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "letters")
    for name in ("letters", "folder.zip", "link"):
        with pytest.raises(FileExistsError, match="is no model"):
            ctsk.save(fitted_iris, tmp_path / name)
    assert (tmp_path / "letters" / "to.txt").read_text() == "Dear"
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("name", ["model", "model.zip"])
def test_a_folder_that_does_not_exist_is_named_and_not_created(fitted_iris, tmp_path, name):
    path = tmp_path / "models" / name
    with pytest.raises(FileNotFoundError, match="there is no folder '.*models'. Create it") as info:
        ctsk.save(fitted_iris, path)
    assert f"path={str(path)!r}" in str(info.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["model", "model.zip"])
def test_a_failure_while_writing_keeps_the_former_model(fitted_iris, tmp_path, monkeypatch, name):
    ctsk.save(fitted_iris, tmp_path / name)

    def fail(descriptor):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        ctsk.save(fitted_iris, tmp_path / name)
    assert ctsk.load(tmp_path / name).n_iter_ == 30
    assert len(list(tmp_path.iterdir())) == 1


def test_no_unpickler_is_ever_entered(fitted_loans, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("A pickle was read or written.")

    for module, names in (
        (pickle, ("load", "loads", "Unpickler", "_Unpickler", "dump", "dumps", "Pickler")),
        (torch, ("load", "save")),
        (np, ("load", "save")),
    ):
        for name in names:
            monkeypatch.setattr(module, name, refuse)
    for name in ("model", "model.zip"):
        stored(fitted_loans, tmp_path, name=name, resume=True)


def test_weights_are_readable_by_the_package_safetensors(fitted_iris, tmp_path):
    safetensors = pytest.importorskip("safetensors.torch")
    ctsk.save(fitted_iris, tmp_path / "model")
    weights = safetensors.load_file(tmp_path / "model" / "weights.safetensors")
    for name, tensor in fitted_iris.net_.module_.state_dict().items():
        assert torch.equal(weights[f"module.{name}"], tensor)


def test_a_model_without_hidden_layers_is_loaded_in_inference_mode(iris, tmp_path):
    clf = fit(iris, hidden_layer_sizes=())
    ctsk.save(clf, tmp_path / "model")
    with torch.inference_mode():
        loaded = ctsk.load(tmp_path / "model")
    assert loaded.partial_fit(*iris).n_iter_ == 4


@pytest.mark.parametrize("name", ["version_1.zip", "version_1"])
def test_files_of_format_version_1_go_on_loading(name):
    clf = ctsk.load(DATA / name)
    expected = json.loads((DATA / "version_1.json").read_text())
    X = pd.DataFrame(expected["rows"]).astype({"owner": bool})
    np.testing.assert_allclose(clf.predict_proba(X), expected["proba"], rtol=1e-6)
    assert clf.explain(X).valid.all()
    assert clf.partial_fit(X, clf.predict(X)).n_iter_ == expected["n_iter"] + 1


def test_a_missing_path_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        ctsk.load(tmp_path / "absent")
    with pytest.raises(ModelFileError, match="model.json cannot be opened"):
        ctsk.load(tmp_path)


def test_the_card_shows_data_settings_and_figures(fitted_loans, tmp_path):
    ctsk.save(fitted_loans, tmp_path / "model")
    card = (tmp_path / "model" / "card.md").read_text()
    for text in (
        "Features: 5",
        "| `job` | category | `cook`, `nurse`",
        "| lr | `0.01` |",
        "train_loss",
    ):
        assert text in card


def test_a_zip_file_needs_no_compression(fitted_iris, tmp_path):
    ctsk.save(fitted_iris, tmp_path / "model.zip")
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        assert all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())
        archive.extractall(tmp_path / "unpacked")
    assert ctsk.load(tmp_path / "unpacked").n_iter_ == 30
