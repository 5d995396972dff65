DROP TABLE comments;
DROP SEQUENCE comments_number;
