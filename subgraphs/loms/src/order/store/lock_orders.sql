-- Locks orders in the order of their ids, each only if one of its callers may change it. An owner of 0 may change all.
-- A set of pairs, so no query for the builder.
select id, user_id, status, version, created_at, expires_at
from orders
where id = any($1::bigint[])
  and exists (
      select from unnest($1::bigint[], $2::bigint[]) as wanted (order_id, owner)
      where order_id = id and (owner = 0 or owner = user_id)
  )
order by id
for update
