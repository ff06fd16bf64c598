-- name: update_hosts
-- What agents tell of their hosts now. A server whose row says the same is not written; the others are locked in an order that is the
-- same for everybody.
with told as (
    select server_id, hostname, os_type, os_description, arch, host_facts, agent_version
    from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::text[])
        as told (server_id, hostname, os_type, os_description, arch, host_facts, agent_version)
),
changed as (
    select servers.server_id
    from auth.servers
    join told using (server_id)
    where servers.delete_time is null and (
        servers.hostname, servers.os_type, servers.os_description, servers.arch, servers.host_facts, servers.agent_version
    ) is distinct from (told.hostname, told.os_type, told.os_description, told.arch, told.host_facts, told.agent_version)
    order by servers.server_id
    for update of servers
)
update auth.servers
set
    hostname = told.hostname,
    os_type = told.os_type,
    os_description = told.os_description,
    arch = told.arch,
    host_facts = told.host_facts,
    agent_version = told.agent_version,
    host_change_time = $8
from told
where servers.server_id = told.server_id and servers.server_id in (select server_id from changed)
returning servers.server_id;
