-- Ends the session that holds a shard's lock if it has asked for nothing for so many milliseconds. A sender that works, also
-- one whose broker is away, asks more often.
select pg_terminate_backend(activity.pid) as is_ended
from pg_locks as held
join pg_stat_activity as activity on activity.pid = held.pid
where held.locktype = 'advisory'
  and held.granted
  and held.database = (select oid from pg_database where datname = current_database())
  and held.classid = $1::integer::oid
  and held.objid = $2::integer::oid
  and held.pid <> pg_backend_pid()
  and activity.state_change < clock_timestamp() - $3::bigint * interval '1 millisecond'
