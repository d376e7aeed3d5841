#!/usr/bin/env bash
# rpc.sh [--cheap] [--small] [KIND...] OUT: remote procedure calls by real programs, read by wirespan.
#
#   client 10.89.0.1 ──▶ server 10.89.0.2
#
# Each kind runs servers and clients that write down each call; their packets are captured and read,
# and what is found is compared with what they wrote. OUT/KIND/ keeps the capture, the spans and the
# log. Needs root and what rpc/install.py installs. testdata/README.md lists the kinds.
#
#   --cheap   the kinds that together take some two minutes, downloads included
#   --small   fewer calls and smaller messages, as for the captures in testdata/captures
#
# BINARY=PATH names the program (default: target/release/wirespan), prefix=NAME what namespaces begin
# with (wsrpc), so that two can run at a time.
# shellcheck source=namespaces.sh
prefix=${prefix:-wsrpc}
. "$(dirname "$0")/namespaces.sh"

kinds=(grpc-go grpc-python grpc-go-python grpc-python-go nghttp2 nginx
  websocket dubbo-hessian2 dubbo-fastjson2 triple-hessian2 triple-fastjson2
  thrift-go thrift-python thrift-go-python thrift-python-go sofa
  connect connect-go connect-http1 connect-go-http1)
cheap=(grpc-python nghttp2 nginx websocket connect connect-http1 dubbo-hessian2 thrift-python)
server=10.89.0.2

