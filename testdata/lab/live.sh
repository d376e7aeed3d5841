#!/usr/bin/env bash
# live.sh OUT         captures live in network namespaces with real servers, and checks what it finds
# live.sh NAME OUT    one of the checks below; those by hand are only done so
#
#   client 10.93.0.1 ──▶ nginx 10.93.0.2:8080 ──▶ nginx 10.93.1.2:8081        each in a network
#     eth0                Redis 10.93.0.2:6379                                namespace
#                         PostgreSQL 10.93.0.2:5432
#
# The client writes down each exchange: that is the truth. Captured is on its interface where nothing
# else is said. OUT gets what was found of a check that fails. Needs root and `.ci/setup dev`. Takes
# some 2 minutes. BINARY is the program (default: target/release/wirespan).
checks=(zero_drops drops idle workers down_up full_disk slow_reader agree netns tap vxlan nobpf rights told pipe latency rate_smoke)
by_hand=(impact rate soak)

# Which checks are done: one, or all, each on its own.
checks+=(any_interface left_out)
case $# in
  1)
    for check in "${checks[@]}"; do
      # One that goes on when this is killed cleans up, too.
      setpriv --pdeathsig TERM "$0" "$check" "$1" || exit
    done
    exit
    ;;
  2) check=$1 ;;
  *)
    printf 'usage: %s [CHECK] OUT\nchecks: %s\nby hand: %s\n' "$0" "${checks[*]}" "${by_hand[*]}" >&2
    exit 2
    ;;
esac

prefix=${prefix:-wslive}
# shellcheck source=namespaces.sh
. "$(dirname "$0")/namespaces.sh"
# shellcheck source=live/scene.sh
. "$lab_folder/live/scene.sh"

main() {
  local known
  for known in "${checks[@]}" "${by_hand[@]}"; do
    if [ "$known" = "$check" ]; then
      begin "$1" nginx redis-server
      if ! [ -x "$wirespan" ]; then fail "there is no $wirespan" "cargo build --release"; fi
      began=$SECONDS
      "$check"
      printf '%s: %d s\n' "$lab" $((SECONDS - began))
      return
    fi
  done
  fail "there is no such check" "there are: ${checks[*]} ${by_hand[*]}"
}

# Where no packet is lost, exactly that is found which the client did.
zero_drops() {
  client_and_servers
  start_postgresql
  interface_packets >"$run/before"
  capture cli live -i eth0
  load cli $http $redis $postgresql --count 4000 --clients 4
  load cli $http $redis $postgresql --count 2000 --clients 8 --rate 800 --first 100000 --seed 2
  stop live
  interface_packets >"$run/after"
  compare same live.ndjson
  no_drops live
  # What the interface itself has counted is what came here.
  equal "packets of the interface, and of the program" \
    $(($(cat "$run/after") - $(cat "$run/before"))) "$(of live packets)"
}

# With a ring that is too small and a program that stands still, it is said what was lost, and when.
drops() {
  client_and_servers
  capture cli live -i eth0 -B 1024 -w "$run/live.pcapng"
  load cli $http $redis --seconds 1
  for round in 1 2; do
    # More comes than the ring holds before it goes on.
    kill -STOP "$(pid live)"
    load cli $http $redis --count 3000 --first ${round}00000 --seed $round
    kill -CONT "$(pid live)"
    load cli $http $redis --seconds 1.5 --first ${round}50000 --seed ${round}5
  done
  stop live
  compare covered live.ndjson "$run/live.json"
  said live 'kernel dropped'
  # The packets that were written tell when others were lost.
  "$wirespan" read -q "$run/live.pcapng" --format ndjson -o "$run/again.ndjson"
  compare lines live.ndjson "$run/again.ndjson" -
}

# On a silent link it ends at once when it is told to, and well.
idle() {
  client_and_servers
  for signal in INT TERM; do
    capture cli live -i eth0
    stop live $signal
    at_most "milliseconds from SIG$signal to the end" 2000 "$stopped_after"
  done
  # As a shell's time-out does it, with nobody at the terminal.
  code=0
  inside cli timeout --preserve-status 2 "$wirespan" live -i eth0 --summary "$run/timeout.json" \
    </dev/null >"$run/timeout.out" 2>"$run/timeout.log" || code=$?
  equal "exit code under timeout" 0 $code
  equal "packets of a silent link" 0 "$(of timeout packets)"
}

