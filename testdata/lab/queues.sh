#!/usr/bin/env bash
# queues.sh OUT: makes OUT/queues, producers and consumers with a real Redis in between.
#
#   client 10.94.0.2 ──▶ shop 10.94.0.3:8085 ──▶ Redis 10.94.0.6 ◀── worker 10.94.0.4 ──▶ client:8086
#                                                    ▲── watchers 10.94.0.5, by RESP2 and RESP3
#
# Orders go through lists, streams, channels and transactions. Whoever gets a message writes down
# what it was and by which command it came: the truth. Needs root and `.ci/setup dev`. Takes some
# 15 seconds.
# shellcheck source=namespaces.sh
. "$(dirname "$0")/namespaces.sh"

begin "${1:-}" redis-server
add_namespace sw
ip -n "$prefix-sw" link add queues type bridge
ip -n "$prefix-sw" link set queues up
i=1
for host in cli shop wrk see red; do
  i=$((i + 1))
  add_namespace $host
  link sw "port-$host" $host eth0
  ip -n "$prefix-sw" link set "port-$host" master queues
  ip -n "$prefix-$host" addr add "10.94.0.$i/24" dev eth0
done

start red redis redis-server --bind 10.94.0.6 --port 6379 --save '' --protected-mode no --dir "$run"
wait_for_port red 6379
record sw queues -i queues ip
programs=$lab_folder/queues
start cli stock python3 "$programs/stock.py"
start see watcher-2 python3 "$programs/watcher.py" 2
start see watcher-3 python3 "$programs/watcher.py" 3
start wrk worker python3 "$programs/worker.py"
start shop shop python3 "$programs/shop.py"
wait_for_port cli 8086
wait_for_port shop 8085
for log in watcher-2 watcher-3 worker; do wait_for "$log" grep -q ready "$run/$log.log"; done
inside cli python3 "$programs/client.py"
wait_for "the last message" grep -q 'worker.*the last' "$TRUTH"
stop_recording
if grep -l Traceback "$run"/*.log >&2; then fail "a program failed"; fi
write_capture queues/input.pcapng.zst queues=queues
sort -s -k1,1 "$TRUTH" >"$out/queues/messages.tsv"
