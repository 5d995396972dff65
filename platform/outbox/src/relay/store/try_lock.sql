-- Takes a shard's lock for this session, unless another session has it.
select pg_try_advisory_lock($1, $2) as is_locked
