CREATE TABLE orders (number int PRIMARY KEY, account int NOT NULL, item int NOT NULL);
CREATE TABLE lines (number int NOT NULL, place int NOT NULL, item int NOT NULL, PRIMARY KEY (number, place));
CREATE TABLE accounts (id int PRIMARY KEY, name text NOT NULL, favourite int NOT NULL);
CREATE TABLE notes (account int NOT NULL, number int NOT NULL);
CREATE TABLE audit (what text NOT NULL, number int NOT NULL);
INSERT INTO orders SELECT n, 1 + n % 500, 1 + n % 200 FROM generate_series(1, 5000) AS n;
INSERT INTO lines SELECT n, place, 1 + (n + place) % 200
  FROM generate_series(1, 5000) AS n, generate_series(1, 3) AS place;
INSERT INTO accounts SELECT n, 'account ' || n, 1 + n % 199 FROM generate_series(1, 500) AS n;
GRANT ALL ON ALL TABLES IN SCHEMA public TO lab;
