-- Inserts a comment under the next id of its shard: $1 shard index, $2 author, $3 SKU, $4 text, $5 created at. The id is
-- an expression, which a row of the builder cannot hold.
insert into comments (id, author_id, sku, text, created_at)
values (nextval('comments_number') + $1, $2, $3, $4, $5)
returning id, author_id, sku, text, created_at, edited_at
