# What the labs share; they source it. Namespaces with servers in them, which go when the lab ends,
# however it ends: also by ctrl-C, by a failure, or with the terminal.
#
# It gives: $out where captures go, $run for what nobody needs afterwards, add_namespace, link,
# start, wait_for, record, stop_recording, write_truth.

set -euo pipefail

# A root shell by su may lack these.
PATH=$PATH:/usr/sbin:/sbin
lab=$(basename "$0")
lab_folder=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# What the names of namespaces begin with.
prefix=${prefix:-wslab}
namespaces=()
mounts=()
processes=()
recordings=()

fail() {
  printf "$lab: %s\n" "$@" >&2
  exit 1
}

# Checks what the lab needs: begin OUT COMMAND...
begin() {
  local command missing=()
  if [ $# = 0 ] || [ -z "$1" ] || [ "${1:0:1}" = - ]; then
    printf 'usage: %s OUT   (as root; the folder OUT gets the captures)\n' "$lab" >&2
    exit 2
  fi
  if [ "$(id -u)" != 0 ]; then
    fail "this needs root, for network namespaces: sudo $0 $1"
  fi
  for command in ip ethtool tcpdump zstd python3 ss "${@:2}"; do
    command -v "$command" >/dev/null || missing+=("$command")
  done
  if [ ${#missing[@]} != 0 ]; then
    fail "not installed: ${missing[*]}" ".ci/setup dev installs all that the labs need"
  fi
  out=$(mkdir -p "$1" && cd "$1" && pwd)
  run=$(mktemp -d)
  trap clean_up EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$lab_folder TRUTH=$run/truth
  true >"$TRUTH"
}

clean_up() {
  local p n m tries=50 code=$?
  trap '' INT TERM HUP
  # One that a lab stopped ends as it goes on.
  for p in "${processes[@]}"; do kill "$p" 2>/dev/null && kill -CONT "$p" 2>/dev/null || true; done
  # One that does not end within 5 s does not end.
  while [ $tries -gt 0 ] && kill -0 "${processes[@]}" 2>/dev/null; do
    sleep 0.1
    tries=$((tries - 1))
  done
  kill -KILL "${processes[@]}" 2>/dev/null || true
  for p in "${processes[@]}"; do wait "$p" 2>/dev/null || true; done
  for n in "${namespaces[@]}"; do ip netns del "$n" || true; done
  for m in "${mounts[@]}"; do umount -l "$m" || true; done
  rm -rf "$run"
  exit $code
}

add_namespace() {
  local n=$prefix-$1
  if [ -e "/run/netns/$n" ]; then
    fail "$n is there already: another lab runs, or was killed" \
      "if none runs: for n in /run/netns/$prefix-*; do ip netns del \${n##*/}; done"
  fi
  if ! ip netns add "$n"; then fail "network namespaces are not permitted here"; fi
  namespaces+=("$n")
  # Without IPv6 there is no talk of its own accord. Some kernels have none.
  set_kernel "$1" net/ipv6/conf/all/disable_ipv6 1 2>/dev/null || true
  ip -n "$n" link set lo up
}

# Two namespaces and their interfaces: link A IF-A B IF-B.
# No offloads: packets are as on a wire, with right checksums and no more than the MTU.
link() {
  ip link add "$2" netns "$prefix-$1" type veth peer name "$4" netns "$prefix-$3"
  ip netns exec "$prefix-$1" ethtool -K "$2" tso off gso off gro off tx off sg off >/dev/null
  ip netns exec "$prefix-$3" ethtool -K "$4" tso off gso off gro off tx off sg off >/dev/null
  ip -n "$prefix-$1" link set "$2" up
  ip -n "$prefix-$3" link set "$4" up
}

set_kernel() { inside "$1" sh -c "echo $3 >/proc/sys/$2"; }
inside() { ip netns exec "$prefix-$1" "${@:2}"; }

# Starts a server, which ends with the lab at the latest: start NAMESPACE NAME COMMAND...
start() {
  local log=$run/$2.log
  (exec ip netns exec "$prefix-$1" setpriv --pdeathsig TERM "${@:3}") >"$log" 2>&1 &
  processes+=($!)
}

wait_for() {
  local what=$1 tries=150
  shift
  until "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    if [ $tries = 0 ]; then
      tail -n 5 "$run"/*.log >&2
      fail "$what did not come up (the ends of all logs stand above)"
    fi
    sleep 0.1
  done
}

# wait_for_port NAMESPACE PORT
wait_for_port() { wait_for "port $2 of $prefix-$1" listens "$1" "$2"; }
listens() { inside "$1" ss -Hlntu "sport = :$2" | grep -q .; }

# Starts tcpdump: record NAMESPACE NAME OPTION...; the file is $run/NAME.pcap, with nanoseconds.
record() {
  (exec ip netns exec "$prefix-$1" setpriv --pdeathsig TERM tcpdump -s 0 -B 65536 -U -Z root \
    --time-stamp-precision=nano -w "$run/$2.pcap" "${@:3}") 2>"$run/$2.log" &
  processes+=($!)
  recordings+=("$! $2")
  wait_for "tcpdump of $2" grep -q 'listening on' "$run/$2.log"
}

# Ends all recordings. The kernel hands packets on after a second at the latest, and tcpdump does not
# ask for what is left as it ends. A recording with losses would not be the truth.
stop_recording() {
  local recording pid name
  sleep 1.5
  for recording in "${recordings[@]}"; do
    read -r pid name <<<"$recording"
    kill "$pid"
    wait "$pid" || true
    if ! grep -q '^0 packets dropped by kernel' "$run/$name.log"; then
      tail -n 4 "$run/$name.log" >&2
      fail "the kernel dropped packets of $name: run it again"
    fi
  done
  recordings=()
}

# One pcapng of recordings, each on an interface: write_capture FILE INTERFACE=NAME...
write_capture() {
  local name=$1 argument inputs=()
  for argument in "${@:2}"; do inputs+=("${argument%%=*}=$run/${argument#*=}.pcap"); done
  mkdir -p "$(dirname "$out/$name")"
  python3 "$lab_folder/interfaces.py" "$run/merged.pcapng" "${inputs[@]}"
  zstd -19 -q -f "$run/merged.pcapng" -o "$out/$name"
  printf '%s: %s, %d bytes\n' "$lab" "$name" "$(stat -c %s "$out/$name")"
}

# What the programs wrote down: write_truth FILE [HOST]; with a host, only what it took part in.
write_truth() { python3 "$lab_folder/truth.py" "$TRUTH" "${@:2}" >"$out/$1"; }
