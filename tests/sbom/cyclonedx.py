"""The bill of materials as CycloneDX 1.6 (ECMA-424), the same bytes for the same parts."""

from __future__ import annotations

import json
import tomllib
import uuid
from collections.abc import Sequence
from typing import Any

from tests.network import ROOT
from tests.sbom.inventory import PRODUCT, Part

_NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # RFC 9562, of URLs


def bill(parts: Sequence[Part]) -> str:
    """Return the bill of materials of these parts."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    product = {
        "type": "application",
        "bom-ref": PRODUCT,
        "name": PRODUCT,
        "version": project["version"],
        "licenses": [{"expression": project["license"]}],
    }
    references = {part.name: _reference(part) for part in parts}
    needed = [references[part.name] for part in parts if part.is_run_time and part.kind != "library"]
    needed += [references[name] for name in _direct(project) if name in references]
    content: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": product},
        "components": [_component(part) for part in parts],
        "dependencies": [
            {"ref": PRODUCT, "dependsOn": sorted(needed)},
            *({"ref": references[part.name], "dependsOn": [references[name] for name in part.needs]} for part in parts),
        ],
    }
    serial = uuid.uuid5(_NAMESPACE, json.dumps(content, sort_keys=True))
    return json.dumps({**content, "serialNumber": f"urn:uuid:{serial}"}, indent=1) + "\n"


def _direct(project: dict[str, Any]) -> list[str]:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    return [canonicalize_name(Requirement(line).name) for line in project["dependencies"]]


def _component(part: Part) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": part.kind,
        "bom-ref": _reference(part),
        "name": part.name,
        "version": part.version,
        "scope": "required" if part.is_run_time else "excluded",
    }
    if part.licence:
        component["licenses"] = [{"expression": part.licence}]
    if _is_package(part):
        component["purl"] = _reference(part)
    if part.source:
        component["description"] = part.source
    if len(part.sha256) == 1:
        component["hashes"] = [{"alg": "SHA-256", "content": part.sha256[0]}]
    elif part.sha256:  # of each file that the lock allows; CycloneDX's hashes are of one file
        component["properties"] = [{"name": f"{PRODUCT}:locked-sha256", "value": each} for each in part.sha256]
    return component


def _reference(part: Part) -> str:
    return f"pkg:pypi/{part.name}@{part.version}" if _is_package(part) else f"{part.name}@{part.version}"


def _is_package(part: Part) -> bool:
    return part.kind == "library" and "/" not in part.name
