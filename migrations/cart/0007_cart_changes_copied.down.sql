-- The copies are in a table that its own migration drops; cart_changes still has what they were made from.
delete from idempotency_keys
using cart_changes as change
where idempotency_keys.user_id = change.user_id
  and idempotency_keys.key = change.idempotency_key
  and idempotency_keys.operation = (idempotency_key_of(change)).operation;
