-- Organizations, the people in them, and their sessions.
grant usage on schema auth to flick_auth;

create table auth.organizations (
    organization_id uuid primary key,
    display_name text not null check (length(display_name) between 1 and 100),
    create_time timestamptz not null
);

-- E-mail addresses are the same whatever their case.
create table auth.users (
    user_id uuid primary key,
    email text not null check (length(email) between 3 and 320),
    password_hash text not null,
    create_time timestamptz not null
);
create unique index users_email on auth.users (lower(email));

-- Roles are numbered as in the contract: 1 viewer, 2 member, 3 admin, 4 owner.
create table auth.memberships (
    organization_id uuid not null references auth.organizations,
    user_id uuid not null references auth.users,
    role smallint not null check (role between 1 and 4),
    create_time timestamptz not null,
    primary key (user_id, organization_id)
);
create index memberships_organization on auth.memberships (organization_id);

-- A session is a family of refresh tokens: what happens to one of them can end them all.
create table auth.sessions (
    session_id uuid primary key,
    user_id uuid not null references auth.users,
    create_time timestamptz not null,
    end_time timestamptz,
    end_reason text check (end_reason in ('logout', 'reuse')),
    check ((end_time is null) = (end_reason is null))
);

create table auth.refresh_tokens (
    refresh_token_id uuid primary key,
    session_id uuid not null references auth.sessions on delete cascade,
    -- The token that was exchanged for this one; null for the first of a session. It may be deleted before this one.
    parent_id uuid,
    secret_sha256 bytea not null check (length(secret_sha256) = 32),
    create_time timestamptz not null,
    expire_time timestamptz not null,
    use_time timestamptz
);
create index refresh_tokens_session on auth.refresh_tokens (session_id);
create index refresh_tokens_parent on auth.refresh_tokens (parent_id);
create index refresh_tokens_expiry on auth.refresh_tokens (expire_time);

grant select, insert, update on auth.organizations, auth.users to flick_auth;
grant select, insert, update, delete on auth.memberships, auth.sessions, auth.refresh_tokens to flick_auth;
