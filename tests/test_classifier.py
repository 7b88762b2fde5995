import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch.callbacks import Callback

from ctsk import CounterfactualTrainedClassifier, ECCCoGenerator, GenericGenerator
from ctsk.exceptions import UnknownValueWarning

# The checks lower no max_epochs; as few as they can be passed with keep them fast.
CHECKED = [
    CounterfactualTrainedClassifier(max_epochs=10),
    CounterfactualTrainedClassifier(max_epochs=10, lr=0.01, standardize=False, generator="generic"),
]
# scikit-learn's own networks are not checked for this by default, either. It holds for a minibatch
# of all rows; see test_sample_weight.py.
REASON = "minibatches are shuffled, and counterfactuals are drawn"
NOT_EQUIVALENT = {
    f"check_sample_weight_equivalence_on_{kind}_data": REASON for kind in ("dense", "sparse")
}


@pytest.mark.filterwarnings("ignore::ctsk.exceptions.InertDivergenceWarning")
@parametrize_with_checks(CHECKED, expected_failed_checks=lambda estimator: NOT_EQUIVALENT)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def weights_of(clf):
    return torch.cat([w.detach().flatten() for w in clf.net_.module_.parameters()]).numpy()


def test_predictions_agree_with_each_other(fitted, fitted_iris, diabetes, iris):
    for clf, X in ((fitted, diabetes[0]), (fitted_iris, iris[0])):
        proba, scores = clf.predict_proba(X), clf.decision_function(X)
        np.testing.assert_allclose(proba.sum(axis=1), 1)
        assert_array_equal(clf.predict(X), clf.classes_[proba.argmax(axis=1)])
        if len(clf.classes_) == 2:
            np.testing.assert_allclose(scores, np.log(proba[:, 1] / proba[:, 0]))
        else:
            assert_array_equal(scores.argmax(axis=1), proba.argmax(axis=1))


def test_module_gives_the_logits(fitted_iris, iris):
    rows = torch.as_tensor(fitted_iris.encoder_.encode(iris[0])).float()
    with torch.no_grad():
        logits = fitted_iris.net_.module_(rows).numpy()
    np.testing.assert_allclose(logits, fitted_iris.decision_function(iris[0]), atol=1e-4)


@pytest.mark.parametrize("edit", ["data", "in place", "layer"])
def test_predictions_and_explanations_follow_weights_that_a_user_edits(iris, edit):
    X, y = iris
    clf = CounterfactualTrainedClassifier(max_epochs=4, lr=0.01, random_state=0).fit(X, y)
    target = clf.classes_[(clf.predict_proba(X).argmax(axis=1) + 1) % 3]
    clf.explain(X, target)
    module = clf.net_.module_
    if edit == "data":
        module[0].weight.data[:, 1:] = 0
    elif edit == "in place":
        with torch.no_grad():
            module[0].weight[:, 1:] = 0
    else:
        module[1] = torch.nn.Tanh()
    expected = module(torch.as_tensor(clf.encoder_.encode(X)).float()).detach().numpy()
    np.testing.assert_allclose(clf.decision_function(X), expected, atol=1e-4)
    explanation = clf.explain(X, target)
    logits = module(torch.as_tensor(explanation.counterfactual_encoded).float())
    np.testing.assert_allclose(explanation.proba, logits.softmax(dim=1).detach().numpy(), atol=1e-4)


def test_label_type_is_kept(diabetes):
    X, y = diabetes
    for labels in (y, y == "fast", (y == "fast").astype(int) + 5):
        clf = CounterfactualTrainedClassifier(max_epochs=1, random_state=0).fit(X, labels)
        assert_array_equal(clf.classes_, np.unique(labels))
        assert clf.predict(X).dtype == clf.classes_.dtype
        target = clf.classes_[0]
        assert_array_equal(clf.explain(X.head(3), target).target, [target] * 3)


