-- Begins another epoch of a topic's stream, unless another relay did meanwhile.
update topic_epoch
set epoch = $3
where topic = $1 and epoch = $2
