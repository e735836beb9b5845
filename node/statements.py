"""What the ledger says to SQLite; the tables are in ``ledger.sql``."""

# ruff: noqa: S608  the statements are put together from the constants in this file, never from data

from __future__ import annotations

from pathlib import Path

JOB = "SELECT id, project, state, place, size_bytes, attempts, reason, waits_for FROM jobs "
OPEN = "place <> 'gone'"  # word for word the condition of the index, or SQLite would not use it

RECEIVED = """INSERT INTO jobs (id, project, state, place, size_bytes) VALUES (?, ?, 'received', 'incoming', ?)
    ON CONFLICT DO NOTHING"""
PENDING = f"{JOB} WHERE {OPEN} AND state = 'received' AND place = 'incoming' ORDER BY id LIMIT ?"
CLEANING = "UPDATE jobs SET state = 'cleaning' WHERE id = ? AND state = 'received'"
ATTEMPT_FAILED = """UPDATE jobs SET state = 'received', attempts = attempts + 1 WHERE id = ? AND state = 'cleaning'
    RETURNING attempts"""
PUT_BACK = "UPDATE jobs SET state = 'received' WHERE id = ? AND state = 'cleaning'"
CLEANED = """UPDATE jobs SET state = 'cleaned', sop_class_uid = ?, transfer_syntax = ?, clean_bytes = ?
    WHERE id = ? AND state IN ('received', 'cleaning')"""
QUARANTINED = """UPDATE jobs SET state = 'quarantined', place = 'quarantine', reason = ? WHERE id = ?"""
RELEASED = """UPDATE jobs SET state = 'received', place = 'incoming', attempts = 0, reason = ''
    WHERE id = ? AND state = 'quarantined'"""
RESTORED = """UPDATE jobs SET state = 'received', place = 'incoming', attempts = 0, reason = '' WHERE id = ?"""
# Of all jobs that wait for the same mapping one is tried; if that one is mapped, so are the others.
HELD = "UPDATE jobs SET state = 'held', waits_for = ? WHERE id = ? AND state = 'cleaning'"
TRY_HELD = """UPDATE jobs SET state = 'received' WHERE id IN
    (SELECT MIN(id) FROM jobs WHERE state = 'held' AND (? = '' OR project = ?) GROUP BY project, waits_for)"""
MAPPED = "UPDATE jobs SET state = 'received' WHERE state = 'held' AND project = ? AND waits_for = ?"
# An instance that needs its series waits until all of that is there.
GATHERED = """UPDATE jobs SET state = 'gathered', series = ?, instance = ?, announced = ?
    WHERE id = ? AND state = 'cleaning'"""
SERIES = """SELECT project, series, COUNT(*), COUNT(DISTINCT instance), MAX(announced), MIN(id), MAX(id), MAX(attempts)
    FROM jobs WHERE state = 'gathered' GROUP BY project, series ORDER BY MIN(id)"""
OF_SERIES = "SELECT id, instance FROM jobs WHERE state = 'gathered' AND project = ? AND series = ? ORDER BY id"
# What nobody has looked at yet may be of any series; what is looked at again is of the one that it was found to be of.
ANY_UNSEEN = f"""SELECT 1 FROM jobs WHERE {OPEN} AND state IN ('received', 'cleaning') AND place = 'incoming'
    AND project = ? AND (series = ? OR (series = '' AND id < ?)) LIMIT 1"""
PLANNED = "UPDATE jobs SET state = 'received' WHERE state = 'gathered' AND project = ? AND series = ?"
PLAN_FAILED = """UPDATE jobs SET attempts = attempts + 1 WHERE state = 'gathered' AND project = ? AND series = ?
    RETURNING attempts"""
HELD_BY_PROJECT = "SELECT project, COUNT(*) FROM jobs WHERE state = 'held' GROUP BY project"
FORGET_FILES = "UPDATE jobs SET place = 'gone' WHERE id = ? AND state = 'sent'"
FILES_REAPPEARED = "UPDATE jobs SET place = 'incoming' WHERE id = ? AND state = 'sent'"
FORGET_JOB = "DELETE FROM jobs WHERE id = ?"
FORGET_DELIVERIES = "DELETE FROM deliveries WHERE job = ?"
OLD = "SELECT id FROM jobs WHERE id < ? AND place = 'gone' LIMIT ?"

DELIVER = "INSERT INTO deliveries (job, destination) VALUES (?, ?) ON CONFLICT DO NOTHING"
FORGET_UNSENT = "DELETE FROM deliveries WHERE job = ? AND state <> 'sent'"
ANY_DUE = """SELECT 1 FROM deliveries WHERE state IN ('cleaned', 'sending') AND destination = ? AND next_try <= ?
    LIMIT 1"""
_DUE = """SELECT d.job, d.destination, d.attempts, d.first_failed_at, j.sop_class_uid, j.transfer_syntax, j.clean_bytes
    FROM deliveries d JOIN jobs j ON j.id = d.job
    WHERE d.state IN ('cleaned', 'sending') AND d.destination = ?"""
