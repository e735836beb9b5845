"""Networks are what their manifest says, or nothing starts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deid.errors import Misconfigured
from deid.onnx import MANIFEST, Session, read_entry, shipped_models
from deid.text.network import Network
from tests.tiny_network import CLASSES, network_bytes, write_models

KNOWS = {"kowalski": ("B-NAME", 0.9)}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return write_models(tmp_path / "models", KNOWS)


def edit(models: Path, old: str, new: str) -> None:
    manifest = models / MANIFEST
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, new, 1))


def test_a_session_gives_the_outputs_of_the_manifest(models: Path) -> None:
    given = {name: np.ones((1, 3)) for name in ("input_ids", "shape_ids", "lexicon_ids", "attention_mask")}
    (logits,) = Session(read_entry(models, "ner")).run(given)
    assert (logits.shape, logits.dtype) == ((1, 3, len(CLASSES)), np.float32)


def test_a_network_that_the_manifest_does_not_name_is_missing(models: Path) -> None:
    with pytest.raises(Misconfigured, match=r"no table \[text_detection\]"):
        read_entry(models, "text_detection")


def test_an_entry_keeps_what_it_does_not_know_for_its_reader(models: Path) -> None:
    assert read_entry(models, "ner").extra["licence"] == "Apache-2.0"


def test_a_missing_manifest_is_said_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"manifest\.toml.*'ner'"):
        read_entry(tmp_path, "ner")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[ner]", "[nor]", "file must be there"),
        ("[ner]", "[[ner", "manifest.toml"),
        ('file = "ner/ner.onnx"', "file = 7", "file must be there and be of type str"),
        ('sha256 = "', 'sha = "', "sha256 must be there"),
        ('["int64", ["batch", "pieces"]]', '"int64"', r"name = \[\"type\", \[shape\]\]"),
        ('["int64", ["batch", "pieces"]]', '["int65", ["batch", "pieces"]]', "inputs and outputs are"),
        ("vocabulary_sha256 =", "vocabulary_sha =", "vocabulary_sha256 must be there"),
        ("lexicon =", "lexicons =", "lexicon must be there"),
        ("names =", "surnames =", "names must be there"),
        ("letters =", "letter =", "letters must be there"),
        ("'B-NAME', ", "", "labels must be"),
        ("input_ids =", "inputs_ids =", "inputs must be"),
        ("logits =", "scores =", "the output logits"),
        ('"pieces", 15]', '"pieces", 14]', "15"),
        ('attention_mask = ["int64", ["batch", "pieces"]]', 'attention_mask = ["int64", ["batch"]]', "two dimensions"),
        ('shape_ids = ["int64"', 'shape_ids = ["float32"', "input shape_ids is float32"),
        ('shape_ids = ["int64", ["batch", "pieces"]]', 'shape_ids = ["int64", ["batch", "pieces"], 3]', "inputs and"),
        ('licence = "', 'thresholds = { comments = "low" }\nlicence = "', "thresholds are numbers"),
        ('licence = "', 'thresholds = { remarks = 0.5 }\nlicence = "', "thresholds are numbers, for descriptions"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(models: Path, old: str, new: str, said: str) -> None:
    edit(models, old, new)
    with pytest.raises(Misconfigured, match=said) as refused:
        Network(read_entry(models, "ner"))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("file", ["ner/ner.onnx", "ner/vocab.txt"])
def test_a_file_that_was_altered_or_is_missing_is_refused(models: Path, file: str) -> None:
    with (models / file).open("ab") as opened:
        opened.write(b"\n")
    with pytest.raises(Misconfigured, match="SHA-256"):
        Network(read_entry(models, "ner"))
    (models / file).unlink()
    with pytest.raises(Misconfigured, match="No such file"):
        Network(read_entry(models, "ner"))


def with_network(models: Path, content: bytes) -> None:
    import hashlib

    entry = read_entry(models, "ner")
    (models / entry.file).write_bytes(content)
    edit(models, entry.sha256, hashlib.sha256(content).hexdigest())


def test_a_network_of_another_shape_is_refused(models: Path) -> None:
    vocabulary = (models / "ner" / "vocab.txt").read_text().split()
    with_network(models, network_bytes(vocabulary, KNOWS, classes=9))
    with pytest.raises(Misconfigured, match=r"output logits is float32.*9"):
        Network(read_entry(models, "ner"))


def test_what_is_no_network_is_refused_without_its_content(models: Path) -> None:
    with_network(models, b"Jane Doe")
    with pytest.raises(Misconfigured, match="can't be loaded") as refused:
        Network(read_entry(models, "ner"))
    assert "Jane" not in str(refused.value)


def test_a_vocabulary_that_cannot_cut_is_refused(models: Path) -> None:
    import hashlib

    entry = read_entry(models, "ner")
    (models / "ner" / "vocab.txt").write_bytes(b"[PAD]\n")
    edit(models, entry.extra["vocabulary_sha256"], hashlib.sha256(b"[PAD]\n").hexdigest())
    with pytest.raises(Misconfigured, match="a vocabulary without"):
        Network(read_entry(models, "ner"))


def test_the_runtime_is_one_silent_thread(models: Path) -> None:
    code = (
        "import os, threading; from pathlib import Path; import sys\n"
        "from deid.onnx import Session, read_entry\n"
        "before = len(os.listdir('/proc/self/task'))\n"
        "Session(read_entry(Path(sys.argv[1]), 'ner'))\n"
        "print(len(os.listdir('/proc/self/task')) - before, os.environ['ORT_DISABLE_TELEMETRY'])\n"
    )
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code, models], capture_output=True, text=True, check=True, env=env)
    assert (done.stdout, done.stderr) == ("0 1\n", "")


def test_shipped_models_lie_beside_the_packages() -> None:
    assert (shipped_models() / "ner" / "vocab.txt").is_file()
