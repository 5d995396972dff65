-- Deletes up to $2 checkouts that ended and were opened before $1, unless a key that came later names them. A delete with
-- a locking subquery and an anti-join is clearer here than in the builder.
delete from checkouts
where id in (
    select id
    from checkouts
    where state <> 'open'
      and opened_at < $1
      and not exists (
          select
          from checkout_keys
          where checkout_keys.checkout_id = checkouts.id
            and checkout_keys.created_at >= $1
      )
    order by opened_at
    limit $2
    for update skip locked
)
