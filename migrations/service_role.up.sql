-- {role} is the role of the database's service: src/roles.rs.
-- The service's own role, with the least rights: it reads and writes rows of this database's tables, and nothing else.
-- Roles belong to the server, so another database or another process may make the same one at this moment. A migration that
-- runs as a user who may not make roles changes nothing: the services then connect as the address of Postgres says.
do $$
begin
    if not exists (select from pg_roles where rolname = '{role}') then
        begin
            create role {role} nologin nosuperuser nocreatedb nocreaterole noreplication nobypassrls;
        exception
            when duplicate_object or unique_violation then null;
        end;
    end if;
    execute format('revoke all on database %I from public', current_database());
    execute format('grant connect on database %I to {role}', current_database());
    revoke create on schema public from public;
    grant usage on schema public to {role};
    grant select, insert, update, delete on all tables in schema public to {role};
    grant usage, select on all sequences in schema public to {role};
    alter default privileges in schema public grant select, insert, update, delete on tables to {role};
    alter default privileges in schema public grant usage, select on sequences to {role};
    -- Which migrations were applied is the migrator's.
    revoke all on table seaql_migrations from {role};
exception
    when insufficient_privilege then
        raise notice 'no role for this service: %', sqlerrm;
end
$$;