def test_balanced_class_weight_counts_the_rare_class_for_more():
    X, y = make_classification(400, 5, weights=[0.9], flip_y=0.1, random_state=0)
    plain = CounterfactualTrainedClassifier(max_epochs=15, random_state=0).fit(X, y)
    balanced = clone(plain).set_params(class_weight="balanced").fit(X, y)
    by_dict = clone(plain).set_params(class_weight={k: 400 / (2 * np.sum(y == k)) for k in (0, 1)})
    assert balanced.predict(X).mean() > plain.predict(X).mean()
    np.testing.assert_allclose(weights_of(by_dict.fit(X, y)), weights_of(balanced), rtol=1e-5)


def test_warm_start_goes_on_where_the_last_fit_ended(iris):
    X, y = iris
    parameters = {"lr": 0.01, "random_state": 0}
    once = CounterfactualTrainedClassifier(max_epochs=6, **parameters).fit(X, y)
    twice = CounterfactualTrainedClassifier(max_epochs=3, warm_start=True, **parameters).fit(X, y)
    encoder = twice.encoder_
    assert_array_equal(weights_of(twice.fit(X, y)), weights_of(once))
    assert twice.n_iter_ == 6
    twice.fit(2 * X, y)
    assert twice.encoder_ is encoder


def test_warm_start_takes_up_changed_parameters(iris):
    """Counterfactual training as fine-tuning of a conventionally trained model."""
    clf = CounterfactualTrainedClassifier(
        lambda_div=0, lambda_adv=0, lambda_reg=0, max_epochs=2, warm_start=True, random_state=0
    ).fit(*iris)
    clf.set_params(lambda_div=0.5, lambda_adv=0.25, lambda_reg=0.1, lr=1e-4, mutability={0: "none"})
    clf.fit(*iris)
    assert np.isnan(clf.history_[1]["divergence"])
    assert np.isfinite(clf.history_[2]["divergence"])
    assert clf.net_.optimizer_.param_groups[0]["lr"] == 1e-4
    assert not clf.constraints_.may_rise[0]


def test_refit_starts_anew(iris):
    clf = CounterfactualTrainedClassifier(max_epochs=2, random_state=0).fit(*iris)
    first = weights_of(clf)
    assert_array_equal(weights_of(clf.fit(*iris)), first)
    assert clf.n_iter_ == 2


def test_partial_fit_is_one_epoch_at_a_time(iris):
    X, y = iris
    whole = CounterfactualTrainedClassifier(
        max_epochs=4, early_stopping=False, burn_in=0.0, random_state=0
    ).fit(X, y)
    parts = CounterfactualTrainedClassifier(burn_in=0.5, random_state=0)
    for _ in range(4):
        parts.partial_fit(X, y, classes=[0, 1, 2])
    assert parts.n_iter_ == 4
    assert_array_equal(weights_of(parts), weights_of(whole))


def test_partial_fit_learns_from_chunks_that_lack_classes(iris):
    X, y = iris
    clf = CounterfactualTrainedClassifier(lr=0.01, random_state=0)
    clf.partial_fit(X, y, classes=[0, 1, 2])
    for _ in range(15):
        for chunk in (y < 2, y == 2):
            clf.partial_fit(X[chunk], y[chunk])
    assert set(clf.predict(X)) == {0, 1, 2}


@pytest.mark.parametrize(
    ("classes", "labels", "message"),
    [
        (None, [0, 1], "classes must be passed on the first call"),
        ([0, 1], [0, 7], "label .*7.*row 1"),
        ([0], [0, 0], "1 class"),
    ],
)
def test_partial_fit_refuses_bad_classes(classes, labels, message):
    clf = CounterfactualTrainedClassifier()
    with pytest.raises(ValueError, match=message):
        clf.partial_fit([[0.0], [1.0]], labels, classes=classes)
    assert not [name for name in vars(clf) if name.endswith("_")]


