-- Inserts orders as their first transaction leaves them; ids ascend in the order given. One text for any number of rows,
-- so not the builder's.
insert into orders (user_id, status, version, created_at, expires_at)
select user_id, status, 2, $3::timestamptz, case status when 'awaiting payment' then $4::timestamptz end
from unnest($1::bigint[], $2::text[]) with ordinality as new (user_id, status, position)
order by position
returning id, user_id, status, version, created_at, expires_at
