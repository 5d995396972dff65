-- $1 shard index, $2 author, $3 SKU, $4 text, $5 created at
INSERT INTO comments (id, author_id, sku, text, created_at)
VALUES (nextval('comments_number') + $1, $2, $3, $4, $5)
RETURNING id, author_id, sku, text, created_at, edited_at
