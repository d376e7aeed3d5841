# The namespaces, servers, clients and captures of the checks of live.sh, which sources it behind
# namespaces.sh.
#
# It gives: client_and_servers, start_nginx, start_postgresql, load for the world that is captured;
# capture, stop, pid for captures; compare, said, of, no_drops, equal, at_most, keep for what they found.

lab=$check
here=$lab_folder/live
root=$(cd "$lab_folder/../.." && pwd)
wirespan=${BINARY:-${CARGO_TARGET_DIR:-$root/target}/release/wirespan}
server=10.93.0.2
http=http=$server:8080
redis=redis=$server:6379
postgresql=postgresql=$server:5432

declare -A captures=()
before=()
stopped_after=0

# The picture above; with a namespace that has a bridge, the cable goes through that.
client_and_servers() {
  # Who captures is an ordinary user by then.
  chmod 711 "$run"
  add_namespace cli
  add_namespace srv
  add_namespace bak
  if [ $# = 0 ]; then
    cable_of_client
  else
    for host in cli srv; do
      link "$1" port-$host $host eth0
      as_hosts_have_it $host eth0
      ip -n "$prefix-$1" link set port-$host master bridge
    done
    address_of_client
  fi
  link srv eth1 bak eth0
  ip -n $prefix-srv addr add 10.93.1.1/24 dev eth1
  ip -n $prefix-bak addr add 10.93.1.2/24 dev eth0
  start_nginx bak stock 10.93.1.2:8081 10.93.1.2:8081
  start_nginx srv nginx $server:8080 10.93.1.2:8081
  start srv redis redis-server --bind $server --port 6379 --save '' --protected-mode no --dir "$run"
  wait_for "nginx" answers cli $server 8080
  wait_for "nginx of the stock" answers srv 10.93.1.2 8081
  wait_for "Redis" answers cli $server 6379
}

cable_of_replay() {
  cc -O2 -o "$run/replay" "$here/replay.c"
  add_namespace rep
  # Whatever a packet's length, it passes.
  ip -n $prefix-rep link add from mtu 65535 type veth peer name to mtu 65535
  ip -n $prefix-rep link set from up
  ip -n $prefix-rep link set to up
}

cable_of_client() {
  link cli eth0 srv eth0
  as_hosts_have_it cli eth0
  as_hosts_have_it srv eth0
  address_of_client
}

address_of_client() {
  ip -n $prefix-cli addr add 10.93.0.1/24 dev eth0
  ip -n $prefix-srv addr add $server/24 dev eth0
}

# Segments larger than the MTU, and checksums that nobody has made yet, are what hosts show.
as_hosts_have_it() { inside "$1" ethtool -K "$2" tx on sg on tso on gso on gro on >/dev/null; }

# start_nginx NAMESPACE NAME LISTEN STOCK
start_nginx() {
  head -c 61000 /dev/zero | tr '\0' 'w' >"$run/large.txt"
  sed "s#@RUN@#$run#g; s#@NAME@#$2#g; s#@LISTEN@#$3#g; s#@STOCK@#$4#g" "$here/nginx.conf.in" >"$run/$2.conf"
  start "$1" "$2" nginx -c "$run/$2.conf" -p "$run/" -e "$run/$2.err.log"
}

start_postgresql() {
  local programs
  programs=$(compgen -G "/usr/lib/postgresql/*/bin" | sort -V | tail -n 1) || fail "PostgreSQL is not installed"
  # It does not run as root.
  chmod 711 "$run"
  mkdir "$run/pg"
  chown postgres: "$run/pg"
  (cd "$run/pg" && runuser -u postgres -- "$programs/initdb" -D "$run/pg/data" -A trust --no-sync) >"$run/initdb.log"
  echo "host all all 10.93.0.0/24 trust" >>"$run/pg/data/pg_hba.conf"
  start srv postgresql runuser -u postgres -- setpriv --pdeathsig INT "$programs/postgres" -D "$run/pg/data" \
    -h $server -p 5432 -k "$run/pg" -c fsync=off -c jit=off -c autovacuum=off
  wait_for PostgreSQL answers cli $server 5432
}

answers() { inside "$1" python3 -c 'import socket, sys; socket.create_connection(sys.argv[1:], 0.5)' "${@:2}"; }

# Captures live in a namespace, as NAME.ndjson and NAME.json: capture NAMESPACE NAME OPTION...
# $output is another place for the spans, $before what the program runs under.
capture() {
  local command=(ip netns exec "$prefix-$1" setpriv --pdeathsig TERM "${before[@]}" "$wirespan" live "${@:3}"
    --format ndjson --summary "$run/$2.json")
  if [ -z "${output:-}" ]; then
    command+=(-o "$run/$2.ndjson")
  fi
  # An earlier one of this name has said that it listens, too.
  : >"$run/$2.log"
  (exec "${command[@]}") </dev/null >"${output:-$run/$2.out}" 2>"$run/$2.log" &
  captures[$2]=$!
  processes+=($!)
  wait_for_capture "$2"
}

wait_for_capture() { wait_for "the capture $1" grep -q 'listening on' "$run/$1.log"; }
pid() { printf '%s' "${captures[$1]}"; }

# Ends a capture, which must be well: stop NAME [SIGNAL]. Without a pause before: what has come is
# found, also where the kernel has not handed it over yet.
stop() {
  local code=0 at
  at=$(date +%s%3N)
  kill "-${2:-INT}" "$(pid "$1")"
  wait "$(pid "$1")" || code=$?
  stopped_after=$(($(date +%s%3N) - at))
  if [ $code != "${expected_code:-0}" ]; then
    keep "$1"
    fail "the capture $1 ended with exit code $code, and not ${expected_code:-0} (its words stand above)"
  fi
}

# Clients in a namespace: load NAMESPACE SERVER... OPTION...; what they did is added to $truth.
load() { inside "$1" python3 "$here/load.py" "${truth:-$run/truth.tsv}" "${@:2}"; }

# compare MODE [--network=N] [--captures] NAME.ndjson ARGUMENT...; the logs follow, or nothing does
# where the last is -.
compare() {
  local said code=0 arguments=("$1") name
  shift
  while [ "${1:0:2}" = -- ]; do
    arguments+=("$1")
    shift
  done
  name=${1%.ndjson}
  arguments+=("$run/$1" "${@:2}")
  if [ "${arguments[-1]}" = - ]; then unset 'arguments[-1]'; else arguments+=("${truth:-$run/truth.tsv}"); fi
  said=$(python3 "$here/compare.py" "${arguments[@]}") || code=$?
  printf '%s: %s: %s\n' "$lab" "$name" "$said"
  if [ $code != 0 ]; then
    keep "$name"
    fail "what $name found is not what happened"
  fi
}

# What a failure leaves in OUT.
keep() {
  local file
  for file in "$run/$1".{ndjson,json,log} "$run"/truth*.tsv; do
    if [ -s "$file" ]; then cp "$file" "$out/$check.$(basename "$file")"; fi
  done
  if [ -e "$run/$1.log" ]; then tail -n 15 "$run/$1.log" >&2; fi
  printf '%s: see %s\n' "$lab" "$out/$check.*" >&2
}

# A number of a summary: of NAME KEY...
of() { python3 "$here/summary.py" "$run/$1.json" "${@:2}"; }

no_drops() { equal "drops of $1" 0 "$(of "$1" drops)"; }
said() {
  if ! grep -qE "$2" "$run/$1.log"; then
    keep "$1"
    fail "it did not say: $2"
  fi
}
# said_times NAME WORDS TIMES
said_times() { [ "$(grep -c "$2" "$run/$1.log")" = "$3" ]; }
equal() { if [ "$2" != "$3" ]; then fail "$1: expected $2, got $3"; fi; }
at_most() { if [ "$3" -gt "$2" ]; then fail "$1: $3 are more than $2"; fi; }
interface_packets() { inside cli sh -c 'cd /sys/class/net/eth0/statistics && echo $(($(cat rx_packets) + $(cat tx_packets)))'; }
has_lines() { [ -e "$run/live.ndjson" ] && [ "$(wc -l <"$run/live.ndjson")" -ge "$1" ]; }
has_ended() { [ -e "$run/stamps" ]; }
