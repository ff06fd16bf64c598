-- name: create_join_token
-- A new join token.
insert into auth.join_tokens
    (join_token_id, organization_id, secret_sha256, server_display_name, create_time, expire_time)
values ($1, $2, $3, $4, $5, $6);

-- name: list_join_tokens
-- The join tokens of an organization that can still be used and were made before the given one, newest first.
select join_token_id, organization_id, server_display_name, create_time, expire_time
from auth.join_tokens
where organization_id = $1 and use_time is null and expire_time > $2 and ($3::uuid is null or join_token_id < $3)
order by join_token_id desc
limit $4;

-- name: find_role_for_join_token
-- The role that a person has in the organization of a join token.
select role
from auth.join_tokens
join auth.memberships using (organization_id)
where join_token_id = $1 and user_id = $2;

-- name: delete_join_token
-- Ends a join token.
delete from auth.join_tokens where join_token_id = $1;

-- name: use_join_token
-- Uses up a join token. Of several who present it at once only one gets a row.
update auth.join_tokens set use_time = $3
where join_token_id = $1 and secret_sha256 = $2 and use_time is null and expire_time > $3
returning organization_id, server_display_name;

-- name: find_join_token
-- A join token that could not be used.
select secret_sha256, use_time from auth.join_tokens where join_token_id = $1;

-- name: add_server
-- A new server.
insert into auth.servers
    (
        server_id, organization_id, display_name, hostname, os_type, os_description, arch, host_facts,
        agent_version, is_local, create_time
    )
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11);

-- name: add_server_settings
-- The settings of a new server: all inherited.
insert into auth.server_settings (server_id, organization_id) values ($1, $2);

-- name: add_agent_key
-- A new key for a server's agent.
insert into auth.agent_keys (key_id, server_id, organization_id, secret_sha256, create_time)
select $1, server_id, organization_id, $3, $4 from auth.servers where server_id = $2;

-- name: revoke_agent_keys
-- Ends every key of a server's agent.
update auth.agent_keys set revoke_time = $2 where server_id = $1 and revoke_time is null;
