-- name: delete_expired_refresh_tokens
-- Refresh tokens that expired before a moment. Until then they betray their reuse.
delete from auth.refresh_tokens where expire_time < $1;

-- name: delete_empty_sessions
-- Sessions begun before a moment that have no token left.
delete from auth.sessions
where create_time < $1
    and not exists (select from auth.refresh_tokens where refresh_tokens.session_id = sessions.session_id);

-- name: delete_expired_join_tokens
-- Join tokens that expired before a moment.
delete from auth.join_tokens where expire_time < $1;

-- name: delete_old_changes
-- Changes of access that every stream has read long ago.
delete from auth.access_changes where change_time < now() - $1::interval;
