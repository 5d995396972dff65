DROP TABLE checkout_keys;
DROP TABLE checkout_lines;
DROP TABLE checkouts;
