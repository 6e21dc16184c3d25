-- When viewers watched, so that what several servers saw of one viewer is added up without doubling anything
-- depends: 002_create_control_tables

-- migrate: apply

ALTER TABLE stream_viewers
    -- The last spans in which this viewer watched, on whatever server. What is written twice changes nothing.
    ADD COLUMN watched tstzmultirange NOT NULL DEFAULT '{}',
    -- Spans before are in watch_time_s and visits alone; nothing is added before it any more.
    ADD COLUMN folded_until timestamptz NOT NULL DEFAULT '-infinity',
    -- Of the span that was written last: whether it began a visit, whatever other servers know.
    ADD COLUMN is_visit boolean NOT NULL DEFAULT true;

UPDATE stream_viewers SET folded_until = last_seen_at;

-- Which count of viewers is the newest: in milliseconds of Unix time.
ALTER TABLE live_streams ADD COLUMN viewer_count_version bigint NOT NULL DEFAULT 0;

CREATE FUNCTION seconds_of(spans tstzmultirange) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(sum(extract(epoch FROM upper(span) - lower(span))), 0)::double precision FROM unnest(spans) AS span
$$;

-- A span that begins within 30 s after another one goes on with it, unless it is a visit for certain. What was taken for
-- the beginning of a visit is none when another span turns out to reach over it.
CREATE FUNCTION add_watched(
    INOUT visits integer, INOUT watch_time_s double precision, INOUT watched tstzmultirange,
    INOUT folded_until timestamptz, began timestamptz, ended timestamptz, is_visit boolean
) LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    newest timestamptz := upper(watched);
    since timestamptz;
    added tstzmultirange;
BEGIN
    IF ended < folded_until THEN
        RETURN;
    END IF;
    -- As good as always: the last span has become longer.
    IF began <= newest AND watched @> tstzrange(began, newest, '[]') THEN
        IF ended > newest THEN
            watched := watched + tstzmultirange(tstzrange(newest, ended, '[]'));
            watch_time_s := watch_time_s + extract(epoch FROM ended - newest)::double precision;
        END IF;
        RETURN;
    END IF;
    IF began < folded_until THEN
        began := folded_until;
    ELSIF NOT watched @> began THEN
        SELECT max(upper(span)) INTO since FROM unnest(watched) AS span WHERE upper(span) < began;
        IF is_visit OR since IS NULL OR began - since >= interval '29.9999 seconds' THEN
            visits := visits + 1;
        ELSE
            began := since;
        END IF;
    END IF;
    SELECT greatest(1, visits - count(*)) INTO visits FROM unnest(watched) AS span
        WHERE lower(span) > began AND lower(span) <= ended;
    added := watched + tstzmultirange(tstzrange(began, ended, '[]'));
    watch_time_s := watch_time_s + greatest(0, seconds_of(added) - seconds_of(watched));
    -- Whoever comes and goes all the time makes the row no longer than this.
    SELECT max(folded.until) INTO since FROM (
        SELECT upper(span) AS until FROM unnest(added) AS span ORDER BY span DESC OFFSET 8
    ) AS folded;
    IF since IS NOT NULL THEN
        folded_until := since;
        added := added * tstzmultirange(tstzrange(since, NULL, '()'));
    END IF;
    watched := added;
END
$$;

-- migrate: rollback
