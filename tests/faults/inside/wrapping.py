"""Wraps functions of the product from outside, as their modules are imported."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

Wrap = Callable[[Any], Any]


def install(wrapped: Mapping[str, Mapping[str, Wrap]]) -> None:
    """Wrap functions and methods by their module and their name in it."""
    sys.meta_path.insert(0, _Finder(wrapped))


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, wrapped: Mapping[str, Mapping[str, Wrap]]) -> None:
        self._wrapped = wrapped

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name not in self._wrapped:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self._wrapped[name])
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, loader: importlib.abc.Loader, wraps: Mapping[str, Wrap]) -> None:
        self._loader = loader
        self._wraps = wraps

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        for name, wrap in self._wraps.items():
            *owners, last = name.split(".")
            owner: Any = module
            for each in owners:
                owner = getattr(owner, each)
            # an AttributeError ends the process: the product calls it something else now
            setattr(owner, last, wrap(getattr(owner, last)))
