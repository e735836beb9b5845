"""Series and their plans, as a cleaning process meets them."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from deid.elements.pseudonyms import SOP_INSTANCE_UID, value_text
from deid.encoding.reader import read_data_set
from deid.faces import FacePlan
from node.errors import Misconfigured
from node.jobs import GatheredJob
from node.settings import DeliveryMode

if TYPE_CHECKING:
    from pathlib import Path

    from deid.context import Context
    from deid.instance import Instance
    from deid.profile import Profile
    from node.jobs import JobId
    from node.settings import Project

FACES, FACES_OPTION = "faces", "clean_recognizable_visual_features"
"""The step, and the option of a profile that demands it."""

_NUMBER_OF_SERIES_RELATED_INSTANCES = 0x0020_1209
_NUMBER = re.compile(r"\+?[0-9]{1,9}")  # PS3.5 Table 6.2-1, IS; no more than a node could hold
_MOST_KEPT = 4

_kept: dict[Path, tuple[tuple[int, int, int], FacePlan]] = {}


def stored_plan(path: Path) -> FacePlan | None:
    """Read a plan, or take it from memory if this process has read it before; None if there is none.

    A plan that cannot be read, as another version of this program wrote it, is deleted: another one has to be made.

    Raises
    ------
    OSError
        it cannot be read just now
    """
    try:
        status = path.stat()
        stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        kept = _kept.get(path)
        if kept is not None and kept[0] == stamp:
            return kept[1]
        plan = FacePlan.from_bytes(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        path.unlink(missing_ok=True)
        return None
    _kept.pop(path, None)
    while len(_kept) >= _MOST_KEPT:
        _kept.pop(next(iter(_kept)))
    _kept[path] = (stamp, plan)
    return plan


def gathered_job(job_id: JobId, series_code: str, instance: Instance, context: Context) -> GatheredJob:
    """Say of an instance that it needs its series, and what can be told of that.

    Raises
    ------
    Refused
        if it can't be read
    """
    source = read_data_set(instance.data, instance.transfer_syntax, context.limits)
    uid = value_text(source, SOP_INSTANCE_UID).encode("utf-8")
    code = hmac.digest(context.keys.uid, b"gathered " + uid, hashlib.sha256).hex()[:32]
    number = value_text(source, _NUMBER_OF_SERIES_RELATED_INSTANCES)
    return GatheredJob(job_id, series_code, code, int(number) if _NUMBER.fullmatch(number) else 0)


def check_delivery(project: Project, profile: Profile) -> None:
    """Look whether the project can wait for series, if its profile needs that.

    Raises
    ------
    Misconfigured
        if its senders wait for each instance's delivery
    """
    if project.delivery is DeliveryMode.DIRECT and FACES in profile.demands:
        raise Misconfigured(
            f"project {project.name}: profile {profile.name} cleans faces ({FACES_OPTION}), which needs whole series,"
            " but delivery = 'direct' answers for each instance; choose 'spooled', or another profile"
        )


def without_faces(context: Context) -> Context:
    """Give the same without the option to clean faces: for what can be said of an instance without its series."""
    profile = context.profile
    policy = replace(profile.policy, options=profile.options - {FACES_OPTION})
    return replace(context, profile=replace(profile, policy=policy, faces=None))
