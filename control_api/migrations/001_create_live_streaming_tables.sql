-- Streams and their audience: the five tables of the service
-- depends:

-- migrate: apply

-- Parts of titles are searched for; the extension is trusted, so the owner of a database may create it.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

CREATE TABLE live_streams (
    id uuid PRIMARY KEY,
    user_id text NOT NULL CHECK (char_length(user_id) BETWEEN 1 AND 128),
    title text NOT NULL CHECK (char_length(title) BETWEEN 1 AND 200),
    description text NOT NULL DEFAULT '' CHECK (char_length(description) <= 5000),
    quality text NOT NULL DEFAULT '1080p'
        CHECK (quality IN ('144p', '240p', '360p', '480p', '720p', '1080p', '1440p', '2160p')),
    category text CHECK (char_length(category) BETWEEN 1 AND 50),
    tags text[] NOT NULL DEFAULT '{}' CHECK (cardinality(tags) <= 10),
    is_private boolean NOT NULL DEFAULT false,
    record_stream boolean NOT NULL DEFAULT true,
    auto_start boolean NOT NULL DEFAULT false,
    scheduled_at timestamptz,
    status text NOT NULL DEFAULT 'created'
        CHECK (status IN ('created', 'scheduled', 'live', 'ended', 'cancelled')),
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    ended_at timestamptz,
    end_reason text CHECK (char_length(end_reason) <= 200),
    reminded_at timestamptz,
    -- HMAC-SHA256 of the key for look-up; the key itself, encrypted and authenticated, for its owner.
    stream_key_digest bytea NOT NULL UNIQUE CHECK (octet_length(stream_key_digest) = 32),
    stream_key_sealed bytea NOT NULL,
    playback_salt text NOT NULL,
    viewer_count integer NOT NULL DEFAULT 0 CHECK (viewer_count >= 0),
    peak_viewers integer NOT NULL DEFAULT 0 CHECK (peak_viewers >= 0),
    unique_viewers integer NOT NULL DEFAULT 0 CHECK (unique_viewers >= 0),
    comments_count integer NOT NULL DEFAULT 0 CHECK (comments_count >= 0),
    reactions_count integer NOT NULL DEFAULT 0 CHECK (reactions_count >= 0),
    comment_seq bigint NOT NULL DEFAULT 0 CHECK (comment_seq >= 0),
    -- Rises with every change that the owner makes or sees; a change of an older one is refused.
    revision integer NOT NULL DEFAULT 1 CHECK (revision >= 1),
    search_text text GENERATED ALWAYS AS (lower(title || E'\n' || description)) STORED,
    CHECK ((status = 'scheduled') <= (scheduled_at IS NOT NULL)),
    CHECK ((status IN ('live', 'ended')) = (started_at IS NOT NULL)),
    CHECK ((status = 'ended') = (ended_at IS NOT NULL)),
    CHECK ((status = 'ended') <= (end_reason IS NOT NULL)),
    CHECK ((end_reason IS NOT NULL) <= (status IN ('ended', 'cancelled'))),
    CHECK (ended_at >= started_at)
);

CREATE INDEX live_streams_by_user ON live_streams (user_id, id DESC);
CREATE INDEX live_streams_by_status ON live_streams (status, id DESC);
CREATE INDEX live_streams_by_category ON live_streams (category, id DESC);
CREATE INDEX live_streams_by_tag ON live_streams USING gin (tags);
CREATE INDEX live_streams_by_text ON live_streams USING gin (search_text gin_trgm_ops);
CREATE INDEX live_streams_most_watched ON live_streams (viewer_count DESC, id DESC) WHERE status = 'live';
CREATE INDEX live_streams_most_watched_in_category ON live_streams (category, viewer_count DESC, id DESC)
    WHERE status = 'live';
CREATE INDEX live_streams_due ON live_streams (scheduled_at) WHERE status = 'scheduled';
CREATE INDEX live_streams_unreminded ON live_streams (scheduled_at)
    WHERE status = 'scheduled' AND reminded_at IS NULL;

-- The state table of docs/lifecycle.md, as the last line of defence: no program can write another move.
CREATE FUNCTION check_stream_status() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.status, NEW.status) NOT IN (
        ('created', 'scheduled'), ('scheduled', 'created'),
        ('created', 'live'), ('scheduled', 'live'),
        ('created', 'cancelled'), ('scheduled', 'cancelled'),
        ('live', 'ended')
    ) THEN
        RAISE EXCEPTION 'a stream never goes from % to %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.status = 'ended' THEN
        NEW.viewer_count := 0;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER live_streams_status BEFORE UPDATE OF status ON live_streams
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status) EXECUTE FUNCTION check_stream_status();

