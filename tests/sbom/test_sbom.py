"""The bill of materials, and that nothing at run time is under a licence that the node cannot be under."""

from __future__ import annotations

import json
import re
from importlib.metadata import version

import pytest

from tests.sbom.cyclonedx import bill
from tests.sbom.inventory import Part, carried_files, packages, parts, run_time_packages
from tests.sbom.licences import OF_BUNDLED, bundled_name, is_copyleft

PARTS = parts()
RUN_TIME = [part for part in PARTS if part.is_run_time]


def test_nothing_at_run_time_is_under_the_gpl_or_agpl() -> None:
    assert [part for part in RUN_TIME if is_copyleft(part.licence)] == []


def test_of_all_that_runs_the_licence_is_known() -> None:
    assert [part.name for part in RUN_TIME if not part.licence] == []


def test_each_library_that_a_wheel_carries_is_known() -> None:
    assert {bundled_name(path.name) for path in carried_files(run_time_packages())} <= set(OF_BUNDLED)


def test_ffmpeg_is_built_without_what_is_under_the_gpl() -> None:
    libraries = [path for path in carried_files(run_time_packages()) if path.name.startswith("libav")]
    for path in libraries:
        if bundled_name(path.name) in {"libavcodec", "libavformat", "libavutil"}:
            content = path.read_bytes()
            assert b"LGPL version 2.1 or later" in content
            assert b"--enable-gpl" not in content


@pytest.mark.parametrize(
    ("expression", "is_one"),
    [
        ("GPL-3.0-or-later", True),
        ("AGPL-3.0-only", True),
        ("MIT AND GPL-2.0-only", True),
        ("GPL-2.0-only OR AGPL-3.0-only", True),
        ("MIT OR GPL-2.0-or-later", False),
        ("LGPL-2.1-or-later", False),
        ("GPL-3.0-or-later WITH GCC-exception-3.1", False),
        ("Apache-2.0 AND MIT", False),
        ("", False),
    ],
)
def test_what_demands_all_of_the_program_is_told_from_what_does_not(expression: str, is_one: bool) -> None:
    assert is_copyleft(expression) is is_one


def test_what_the_node_imports_is_a_part_of_it_and_what_tests_import_is_not() -> None:
    run_time = run_time_packages()
    assert {"pydicom", "numpy", "cryptography", "onnxruntime", "structlog", "openpyxl"} <= run_time
    assert not {"pytest", "hypothesis", "ruff", "mypy"} & run_time


def test_all_that_is_installed_from_the_lock_is_of_its_version() -> None:
    locked = [part for part in packages() if "/" not in part.name]
    assert len(locked) > 80
    assert [part.name for part in locked if part.is_run_time and version(part.name) != part.version] == []


def test_the_bill_names_each_part_once_and_only_parts_that_are_there() -> None:
    content = json.loads(bill(PARTS))
    assert (content["bomFormat"], content["specVersion"]) == ("CycloneDX", "1.6")
    assert re.fullmatch(r"urn:uuid:[0-9a-f-]{36}", content["serialNumber"])
    references = [each["bom-ref"] for each in content["components"]]
    assert len(references) == len(set(references)) == len(PARTS)
    known = {*references, content["metadata"]["component"]["bom-ref"]}
    for each in content["dependencies"]:
        assert each["ref"] in known
        assert set(each["dependsOn"]) <= known
    for each in content["components"]:
        assert each["type"] in {"library", "machine-learning-model"}
        assert each["scope"] in {"required", "excluded"}
    models = [each for each in content["components"] if each["type"] == "machine-learning-model"]
    assert len(models) >= 3
    assert all(re.fullmatch("[0-9a-f]{64}", each["hashes"][0]["content"]) for each in models)


def test_the_same_parts_give_the_same_bill() -> None:
    assert bill(PARTS) == bill(parts())
    other = [*PARTS, Part("another", "1", "MIT")]
    assert json.loads(bill(other))["serialNumber"] != json.loads(bill(PARTS))["serialNumber"]
