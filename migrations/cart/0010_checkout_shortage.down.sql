alter table checkouts drop column short;