def test_partial_fit_refuses_balanced_class_weight(iris):
    clf = CounterfactualTrainedClassifier(class_weight="balanced")
    with pytest.raises(ValueError, match="class_weight='balanced'.*dict"):
        clf.partial_fit(*iris, classes=[0, 1, 2])


PROGRAM = """
import hashlib, numpy as np, torch
from sklearn.datasets import load_iris
from ctsk import CounterfactualTrainedClassifier
X, y = load_iris(return_X_y=True)
clf = CounterfactualTrainedClassifier(max_epochs=5, random_state=3).fit(X, y)
explanation = clf.explain(X)
said = [clf.predict_proba(X), explanation.counterfactual, explanation.proba, explanation.n_iter]
print(hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in said)).hexdigest())
"""


def test_same_random_state_gives_the_same_bits_in_a_fresh_process():
    started = [
        subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE) for _ in range(2)
    ]
    runs = {process.communicate()[0] for process in started}
    assert len(runs) == 1
    assert len(runs.pop()) == 65


def test_random_state_instance_and_none_are_accepted(iris):
    X, y = iris
    seeded = [
        weights_of(
            CounterfactualTrainedClassifier(
                max_epochs=1, random_state=np.random.RandomState(seed)
            ).fit(X, y)
        )
        for seed in (0, 0, 1)
    ]
    assert_array_equal(seeded[0], seeded[1])
    assert not np.array_equal(seeded[0], seeded[2])
    free = [weights_of(CounterfactualTrainedClassifier(max_epochs=1).fit(X, y)) for _ in range(2)]
    assert not np.array_equal(*free)


class Dropping(torch.nn.Sequential):
    """A user's module that draws from torch's global random state, twice."""

    def __init__(self, n_features, n_classes):
        super().__init__(
            torch.nn.Linear(n_features, 8),
            torch.nn.Dropout(0.5),
            torch.nn.Linear(8, n_classes),
        )


@pytest.mark.parametrize("module", [None, Dropping])
@pytest.mark.parametrize("random_state", [None, 0])
def test_global_random_states_are_untouched(iris, module, random_state):
    np.random.seed(1)
    torch.manual_seed(1)
    numpy_before, torch_before = np.random.get_state(), torch.get_rng_state()
    clf = CounterfactualTrainedClassifier(module=module, max_epochs=2, random_state=random_state)
    clf.fit(*iris).explain(iris[0])
    clf.partial_fit(*iris)
    assert torch.equal(torch.get_rng_state(), torch_before)
    for now, before in zip(np.random.get_state(), numpy_before, strict=True):
        assert_array_equal(now, before)


def test_users_module_is_reproducible_by_random_state(iris):
    X, y = iris
    proba = [
        CounterfactualTrainedClassifier(module=Dropping, max_epochs=3, random_state=seed)
        .fit(X, y)
        .predict_proba(X)
        for seed in (0, 0, 1)
    ]
    assert_array_equal(proba[0], proba[1])
    assert not np.array_equal(proba[0], proba[2])


def test_users_module_keeps_its_own_weights(iris):
    def module(n_features, n_classes):
        linear = torch.nn.Linear(n_features, n_classes)
        torch.nn.init.zeros_(linear.weight)
        return linear

    clf = CounterfactualTrainedClassifier(module=module, max_epochs=1, lr=1e-9, random_state=0)
    assert np.abs(clf.fit(*iris).net_.module_.weight.detach().numpy()).max() < 1e-6


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (lambda n_features, n_classes: torch.nn.Linear(n_features, 1), r"\(150, 1\).*\(150, 3\)"),
        (lambda n_features, n_classes: 7, "torch.nn.Module.*int"),
        (torch.nn.Linear(4, 3), "a callable that builds one"),
    ],
)
def test_module_that_does_not_return_logits_is_refused(iris, module, message):
    with pytest.raises(ValueError, match=f"module.*{message}"):
        CounterfactualTrainedClassifier(module=module).fit(*iris)


