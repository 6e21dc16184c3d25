-- What was pinned, unpinned and deleted since a place in a chat: for sockets that come back
-- depends: 002_create_control_tables

-- migrate: apply

CREATE INDEX stream_comments_changed ON stream_comments (stream_id, changed_seq) WHERE changed_seq IS NOT NULL;

-- migrate: rollback
