-- The stream's epoch.
select epoch
from stream_epoch
