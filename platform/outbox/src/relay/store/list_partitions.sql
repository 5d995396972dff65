-- The offset after the last acknowledged event of each partition.
select partition, next_offset
from stream_partition
