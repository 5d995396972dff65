-- Takes the units of a checkout ($2) out of its user's cart ($1): a line that holds more keeps the rest. Two writes that
-- read a third table, in one round trip, which the builder does not have.
with ordered as (
    select sku, count
    from checkout_lines
    where checkout_id = $2
      and in_cart
), used_up as (
    delete from cart_lines
    using ordered
    where cart_lines.user_id = $1
      and cart_lines.sku = ordered.sku
      and cart_lines.count <= ordered.count
)
update cart_lines
set count = cart_lines.count - ordered.count
from ordered
where cart_lines.user_id = $1
  and cart_lines.sku = ordered.sku
  and cart_lines.count > ordered.count