main() {
  local kind
  chosen=() small=
  while [ $# -gt 1 ] || [[ "${1:-}" = --* ]]; do
    case "$1" in
      --cheap) chosen+=("${cheap[@]}") ;;
      --small) small=--small ;;
      -*) fail "there is no option $1" ;;
      *)
        if ! [[ " ${kinds[*]} " == *" $1 "* ]]; then fail "there is no kind $1; the kinds are: ${kinds[*]}"; fi
        chosen+=("$1")
        ;;
    esac
    shift
  done
  if [ ${#chosen[@]} = 0 ]; then chosen=("${kinds[@]}"); fi
  wirespan=${BINARY:-${CARGO_TARGET_DIR:-$(realpath "$lab_folder/../..")/target}/release/wirespan}
  begin "${1:-}" "$wirespan"
  here=$lab_folder/rpc
  add_namespace cli
  add_namespace srv
  link cli eth0 srv eth0
  ip -n $prefix-cli addr add 10.89.0.1/24 dev eth0
  ip -n $prefix-srv addr add $server/24 dev eth0
  failed=()
  for kind in "${chosen[@]}"; do
    say "$kind"
    folder=$out/$kind
    rm -rf "$folder" "$run"/*.log
    mkdir -p "$folder"
    log=$folder/log.ndjson
    # What ends a kind by `fail` ends all: a program did not work, and there is nothing to compare.
    "$(tr - _ <<<"$kind")"
    if ! judge "$kind"; then failed+=("$kind"); fi
  done
  if [ ${#failed[@]} != 0 ]; then fail "not as the logs say: ${failed[*]}"; fi
  say "all is as the logs say"
}

say() { printf '%s: %s\n' "$lab" "$*"; }

# The folders that a kind's programs were installed to.
installed() {
  local found
  found=$(python3 "$here/install.py" "$1") || fail "$1 could not be installed"
  printf '%s\n' "$found"
}

# Starts the recording of what passes the client's interface.
record_calls() { record cli calls -i eth0; }

# Runs a client to its end: client NAME COMMAND...
client() {
  if ! inside cli timeout 120 "${@:2}" >"$run/$1.log" 2>&1; then
    tail -n 20 "$run"/*.log >&2
    fail "$1 failed (its last words stand above)"
  fi
}

# Reads the recording, and compares.
judge() {
  stop_recording
  # Servers of a kind are not needed by the next.
  local pid
  for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${servers[@]}"; do wait "$pid" || true; done
  servers=()
  # All have ended: their numbers may be those of others by now.
  processes=()
  zstd -q -f "-$(few 19 3)" "$run/calls.pcap" -o "$folder/calls.pcap.zst"
  # Calls of HTTP are known by a parameter.
  "$wirespan" read -q "$run/calls.pcap" --id-field lab=query:n --format ndjson -o "$folder/spans.ndjson" --summary "$folder/summary.json" || true
  python3 "$here/compare.py" "$1" "$folder/spans.ndjson" "$log"
}

servers=()
serve() {
  # What an earlier one said is not what this one says.
  true >"$run/$1.log"
  start srv "$@"
  servers+=($!)
}

# A server that serves until its standard input ends.
serve_on() {
  if ! [ -e "$run/open" ]; then mkfifo "$run/open"; fi
  # shellcheck disable=SC2016
  serve "$1" sh -c 'exec "$@" <>"$0"' "$run/open" "${@:2}"
}

# Runs a client that writes its log to standard output: logged NAME COMMAND...
logged() {
  if ! inside cli timeout 120 "${@:2}" >>"$log" 2>"$run/$1.log"; then
    tail -n 20 "$run"/*.log >&2
    fail "$1 failed (its last words stand above)"
  fi
}

# The first number with --small, else the second.
few() { if [ -n "$small" ]; then printf '%s' "$1"; else printf '%s' "$2"; fi; }

# gRPC: four kinds out of two languages.

grpc() {
  local python go
  case "$*" in *python*) python=$(installed grpc-python)/bin/python3 ;; esac
  case "$*" in *go*) go=$(installed grpc-go)/grpc-go ;; esac
  local programs_go=("${go:-}") programs_python=("${python:-}" "$here/grpc/python/shop.py")
  local -n of_server=programs_$2 of_client=programs_$1
  serve server "${of_server[@]}" server $server:50051
  wait_for_port srv 50051
  record_calls
  client client "${of_client[@]}" client $server:50051 "$here/grpc/plan${small:+-small}.json" "$log"
}

grpc_go() { grpc go go; }
grpc_python() { grpc python python; }
grpc_go_python() { grpc go python; }
grpc_python_go() { grpc python go; }

# HTTP/2.

files() {
  mkdir -p "$run/files"
  printf '<html>seven</html>\n' >"$run/files/index.html"
  printf 'seven\n' | tee "$run/files/plain.txt" >"$run/files/file.txt"
  head -c 5000 /dev/zero | tr '\0' 7 | tee "$run/files/style.css" >"$run/files/zipped.txt"
  head -c 3000000 /dev/zero | tr '\0' 7 >"$run/files/big.txt"
  # nginx reads them as another user.
  chmod -R a+rX "$run"
}

nghttp2() {
  installed nghttp2 >/dev/null
  files
  serve nghttpd nghttpd --no-tls -a $server -d "$run/files" -p /index.html=/style.css --trailer 'lab: yes' --padding=20 8080
  # nghttpx asks it by the loopback interface, where nothing is recorded.
  serve inner nghttpd --no-tls -a 127.0.0.1 -d "$run/files" -p /index.html=/style.css 8080
  serve nghttpx nghttpx --no-ocsp --workers=1 -f "$server,3000;no-tls" -b "127.0.0.1,8080;;proto=h2" \
    --errorlog-file="$run/nghttpx-errors.log"
  wait_for_port srv 3000
  wait_for "both servers" both_listen
  record_calls
  client client python3 "$here/http2/calls.py" nghttp2 $server "$log" $small
}

both_listen() { [ "$(inside srv ss -Hlnt "sport = :8080" | wc -l)" = 2 ]; }

nginx() {
  installed nginx >/dev/null
  files
  sed "s:@RUN@:$run:g" "$here/http2/nginx.conf.in" >"$run/nginx.conf"
  serve nginx nginx -p "$run" -c "$run/nginx.conf"
  wait_for_port srv 8081
  record_calls
  client client python3 "$here/http2/calls.py" nginx $server "$log" $small
}

# Dubbo, and Triple, which is gRPC with headers of its own: one program speaks both. Its server has a
# port of its own at 20880 even where it serves Triple.

dubbo() {
  local programs
  programs=$(installed dubbo)
  # hessian2 looks into exceptions and numbers.
  local java=(java -Xmx256m --add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.math=ALL-UNNAMED
    -cp "$programs/*:$programs/lib/*")
  serve_on server "${java[@]}" lab.Server "$3" "$1" "$2"
  wait_for "the server of Dubbo" grep -q ready "$run/server.log"
  wait_for_port srv "$3"
  record_calls
  true >"$log"
  # The first one stays to see heartbeats.
  logged each "${java[@]}" -Dheartbeat=1000 -Dlinger=2600 lab.Client $server "$3" "$1" "$2" each 2 1
  logged load "${java[@]}" lab.Client $server "$3" "$1" "$2" load "$(few 20 2000)" 8
}

dubbo_hessian2() { dubbo dubbo hessian2 20880; }
dubbo_fastjson2() { dubbo dubbo fastjson2 20880; }
triple_hessian2() { dubbo tri hessian2 50052; }
triple_fastjson2() { dubbo tri fastjson2 50052; }

sofa() {
  local programs
  programs=$(installed sofa)
  local java=(java -Xmx256m --add-opens=java.base/java.lang=ALL-UNNAMED --add-opens=java.base/java.math=ALL-UNNAMED
    --add-opens=java.base/java.util=ALL-UNNAMED -cp "$programs/*:$programs/lib/*")
  serve_on server "${java[@]}" lab.Server 12200
  wait_for "the server of SOFA RPC" grep -q ready "$run/server.log"
  record_calls
  true >"$log"
  logged each "${java[@]}" lab.Client $server 12200 each 2 1
  logged load "${java[@]}" lab.Client $server 12200 load "$(few 20 2000)" 8
}

# Thrift: each transport with each protocol on a port of its own; `-`: the only service there.

thrift() {
  local python go transport protocol service port=9090
  case "$*" in *python*) python=$(installed thrift-python)/bin/python3 ;; esac
  case "$*" in *go*) go=$(installed thrift-go)/thrift-go ;; esac
  local programs_go=("${go:-}") programs_python=("${python:-}" "$here/thrift/python/shop.py")
  local -n of_server=programs_$2 of_client=programs_$1
  local ways=("buffered binary -" "buffered compact -" "framed binary -" "framed compact -")
  # A server in Python hangs up on methods that are not there where several services share a connection.
  if [ "$2" = go ]; then ways+=("framed binary Shop" "buffered compact Shop"); fi
  # Only the library of Go has all that Thrift has.
  if [ "$*" = "go go" ]; then
    ways+=("buffered json -" "framed json -" "header binary -" "header compact -" "header-zlib binary -" "header compact Shop")
  fi
  local way
  for way in "${ways[@]}"; do
    # shellcheck disable=SC2086
    serve "server-$port" "${of_server[@]}" server $server $port $way
    wait_for_port srv $port
    port=$((port + 1))
  done
  record_calls
  true >"$log"
  port=9090
  for way in "${ways[@]}"; do
    # shellcheck disable=SC2086
    logged "each-$port" "${of_client[@]}" client $server $port $way each "$(few 1 2)" 1
    # shellcheck disable=SC2086
    logged "load-$port" "${of_client[@]}" client $server $port $way load "$(few 4 400)" 4
    port=$((port + 1))
  done
}

thrift_go() { thrift go go; }
thrift_python() { thrift python python; }
thrift_go_python() { thrift go python; }
thrift_python_go() { thrift python go; }

# Connect, gRPC-Web and gRPC by one server and client each, over HTTP/2 and HTTP/1.1.

connect() { connect_node 2 8090; }
connect_http1() { connect_node 1.1 8091; }
connect_go() { connect_in_go 2; }
connect_go_http1() { connect_in_go 1.1; }

connect_node() {
  local programs
  programs=$(installed connect)
  serve server node "$programs/server.js" $server 8090 8091
  wait_for_port srv 8090
  wait_for_port srv 8091
  record_calls
  true >"$log"
  logged client node "$programs/client.js" "http://$server:$2" "$1" "$(few 2 400)"
}

connect_in_go() {
  local program
  program=$(installed connect-go)/connect-go
  serve server "$program" server $server:8090
  wait_for_port srv 8090
  record_calls
  client client "$program" client $server:8090 "$1" "$here/grpc/plan${small:+-small}.json" "$log"
}

websocket() {
  local programs
  programs=$(installed websocket)
  serve server node "$programs/server.js" 8083
  wait_for_port srv 8083
  record_calls
  true >"$log"
  logged client node "$programs/client.js" ws://$server:8083 "$(few 2 50)"
}

main "$@"