# Two workers and four find what one does.
workers() {
  client_and_servers
  capture cli one -i eth0
  capture cli two -i eth0 --workers 2
  capture cli four -i eth0 --workers 4
  load cli $http $redis --count 3000 --clients 8
  stop one
  stop two
  stop four
  for name in one two four; do
    no_drops $name
    compare same $name.ndjson
  done
  compare lines --captures one.ndjson "$run/two.ndjson" -
  compare lines --captures one.ndjson "$run/four.ndjson" -
}

# An interface that goes down, and one that is deleted and made anew.
down_up() {
  client_and_servers
  capture cli live -i eth0
  load cli $http $redis --count 300
  ip -n $prefix-cli link set eth0 down
  wait_for "a word of the interface that is down" said_times live 'eth0 went down' 1
  ip -n $prefix-cli link set eth0 up
  wait_for "a word of the interface that is up" said_times live 'eth0 is up' 1
  wait_for "the server, once the interface is up" answers cli $server 8080
  load cli $http $redis --count 300 --first 1000 --seed 2
  ip -n $prefix-cli link del eth0
  wait_for "a word of the interface that is gone" said_times live 'eth0 went down' 2
  cable_of_client
  wait_for "a word of the new interface" said_times live 'eth0 is up' 2
  wait_for "the server, over the new interface" answers cli $server 8080
  load cli $http $redis --count 300 --first 2000 --seed 3
  stop live
  compare same live.ndjson
}

# A disk that is full ends writing and nothing else.
full_disk() {
  client_and_servers
  mkdir -m 777 "$run/small"
  mount -t tmpfs -o size=1m,mode=777 tmpfs "$run/small"
  mounts+=("$run/small")
  capture cli live -i eth0 -w "$run/small/x.pcapng"
  load cli $http $redis --count 3000
  wait_for "a word of the full disk" grep -q 'disk is full' "$run/live.log"
  load cli $http $redis --count 500 --first 10000 --seed 2
  expected_code=2 stop live
  compare same live.ndjson
  equal "lines about the full disk" 1 "$(grep -c 'disk is full' "$run/live.log")"
  "$wirespan" read -q "$run/small/x.pcapng" --format ndjson -o "$run/written.ndjson"
  if ! [ -s "$run/written.ndjson" ]; then fail "nothing can be read of what was written"; fi
}

# Who reads the output slowly does not hold up the capture; what there was no room for is counted.
slow_reader() {
  client_and_servers
  mkfifo "$run/lines"
  # One line a second, until the program is told to end.
  (exec python3 "$here/reader.py" "$run/lines" "$run/live.ndjson" "$run/hurry") &
  processes+=($!)
  reader=$!
  output=$run/lines capture cli live -i eth0 --max-memory 192M
  load cli $http $redis --count 12000 --clients 8
  load cli $http $redis --seconds 2 --first 20000 --seed 2
  touch "$run/hurry"
  stop live
  wait $reader
  no_drops live
  compare shed live.ndjson "$run/live.json"
  said live 'traces of .* spans were left out'
}

# The packets that were written give the same spans when they are read.
agree() {
  client_and_servers
  mkdir -m 777 "$run/w"
  capture cli live -i eth0 -w "$run/w/whole.pcapng"
  capture cli sizes -i eth0 -w "$run/w/sizes.pcapng" -C 1
  capture cli seconds -i eth0 -w "$run/w/seconds-%H%M%S.pcapng" -G 1
  capture cli rings -i eth0 -w "$run/w/rings.pcapng" --workers 2
  load cli $http $redis --count 5000
  load cli $http $redis --seconds 3 --pause 0.01 --first 10000 --seed 2
  # A call that nobody answers, and then silence: what is read tells of it, too.
  inside cli ip neigh replace 10.93.0.77 lladdr 02:00:00:00:00:77 dev eth0
  inside cli timeout 0.5 bash -c '</dev/tcp/10.93.0.77/81' 2>/dev/null || true
  sleep 13
  for name in live sizes seconds rings; do stop $name; done
  if ! grep -q '"unanswered"' "$run/live.ndjson"; then fail "nobody says that a call was not answered"; fi
  if [ "$(ls "$run"/w/sizes* | wc -l)" -lt 2 ] || [ "$(ls "$run"/w/seconds* | wc -l)" -lt 3 ]; then
    ls -l "$run/w" >&2
    fail "too few files: they were not rotated"
  fi
  grep -v '"unanswered"' "$run/live.ndjson" >"$run/answered.ndjson"
  compare same answered.ndjson
  for name in live:whole sizes:sizes seconds:seconds rings:rings; do
    # shellcheck disable=SC2086
    "$wirespan" read -q "$run/w/${name#*:}"* --format ndjson -o "$run/again.ndjson"
    compare lines "${name%:*}.ndjson" "$run/again.ndjson" -
  done
}

