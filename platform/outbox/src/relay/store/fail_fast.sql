-- Lets the server notice within seconds that this session's machine is gone, and free its lock.
select
from (
    values ('tcp_keepalives_idle', '2'), ('tcp_keepalives_interval', '1'), ('tcp_keepalives_count', '3'),
           ('tcp_user_timeout', '5000')
) as setting (name, value)
where set_config(setting.name, setting.value, false) is not null
