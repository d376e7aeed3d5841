CREATE TABLE ledger (id int PRIMARY KEY, account int NOT NULL, amount int NOT NULL);
CREATE TABLE shelf (item int PRIMARY KEY, taken int NOT NULL);
INSERT INTO ledger VALUES (1, 3, 10), (2, 3, 20), (3, 4, 30), (4, 4, 40), (5, 5, 50);
INSERT INTO shelf VALUES (1, 0), (2, 0), (3, 0);
