-- One page for each of many authors. $1 the authors, $2 rows of each, $3 to $5 the place to go on behind, or nulls.
SELECT page.id, page.author_id, page.sku, page.text, page.created_at, page.edited_at
FROM unnest($1::bigint[]) AS wanted (author_id)
CROSS JOIN LATERAL (
    SELECT *
    FROM comments
    WHERE comments.author_id = wanted.author_id
      AND created_at <= coalesce($3::timestamptz, 'infinity')
      AND (created_at < coalesce($3::timestamptz, 'infinity') OR (author_id, id) > ($4::bigint, $5::bigint))
    ORDER BY created_at DESC, author_id, id
    LIMIT $2
) AS page
ORDER BY page.created_at DESC, page.author_id, page.id