DUE = f"{_DUE} AND d.next_try <= ? ORDER BY d.next_try, d.job LIMIT ?"
LATEST = f"{_DUE} AND d.next_try = 0 ORDER BY d.job DESC LIMIT ?"
NEXT_DUE = "SELECT MIN(next_try) FROM deliveries WHERE state IN ('cleaned', 'sending') AND destination = ?"
CLAIM = "UPDATE deliveries SET state = 'sending', next_try = ? WHERE job = ? AND destination = ?"
RESET_SENDING = """UPDATE deliveries SET state = 'cleaned', next_try = 0
    WHERE state IN ('cleaned', 'sending') AND state = 'sending'"""
DELIVERED = """UPDATE deliveries SET state = 'sent', status = ?
    WHERE job = ? AND destination = ? AND state IN ('cleaned', 'sending')"""
RETRY = """UPDATE deliveries SET state = 'cleaned', next_try = ?, status = ?, attempts = attempts + 1,
    first_failed_at = COALESCE(first_failed_at, ?) WHERE job = ? AND destination = ? AND state = 'sending'"""
PUT_OFF = """UPDATE deliveries SET state = 'cleaned', next_try = ?
    WHERE job = ? AND destination = ? AND state = 'sending'"""
GAVE_UP = """UPDATE deliveries SET state = 'quarantined', status = ?, reason = ?, attempts = attempts + 1
    WHERE job = ? AND destination = ? AND state IN ('cleaned', 'sending')"""
# A job is over when each of its deliveries is; one that was given up makes it a case for a person.
SETTLE = """UPDATE jobs SET
        state = CASE WHEN EXISTS (SELECT 1 FROM deliveries WHERE job = jobs.id AND state = 'quarantined')
                THEN 'quarantined' ELSE 'sent' END,
        reason = COALESCE((SELECT reason FROM deliveries WHERE job = jobs.id AND state = 'quarantined' LIMIT 1), '')
    WHERE id = ? AND state = 'cleaned' AND EXISTS (SELECT 1 FROM deliveries WHERE job = jobs.id)
    AND NOT EXISTS (SELECT 1 FROM deliveries WHERE job = jobs.id AND state IN ('cleaned', 'sending'))"""

ONE_JOB = f"{JOB} WHERE id = ?"

SENT = f"SELECT id FROM jobs WHERE {OPEN} AND state = 'sent' LIMIT ?"
TO_FILE = f"{JOB} WHERE {OPEN} AND state = 'quarantined' AND place = 'incoming' LIMIT ?"
GIVEN_UP = "SELECT destination, status FROM deliveries WHERE job = ? AND state = 'quarantined' ORDER BY destination"
OPEN_JOBS = f"{JOB} WHERE {OPEN}"
WHERE_TO = "SELECT DISTINCT destination FROM deliveries WHERE state IN ('cleaned', 'sending')"
OF_DESTINATION = "SELECT job FROM deliveries WHERE state IN ('cleaned', 'sending') AND destination = ? LIMIT ?"

COUNTS = f"SELECT state, COUNT(*) FROM jobs WHERE {OPEN} GROUP BY state"
TOTAL = "SELECT n FROM totals WHERE name = ?"
COUNT_SENDING = """SELECT COUNT(DISTINCT job) FROM deliveries
    WHERE state IN ('cleaned', 'sending') AND state = 'sending'"""
QUEUES = """SELECT destination, SUM(state = 'cleaned'), SUM(state = 'sending'), SUM(state = 'cleaned' AND attempts > 0),
        SUM(state = 'quarantined'), MAX(CASE WHEN attempts > 0 THEN status END) FROM (
    SELECT destination, state, attempts, status FROM deliveries WHERE state IN ('cleaned', 'sending')
    UNION ALL SELECT destination, state, attempts, status FROM deliveries WHERE state = 'quarantined')
    GROUP BY destination ORDER BY destination"""
UPGRADES = {
    1: """ALTER TABLE jobs ADD COLUMN waits_for TEXT NOT NULL DEFAULT '';
        CREATE INDEX jobs_held ON jobs (project, waits_for) WHERE state = 'held';
        PRAGMA user_version = 2;""",
    2: """ALTER TABLE jobs ADD COLUMN series TEXT NOT NULL DEFAULT '';
        ALTER TABLE jobs ADD COLUMN instance TEXT NOT NULL DEFAULT '';
        ALTER TABLE jobs ADD COLUMN announced INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX jobs_gathered ON jobs (project, series, instance, announced, attempts) WHERE state = 'gathered';
        PRAGMA user_version = 3;""",
    3: Path(__file__).with_name("counters.sql").read_text("utf-8"),
    4: (Path(__file__).parent / "reports" / "reports.sql").read_text("utf-8"),
}
SYNC = "UPDATE totals SET n = n + 1 WHERE name = 'syncs'"
