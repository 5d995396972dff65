-- Forgets how far the topic of an earlier epoch was.
delete from stream_partition
