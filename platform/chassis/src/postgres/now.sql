-- The server's time. It is no table of ours.
select clock_timestamp() as now