@pytest.mark.parametrize(
    "optimizer", ["adam", "sgd", torch.optim.AdamW], ids=["adam", "sgd", "class"]
)
def test_optimizers_learn(iris, optimizer):
    clf = CounterfactualTrainedClassifier(
        optimizer=optimizer, lr=0.05, max_epochs=20, random_state=0
    )
    assert clf.fit(*iris).score(*iris) > 0.85


@pytest.mark.parametrize("sizes", [(), 7, (5,), [6, 4], np.array([3, 2])])
def test_hidden_layer_sizes(iris, sizes):
    clf = CounterfactualTrainedClassifier(sizes, max_epochs=1, random_state=0).fit(*iris)
    hidden = [layer.out_features for layer in clf.net_.module_ if hasattr(layer, "out_features")]
    assert hidden == [*np.atleast_1d(np.array(sizes, dtype=int)), 3]


@pytest.mark.parametrize(("n_rows", "expected"), [(50, 32), (5_000, 50), (200_000, 1_000)], ids=str)
def test_automatic_batch_size_is_a_hundredth_clipped(n_rows, expected):
    X = np.arange(n_rows, dtype=float)[:, None]
    clf = CounterfactualTrainedClassifier(
        (),
        lambda_div=0,
        lambda_adv=0,
        lambda_reg=0,
        max_epochs=1,
        early_stopping=False,
        random_state=0,
    ).fit(X, X[:, 0] > n_rows / 2)
    assert clf.net_.batch_size == expected


@pytest.mark.parametrize(("wanted", "drawn"), [(60, 60), (0.5, 75), (1.0, 150), (10**6, 150)])
def test_n_counterfactuals_is_a_number_or_a_share(iris, wanted, drawn):
    seen = []

    class Watching(GenericGenerator):
        def search(self, model, factuals, *args, **kwargs):
            seen.append(len(factuals))
            return super().search(model, factuals, *args, **kwargs)

    CounterfactualTrainedClassifier(
        n_counterfactuals=wanted,
        generator=Watching(),
        max_epochs=2,
        early_stopping=False,
        random_state=0,
    ).fit(*iris)
    assert seen == [drawn, drawn]


def test_nested_generator_parameters_need_an_instance():
    clf = CounterfactualTrainedClassifier(generator=ECCCoGenerator())
    assert clf.set_params(generator__lambda_energy=1.0).generator.lambda_energy == 1.0
    for generator in ("eccco", "unheard of"):
        with pytest.raises(ValueError, match=r"generator__lambda_energy.*=ECCCoGenerator\(\)"):
            clf.set_params(generator=generator, generator__lambda_energy=1.0)
    replaced = CounterfactualTrainedClassifier().set_params(
        generator=GenericGenerator(), generator__lambda_cost=0.5
    )
    assert replaced.generator.lambda_cost == 0.5


def test_generator_that_was_handed_in_is_not_the_one_that_is_fitted(iris):
    generator = ECCCoGenerator(lambda_energy=2.0)
    clf = CounterfactualTrainedClassifier(generator=generator, max_epochs=1).fit(*iris)
    assert clf.generator_ is not generator
    assert clf.generator_.lambda_energy == 2.0


def test_constraints_are_fitted_in_x_units(fitted, diabetes):
    X, _ = diabetes
    constraints = fitted.constraints_
    names = list(X.columns)
    assert not constraints.may_rise[[names.index("age"), names.index("sex")]].any()
    assert constraints.may_rise[names.index("s3")]
    assert not constraints.may_fall[names.index("s3")]
    assert (constraints.low <= X.min()).all()
    assert (constraints.high >= X.max()).all()


def test_small_fits_run_on_one_thread_and_restore_the_setting(iris, monkeypatch):
    from ctsk._torch import threads as _threads

    class Watching(Callback):
        seen = set()

        def on_batch_begin(self, net, **kwargs):
            self.seen.add(torch.get_num_threads())

    before = torch.get_num_threads()
    monkeypatch.setattr(_threads, "_DEFAULT_NUMBERS", {2})
    monkeypatch.setattr(_threads, "_IS_IN_ENVIRONMENT", False)
    torch.set_num_threads(2)
    try:
        clf = CounterfactualTrainedClassifier(max_epochs=1, callbacks=[Watching()]).fit(*iris)
        clf.explain(iris[0])
        assert torch.get_num_threads() == 2
        assert Watching.seen == {1}
    finally:
        torch.set_num_threads(before)


