-- Keys move from cart_changes to idempotency_keys. While processes of the version before still run, each key that they
-- store is stored here too, in the form of this version, so that its repeat is known to either. A key that this version
-- has used already fails their transaction: UNAVAILABLE and a retry, and never a second change.
--
-- Input and answer are the JSON that subgraphs/cart/src/cart/change.rs and stored_response.rs have for them. A later
-- release drops the trigger, the functions and cart_changes.
create function idempotency_key_of(change cart_changes) returns idempotency_keys
language sql stable
as $$
    select
        change.user_id,
        case change.operation when 'add' then 'addToCart' when 'remove' then 'removeFromCart' else 'clearCart' end,
        change.idempotency_key,
        encode(sha256(convert_to('[' || replace(change.input, ' ', ',') || ']', 'UTF8')), 'hex'),
        case
            when change.refusal is null then '{"Ok": null}'
            when change.refusal = 'too_many_lines' then '{"Err": "too_many_lines"}'
            else jsonb_build_object('Err', jsonb_build_object(
                change.refusal, jsonb_build_object('sku', split_part(change.input, ' ', 1)::bigint)
            ))
        end,
        change.answered_at
$$;

create function mirror_cart_change() returns trigger
language plpgsql
as $$
begin
    insert into idempotency_keys
    select (idempotency_key_of(new)).*
    on conflict do nothing;
    if not found then
        raise exception 'a newer process has used this key' using errcode = 'serialization_failure';
    end if;
    return null;
end
$$;

create trigger mirror_cart_change after insert on cart_changes
for each row execute function mirror_cart_change();
