-- The first epoch of a topic's stream, where there is none yet.
insert into topic_epoch (topic, epoch)
values ($1, $2)
on conflict do nothing
