"""Runs in the peers' own environment: ``python peer_runner.py PEER IN OUT``; prints its version, then its failures."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path


def _dicognito() -> Callable[[Path, Path], None]:
    import pydicom
    from dicognito.anonymizer import Anonymizer

    anonymizer = Anonymizer(seed="header exam")

    def run(source: Path, target: Path) -> None:
        with pydicom.dcmread(source, force=False) as data_set:
            anonymizer.anonymize(data_set)
            data_set.save_as(target)

    return run


def _dicom_anonymizer() -> Callable[[Path, Path], None]:
    from dicomanonymizer import anonymize_dicom_file

    def run(source: Path, target: Path) -> None:
        anonymize_dicom_file(str(source), str(target))

    return run


_PEERS = {"dicognito": _dicognito, "dicom-anonymizer": _dicom_anonymizer}


def main(peer: str, source: Path, target: Path) -> None:
    """Anonymize every file of `source` under the same name in `target`."""
    print(version(peer))
    run = _PEERS[peer]()
    for file in sorted(source.iterdir()):
        try:
            run(file, target / file.name)
        except Exception as error:  # noqa: BLE001  a peer may fail in any way; the instance counts as missing
            (target / file.name).unlink(missing_ok=True)
            print(f"{type(error).__name__}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
