-- What outlives the rows of the jobs: sums for the metrics, and which clean study each instance belongs to.
-- UIDs and Patient IDs in here are the new ones, of the clean instance.

CREATE TABLE counters (
    name  TEXT    NOT NULL,
    label TEXT    NOT NULL,  -- a project, a destination, or the reason of a quarantine
    n     INTEGER NOT NULL,
    PRIMARY KEY (name, label)
) WITHOUT ROWID;

CREATE TRIGGER count_received AFTER INSERT ON jobs BEGIN
    INSERT INTO counters VALUES ('received', NEW.project, 1) ON CONFLICT DO UPDATE SET n = n + 1;
    INSERT INTO counters VALUES ('received_bytes', NEW.project, NEW.size_bytes)
        ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;

CREATE TRIGGER count_cleaned AFTER UPDATE OF state ON jobs WHEN NEW.state = 'cleaned' AND OLD.state <> 'cleaned' BEGIN
    INSERT INTO counters VALUES ('cleaned', NEW.project, 1) ON CONFLICT DO UPDATE SET n = n + 1;
    INSERT INTO counters VALUES ('cleaned_bytes', NEW.project, NEW.clean_bytes)
        ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;

CREATE TRIGGER count_quarantined AFTER UPDATE OF state ON jobs
    WHEN NEW.state = 'quarantined' AND OLD.state <> 'quarantined' BEGIN
    INSERT INTO counters VALUES ('quarantined', NEW.reason, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER count_delivered AFTER UPDATE OF state ON deliveries WHEN NEW.state = 'sent' AND OLD.state <> 'sent' BEGIN
    INSERT INTO counters VALUES ('delivered', NEW.destination, 1) ON CONFLICT DO UPDATE SET n = n + 1;
    INSERT INTO counters VALUES ('delivered_bytes', NEW.destination,
        COALESCE((SELECT clean_bytes FROM jobs WHERE id = NEW.job), 0)) ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;

CREATE TRIGGER count_given_up AFTER UPDATE OF state ON deliveries
    WHEN NEW.state = 'quarantined' AND OLD.state <> 'quarantined' BEGIN
    INSERT INTO counters VALUES ('given_up', NEW.destination, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER count_failed AFTER UPDATE OF attempts ON deliveries WHEN NEW.attempts > OLD.attempts BEGIN
    INSERT INTO counters VALUES ('failed', NEW.destination, 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;

-- How long instances took from their arrival on; a row for each bucket of a histogram.
CREATE TABLE latencies (
    name    TEXT    NOT NULL,  -- cleaned, delivered
    most_s  REAL    NOT NULL,  -- the bucket: at most so many seconds; 1e999 for the last one
    n       INTEGER NOT NULL,
    total_s REAL    NOT NULL,
    PRIMARY KEY (name, most_s)
) WITHOUT ROWID;

-- Refused instances are counted and listed by their reasons, however many jobs are done.
CREATE INDEX jobs_refused ON jobs (reason, id) WHERE state = 'quarantined';

CREATE TABLE studies (
    id         INTEGER NOT NULL PRIMARY KEY,
    project    TEXT    NOT NULL,
    study_uid  TEXT    NOT NULL,
    patient_id TEXT    NOT NULL,
    instances  INTEGER NOT NULL DEFAULT 0,
    sent       INTEGER NOT NULL DEFAULT 0,  -- of the instances
    refused    INTEGER NOT NULL DEFAULT 0,  -- of the instances
    UNIQUE (project, study_uid, patient_id)
);
CREATE INDEX studies_uid ON studies (study_uid);
CREATE INDEX studies_patient ON studies (patient_id);
CREATE INDEX studies_refused ON studies (id) WHERE refused > 0;
CREATE INDEX studies_open ON studies (id) WHERE sent + refused <> instances;

CREATE TABLE study_series (
    id         INTEGER NOT NULL PRIMARY KEY,
    study      INTEGER NOT NULL,
    series_uid TEXT    NOT NULL,
    UNIQUE (study, series_uid)
);
CREATE INDEX study_series_uid ON study_series (series_uid);

CREATE TABLE study_instances (
    job          TEXT    NOT NULL PRIMARY KEY,
    study        INTEGER NOT NULL,
    series       INTEGER NOT NULL,
    instance_uid TEXT    NOT NULL
) WITHOUT ROWID;
CREATE INDEX study_instances_study ON study_instances (study, job);
CREATE INDEX study_instances_uid ON study_instances (instance_uid);

CREATE TRIGGER study_counts_instance AFTER INSERT ON study_instances BEGIN
    UPDATE studies SET instances = instances + 1 WHERE id = NEW.study;
END;

CREATE TRIGGER study_counts_sent AFTER UPDATE OF state ON jobs WHEN NEW.state = 'sent' AND OLD.state <> 'sent' BEGIN
    UPDATE studies SET sent = sent + 1 WHERE id = (SELECT study FROM study_instances WHERE job = NEW.id);
END;

CREATE TRIGGER study_counts_refused AFTER UPDATE OF state ON jobs
    WHEN (NEW.state = 'quarantined') <> (OLD.state = 'quarantined') BEGIN
    UPDATE studies SET refused = refused + CASE NEW.state WHEN 'quarantined' THEN 1 ELSE -1 END
        WHERE id = (SELECT study FROM study_instances WHERE job = NEW.id);
END;

CREATE TRIGGER study_forgets AFTER DELETE ON jobs BEGIN
    UPDATE studies SET instances = instances - 1, sent = sent - (OLD.state = 'sent'),
        refused = refused - (OLD.state = 'quarantined')
        WHERE id = (SELECT study FROM study_instances WHERE job = OLD.id);
    DELETE FROM study_instances WHERE job = OLD.id;
END;

CREATE TRIGGER study_gone AFTER UPDATE OF instances ON studies WHEN NEW.instances <= 0 BEGIN
    DELETE FROM study_series WHERE study = NEW.id;
    DELETE FROM studies WHERE id = NEW.id;
END;

PRAGMA user_version = 4;
