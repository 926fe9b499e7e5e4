-- The tables of the sink. Times are timestamptz in UTC. A revision is (revision_ms, revision_offset): the broker's
-- milliseconds since 1970 and the offset in conversations.received.v1; of two the greater is the newer.
-- There are no foreign keys: the topics are consumed independently, so an outcome may come before its conversation.

CREATE TYPE conversation_status AS ENUM ('queued', 'processing', 'failed', 'skipped', 'completed');
CREATE TYPE sentiment AS ENUM ('negative', 'neutral', 'positive');

-- One row a partition: where to go on, and who may write. Moves in the transaction of the rows it stands for.
CREATE TABLE consumer_offsets (
    group_name text COLLATE "C" NOT NULL,
    topic text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    epoch bigint NOT NULL,
    next_offset bigint NOT NULL,
    cluster_id text NOT NULL,
    owner text NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT now(),
    stored_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (group_name, topic, partition)
) WITH (fillfactor = 20); -- a few dozen rows, each updated with every batch: room for HOT updates

-- Secrets of this installation, drawn once: the cursor key signs paging cursors.
CREATE TABLE installation (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    cursor_key text NOT NULL DEFAULT gen_random_uuid()::text || gen_random_uuid()::text
);
INSERT INTO installation DEFAULT VALUES;

CREATE TABLE analysis_versions (
    version_id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    state text NOT NULL CHECK (state IN ('candidate', 'active', 'retired')),
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    activated_at timestamptz
);
CREATE UNIQUE INDEX analysis_versions_one_active ON analysis_versions ((true)) WHERE state = 'active';

-- Who must be forgotten: nothing of a conversation up to this revision is stored again.
CREATE TABLE erasures (
    conversation_id text COLLATE "C" PRIMARY KEY,
    revision_ms bigint NOT NULL,
    revision_offset bigint NOT NULL,
    erased_at timestamptz NOT NULL DEFAULT now()
);

-- A conversation at its newest revision. `unfinished_since` is received_at until an outcome is there, then null:
-- it, not the status, is indexed, so that queued -> processing is a HOT update.
CREATE TABLE conversations (
    conversation_id text COLLATE "C" PRIMARY KEY,
    revision_ms bigint NOT NULL,
    revision_offset bigint NOT NULL,
    received_at timestamptz NOT NULL,
    occurred_at timestamptz NOT NULL,
    status_at timestamptz NOT NULL,
    unfinished_since timestamptz,
    received_partition integer NOT NULL,
    status conversation_status NOT NULL,
    content_hash bytea NOT NULL,
    channel text COLLATE "C",
    language text
) WITH (fillfactor = 85);
-- Lists by time, and the part of coverage that the minute rollups are too coarse for.
CREATE INDEX conversations_by_time ON conversations (occurred_at, conversation_id);
-- The oldest unfinished conversation.
CREATE INDEX conversations_unfinished ON conversations (unfinished_since, conversation_id)
    WHERE unfinished_since IS NOT NULL;

-- The words, apart from the status, which changes more often. `opening` is the customer's first turn.
CREATE TABLE conversation_turns (
    conversation_id text COLLATE "C" PRIMARY KEY,
    opening text,
    turns json NOT NULL,
    metadata json,
    raw json
);

-- Results, immutable: the first that was stored under an id stays.
CREATE TABLE insights (
    insight_id uuid PRIMARY KEY,
    batch_id uuid NOT NULL,
    revision_ms bigint NOT NULL,
    revision_offset bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    started_at timestamptz NOT NULL,
    analyzed_at timestamptz NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    sentiment_score double precision NOT NULL,
    confidence double precision NOT NULL,
    cost_usd double precision NOT NULL,
    input_tokens integer NOT NULL,
    output_tokens integer NOT NULL,
    version_id smallint NOT NULL,
    sentiment sentiment NOT NULL,
    conversation_id text COLLATE "C" NOT NULL,
    content_hash bytea NOT NULL,
    channel text COLLATE "C",
    lane text NOT NULL,
    path text NOT NULL,
    model text NOT NULL,
    clusters text[] NOT NULL,
    topics text[] NOT NULL,
    reasoning text NOT NULL,
    evidence text NOT NULL,
    summary text NOT NULL
);
-- A conversation's history, and its erasure.
CREATE INDEX insights_by_conversation ON insights (conversation_id);
-- The analyzer's look-up of known results.
CREATE INDEX insights_by_content ON insights (content_hash);

