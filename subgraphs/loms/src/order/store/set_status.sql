-- Gives each order its own status and version: a set of rows, so not the builder's.
update orders
set status = change.status, version = change.version
from unnest($1::bigint[], $2::text[], $3::bigint[]) as change (id, status, version)
where orders.id = change.id
