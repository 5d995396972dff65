-- A checkout that was short of stock says of which product, also when it is repeated: SKU, units wanted, units free, with commas
-- between them. The version before neither writes nor reads it.
alter table checkouts
    add column short text,
    add constraint checkouts_short_when_out_of_stock check (short is null or state = 'out_of_stock') not valid;
