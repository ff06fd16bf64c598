-- Servers, what is set for each, their agents' keys, and the tokens by which new ones join.
create table auth.servers (
    server_id uuid primary key,
    organization_id uuid not null references auth.organizations,
    display_name text not null check (length(display_name) between 1 and 100),
    hostname text not null,
    os_type text not null,
    os_description text not null,
    arch text not null,
    agent_version text not null,
    -- The machine that FLick itself runs on, when its launcher monitors it.
    is_local boolean not null default false,
    create_time timestamptz not null,
    delete_time timestamptz,
    unique (server_id, organization_id)
);
create index servers_by_name on auth.servers (organization_id, lower(display_name), server_id) where delete_time is null;
create unique index servers_one_local on auth.servers (is_local) where is_local and delete_time is null;

-- The ranges and defaults are those of flick.v1.ServerSettings.
create table auth.server_settings (
    server_id uuid primary key,
    organization_id uuid not null,
    metric_interval_s integer not null default 5 check (metric_interval_s between 1 and 300),
    retention_days integer not null default 30 check (retention_days between 1 and 3650),
    processes_enabled boolean not null default true,
    process_commands_enabled boolean not null default true,
    foreign key (server_id, organization_id) references auth.servers (server_id, organization_id)
);

create table auth.agent_keys (
    key_id uuid primary key,
    server_id uuid not null,
    organization_id uuid not null,
    secret_sha256 bytea not null check (length(secret_sha256) = 32),
    create_time timestamptz not null,
    revoke_time timestamptz,
    foreign key (server_id, organization_id) references auth.servers (server_id, organization_id)
);
create index agent_keys_by_server on auth.agent_keys (server_id, key_id);

create table auth.join_tokens (
    join_token_id uuid primary key,
    organization_id uuid not null references auth.organizations,
    secret_sha256 bytea not null check (length(secret_sha256) = 32),
    server_display_name text not null check (length(server_display_name) <= 100),
    create_time timestamptz not null,
    expire_time timestamptz not null,
    use_time timestamptz
);
create index join_tokens_by_organization on auth.join_tokens (organization_id, join_token_id);

grant select, insert, update on auth.servers, auth.server_settings, auth.agent_keys to flick_auth;
grant select, insert, update, delete on auth.join_tokens to flick_auth;