CREATE TABLE stream_viewers (
    stream_id uuid NOT NULL REFERENCES live_streams (id) ON DELETE CASCADE,
    viewer_id text NOT NULL CHECK (char_length(viewer_id) BETWEEN 1 AND 160),
    user_id text CHECK (char_length(user_id) BETWEEN 1 AND 128),
    joined_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    left_at timestamptz,
    visits integer NOT NULL DEFAULT 1 CHECK (visits >= 1),
    watch_time_s double precision NOT NULL DEFAULT 0 CHECK (watch_time_s >= 0),
    PRIMARY KEY (stream_id, viewer_id),
    CHECK (last_seen_at >= joined_at),
    CHECK (left_at >= joined_at)
) WITH (fillfactor = 80);  -- rows change every few seconds, in place as long as there is room

-- Not by last_seen_at: each change of a row would be one of the index too.
CREATE INDEX stream_viewers_present ON stream_viewers (stream_id) WHERE left_at IS NULL;
CREATE INDEX stream_viewers_by_user ON stream_viewers (user_id, joined_at DESC) WHERE user_id IS NOT NULL;

CREATE TABLE stream_comments (
    id uuid PRIMARY KEY,
    stream_id uuid NOT NULL REFERENCES live_streams (id) ON DELETE CASCADE,
    seq bigint NOT NULL CHECK (seq >= 1),
    user_id text NOT NULL CHECK (char_length(user_id) BETWEEN 1 AND 128),
    display_name text NOT NULL CHECK (char_length(display_name) BETWEEN 1 AND 128),
    content text NOT NULL CHECK (char_length(content) BETWEEN 1 AND 500),
    created_at timestamptz NOT NULL DEFAULT now(),
    pinned_at timestamptz,
    pinned_by text,
    deleted_at timestamptz,
    deleted_by text,
    -- When it was last pinned, unpinned or deleted, in the order that seq counts.
    changed_seq bigint CHECK (changed_seq > seq),
    UNIQUE (stream_id, seq),
    CHECK ((pinned_at IS NULL) = (pinned_by IS NULL)),
    CHECK ((deleted_at IS NULL) = (deleted_by IS NULL)),
    CHECK (pinned_at IS NULL OR deleted_at IS NULL)
);

CREATE INDEX stream_comments_shown ON stream_comments (stream_id, seq DESC) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX stream_comments_pinned ON stream_comments (stream_id) WHERE pinned_at IS NOT NULL;
CREATE INDEX stream_comments_by_user ON stream_comments (user_id, created_at DESC);

CREATE TABLE stream_reactions (
    stream_id uuid NOT NULL REFERENCES live_streams (id) ON DELETE CASCADE,
    user_id text NOT NULL CHECK (char_length(user_id) BETWEEN 1 AND 128),
    type text NOT NULL CHECK (type IN ('like', 'love', 'fire', 'clap', 'wow')),
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (stream_id, user_id)
);

CREATE INDEX stream_reactions_by_type ON stream_reactions (stream_id, type);

CREATE TABLE stream_analytics (
    stream_id uuid NOT NULL REFERENCES live_streams (id) ON DELETE CASCADE,
    at timestamptz NOT NULL,
    viewer_count integer NOT NULL CHECK (viewer_count >= 0),
    unique_viewers integer NOT NULL CHECK (unique_viewers >= 0),
    comments_count integer NOT NULL CHECK (comments_count >= 0),
    reactions_count integer NOT NULL CHECK (reactions_count >= 0),
    bitrate_bps bigint CHECK (bitrate_bps >= 0),
    fps real CHECK (fps >= 0),
    PRIMARY KEY (stream_id, at)
);

-- Totals: one update of the stream per statement, however many rows it adds or takes.
CREATE FUNCTION count_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'UPDATE live_streams SET %1$I = %1$I + added.count FROM '
        '(SELECT stream_id, count(*)::integer FROM added_rows GROUP BY stream_id ORDER BY stream_id) AS added '
        'WHERE id = added.stream_id', TG_ARGV[0]);
    RETURN NULL;
END
$$;

CREATE TRIGGER stream_comments_added AFTER INSERT ON stream_comments
    REFERENCING NEW TABLE AS added_rows FOR EACH STATEMENT EXECUTE FUNCTION count_added('comments_count');
CREATE TRIGGER stream_reactions_added AFTER INSERT ON stream_reactions
    REFERENCING NEW TABLE AS added_rows FOR EACH STATEMENT EXECUTE FUNCTION count_added('reactions_count');
CREATE TRIGGER stream_viewers_added AFTER INSERT ON stream_viewers
    REFERENCING NEW TABLE AS added_rows FOR EACH STATEMENT EXECUTE FUNCTION count_added('unique_viewers');

-- A comment that is deleted counts no more; nothing brings it back.
CREATE FUNCTION count_deleted_comment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE live_streams SET comments_count = comments_count - 1 WHERE id = NEW.stream_id;
    RETURN NULL;
END
$$;

CREATE TRIGGER stream_comments_deleted AFTER UPDATE OF deleted_at ON stream_comments
    FOR EACH ROW WHEN (OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL)
    EXECUTE FUNCTION count_deleted_comment();

-- migrate: rollback
