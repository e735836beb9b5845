"""A head of many slices, a node that is to take its face, and what has to come out of it."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pydicom

from deid.context import Context
from deid.engine import deidentify
from deid.faces import FacePlan, plan_series
from deid.instance import Instance
from deid.keys import Keys
from deid.profile import load_profile
from node.dimse import a_abort, c_store_rq
from tests.heads import Head, Scan, files
from tests.integration.receiving import Sender
from tests.network import KEY, Node
from tests.sender import send

FACES_CODE = "113102"
QUIET_S = 3.0
PROFILE = 'text = "rules"\noptions = ["clean_recognizable_visual_features", "retain_long_modified_dates"]\n'

_CT = "1.2.840.10008.5.1.4.1.1.2"


@dataclass
class Series:
    """A head CT on a modality's disk.

    Attributes
    ----------
    paths
        in random order
    """

    folder: Path
    paths: list[Path]

    @classmethod
    def of(cls, folder: Path, seed: int, slices: int, size: int = 64) -> Series:
        """Scan the head of a person into `folder`."""
        folder.mkdir(parents=True)
        scan = Scan(shape=(slices, size, size), step_mm=(240.0 / slices, 256.0 / size, 256.0 / size))
        paths = []
        for number, file in enumerate(files(Head.of(seed), scan, seed=seed)):
            paths.append(folder / f"{number:04d}.dcm")
            paths[-1].write_bytes(file)
        (folder.parent / "own.toml").write_text(PROFILE)
        return cls(folder, paths)

    @cached_property
    def context(self) -> Context:
        """What the node cleans with."""
        return Context(load_profile(self.folder.parent / "own.toml"), Keys.from_secret(KEY))

    def instance(self, path: Path) -> Instance:
        return Instance.from_part10(path.read_bytes())

    def plan(self, paths: Sequence[Path]) -> FacePlan:
        """Plan with these slices alone."""
        return plan_series(map(self.instance, paths), self.context)

    def defaced(self, plan: FacePlan) -> dict[str, bytes]:
        """Return what has to come out: new SOP Instance UID → Data Set."""
        cleaned = (deidentify(self.instance(path), self.context, plan).clean for path in self.paths)
        return {each.sop_instance_uid: b"".join(each.chunks) for each in cleaned}

    def node(self, folder: Path, archive_port: int, **work: object) -> Node:
        """Return a node that cleans faces."""
        folder.mkdir(exist_ok=True)
        (folder / "own.toml").write_text(PROFILE)
        sections: dict[str, dict[str, object]] = {
            "faces": {"quiet_s": QUIET_S},
            "work": {"processes": 2, **work},
            "forward": {"first_retry_s": 0.1, "max_retry_s": 1.0},
        }
        return Node(folder, archive_port, profile="./own.toml", sections=sections)


def data_set(path: Path) -> bytes:
    """Return the encoded Data Set of a file."""
    return bytes(Instance.from_part10(path.read_bytes()).data)


def send_all(paths: Sequence[Path], port: int, deadline_s: float = 240.0) -> None:
    """Send until each has been acknowledged, over new associations where one is lost, as modalities do.

    Raises
    ------
    TimeoutError
        if that takes too long
    """
    give_up_at_s = time.monotonic() + deadline_s
    unsent = list(paths)
    while unsent:
        unsent = [answer.path for answer in send(unsent, port) if not answer.is_acknowledged]
        if unsent:
            if time.monotonic() > give_up_at_s:
                raise TimeoutError(f"{len(unsent)} of {len(paths)} not acknowledged")
            time.sleep(0.1)


def send_by_several(paths: Sequence[Path], port: int, associations: int, aborting: int = 0, seed: int = 0) -> None:
    """Send in random order by several associations at once; one of them breaks off in the middle of a slice at first.

    Parameters
    ----------
    aborting
        so many slices are sent by that one before it breaks off
    """
    order = list(paths)
    random.Random(seed).shuffle(order)
    shares = [order[number::associations] for number in range(associations)]

    def run(number: int) -> None:
        share = shares[number]
        if number == 0 and aborting:
            send_all(share[:aborting], port)
            abort_in(share[aborting], port)
            share = share[aborting:]
        send_all(share, port)

    with ThreadPoolExecutor(associations) as threads:
        list(threads.map(run, range(associations)))


def abort_in(path: Path, port: int) -> None:
    """Abort an association when half a slice has been sent."""
    instance = Instance.from_part10(path.read_bytes())
    uid = str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID)
    with suppress(OSError), Sender(port) as sender:  # or the node was killed before
        sender.associate((_CT, [instance.transfer_syntax]))
        sender.send_command(1, c_store_rq(1, _CT, uid))
        sender.send_data(1, bytes(instance.data[: len(instance.data) // 2]), last=False, step=4096)
        sender.send(a_abort())


def codes(path: Path) -> Iterator[str]:
    """Yield the codes of what an instance says was done to it."""
    for item in pydicom.dcmread(path, stop_before_pixels=True).DeidentificationMethodCodeSequence:
        yield item.CodeValue
