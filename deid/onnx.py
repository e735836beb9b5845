"""Networks in ONNX files: found by a manifest, checked before they are believed, run on one thread.

`manifest.toml` has a table for each network in use::

    [ner]
    file = "ner/ner.onnx"                      # relative to the manifest
    sha256 = "…"
    bytes = 17412345
    licence = "Apache-2.0"
    source = "…"                               # what it was made from
    trained = "…"                              # commit and seed that make it again
    vocabulary = "ner/vocab.txt"               # whatever else the network's reader needs: `Entry.extra`
    [ner.inputs]
    input_ids = ["int64", ["batch", "pieces"]] # a name for a size that may vary
    [ner.outputs]
    logits = ["float32", ["batch", "pieces", 15]]
"""

from __future__ import annotations

import hashlib
import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from deid.errors import Misconfigured

MANIFEST = "manifest.toml"

Array = npt.NDArray[Any]

_TYPES = {"int64": "tensor(int64)", "float32": "tensor(float)", "uint8": "tensor(uint8)", "int32": "tensor(int32)"}
_FATAL = 4


@dataclass(frozen=True, slots=True)
class Tensor:
    """An input or output.

    Attributes
    ----------
    type
        ``int64``, ``float32``, …
    shape
        a number where the size is fixed, a name where it varies
    """

    type: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A table of the manifest.

    Attributes
    ----------
    name
        of the table
    folder
        that all files are relative to
    file, sha256
        of the network
    inputs, outputs
        by name, in order
    extra
        the other keys: those that only people read, and those of the reader
    """

    name: str
    folder: Path
    file: str
    sha256: str
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    extra: Mapping[str, Any]

    def content(self, file: str, sha256: str) -> bytes:
        """Return the content of one of the entry's files.

        Raises
        ------
        Misconfigured
            It can't be read, or isn't the file that the manifest means.
        """
        path = self.folder / file
        try:
            content = path.read_bytes()
        except OSError as error:
            raise Misconfigured(f"model {self.name}: {path}: {error.strerror}") from None
        if hashlib.sha256(content).hexdigest() != sha256:
            raise Misconfigured(f"model {self.name}: {path} is not the file that the manifest names (SHA-256)")
        return content

    def wrong(self, what: str) -> NoReturn:
        """Raise Misconfigured, with the manifest's path."""
        raise Misconfigured(f"{self.folder / MANIFEST}: [{self.name}] {what}")


def shipped_models() -> Path:
    """Return the folder of the shipped models: beside the packages, or below sys.prefix when installed."""
    checkout = Path(__file__).resolve().parents[1] / "models"
    return checkout if checkout.is_dir() else Path(sys.prefix) / "share" / "deid-node" / "models"


def read_entry(folder: Path, name: str) -> Entry:
    """Read one table of a folder's manifest.

    Raises
    ------
    Misconfigured
        There is no such manifest or table, or something in it is missing or of the wrong type.
    """
    path = folder / MANIFEST
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Misconfigured(f"{path}: {error.strerror}; a profile needs the model {name!r}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Misconfigured(f"{path}: {error}") from None
    table = raw.get(name)
    if not isinstance(table, dict):
        raise Misconfigured(f"{path}: no table [{name}]; a profile needs that model")
    return _entry(folder, name, table)


def _entry(folder: Path, name: str, table: dict[str, Any]) -> Entry:
    kinds = {"file": str, "sha256": str, "inputs": dict, "outputs": dict}
    for key, kind in kinds.items():
        if not isinstance(table.get(key), kind):
            raise Misconfigured(f"{folder / MANIFEST}: [{name}] {key} must be there and be of type {kind.__name__}")
    extra = {key: value for key, value in table.items() if key not in kinds}
    try:
        inputs, outputs = _tensors(table["inputs"]), _tensors(table["outputs"])
    except (TypeError, ValueError):
        raise Misconfigured(f'{folder / MANIFEST}: [{name}] inputs and outputs are name = ["type", [shape]]') from None
    return Entry(name, folder, table["file"], table["sha256"], inputs, outputs, extra)


def _tensors(table: Mapping[str, Any]) -> dict[str, Tensor]:
    return {name: _tensor(value) for name, value in table.items()}


def _tensor(value: Any) -> Tensor:  # noqa: ANN401  TOML
    type_, shape = value
    if type_ not in _TYPES or not all(isinstance(size, int | str) for size in shape):
        raise ValueError(type_)
    return Tensor(type_, tuple(shape))


class Session:
    """A network that has been checked, in memory.

    It has one thread, the caller's, and no state: it may be used by several threads, and by a process that was forked.

    Raises
    ------
    Misconfigured
        The file is missing, isn't the manifest's, or its inputs and outputs are not those of the manifest.
    """

    def __init__(self, entry: Entry) -> None:
        content = entry.content(entry.file, entry.sha256)
        self._inputs = entry.inputs
        self._names = list(entry.outputs)
        self._session = _session(entry, content)
        _compare(entry, "input", entry.inputs, self._session.get_inputs())
        _compare(entry, "output", entry.outputs, self._session.get_outputs())

    def run(self, inputs: Mapping[str, Array]) -> list[Array]:
        """Return the outputs, in the manifest's order.

        Parameters
        ----------
        inputs
            all of them, by name; a type that isn't the manifest's is converted
        """
        fed = {name: np.ascontiguousarray(inputs[name], tensor.type) for name, tensor in self._inputs.items()}
        return list(self._session.run(self._names, fed))


def _session(entry: Entry, content: bytes) -> Any:  # noqa: ANN401  onnxruntime has no types
    runtime = _runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.execution_mode = runtime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _FATAL
    options.enable_mem_pattern = False  # sizes vary
    options.enable_cpu_mem_arena = False  # an arena never shrinks
    try:
        return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001  onnxruntime's errors have no root of their own
        raise Misconfigured(f"model {entry.name}: {entry.file} can't be loaded ({type(error).__name__})") from None


@lru_cache(maxsize=1)
def _runtime() -> Any:  # noqa: ANN401  onnxruntime has no types
    """Import onnxruntime, which takes a while, and tell it to be silent before it could speak."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    try:
        import onnxruntime  # noqa: PLC0415
    except ImportError:
        raise Misconfigured("onnxruntime is not installed; a profile needs it for its models") from None
    onnxruntime.disable_telemetry_events()
    onnxruntime.set_default_logger_severity(_FATAL)
    return onnxruntime


def _compare(entry: Entry, what: str, wanted: Mapping[str, Tensor], found: list[Any]) -> None:
    """Compare what the manifest says with what the network says."""
    have = {each.name: each for each in found}
    if have.keys() != wanted.keys():
        entry.wrong(f"{what}s are {', '.join(sorted(wanted))}, those of the network {', '.join(sorted(have))}")
    for name, tensor in wanted.items():
        shape = have[name].shape
        is_same = have[name].type == _TYPES[tensor.type] and len(shape) == len(tensor.shape)
        if not is_same or not all(map(_fits, tensor.shape, shape)):
            entry.wrong(f"{what} {name} is {tensor.type}{list(tensor.shape)}, the network's {have[name].type}{shape}")


def _fits(wanted: int | str, found: object) -> bool:
    """Compare one size: what varies must be able to vary, what is fixed must not be another number."""
    return not isinstance(found, int) if isinstance(wanted, str) else found == wanted or not isinstance(found, int)
