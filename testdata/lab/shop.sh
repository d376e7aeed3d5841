#!/usr/bin/env bash
# shop.sh OUT: makes OUT/input.pcap.zst and OUT/truth.tsv with real servers.
#
#   client 10.90.0.1 ──▶ nginx 10.90.0.2:8080 ──▶ orders 10.90.0.3:8081 ──▶ stock 10.90.0.4:8082
#                                                   ├──▶ dnsmasq 10.90.0.5:53
#                                                   └──▶ redis 10.90.0.6:6379
#
# Each stands in a network namespace of its own, all on one bridge, where tcpdump listens: every
# packet is seen once. Needs root and the packages of `.ci/setup dev`. Takes some 10 seconds, and
# removes what it made.
set -euo pipefail

if [ $# != 1 ] || [ "$(id -u)" != 0 ]; then
  echo "usage: shop.sh OUT   (as root)" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
out=$(mkdir -p "$1" && cd "$1" && pwd)
run=$(mktemp -d)
hosts=(cli gw ord stk dns red)
namespaces=()
processes=()

clean_up() {
  local p n
  for p in "${processes[@]}"; do kill "$p" 2>/dev/null || true; done
  for p in "${processes[@]}"; do wait "$p" 2>/dev/null || true; done
  for n in "${namespaces[@]}"; do ip netns del "$n"; done
  rm -rf "$run"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

add_namespace() {
  if ! ip netns add "wslab-$1"; then
    echo "shop.sh: another run made wslab-$1; when it is gone: ip netns del wslab-$1" >&2
    exit 1
  fi
  namespaces+=("wslab-$1")
  ip netns exec "wslab-$1" sysctl -qw net.ipv6.conf.all.disable_ipv6=1 || true
  ip -n "wslab-$1" link set lo up
}

in_ns() {
  local n=$1
  shift
  exec ip netns exec "wslab-$n" "$@"
}

wait_for() {
  local what=$1 tries=100
  shift
  until "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    if [ $tries = 0 ]; then
      echo "shop.sh: $what did not come up" >&2
      tail -n 5 "$run"/*.log >&2
      exit 1
    fi
    sleep 0.1
  done
}

add_namespace sw
ip -n wslab-sw link add br0 type bridge
ip -n wslab-sw link set br0 up
i=0
for h in "${hosts[@]}"; do
  i=$((i + 1))
  add_namespace "$h"
  ip link add "port-$h" netns wslab-sw type veth peer name eth0 netns "wslab-$h"
  # No offloads: packets are as on a wire, with right checksums and no more than the MTU.
  ip netns exec wslab-sw ethtool -K "port-$h" tso off gso off gro off tx off sg off >/dev/null
  ip netns exec "wslab-$h" ethtool -K eth0 tso off gso off gro off tx off sg off >/dev/null
  ip -n wslab-sw link set "port-$h" master br0 up
  ip -n "wslab-$h" addr add "10.90.0.$i/24" dev eth0
  ip -n "wslab-$h" link set eth0 up
done

sed "s#@RUN@#$run#g" "$here/shop/nginx.conf.in" >"$run/nginx.conf"
export PYTHONDONTWRITEBYTECODE=1 TRUTH="$run/truth"
(in_ns dns dnsmasq --no-daemon --conf-file=/dev/null --no-resolv --no-hosts --user=root --pid-file= \
  --listen-address=10.90.0.5 --bind-interfaces --local=/shop.example/ \
  --host-record=shop.example,10.90.0.2 --host-record=orders.shop.example,10.90.0.3 \
  --host-record=stock.shop.example,10.90.0.4 --host-record=cache.shop.example,10.90.0.6) \
  >"$run/dns.log" 2>&1 &
processes+=($!)
(in_ns red redis-server --bind 10.90.0.6 --port 6379 --save '' --protected-mode no --dir "$run") \
  >"$run/redis.log" 2>&1 &
processes+=($!)
(in_ns stk python3 "$here/shop/stock.py") >"$run/stock.log" 2>&1 &
processes+=($!)
listens() { ip netns exec "wslab-$1" ss -Hlntu "sport = :$2" | grep -q .; }
wait_for dnsmasq listens dns 53
wait_for redis listens red 6379
wait_for stock listens stk 8082

# From here on, so that the names are seen which orders and nginx look up as they start.
(in_ns sw tcpdump -i br0 -s 0 -B 65536 -U -Z root -w "$run/input.pcap" ip) 2>"$run/tcpdump.log" &
processes+=($!)
tcpdump=$!
wait_for tcpdump grep -q 'listening on' "$run/tcpdump.log"

(in_ns ord python3 "$here/shop/orders.py") >"$run/orders.log" 2>&1 &
processes+=($!)
wait_for orders listens ord 8081
# `ip netns exec` gives a mount namespace of its own: nobody else sees this resolv.conf.
echo "nameserver 10.90.0.5" >"$run/resolv.conf"
(in_ns gw sh -c 'mount --bind "$1/resolv.conf" /etc/resolv.conf && exec nginx -c "$1/nginx.conf" -p "$1/" -e "$1/nginx.err.log"' sh "$run") \
  >"$run/nginx.log" 2>&1 &
processes+=($!)
wait_for nginx listens gw 8080

ip netns exec wslab-cli python3 "$here/shop/client.py"

sleep 1
kill -INT $tcpdump
wait $tcpdump || true
cat "$run/tcpdump.log" >&2
zstd -19 -q -f "$run/input.pcap" -o "$out/input.pcap.zst"
{
  printf 'request\tspan\tparent\tprotocol\tclient\tserver\tnth\toperation\tstatus\n'
  sort -n "$TRUTH" | cut -f 2-
} >"$out/truth.tsv"
ls -l "$out/input.pcap.zst" "$out/truth.tsv"
