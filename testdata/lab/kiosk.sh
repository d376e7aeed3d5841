#!/usr/bin/env bash
# kiosk.sh OUT: makes OUT/kiosk, OUT/passive-tap and OUT/mirror-vlan, from one run of real servers.
#
#   client 10.90.1.2
#     │
#     ▼ outside                                                      each in a network namespace
#   router ── services ──┬─ nginx 10.90.0.2:8080
#                        ├─ orders 10.90.0.3:8081, Python
#                        ├─ stock 10.90.0.4:8082, Node
#                        ├─ dnsmasq 10.90.0.5:53
#                        ├─ cache 10.90.0.6:6379, Redis of orders
#                        └─ shelves 10.90.0.7:6379, Redis of stock
#
# "outside" is the router's interface towards the client, "services" the bridge of all servers: both
# are captured. So are the cables of orders and of stock, each direction apart, as a passive TAP and a
# mirror port deliver them. Needs root and `.ci/setup dev`. Takes some 5 seconds.
# shellcheck source=namespaces.sh
. "$(dirname "$0")/namespaces.sh"

begin "${1:-}" nginx redis-server redis-cli dnsmasq node

add_namespace sw
ip -n wslab-sw link add services type bridge
ip -n wslab-sw addr add 10.90.0.1/24 dev services
ip -n wslab-sw link set services up
set_kernel sw net/ipv4/ip_forward 1
add_namespace cli
link sw outside cli eth0
ip -n wslab-sw addr add 10.90.1.1/24 dev outside
ip -n wslab-cli addr add 10.90.1.2/24 dev eth0
ip -n wslab-cli route add default via 10.90.1.1
i=1
for host in gw ord stk dns cac she; do
  i=$((i + 1))
  add_namespace $host
  link sw "port-$host" $host eth0
  ip -n wslab-sw link set "port-$host" master services
  ip -n wslab-$host addr add "10.90.0.$i/24" dev eth0
  ip -n wslab-$host route add default via 10.90.0.1
done

start dns dnsmasq dnsmasq --no-daemon --conf-file=/dev/null --no-resolv --no-hosts --user=root \
  --pid-file= --listen-address=10.90.0.5 --bind-interfaces --local=/shop.example/ \
  --host-record=shop.example,10.90.0.2 --host-record=orders.shop.example,10.90.0.3 \
  --host-record=stock.shop.example,10.90.0.4 --host-record=cache.shop.example,10.90.0.6 \
  --host-record=shelves.shop.example,10.90.0.7
for host in cac she; do
  address=$(ip -n wslab-$host -4 -o addr show eth0 | sed 's/.*inet \([0-9.]*\).*/\1/')
  start $host redis-$host redis-server --bind "$address" --port 6379 --save '' --protected-mode no --dir "$run"
  wait_for_port $host 6379
done
wait_for_port dns 53
for item in 5 7 9 11 12 30 31 32 33 34 35; do
  printf 'HSET item:%d shelf A%d left %d\n' $item $item $((item * 3))
done | inside she redis-cli -h 10.90.0.7 >/dev/null
# An item that is not what stock takes it for.
inside she redis-cli -h 10.90.0.7 SET item:13 broken >/dev/null

# From here on, so that the names are seen which the servers look up as they start.
record sw outside -i outside ip
record sw services -i services ip
record sw from-orders -i port-ord -Q in ip
record sw to-orders -i port-ord -Q out ip
record sw from-stock -i port-stk -Q in ip
record sw to-stock -i port-stk -Q out ip
# `ip netns exec` gives a mount namespace of its own: nobody else sees this resolv.conf.
echo "nameserver 10.90.0.5" >"$run/resolv.conf"
start stk stock node "$lab_folder/kiosk/stock.js"
start ord orders python3 "$lab_folder/kiosk/orders.py"
wait_for_port stk 8082
wait_for_port ord 8081
sed "s#@RUN@#$run#g" "$lab_folder/kiosk/nginx.conf.in" >"$run/nginx.conf"
start gw nginx sh -c 'mount --bind "$0" /etc/resolv.conf && exec "$@"' "$run/resolv.conf" \
  nginx -c "$run/nginx.conf" -p "$run/" -e "$run/nginx.err.log"
wait_for_port gw 8080
inside cli python3 "$lab_folder/kiosk/client.py"
stop_recording

write_capture kiosk/input.pcapng.zst outside=outside services=services
write_truth kiosk/truth.tsv
write_capture passive-tap/input.pcapng.zst tap-a=from-orders tap-b=to-orders
write_truth passive-tap/truth.tsv 10.90.0.3
write_capture mirror-vlan/input.pcapng.zst mirror@10=from-stock mirror@20=to-stock
write_truth mirror-vlan/truth.tsv 10.90.0.4