BAD_X = {
    "infinity": (lambda X: X.assign(s1=np.inf), "infinity in feature 's1'.*row 0"),
    "too large": (lambda X: X.assign(s1=1e300), "too large for float32.*feature 's1'"),
    "sparse": (lambda X: X.astype({"s1": "Sparse[float64]"}), "Column 's1'.*Sparse"),
    "dates": (lambda X: X.assign(age=pd.Timestamp("2026-01-01")), "Column 'age'.*datetime"),
}


@pytest.mark.parametrize(("spoil", "message"), BAD_X.values(), ids=BAD_X)
def test_bad_column_is_refused_by_name(fitted, diabetes, spoil, message):
    X, y = diabetes
    with pytest.raises(ValueError, match=message):
        CounterfactualTrainedClassifier().fit(spoil(X.copy()), y)
    for method in (fitted.predict, fitted.explain):
        with pytest.raises(ValueError, match=message):
            method(spoil(X.copy()))


def test_column_that_was_numeric_may_come_as_objects_but_not_as_words(fitted, diabetes):
    X, _ = diabetes
    objects = X.assign(sex=X["sex"].astype(object), age=X["age"].astype("category"))
    assert_array_equal(fitted.predict_proba(objects), fitted.predict_proba(X))
    with pytest.raises(ValueError, match="Column 'sex' of X was numeric.*cannot be converted"):
        fitted.explain(X.assign(sex="f"))


def test_categories_scales_and_domain_are_those_of_the_first_chunk(loans):
    X, y = loans
    first = X["job"].isin(["cook", "nurse"])
    clf = CounterfactualTrainedClassifier(lr=0.01, handle_unknown="error", random_state=0)
    clf.partial_fit(X[first], y[first], classes=["granted", "refused"])
    encoder, domain = clf.encoder_, clf.constraints_.high.copy()
    clf.partial_fit(X[first].assign(income=1e5), y[first])
    assert clf.encoder_ is encoder
    assert_array_equal(clf.constraints_.high, domain)
    before = clf.predict_proba(X[first])
    with pytest.raises(ValueError, match="Column 'job'.*unknown category 'pilot'"):
        clf.partial_fit(X[X["job"] != "cook"].dropna(), y[X["job"] != "cook"].iloc[:5])
    assert_array_equal(clf.predict_proba(X[first]), before)


def test_declared_categories_need_not_be_in_the_first_chunk(loans):
    X, y = loans[0].assign(job=loans[0]["job"].astype("category")), loans[1]
    known = X["job"].notna()
    clf = CounterfactualTrainedClassifier(handle_unknown="error", random_state=0)
    cooks = X["job"] == "cook"
    clf.partial_fit(X[cooks], y[cooks], classes=["granted", "refused"])
    clf.partial_fit(X[known], y[known])
    assert clf.n_iter_ == 2
    with pytest.raises(ValueError, match="Column 'job' of X holds a missing value"):
        clf.predict(X)


def test_categories_may_be_named_by_index_mask_or_not_at_all(loans):
    X, y = loans
    numbers = X[["income", "children"]]
    for features in (["children"], [1], [False, True]):
        clf = CounterfactualTrainedClassifier(
            categorical_features=features, max_epochs=1, random_state=0
        ).fit(numbers, y)
        assert list(clf.encoder_.schema.categories) == [1]
        found = clf.explain(numbers).counterfactual["children"]
        assert set(found) <= set(numbers["children"])
    with pytest.raises(ValueError, match="Column 'grade' of X has dtype category, but is not"):
        CounterfactualTrainedClassifier(categorical_features=None).fit(X, y)


