-- What the webhook's receiver has not taken yet. A row is written with the effect of its event and leaves when the
-- receiver took it or refused it for good, so the table is as long as the receiver is behind.
create table webhook_queue (
    event_id uuid        primary key references deliveries (event_id),
    order_id bigint      not null,
    version  integer     not null,
    attempts integer     not null default 0,
    refusals integer     not null default 0,
    due_at   timestamptz not null default '-infinity'
);

create index webhook_queue_due on webhook_queue (due_at);
create index webhook_queue_by_order on webhook_queue (order_id, version);

-- Set: the event was understood and has its effect, and the webhook's receiver refused it.
alter table dead_letters add column refused_event uuid references deliveries (event_id);
