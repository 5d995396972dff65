alter table outbox drop column skus;
