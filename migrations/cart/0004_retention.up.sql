-- Old rows are found by their age when their retention ends.
CREATE INDEX checkouts_ended ON checkouts (opened_at) WHERE state <> 'open';
CREATE INDEX cart_changes_answered ON cart_changes (answered_at);
