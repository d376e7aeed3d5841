CREATE DATABASE ratings;
GRANT ALL ON ratings.* TO ratings@'%' IDENTIFIED BY 'much ado';
USE ratings;
CREATE TABLE reviewers (id INT PRIMARY KEY, name VARCHAR(40) NOT NULL);
CREATE TABLE ratings (product INT, reviewer INT, stars TINYINT NOT NULL, PRIMARY KEY (product, reviewer));
CREATE TABLE visits (id INT AUTO_INCREMENT PRIMARY KEY, product INT NOT NULL);
INSERT INTO reviewers SELECT seq, CONCAT('Reviewer', seq) FROM seq_1_to_100;
INSERT INTO ratings SELECT seq, 1 + seq % 40, 1 + seq % 5 FROM seq_0_to_499;
INSERT INTO ratings SELECT seq, 41 + seq % 60, 1 + (seq + 2) % 5 FROM seq_0_to_499 WHERE seq % 3;
