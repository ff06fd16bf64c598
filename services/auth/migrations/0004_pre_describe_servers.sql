-- What people note about a server. Tags are kept in lower case, each once, in order; categories are numbered as in the contract.
alter table auth.servers
    add column tags text[] not null default '{}' check (cardinality(tags) <= 16),
    add column description text not null default '' check (length(description) <= 1000),
    add column category smallint not null default 0 check (category between 0 and 4);
