-- The offset after the last acknowledged event of each partition of a topic.
select partition, next_offset
from topic_partition
where topic = $1
