-- Finds each wanted order if its own caller may see it; `key` is the position of the pair, from 1. An owner of 0 may see
-- all. A set of pairs, so no query for the builder.
select wanted.key, id, user_id, status, version, created_at, expires_at
from unnest($1::bigint[], $2::bigint[]) with ordinality as wanted (order_id, owner, key)
join orders on id = order_id and (owner = 0 or user_id = owner)
