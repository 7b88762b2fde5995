"""What is stored goes by settings and versions, and not by the text of the code."""

import joblib
import kept
import models
import numpy as np
import pytest
from protocol import split

from ctsk import CounterfactualTrainedClassifier, ECCCoGenerator


@pytest.fixture
def store(tmp_path):
    return kept.Store(tmp_path)


def counting(calls, result=1):
    def outcome(name, seed, step=0.1, **parameters):
        calls.append((name, seed, step, parameters))
        return result

    return outcome


def test_each_call_is_computed_once_however_its_arguments_are_written(store):
    calls = []
    outcome = store.cache(counting(calls, result=np.arange(3)))
    first = outcome("moons", 0, tau=0.5, T=3)
    second = outcome(seed=0, name="moons", T=3, step=0.1, tau=0.5)
    np.testing.assert_array_equal(first, second)
    assert len(calls) == 1
    for other in (("moons", 1), ("circles", 0), ("moons", 0, 0.25)):
        outcome(*other)
    outcome("moons", 0, tau=0.6, T=3)
    assert len(calls) == 5


def test_other_code_with_the_same_version_finds_the_same_results(store):
    store.cache(counting([]))("moons", 0)

    def outcome(name, seed, step=0.1, **parameters):
        """Do the same in other words."""
        raise AssertionError("The result is stored.")

    outcome.__qualname__ = counting([]).__qualname__
    assert store.cache(outcome)("moons", 0) == 1


@pytest.mark.parametrize("changed", ["version", "protocol", "settings"])
def test_a_new_version_or_new_settings_are_computed_again(store, monkeypatch, changed):
    calls, settings = [], {"tau": 0.5}
    outcome = counting(calls)
    cached = store.cache(outcome, settings=lambda *_: settings)
    cached("moons", 0)
    if changed == "version":
        cached = store.cache(outcome, version=2, settings=lambda *_: settings)
    elif changed == "protocol":
        monkeypatch.setattr(kept, "PROTOCOL", kept.PROTOCOL + 1)
    else:
        settings["tau"] = 0.6
    cached("moons", 0)
    assert len(calls) == 2


def test_an_interrupted_call_leaves_nothing_behind_that_counts_as_a_result(store, monkeypatch):
    calls = []
    outcome = store.cache(counting(calls))
    path = outcome.path("moons", 0)

    def interrupted(result, file):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(joblib, "dump", interrupted)
        with pytest.raises(KeyboardInterrupt):
            outcome("moons", 0)
    assert not path.exists()
    outcome("moons", 0)
    assert path.exists()
    assert len(calls) == 2


def test_a_result_of_a_class_that_is_gone_is_computed_again(store):
    calls = []
    outcome = store.cache(counting(calls))
    outcome("moons", 0)
    # The pickle of a class of a module that does not exist: protocol 0, "c<module>\n<name>\n.".
    outcome.path("moons", 0).write_bytes(b"cno_such_module\nName\n.")
    assert outcome("moons", 0) == 1
    assert len(calls) == 2


def test_clear_discards_all_results(store):
    calls = []
    outcome = store.cache(counting(calls))
    outcome("moons", 0)
    store.clear()
    outcome("moons", 0)
    assert len(calls) == 2


def test_a_generator_is_described_by_its_parameters():
    def described(**settings):
        return kept.description(CounterfactualTrainedClassifier(**settings))

    equal = [described(generator=ECCCoGenerator(lambda_energy=2)) for _ in range(2)]
    assert equal[0] == equal[1]
    assert equal[0] != described(generator=ECCCoGenerator(lambda_energy=3))
    assert equal[0] != described(generator="eccco")


def test_a_model_is_stored_by_all_of_its_parameters(monkeypatch):
    call = "moons", 0, "CT"
    before = models.train.path(*call)
    assert models.train.path(*call, protected=False) == before
    with monkeypatch.context() as patch:
        patch.setattr(models, "VARIANTS", {"CT": (CounterfactualTrainedClassifier, {"T": 29})})
        assert models.train.path(*call) != before
    assert models.train.path(*call) == before


# Probabilities of some test rows under models of two epochs, for the version of the protocol.
RECORDED = {
    1: {
        "BL": [0.927, 0.060, 0.754, 0.787, 0.916, 0.076],
        "CT": [0.840, 0.149, 0.695, 0.724, 0.804, 0.171],
    },
}


@pytest.mark.parametrize("variant", ["BL", "CT"])
def test_the_version_of_the_protocol_is_that_of_the_numbers(variant):
    clf = models.train.func("moons", 0, variant, max_epochs=2)
    X, _ = split("moons", 0).test
    found = clf.predict_proba(X[:6])[:, 1]
    # Other seeds differ by more than 0.03. If this fails because the package trains differently,
    # raise `kept.PROTOCOL` and record the new numbers here; new defaults need new numbers only.
    np.testing.assert_allclose(found, RECORDED[kept.PROTOCOL][variant], atol=0.005)
