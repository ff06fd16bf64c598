-- name: get_server_levels
-- What is set for a server, for its group and for its organization, from the outermost to the innermost; levels are numbered as in
-- the contract.
select level, metric_interval_s, retention_days, processes_enabled, process_commands_enabled
from auth.servers
cross join lateral (
    select 2 as level, metric_interval_s, retention_days, processes_enabled, process_commands_enabled
    from auth.organization_settings
    where organization_settings.organization_id = servers.organization_id
    union all
    select 3, metric_interval_s, retention_days, processes_enabled, process_commands_enabled
    from auth.server_group_settings
    where server_group_settings.server_group_id = servers.server_group_id
    union all
    select 4, metric_interval_s, retention_days, processes_enabled, process_commands_enabled
    from auth.server_settings
    where server_settings.server_id = servers.server_id
) as levels
where server_id = $1 and delete_time is null
order by level;

-- name: get_server_group_levels
-- What is set for a group and for its organization.
select level, metric_interval_s, retention_days, processes_enabled, process_commands_enabled
from auth.server_groups
cross join lateral (
    select 2 as level, metric_interval_s, retention_days, processes_enabled, process_commands_enabled
    from auth.organization_settings
    where organization_settings.organization_id = server_groups.organization_id
    union all
    select 3, metric_interval_s, retention_days, processes_enabled, process_commands_enabled
    from auth.server_group_settings
    where server_group_settings.server_group_id = server_groups.server_group_id
) as levels
where server_group_id = $1
order by level;

-- name: get_organization_levels
-- What is set for an organization.
select 2 as level, metric_interval_s, retention_days, processes_enabled, process_commands_enabled
from auth.organization_settings
where organization_id = $1;

-- name: set_server
-- Sets or clears some settings of servers: of each pair the first says whether it is changed.
insert into auth.server_settings
    (server_id, organization_id, metric_interval_s, retention_days, processes_enabled, process_commands_enabled)
select server_id, organization_id, $3::integer, $5::integer, $7::boolean, $9::boolean
from auth.servers
where server_id = any($1::uuid[]) and delete_time is null
order by server_id
on conflict (server_id) do update set
    metric_interval_s = case when $2 then excluded.metric_interval_s else server_settings.metric_interval_s end,
    retention_days = case when $4 then excluded.retention_days else server_settings.retention_days end,
    processes_enabled = case when $6 then excluded.processes_enabled else server_settings.processes_enabled end,
    process_commands_enabled =
        case when $8 then excluded.process_commands_enabled else server_settings.process_commands_enabled end;

-- name: set_server_group
-- Sets or clears some settings of groups.
insert into auth.server_group_settings
    (server_group_id, metric_interval_s, retention_days, processes_enabled, process_commands_enabled)
select server_group_id, $3::integer, $5::integer, $7::boolean, $9::boolean
from auth.server_groups
where server_group_id = any($1::uuid[])
on conflict (server_group_id) do update set
    metric_interval_s = case when $2 then excluded.metric_interval_s else server_group_settings.metric_interval_s end,
    retention_days = case when $4 then excluded.retention_days else server_group_settings.retention_days end,
    processes_enabled = case when $6 then excluded.processes_enabled else server_group_settings.processes_enabled end,
    process_commands_enabled =
        case when $8 then excluded.process_commands_enabled else server_group_settings.process_commands_enabled end;

-- name: set_organization
-- Sets or clears some settings of organizations.
insert into auth.organization_settings
    (organization_id, metric_interval_s, retention_days, processes_enabled, process_commands_enabled)
select organization_id, $3::integer, $5::integer, $7::boolean, $9::boolean
from auth.organizations
where organization_id = any($1::uuid[])
on conflict (organization_id) do update set
    metric_interval_s = case when $2 then excluded.metric_interval_s else organization_settings.metric_interval_s end,
    retention_days = case when $4 then excluded.retention_days else organization_settings.retention_days end,
    processes_enabled = case when $6 then excluded.processes_enabled else organization_settings.processes_enabled end,
    process_commands_enabled =
        case when $8 then excluded.process_commands_enabled else organization_settings.process_commands_enabled end;
