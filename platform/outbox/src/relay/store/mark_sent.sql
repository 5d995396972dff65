-- The rows and the partitions' ends in one statement: what is marked is never beyond the noted end.
with marked as (
    update outbox set sent_at = $2 where id = any($1)
)
insert into stream_partition (partition, next_offset)
select * from unnest($3::integer[], $4::bigint[]) as acked (partition, next_offset) order by partition
on conflict (partition) do update
    set next_offset = greatest(stream_partition.next_offset, excluded.next_offset)