def test_categories_in_an_array_are_named_by_index(iris):
    X = np.column_stack([iris[0], np.arange(150) % 4])
    clf = CounterfactualTrainedClassifier(categorical_features=[4], max_epochs=3, random_state=0)
    explanation = clf.fit(X, iris[1]).explain(X)
    assert explanation.counterfactual.dtype == X.dtype
    assert set(explanation.counterfactual[:, 4]) <= {0.0, 1.0, 2.0, 3.0}


def test_words_in_an_array_are_told_where_they_belong(loans):
    X, y = loans
    with pytest.raises(ValueError, match="X holds text .*Pass a DataFrame"):
        CounterfactualTrainedClassifier().fit(X[["job", "grade"]].astype(str).to_numpy(), y)


def test_one_class_only_is_refused(iris):
    with pytest.raises(ValueError, match=r"1 class \(n_samples=150\)"):
        CounterfactualTrainedClassifier().fit(iris[0], np.zeros(150))


@pytest.mark.parametrize(
    "parameters",
    [
        {"tau": 0.0},
        {"tau": 1.0},
        {"tau": 1.5},
        {"lambda_div": -0.1},
        {"lambda_adv": -0.1},
        {"lambda_reg": -0.1},
        {"T": 0},
        {"epsilon": 0},
        {"burn_in": 1.5},
        {"n_counterfactuals": 0},
        {"n_counterfactuals": 1.5},
        {"generator": "gradient"},
        {"hidden_layer_sizes": (5, 0)},
        {"hidden_layer_sizes": (2.5,)},
        {"activation": "gelu"},
        {"batch_size": 0},
        {"max_epochs": 0},
        {"lr": 0},
        {"optimizer": "lbfgs"},
        {"device": "abacus"},
        {"class_weight": "fair"},
        {"class_weight": {0: -1.0}},
        {"mutability": {"x0": "none", 0: "both"}},
        {"mutability": {"x0": "up"}},
        {"mutability": {"x9": "none"}},
        {"mutability": {4: "none"}},
        {"mutability": ["none"]},
        {"domain": {"x0": ((1, 2), 3)}},
        {"domain": {"x0": (2, 1)}},
        {"domain": {"x0": 3}},
        {"domain": {"x0": (np.nan, 1)}},
        {"domain": {"x7": (0, 1)}},
        {"domain": [(0, 1)]},
        {"domain": "wide"},
    ],
    ids=lambda parameters: " ".join(f"{name}={value}" for name, value in parameters.items()),
)
def test_bad_parameter_is_refused_by_name_and_leaves_nothing(iris, parameters):
    clf = CounterfactualTrainedClassifier(max_epochs=1).set_params(**parameters)
    name = next(iter(parameters))
    with pytest.raises(ValueError, match=f"'{name}'|{name}=|{name} (of|must|names)"):
        clf.fit(*iris)
    assert not [name for name in vars(clf) if name.endswith("_")]


@pytest.mark.parametrize("lambdas", [{}, {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}])
def test_bad_parameter_of_the_generator_is_refused_before_training(iris, lambdas):
    recorded = []
    callback = type(
        "Recorder", (Callback,), {"on_epoch_begin": lambda *_, **__: recorded.append(1)}
    )
    clf = CounterfactualTrainedClassifier(
        generator=ECCCoGenerator(step_size=-1), burn_in=0.5, callbacks=[callback()], **lambdas
    )
    with pytest.raises(ValueError, match="'step_size'"):
        clf.fit(*iris)
    assert not recorded


def test_columns_named_by_numbers_are_named_by_numbers(iris):
    X = pd.DataFrame(iris[0], columns=[3, 2, 1, 0])
    clf = CounterfactualTrainedClassifier(mutability={3: "none"}, lr=0.01, random_state=0)
    explanation = clf.fit(X, iris[1]).explain(X)
    assert_array_equal(explanation.counterfactual[3], X[3])
    assert 3 not in explanation.changes()["feature"].to_list()
    assert 0 in explanation.changes()["feature"].to_list()
    with pytest.raises(ValueError, match=r"names the feature 4.*Use a column name \(3, 2, 1, 0\)"):
        clf.set_params(mutability={4: "none"}).fit(X, iris[1])