# From outside of a namespace, on all interfaces, and on two of them.
netns() {
  client_and_servers
  (exec setpriv --pdeathsig TERM "$wirespan" live --netns $prefix-cli -i eth0 --format ndjson -o "$run/outside.ndjson" \
    --summary "$run/outside.json") </dev/null >"$run/outside.out" 2>"$run/outside.log" &
  captures[outside]=$!
  processes+=($!)
  wait_for_capture outside
  capture cli any -i any
  capture srv two -i eth0,eth1
  load cli $http $redis --count 2000
  for name in outside any two; do
    stop $name
    no_drops $name
  done
  compare same outside.ndjson
  compare same any.ndjson
  # What nginx asked of the second one is there too; it is not the client's.
  python3 - "$run/two.ndjson" "$run/two.client.ndjson" "$run/two.stock.ndjson" <<'PYTHON'
import json, sys
spans = [json.loads(line) for line in open(sys.argv[1])]
for path, server in zip(sys.argv[2:], ("10.93.0.2", "10.93.1.2")):
    with open(path, "w") as file:
        file.writelines(json.dumps(span) + "\n" for span in spans if span["server"].startswith(server))
PYTHON
  compare same two.client.ndjson
  equal "exchanges of both servers of nginx" "$(cut -f 6 "$run/truth.tsv" | grep -c '/stock/')" \
    "$(wc -l <"$run/two.stock.ndjson")"
  equal "taps" 2 "$(of two taps)"
}

# A passive TAP has a cable for each direction; both are one point.
tap() {
  add_namespace sw
  ip -n $prefix-sw link add bridge type bridge
  ip -n $prefix-sw link set bridge up
  client_and_servers sw
  for cable in a b; do
    ip -n $prefix-sw link add "copy-$cable" type veth peer name "tap-$cable"
    ip -n $prefix-sw link set "copy-$cable" up
    ip -n $prefix-sw link set "tap-$cable" up
  done
  inside sw nft -f - <<'NFT'
table netdev tap {
  chain requests { type filter hook ingress device "port-cli" priority 0; dup to "copy-a"; }
  chain responses { type filter hook ingress device "port-srv" priority 0; dup to "copy-b"; }
}
NFT
  capture sw live -i tap-a,tap-b
  load cli $http $redis --count 2000
  stop live
  no_drops live
  compare same live.ndjson
  equal "points" 1 "$(of live points)"
}

# Two tenants with the same addresses, each in a network of its own over the same cable.
vxlan() {
  local host i tenant
  add_namespace under-a
  add_namespace under-b
  link under-a eth0 under-b eth0
  i=0
  for host in a b; do
    i=$((i + 1))
    ip -n $prefix-under-$host addr add 10.93.2.$i/24 dev eth0
    for tenant in 7 8; do
      add_namespace $host$tenant
      ip -n $prefix-under-$host link add vx$tenant type vxlan id $tenant local 10.93.2.$i \
        remote 10.93.2.$((3 - i)) dstport 4789 dev eth0
      ip -n $prefix-under-$host link set vx$tenant netns $prefix-$host$tenant name eth0
      ip -n $prefix-$host$tenant addr add 10.93.0.$i/24 dev eth0
      ip -n $prefix-$host$tenant link set eth0 up
    done
  done
  for tenant in 7 8; do
    start_nginx b$tenant nginx-$tenant $server:8080 127.0.0.1:1
    start b$tenant redis-$tenant redis-server --bind $server --port 6379 --save '' --protected-mode no --dir "$run"
    wait_for "nginx of $tenant" answers a$tenant $server 8080
    wait_for "Redis of $tenant" answers a$tenant $server 6379
    # The same ports for both, so that all that differs is the network.
    set_kernel a$tenant net/ipv4/ip_local_port_range "'40000 40063'"
  done
  capture under-a live -i eth0
  truth=$run/truth-7.tsv load a7 $http $redis --count 1500 --without stock &
  local other=$!
  truth=$run/truth-8.tsv load a8 $http $redis --count 1500 --without stock --seed 8
  wait $other
  stop live
  no_drops live
  truth=$run/truth-7.tsv compare same --network=vni7 live.ndjson
  truth=$run/truth-8.tsv compare same --network=vni8 live.ndjson
  equal "spans of other networks" 0 "$(grep -vc '"network":"vni[78]"' "$run/live.ndjson")"
  equal "points" 2 "$(of live points)"
}

