#!/usr/bin/env bash
# postgresql.sh OUT: makes OUT/postgresql/ with a server of PostgreSQL and its own clients.
#
#   clients 10.92.0.1 ──▶ PostgreSQL 10.92.0.2:5432
#
# psql sends simple queries, pgbench the extended protocol, also prepared and pipelined. What the
# server's log says of statements is the truth. Needs root, `.ci/setup dev`, and PostgreSQL with
# its clients (Debian: postgresql, postgresql-contrib). Takes some 8 seconds.
# shellcheck source=namespaces.sh
. "$(dirname "$0")/namespaces.sh"

programs=$(find /usr/lib/postgresql -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
PATH=$PATH:$programs
if [ -z "$programs" ]; then
  fail "not installed: PostgreSQL; Debian's packages are postgresql and postgresql-contrib"
fi
begin "${1:-}" initdb postgres psql pgbench runuser
add_namespace cli
add_namespace db
link cli eth0 db eth0
ip -n wslab-cli addr add 10.92.0.1/24 dev eth0
ip -n wslab-db addr add 10.92.0.2/24 dev eth0

data=$run/data
mkdir "$data"
chown postgres "$run" "$data"
printf 'a-password\n' >"$run/password"
chmod 644 "$run/password"
runuser -u postgres -- "$programs/initdb" -D "$data" -A scram-sha-256 -U shop \
  --pwfile "$run/password" >"$run/initdb.log" 2>&1
cat >>"$data/postgresql.conf" <<CONF
listen_addresses = '10.92.0.2'
unix_socket_directories = ''
log_statement = all
autovacuum = off
fsync = off
CONF
printf 'host all all 10.92.0.0/24 scram-sha-256\n' >>"$data/pg_hba.conf"
start db postgres setpriv --reuid postgres --regid postgres --clear-groups "$programs/postgres" -D "$data"
wait_for_port db 5432

export PGHOST=10.92.0.2 PGUSER=shop PGPASSWORD=a-password PGDATABASE=postgres PGCONNECT_TIMEOUT=5
client() { inside cli "$@"; }

record db eth0 -i eth0 ip and port 5432
client psql -q >/dev/null 2>&1 <<'SQL' || true
CREATE TABLE items (id int PRIMARY KEY, name text, stock int);
INSERT INTO items VALUES (7, 'pen', 3), (8, 'ink', 0);
SELECT name, stock FROM items WHERE id = 7;
UPDATE items SET stock = stock - 1 WHERE id = 7 /* traceparent='00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01' */;
INSERT INTO items VALUES (7, 'pencil', 1);
SELECT price FROM items;
BEGIN\; SELECT id FROM items\; COMMIT;
COPY items FROM STDIN;
9	paper	500
10	glue	2
\.
COPY items TO STDOUT;
BEGIN;
DECLARE all_items CURSOR FOR SELECT * FROM items ORDER BY id;
FETCH 2 FROM all_items;
FETCH 2 FROM all_items;
COMMIT;
LISTEN stock;
NOTIFY stock, 'low';
SQL
PGPASSWORD=another client psql -c 'SELECT 1' >/dev/null 2>&1 || true
PGDATABASE=absent client psql -c 'SELECT 1' >/dev/null 2>&1 || true

cat >"$run/one.sql" <<'SQL'
\set id random(7, 10)
SELECT name FROM items WHERE id = :id;
UPDATE items SET stock = stock + 1 WHERE id = :id;
SQL
cat >"$run/pipeline.sql" <<'SQL'
\set id random(7, 10)
\startpipeline
SELECT name FROM items WHERE id = :id;
UPDATE items SET stock = stock - 1 WHERE id = :id;
SELECT stock FROM items WHERE id = :id;
\endpipeline
SQL
cat >"$run/fails.sql" <<'SQL'
\startpipeline
SELECT 1;
SELECT 1 / (stock - stock) FROM items;
SELECT 3;
\endpipeline
SQL
bench() { client pgbench -n -t 3 "$@" >>"$run/pgbench.log" 2>&1 || true; }
bench -M extended -f "$run/one.sql"
bench -M prepared -f "$run/one.sql"
bench -M prepared -f "$run/pipeline.sql"
bench -M extended -f "$run/fails.sql"
stop_recording
write_capture postgresql/input.pcapng.zst eth0=eth0
