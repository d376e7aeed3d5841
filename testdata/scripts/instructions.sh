#!/usr/bin/env bash
# instructions.sh CAPTURE [PACKETS]: counts the instructions of reading the first PACKETS (20,000).
# BINARY names another program than target/release/wirespan.
set -euo pipefail

if [ $# -lt 1 ]; then
  echo "usage: instructions.sh CAPTURE [PACKETS]" >&2
  exit 2
fi
packets=${2:-20000}
binary=${BINARY:-$(dirname "$0")/../../target/release/wirespan}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
tcpdump -r "$1" -c "$packets" -w "$folder/first.pcap" 2>/dev/null
# CAPTURE may hold fewer packets than were asked for.
packets=$(tcpdump -r "$folder/first.pcap" --count 2>/dev/null | cut -d ' ' -f 1)
valgrind --tool=callgrind --callgrind-out-file="$folder/out" --log-file="$folder/log" \
  "$binary" read "$folder/first.pcap" --threads 1 --format ndjson -o /dev/null 2>"$folder/stderr" || {
  cat "$folder/stderr" "$folder/log" >&2
  exit 1
}
total=$(sed -n 's/^totals: *\([0-9]*\).*/\1/p;s/^summary: *\([0-9]*\).*/\1/p' "$folder/out" | tail -n 1)
echo "$total instructions, $packets packets, $((total / packets)) a packet"
