"""The audit trail: who did what, and what went in and out, in lines that hold together.

    chain.py       1 the file: JSON lines, each with the hash of the one before; looking through them
    codes.py       2 what can be audited, and the standard's codes for it
    message.py     2 the audit message of PS3.15 Section A.5
    people.py      3 what people did: they see nothing before the line is on the disk
    heard.py       3 what the node did, as its log says it: application activity, transfers, alerts
    shipments.py   3 what went out, by study
    recorder.py    3 lines of a role, written behind its back and several at once
    repository.py  4 on to an audit record repository: syslog over TLS (PS3.15 Section A.6)

Nothing in it is a value of a patient: of what came in there are counts, of what went out the new Study Instance UIDs.
"""

from __future__ import annotations

from node.audit.chain import AUDIT_FILE, Entry, Trail, append, append_all, check
from node.audit.codes import Deed

__all__ = ["AUDIT_FILE", "Deed", "Entry", "Trail", "append", "append_all", "check"]
