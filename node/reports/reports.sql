-- What was done to instances, as numbers (node.reports.facts): of those in the ledger one by one, of those that the
-- ledger has forgotten as sums by study. UIDs and Patient IDs in here are the new ones.

CREATE TABLE facts (
    id   INTEGER NOT NULL PRIMARY KEY,
    text TEXT    NOT NULL UNIQUE  -- JSON: name → number; the instances of a series mostly share it
);

CREATE TABLE job_facts (
    job   TEXT    NOT NULL PRIMARY KEY,
    facts INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX job_facts_facts ON job_facts (facts);

CREATE TABLE past_facts (
    project    TEXT    NOT NULL,
    study_uid  TEXT    NOT NULL,
    patient_id TEXT    NOT NULL,
    name       TEXT    NOT NULL,  -- of a fact, or 'instances'
    n          INTEGER NOT NULL,
    PRIMARY KEY (project, study_uid, patient_id, name)
) WITHOUT ROWID;

CREATE TRIGGER facts_outlive_jobs BEFORE DELETE ON jobs WHEN OLD.state = 'sent' BEGIN
    INSERT INTO past_facts
        SELECT s.project, s.study_uid, s.patient_id, f.key, f.value
        FROM study_instances i JOIN studies s ON s.id = i.study
            JOIN job_facts j ON j.job = i.job JOIN facts t ON t.id = j.facts, json_each(t.text) f
        WHERE i.job = OLD.id
        ON CONFLICT DO UPDATE SET n = n + excluded.n;
    INSERT INTO past_facts
        SELECT s.project, s.study_uid, s.patient_id, 'instances', 1
        FROM study_instances i JOIN studies s ON s.id = i.study WHERE i.job = OLD.id
        ON CONFLICT DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER facts_go_with_jobs AFTER DELETE ON jobs BEGIN
    DELETE FROM job_facts WHERE job = OLD.id;
END;

CREATE TRIGGER facts_go_with_the_last_job AFTER DELETE ON job_facts BEGIN
    DELETE FROM facts WHERE id = OLD.facts AND NOT EXISTS (SELECT 1 FROM job_facts WHERE facts = OLD.facts);
END;

PRAGMA user_version = 5;
