drop trigger mirror_cart_change on cart_changes;
drop function mirror_cart_change;
drop function idempotency_key_of;
