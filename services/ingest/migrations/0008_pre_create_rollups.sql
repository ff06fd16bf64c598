-- Minimum, time-weighted average and maximum of each metric in buckets of a minute, an hour and a UTC day, which ingest makes of sealed
-- hours. Blocks of columns as sealed hours are (flick/columns.py): one of each server, span and layout, where the span of
-- 1 min buckets is an hour, of 1 h buckets a UTC day, of 1 day buckets a UTC year. They are written anew when late samples change them.
create table telemetry.rollups_1m (
    server_id uuid not null,
    organization_id uuid not null,
    span_start timestamptz not null,
    -- 0: the samples have no labelled values.
    layout_id integer not null,
    -- Beginnings of the first and the last bucket, and how many there are: only those with samples of this layout.
    first_time timestamptz not null,
    last_time timestamptz not null,
    count integer not null check (count > 0),
    written_at timestamptz not null default clock_timestamp(),
    -- Beginnings of the buckets: microseconds since the Unix epoch (q).
    times bytea not null,
    -- How long a bucket's samples stand for, in microseconds (q), by which buckets are put together. The first column is of all samples
    -- of a bucket; further ones are of metrics that only some of its samples have measured.
    weights bytea not null,
    -- Which column of `weights` each metric has: 2 bytes for each (big-endian), first the scalar, then the labelled ones. Null:
    -- the first one each.
    weight_places bytea,
    -- Three columns for each metric, side by side: minimum, average, maximum. The scalar metrics in the order of their numbers (d), the
    -- labelled ones in that of the layout (f); NaN: not measured in the bucket.
    core bytea not null,
    labelled bytea,
    check ((layout_id = 0) = (labelled is null)),
    check (span_start <= first_time and first_time <= last_time)
);
create table telemetry.rollups_1h (like telemetry.rollups_1m including defaults including constraints);
create table telemetry.rollups_1d (like telemetry.rollups_1m including defaults including constraints);

select create_hypertable('telemetry.rollups_1m', by_range('span_start', interval '7 days'), create_default_indexes => false);
select create_hypertable('telemetry.rollups_1h', by_range('span_start', interval '30 days'), create_default_indexes => false);
select create_hypertable('telemetry.rollups_1d', by_range('span_start', interval '3650 days'), create_default_indexes => false);
create unique index rollups_1m_key on telemetry.rollups_1m (server_id, span_start, layout_id);
create unique index rollups_1h_key on telemetry.rollups_1h (server_id, span_start, layout_id);
create unique index rollups_1d_key on telemetry.rollups_1d (server_id, span_start, layout_id);

-- As those of sealed hours: compressed already, and read in parts.
alter table telemetry.rollups_1m
    alter column times set storage external, alter column weights set storage external,
    alter column core set storage external, alter column labelled set storage external;
alter table telemetry.rollups_1h
    alter column times set storage external, alter column weights set storage external,
    alter column core set storage external, alter column labelled set storage external;
alter table telemetry.rollups_1d
    alter column times set storage external, alter column weights set storage external,
    alter column core set storage external, alter column labelled set storage external;

-- Sealed hours that `rollups_1h` and `rollups_1d` do not show yet, or not as they are now. Those of a UTC day are taken in together when
-- it is over, late ones soon. What is not in here is in all three.
create table telemetry.rollups_due (
    server_id uuid not null,
    hour timestamptz not null,
    -- Whether `rollups_1m` shows it as it is now: what is sealed is rolled up to minutes in the same transaction.
    has_minutes boolean not null,
    note_time timestamptz not null default clock_timestamp(),
    primary key (server_id, hour)
);
-- What was sealed before there were rollups.
insert into telemetry.rollups_due (server_id, hour, has_minutes)
select distinct server_id, hour, false from telemetry.sealed_metrics;

grant select, insert, update on telemetry.rollups_1m, telemetry.rollups_1h, telemetry.rollups_1d to flick_ingest;
grant select, insert, update, delete on telemetry.rollups_due to flick_ingest;
grant select on telemetry.rollups_1m, telemetry.rollups_1h, telemetry.rollups_1d, telemetry.rollups_due to flick_query;
