alter table dead_letters drop column refused_event;
drop table webhook_queue;
