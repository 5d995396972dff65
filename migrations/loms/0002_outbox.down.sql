drop table stream_partition;
drop table stream_epoch;
drop table outbox;
