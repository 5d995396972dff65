-- The next $2 checkouts behind $1, each with its lines by SKU and their prices.
select
    checkouts.id,
    checkouts.user_id,
    state,
    order_id,
    opened_at,
    coalesce((
        select string_agg(format('%s x %s', sku, count), ', ' order by sku)
        from checkout_lines
        where checkout_id = checkouts.id
    ), '') as lines,
    coalesce((
        select string_agg(format('%s at %s', sku, unit_price), ', ' order by sku)
        from checkout_lines
        where checkout_id = checkouts.id
    ), '') as prices
from checkouts
where checkouts.id > $1
order by checkouts.id
limit $2
