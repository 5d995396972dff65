-- The first epoch of the stream, where there is none yet.
insert into stream_epoch (epoch)
values ($1)
on conflict do nothing
