"""The parts: packages of the lock, libraries that their wheels carry, networks, and what needs what."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.network import ROOT
from tests.sbom.licences import OF_BUNDLED, bundled_name, licence_of

PRODUCT = "deid-node"
_LOCKS = ("requirements.lock", "requirements-headless.lock")
_ENTRY = re.compile(r"^([A-Za-z0-9._-]+)==([^\s\\;]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that the node is made of.

    Attributes
    ----------
    kind
        library or machine-learning-model
    is_run_time
        whether the node needs it, and not only its tests
    sha256
        of the files that it may be installed from
    needs
        names of other parts
    """

    name: str
    version: str
    licence: str
    kind: str = "library"
    is_run_time: bool = True
    source: str = ""
    sha256: tuple[str, ...] = ()
    needs: tuple[str, ...] = field(default_factory=tuple)


def parts() -> list[Part]:
    """Return all parts, sorted by kind and name."""
    found = [*packages(), *models()]
    return sorted(found, key=lambda part: (part.kind, part.name))


def packages() -> Iterator[Part]:
    """Yield the packages of the lock, and the libraries that wheels carry."""
    locked, run_time = dict(_locked()), run_time_packages()
    for name, (version, hashes) in sorted(locked.items()):
        package = _installed(name)
        carried = sorted(_carried(package)) if package else []
        needs = [each for each in (_needs(package) if package else ()) if each in locked]
        licence = licence_of(package) if package else ""
        is_run_time = name in run_time
        yield Part(name, version, licence, "library", is_run_time, "", tuple(hashes), (*needs, *carried))
        for library in carried:
            own = OF_BUNDLED.get(library.partition("/")[2], "")
            yield Part(library, version, own, "library", is_run_time, f"in the wheel of {name}")


def models() -> Iterator[Part]:
    """Yield the networks that are shipped."""
    manifest = tomllib.loads((ROOT / "models" / "manifest.toml").read_text("utf-8"))
    for name, facts in manifest.items():
        digest = facts["sha256"]
        yield Part(
            f"model/{name}", digest[:12], facts["licence"], "machine-learning-model", True, facts["source"], (digest,)
        )


def run_time_packages() -> frozenset[str]:
    """Return what the node needs when it runs, extras included, as the metadata of what is installed say."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = [line for name, lines in project["optional-dependencies"].items() if name != "dev" for line in lines]
    waiting = [Requirement(line) for line in [*project["dependencies"], *extras]]
    found: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        wanted = waiting.pop()
        key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        package = _installed(key[0])
        if key in found or package is None:
            continue
        found.add(key)
        waiting += _requirements(package, wanted.extras)
    names = {name for name, _ in found}
    if "opencv-contrib-python" in names:  # the Makefile installs the other one over it
        names.add("opencv-contrib-python-headless")
    return frozenset(names)


def _requirements(package: Distribution, extras: set[str]) -> list[Requirement]:
    wanted = [Requirement(line) for line in package.requires or ()]
    environments = [{"extra": extra} for extra in extras] or [{"extra": ""}]
    return [
        each
        for each in wanted
        if each.marker is None or any(each.marker.evaluate(environment) for environment in environments)
    ]


def _needs(package: Distribution) -> list[str]:
    return sorted({canonicalize_name(each.name) for each in _requirements(package, set())})


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _carried(package: Distribution) -> set[str]:
    """Return the libraries in a wheel's folder of foreign libraries, as ``package/library``."""
    owner = canonicalize_name(package.metadata["Name"])
    return {f"{owner}/{bundled_name(file.name)}" for file in package.files or () if file.parts[0].endswith(".libs")}


def carried_files(names: frozenset[str]) -> Iterator[Path]:
    """Yield the files of foreign libraries in the wheels of packages."""
    for name in sorted(names):
        package = _installed(name)
        for file in (package.files or ()) if package else ():
            if file.parts[0].endswith(".libs"):
                yield Path(str(file.locate()))


def _locked() -> Iterator[tuple[str, tuple[str, list[str]]]]:
    for lock in _LOCKS:
        entries = re.split(r"(?m)^(?=[A-Za-z0-9])", (ROOT / lock).read_text("utf-8"))
        for entry in entries:
            if found := _ENTRY.match(entry):
                yield canonicalize_name(found[1]), (found[2], sorted(_HASH.findall(entry)))
