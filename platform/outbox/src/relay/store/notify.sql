-- Tells the relays of other processes that there is something to send.
select
from pg_notify($1, '')
