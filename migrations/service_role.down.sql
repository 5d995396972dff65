-- The role itself stays: another database of the server may grant it something.
do $$
begin
    if exists (select from pg_roles where rolname = '{role}') then
        execute format('revoke all on database %I from {role}', current_database());
        alter default privileges in schema public revoke all on tables from {role};
        alter default privileges in schema public revoke all on sequences from {role};
        revoke all on all tables in schema public from {role};
        revoke all on all sequences in schema public from {role};
        revoke all on schema public from {role};
    end if;
    execute format('grant connect, temporary on database %I to public', current_database());
exception
    when insufficient_privilege then
        raise notice 'the role of this service keeps its rights: %', sqlerrm;
end
$$;
