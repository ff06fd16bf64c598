-- name: get_role
-- The role of a person in an organization.
select role from auth.memberships where user_id = $1 and organization_id = $2;

-- name: find_owners_of_servers
-- Who owns some servers.
select server_id, organization_id from auth.servers where server_id = any($1::uuid[]) and delete_time is null;

-- name: get_revision
-- How many changes of access there have been.
select revision from auth.access_revision;

-- name: list_changes
-- What has changed since a revision, in order.
select revision, user_id, organization_id, server_id, key_id
from auth.access_changes
where revision > $1
order by revision
limit $2;

-- name: page_memberships
-- Memberships after the given one.
select user_id, organization_id, role
from auth.memberships
where (user_id, organization_id) > ($1, $2)
order by user_id, organization_id
limit $3;

-- name: page_servers
-- Servers with their settings after the given one.
select server_id, organization_id, metric_interval_s, retention_days, processes_enabled, process_commands_enabled
from auth.effective_settings
where server_id > $1
order by server_id
limit $2;

-- name: page_retentions
-- How long samples of servers after the given one are kept, and which are deleted.
select servers.server_id, effective_settings.retention_days, servers.delete_time
from auth.servers
left join auth.effective_settings using (server_id)
where servers.server_id > $1
order by servers.server_id
limit $2;

-- name: page_agent_keys
-- Valid keys after the given one.
select key_id, agent_keys.server_id, agent_keys.organization_id, secret_sha256
from auth.agent_keys
join auth.servers using (server_id)
where revoke_time is null and delete_time is null and key_id > $1
order by key_id
limit $2;

-- name: find_memberships
-- The memberships of some people.
select user_id, organization_id, role from auth.memberships where user_id = any($1::uuid[]);

-- name: find_servers
-- Some servers, and all the servers of some organizations, with their settings.
select server_id, organization_id, metric_interval_s, retention_days, processes_enabled, process_commands_enabled
from auth.effective_settings
where server_id = any($1::uuid[]) or organization_id = any($2::uuid[]);

-- name: find_matching_servers
-- The servers of a person's organizations (or of one) that a filter matches, which takes the place that the comment marks.
select server_id
from auth.servers
where delete_time is null
    and organization_id in (select organization_id from auth.memberships where user_id = $1)
    and ($2::uuid is null or organization_id = $2)
    and true /* filter */
order by server_id
limit $3;

-- name: find_agent_keys
-- Those of some keys that are valid.
select key_id, agent_keys.server_id, agent_keys.organization_id, secret_sha256
from auth.agent_keys
join auth.servers using (server_id)
where revoke_time is null and delete_time is null and key_id = any($1::uuid[]);
