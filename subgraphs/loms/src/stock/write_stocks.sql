-- Writes locked rows, each with its own units: a set of rows, so not the builder's. A row that was seeded with more units
-- reserved than there are, and that has become legal, is held to that from now on.
update stocks
set total = row.total,
    reserved = row.reserved,
    seeded_over = stocks.seeded_over and row.reserved > row.total
from unnest($1::bigint[], $2::bigint[], $3::bigint[]) as row (sku, total, reserved)
where stocks.sku = row.sku
