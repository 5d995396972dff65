-- One page for each of these users, newest first: $2 the order to go on below, $3 the most of each. A lateral join, so no
-- query for the builder: one read of the index for each.
select page.id, page.user_id, page.status, page.version, page.created_at, page.expires_at
from (select distinct unnest($1::bigint[]) as user_id) as wanted
cross join lateral (
    select *
    from orders
    where orders.user_id = wanted.user_id and orders.id < $2
    order by orders.id desc
    limit $3
) as page
order by page.id desc
