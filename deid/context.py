"""What a de-identification needs beside the instance."""

from __future__ import annotations

from dataclasses import dataclass, field

from deid.encoding.reader import Limits
from deid.identity import Identity, KeyedIdentity
from deid.keys import Keys
from deid.profile import Profile


@dataclass(frozen=True, slots=True)
class Context:
    """Profile, key, limits and who patients become: made once per process and project, never changed.

    Attributes
    ----------
    identity
        by default keyed codes; whatever it is, equal subjects get equal answers
    """

    profile: Profile
    keys: Keys
    limits: Limits = field(default_factory=Limits)
    identity: Identity = field(default_factory=KeyedIdentity)
