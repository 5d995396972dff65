-- Stocks of which the last event tells other units than are free, or whose events leave a version out. What the outbox's retention
-- has removed is not missed: it removes the oldest first.
with events as (
    select key::bigint as sku, min(version) as first, max(version) as last, count(*) as kept,
           (array_agg((value::jsonb ->> 'available')::bigint order by version desc))[1] as available
    from topic_outbox
    where topic = 'loms.stock-events'
    group by key
)
select
    (select count(*) from events) as checked,
    count(*) as broken,
    coalesce((array_agg(wrong))[1:5], '{}') as examples
from (
    select format('SKU %s: %s free in version %s, but event %s says %s; %s events from %s on',
                  sku, greatest(total - reserved, 0), stocks.version, last, available, kept, first)
    from events
    join stocks using (sku)
    where last <> stocks.version
       or available <> greatest(total - reserved, 0)
       or kept <> last - first + 1
) as broken (wrong)
