-- Effects that no sink has taken.
select
    (select count(*) from deliveries) as checked,
    count(*) as broken,
    coalesce((array_agg(wrong))[1:5], '{}') as examples
from (
    select format('event of order %s in version %s is not delivered', order_id, version)
    from deliveries
    where delivered_at is null
) as broken (wrong)
