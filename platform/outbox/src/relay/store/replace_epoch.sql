-- Begins another epoch, unless another relay did meanwhile.
update stream_epoch
set epoch = $2
where epoch = $1
