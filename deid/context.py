"""What a de-identification needs beside the instance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from deid.encoding.reader import Limits
from deid.identity import Identity, KeyedIdentity
from deid.keys import Keys
from deid.onnx import read_entry, shipped_models
from deid.pixels import ocr
from deid.pixels.memory import Seen, SeriesPlaces
from deid.pixels.rewrite import silent
from deid.profile import Profile
from deid.text.ner import Ner
from deid.text.network import Network


@dataclass(frozen=True, slots=True)
class Context:
    """Profile, key, limits, who patients become, models: made once per process and project, never changed.

    Attributes
    ----------
    identity
        by default keyed codes; whatever it is, equal subjects get equal answers
    models
        the folder of the networks; None for the shipped ones
    progress
        is called once in a while by what may take long: with each frame that was looked at or written
    """

    profile: Profile
    keys: Keys
    limits: Limits = field(default_factory=Limits)
    identity: Identity = field(default_factory=KeyedIdentity)
    models: Path | None = None
    progress: Callable[[], None] = silent

    def ner(self) -> Ner | None:
        """Return what reads texts; None if the profile has them cleaned by rules alone.

        Raises
        ------
        Misconfigured
            The network is missing, altered or of the wrong shape.
        """
        return Ner(_network(self.models), self.profile.thresholds) if self.profile.text == "ner" else None

    @property
    def reader(self) -> str:
        """What tells this way to read texts from any other in the same process."""
        return f"{self.models} {dict(self.profile.thresholds)}" if self.profile.text == "ner" else ""

    def text_reader(self) -> ocr.Reader:
        """Return what finds and reads text in pictures, loaded once for each process.

        Raises
        ------
        Misconfigured
            A network is missing or altered, or what runs it can't be loaded.
        """
        return ocr.reader(self.models)

    def seen(self) -> Seen:
        """Return the frames that this process has looked at with these networks."""
        return _seen(self.models)

    def series_places(self) -> SeriesPlaces | None:
        """Return where this process has found lines in series; None unless the profile wants to know."""
        pixels = self.profile.pixels
        return _series_places(self.models, self.profile.name) if pixels is not None and pixels.series_memory else None

    def check(self, *, thoroughly: bool = False) -> None:
        """Try what the profile needs beside itself; nothing of it stays in memory, unless it is tried thoroughly.

        Parameters
        ----------
        thoroughly
            also load what runs the networks for pictures, which takes seconds and hundreds of megabytes

        Raises
        ------
        Misconfigured
            A network is missing, altered or of the wrong shape, or what runs it isn't installed.
        """
        if self.profile.reads_texts:
            _loaded(self.models)
        if self.profile.pixels is not None:
            ocr.check(self.models)
            if thoroughly:
                self.text_reader()


def _loaded(models: Path | None) -> Network:
    return Network(read_entry(models or shipped_models(), "ner"))


# Once for each process:
_network = lru_cache(maxsize=4)(_loaded)


@lru_cache(maxsize=2)
def _seen(models: Path | None) -> Seen:
    del models
    return Seen()


@lru_cache(maxsize=8)
def _series_places(models: Path | None, profile: str) -> SeriesPlaces:
    del models, profile
    return SeriesPlaces()
