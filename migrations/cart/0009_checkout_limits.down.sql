alter table checkouts drop column over_limit;
