-- Buckets of an hour lie in blocks of the days from the 1st, the 11th and the 21st of a UTC month on, no longer of each UTC day: a year of them is read in
-- 36 blocks. What was in blocks of a day is made again of minutes, which are all there still.
insert into telemetry.rollups_due (server_id, hour, has_minutes)
select distinct server_id, span_start, true from telemetry.rollups_1m
on conflict (server_id, hour) do nothing;
delete from telemetry.rollups_1h;

-- As migration 0010 has it, but for these blocks.
create or replace function telemetry.expire(
    of_table text, chunk_start timestamptz, servers uuid[], befores timestamptz[], at_most integer,
    out dropped boolean, out blocks bigint
)
language plpgsql security definer
set search_path = pg_catalog, pg_temp
set lock_timeout = '200ms'
set timezone = 'UTC' -- a year is one of UTC
as $$
declare
    span interval := case of_table
        when 'sealed_metrics' then '1 hour' when 'sealed_processes' then '1 hour'
        when 'rollups_1m' then '1 hour' when 'rollups_1h' then '11 days' when 'rollups_1d' then '1 year'
    end;
    start text := case when of_table like 'sealed%' then 'hour' else 'span_start' end;
    -- A year, or the days of a block of hours, is as long as what is in it: that of a server that was deleted need not end first.
    finish text := case of_table
        when 'rollups_1h' then 'last_time + interval ''1 hour'''
        when 'rollups_1d' then 'last_time + interval ''1 day'''
        else start || ' + $3'
    end;
    is_rolled_up boolean := of_table <> 'sealed_processes';
    -- Minutes can be made again of what is sealed; the others are made of minutes that may be gone.
    is_noted boolean := of_table in ('sealed_metrics', 'rollups_1h', 'rollups_1d');
    -- Of what is in blocks rows may lie there still: without its block a row would be a sample again.
    in_rows tstzmultirange := '{}';
    is_over text;
    noted text := ' insert into telemetry.expiries as known (server_id, before)'
        ' select server_id, max(finish) from gone where $5 group by server_id'
        ' on conflict (server_id) do update set before = greatest(known.before, excluded.before)';
    chunk record;
    is_kept boolean;
begin
    dropped := false;
    blocks := 0;
    if span is null then
        raise exception 'there are no blocks in %', of_table;
    end if;
    if exists (
        select from unnest(servers, befores) as over (server_id, before)
        where server_id is null or before is null or before > now() - interval '20 hours'
    ) then
        raise exception 'each server needs a moment, of yesterday at the latest';
    end if;
    select format('%I.%I', chunk_schema, chunk_name) as name, range_end into chunk
    from timescaledb_information.chunks
    where hypertable_schema = 'telemetry' and hypertable_name = of_table and range_start = chunk_start;
    if not found then
        return;
    end if;
    if of_table like 'sealed%' then
        select coalesce(range_agg(tstzrange(range_start, range_end)), '{}') into in_rows
        from timescaledb_information.chunks
        where hypertable_schema = 'telemetry' and hypertable_name in ('metrics', 'processes');
    end if;
    is_over := format(
        'block.%2$s <= over.before and not block.%1$I <@ $7 and not ($4 and exists (select from telemetry.rollups_due as due'
        ' where due.server_id = block.server_id and due.hour >= block.%1$I and due.hour < block.%1$I + $3))', start, finish
    );
    execute format(
        'select exists (select from %s as block left join unnest($1, $2) as over (server_id, before) using (server_id)'
        ' where (%s) is not true)', chunk.name, is_over
    ) into is_kept using servers, befores, span, is_rolled_up, is_noted, at_most, in_rows;
    if is_kept then
        execute format(
            'with gone as (delete from %1$s where ctid = any (array('
            ' select block.ctid from %1$s as block join unnest($1, $2) as over (server_id, before) using (server_id)'
            ' where %2$s limit $6)) returning server_id, %3$s as finish), noted as (' || noted || ')'
            ' select count(*) from gone', chunk.name, is_over, finish
        ) into blocks using servers, befores, span, is_rolled_up, is_noted, at_most, in_rows;
        return;
    end if;
    execute format('lock table %s in access exclusive mode nowait', chunk.name);
    -- Nobody but the leader writes blocks, and it is the leader who asks: what was found without the lock is so still.
    execute format(
        'with gone as (select server_id, %s as finish from %s), noted as (' || noted || ') select count(*) from gone',
        finish, chunk.name
    ) into blocks using servers, befores, span, is_rolled_up, is_noted;
    perform public.drop_chunks(
        format('telemetry.%I', of_table)::regclass, older_than => chunk.range_end, newer_than => chunk_start
    );
    dropped := true;
end
$$;
