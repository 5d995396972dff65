DROP INDEX cart_changes_answered;
DROP INDEX checkouts_ended;
