DROP TABLE cart_changes;
