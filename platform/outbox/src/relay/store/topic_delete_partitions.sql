-- Forgets how far a topic of an earlier epoch was.
delete from topic_partition
where topic = $1
