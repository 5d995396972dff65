drop table dead_letters;
drop table deliveries;
drop table inbox;
