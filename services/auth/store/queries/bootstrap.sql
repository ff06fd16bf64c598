-- name: lock_bootstrap
-- Lets one bootstrap in at a time, until its transaction ends.
select pg_advisory_xact_lock(hashtext('flick.auth.bootstrap'));

-- name: find_first_organization
-- The oldest organization.
select organization_id from auth.organizations order by organization_id limit 1;

-- name: add_organization
-- A new organization.
insert into auth.organizations (organization_id, display_name, create_time) values ($1, $2, $3);

-- name: add_user
-- A new person.
insert into auth.users (user_id, email, password_hash, create_time) values ($1, $2, $3, $4);

-- name: add_membership
-- Makes a person a member of an organization.
insert into auth.memberships (organization_id, user_id, role, create_time) values ($1, $2, $3, $4);

-- name: find_local_server
-- The machine that FLick runs on.
select server_id from auth.servers where is_local and delete_time is null;
