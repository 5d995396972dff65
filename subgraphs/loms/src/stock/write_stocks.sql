-- Writes locked rows, each with its own units: a set of rows, so not the builder's. A row that was seeded with more units
-- reserved than there are, and that has become legal, is held to that from now on. Where the units that can be ordered change,
-- the row's version rises and its event is written, all in this one statement.
with next as (
    select stocks.sku, row.total, row.reserved, row.event_id, greatest(row.total - row.reserved, 0) as available,
           greatest(row.total - row.reserved, 0) <> greatest(stocks.total - stocks.reserved, 0) as is_news
    from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::uuid[]) as row (sku, total, reserved, event_id)
    join stocks on stocks.sku = row.sku
),
written as (
    update stocks
    set total = next.total,
        reserved = next.reserved,
        seeded_over = stocks.seeded_over and next.reserved > next.total,
        version = stocks.version + next.is_news::integer
    from next
    where stocks.sku = next.sku
    returning stocks.sku, stocks.version, next.available, next.is_news, next.event_id
)
insert into topic_outbox (topic, key, version, event_id, value)
select $5::text, sku::text, version, event_id, format('{"sku":%s,"available":%s,"moment":"%s"}', sku, available, $6::text)
from written
where is_news
order by sku
