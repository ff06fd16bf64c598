-- Groups of servers. A server is in one group at most, of its own organization; without its group it is in none.
create table auth.server_groups (
    server_group_id uuid primary key,
    organization_id uuid not null references auth.organizations,
    display_name text not null check (length(display_name) between 1 and 100),
    description text not null default '' check (length(description) <= 1000),
    create_time timestamptz not null,
    unique (server_group_id, organization_id)
);
create unique index server_groups_by_name on auth.server_groups (organization_id, lower(display_name));

alter table auth.servers
    add column server_group_id uuid,
    add constraint servers_group foreign key (server_group_id, organization_id)
        references auth.server_groups (server_group_id, organization_id) on delete set null (server_group_id);
create index servers_by_group on auth.servers (server_group_id) where server_group_id is not null;

grant select, insert, update, delete on auth.server_groups to flick_auth;
