drop table topic_partition;
drop table topic_epoch;
drop table topic_outbox;
alter table stocks drop column version;
