-- name: find_user_by_email
-- Whoever has this e-mail address, in whatever case it is written.
select user_id, password_hash from auth.users where lower(email) = lower($1);

-- name: get_user
-- A person.
select user_id, email from auth.users where user_id = $1;

-- name: list_memberships
-- A person's organizations with their roles, oldest first.
select organization_id, display_name, create_time, role
from (select organization_id, role from auth.memberships where user_id = $1) as mine
join auth.organizations using (organization_id)
order by organization_id;

-- name: begin_session
-- A new session.
insert into auth.sessions (session_id, user_id, create_time) values ($1, $2, $3);

-- name: add_refresh_token
-- A token of a session; its parent is the one that it was exchanged for.
insert into auth.refresh_tokens (refresh_token_id, session_id, parent_id, secret_sha256, create_time, expire_time)
values ($1, $2, $3, $4, $5, $6);

-- name: lock_session_of_token
-- The session of a token with this secret, locked: whoever presents a token of the same session next waits.
select session_id, user_id, end_time
from auth.sessions
where session_id = (select session_id from auth.refresh_tokens where refresh_token_id = $1 and secret_sha256 = $2)
for update;

-- name: get_refresh_token
-- What decides about a token. Read after its session is locked.
select
    expire_time,
    use_time,
    exists (
        select from auth.refresh_tokens as child
        where child.parent_id = token.refresh_token_id and child.use_time is not null
    ) as child_used,
    exists (
        select from auth.refresh_tokens as sibling
        where sibling.parent_id = token.parent_id and sibling.refresh_token_id <> token.refresh_token_id
            and sibling.use_time is not null
    ) as sibling_used
from auth.refresh_tokens as token
where refresh_token_id = $1;

-- name: mark_refresh_token_used
-- The first exchange of a token.
update auth.refresh_tokens set use_time = $2 where refresh_token_id = $1 and use_time is null;

-- name: end_session
-- Ends a session, unless it is ended.
update auth.sessions set end_time = $2, end_reason = $3 where session_id = $1 and end_time is null;
