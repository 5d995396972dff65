-- What the order's lines name, as the event's header `skus` has it, so that streams of one SKU find it without asking. A process
-- of the release before writes none. What is unsent when this runs gets them; what was sent is in the topic as it is.
alter table outbox add column skus text not null default '';

update outbox
set skus = (
    select coalesce(string_agg(sku::text, ',' order by sku), '')
    from (select distinct sku from order_lines where order_lines.order_id = outbox.order_id) as lines
)
where sent_at is null;
