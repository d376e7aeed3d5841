CREATE TABLE items (id int PRIMARY KEY, name varchar(40) NOT NULL, left_over int NOT NULL);
CREATE TABLE prices (item int PRIMARY KEY, cents int NOT NULL);
CREATE TABLE reservations (id int AUTO_INCREMENT PRIMARY KEY, item int NOT NULL, number int NOT NULL);
CREATE TABLE ledger (id int AUTO_INCREMENT PRIMARY KEY, number int NOT NULL, account int NOT NULL, cents int NOT NULL);
INSERT INTO items SELECT seq, concat('item ', seq), 1000000 FROM seq_1_to_200;
INSERT INTO prices SELECT seq, 100 + seq FROM seq_1_to_200;
