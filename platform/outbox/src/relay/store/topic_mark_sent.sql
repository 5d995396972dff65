-- The rows and the partitions' ends in one statement: what is marked is never beyond the noted end.
with marked as (
    update topic_outbox set sent_at = $2 where id = any($1)
)
insert into topic_partition (topic, partition, next_offset)
select $5, acked.* from unnest($3::integer[], $4::bigint[]) as acked (partition, next_offset) order by partition
on conflict (topic, partition) do update
    set next_offset = greatest(topic_partition.next_offset, excluded.next_offset)
