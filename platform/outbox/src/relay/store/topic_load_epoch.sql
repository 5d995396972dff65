-- The epoch of a topic's stream.
select epoch
from topic_epoch
where topic = $1
