#!/usr/bin/env bash
# loopback-redirect.sh OUT: makes OUT/loopback-redirect/ with a sidecar as service meshes have them.
#
#   client 10.91.0.1 ──▶ pod 10.91.0.2 ─────────────────────────────────────▶ prices 10.91.0.3:8080
#                        eth0 ▶ sidecar :15006 ▶ lo ▶ cart :8080
#                               cart ▶ lo ▶ sidecar :15001 ▶ eth0
#
# nftables redirects what comes to the pod, and what its program sends, to the sidecar. Both
# interfaces of the pod are captured. Needs root and `.ci/setup dev`. Takes some 3 seconds.
# shellcheck source=namespaces.sh
. "$(dirname "$0")/namespaces.sh"

begin "${1:-}" nft
add_namespace sw
ip -n wslab-sw link add br0 type bridge
ip -n wslab-sw link set br0 up
i=0
for host in cli pod pri; do
  i=$((i + 1))
  add_namespace $host
  link sw "port-$host" $host eth0
  ip -n wslab-sw link set "port-$host" master br0
  ip -n wslab-$host addr add "10.91.0.$i/24" dev eth0
done

# The sidecar runs as group 1337, so that what it sends itself is left alone.
inside pod nft -f - <<'NFT'
table ip sidecar {
  chain inbound {
    type nat hook prerouting priority -100
    iifname eth0 tcp dport 8080 redirect to :15006
  }
  chain outbound {
    type nat hook output priority -100
    oifname eth0 tcp dport { 8080, 9090 } meta skgid != 1337 redirect to :15001
  }
}
NFT

record pod lo -i lo ip
record pod eth0 -i eth0 ip
start pri prices python3 "$lab_folder/loopback-redirect/prices.py"
start pod cart python3 "$lab_folder/loopback-redirect/cart.py"
start pod sidecar setpriv --regid 1337 --clear-groups python3 "$lab_folder/loopback-redirect/sidecar.py"
wait_for_port pri 8080
wait_for_port pod 8080
wait_for_port pod 15001
wait_for_port pod 15006
inside cli python3 "$lab_folder/loopback-redirect/client.py"
stop_recording
write_capture loopback-redirect/input.pcapng.zst lo=lo eth0=eth0
write_truth loopback-redirect/truth.tsv
