-- Experience of viewers, snapshots that sum up others, personal data that goes
-- depends: 002_create_control_tables

-- migrate: apply

-- A row is a snapshot, or sums up those of the span that ends with it.
ALTER TABLE stream_analytics
    ADD COLUMN span_s integer NOT NULL DEFAULT 10 CHECK (span_s IN (10, 60, 600)),
    ADD COLUMN snapshots integer NOT NULL DEFAULT 1 CHECK (snapshots >= 1),
    -- Sums, so that rows can be added up: of viewer counts, and of what encoders sent in those snapshots that had one.
    ADD COLUMN viewer_sum bigint CHECK (viewer_sum >= 0),
    ADD COLUMN signals integer NOT NULL DEFAULT 0 CHECK (signals BETWEEN 0 AND snapshots),
    ADD COLUMN rungs text[] NOT NULL DEFAULT '{}' CHECK (cardinality(rungs) <= 40),
    -- How often each thing was reported; two are joined by adding the numbers of each name.
    ADD COLUMN experience jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(experience) = 'object');

UPDATE stream_analytics SET viewer_sum = viewer_count, signals = (bitrate_bps IS NOT NULL)::integer;

CREATE INDEX stream_analytics_by_age ON stream_analytics (span_s, at);

CREATE FUNCTION add_counts(one jsonb, other jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(jsonb_object_agg(key, total), '{}') FROM (
        SELECT key, sum(value::bigint) AS total
        FROM (SELECT * FROM jsonb_each_text(one) UNION ALL SELECT * FROM jsonb_each_text(other)) AS counts
        GROUP BY key
    ) AS added
$$;

-- When the viewers and authors of an ended stream were made nobody in particular.
ALTER TABLE live_streams ADD COLUMN viewers_erased_at timestamptz;
CREATE INDEX live_streams_unerased ON live_streams (ended_at) WHERE status = 'ended' AND viewers_erased_at IS NULL;

-- Where a user is found who wants to be forgotten.
CREATE INDEX stream_reactions_by_user ON stream_reactions (user_id);
CREATE INDEX stream_comments_by_deleter ON stream_comments (deleted_by) WHERE deleted_by IS NOT NULL;
CREATE INDEX stream_comments_by_pinner ON stream_comments (pinned_by) WHERE pinned_by IS NOT NULL;
CREATE INDEX moderators_by_user ON moderators (user_id);
CREATE INDEX bans_by_user ON bans (user_id);
CREATE INDEX bans_by_moderator ON bans (banned_by);
CREATE INDEX audit_log_by_actor ON audit_log (actor_id);

-- migrate: rollback
