#!/usr/bin/env bash
# same_threads.sh FOLDER: reads each capture that MANIFEST.tsv in FOLDER names with 1, 2 and 8 threads;
# the spans must be the same bytes. A run may take 20 seconds and 100 MiB, and must end with 0, 1
# (nothing found) or 2 (not readable). Prints what does not hold, and the totals.
# BINARY names another program than target/release/wirespan.
set -euo pipefail

if [ $# -ne 1 ]; then
  echo "usage: same_threads.sh FOLDER" >&2
  exit 2
fi
binary=${BINARY:-$(dirname "$0")/../../target/release/wirespan}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
captures=0 faults=0 peak=0

fault() {
  echo "$path, $threads threads: $*"
  faults=$((faults + 1))
}

while IFS=$'\t' read -r path _; do
  captures=$((captures + 1))
  for threads in 1 2 8; do
    code=0
    : >"$work/$threads"
    /usr/bin/time -q -f %M -o "$work/memory" timeout 20 "$binary" read -q "$1/$path" \
      --format ndjson -o "$work/$threads" --threads "$threads" 2>"$work/stderr" || code=$?
    [ "$code" -le 2 ] || fault "exit code $code: $(head -n 1 "$work/stderr")"
    ! grep -q panicked "$work/stderr" || fault "$(grep panicked "$work/stderr")"
    memory=$(tail -n 1 "$work/memory")
    [ "$memory" -le 102400 ] || fault "$memory KiB"
    peak=$((memory > peak ? memory : peak))
    cmp -s "$work/1" "$work/$threads" || fault "other spans than with 1"
  done
done < <(tail -n +2 "$1/MANIFEST.tsv")
echo "$captures captures, 3 runs each, most memory $peak KiB, $faults faults"
[ "$faults" -eq 0 ]