def test_failed_refit_leaves_the_fitted_estimator_whole(diabetes):
    X, y = diabetes
    clf = CounterfactualTrainedClassifier(max_epochs=1, random_state=0).fit(X, y)
    before = clf.predict_proba(X)
    clf.set_params(domain={"bmi": (9, 1)})
    with pytest.raises(ValueError, match="domain of feature 'bmi'"):
        clf.fit(X[["bmi", "bp"]], y)
    assert_array_equal(clf.predict_proba(X), before)


def test_unknown_feature_error_proposes_a_name(diabetes):
    clf = CounterfactualTrainedClassifier(mutability={"BMI": "none"})
    with pytest.raises(ValueError, match="mutability.*'BMI'.*Did you mean 'bmi'"):
        clf.fit(*diabetes)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function", "explain"])
def test_asking_before_fit_is_refused(iris, method):
    with pytest.raises(NotFittedError):
        getattr(CounterfactualTrainedClassifier(), method)(iris[0])
    assert not hasattr(CounterfactualTrainedClassifier(), "history_")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("optimizer__weight_decay", r"functools.partial\(torch.optim.AdamW, weight_decay=0.1\)"),
        ("module__dropout", "module=lambda n_features, n_classes"),
        ("callbacks__patience", r"callbacks=\[EarlyStopping\("),
        ("hidden_layer_sizes__x", "Set hidden_layer_sizes itself"),
        ("lr__x", "Set lr itself"),
        ("generator__lambda_energy", r"generator=ECCCoGenerator\(\)"),
    ],
)
def test_nested_parameter_of_a_value_without_parameters_is_named_with_its_remedy(name, remedy):
    clf = CounterfactualTrainedClassifier()
    with pytest.raises(ValueError, match=f"'{name}' cannot be set.*{remedy}"):
        clf.set_params(tau=0.6, **{name: 0.1})
    assert clf.tau == 0.75


def test_unknown_nested_parameter_is_refused_as_by_scikit_learn():
    with pytest.raises(ValueError, match="Invalid parameter 'foo'"):
        CounterfactualTrainedClassifier().set_params(foo__bar=1)


def test_a_step_that_would_freeze_a_feature_is_an_error_of_fit():
    X = np.random.default_rng(0).uniform(2.6, 7, (60, 2))
    clf = CounterfactualTrainedClassifier(resolution={0: 100}, max_epochs=1)
    with pytest.raises(ValueError, match="resolution of feature 'x0' is 100.*no multiple of it"):
        clf.fit(X, (X[:, 1] > 5).astype(int))
    clf.set_params(domain={0: (0, 200)}).fit(X, (X[:, 1] > 5).astype(int))


def test_warm_start_takes_up_a_changed_handle_unknown():
    X = pd.DataFrame({"job": ["cook", "nurse"] * 20, "age": np.arange(40.0)})
    y = (X["age"] > 20).astype(int)
    other = X.assign(job=["pilot", *X["job"][1:]])
    clf = CounterfactualTrainedClassifier(max_epochs=1, warm_start=True, random_state=0).fit(X, y)
    clf.set_params(handle_unknown="error")
    with pytest.raises(ValueError, match="holds the unknown category 'pilot'"):
        clf.fit(other, y)
    # The failed fit has changed nothing.
    with pytest.warns(UnknownValueWarning):
        clf.predict(other)
    clf.fit(X, y)
    with pytest.raises(ValueError, match="holds the unknown category 'pilot'"):
        clf.predict(other)
    with pytest.warns(UnknownValueWarning):
        clf.set_params(handle_unknown="missing").fit(other, y)
