-- name: list_organizations
-- A person's organizations after the given one, oldest first.
select organization_id, display_name, create_time
from auth.organizations
where organization_id in (select organization_id from auth.memberships where user_id = $1)
    and ($2::uuid is null or organization_id > $2)
order by organization_id
limit $3;

-- name: list_roles
-- A person's roles.
select organization_id, role from auth.memberships where user_id = $1;

-- name: get_organization
-- An organization.
select organization_id, display_name, create_time from auth.organizations where organization_id = $1;

-- name: rename_organization
-- Gives an organization another name.
update auth.organizations set display_name = $2 where organization_id = $1
returning organization_id, display_name, create_time;
