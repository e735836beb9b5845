"""What is compared: DCMTK receiving only, Orthanc anonymizing and forwarding, and the node. All forward to storescp."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.network import Node, free_port, listens, storescp, wait_until

_LUA = """
function OnStableStudy(studyId, tags, metadata, origin)
  if metadata['AnonymizedFrom'] == nil then
    RestApiPost('/studies/' .. studyId .. '/anonymize', '{"Asynchronous": true, "KeepSource": false}', true)
  end
end

function OnJobSuccess(jobId)
  local job = ParseJson(RestApiGet('/jobs/' .. jobId, true))
  if job['Type'] == 'ResourceModification' then
    local what = {}
    what['Resources'] = { job['Content']['ID'] }
    what['Asynchronous'] = true
    RestApiPost('/modalities/archive/store', DumpJson(what, true), true)
  elseif job['Type'] == 'DicomModalityStore' then
    for _, study in ipairs(job['Content']['ParentResources']) do
      RestApiDelete('/studies/' .. study, true)
    end
  end
end
"""


PIXEL_CORES = 2


@dataclass(frozen=True)
class System:
    """A running system.

    Attributes
    ----------
    port
        where it receives
    processes
        returns the processes whose CPU and memory count
    arrived
        returns the number of instances that are through
    idle_s
        seconds that the system waits by its own configuration before it starts on a study
    """

    port: int
    processes: Callable[[], list[psutil.Process]]
    arrived: Callable[[], int]
    idle_s: float = 0


def _family(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def _count(folder: Path) -> Callable[[], int]:
    return lambda: sum(1 for _ in os.scandir(folder))


@contextlib.contextmanager
def receive_only(folder: Path) -> Iterator[System]:
    """Run DCMTK storescp, which writes what it receives and no more."""
    with storescp(folder / "archive", "+B") as (port, process):
        yield System(port, lambda: _family(process.pid), _count(folder / "archive"))


@contextlib.contextmanager
def deid_node(folder: Path) -> Iterator[System]:
    """Run the node as shipped: receive, de-identify, forward to storescp."""
    archive = folder / "archive"
    with storescp(archive, "+B") as (port, _), Node(folder / "node", port) as node:
        yield System(node.port, node.processes, _count(archive))
        node.wait_idle(60)


@contextlib.contextmanager
def deid_node_with_pixels(folder: Path) -> Iterator[System]:
    """Run the node with all of `tcia`, texts read and pixels looked at, by one process for each of two cores."""
    archive = folder / "archive"
    work: dict[str, dict[str, object]] = {"work": {"processes": PIXEL_CORES}}
    with (
        _on_cores(PIXEL_CORES),
        storescp(archive, "+B") as (port, _),
        Node(folder / "node", port, profile="tcia", sections=work) as node,
    ):
        yield System(node.port, node.processes, _count(archive))
        node.wait_idle(60)


@contextlib.contextmanager
def _on_cores(count: int) -> Iterator[None]:
    """Have this process, and those that it starts meanwhile, run on so many cores; on all if there are no more."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(allowed)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@contextlib.contextmanager
def orthanc(folder: Path) -> Iterator[System]:
    """Run Orthanc: a stable study → anonymize → store → delete, as jobs; no plug-ins; fsync by default."""
    archive, script = folder / "archive", folder / "forward.lua"
    port, http = free_port(), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    script.write_text(_LUA, encoding="utf-8")
    with storescp(archive, "+B") as (archive_port, _):
        config = {
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "LuaScripts": [str(script)],
            "DicomAet": "DEIDNODE",
            "DicomPort": port,
            "HttpPort": http,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomAlwaysAllowStore": True,
            "UnknownSopClassAccepted": True,
            "DicomModalities": {"archive": ["ARCHIVE", "127.0.0.1", archive_port]},
            "MaximumPduLength": 131072,
            "StableAge": 2,
            "ConcurrentJobs": 8,
            "StorageCompression": False,
            "SyncStorageArea": True,
            "StoreMD5ForAttachments": False,
            "SaveJobs": False,
            "JobsHistorySize": 1000,
            "OverwriteInstances": True,
            "Plugins": [],
        }
        (folder / "orthanc.json").write_text(json.dumps(config), encoding="utf-8")
        with (folder / "orthanc.log").open("wb") as log:
            process = subprocess.Popen(
                ["Orthanc", str(folder / "orthanc.json")],
                env={**os.environ, "TCP_NODELAY": "1"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_until(lambda: listens(port), 30, "Orthanc listens")
            yield System(port, lambda: _family(process.pid), _count(archive), idle_s=2)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


WITH_PIXELS = "deid-node, tcia"
SYSTEMS = {"storescp receive only": receive_only, "deid-node": deid_node, "Orthanc": orthanc}