# Without bpf(2), without perf events, without anything that Linux 3.10 had not: the same.
nobpf() {
  command -v strace >/dev/null || fail "not installed: strace" ".ci/setup dev installs it"
  client_and_servers
  before=(python3 "$here/deny.py" --errno ENOSYS --)
  capture cli enosys -i eth0
  before=(python3 "$here/deny.py" --errno EPERM --)
  capture cli eperm -i eth0
  before=(python3 "$here/deny.py" --errno ENOSYS --old --)
  capture cli old -i eth0
  before=(strace -f -qq -e trace=bpf,perf_event_open -e signal=none -o "$run/calls")
  capture cli traced -i eth0
  load cli $http $redis --count 2000
  for name in enosys eperm old; do
    stop $name
    no_drops $name
    compare same $name.ndjson
  done
  # strace hands no signal on; its child is the program.
  kill -INT "$(pgrep -P "$(pid traced)")"
  wait "$(pid traced)"
  compare same traced.ndjson
  equal "lines about bpf(2)" "" "$(cat "$run/calls")"
}

# What the program may still do once it captures.
rights() {
  client_and_servers
  capture cli live -i eth0
  load cli $http --count 50
  python3 "$here/rights.py" "$(pid live)"
  stop live
  compare same live.ndjson
}

# What is told while it runs, and sent on, though it may do so little by then.
told() {
  client_and_servers
  capture cli live -i eth0 --metrics 127.0.0.1:9464 --otlp http://127.0.0.1:4318
  load cli $http $redis --count 1000
  # A collector that comes later gets all the same.
  start cli collector python3 "$here/collector.py" 127.0.0.1 4318
  wait_for_port cli 4318
  wait_for "all exchanges among the metrics" \
    inside cli python3 "$here/metrics.py" http://127.0.0.1:9464/metrics "$run/truth.tsv"
  kill -USR1 "$(pid live)"
  wait_for "the counts" grep -q '^exchanges' "$run/live.log"
  stop live
  compare same live.ndjson
  equal "spans that were sent" "$(wc -l <"$run/truth.tsv")" "$(of live sent spans)"
}

# What another host sends through a pipe that stays open is shown as it settles.
pipe() {
  client_and_servers
  mkfifo "$run/packets"
  (exec ip netns exec $prefix-cli setpriv --pdeathsig TERM tcpdump -i eth0 -s 0 -B 65536 -U -Z root -w -) \
    >"$run/packets" 2>"$run/tcpdump.log" &
  processes+=($!)
  local tcpdump=$!
  (exec setpriv --pdeathsig TERM "$wirespan" read - --format ndjson --summary "$run/live.json") \
    <"$run/packets" 2>"$run/live.log" > >(exec python3 "$here/stamp.py" "$run/live.ndjson" "$run/stamps") &
  captures[live]=$!
  processes+=($!)
  wait_for tcpdump grep -q 'listening on' "$run/tcpdump.log"
  load cli $http $redis --count 200
  # Nothing more comes, and the pipe is open.
  wait_for "all spans of a pipe that is silent" has_lines 200
  kill -0 $tcpdump
  kill $tcpdump
  wait "$(pid live)"
  wait_for "the end of the output" has_ended
  compare same live.ndjson
  printf '%s: %s\n' "$lab" "$(python3 "$here/stamp.py" --told "$run/live.ndjson" "$run/stamps")"
}

# How long after its last packet a trace is printed.
latency() {
  client_and_servers
  mkfifo "$run/lines"
  python3 "$here/stamp.py" "$run/live.ndjson" "$run/stamps" <"$run/lines" &
  processes+=($!)
  output=$run/lines capture cli live -i eth0 --max-memory 192M
  load cli $http $redis --count 500 --rate 100
  wait_for "all spans of a link that is silent" has_lines 500
  stop live
  wait_for "the end of the output" has_ended
  compare same live.ndjson
  printf '%s: %s\n' "$lab" "$(python3 "$here/stamp.py" --told "$run/live.ndjson" "$run/stamps")"
}

# A replay at a rate that any machine can follow: that `rate` itself works.
rate_smoke() {
  client_and_servers
  record cli some -i eth0
  load cli $http $redis --count 500
  stop_recording
  cable_of_replay
  inside rep python3 "$here/rate.py" "$wirespan" "$run/replay" "$run/some.pcap" from to --only 5000 --seconds 2
}

