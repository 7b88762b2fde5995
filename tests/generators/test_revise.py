import copy
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import ctsk
from ctsk import CounterfactualTrainedClassifier, REVISEGenerator
from ctsk._columns.constraints import Box
from ctsk._columns.one_hot import OneHotGroups
from ctsk.exceptions import PoorReconstructionWarning
from ctsk.generators import Reference

SMALL = {"n_latent": 4, "hidden_layer_sizes": (16,), "max_iter": 400}
CONVENTIONAL = {"lambda_div": 0, "lambda_adv": 0, "lambda_reg": 0}


def reference(rows, groups=None, seed=0):
    return Reference(
        rows=rows,
        labels=torch.zeros(len(rows), dtype=torch.int64),
        n_classes=2,
        groups=groups or OneHotGroups(rows.shape[1]),
        random=torch.Generator().manual_seed(seed),
    )


def correlated(n_rows=300, seed=0):
    """Four numbers that are two, nearly."""
    rng = np.random.default_rng(seed)
    codes = rng.normal(size=(n_rows, 2))
    rows = codes @ rng.normal(size=(2, 4)) + 0.05 * rng.normal(size=(n_rows, 4))
    return torch.tensor(rows, dtype=torch.float32)


@pytest.fixture(scope="module")
def linear_revise():
    """A generator whose autoencoder is linear, in double precision."""
    generator = REVISEGenerator(n_latent=2, hidden_layer_sizes=(), lambda_cost=0.05)
    generator.learn(reference(correlated()))
    generator.vae_.double()
    return generator


def test_no_step_changes_a_code_by_more_than_max_step(linear_revise):
    X = correlated(20, seed=2).double()
    box = Box(X - 9, X + 9, OneHotGroups(4))
    batch = linear_revise._first_batch(
        X, torch.zeros(20, dtype=torch.int64), box, torch.ones(4).double(), None
    )
    gradients = torch.randn(20, 4, generator=torch.Generator().manual_seed(0)).double() * 20
    moved = {}
    for cap in (None, 0.05):
        generator = copy.copy(linear_revise).set_params(max_step=cap)
        moved[cap] = generator.move(batch, gradients, box.groups).codes - batch.codes
    lengths = moved[None].abs().amax(dim=1, keepdim=True)
    assert (lengths > 0.05).any()
    torch.testing.assert_close(moved[0.05], moved[None] * (0.05 / lengths).clamp(max=1))


def test_every_step_descends_among_the_codes_and_is_clamped_among_the_rows(linear_revise):
    """The search by hand: NumPy, one row at a time, with the decoder's matrix."""
    rng = np.random.default_rng(1)
    W, b = rng.normal(size=(2, 4)), rng.normal(size=2)
    X = correlated(20, seed=2).double().numpy()
    targets = rng.integers(0, 2, 20)
    lower, upper = (X + sign * rng.uniform(0, 2, X.shape) for sign in (-1, 1))
    lower[:, 0] = upper[:, 0] = X[:, 0]
    tensors = [torch.tensor(array) for array in (W, b, X, targets, lower, upper)]
    result = linear_revise.search(
        lambda rows: rows @ tensors[0].T + tensors[1],
        tensors[2],
        tensors[3],
        Box(tensors[4], tensors[5], OneHotGroups(4)),
        costs=torch.ones(4, dtype=torch.float64),
        tau=0.9,
        T=15,
        return_path=True,
    )
    vae = linear_revise.vae_
    encoder, decoder, center, scale = vae.encoder[0], vae.decoder[0], vae.center, vae.scale
    E, e, D, d, m, s = (
        part.detach().numpy()
        for part in (encoder.weight, encoder.bias, decoder.weight, decoder.bias, center, scale)
    )
    for i, x in enumerate(X):
        z, state = (E @ ((x - m) / s) + e)[:2], x
        for t in range(15):
            logits = W @ state + b
            p = np.exp(logits - np.logaddexp(*logits))
            np.testing.assert_allclose(result.path[i, t], state, atol=1e-9)
            if p[targets[i]] >= 0.9:
                break
            slope = W.T @ (p - np.eye(2)[targets[i]]) + 0.05 * np.sign(state - x)
            held = ((slope < 0) & (state >= upper[i])) | ((slope > 0) & (state <= lower[i]))
            z = z - 0.25 * (D * s[:, None]).T @ np.where(held, 0, slope)
            state = np.clip((D @ z + d) * s + m, lower[i], upper[i])
        np.testing.assert_array_equal(result.path[i, :, 0], x[0])


