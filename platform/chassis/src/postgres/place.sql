-- The server's time, whether it takes writes, and its timeline, which each promotion raises. It is no table of ours.
select clock_timestamp() as now,
    pg_is_in_recovery() or current_setting('transaction_read_only')::boolean as is_read_only,
    case when pg_is_in_recovery() then 0
        else ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::integer::bigint
    end as timeline,
    current_setting('synchronous_standby_names') <> ''
        and current_setting('synchronous_commit') not in ('off', 'local') as waits_for_standby
