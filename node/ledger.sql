-- The index of the jobs. Nothing in here comes out of an instance, save SOP Class, Transfer Syntax and a count.

CREATE TABLE jobs (
    id              TEXT    NOT NULL PRIMARY KEY,  -- node.jobs.JobId: sorts by arrival
    project         TEXT    NOT NULL,
    state           TEXT    NOT NULL,              -- node.jobs.State
    place           TEXT    NOT NULL,              -- node.jobs.Place: where the raw file is
    size_bytes      INTEGER NOT NULL,              -- of the raw file
    attempts        INTEGER NOT NULL DEFAULT 0,    -- that a worker died or timed out in
    reason          TEXT    NOT NULL DEFAULT '',   -- of the quarantine
    sop_class_uid   TEXT    NOT NULL DEFAULT '',   -- these three: of the clean file
    transfer_syntax TEXT    NOT NULL DEFAULT '',
    clean_bytes     INTEGER NOT NULL DEFAULT 0,
    waits_for       TEXT    NOT NULL DEFAULT '',   -- keyed code of the mapping that it is, or was, held for
    series          TEXT    NOT NULL DEFAULT '',   -- keyed code of the series that it is, or was, gathered for
    instance        TEXT    NOT NULL DEFAULT '',   -- keyed code of the instance, known once it is gathered
    announced       INTEGER NOT NULL DEFAULT 0     -- instances that the series has, as its sender says; 0: doesn't say
) WITHOUT ROWID;

-- All that is not over. Every question of the roles goes through this index, however many jobs are done.
CREATE INDEX jobs_open ON jobs (state, place) WHERE place <> 'gone';
CREATE INDEX jobs_held ON jobs (project, waits_for) WHERE state = 'held';
CREATE INDEX jobs_gathered ON jobs (project, series, instance, announced, attempts) WHERE state = 'gathered';

CREATE TABLE deliveries (
    job             TEXT    NOT NULL,
    destination     TEXT    NOT NULL,
    state           TEXT    NOT NULL DEFAULT 'cleaned',  -- cleaned (waiting), sending, sent, quarantined (given up)
    next_try        REAL    NOT NULL DEFAULT 0,    -- while sending: when the claim ends; seconds since 1970
    attempts        INTEGER NOT NULL DEFAULT 0,    -- that failed
    first_failed_at REAL,
    status          INTEGER,                       -- the last answer; NULL: there was none
    reason          TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (job, destination)
) WITHOUT ROWID;

CREATE INDEX deliveries_due ON deliveries (destination, next_try) WHERE state IN ('cleaned', 'sending');
CREATE INDEX deliveries_given_up ON deliveries (destination) WHERE state = 'quarantined';

-- Sums that outlive the rows.
CREATE TABLE totals (name TEXT NOT NULL PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
INSERT INTO totals VALUES ('sent', 0), ('syncs', 0);

CREATE TRIGGER jobs_sent AFTER UPDATE OF state ON jobs WHEN NEW.state = 'sent' AND OLD.state <> 'sent'
BEGIN
    UPDATE totals SET n = n + 1 WHERE name = 'sent';
END;

PRAGMA user_version = 3;
