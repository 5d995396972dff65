-- The keys that were used before this version stay used until their 30 days end. Behind the trigger and in a transaction
-- of its own, so that no key is missed and no change of a cart waits.
insert into idempotency_keys
select copied.*
from cart_changes as change
cross join lateral idempotency_key_of(change) as copied
on conflict do nothing;
