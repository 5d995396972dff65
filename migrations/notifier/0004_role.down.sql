-- The role itself stays: another database of the server may grant it something.
do $$
begin
    if exists (select from pg_roles where rolname = 'marketplace_notifier') then
        execute format('revoke all on database %I from marketplace_notifier', current_database());
        alter default privileges in schema public revoke all on tables from marketplace_notifier;
        alter default privileges in schema public revoke all on sequences from marketplace_notifier;
        revoke all on all tables in schema public from marketplace_notifier;
        revoke all on all sequences in schema public from marketplace_notifier;
        revoke all on schema public from marketplace_notifier;
    end if;
    execute format('grant connect, temporary on database %I to public', current_database());
exception
    when insufficient_privilege then
        raise notice 'the role of this service keeps its rights: %', sqlerrm;
end
$$;
