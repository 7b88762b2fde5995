"""A certificate holds what an explanation says, and its check notices what was changed."""

import copy
import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hostile_files import TAMPERINGS, check_certificate, signed
from random_schemas import random_model, random_request

import ctsk
from ctsk import CounterfactualTrainedClassifier
from ctsk._storing.json_text import digest_of
from ctsk._storing.values import from_json

SCRIPT = Path(__file__).parents[2] / "doc" / "guide" / "check_certificate.py"


@pytest.fixture(scope="module")
def certified(fitted_loans, loans, tmp_path_factory):
    """The folder of a model, and a certificate of six rows of it."""
    folder = tmp_path_factory.mktemp("certified") / "model"
    ctsk.save(fitted_loans, folder)
    explanation = fitted_loans.explain(
        loans[0].head(6), mutability={"children": "none"}, domain={"income": (0, None)}
    )
    return folder, ctsk.certificate(fitted_loans, explanation)


def run(folder, certificate, tmp_path):
    path = tmp_path / "certificate.json"
    path.write_text(certificate)
    command = [sys.executable, str(SCRIPT), str(path), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_script_has_at_most_80_lines_and_imports_numpy_alone():
    lines = SCRIPT.read_text().splitlines()
    assert len(lines) <= 80
    imported = {line.split()[1] for line in lines if line.startswith(("import ", "from "))}
    assert imported == {"hashlib", "json", "sys", "pathlib", "numpy"}


def test_the_script_accepts_a_certificate(certified, tmp_path):
    folder, certificate = certified
    done = run(folder, certificate, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ACCEPTED\n", "")


def test_the_script_rejects_a_certificate_of_another_model(certified, loans, tmp_path):
    other = CounterfactualTrainedClassifier(max_epochs=1, random_state=1).fit(*loans)
    ctsk.save(other, tmp_path / "other")
    done = run(tmp_path / "other", certified[1], tmp_path)
    assert done.returncode == 1
    assert "REJECTED: a digest is another one" in done.stderr


def test_the_script_notices_a_weight_that_was_changed(certified, tmp_path):
    folder, certificate = certified
    changed = tmp_path / "changed"
    changed.mkdir()
    content = bytearray((folder / "weights.safetensors").read_bytes())
    content[-40] ^= 64
    (changed / "weights.safetensors").write_bytes(content)
    (changed / "model.json").write_bytes((folder / "model.json").read_bytes())
    assert "REJECTED" in run(changed, certificate, tmp_path).stderr


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda function: function.__name__)
@pytest.mark.parametrize("is_signed", [False, True], ids=["old digest", "new digest"])
def test_a_certificate_that_was_tampered_with_is_rejected(certified, tampering, is_signed):
    folder, certificate = certified
    for seed in range(5):
        tampered = json.loads(certificate)
        tampering(tampered, random.Random(seed))
        assert tampered != json.loads(certificate)
        if is_signed:
            # Whoever knows the format computes the digest of the certificate again.
            tampered = signed(tampered)
        assert check_certificate(tampered, folder) != []


@pytest.mark.parametrize("number", range(8))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_certificates_of_columns_and_constraints_of_every_kind_are_accepted(number, tmp_path):
    chance, standardize = random.Random(number), [True, "quantile"][number % 2]
    settings = {"max_epochs": 2, "lr": 0.05, "n_counterfactuals": 30}
    model = random_model(chance, standardize=standardize, **settings)
    ctsk.save(model.clf, tmp_path / "model")
    for _ in range(2):
        rows, arguments, _, _ = random_request(chance, model)
        explanation = model.clf.explain(rows, T=8, **arguments)
        certificate = json.loads(ctsk.certificate(model.clf, explanation))
        assert check_certificate(certificate, tmp_path / "model") == []


def test_a_certificate_of_a_model_whose_curve_was_edited_is_rejected(loans, tmp_path):
    clf = CounterfactualTrainedClassifier(
        standardize="quantile", max_epochs=2, lr=0.05, random_state=0
    ).fit(*loans)
    ctsk.save(clf, tmp_path)
    certificate = json.loads(ctsk.certificate(clf, clf.explain(loans[0].head(4))))
    assert check_certificate(certificate, tmp_path) == []
    document = json.loads((tmp_path / "model.json").read_text())
    points = document["model"]["encoder"]["features"][0]["curve"]["points"]
    points[:] = [1.01 * point for point in points]
    (tmp_path / "model.json").write_text(json.dumps(document))
    assert "a digest is another one" in check_certificate(certificate, tmp_path)
    # A certificate that names the edited model claims probabilities that this does not give.
    certificate["model_sha256"] = digest_of(document["model"])
    problems = check_certificate(signed(certificate), tmp_path)
    assert "a digest is another one" not in problems
    assert "the factual of row 0 has other probabilities" in problems


def test_a_certificate_holds_the_rows_and_the_constraints_of_the_request(certified):
    document = json.loads(certified[1])
    features = dict(zip(document["features"], range(5), strict=True))
    for row in document["rows"]:
        factual = dict(zip(features, row["factual"], strict=True))
        may_become = dict(zip(features, row["may_become"], strict=True))
        assert may_become["children"] == [None, None, []]
        assert may_become["income"] == [0.0, {"$float": "inf"}, []]
        # The training rows hold no doctor, and a missing job cannot be reached.
        others = {"none", "school", "college"} - {factual["grade"]}
        assert set(may_become["grade"][2]) == others
        assert set(may_become["job"][2]) == {"cook", "nurse", "pilot"} - {factual["job"]}
        assert may_become["owner"] == [None, None, [not factual["owner"]]]


def test_a_certificate_states_proofs_and_probabilities(fitted_iris, iris):
    explanation = fitted_iris.explain(iris[0][:2], target=1, prove=True)
    rows = json.loads(ctsk.certificate(fitted_iris, explanation))["rows"]
    assert [row["proof"] for row in rows] == explanation.proof.tolist()
    assert [from_json(row["lower_bound"]) for row in rows] == explanation.lower_bound.tolist()
    assert [row["proba"] for row in rows] == explanation.proba.tolist()
    assert [row["counterfactual"] for row in rows] == explanation.counterfactual.tolist()


def test_a_part_of_an_explanation_has_a_certificate_of_its_own(fitted_loans, loans, certified):
    X = loans[0].head(6)
    # The constraints differ between the rows.
    mutability = [{"income": word} for word in ("both", "none", "increase") * 2]
    explanation = fitted_loans.explain(X, mutability=mutability)
    whole = json.loads(ctsk.certificate(fitted_loans, explanation))["rows"]
    part = json.loads(ctsk.certificate(fitted_loans, explanation[[4, 1]]))["rows"]
    assert part == [whole[4], whole[1]]


def test_a_certificate_after_loading_is_the_same(fitted_loans, loans, certified):
    loaded, X = ctsk.load(certified[0]), loans[0].head(3)
    certificates = [ctsk.certificate(clf, clf.explain(X)) for clf in (fitted_loans, loaded)]
    assert certificates[0] == certificates[1]


def test_unknown_categories_and_gaps_are_certified(fitted_loans, loans, tmp_path):
    X = loans[0].head(4).copy()
    X["job"] = ["judge", None, "cook", "baker"]
    with pytest.warns(ctsk.exceptions.UnknownValueWarning):
        explanation = fitted_loans.explain(X)
    certificate = json.loads(ctsk.certificate(fitted_loans, explanation))
    assert [row["factual"][3] for row in certificate["rows"]] == ["judge", None, "cook", "baker"]
    ctsk.save(fitted_loans, tmp_path / "model")
    assert check_certificate(certificate, tmp_path / "model") == []
    # From one unknown category to another, which no search does.
    changed = copy.deepcopy(certificate)
    changed["rows"][0]["counterfactual"] = [*changed["rows"][0]["factual"]]
    changed["rows"][0]["counterfactual"][3] = "baker"
    assert check_certificate(signed(changed), tmp_path / "model") != []


def test_an_explanation_of_another_model_is_rejected(fitted_iris, fitted_loans, iris, loans):
    explanation = fitted_loans.explain(loans[0].head(2))
    with pytest.raises(ValueError, match="not one of this model"):
        ctsk.certificate(fitted_iris, explanation)
    other = CounterfactualTrainedClassifier(max_epochs=1, random_state=1).fit(*loans)
    with pytest.raises(ValueError, match="not one of this model"):
        ctsk.certificate(other, explanation)


def test_a_module_of_a_user_has_no_certificate(iris):
    clf = CounterfactualTrainedClassifier(
        module=lambda n_features, n_classes: torch.nn.Linear(n_features, n_classes),
        max_epochs=1,
        random_state=0,
    ).fit(*iris)
    with pytest.raises(ValueError, match="module of this model is a network of your own"):
        ctsk.certificate(clf, clf.explain(iris[0][:1]))
    with pytest.raises(TypeError, match="model is a Linear"):
        ctsk.certificate(torch.nn.Linear(1, 1), np.zeros(1))
