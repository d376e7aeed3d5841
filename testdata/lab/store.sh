#!/usr/bin/env bash
# store.sh OUT: makes OUT/store, two services in front of real databases.
#
#   client 10.90.2.2 ──┬──▶ accounts 10.90.2.3:8083, Python: psycopg2, SQLAlchemy, PyMySQL
#                      ├──▶ orders 10.90.2.4:8084, Node: knex, pg, mysql2; it asks accounts
#                      ├──▶ PostgreSQL 10.90.2.5:5432        each in a network namespace,
#                      └──▶ MariaDB 10.90.2.6:3306           on the bridge "services", which is captured
#
# Both services ask both databases, with the identifiers in comments that their libraries write. Each
# program writes down what it sends at the last call before the wire. Needs root and `.ci/setup dev`.
# Takes some 15 seconds.
# shellcheck source=namespaces.sh
. "$(dirname "$0")/namespaces.sh"

begin "${1:-}" node openssl runuser mariadbd mariadb mariadb-install-db psql
libraries=$(cd "$lab_folder/../.." && pwd)/target/lab/store
postgresql=$(compgen -G "/usr/lib/postgresql/*/bin" | sort -V | tail -n 1) || fail "PostgreSQL is not installed"
if [ ! -e "$libraries/venv/bin/python" ] || [ ! -d "$libraries/node_modules/knex" ]; then
  fail "$libraries does not hold the libraries of this lab" ".ci/setup dev installs them"
fi

add_namespace sw
ip -n wslab-sw link add services type bridge
ip -n wslab-sw link set services up
i=1
for host in cli acc ord pg my; do
  i=$((i + 1))
  add_namespace $host
  link sw "port-$host" $host eth0
  ip -n wslab-sw link set "port-$host" master services
  ip -n wslab-$host addr add "10.90.2.$i/24" dev eth0
done

# PostgreSQL does not run as root.
chmod 711 "$run"
mkdir "$run/pg"
chown postgres: "$run/pg"
as_postgres() { runuser -u postgres -- env TZ=UTC LC_ALL=C.UTF-8 "$@"; }
(cd "$run/pg" && as_postgres "$postgresql/initdb" -D "$run/pg/data" -A trust -E UTF8 --no-sync) >"$run/initdb.log"
echo "host shop shop 10.90.2.0/24 scram-sha-256" >>"$run/pg/data/pg_hba.conf"
# setpriv would be that of the user who starts it, so that runuser stands in between.
start pg postgresql runuser -u postgres -- setpriv --pdeathsig INT "$postgresql/postgres" -D "$run/pg/data" \
  -h 10.90.2.5 -p 5432 -k "$run/pg" -c fsync=off -c jit=off -c autovacuum=off
mkdir "$run/my"
mariadb-install-db --no-defaults --user=root --datadir="$run/my/data" --auth-root-authentication-method=normal \
  --skip-test-db >"$run/install-db.log" 2>&1
openssl req -x509 -newkey ed25519 -nodes -subj /CN=mariadb -days 2 -keyout "$run/my/key" -out "$run/my/certificate" \
  2>"$run/openssl.log"
start my mariadb mariadbd --no-defaults --user=root --datadir="$run/my/data" --bind-address=10.90.2.6 --port=3306 \
  --socket="$run/my/socket" --pid-file="$run/my/pid" --skip-name-resolve --innodb-flush-log-at-trx-commit=0 \
  --ssl-key="$run/my/key" --ssl-cert="$run/my/certificate"
wait_for PostgreSQL as_postgres psql -qh "$run/pg" -c ""
wait_for MariaDB mariadb --no-defaults -S "$run/my/socket" -e ""
{
  echo "CREATE USER shop PASSWORD 'correct horse'; CREATE DATABASE shop; \\c shop"
  cat "$lab_folder/store/postgresql.sql"
} | as_postgres psql -qh "$run/pg" -v ON_ERROR_STOP=1 >"$run/schema.log"
{
  echo "CREATE DATABASE shop; GRANT ALL ON shop.* TO shop@'10.90.2.%' IDENTIFIED BY 'correct horse'; USE shop;"
  cat "$lab_folder/store/mariadb.sql"
} | mariadb --no-defaults -S "$run/my/socket"

record sw services -i services ip
start acc accounts "$libraries/venv/bin/python" "$lab_folder/store/accounts.py"
start ord orders env NODE_PATH="$libraries/node_modules" node "$lab_folder/store/orders.js"
wait_for_port acc 8083
wait_for_port ord 8084
inside cli "$libraries/venv/bin/python" "$lab_folder/store/client.py"
stop_recording
if grep -q Traceback "$run/accounts.log"; then
  cat "$run/accounts.log" >&2
  fail "accounts failed"
fi
write_capture store/input.pcapng.zst services=services
write_truth store/truth.tsv
