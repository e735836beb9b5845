"""The audit trail into a syslog server that others wrote: rsyslog, with TLS by OpenSSL."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from node.audit import chain
from node.audit.tail import Tail
from tests.integration.test_audit_repository import add, sending, settings_for, wait_for
from tests.integration.test_tls import certificate
from tests.network import free_port, listens, wait_until

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_RSYSLOGD = shutil.which("rsyslogd", path=_PATH)
_DRIVER = [*Path("/usr/lib").glob("*/rsyslog/lmnsd_ossl.so"), *Path("/usr/lib").glob("rsyslog/lmnsd_ossl.so")]
_CONFIG = """
global(workDirectory="{folder}" maxMessageSize="64k" defaultNetstreamDriver="ossl"
  defaultNetstreamDriverCAFile="{ca}" defaultNetstreamDriverCertFile="{certificate}"
  defaultNetstreamDriverKeyFile="{key}")
module(load="imtcp" StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.AuthMode="anon")
input(type="imtcp" port="{port}" address="127.0.0.1")
template(name="whole" type="string" string="%PRI% %APP-NAME% %MSGID% %msg%\\n")
*.* action(type="omfile" file="{folder}/received" template="whole")
"""


@pytest.mark.skipif(not (_RSYSLOGD and _DRIVER), reason="rsyslog is not installed (Debian: rsyslog rsyslog-openssl)")
def test_rsyslog_takes_each_message_whole(tmp_path: Path) -> None:
    tls, port = certificate(tmp_path, "repository"), free_port()
    config = _CONFIG.format(
        folder=tmp_path, ca=tls.certificate, certificate=tls.certificate, key=tls.private_key, port=port
    )
    (tmp_path / "rsyslog.conf").write_text(config)
    spool = tmp_path / "spool"
    spool.mkdir()
    add(spool, *range(1, 301))
    command = [str(_RSYSLOGD), "-n", "-f", str(tmp_path / "rsyslog.conf"), "-i", str(tmp_path / "pid")]
    with (tmp_path / "rsyslog.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_until(lambda: listens(port), 20, f"rsyslog listens: {(tmp_path / 'rsyslog.log').read_text()}")
        with sending(settings_for(spool, port, tls.certificate)):
            wait_for(lambda: Tail(spool).position.number == 300)
            wait_for(lambda: len((tmp_path / "received").read_text("utf-8").splitlines()) >= 300)
    finally:
        server.terminate()
        server.wait(20)
    received = (tmp_path / "received").read_text("utf-8").splitlines()
    sent = [each["message"] for each in chain.entries(spool)]
    assert [line.replace("\ufeff", "") for line in received] == [f"85 deid-node DICOM+RFC3881 {xml}" for xml in sent]
