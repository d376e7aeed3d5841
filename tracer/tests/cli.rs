//! The program as scripts and people meet it: words in; exit code, the first line of the standard
//! error and a piece of the standard output out.

#![expect(clippy::unwrap_used, reason = "what a test cannot do fails it")]

use flate2::Compression;
use flate2::write::GzEncoder;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// Words after `wirespan`, exit code, first line of the standard error, and a piece of the
/// standard output; with neither a first line nor a piece, that stream must be empty.
type Case = (&'static str, i32, &'static str, &'static str);

const READ: &str = "read      430 packets, 168,575 bytes, 33 flows, 1 tap";
const JOINED: &str = "read      96 spans, ";
const ROOT: &str = "GET /orders/7 ";

#[rustfmt::skip]
const CASES: &[Case] = &[
    // What it says of itself.
    ("", 2, "Makes distributed traces out of network packets: which call caused which", ""),
    ("--help", 0, "", "Usage: wirespan COMMAND"),
    ("-h", 0, "", "Usage: wirespan COMMAND"),
    ("--version", 0, "", "wirespan 0."),
    ("-V", 0, "", "wirespan 0."),
    ("read --help", 0, "", "[default: 33554432]"),
    ("read -h", 0, "", "  -c <COUNT>  Stop after so many packets"),
    ("man", 0, "", ".SH \"wirespan read\""),
    ("completions bash", 0, "", "--slowest"),
    ("completions csh", 2, "wirespan: <SHELL> csh: name one of bash, elvish, fish, powershell, zsh", ""),
    // As tcpdump's users type it.
    ("-nn -tttt -r shop.pcap", 0, READ, ROOT),
    ("-n -l -p -K -S -N -U -s 0 -r shop.pcap port 6379", 0, "read      ", "redis GET items:7"),
    ("-r shop.pcap -c 1 tcp", 1, "wirespan: nothing found: its one flow carries no data", ""),
    ("-r shop.pcap -c 100", 0, "read      100 packets, ", "GET /orders/"),
    ("-r shop.pcap -c 0", 2, "wirespan: -c 0: name a whole number from 1 on", ""),
    ("-i eth0,any port 80", 2, "wirespan: -i any captures on all interfaces; name it alone, or those that are meant", ""),
    ("-i eth0 -i eth0", 2, "wirespan: -i eth0: it is named twice", ""),
    ("-i eth0 -r shop.pcap", 2, "wirespan: there is no option -r", ""),
    ("live -i eth0 -W 3 -w x", 2, "wirespan: -W needs -C or -G: it says how many of their files there are", ""),
    ("live -C 3", 2, "wirespan: -C and -G need -w FILE: they say when its next file begins", ""),
    ("live -w - -C 3", 2, "wirespan: -w -: the standard output is one file; name one for -C or -G", ""),
    ("live -s 300000", 2, "wirespan: --snapshot-length 300000: name a number of bytes up to 262144", ""),
    ("live -i absent0 -B 65536 --max-memory 128M --workers 4", 2, "wirespan: --max-memory: the rings take 256 MiB of it, and no more than 0 MiB are left", ""),
    ("read shop.pcap --max-memory 64M --max-flows 200000", 0, "wirespan: limits are lowered to fit into memory: --max-flows 200000 to 1290; ", ROOT),
    ("live -B 0", 2, "wirespan: --buffer-size 0: name a number of KiB from 1 to 2097151", ""),
    ("live -F absent", 2, "wirespan: -F absent: there is no such file, check the path", ""),
    ("live -z gzip", 2, "wirespan: there is no option -z: no program is started from here; compress the files afterwards", ""),
    ("-r shop.pcap -X", 2, "wirespan: there is no option -X: packets are not printed; -v shows what each exchange carried", ""),
    // Ways to name a capture and a filter.
    ("read shop.pcap", 0, READ, ROOT),
    ("shop.pcap", 0, READ, ROOT),
    ("-r shop.pcap", 0, READ, ROOT),
    ("--quiet -r shop.pcap", 0, "", ROOT),
    ("read shop.pcap.gz", 0, READ, ROOT),
    ("read shop.pcap.zst", 0, READ, ROOT),
    ("read shop.pcap -- tcp port 6379", 0, "read      430 packets, 168,575 bytes, 4 flows, 1 tap", "redis GET items:7"),
    ("read shop.pcap tcp port 6379", 0, "read      430 packets, 168,575 bytes, 4 flows, 1 tap", "redis GET items:7"),
    ("read -r shop.pcap tcp port 6379", 0, "read      430 packets, 168,575 bytes, 4 flows, 1 tap", "redis GET items:7"),
    ("-r shop.pcap -q tcp port 6379", 0, "", "redis GET items:7"),
    ("-r shop.pcap -q -- tcp port 6379", 0, "", "redis GET items:7"),
    ("shop.pcap -q tcp port 6379", 0, "", "redis GET items:7"),
    ("read -q shop.pcap shop.pcap", 0, "", "[2 points]"),
    ("read shop.pcap --point all", 2, "wirespan: --point all: name a point and its taps, as in --point core=eth1,eth2", ""),
    ("read shop.pcap --point a=eth0,eth1 --point b=eth1", 2, "wirespan: --point b: the tap eth1 is in --point a already", ""),
    ("read shop.pcap --point a=eth0 --point a=eth1", 2, "wirespan: --point a is there twice; name all of its taps in one", ""),
    ("read shop.pcap -F redis.txt", 0, "read      430 packets, 168,575 bytes, 4 flows, 1 tap", "redis GET items:7"),
    ("-r shop.pcap -q -F redis.txt", 0, "", "redis GET items:7"),
    ("-r shop.pcap -F nothing.txt", 0, READ, ROOT),
    ("-r shop.pcap -F redis.txt tcp", 2, "wirespan: -F names the filter, and so do words; leave one of them out", ""),
    ("read shop.pcap -F redis.txt -- tcp", 2, "wirespan: -F names the filter, and so do words; leave one of them out", ""),
    ("read shop.pcap tcp -F redis.txt", 2, "wirespan: tcp: there is no such file, and -F names the filter", ""),
    ("read -F redis.txt", 2, "wirespan: no capture named; say wirespan read FILE, or - for the standard input", ""),
    ("read - -F -", 2, "wirespan: the standard input (-) cannot be the filter and a capture", ""),
    ("-r shop.pcap -F absent", 2, "wirespan: -F absent: there is no such file, check the path", ""),
    ("-r shop.pcap -F bad.txt", 2, "wirespan: filter \"tcp prot 80\": can't parse filter expression: syntax error (see man pcap-filter)", ""),
    // Captures that are not as they should be.
    ("read empty.pcap", 2, "wirespan: read empty.pcap: it is empty, not even a capture's header was written", ""),
    ("read cut-header.pcap", 2, "wirespan: read cut-header.pcap: it is cut off inside its header, after 10 bytes", ""),
    ("read cut-tail.pcap", 0, "wirespan: warning: cut-tail.pcap: cut off inside a packet at byte 99141, 859 bytes left out", ROOT),
    ("read -q cut-tail.pcap", 0, "wirespan: warning: cut-tail.pcap: cut off inside a packet at byte 99141, 859 bytes left out", ROOT),
    ("read cut.pcap.gz", 0, "wirespan: warning: cut.pcap.gz: unreadable after byte", ROOT),
    ("read text.pcap", 2, "wirespan: read text.pcap: not a pcap or pcapng file but text; give the file that `tcpdump -w` or `dumpcap -w` wrote, not what they print", ""),
    ("read program", 2, "wirespan: read program: not a pcap or pcapng file but an ELF program or library", ""),
    ("read folder", 2, "wirespan: read folder: it is a directory, name the files in it", ""),
    ("-r missing.pcap", 2, "wirespan: read missing.pcap: there is no such file, check the path", ""),
    ("read shop.pcap -r missing.pcap", 2, "wirespan: filter \"shop.pcap\": can't parse filter expression: syntax error (see man pcap-filter)", ""),
    ("read missing.pcap", 2, "wirespan: missing.pcap: there is no such file, and \"missing.pcap\" is no filter either (can't parse filter expression: syntax error)", ""),
    ("read \x1b[2J.pcap", 2, "wirespan: ·[2J.pcap: there is no such file, and \"\\u{1b}[2J.pcap\" is no filter either (can't parse filter expression: syntax error)", ""),
    ("read shop.pcap missing.pcap", 2, "wirespan: missing.pcap: there is no such file, and \"missing.pcap\" is no filter either (can't parse filter expression: syntax error)", ""),
    // Captures without an exchange.
    ("read no-packets.pcap", 1, "wirespan: nothing found: there are no packets in it", ""),
    ("read -q no-packets.pcap", 1, "wirespan: nothing found: there are no packets in it", ""),
    ("-r shop.pcap tcp port 81", 1, "wirespan: nothing found: the filter left none of 430 packets", ""),
    ("read unknown.pcap", 1, "wirespan: nothing found: no flow speaks a protocol that can be read: 1 flow to 10.0.0.2:443 is QUIC, 700 bytes; 2 flows to 10.0.0.2:9999 speak an unknown protocol, 120 bytes", ""),
    ("-r unknown.pcap port 9999", 1, "wirespan: nothing found: no flow speaks a protocol that can be read: 2 flows to 10.0.0.2:9999 speak an unknown protocol, 120 bytes", ""),
    ("-r shop.pcap icmp", 1, "wirespan: nothing found: the filter left none of 430 packets", ""),
    ("-r shop.pcap tcp[tcpflags] & tcp-syn != 0 and port 8080", 1, "wirespan: nothing found: its 5 flows carry no data", ""),
    ("read headers.pcap tcp and not dst port 9090", 1, "wirespan: nothing found: what could be read of its flows is too little: the rest was cut off by the snap length, capture with -s 0", ""),
    ("-r shop.pcap src port 6379", 1, "wirespan: nothing found: there are responses, but none of their requests", ""),
    // Spans that are joined anew.
    ("join shop.ndjson", 0, JOINED, ROOT),
    ("join shop.ndjson.gz", 0, JOINED, ROOT),
    ("join shop.ndjson.zst -q", 0, "", ROOT),
    ("join shop.ndjson -q --format ndjson", 0, "", "{\"type\":\"span\",\"v\":2,"),
    ("join shop.ndjson -q --errors --limit 1", 0, "", "/orders/"),
    ("join shop.ndjson -q --trace 0000", 1, "wirespan: nothing found: none of 35 traces matches", ""),
    ("join shop.ndjson -q --summary - -o traces.txt", 0, "", "\"lines_skipped\": 0"),
    ("join shop.ndjson shop.ndjson", 0, "read      192 spans, ", ROOT),
    ("join twice.ndjson -o joined.ndjson --format ndjson", 0, "wirespan: warning: twice.ndjson: 96 spans were there already and left out", ""),
    ("join twice.ndjson -q --summary - -o joined.ndjson", 0, "wirespan: warning: twice.ndjson: 96 ", "\"duplicate_spans\": 96"),
    ("join mixed.ndjson", 0, "read      96 spans, ", ROOT),
    ("join cut.ndjson", 0, "wirespan: warning: cut.ndjson: cut off inside line 96, 700 bytes left out", ROOT),
    ("join cut.ndjson.gz", 0, "wirespan: warning: cut.ndjson.gz: unreadable after byte", ROOT),
    ("join empty.pcap", 1, "wirespan: nothing found: there are no spans in it", ""),
    ("join other.ndjson", 1, "wirespan: nothing found: none of its 2 lines is a span", ""),
    ("join broken.ndjson", 2, "wirespan: read broken.ndjson: line 3: it is no span (expected a JSON object); give what wirespan read --format ndjson wrote", ""),
    ("join text.pcap", 2, "wirespan: read text.pcap: line 1: it is no span (expected a JSON object); give what wirespan read --format ndjson wrote", ""),
    ("join version-1.ndjson", 2, "wirespan: read version-1.ndjson: line 1: it is of version 1, and only 2 can be joined; read the capture anew with --format ndjson", ""),
    ("join version-3.ndjson", 2, "wirespan: read version-3.ndjson: line 1: it is of version 3, and only 2 can be joined; join it with the wirespan that wrote it", ""),
    ("join without.ndjson", 2, "wirespan: read without.ndjson: line 1: it has no `closed`; read the capture anew with --format ndjson", ""),
    ("join strange.ndjson", 2, "wirespan: read strange.ndjson: line 1: its `format` cannot be \"w4c\"; a newer wirespan may know it", ""),
    ("join shop.pcap", 2, "wirespan: read shop.pcap: it is a capture, say wirespan read shop.pcap", ""),
    ("join shop.pcap.gz", 2, "wirespan: read shop.pcap.gz: it is a capture, say wirespan read shop.pcap.gz", ""),
    ("join shop.pcapng", 2, "wirespan: read shop.pcapng: it is a capture, say wirespan read shop.pcapng", ""),
    ("read shop.ndjson", 2, "wirespan: read shop.ndjson: not a pcap or pcapng file but spans of wirespan; say wirespan join for them", ""),
    ("join missing.ndjson", 2, "wirespan: read missing.ndjson: there is no such file, check the path", ""),
    ("join folder", 2, "wirespan: read folder: it is a directory, name the files in it", ""),
    ("join", 2, "wirespan: no spans named; say wirespan join FILE, or - for the standard input", ""),
    ("join - -", 2, "wirespan: the standard input (-) can be read once only", ""),
    ("join shop.ndjson -o shop.ndjson", 2, "wirespan: write shop.ndjson: it is in use here already, name another place", ""),
    ("join shop.ndjson --max-flows 3", 2, "wirespan: there is no option --max-flows, did you mean --max-held? (see wirespan join --help)", ""),
    ("join --help", 0, "", "Memory holds some 64 bytes of each span."),
    ("join -h", 0, "", "wirespan join shop.ndjson --errors"),
    // Words that are wrong.
    ("read shop.pcap -- tcp prot 80", 2, "wirespan: filter \"tcp prot 80\": can't parse filter expression: syntax error (see man pcap-filter)", ""),
    ("read shop.pcap tcp prot 80", 2, "wirespan: tcp: there is no such file, and \"tcp prot 80\" is no filter either (can't parse filter expression: syntax error)", ""),
    ("read shop.pcap other.pcap -- tcp", 2, "wirespan: other.pcap: there is no such file; before -- stand files, after it the filter", ""),
    ("read", 2, "wirespan: no capture named; say wirespan read FILE, or - for the standard input", ""),
    ("read tcp port 80", 2, "wirespan: no capture named: tcp is no file, and \"tcp port 80\" was taken as a filter; say wirespan read FILE tcp port 80", ""),
    ("read - -", 2, "wirespan: the standard input (-) can be read once only", ""),
    ("explain", 2, "wirespan: <TRACE> is missing; say wirespan explain [OPTIONS] TRACE [SPAN] FILE... (see wirespan explain --help)", ""),
    ("evaluate --json", 2, "wirespan: <TRUTH> is missing; say wirespan evaluate [OPTIONS] TRUTH [SPANS | CAPTURE...] (see wirespan evaluate --help)", ""),
    ("raed shop.pcap", 2, "wirespan: raed: there is no such command and no such file, did you mean read? (see wirespan --help)", ""),
    ("read shop.pcap --thread 3", 2, "wirespan: there is no option --thread, did you mean --threads? (see wirespan read --help)", ""),
    ("read shop.pcap -k", 2, "wirespan: there is no option -k (see wirespan read --help)", ""),
    ("read shop.pcap --threads 0", 2, "wirespan: --threads 0: name a whole number from 1 to 1024", ""),
    ("read shop.pcap --threads -1", 2, "wirespan: --threads -1: name a whole number from 1 to 1024", ""),
    ("read shop.pcap --threads abc", 2, "wirespan: --threads abc: name a whole number from 1 to 1024", ""),
    ("read shop.pcap --max-flows 0", 2, "wirespan: --max-flows 0: name a whole number from 1 on", ""),
    ("read shop.pcap --join-window nan", 2, "wirespan: --join-window nan: name a number of seconds from 0 to 86400", ""),
    ("read shop.pcap --format xml", 2, "wirespan: --format xml: name one of terminal, table, service-map, service-map-json, ndjson", ""),
    ("read shop.pcap --color", 2, "wirespan: --color needs a value (see wirespan read --help)", ""),
    ("read shop.pcap -q -q", 2, "wirespan: --quiet was given twice (see wirespan read --help)", ""),
    // Which traces.
    ("read shop.pcap -q --trace 0cb1", 0, "", "trace 0cb1e29c658cda1495e60af593bd04cf"),
    ("read shop.pcap -q --trace 0CB1E29C658CDA1495E60AF593BD04CF", 0, "", "GET /orders/21/invoice"),
    ("read shop.pcap -q --errors", 0, "", "connect to port 9090"),
    ("read shop.pcap -q --min-duration 2.1ms --limit 1", 0, "", "trace 38f4afd212e92ef29d9528430446e4fe"),
    ("read shop.pcap -q --service STOCK.* --limit 1", 0, "", "GET /items/7"),
    ("read shop.pcap -q --find Orders:Misses --limit 1", 0, "", "redis INCR orders:misses"),
    ("read shop.pcap -q --find 10.90.0.5:53 --errors", 0, "", "trace 953f48f1a09f76b5a170b33839263059"),
    ("read shop.pcap -q --find nxdomain --from 01:09:35.4 --to +1s", 0, "", "printer.shop.example"),
    ("read shop.pcap -q --slowest 1", 0, "", "GET /orders/32"),
    ("read shop.pcap -q --errors -o traces.txt --summary -", 0, "", "\"matched\": 2"),
    ("read shop.pcap --limit 1", 0, "wirespan: reading was stopped at the limit; with --summary FILE it goes on to the end, and counts all", "trace "),
    ("read shop.pcap --limit 1 --summary -", 0, READ, "\"matched\": 35"),
    ("read shop.pcap -q --trace 0000", 1, "wirespan: nothing found: none of 35 traces matches; it goes from 2026-11-25 01:09:34.618551 UTC to 2026-11-25 01:09:35.546602 UTC", ""),
    ("read shop.pcap -q --to 2026-11-25T01:09:34Z", 1, "wirespan: nothing found: none of 35 traces matches; it goes from 2026-11-25 01:09:34.618551 UTC to 2026-11-25 01:09:35.546602 UTC", ""),
    ("read shop.pcap -q --service store", 1, "wirespan: nothing found: none of 35 traces matches; its services are shop.example, orders.shop.example, stock.shop.example, 10.90.0.5:53, cache.shop.example", ""),
    ("read shop.pcap --trace shop", 2, "wirespan: --trace shop: name a trace by the 32 hex digits of its id, or by the first 4 or more", ""),
    ("read shop.pcap --min-duration 10", 2, "wirespan: --min-duration 10: name a number with its unit: ns, us, ms, s, m or h, such as 10ms or 1.5s", ""),
    ("read shop.pcap --from noon", 2, "wirespan: --from noon: name a time as 2026-11-25 01:09:35.5, 2026-11-25T01:09:35Z, 01:09:35 (on the capture's first day), seconds since 1970, or +5s (after its first packet)", ""),
    ("read shop.pcap --find= --errors", 2, "wirespan: --find: it is empty, name a text", ""),
    ("read shop.pcap --to -1s", 2, "wirespan: --to -1s: name a time as ", ""),
    ("read shop.pcap --from --errors", 2, "wirespan: --from --errors: name a time as ", ""),
    ("read shop.pcap --min-duration -3ms", 2, "wirespan: --min-duration -3ms: name a number with its unit: ", ""),
    ("read shop.pcap --join-window -1s", 2, "wirespan: --join-window -1s: name a number of seconds ", ""),
    ("read shop.pcap --response-timeout -1s", 2, "wirespan: --response-timeout -1s: name a number of seconds ", ""),
    ("read shop.pcap --max-memory -1M", 2, "wirespan: --max-memory -1M: name ", ""),
    ("read shop.pcap --limit -1", 2, "wirespan: --limit -1: name a whole number from 1 on", ""),
    ("read shop.pcap --slowest 0", 2, "wirespan: --slowest 0: name a whole number from 1 to 100000", ""),
    ("read shop.pcap --errors --errors", 2, "wirespan: --errors was given twice (see wirespan read --help)", ""),
    // Output.
    ("read shop.pcap -q --format ndjson", 0, "", "{\"type\":\"span\",\"v\":2,"),
    ("read shop.pcap -q --format otlp-json --errors", 0, "", "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\","),
    ("read shop.pcap -q --format otlp --limit 1", 0, "", "wirespan.capture.point"),
    ("read shop.pcap -q --format jaeger-json --slowest 1", 0, "", "{\"data\":[\n{\"traceID\":"),
    ("read shop.pcap -q --format zipkin-json --trace 0000", 1, "wirespan: nothing found: none of 35 traces matches", "[\n\n]\n"),
    ("read shop.pcap -q --format chrome-trace", 0, "", "\"name\":\"process_name\",\"pid\":1,"),
    ("read shop.pcap --format jaeger", 2, "wirespan: --format jaeger: name one of terminal, table, service-map, service-map-json, ndjson, otlp-json, otlp, jaeger-json, zipkin-json, chrome-trace", ""),
    ("read --otlp shop.pcap", 2, "wirespan: --otlp shop.pcap: name an URL such as http://localhost:4318, or say --otlp= for that of the environment", ""),
    ("read shop.pcap --otlp http://", 2, "wirespan: --otlp: name an URL such as http://localhost:4318", ""),
    ("read shop.pcap -q --format service-map", 0, "", "\"shop.example\" -> \"orders.shop.example\" [label=\""),
    ("join shop.ndjson -q --format service-map-json", 0, "", "\"caller\": \"shop.example\",\n      \"caller_kind\": \"service\","),
    ("read shop.pcap -q --format table", 0, "", "GET /orders/{id}"),
    ("read shop.pcap -q --format table --errors --sort errors", 0, "", "connect to port 9090"),
    ("read shop.pcap -q --format table --sort speed", 2, "wirespan: --sort speed: name one of total, count, errors, p99, name", ""),
    // What services are called.
    ("read shop.pcap -q --names names.txt", 0, "", "the-shop                   GET /orders/7 "),
    ("read shop.pcap -q --names names.txt --names more.txt --hosts hosts.txt", 0, "", "├─ resolver "),
    ("read shop.pcap -q --hosts hosts.txt --format ndjson", 0, "", "\"server_name\":{\"name\":\"web1\",\"by\":\"hosts\"}"),
    ("read shop.pcap -q --names names.txt --format service-map", 0, "", "\"host browser\" -> \"the-shop\""),
    ("join shop.ndjson -q --names names.txt", 0, "", "the-shop                   GET /orders/7 "),
    ("join shop.ndjson -q --names names.txt --service the-shop", 0, "", "the-shop "),
    ("read shop.pcap -q --names idle.txt", 0, "wirespan: warning: --names idle.txt line 2 names nothing that was read", "the-shop "),
    ("join shop.ndjson -q --names idle.txt", 0, "wirespan: warning: --names idle.txt line 2 names nothing that was read", "the-shop "),
    ("read shop.pcap --names absent.txt", 2, "wirespan: --names absent.txt: there is no such file, check the path", ""),
    ("read shop.pcap --hosts folder", 2, "wirespan: --hosts folder: it is a directory, name the file in it", ""),
    ("read shop.pcap --names bad-names.txt", 2, "wirespan: --names bad-names.txt line 2: \"10.0.0\" is no address; write one as 10.0.0.7, 10.0.0.0/8, [::1]:80, or a port as :80", ""),
    ("read shop.pcap --names more.txt --names other.txt", 2, "wirespan: --names other.txt line 1: \":53\" is called \"dns\" in more.txt line 1; leave one of them out", ""),
    ("join shop.ndjson --hosts bad-names.txt", 2, "wirespan: --hosts bad-names.txt line 2: \"10.0.0\" is no address; a file of hosts takes ADDRESS NAME…, and --names networks and ports", ""),
    ("live -i absent0 --names absent.txt", 2, "wirespan: --names absent.txt: there is no such file, check the path", ""),
    ("read shop.pcap -q", 0, "", "19 exchanges joined no other"),
    ("read shop.pcap -q --all", 0, "", "1 exchange  "),
    ("read shop.pcap -q -o traces.txt --summary -", 0, "", "\"template\": \"items:{id}\""),
    ("read shop.pcap -q --color always", 0, "", "\x1b[1mtrace "),
    ("read shop.pcap -q -v", 0, "", "│  connection  tcp 10.90.0."),
    ("read shop.pcap -q -vv", 0, "", "request: seq "),
    ("read shop.pcap -vq --local-time", 0, "", " +05:30  "),
    ("read shop.pcap -q -o traces.txt", 0, "", ""),
    ("read shop.pcap -q -o traces.txt --summary -", 0, "", "\"packets\": 430,"),
    ("read shop.pcap -o /dev/full", 2, "wirespan: write /dev/full: the disk is full, make room or name another place", ""),
    ("read shop.pcap -q -o /dev/full", 2, "wirespan: write /dev/full: the disk is full, make room or name another place", ""),
    ("read shop.pcap -q -o traces.txt --summary /dev/full", 2, "wirespan: write /dev/full: the disk is full, make room or name another place", ""),
    ("read shop.pcap -o nowhere/traces.txt", 2, "wirespan: write nowhere/traces.txt: there is no such directory, make it or name another place", ""),
    ("read shop.pcap --summary nowhere/counts.json", 2, "wirespan: write nowhere/counts.json: there is no such directory, make it or name another place", ""),
    ("read shop.pcap -o folder", 2, "wirespan: write folder: it is a directory, name a file in it", ""),
    ("read shop.pcap -o shop.pcap", 2, "wirespan: write shop.pcap: it is in use here already, name another place", ""),
    ("read shop.pcap -o folder/../shop.pcap", 2, "wirespan: write folder/../shop.pcap: it is in use here already, name another place", ""),
    // Filters and hosts.
    ("bpf tcp port 80", 0, "", "(000) ldh      [12]\n(001) jeq      #0x86dd          jt 2\tjf 8\n"),
    ("bpf -ddd --link RAW ip", 0, "", "5\n48 0 0 0\n"),
    ("bpf -dd -s 96 -y EN10MB ip", 0, "", "{ 0x6, 0, 0, 0x00000060 },"),
    ("bpf -O -F filter.txt", 0, "", "jeq      #0x18eb"),
    ("bpf", 0, "", "(000) ret      #262144"),
    ("bpf tcp prot 80", 2, "wirespan: filter \"tcp prot 80\" on Ethernet: can't parse filter expression: syntax error (see man pcap-filter; --link names another link type)", ""),
    ("bpf --link RAW vlan", 2, "wirespan: filter \"vlan\" on raw IP: no VLAN support for Raw IP (see man pcap-filter; --link names another link type)", ""),
    ("bpf --link foo ip", 2, "wirespan: --link foo: there is no such link type; name one such as EN10MB, LINUX_SLL, LINUX_SLL2, RAW", ""),
    ("bpf -s -1 ip", 2, "wirespan: -s -1: name a number of bytes from 0 to 262144", ""),
    ("bpf -F filter.txt ip", 2, "wirespan: -F names the filter, and so do words; leave one of them out", ""),
    ("bpf -F missing", 2, "wirespan: -F missing: there is no such file, check the path", ""),
    ("read -d shop.pcap", 2, "wirespan: there is no option -d: wirespan bpf shows what a filter is compiled to", ""),
    ("doctor -i no-such-if", 2, "", "there is no such interface"),
    ("doctor --json -B 1024 -i no-such-if", 2, "", "\"live\": \"impossible\""),
    ("doctor -B 0", 2, "wirespan: -B 0: 0 is not in 1..=4194304", ""),
    // Packets.
    ("read shop.pcap -q --trace 36f6 -w cut.pcapng", 0, "", "GET /orders/8 "),
    ("read cut.pcapng", 0, "read      16 packets, ", "trace 36f675cc81e74ef5e8e25d940ed90475"),
    ("read shop.pcap -q --trace 36f6 -w -", 0, "", "wirespan: trace 36f675cc81e74ef5e8e25d940ed90475, span "),
    ("read shop.pcap -q --limit 1 -w cut.pcapng -o traces.txt", 0, "", ""),
    ("read shop.pcap -q --trace 36f6 -w cut.pcapng --sanitize", 0, "", "GET /orders/8 "),
    ("read shop.pcap --sanitize", 2, "wirespan: --sanitize needs -w FILE: it overwrites what is secret in the packets there", ""),
    ("read shop.pcap -w cut.pcapng --sanitize --no-redact", 2, "wirespan: --sanitize cannot be used with --no-redact (see wirespan read --help)", ""),
    ("read shop.pcap --redact iban,--", 2, "wirespan: --redact \"--\" is no name; name what is secret, as in --redact iban,pin", ""),
    ("read shop.pcap -q --redact orders,pin --no-redact", 2, "wirespan: --redact cannot be used with --no-redact (see wirespan read --help)", ""),
    ("read shop.pcap -q --redact x-request-id --redact-key shop.pcap --trace 36f6", 0, "", "GET /orders/8 "),
    ("read shop.pcap -q --redact x-request-id --redact-key empty.pcap", 2, "wirespan: --redact-key empty.pcap: 0 bytes are too few; make one: head -c 32 /dev/urandom > FILE", ""),
    ("read shop.pcap --redact x-request-id --redact-key missing", 2, "wirespan: read --redact-key missing: No such file or directory", ""),
    ("read shop.pcap --no-redact --redact-key shop.pcap", 2, "wirespan: --no-redact cannot be used with --redact-key (see wirespan read --help)", ""),
    // Identifiers of an application's own, and those that may join.
    ("read shop.pcap -q --ids off --trace 36f6", 1, "wirespan: nothing found", ""),
    ("read shop.pcap -q --ids traceparent,x-request-id", 0, "", ROOT),
    ("join shop.ndjson -q --ids x-request-id,their-label", 0, "", ROOT),
    ("read shop.pcap --ids w4c", 2, "wirespan: --ids \"w4c\": name on, off, a label, or some of traceparent,b3,uber-trace-id,", ""),
    ("read shop.pcap -q --id-header txn=x-request-id --ids txn", 0, "", "txn 99 %"),
    ("read shop.pcap --id-header a=", 2, "wirespan: --id-header a=: name a header, as in x-txn-id or txn=x-txn-id", ""),
    ("read shop.pcap --id-header x-old:w4c", 2, "wirespan: --id-header x-old:w4c: name one of these formats: traceparent b3 uber-trace-id ", ""),
    ("read shop.pcap --id-header b3=x-old", 2, "wirespan: --id-header b3=x-old: a label has letters, digits and _.- and is no known format's name", ""),
    ("read shop.pcap -q --id-field json:$.txn.serial --id-field txn=query:id", 0, "", ROOT),
    ("read shop.pcap --id-field $.id", 2, "wirespan: --id-field $.id: say where it stands: json:$.txn.id, xml:/txn/@id, form:NAME, query:NAME or sql:KEY", ""),
    ("read shop.pcap --id-field json:txn", 2, "wirespan: --id-field json:txn: name a path as in json:$.txn.id or json:$.items[0].id", ""),
    ("read shop.pcap --id-field xml:txn", 2, "wirespan: --id-field xml:txn: name a path as in xml:/txn/id or xml:/txn/@id", ""),
    ("read shop.pcap --id-field sql:", 2, "wirespan: --id-field sql:: a name is missing, as in query:txn", ""),
    ("read shop.pcap -q --trace 36f6 --no-redact", 0, "", "GET /orders/8 "),
    ("read shop.pcap -q --trace 0000 -w none.pcapng", 1, "wirespan: nothing found: none of 35 traces matches", ""),
    ("read - -w cut.pcapng", 2, "wirespan: -w reads the captures twice, and the standard input cannot be read again; write it to a file first, as with tcpdump -w FILE", ""),
    ("read shop.pcap -w folder/../shop.pcap", 2, "wirespan: write folder/../shop.pcap: it is in use here already, name another place", ""),
    ("read shop.pcap -o one.txt -w one.txt", 2, "wirespan: write one.txt: it is in use here already, name another place", ""),
    ("read shop.pcap -w nowhere/cut.pcapng", 2, "wirespan: write nowhere/cut.pcapng: there is no such directory, make it or name another place", ""),
    ("read shop.pcap -w folder", 2, "wirespan: write folder: it is a directory, name a file in it", ""),
    ("read shop.pcap -q -o traces.txt -w /dev/full", 2, "wirespan: write /dev/full: the disk is full, make room or name another place", ""),
    ("read shop.pcap -w - --summary -", 2, "wirespan: the standard output is for the packets; name a file for what else is written", ""),
    ("read shop.pcap -o one.txt --summary folder/../one.txt", 2, "wirespan: write folder/../one.txt: it is in use here already, name another place", ""),
    ("read shop.pcap -o new.txt -w folder/../new.txt", 2, "wirespan: write new.txt: it is in use here already, name another place", ""),
    ("read shop.pcap --from +2s --to +1s", 2, "wirespan: --from lies behind --to; nothing can lie between", ""),
    ("read shop.pcap --from 2026-11-26 --to 2026-11-25", 2, "wirespan: --from lies behind --to; nothing can lie between", ""),
    ("read shop.pcap -o new.txt --summary new.txt", 2, "wirespan: write new.txt: it is in use here already, name another place", ""),
];

#[test]
fn words_give_the_code_and_the_line_that_they_should() {
    let files = files();
    let mut wrong = Vec::new();
    for (words, code, error, output) in CASES {
        let done = wirespan(files.path(), words).output().unwrap();
        if let Err(what) = check(&done, *code, error, output) {
            wrong.push(format!("wirespan {words}\n{what}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} are wrong:\n{}",
        wrong.len(),
        CASES.len(),
        wrong.join("\n")
    );
    let shop = fs::read(files.path().join("shop.pcap")).unwrap();
    assert_eq!(shop, capture(), "an input is never written to");
}

#[test]
fn standard_input_is_read_whatever_its_compression() {
    let files = files();
    for name in ["shop.pcap", "shop.pcap.gz", "shop.pcap.zst"] {
        for words in ["read -", "-r -", "read -r - tcp port 8080"] {
            let piped = wirespan(files.path(), words)
                .stdin(piped(fs::read(files.path().join(name)).unwrap()))
                .output()
                .unwrap();
            check(&piped, 0, "read      430 packets,", ROOT).unwrap();
            let redirected = wirespan(files.path(), words)
                .stdin(File::open(files.path().join(name)).unwrap())
                .output()
                .unwrap();
            assert_eq!(piped.stdout, redirected.stdout, "{name}, wirespan {words}");
        }
    }
    // One of several is read from its beginning, too.
    fs::copy(files.path().join("shop.pcap"), files.path().join("again.pcap")).unwrap();
    let input = || fs::read(files.path().join("shop.pcap")).unwrap();
    let piped = wirespan(files.path(), "read - again.pcap").stdin(piped(input())).output().unwrap();
    check(&piped, 0, "read      860 packets,", ROOT).unwrap();
    let redirected = wirespan(files.path(), "read - again.pcap")
        .stdin(File::open(files.path().join("shop.pcap")).unwrap())
        .output()
        .unwrap();
    check(&redirected, 0, "read      860 packets,", ROOT).unwrap();
    let nothing = wirespan(files.path(), "read -").output().unwrap();
    let error = "wirespan: read stdin: it is empty, not even a capture's header was written";
    check(&nothing, 2, error, "").unwrap();
}

#[test]
fn a_file_that_may_not_be_read_says_so() {
    let files = files();
    fs::set_permissions(files.path(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(files.path().join("shop.pcap"), Permissions::from_mode(0o000)).unwrap();
    let error = "wirespan: read shop.pcap: permission denied, run as a user who may read it";
    let mut command = wirespan(files.path(), "read shop.pcap");
    if nix::unistd::geteuid().is_root() {
        // Root may read everything, so that somebody else must try, with a program in their reach.
        let program = files.path().join("wirespan");
        fs::copy(env!("CARGO_BIN_EXE_wirespan"), &program).unwrap();
        command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(program)
            .args(["read", "shop.pcap"])
            .current_dir(files.path());
    }
    match command.stdin(Stdio::null()).output() {
        Ok(done) if done.status.code() == Some(127) || done.status.code() == Some(126) => {
            println!("skipped: nobody may not run a program in {}", files.path().display());
        }
        Ok(done) => check(&done, 2, error, "").unwrap(),
        Err(error) => println!("skipped: as root this needs setpriv: {error}"),
    }
}

#[test]
fn counts_go_to_a_file() {
    let files = files();
    let words = "read shop.pcap -q -o spans.ndjson --format ndjson --summary counts.json";
    let done = wirespan(files.path(), words).output().unwrap();
    check(&done, 0, "", "").unwrap();
    let counts = fs::read_to_string(files.path().join("counts.json")).unwrap();
    let counts: serde_json::Value = serde_json::from_str(&counts).unwrap();
    let spans = fs::read_to_string(files.path().join("spans.ndjson")).unwrap();
    assert_eq!(counts["spans"], spans.lines().count());
}

#[test]
fn reading_ends_after_so_many_packets_of_those_that_the_filter_leaves() {
    let files = files();
    let count = |words: &str| {
        let words = format!("{words} -q -o traces.txt --summary -");
        let done = wirespan(files.path(), &words).output().unwrap();
        let counts: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        let number = |value: &serde_json::Value| value.as_u64().unwrap_or_default();
        (
            number(&counts["packets"]),
            number(&counts["packets_by"]["filtered"]),
            counts["to"].clone(),
        )
    };
    let (all, none, end) = count("read shop.pcap");
    assert_eq!((count("read shop.pcap -c 1000000"), none), ((all, 0, end), 0));
    let (read, left_out, end) = count("read shop.pcap -c 50 port 6379");
    assert!(left_out > 0 && read - left_out == 50, "{read} read, {left_out} left out");
    let (sooner, _, sooner_end) = count("read shop.pcap -c 49 port 6379");
    assert!(sooner < read && sooner_end.as_i64() < end.as_i64());
    assert_eq!(count("read shop.pcap.gz -c 50 port 6379").0, read);
}

#[test]
fn completions_load_and_complete_options_and_files() {
    let files = files();
    let program = env!("CARGO_BIN_EXE_wirespan");
    let script = format!(
        r#"
        source <({program} completions bash)
        try() {{
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
            _wirespan_words wirespan "${{COMP_WORDS[COMP_CWORD]}}" "${{COMP_WORDS[COMP_CWORD - 1]}}" 2>/dev/null
            echo "${{COMPREPLY[*]}}"
        }}
        try wirespan re
        try wirespan read --slo
        try wirespan read --color ''
        try wirespan read -r unk
        try wirespan read ''
        complete -p wirespan
        "#
    );
    let done =
        Command::new("bash").args(["--norc", "-c", &script]).current_dir(files.path()).output();
    let Ok(done) = done else { return println!("skipped: bash is absent") };
    let lines = String::from_utf8(done.stdout).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    let [command, option, values, file, files, registered] = lines.as_slice() else {
        panic!("{lines:?} {}", String::from_utf8_lossy(&done.stderr));
    };
    assert_eq!([*command, *option, *values], ["read", "--slowest", "auto always never"]);
    assert_eq!([*file, *files], ["unknown.pcap", ""], "the shell's own way is files");
    assert!(registered.contains("-o default"), "{registered}");
}

#[test]
fn page_for_man_has_no_flaw() {
    let page = wirespan(Path::new("."), "man").output().unwrap().stdout;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wirespan.1");
    fs::write(&path, &page).unwrap();
    for checker in [["man", "--warnings", "-l"].as_slice(), &["mandoc", "-T", "lint"]] {
        let done = Command::new(checker[0])
            .args(&checker[1..])
            .arg(&path)
            .env("LC_ALL", "C.UTF-8")
            .output();
        let Ok(done) = done else {
            println!("skipped: {} is absent", checker[0]);
            continue;
        };
        let said = if checker[0] == "man" { done.stderr } else { done.stdout };
        assert_eq!(String::from_utf8_lossy(&said), "", "{}", checker[0]);
    }
    let page = String::from_utf8(page).unwrap();
    for part in ["\\-\\-slowest", "\\-\\-max\\-flows", "EXIT CODES"] {
        assert!(page.contains(part), "{part} is not on the page");
    }
}

#[test]
fn packets_are_written_as_a_whole_or_not_at_all() {
    let files = files();
    let path = files.path().join("cut.pcapng");
    let run = |words: &str| wirespan(files.path(), words).output().unwrap();
    let done = run("read shop.pcap --trace 36f6 -w cut.pcapng");
    let error = String::from_utf8(done.stderr).unwrap();
    let last = error.lines().last().unwrap();
    assert_eq!(
        last,
        "wirespan: 16 packets of 1 trace written to cut.pcapng; they hold what was on the wire, \
         with nothing masked (--sanitize overwrites secrets)"
    );
    let before = fs::read(&path).unwrap();
    // Nothing that fails touches what is there, or leaves something behind.
    for words in
        ["--trace 0000 -w cut.pcapng", "-w cut.pcapng -o cut.pcapng", "-w cut.pcapng -o x/y"]
    {
        assert_ne!(run(&format!("read shop.pcap {words}")).status.code(), Some(0), "{words}");
    }
    assert!(fs::read(&path).unwrap() == before);
    let names = fs::read_dir(files.path()).unwrap();
    let hidden = names
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
    assert_eq!(hidden.count(), 0);
    let again = run("read shop.pcap -q --errors -w cut.pcapng");
    assert_eq!(again.status.code(), Some(0));
    assert!(fs::read(&path).unwrap() != before, "what is there is replaced");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o600, 0o600);
}

#[test]
fn output_is_the_same_with_any_number_of_threads() {
    let files = files();
    let read = |words: &str| wirespan(files.path(), words).output().unwrap();
    let one = read("read shop.pcap --format ndjson --threads 1");
    for threads in [2, 7, 1024] {
        let more = read(&format!("read shop.pcap --format ndjson --threads {threads}"));
        assert_eq!((&one.stdout, &one.stderr), (&more.stdout, &more.stderr), "{threads} threads");
    }
}

#[test]
fn colours_come_only_where_they_are_wanted() {
    let files = files();
    let colored = |words: &str, no_color: &str| {
        let done = wirespan(files.path(), words).env("NO_COLOR", no_color).output().unwrap();
        done.stdout.contains(&0x1b)
    };
    assert!(!colored("read shop.pcap", ""), "a pipe gets none by itself");
    assert!(!colored("read shop.pcap --color never", ""));
    assert!(colored("read shop.pcap --color always", ""));
    assert!(colored("read shop.pcap --color always", "1"), "what is said outright comes first");
}

#[test]
fn locale_without_unicode_gets_ascii() {
    let files = files();
    for words in ["read shop.pcap -v", "read shop.pcap --format table", "read --help"] {
        for (locale, is_ascii) in
            [("C", true), ("POSIX", true), ("de_DE.UTF-8", false), ("", false)]
        {
            let done = wirespan(files.path(), words)
                .env("LC_ALL", locale)
                .env_remove("LC_CTYPE")
                .env_remove("LANG")
                .output()
                .unwrap();
            assert_eq!(done.status.code(), Some(0));
            if is_ascii {
                assert!(done.stdout.is_ascii() && done.stderr.is_ascii(), "{words}, {locale}");
            }
            let shown = String::from_utf8(done.stdout).unwrap();
            let bar = if is_ascii { "#" } else { "█" };
            assert!(shown.contains(bar) || words.contains("table"), "{words}, {locale}");
        }
    }
}

#[test]
fn lines_fit_the_columns_that_are_asked_for() {
    let files = files();
    for columns in [40, 60, 80, 100, 160, 300] {
        let done = wirespan(files.path(), "read shop.pcap")
            .env("COLUMNS", columns.to_string())
            .output()
            .unwrap();
        let text = String::from_utf8(done.stdout).unwrap();
        assert!(text.contains("\nservice"), "the table follows the traces");
        let longest = text.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= columns, "{longest} of {columns}");
    }
}

#[test]
fn progress_is_shown_on_a_terminal_only() {
    let files = files();
    let done = wirespan(files.path(), "read shop.pcap").output().unwrap();
    assert!(!done.stderr.contains(&b'\r') && !done.stderr.contains(&0x1b));
}

#[test]
fn a_reader_that_goes_is_no_failure() {
    let files = files();
    for (words, error) in [
        ("read shop.pcap", "wirespan: the reader of the output has gone; reading was stopped"),
        ("read shop.pcap -q", ""),
        ("read shop.pcap -q --format ndjson", ""),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let done = wirespan(files.path(), words).stdout(writer).output().unwrap();
        check(&done, 0, error, "").unwrap();
    }
}

#[test]
fn ctrl_c_on_a_silent_pipe_shows_what_has_come() {
    let files = files();
    let spans = fs::read(files.path().join("shop.ndjson")).unwrap();
    // Two that come together, as timeout sends them to a process and to its group, are one.
    for (words, input, read, times) in [
        ("read - --format ndjson", capture(), "read      430 packets,", 1),
        ("read - --format ndjson", capture(), "read      430 packets,", 2),
        ("join - --format ndjson", spans, JOINED, 2),
    ] {
        check_ctrl_c(files.path(), words, &input, read, times);
    }
}

fn check_ctrl_c(folder: &Path, words: &str, input: &[u8], read: &str, times: usize) {
    let whole = fs::read_to_string(folder.join("shop.ndjson")).unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let left = reader.try_clone().unwrap();
    let child = wirespan(folder, words)
        .stdin(reader)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // The pipe stays open, and what it ends with is the beginning of a packet or span.
    writer.write_all(input).unwrap();
    writer.write_all(&input[..7]).unwrap();
    let is_empty = || {
        let mut ends = [PollFd::new(left.as_fd(), PollFlags::POLLIN)];
        poll(&mut ends, PollTimeout::ZERO).unwrap() == 0
    };
    while !is_empty() {
        std::thread::yield_now();
    }
    interrupt(child.id(), times);
    let done = child.wait_with_output().unwrap();
    check(&done, 130, read, "\"span\"").unwrap();
    let error = String::from_utf8(done.stderr).unwrap();
    assert!(
        error.ends_with("wirespan: stopped by ctrl-C; what had been read was used\n"),
        "{error}"
    );
    let named_otherwise =
        String::from_utf8(done.stdout).unwrap().replace("\"tap\":\"stdin\"", "\"tap\":\"shop\"");
    assert!(named_otherwise == whole, "not all spans, or others");
}

#[test]
fn a_second_ctrl_c_ends_what_waits_for_its_reader() {
    let files = files();
    let (reader, mut writer) = std::io::pipe().unwrap();
    // The pipe is full, and nobody reads.
    let left = writer.try_clone().unwrap();
    let takes = || {
        let mut ends = [PollFd::new(left.as_fd(), PollFlags::POLLOUT)];
        poll(&mut ends, PollTimeout::ZERO).unwrap() == 1
    };
    while takes() {
        writer.write_all(&[b'.'; 4096]).unwrap();
    }
    let mut child = wirespan(files.path(), "read shop.pcap")
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !catches_ctrl_c(child.id()) {
        std::thread::yield_now();
    }
    while child.try_wait().unwrap().is_none() {
        interrupt(child.id(), 1);
    }
    let done = child.wait_with_output().unwrap();
    assert_eq!(done.status.code(), Some(130));
    // It had no time to say anything.
    assert_eq!(String::from_utf8(done.stderr).unwrap(), "");
    drop(reader);
}

/// Whether the process has begun to wait for ctrl-C.
fn catches_ctrl_c(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & 2 > 0
}

/// Sends so many signals of ctrl-C, one right behind the other.
fn interrupt(pid: u32, times: usize) {
    let words = vec!["kill -INT $0"; times].join("; ");
    // It may have ended by the first.
    let _ = Command::new("sh").args(["-c", &words, &pid.to_string()]).output().unwrap();
}

fn wirespan(folder: &Path, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wirespan"));
    command
        .args(words.split(' ').filter(|word| !word.is_empty()))
        .current_dir(folder)
        .env("COLUMNS", "120")
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "IST-5:30")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null());
    command
}

fn check(done: &Output, code: i32, error: &str, output: &str) -> Result<(), String> {
    let [stdout, stderr] = [&done.stdout, &done.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    let first = stderr.lines().next().unwrap_or_default();
    let as_expected = done.status.code() == Some(code)
        && if error.is_empty() { stderr.is_empty() } else { first.starts_with(error) }
        && if output.is_empty() { stdout.is_empty() } else { stdout.contains(output) };
    if as_expected {
        return Ok(());
    }
    let begin: String = stdout.chars().take(200).collect();
    Err(format!(
        "  {}, expected {code} and {error:?}\n  stderr: {first}\n  stdout: {begin}",
        done.status
    ))
}

/// A pipe that gives these bytes.
fn piped(bytes: Vec<u8>) -> std::io::PipeReader {
    let (reader, mut writer) = std::io::pipe().unwrap();
    // The program may end before it has read all.
    std::thread::spawn(move || drop(writer.write_all(&bytes)));
    reader
}

/// A folder with captures, good and bad.
fn files() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    let shop = capture();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&shop).unwrap();
    let gzip = gzip.finish().unwrap();
    put("shop.pcap", &shop);
    put("shop.pcap.gz", &gzip);
    put("shop.pcap.zst", &zstd::encode_all(shop.as_slice(), 1).unwrap());
    put("cut.pcap.gz", &gzip[..gzip.len() * 3 / 4]);
    put("empty.pcap", b"");
    put("cut-header.pcap", &shop[..10]);
    put("cut-tail.pcap", &shop[..100_000]);
    put("no-packets.pcap", &shop[..24]);
    put("headers.pcap", &headers_only(&shop));
    put("filter.txt", b"# The shop.\ntcp port 8080 # orders\n  or port 6379\n");
    put("redis.txt", b"# Redis\ntcp # of one\n  port 6379\n");
    put("nothing.txt", b"# Nothing yet.\n\n");
    put("bad.txt", b"tcp prot 80\n");
    put("names.txt", b"# Services\n10.90.0.2:8080 the-shop # it\n10.90.0.1 browser\n");
    put("more.txt", b":53 dns\n10.90.0.5:53 resolver\n");
    put("other.txt", b":53 names\n");
    put("idle.txt", b"::ffff:10.90.0.2 the-shop\n10.99.0.2 another\n");
    put("bad-names.txt", b"10.0.0.1 a\n10.0.0 b\n");
    put("hosts.txt", b"127.0.0.1 localhost\n10.90.0.2\tweb1 www # here\n");
    // Its first bytes are a line's end, as some lines of others are.
    put(
        "shop.pcapng",
        b"\n\r\r\n\x1c\0\0\0\x4d\x3c\x2b\x1a\x01\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\x1c\0\0\0",
    );
    put("text.pcap", b"10:00:00.0 IP 10.0.0.1.1 > 10.0.0.2.2: tcp 0\n");
    put("program", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\x01\0\0\0\0\0\0\0");
    let unknown = [(1, 443, 700), (2, 9999, 60), (3, 9999, 60)];
    let datagrams = unknown.map(|(client, server, length)| datagram(client, server, length));
    put("unknown.pcap", &[&shop[..24], &datagrams.concat()].concat());
    fs::create_dir(folder.path().join("folder")).unwrap();
    spans(folder.path());
    folder
}

/// Adds the spans of the capture, good and bad.
fn spans(folder: &Path) {
    let put = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    let done = wirespan(folder, "read -q shop.pcap --format ndjson").output().unwrap();
    let shop = String::from_utf8(done.stdout).unwrap();
    let gzip = |text: &str| {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap()
    };
    let (first, rest) = shop.split_once('\n').unwrap();
    let (second, _) = rest.split_once('\n').unwrap();
    let other = "{\"type\":\"metric\",\"v\":7,\"state\":{}}\n";
    put("shop.ndjson", &shop);
    fs::write(folder.join("shop.ndjson.gz"), gzip(&shop)).unwrap();
    fs::write(folder.join("shop.ndjson.zst"), zstd::encode_all(shop.as_bytes(), 1).unwrap())
        .unwrap();
    let compressed = gzip(&shop);
    fs::write(folder.join("cut.ndjson.gz"), &compressed[..compressed.len() * 3 / 4]).unwrap();
    let last = shop[..shop.len() - 1].rfind('\n').unwrap() + 1;
    put("cut.ndjson", &shop[..last + 700]);
    put("other.ndjson", &other.repeat(2));
    put("mixed.ndjson", &format!("{other}\r\n\n{shop}{other}"));
    put("twice.ndjson", &shop.repeat(2));
    put("broken.ndjson", &format!("{first}\n{second}\nnothing\n{rest}"));
    put("version-1.ndjson", &first.replace("\"v\":2", "\"v\":1"));
    put("version-3.ndjson", &first.replace("\"v\":2", "\"v\":3,\"client\":7"));
    put("without.ndjson", &first.replace("\"closed\"", "\"close\""));
    let identified = shop.lines().find(|line| line.contains("\"traceparent\"")).unwrap();
    put("strange.ndjson", &identified.replace("\"format\":\"traceparent\"", "\"format\":\"w4c\""));
}

/// The shipped capture of one point, decompressed.
fn capture() -> Vec<u8> {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/captures/one-point/input.pcap.zst");
    let mut bytes = Vec::new();
    zstd::Decoder::new(File::open(path).unwrap()).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

/// The capture as a snap length of 66 bytes leaves it: no TCP segment has any payload.
fn headers_only(capture: &[u8]) -> Vec<u8> {
    let (header, mut rest) = capture.split_at(24);
    let mut all = header.to_vec();
    while let Some((record, after)) = rest.split_first_chunk::<16>() {
        let length = u32::from_le_bytes(record[8..12].try_into().unwrap());
        let (packet, after) = after.split_at(length as usize);
        let kept = length.min(66);
        all.extend([&record[..8], &kept.to_le_bytes(), &record[12..]].concat());
        all.extend(&packet[..kept as usize]);
        rest = after;
    }
    all
}

/// A record of a capture: Ethernet, IPv4, UDP; on port 443 what begins as QUIC does, else bytes that
/// are nobody's protocol.
fn datagram(client: u16, server: u16, length: u16) -> Vec<u8> {
    let frame = u32::from(14 + 20 + 8 + length);
    let mut bytes = Vec::new();
    for word in [1_700_000_000, 0, frame, frame] {
        bytes.extend(u32::to_le_bytes(word));
    }
    bytes.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00]);
    bytes.extend([0x45, 0]);
    bytes.extend((20 + 8 + length).to_be_bytes());
    bytes.extend([0, 0, 0x40, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    bytes.extend([(50_000 + client).to_be_bytes(), server.to_be_bytes()].concat());
    bytes.extend((8 + length).to_be_bytes());
    bytes.extend([0, 0]);
    let first: &[u8] = if server == 443 { b"\xc3\0\0\0\x01" } else { b"" };
    bytes.extend(first);
    bytes.extend(std::iter::repeat_n(0xee, usize::from(length) - first.len()));
    bytes
}
