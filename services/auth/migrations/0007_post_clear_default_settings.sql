-- Settings that were written only because they are the default are inherited from now on.
alter table auth.server_settings
    alter column metric_interval_s drop default,
    alter column retention_days drop default,
    alter column processes_enabled drop default,
    alter column process_commands_enabled drop default;
update auth.server_settings
set
    metric_interval_s = nullif(metric_interval_s, 5),
    retention_days = nullif(retention_days, 30),
    processes_enabled = nullif(processes_enabled, true),
    process_commands_enabled = nullif(process_commands_enabled, true);
