-- Dead letters are waiting until somebody sends them again or drops them. Additive: the previous release runs against it.

-- `sending`: chosen by a redrive that has not said yet whether Kafka has them. `fingerprint` is alike for letters of one
-- cause: what differs from record to record (quoted words, ids, numbers) is taken out of the detail first.
ALTER TABLE dead_letters
    ADD COLUMN state text COLLATE "C" NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'sending', 'redriven', 'dropped')),
    ADD COLUMN action_id uuid,
    ADD COLUMN fingerprint text COLLATE "C" NOT NULL GENERATED ALWAYS AS (
        left(md5(service || E'\n' || origin_topic || E'\n' || reason || E'\n' || regexp_replace(
            regexp_replace(detail, '''[^'']*''|"[^"]*"', '""', 'g'),
            '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{12,}|[0-9]+', '#', 'g'
        )), 12)
    ) STORED;
-- Groups by cause, and the letters of one group, oldest first.
CREATE INDEX dead_letters_by_cause ON dead_letters (state, origin_topic, reason, fingerprint, failed_at, dead_letter_id);
-- What is being sent: few, and none for long.
CREATE INDEX dead_letters_being_sent ON dead_letters (action_id) WHERE state = 'sending';
-- Which letters a letter became.
CREATE INDEX dead_letters_by_ancestor ON dead_letters USING gin (ancestors);

-- What a person decided: which letters, when, and on whose word.
CREATE TABLE dead_letter_actions (
    action_id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('redrive', 'drop')),
    done_by text NOT NULL,
    note text NOT NULL,
    selection jsonb NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    acted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    log_ends jsonb -- by topic and partition, before the letters that are `sending` were sent
);
CREATE INDEX dead_letter_actions_by_time ON dead_letter_actions (started_at, action_id);

-- What became of each letter by it. It leaves with its letter.
CREATE TABLE dead_letter_steps (
    dead_letter_id uuid NOT NULL REFERENCES dead_letters ON DELETE CASCADE,
    action_id uuid NOT NULL REFERENCES dead_letter_actions,
    step text NOT NULL CHECK (step IN ('redriven', 'refused', 'dropped')),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_partition integer,
    sent_offset bigint,
    problem text,
    PRIMARY KEY (dead_letter_id, action_id)
);
CREATE INDEX dead_letter_steps_by_action ON dead_letter_steps (action_id, step);
