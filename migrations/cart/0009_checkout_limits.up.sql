-- A checkout that its customer's own limit refused ends as one that is short of stock, which is what the version before calls
-- it, with the sentence for the customer beside it.
alter table checkouts
    add column over_limit text,
    add constraint checkouts_limit_when_refused check (over_limit is null or state = 'out_of_stock') not valid;
