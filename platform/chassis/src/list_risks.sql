-- The settings of this session with which Postgres loses what it acknowledged. It is no table of ours.
select current_database()::text as database, coalesce(name, '') as setting, coalesce(source, '') as source
from pg_settings
where name in ('fsync', 'full_page_writes', 'synchronous_commit') and setting = 'off'
order by name