def test_reconstruction_error_is_the_share_of_what_features_vary_that_is_lost():
    rng = np.random.default_rng(0)
    numbers = correlated(200).numpy()
    words = np.eye(3)[rng.integers(0, 3, 200)]
    constant = np.ones((200, 1))
    rows = torch.tensor(np.hstack([numbers, constant, words]), dtype=torch.float32)
    groups = OneHotGroups(5, (3,), (False,))
    generator = REVISEGenerator(**SMALL).learn(reference(rows, groups))
    decoded = generator.decode(generator.encode(rows)).numpy()
    errors = [np.mean((decoded[:, i] - numbers[:, i]) ** 2) / numbers[:, i].var() for i in range(4)]
    wrong = np.mean(decoded[:, 5:].argmax(axis=1) != words.argmax(axis=1))
    errors.append(wrong / (1 - words.mean(axis=0).max()))
    assert generator.reconstruction_error_ == pytest.approx(np.mean(errors), rel=1e-4)


def test_autoencoder_gives_correlated_rows_back_and_warns_of_noise_that_it_cannot():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        generator = REVISEGenerator(**{**SMALL, "max_iter": 1500}).learn(reference(correlated()))
    assert generator.reconstruction_error_ < 0.05
    noise = torch.randn(300, 20, generator=torch.Generator().manual_seed(0))
    with pytest.warns(PoorReconstructionWarning, match=r"loses \d+% .* Raise n_latent \(now 4\)"):
        REVISEGenerator(**SMALL).learn(reference(noise))


def test_scale_and_place_of_numbers_do_not_matter_to_the_autoencoder():
    rows = correlated()
    far = REVISEGenerator(**SMALL).learn(reference(1000 * rows + 5000))
    near = REVISEGenerator(**SMALL).learn(reference(rows))
    assert far.reconstruction_error_ == pytest.approx(near.reconstruction_error_, abs=0.02)


@pytest.mark.parametrize("constant", [2024.3, 0.1, 0.0])
def test_constants_neither_disturb_the_autoencoder_nor_count_as_lost(constant):
    rows = correlated()
    with_constant = torch.cat([rows, torch.full((len(rows), 1), constant)], dim=1)
    generator = REVISEGenerator(**{**SMALL, "max_iter": 1500}).learn(reference(with_constant))
    assert generator.reconstruction_error_ < 0.1


def test_hidden_layers_are_checked_by_name(iris):
    clf = CounterfactualTrainedClassifier(generator=REVISEGenerator(hidden_layer_sizes=(0,)))
    with pytest.raises(ValueError, match=r"hidden_layer_sizes=\(0,\) must contain positive"):
        clf.fit(*iris)


@pytest.mark.filterwarnings("ignore::ctsk.exceptions.PoorReconstructionWarning")
def test_autoencoder_and_net_do_not_start_at_the_same_weights(iris):
    generator = REVISEGenerator(**{**SMALL, "max_iter": 1, "lr": 1e-12})
    clf = CounterfactualTrainedClassifier(
        (16,), generator=generator, max_epochs=1, lr=1e-12, random_state=0
    ).fit(*iris)
    net, vae = clf.net_.module_[0].weight, clf.generator_.vae_.encoder[0].weight
    assert not torch.allclose(net, vae, atol=1e-3)


def test_autoencoder_that_diverges_is_an_error_that_names_the_remedy():
    with pytest.raises(ValueError, match="diverged. Lower its lr"):
        REVISEGenerator(lr=1e30, max_iter=50).learn(reference(correlated()))


@pytest.mark.parametrize(
    ("params", "name"),
    [({"n_latent": 0}, "n_latent"), ({"lr": 0}, "lr"), ({"max_iter": 1.5}, "max_iter")],
)
def test_parameter_out_of_range_is_refused_by_name_before_training(iris, params, name):
    clf = CounterfactualTrainedClassifier(generator=REVISEGenerator(**params))
    with pytest.raises(ValueError, match=f"'{name}' parameter of REVISEGenerator"):
        clf.fit(*iris)


@pytest.fixture(scope="module")
def clf(iris):
    """Do not refit."""
    return CounterfactualTrainedClassifier(
        generator=REVISEGenerator(**SMALL), max_epochs=20, random_state=0
    ).fit(*iris)


def test_training_and_explaining_by_revise_leave_the_global_random_state_alone(iris, clf):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    again = clone(clf).fit(*iris)
    one, other = (each.explain(iris[0][:40]) for each in (clf, again))
    np.testing.assert_array_equal(one.counterfactual, other.counterfactual)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002


def test_autoencoder_is_trained_once_and_kept_until_the_generator_changes(iris):
    clf = CounterfactualTrainedClassifier(
        generator=REVISEGenerator(**SMALL),
        max_epochs=2,
        warm_start=True,
        random_state=0,
        **CONVENTIONAL,
    ).fit(*iris)
    vae = clf.generator_.vae_
    assert clf.fit(*iris).generator_.vae_ is vae
    assert clf.partial_fit(*iris).generator_.vae_ is vae
    clf.set_params(generator__n_latent=3).partial_fit(*iris)
    assert clf.generator_.n_latent == 3
    assert clf.generator_.vae_ is not vae


