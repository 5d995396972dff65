-- Orders without lines.
select
    (select count(*) from orders) as checked,
    count(*) as broken,
    coalesce((array_agg(wrong))[1:5], '{}') as examples
from (
    select format('order %s has no lines', orders.id)
    from orders
    where not exists (select from order_lines where order_id = orders.id)
) as broken (wrong)
