-- Deletes the line of a SKU ($2; null: all lines) from a user's cart ($1), and gives the cart another checkout id ($3).
WITH deleted AS (
    DELETE FROM cart_lines WHERE user_id = $1 AND ($2::bigint IS NULL OR sku = $2)
), left_checkouts AS (
    UPDATE checkout_lines SET in_cart = false
    FROM checkouts
    WHERE checkouts.id = checkout_lines.checkout_id
      AND checkouts.user_id = $1 AND checkouts.state = 'open'
      AND ($2::bigint IS NULL OR checkout_lines.sku = $2)
)
UPDATE carts SET checkout_id = $3 WHERE user_id = $1
