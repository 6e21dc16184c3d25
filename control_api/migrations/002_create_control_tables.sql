-- Users, their followers and keys, and what is told to others
-- depends: 001_create_live_streaming_tables

-- migrate: apply

CREATE TABLE followers (
    user_id text NOT NULL CHECK (char_length(user_id) BETWEEN 1 AND 128),
    follower_id text NOT NULL CHECK (char_length(follower_id) BETWEEN 1 AND 128),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, follower_id),
    CHECK (user_id <> follower_id)
);

CREATE INDEX followers_of ON followers (follower_id, user_id);

CREATE TABLE channel_keys (
    user_id text PRIMARY KEY CHECK (char_length(user_id) BETWEEN 1 AND 128),
    key_digest bytea NOT NULL UNIQUE CHECK (octet_length(key_digest) = 32),
    key_sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE moderators (
    channel_id text NOT NULL CHECK (char_length(channel_id) BETWEEN 1 AND 128),
    user_id text NOT NULL CHECK (char_length(user_id) BETWEEN 1 AND 128),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (channel_id, user_id),
    CHECK (channel_id <> user_id)
);

CREATE TABLE bans (
    -- Of the newest change: a ban that is set again is the newest of the list.
    id bigint GENERATED ALWAYS AS IDENTITY,
    channel_id text NOT NULL CHECK (char_length(channel_id) BETWEEN 1 AND 128),
    user_id text NOT NULL CHECK (char_length(user_id) BETWEEN 1 AND 160),
    banned_by text NOT NULL,
    reason text NOT NULL DEFAULT '' CHECK (char_length(reason) <= 500),
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Null is for good.
    ends_at timestamptz,
    PRIMARY KEY (channel_id, user_id),
    CHECK (channel_id <> user_id),
    CHECK (ends_at > created_at)
);

CREATE INDEX bans_newest ON bans (channel_id, id DESC);
CREATE INDEX bans_ending ON bans (channel_id, ends_at) WHERE ends_at IS NOT NULL;

-- A stream without a row has the defaults.
CREATE TABLE chat_settings (
    stream_id uuid PRIMARY KEY REFERENCES live_streams (id) ON DELETE CASCADE,
    slow_mode_s integer NOT NULL DEFAULT 0 CHECK (slow_mode_s BETWEEN 0 AND 3600),
    followers_only boolean NOT NULL DEFAULT false,
    links_allowed boolean NOT NULL DEFAULT true,
    blocked_words text[] NOT NULL DEFAULT '{}' CHECK (
        cardinality(blocked_words) <= 500
        AND array_position(blocked_words, NULL) IS NULL
        AND char_length(array_to_string(blocked_words, '')) <= 500 * 100
    )
);

CREATE TABLE recordings (
    id uuid PRIMARY KEY,
    stream_id uuid NOT NULL REFERENCES live_streams (id) ON DELETE CASCADE,
    status text NOT NULL CHECK (status IN ('recording', 'processing', 'ready', 'failed')),
    created_at timestamptz NOT NULL DEFAULT now(),
    url text,
    media_id text,
    duration_s double precision CHECK (duration_s >= 0),
    size_bytes bigint CHECK (size_bytes >= 0),
    CHECK ((status = 'ready') <= (url IS NOT NULL))
);

CREATE INDEX recordings_by_stream ON recordings (stream_id, created_at DESC);

-- What has to be told, written in the transaction of what happened; whoever delivers it may be another process.
CREATE TABLE outbox (
    event_id uuid NOT NULL,
    -- Who is told: what happened is told to the pages first, and copied for others from there.
    outlet text NOT NULL DEFAULT 'pages' CHECK (outlet IN ('pages', 'redis')),
    type text NOT NULL CHECK (char_length(type) BETWEEN 1 AND 100),
    stream_id uuid NOT NULL REFERENCES live_streams (id) ON DELETE CASCADE,
    user_id text NOT NULL,
    is_private boolean NOT NULL,
    happened_at timestamptz NOT NULL,
    data jsonb NOT NULL,
    -- How far the followers have been told: the last one, in the order of their ids.
    told_until text NOT NULL DEFAULT '',
    told_count bigint NOT NULL DEFAULT 0,
    -- Whoever works on it moves this on; one who died meanwhile leaves it to the next.
    due_at timestamptz NOT NULL DEFAULT now(),
    done_at timestamptz,
    PRIMARY KEY (event_id, outlet)
);

CREATE INDEX outbox_due ON outbox (outlet, due_at) WHERE done_at IS NULL;
CREATE INDEX outbox_by_stream ON outbox (stream_id);
CREATE INDEX outbox_done ON outbox (done_at) WHERE done_at IS NOT NULL;

CREATE TABLE webhooks (
    id uuid PRIMARY KEY,
    user_id text NOT NULL CHECK (char_length(user_id) BETWEEN 1 AND 128),
    -- Of everybody's streams, not only one's own: made by an admin.
    is_global boolean NOT NULL DEFAULT false,
    url text NOT NULL CHECK (char_length(url) BETWEEN 1 AND 2000),
    events text[] NOT NULL CHECK (cardinality(events) BETWEEN 1 AND 20),
    secret_sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    disabled_reason text,
    CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
);

CREATE INDEX webhooks_by_user ON webhooks (user_id, id);
CREATE INDEX webhooks_global ON webhooks (id) WHERE is_global;

CREATE TABLE webhook_deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook_id uuid NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event_id uuid NOT NULL,
    type text NOT NULL,
    body text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
    last_status integer,
    last_error text,
    finished_at timestamptz,
    UNIQUE (webhook_id, event_id)
);

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (due_at, id) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_finished ON webhook_deliveries (finished_at) WHERE state <> 'pending';

CREATE TABLE audit_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    actor_id text NOT NULL,
    action text NOT NULL,
    subject text NOT NULL,
    address text,
    -- Whose channel was moderated.
    channel_id text CHECK (char_length(channel_id) BETWEEN 1 AND 128),
    details jsonb NOT NULL DEFAULT '{}'
);

CREATE INDEX audit_log_by_subject ON audit_log (subject, id DESC);
CREATE INDEX audit_log_by_channel ON audit_log (channel_id, id DESC) WHERE channel_id IS NOT NULL;

-- Answers to requests that carried an Idempotency-Key: the same request again gets the same answer.
CREATE TABLE idempotency_keys (
    user_id text NOT NULL,
    key text NOT NULL CHECK (char_length(key) BETWEEN 1 AND 200),
    request_digest bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Null while the first request is under way.
    status integer,
    headers jsonb,
    body bytea,
    PRIMARY KEY (user_id, key)
);

CREATE INDEX idempotency_keys_old ON idempotency_keys (created_at);

-- migrate: rollback
