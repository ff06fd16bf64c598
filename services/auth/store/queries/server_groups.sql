-- name: list_server_groups
-- The groups of a person's organizations (or of one) that come after the given name and id, by name in any case.
select
    server_group_id, organization_id, display_name, description, create_time,
    (
        select count(*) from auth.servers
        where servers.server_group_id = server_groups.server_group_id and delete_time is null
    ) as server_count
from auth.server_groups
where organization_id in (select organization_id from auth.memberships where user_id = $1)
    and ($2::uuid is null or organization_id = $2)
    and ($3::text is null or (lower(display_name), server_group_id) > (lower($3), $4::uuid))
order by lower(display_name), server_group_id
limit $5;

-- name: get_server_group
-- A group.
select
    server_group_id, organization_id, display_name, description, create_time,
    (
        select count(*) from auth.servers
        where servers.server_group_id = server_groups.server_group_id and delete_time is null
    ) as server_count
from auth.server_groups
where server_group_id = $1;

-- name: find_role_for_server_group
-- The role that a person has in the organization of a group.
select role
from auth.server_groups
join auth.memberships using (organization_id)
where server_group_id = $1 and user_id = $2;

-- name: count_server_groups
-- How many groups an organization has; others who add one wait for the end of this transaction.
select (select count(*) from auth.server_groups where server_groups.organization_id = organizations.organization_id)
from auth.organizations
where organization_id = $1
for update;

-- name: add_server_group
-- A new group.
insert into auth.server_groups (server_group_id, organization_id, display_name, description, create_time)
values ($1, $2, $3, $4, $5);

-- name: update_server_group
-- Changes what people say of a group; null leaves a field as it is.
update auth.server_groups
set display_name = coalesce($2, display_name), description = coalesce($3, description)
where server_group_id = $1;

-- name: delete_server_group
-- Removes a group. Its servers stay, in no group.
delete from auth.server_groups where server_group_id = $1;
