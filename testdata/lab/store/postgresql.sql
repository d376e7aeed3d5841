CREATE TABLE accounts (id int PRIMARY KEY, name text NOT NULL, balance int NOT NULL DEFAULT 0);
CREATE TABLE entries (account int NOT NULL, amount int NOT NULL);
CREATE TABLE orders (id int PRIMARY KEY, account int NOT NULL, note text);
INSERT INTO accounts SELECT n, 'account of ' || n, n * 10 FROM generate_series(1, 20) AS n;
INSERT INTO orders SELECT n, n % 5, 'new' FROM generate_series(1, 20) AS n;
GRANT ALL ON ALL TABLES IN SCHEMA public TO shop;
