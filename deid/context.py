"""What a de-identification needs beside the instance."""

from __future__ import annotations

from dataclasses import dataclass, field

from deid.encoding.reader import Limits
from deid.keys import Keys
from deid.profile import Profile


@dataclass(frozen=True, slots=True)
class Context:
    """Profile, key and limits: made once per process and project, never changed."""

    profile: Profile
    keys: Keys
    limits: Limits = field(default_factory=Limits)
