-- Locks, in the order of their ids, orders whose time to be paid is over, and passes over those that are locked.
-- The status stands in the text and is tested again under the lock: as the builder's parameter it would hide from a
-- generic plan that the partial index orders_expiry serves.
select id, user_id, status, version, created_at, expires_at
from orders
where id in (
      select id
      from orders
      where status = 'awaiting payment' and expires_at <= $1
      order by expires_at
      limit $2
  )
  and status = 'awaiting payment'
order by id
for update skip locked