# On all interfaces, each has its name, and what was written is read as it was captured.
any_interface() {
  client_and_servers
  mkdir -m 777 "$run/w"
  capture srv live -i any -w "$run/w/whole.pcapng"
  capture srv sizes -i any -w "$run/w/sizes.pcapng" -C 1
  load cli $http $redis --count 5000
  for name in live sizes; do
    stop $name
    no_drops $name
    equal "taps of $name" '"tap":"eth0" "tap":"eth1"' \
      "$(grep -o '"tap":"[^"]*"' "$run/$name.ndjson" | sort -u | xargs -d '\n')"
  done
  "$wirespan" read -q "$run/w/whole.pcapng" --format ndjson -o "$run/again.ndjson"
  if ! cmp "$run/live.ndjson" "$run/again.ndjson"; then
    keep live
    keep again
    fail "what was captured is not what is read"
  fi
  "$wirespan" read -q "$run"/w/sizes* --format ndjson -o "$run/again.ndjson"
  compare lines sizes.ndjson "$run/again.ndjson" -
  equal "taps of a series" 2 "$(grep -o '"tap":"[^"]*"' "$run/again.ndjson" | sort -u | wc -l)"
}

# Where the filter leaves out what it holds for in tags and tunnels, it is said, with one that works.
left_out() {
  local how remedy
  # Who captures is an ordinary user by then.
  chmod 711 "$run"
  add_namespace a
  add_namespace b
  link a eth0 b eth0
  for how in qinq gre vxlan; do
    capture b without-$how -i eth0 port 80
    capture b any-$how -i any port 80
    inside a python3 "$here/wrapped.py" $how eth0 20
    wait_for "a word of what is left out" said_times without-$how 'warning: filter: ' 1
    stop without-$how
    stop any-$how
    equal "packets with port 80" 0 "$(of without-$how packets)"
    remedy=$(sed -n "s/.*warning: filter: .*; say '\([^']*\)'.*/\1/p" "$run/without-$how.log")
    capture b with-$how -i eth0 "$remedy"
    inside a python3 "$here/wrapped.py" $how eth0 20
    stop with-$how
    equal "exchanges with '$remedy'" 20 "$(of with-$how exchanges http)"
    # Of two tags, cooked packets show none as it is.
    if [ $how != qinq ]; then said any-$how 'warning: filter: '; fi
  done
}

# By hand, as they take long and want a machine that does nothing else.

# PACKETS is a pcap file (default: the first bench capture), SECONDS_EACH the length of a trial (30),
# BEGIN the rate of the first one.
rate() {
  local slice=$root/../shared/bench/slices/a_200k.pcap.zst
  if [ -z "${PACKETS:-}" ]; then
    if ! [ -e "$slice" ]; then fail "there is no $slice" "PACKETS=FILE.pcap $0 rate $out"; fi
    zstd -dqo "$run/slice.pcap" "$slice"
    # The same addresses and identifiers again would be copies, and less work than other ones.
    python3 "$lab_folder/../scripts/repeat.py" "$run/slice.pcap" "$run/packets.pcap" "${COPIES:-30}" --shift 2
    rm "$run/slice.pcap"
  fi
  cable_of_replay
  inside rep python3 "$here/rate.py" "$wirespan" "$run/replay" "${PACKETS:-$run/packets.pcap}" from to ${BEGIN:+--begin "$BEGIN"} \
    --seconds "${SECONDS_EACH:-30}" | tee "$out/rate.txt"
}

# RATE is in requests a second (default: 10000).
impact() {
  client_and_servers
  cc -O2 -o "$run/pace" "$here/pace.c"
  python3 "$here/impact.py" "$wirespan" "$run/pace" $prefix-cli $prefix-srv eth0 $server 8080 \
    --rate "${RATE:-10000}" | tee "$out/impact.txt"
}

# MINUTES (default: 30) of RATE exchanges a second (1500), with the memory every 10 seconds.
soak() {
  client_and_servers
  output=/dev/null capture cli live -i eth0
  load cli $http $redis --seconds $((${MINUTES:-30} * 60)) --rate "${RATE:-1500}" --clients 16 &
  python3 "$here/memory.py" "$(pid live)" $! 10 | tee "$out/soak.txt"
  stop live
  no_drops live
  equal "exchanges" "$(wc -l <"$run/truth.tsv")" $(($(of live exchanges http) + $(of live exchanges redis)))
}

main "$2"
