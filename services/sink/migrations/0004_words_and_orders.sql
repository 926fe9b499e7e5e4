-- Words are found by index, and the most negative and the least sure insights without sorting the window.

-- The words of a conversation's turns, without the names of members. `simple` stems nothing: people write in many
-- languages. The first 100,000 characters count: Postgres refuses a tsvector of more than 1 MiB, and no conversation
-- may be refused for its length.
CREATE FUNCTION words_of(turns json) RETURNS tsvector
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 1000
    RETURN to_tsvector('simple'::regconfig, left(
        (SELECT string_agg(turn ->> 'text', ' ') FROM json_array_elements(turns) AS turn), 100000
    ));
CREATE INDEX conversation_turns_by_words ON conversation_turns USING gin (words_of(turns));

-- Day by day of occurred_at, so that what is written now lies together; a window's days and sentiments are merged.
CREATE INDEX current_outcomes_by_score ON current_outcomes (
    version_id, date_bin('1 day', occurred_at, '2000-01-01Z'), sentiment, score, conversation_id, occurred_at
) WHERE insight_id IS NOT NULL;
CREATE INDEX current_outcomes_by_confidence ON current_outcomes (
    version_id, date_bin('1 day', occurred_at, '2000-01-01Z'), sentiment, confidence, conversation_id, occurred_at
) WHERE insight_id IS NOT NULL;