-- What an LLM returned, split by conversation so that one can be removed.
CREATE TABLE completions (
    insight_id uuid PRIMARY KEY,
    batch_id uuid NOT NULL,
    conversation_id text COLLATE "C" NOT NULL,
    completion text NOT NULL
);
CREATE INDEX completions_by_batch ON completions (batch_id);

-- The newest outcome of a conversation under a version (revision, kind, …) and what is shown of it (shown_…): the
-- newest outcome that is no failure. Both are maxima, so the order of arrival does not matter.
CREATE TABLE current_outcomes (
    conversation_id text COLLATE "C" NOT NULL,
    revision_ms bigint NOT NULL,
    revision_offset bigint NOT NULL,
    finished_at timestamptz NOT NULL,
    shown_revision_ms bigint,
    shown_revision_offset bigint,
    occurred_at timestamptz,
    insight_id uuid,
    score integer, -- sentiment_score x 10,000: floats taken back do not add up
    confidence double precision,
    kind conversation_status NOT NULL,
    shown_kind conversation_status,
    sentiment sentiment,
    attempts integer NOT NULL,
    version_id smallint NOT NULL,
    channel text COLLATE "C",
    topics text[] COLLATE "C",
    reason text,
    detail text,
    PRIMARY KEY (conversation_id, version_id)
);
-- Pages of insights, newest first, and the seconds at the edges of a window that no rollup covers.
CREATE INDEX current_outcomes_by_time ON current_outcomes (version_id, occurred_at, conversation_id)
    WHERE insight_id IS NOT NULL;
-- What failed or was skipped, newest first.
CREATE INDEX current_outcomes_without_insight ON current_outcomes (version_id, kind, finished_at, conversation_id)
    WHERE kind IN ('failed', 'skipped');

-- How many insights are shown, by minute and by hour of occurred_at. Channel '' and subject '' stand for all.
CREATE TABLE rollup_minutes (
    version_id smallint NOT NULL,
    channel text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    bucket timestamptz NOT NULL,
    score_sum bigint NOT NULL,
    positive integer NOT NULL,
    neutral integer NOT NULL,
    negative integer NOT NULL,
    PRIMARY KEY (version_id, channel, subject, bucket)
) WITH (fillfactor = 60);
CREATE TABLE rollup_hours (LIKE rollup_minutes INCLUDING ALL) WITH (fillfactor = 60);

-- How many conversations stand where, by minute and by hour of occurred_at. Channel '' stands for all.
CREATE TABLE rollup_status_minutes (
    channel text COLLATE "C" NOT NULL,
    bucket timestamptz NOT NULL,
    queued integer NOT NULL,
    processing integer NOT NULL,
    failed integer NOT NULL,
    skipped integer NOT NULL,
    completed integer NOT NULL,
    PRIMARY KEY (channel, bucket)
) WITH (fillfactor = 60);
CREATE TABLE rollup_status_hours (LIKE rollup_status_minutes INCLUDING ALL) WITH (fillfactor = 60);

-- What a UTC day's analyses took. Dollars are integers of 1e-9.
CREATE TABLE daily_usage (
    day date NOT NULL,
    version_id smallint NOT NULL,
    calls bigint NOT NULL DEFAULT 0,
    input_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    cost_nanousd bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (day, version_id)
) WITH (fillfactor = 50);

-- Records that could not be processed, byte for byte.
CREATE TABLE dead_letters (
    dead_letter_id uuid PRIMARY KEY,
    failed_at timestamptz NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    origin_offset bigint NOT NULL,
    origin_timestamp_ms bigint NOT NULL,
    origin_partition integer NOT NULL,
    original_size integer NOT NULL,
    is_truncated boolean NOT NULL,
    origin_topic text NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    service text NOT NULL,
    sha256 text NOT NULL,
    conversation_id text COLLATE "C",
    ancestors uuid[] NOT NULL,
    record_key bytea,
    record_value bytea,
    header_names text[] NOT NULL,
    header_values bytea[] NOT NULL
);
-- The newest first, and erasure.
CREATE INDEX dead_letters_by_time ON dead_letters (failed_at, dead_letter_id);
CREATE INDEX dead_letters_by_conversation ON dead_letters (conversation_id) WHERE conversation_id IS NOT NULL;
