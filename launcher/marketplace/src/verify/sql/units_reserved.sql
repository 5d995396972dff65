-- Stocks whose reserved units are not those that unpaid orders and the seed hold.
select
    (select count(*) from stocks) as checked,
    count(*) as broken,
    coalesce((array_agg(wrong))[1:5], '{}') as examples
from (
    select format('SKU %s: %s reserved, but orders hold %s and the seed %s; %s on hand',
                  sku, reserved, coalesce(unpaid, 0), baseline_reserved, total)
    from stocks
    left join (
        select
            sku,
            sum(count) filter (where status = 'awaiting payment') as unpaid,
            sum(count) filter (where status = 'paid') as paid
        from order_lines
        join orders on orders.id = order_id
        group by sku
    ) as held using (sku)
    where reserved <> baseline_reserved + coalesce(unpaid, 0)
       or reserved < 0
       or (reserved > total and not seeded_over)
) as broken (wrong)
