"""Damaged and malicious files end in a clear error, and execute nothing."""

import os
import pickle
import random

import numpy as np
import pytest
import torch
from hostile_files import (
    DAMAGES,
    EDITS,
    archive_of,
    attempt,
    resigned,
    state_text,
    written,
)

import ctsk
from ctsk.exceptions import ModelFileError


@pytest.fixture(scope="module")
def files(fitted_loans, tmp_path_factory):
    """The files of a model, with the state of its optimizer."""
    folder = tmp_path_factory.mktemp("files") / "model"
    ctsk.save(fitted_loans, folder, resume=True)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def no_unpickler(monkeypatch):
    """Let every entry to an unpickler fail."""

    def refuse(*args, **kwargs):
        raise AssertionError("A pickle was read.")

    for module, names in (
        (pickle, ("load", "loads", "Unpickler", "_Unpickler")),
        (torch, ("load",)),
        (np, ("load",)),
    ):
        for name in names:
            monkeypatch.setattr(module, name, refuse)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda function: function.__name__)
def test_no_damage_goes_unnoticed(
    fitted_loans, loans, files, damage, tmp_path, no_unpickler, recwarn
):
    original = state_text(fitted_loans)
    for seed in range(40):
        written(tmp_path / str(seed), damage(files, random.Random(seed)))
        outcome = attempt(tmp_path / str(seed), original, loans[0].head(3))
        # Some bytes of an archive, such as dates, mean nothing to the model.
        assert outcome == "rejected" or (outcome == "unchanged" and "archive" in damage.__name__)


@pytest.mark.parametrize("edit", EDITS, ids=lambda function: function.__name__)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_edits_with_right_digests_end_in_an_error_or_a_working_model(
    fitted_loans, loans, files, edit, tmp_path, no_unpickler
):
    original, outcomes = state_text(fitted_loans), []
    for seed in range(60):
        written(tmp_path / str(seed), edit(files, random.Random(seed)))
        outcomes.append(attempt(tmp_path / str(seed), original, loans[0].head(3)))
    assert outcomes.count("rejected") > len(outcomes) / 5


def test_a_link_is_not_followed(files, tmp_path):
    written(tmp_path / "model", files)
    secret = tmp_path / "secret"
    secret.write_bytes(files["weights.safetensors"])
    (tmp_path / "model" / "weights.safetensors").unlink()
    (tmp_path / "model" / "weights.safetensors").symlink_to(secret)
    with pytest.raises(ModelFileError, match="weights.safetensors"):
        ctsk.load(tmp_path / "model")


def test_a_pipe_does_not_block(files, tmp_path):
    written(tmp_path / "model", files)
    (tmp_path / "model" / "card.md").unlink()
    os.mkfifo(tmp_path / "model" / "card.md")
    with pytest.raises(ModelFileError, match="card.md is no regular file"):
        ctsk.load(tmp_path / "model")


def test_other_files_of_a_folder_such_as_a_signature_are_ignored(files, tmp_path):
    written(tmp_path / "model", {**files, "model.sig": b"a signature"})
    assert ctsk.load(tmp_path / "model").n_iter_ == 30


def test_a_file_that_grows_is_not_read_beyond_its_size(files, tmp_path):
    written(tmp_path / "model", {**files, "card.md": files["card.md"] + b" " * 10**6})
    with pytest.raises(ModelFileError, match="card.md is larger than it should be"):
        ctsk.load(tmp_path / "model")


def test_a_compressed_archive_names_the_remedy(files, tmp_path):
    import zipfile

    archive = archive_of(files.items(), compression=zipfile.ZIP_DEFLATED)
    (tmp_path / "model.zip").write_bytes(archive)
    with pytest.raises(ModelFileError, match="is compressed; unpack the archive"):
        ctsk.load(tmp_path / "model.zip")


def test_a_later_format_version_is_named(files, tmp_path):
    import json

    document = json.loads(files["model.json"])
    document["format_version"] = 2
    written(tmp_path / "model", resigned(files, document))
    with pytest.raises(ModelFileError, match="format version is 2, which a later version of ctsk"):
        ctsk.load(tmp_path / "model")
