drop table stocks;
drop table order_lines;
drop table orders;
