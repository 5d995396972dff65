-- One shard's comments; the same in every shard's database. Source: docs/contracts.md §6.

-- A comment's id is the next number of its shard's sequence plus the shard's index, so the first ids are 1000 in shard
-- 0 and 1001 in shard 1, and the remainder by 1,000 leads back to the shard.
CREATE SEQUENCE comments_number AS bigint INCREMENT BY 1000 MINVALUE 1000 START WITH 1000;

CREATE TABLE comments (
    id         bigint      PRIMARY KEY CHECK (id >= 1000),
    author_id  bigint      NOT NULL CHECK (author_id > 0),
    sku        bigint      NOT NULL CHECK (sku > 0),
    -- Characters, not bytes.
    text       text        NOT NULL CHECK (char_length(text) BETWEEN 1 AND 255),
    created_at timestamptz NOT NULL,
    edited_at  timestamptz CHECK (edited_at >= created_at)
);

-- The two lists, each in the order it is read: newest first, then by author, then by id.
CREATE INDEX comments_by_sku ON comments (sku, created_at DESC, author_id, id);
CREATE INDEX comments_by_author ON comments (author_id, created_at DESC, id);
