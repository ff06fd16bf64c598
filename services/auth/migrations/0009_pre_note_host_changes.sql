-- When what an agent tells of its host was other than before. Null: not since the server was added.
alter table auth.servers add column host_change_time timestamptz;
