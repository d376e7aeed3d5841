#!/usr/bin/env bash
# same_joined.sh FOLDER|CAPTURE...: reads each capture, or those that MANIFEST.tsv in FOLDER names, and
# joins its spans anew; they must be the same bytes, and so must the trees, up to the table below them,
# which knows how long the capture is. Prints what does not hold, and the totals. BINARY names another program than target/release/wirespan.
set -euo pipefail

if [ $# -eq 0 ]; then
  echo "usage: same_joined.sh FOLDER|CAPTURE..." >&2
  exit 2
fi
binary=${BINARY:-$(dirname "$0")/../../target/release/wirespan}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
captures=0 spans=0 peak=0 faults=0

fault() {
  echo "$capture: $*"
  faults=$((faults + 1))
}

# Reads the capture, or joins its spans, in a format; the exit code is that of the program.
run() {
  local code=0
  /usr/bin/time -q -f %M -o "$work/memory" "$binary" "$1" -q "$2" --format "$3" -o "$4" \
    2>"$work/stderr" || code=$?
  ! grep -q panicked "$work/stderr" || fault "$(grep panicked "$work/stderr")"
  return $code
}

trees() { sed -E '/^service +(calls|operation|handshake) /,$d' "$1"; }

check() {
  capture=$1
  captures=$((captures + 1))
  local code=0 again=0 format
  run read "$capture" ndjson "$work/spans" || code=$?
  # What cannot be read has no spans, and neither has what holds none.
  [ $code -lt 2 ] || return 0
  spans=$((spans + $(wc -l <"$work/spans")))
  run join "$work/spans" ndjson "$work/joined" || again=$?
  peak=$(($(tail -n 1 "$work/memory") > peak ? $(tail -n 1 "$work/memory") : peak))
  [ $again -eq $code ] || fault "read ends with $code, join with $again: $(head -n 1 "$work/stderr")"
  cmp "$work/spans" "$work/joined" || fault "other spans"
  run read "$capture" terminal "$work/trees" || true
  run join "$work/spans" terminal "$work/trees.joined" || true
  cmp <(trees "$work/trees") <(trees "$work/trees.joined") || fault "other trees"
}

for argument; do
  if [ -d "$argument" ]; then
    while IFS=$'\t' read -r path _; do check "$argument/$path"; done \
      < <(tail -n +2 "$argument/MANIFEST.tsv")
  else
    check "$argument"
  fi
done
echo "$captures captures, $spans spans, most memory of join $peak KiB, $faults faults"
[ "$faults" -eq 0 ]
