-- One page for each of many authors: $1 the authors, $2 rows of each, $3 to $5 the position to go on behind, or nulls. A
-- lateral join, which the builder does not have: one read of the index for each.
select page.id, page.author_id, page.sku, page.text, page.created_at, page.edited_at
from unnest($1::bigint[]) as wanted (author_id)
cross join lateral (
    select *
    from comments
    where comments.author_id = wanted.author_id
      and created_at <= coalesce($3::timestamptz, 'infinity')
      and (
          created_at < coalesce($3::timestamptz, 'infinity')
          or (author_id, id) > ($4::bigint, $5::bigint)
      )
    order by created_at desc, author_id, id
    limit $2
) as page
order by page.created_at desc, page.author_id, page.id
