-- MariaDB's own tables of numbers, seq_1_to_N, give the rows.
CREATE DATABASE users;
USE users;
CREATE TABLE cities (id INT PRIMARY KEY, name VARCHAR(20), country CHAR(2));
CREATE TABLE users (id INT PRIMARY KEY, name VARCHAR(20), email VARCHAR(40), points INT);
CREATE TABLE tokens (token CHAR(12) PRIMARY KEY, user_id INT, scope VARCHAR(10));
CREATE TABLE addresses (user_id INT, street VARCHAR(40), city_id INT, KEY (user_id));
CREATE TABLE points (id INT AUTO_INCREMENT PRIMARY KEY, user_id INT, reference CHAR(10), points INT);
INSERT INTO cities SELECT seq, CONCAT('city ', seq), ELT(1 + seq % 4, 'de', 'fr', 'it', 'pl') FROM seq_1_to_40;
INSERT INTO users SELECT seq, CONCAT('user ', seq), CONCAT('user', seq, '@shop.example'), 10 * seq FROM seq_1_to_300;
INSERT INTO tokens SELECT LEFT(MD5(CONCAT('token ', seq)), 12), seq, 'shop' FROM seq_1_to_300;
INSERT INTO addresses SELECT users.id, CONCAT('street ', n.seq), 1 + (7 * users.id + n.seq) % 40
  FROM users, seq_1_to_4 AS n WHERE n.seq <= 1 + users.id % 4;

CREATE DATABASE items;
USE items;
CREATE TABLE items (id INT PRIMARY KEY, name VARCHAR(20), category INT, price INT, stock INT, KEY (category));
CREATE TABLE reservations (id INT AUTO_INCREMENT PRIMARY KEY, item_id INT, reference CHAR(10), quantity INT);
INSERT INTO items SELECT seq, CONCAT('item ', seq), seq % 20, 100 + 37 * seq % 900, IF(seq % 10, 1000000, 5)
  FROM seq_1_to_400;

CREATE DATABASE orders;
USE orders;
CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, reference CHAR(10) UNIQUE, user_id INT, total INT,
  status VARCHAR(10), KEY (user_id));
CREATE TABLE order_lines (order_id INT, item_id INT, quantity INT, KEY (order_id));
CREATE TABLE audit (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(10), user_id INT, reference CHAR(10));
INSERT INTO orders SELECT seq, CONCAT('old', LPAD(seq, 7, '0')), 1 + 31 * seq % 300, 10 * seq, 'placed' FROM seq_1_to_2000;
INSERT INTO order_lines SELECT orders.id, 1 + (13 * orders.id + 97 * n.seq) % 400, n.seq
  FROM orders, seq_1_to_3 AS n WHERE n.seq <= 1 + orders.id % 3;

GRANT ALL ON *.* TO shop@'%' IDENTIFIED BY 'correct horse';
