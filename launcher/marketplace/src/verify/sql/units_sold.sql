-- Stocks whose units on hand are not those put in less those sold.
select
    (select count(*) from stocks) as checked,
    count(*) as broken,
    coalesce((array_agg(wrong))[1:5], '{}') as examples
from (
    select format('SKU %s: %s on hand and %s sold, of %s put in', sku, total, coalesce(paid, 0), baseline_total)
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
    where total <> baseline_total - coalesce(paid, 0)
) as broken (wrong)
