-- Deletes the line of a SKU ($2; null: all lines) from a user's cart ($1), takes it out of the user's open checkouts,
-- and gives the cart another checkout id ($3). One round trip for three tables, which the builder does not have.
with deleted as (
    delete from cart_lines
    where user_id = $1
      and ($2::bigint is null or sku = $2)
), left_checkouts as (
    update checkout_lines
    set in_cart = false
    from checkouts
    where checkouts.id = checkout_lines.checkout_id
      and checkouts.user_id = $1
      and checkouts.state = 'open'
      and ($2::bigint is null or checkout_lines.sku = $2)
)
update carts
set checkout_id = $3
where user_id = $1