def test_what_the_generator_learns_does_not_change_the_nets_own_draws(iris):
    """Searching nothing, a net ends at the same weights whatever its generator learns."""
    nets = [
        CounterfactualTrainedClassifier(
            generator=generator, max_epochs=3, random_state=0, **CONVENTIONAL
        )
        .fit(*iris)
        .net_
        for generator in ("eccco", REVISEGenerator(**SMALL))
    ]
    for one, other in zip(*(net.module_.parameters() for net in nets), strict=True):
        assert torch.equal(one, other)


def test_a_generator_that_has_to_learn_asks_for_rows(iris, fitted_iris):
    X = iris[0]
    with pytest.raises(ValueError, match=r"X_reference=X_train"):
        fitted_iris.explain(X[:3], generator="revise")
    explanation = fitted_iris.explain(X, generator=REVISEGenerator(**SMALL), X_reference=X, T=60)
    assert explanation.valid.mean() > 0.9


def test_the_generator_of_the_training_needs_no_rows_and_others_do(iris, clf):
    X = iris[0][:20]
    trained = clf.explain(X, generator=None)
    alike = clf.explain(X, generator=REVISEGenerator(**SMALL))
    np.testing.assert_array_equal(trained.counterfactual, alike.counterfactual)
    with pytest.raises(ValueError, match="learns from rows"):
        clf.explain(X, generator=REVISEGenerator(**{**SMALL, "n_latent": 3}))


def test_pipeline_whose_units_are_the_classifiers_searches_by_what_was_learnt(iris):
    X, y = iris
    clf = CounterfactualTrainedClassifier(
        generator=REVISEGenerator(**SMALL), max_epochs=20, random_state=0
    )
    pipeline = make_pipeline(StandardScaler(), clf).fit(X, y)
    inside = pipeline[-1].explain(pipeline[:-1].transform(X), generator=None)
    outside = ctsk.explain(pipeline, X, generator=None)
    np.testing.assert_allclose(
        pipeline[:-1].transform(outside.counterfactual), inside.counterfactual, atol=1e-4
    )


def test_pipeline_that_changes_nothing_searches_by_what_was_learnt_of_categories_too(loans):
    X, y = loans
    generator = REVISEGenerator(n_latent=8, max_iter=600)
    clf = CounterfactualTrainedClassifier(generator=generator, max_epochs=10, random_state=0)
    pipeline = make_pipeline("passthrough", clf).fit(X, y)
    outside = ctsk.explain(pipeline, X.head(20), generator=None)
    inside = pipeline[-1].explain(X.head(20), generator=None)
    found, expected = outside.counterfactual_encoded, inside.counterfactual_encoded
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.filterwarnings("ignore::ctsk.exceptions.PoorReconstructionWarning")
def test_pipeline_in_other_units_asks_for_rows(loans):
    X, y = loans
    X = X[["job", "grade"]].astype(object).fillna("none")
    clf = CounterfactualTrainedClassifier(
        generator=REVISEGenerator(**SMALL), max_epochs=5, random_state=0, **CONVENTIONAL
    )
    pipeline = make_pipeline(OneHotEncoder(sparse_output=False), clf).fit(X, y)
    with pytest.raises(ValueError, match="in these units"):
        ctsk.explain(pipeline, X.head(), generator=None)
    explanation = ctsk.explain(pipeline, X.head(), generator=None, X_reference=X)
    assert len(explanation) == 5


def test_decoded_rows_keep_immutable_features_and_domains(diabetes):
    X, y = diabetes
    clf = CounterfactualTrainedClassifier(
        generator=REVISEGenerator(**SMALL),
        mutability={"age": "none", "bmi": "decrease"},
        domain={"bp": (80, 100)},
        max_epochs=10,
        random_state=0,
    ).fit(X, y)
    found = clf.explain(X, T=60).counterfactual
    assert (found != X).to_numpy().any()
    pd_equal = found["age"].to_numpy() == X["age"].to_numpy()
    assert pd_equal.all()
    assert (found["bmi"] <= X["bmi"]).all()
    assert (found["bp"] >= np.minimum(80, X["bp"])).all()
    assert (found["bp"] <= np.maximum(100, X["bp"])).all()


def test_counterfactuals_of_digits_look_more_like_digits_than_generics():
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    from ctsk.metrics import implausibility

    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X / 16, y, random_state=0)
    clf = CounterfactualTrainedClassifier(
        standardize=False, max_epochs=40, random_state=0, **CONVENTIONAL
    ).fit(X, y)
    target = (y_test + 3) % 10
    distances = {}
    for name, generator in {"generic": "generic", "revise": REVISEGenerator(max_iter=1000)}.items():
        explanation = clf.explain(X_test, target, generator=generator, T=100, X_reference=X)
        assert explanation.valid.mean() > 0.95
        distances[name] = np.mean(
            [
                implausibility(explanation.counterfactual[[i]], X[y == target[i]])[0]
                for i in np.flatnonzero(explanation.valid)
            ]
        )
    assert distances["revise"] < distances["generic"]
