"""A network that is gone once the node runs: what needs it is refused for that, and nothing of it is written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deid.elements.file_meta import part10_header
from deid.errors import Reason, Refused
from deid.onnx import shipped_models
from node import cleaning
from node.errors import Misconfigured
from node.jobs import new_job_id
from node.key import create_key
from node.settings import ModelsSettings, Project, Settings, SpoolSettings
from node.spool import Spool
from tests import factories

PROFILES = {
    "texts": 'text = "ner"\noptions = ["clean_descriptors"]\n',
    "pixels": 'text = "rules"\noptions = ["clean_pixel_data"]\n',
}


@pytest.fixture(params=PROFILES)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Return settings whose networks are described, but not there."""
    create_key(tmp_path / "key")
    profile = tmp_path / "own.toml"
    profile.write_text(PROFILES[request.param])
    (tmp_path / "models").mkdir()
    shutil.copy(shipped_models() / "manifest.toml", tmp_path / "models")
    before = dict(cleaning._prepared)
    yield replace(
        Settings(),
        key_file=tmp_path / "key",
        spool=SpoolSettings(tmp_path / "spool", 1),
        models=ModelsSettings(tmp_path / "models"),
        projects=(Project("default", profile=str(profile)),),
    )
    cleaning._prepared.clear()
    cleaning._prepared.update(before)


def test_an_instance_that_needs_it_is_refused_and_nothing_is_written(settings: Settings) -> None:
    spool, job_id, ds = Spool(settings.spool.path, 1), new_job_id(), factories.ct(size=32)
    header = part10_header(ds.SOPClassUID, ds.SOPInstanceUID, ds.file_meta.TransferSyntaxUID, "CT1", "", "DEIDNODE")
    spool.put_incoming(job_id, header, [factories.data_set_bytes(ds)])
    cleaning._prepared.update(cleaning.prepared(settings, lenient=True))
    with pytest.raises(Refused) as refused:
        cleaning.clean_job(spool, job_id, "default")
    assert refused.value.reason is Reason.STEP_UNAVAILABLE
    assert not spool.files(job_id).outbox
    assert list((spool.path / "outbox").iterdir()) == []


def test_a_node_does_not_start_without_it(settings: Settings) -> None:
    with pytest.raises(Misconfigured):
        cleaning.prepared(settings)
