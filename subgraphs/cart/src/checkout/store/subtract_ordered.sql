-- Takes the units of a checkout ($2) out of its user's cart ($1): a line that holds more keeps the rest.
WITH ordered AS (
    SELECT sku, count FROM checkout_lines WHERE checkout_id = $2 AND in_cart
), used_up AS (
    DELETE FROM cart_lines USING ordered
    WHERE cart_lines.user_id = $1 AND cart_lines.sku = ordered.sku AND cart_lines.count <= ordered.count
)
UPDATE cart_lines SET count = cart_lines.count - ordered.count
FROM ordered
WHERE cart_lines.user_id = $1 AND cart_lines.sku = ordered.sku AND cart_lines.count > ordered.count
