-- name: list_servers
-- The servers of a person's organizations (or of one) that come after the given sort key and id. A filter and another order take the
-- places that the comments mark.
select
    server_id, organization_id, display_name, hostname, os_type, os_description, arch, host_facts, create_time,
    tags, description, category, server_group_id, agent_version, host_change_time, lower(display_name) /* key */ as sort_key
from auth.servers
where delete_time is null
    and organization_id in (select organization_id from auth.memberships where user_id = $1)
    and ($2::uuid is null or organization_id = $2)
    and ($4::uuid is null or (lower(display_name) /* key */, server_id) > /* after */ ($3::text /* kind */, $4::uuid))
    and true /* filter */
order by lower(display_name) /* key */ /* way */, server_id /* way */
limit $5;

-- name: get_server
-- A server.
select
    server_id, organization_id, display_name, hostname, os_type, os_description, arch, host_facts, create_time,
    tags, description, category, server_group_id, agent_version, host_change_time
from auth.servers
where server_id = $1 and delete_time is null;

-- name: lock_servers
-- Holds some servers until they are changed, in an order that is the same for everybody.
select server_id from auth.servers where server_id = any($1::uuid[]) and delete_time is null order by server_id for update;

-- name: update_servers
-- Changes what people say of servers; null leaves a field as it is. Tags are kept in the order of their code points.
update auth.servers
set
    display_name = coalesce($2, display_name),
    tags = (
        select coalesce(array_agg(distinct tag collate "C" order by tag collate "C"), '{}')
        from unnest(coalesce($3::text[], tags) || $8::text[]) as tag
        where tag <> all ($9::text[])
    ),
    description = coalesce($4, description),
    category = coalesce($5, category),
    server_group_id = case when $7 then null else coalesce($6, server_group_id) end
where server_id = any($1::uuid[]) and delete_time is null
returning
    server_id, organization_id, display_name, hostname, os_type, os_description, arch, host_facts, create_time,
    tags, description, category, server_group_id, agent_version, host_change_time;

-- name: delete_server
-- Takes a server out of sight. Its row stays, since its history names it.
update auth.servers set delete_time = $2 where server_id = $1 and delete_time is null returning server_id;

-- name: revoke_agent_keys
-- Ends every key of a server's agent.
update auth.agent_keys set revoke_time = $2 where server_id = $1 and revoke_time is null;

-- name: list_agent_keys
-- The keys of a server's agent made before the given one, newest first.
select key_id, server_id, create_time, revoke_time
from auth.agent_keys
where server_id = $1 and ($2::uuid is null or key_id < $2)
order by key_id desc
limit $3;

-- name: revoke_agent_key
-- Ends a key of a server's agent; a key that is revoked keeps its time.
update auth.agent_keys set revoke_time = coalesce(revoke_time, $3) where server_id = $1 and key_id = $2
returning key_id, server_id, create_time, revoke_time;
