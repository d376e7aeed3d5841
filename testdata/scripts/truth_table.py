#!/usr/bin/env python3
"""truth_table.py FOLDER: compares what is found in captures with what TShark finds, capture by capture.

FOLDER holds captures, MANIFEST.tsv (what each is) and TRUTH.tsv (requests, responses and pairs that
TShark finds in each). Looks at HTTP, HTTP/2, gRPC, Thrift, Redis, DNS, MySQL and PostgreSQL in captures of link
types that are read.

Counts: TRUTH counts 1xx as responses of their own; its pairs are counted by request, so they are
the same as exchanges here. Redis logins (AUTH, HELLO) are apart in the summary and added here; those
of PostgreSQL are not, since they are none of TRUTH's requests. Calls of gRPC are requests of HTTP/2 too.

Operations: where tshark is installed, each exchange as `operation status` must be what it finds
(with the options of TRUTH's column decode_as):
  http   tshark -n -2 -r FILE -Y 'http && tcp && !ssdp && !tls' -T fields -e frame.number
         -e http.request.method -e http.response.code -e http.request_in
  dns    tshark -n -2 -r FILE -Y 'dns && !mdns && !llmnr && !nbns' -T fields -e frame.number
         -e dns.flags.response -e dns.flags.opcode -e dns.qry.type -e dns.flags.rcode
         -e dns.response_to
  redis  tshark -n -2 -r FILE -Y resp -T fields -e tcp.dstport -e resp.array.length
         -e resp.bulk_string.value (the commands; their outcome is not compared)
  mysql  tshark -n -2 -r FILE -Y mysql -T fields -e tcp.stream -e mysql.command -e mysql.error_code
         (commands, with the error that comes before the stream's next command; logins are none)
  pgsql  tshark -n -2 -r FILE -Y pgsql -T fields -e tcp.stream -e pgsql.type -e pgsql.query
         -e pgsql.statement -e pgsql.code (queries and Executes by the first word of their
         statement, a Parse alone as PREPARE; 0 or the SQLSTATE)
  http2  tshark -n -2 -r FILE -Y http2 -T pdml (of each stream the method and the status; where the
         content type is gRPC's, the last part of the path and grpc-status, `?` where there is none)
  grpc   the same, only of these
  thrift tshark -n -2 -r FILE -Y thrift -T fields -e tcp.stream -e thrift.mtype -e thrift.method
         -e thrift.seq_id (the method, and 0 for a reply or `exception` for one)

A row that differs is a place to look, not always a fault: TShark errs too, and the projects that
the captures come from have better expectations. What is known to differ, and why, stands in
truth_known.tsv beside this file: path, protocol, exchanges, open, operations (`-` if they are not
to be compared), reason. The script ends with 0 only if each row agrees or differs as known there.
"""
import argparse
import collections
import csv
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

import wirespan

# By the name in TRUTH.tsv: the name here.
PROTOCOLS = {
    "http": ("http",), "redis": ("redis",), "dns": ("dns",), "mysql": ("mysql",), "pgsql": ("postgresql",),
    "http2": ("http2", "grpc"), "grpc": ("grpc",), "thrift": ("thrift",),
}
LOGINS_APART = {"pgsql"}
LINK_TYPES = {"NULL", "LOOP", "RAW", "ETHERNET", "LINUX_SLL", "LINUX_SLL2", "IPV4", "IPV6"}
KNOWN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "truth_known.tsv")
OPCODES = {1: "IQUERY", 2: "STATUS", 4: "NOTIFY", 5: "UPDATE", 6: "DSO"}
# Commands that are no query, by their numbers.
MYSQL = {
    1: "QUIT", 2: "INIT DB", 4: "FIELD LIST", 5: "CREATE DB", 6: "DROP DB", 7: "REFRESH", 8: "SHUTDOWN",
    9: "STATISTICS", 10: "PROCESS INFO", 12: "PROCESS KILL", 13: "DEBUG", 14: "PING", 17: "CHANGE USER",
    18: "BINLOG DUMP", 21: "REGISTER SLAVE", 22: "PREPARE", 23: "EXECUTE", 24: "SEND LONG DATA", 25: "CLOSE",
    26: "RESET", 27: "SET OPTION", 28: "FETCH", 30: "BINLOG DUMP GTID", 31: "RESET CONNECTION", 250: "BULK EXECUTE",
}
TYPES = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 10: "NULL", 12: "PTR", 13: "HINFO", 15: "MX", 16: "TXT",
    28: "AAAA", 33: "SRV", 35: "NAPTR", 43: "DS", 46: "RRSIG", 48: "DNSKEY", 52: "TLSA", 64: "SVCB", 65: "HTTPS",
    99: "SPF", 251: "IXFR", 252: "AXFR", 255: "ANY", 257: "CAA",
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("folder")
    arguments.add_argument("--differ", action="store_true", help="only the rows that differ")
    arguments.add_argument("--known", default=KNOWN, help="what is known to differ (default: truth_known.tsv)")
    wirespan.add_binary_option(arguments)
    options = arguments.parse_args()
    tshark = shutil.which("tshark")
    if not tshark:
        print("tshark is not installed: only counts are compared")

    readable = {row["path"] for row in rows(options.folder, "MANIFEST.tsv") if is_read(row)}
    known = {(row["path"], row["protocol"]): row for row in rows(*os.path.split(options.known))}
    results, totals = {}, collections.Counter()
    print(f"{'TShark':>15}  {'wirespan':>15}  operations")
    print(f"{'requests':>8} {'pairs':>6}  {'exchanges':>9} {'open':>5}  {'and status':10}  {'verdict':7}  protocol path")
    for row in rows(options.folder, "TRUTH.tsv"):
        path, protocol = row["path"], row["protocol"]
        if protocol not in PROTOCOLS or path not in readable:
            continue
        file = os.path.join(options.folder, path)
        if path not in results:
            results[path] = read(options.binary, file)
        found = [span for span in results[path] if span["protocol"] in PROTOCOLS[protocol]]
        if protocol in LOGINS_APART:
            found = [span for span in found if span["sort"] != "handshake"]
        ours = collections.Counter(operation(span, protocol) for span in found)
        exchanges = sum(wirespan.complete(span) for span in found)
        still_open = len(found) - exchanges
        requests, paired = int(row["requests"]), int(row["paired"])
        counts_agree = exchanges == paired and exchanges + still_open == requests
        decode_as = [] if row["decode_as"] == "-" else row["decode_as"].split()
        theirs = SHARKS[protocol](tshark, file, decode_as) if tshark else None
        same = theirs is None or ours == theirs
        verdict, reason = "agrees", ""
        if not (counts_agree and same):
            verdict = "DIFFERS"
            why = known.get((path, protocol))
            if why and (int(why["exchanges"]), int(why["open"])) == (exchanges, still_open):
                if why["operations"] in ("-", written(ours)):
                    verdict, reason = "known", why["reason"]
        totals[verdict] += 1
        if verdict == "agrees" and options.differ:
            continue
        word = "-" if theirs is None else "agree" if same else "differ"
        print(f"{requests:8} {paired:6}  {exchanges:9} {still_open:5}  {word:10}  {verdict:7}  {protocol:8} {path}")
        if reason:
            print(f"{'':35}{reason}")
        if verdict == "DIFFERS":
            print(f"{'':35}here: {written(ours)}")
            if theirs is not None and not same:
                print(f"{'':35}only here: {written(ours - theirs)}")
                print(f"{'':35}only TShark: {written(theirs - ours)}")
    print(", ".join(f"{count} {verdict}" for verdict, count in sorted(totals.items())), f"of {sum(totals.values())} rows")
    sys.exit(1 if totals["DIFFERS"] else 0)


def read(binary, capture):
    """The calls and logins of a capture, each once wherever it was seen."""
    with tempfile.TemporaryDirectory() as folder:
        spans = os.path.join(folder, "spans.ndjson")
        wirespan.run(binary, capture, ndjson=spans)
        return [span for span in wirespan.spans(spans) if is_own_exchange(span)]


def is_own_exchange(span):
    copy = span.get("link", {}).get("kind") == "same_exchange"
    if span["protocol"] == "mysql":
        # Commands without an answer are requests there too.
        return span["operation"] not in ("LOGIN", "ERROR") and not copy
    if span["protocol"] == "thrift" and span["sort"] == "one_way":
        return not copy
    return span["sort"] in ("call", "handshake") and not copy


def operation(span, protocol):
    name = span["operation"] if isinstance(span["operation"], str) else "(bytes)"
    name = name or "?"
    if protocol == "redis":
        return name.split(" ")[0]
    if protocol == "mysql":
        command = span.get("attributes", {}).get("wirespan.db.command", name)
        command = command if command in MYSQL.values() else "QUERY"
        code = span.get("status", {}).get("code", 0)
        return f"{command} {code}" if code else command
    if not wirespan.complete(span):
        return f"{name} -"
    if protocol == "pgsql":
        status = span["status"]
        return f"{name} {0 if status['outcome'] == 'ok' else status.get('text')}"
    status = span["status"]
    if span["protocol"] == "grpc" and status["outcome"] == "unknown":
        return f"{name} ?"
    if protocol == "thrift":
        # An exception that the method declares comes in a reply.
        return f"{name} {'exception' if 'code' in status else 0}"
    return f"{name} {span['status'].get('code', 0)}"


def written(operations):
    return ", ".join(f"{name} ×{count}" if count > 1 else name for name, count in sorted(operations.items())) or "none"


def http(tshark, file, decode_as):
    fields = ["frame.number", "http.request.method", "http.response.code", "http.request_in"]
    found, waiting = collections.Counter(), collections.defaultdict(list)
    for frame, methods, codes, answered in shark(tshark, file, decode_as, "http && tcp && !ssdp && !tls", fields):
        waiting[frame] += methods
        answered = list(answered)
        for code in codes:
            request = answered.pop(0) if answered else None
            # A 1xx says nothing of the outcome.
            if request and waiting[request] and (code == "101" or not code.startswith("1")):
                found[f"{waiting[request].pop(0)} {code}"] += 1
    found.update(f"{method} -" for methods in waiting.values() for method in methods)
    return found


def dns(tshark, file, decode_as):
    fields = ["frame.number", "dns.flags.response", "dns.flags.opcode", "dns.qry.type", "dns.flags.rcode", "dns.response_to"]
    found, waiting = collections.Counter(), collections.defaultdict(list)
    for frame, kinds, opcodes, types, rcodes, answered in shark(tshark, file, decode_as, "dns && !mdns && !llmnr && !nbns", fields):
        types, rcodes, answered = list(types), list(rcodes), list(answered)
        for kind, opcode in zip(kinds, opcodes):
            asked = types.pop(0) if types else None
            name = OPCODES.get(int(opcode)) or (TYPES.get(int(asked), f"TYPE{asked}") if asked else "QUERY")
            if kind in ("0", "False"):
                waiting[frame].append(name)
                continue
            code = rcodes.pop(0) if rcodes else "0"
            query = answered.pop(0) if answered else None
            if query and waiting[query]:
                found[f"{waiting[query].pop(0)} {code}"] += 1
    found.update(f"{name} -" for names in waiting.values() for name in names)
    return found


def redis(tshark, file, decode_as):
    found = collections.Counter()
    servers = {"6379"} | {word.split("==")[1].split(",")[0] for word in decode_as if word.endswith(",resp")}
    fields = ["tcp.dstport", "resp.array.length", "resp.bulk_string.value"]
    for port, lengths, values in shark(tshark, file, decode_as, "resp", fields):
        if port not in servers:
            continue
        at = 0
        for length in map(int, lengths):
            found[bytes_of(values[at]).upper() if at < len(values) else "?"] += 1
            at += length
    return found


def mysql(tshark, file, decode_as):
    commands, latest = [], {}
    for stream, numbers, errors in shark(tshark, file, decode_as, "mysql", ["tcp.stream", "mysql.command", "mysql.error_code"]):
        for number in map(int, numbers):
            latest[stream] = len(commands)
            commands.append(MYSQL.get(number, "QUERY"))
        for error in errors:
            if stream in latest:
                commands[latest.pop(stream)] += f" {error}"
    return collections.Counter(commands)


def pgsql(tshark, file, decode_as):
    found, streams = collections.Counter(), collections.defaultdict(list)
    fields = ["tcp.stream", "pgsql.type", "pgsql.query", "pgsql.statement", "pgsql.code"]
    statements, bound = {}, {}
    for stream, types, queries, names, codes in shark(tshark, file, decode_as, "pgsql", fields):
        waiting = streams[stream]
        for at, kind in enumerate(types):
            if kind == "Simple query":
                waiting.append(verb(queries.pop(0)))
            elif kind == "Parse":
                statements[stream] = verb(queries.pop(0))
                if "Bind" not in types[at:]:
                    waiting.append("PREPARE")
            elif kind == "Bind":
                bound[stream] = statements.get(stream, "EXECUTE")
            elif kind == "Execute":
                waiting.append(bound[stream])
            elif kind == "Error" and waiting:
                found[f"{waiting.pop(0)} {codes.pop(0)}"] += 1
            elif kind in ("Command completion", "Portal suspended", "Empty query") and waiting:
                found[f"{waiting.pop(0)} 0"] += 1
    found.update(f"{name} -" for waiting in streams.values() for name in waiting)
    return found


def http2(tshark, file, decode_as):
    return collections.Counter(name for name, _ in streams_of_http2(tshark, file, decode_as))


def grpc(tshark, file, decode_as):
    return collections.Counter(name for name, is_grpc in streams_of_http2(tshark, file, decode_as) if is_grpc)


def streams_of_http2(tshark, file, decode_as):
    """What each request became, and whether it is one of gRPC."""
    command = [tshark, "-n", "-2", "-r", file, *decode_as, "-Y", "http2", "-T", "pdml"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    requests, answers = {}, collections.defaultdict(dict)
    for packet in xml.etree.ElementTree.fromstring(done.stdout).iter("packet"):
        connection = value_of(packet, "tcp.stream")
        # A client's later fields are its trailers.
        for frame in (field for field in packet.iter("field") if field.get("name") == "http2.stream"):
            headers = [field for field in frame.iter("field") if field.get("name") == "http2.header"]
            fields = {value_of(header, "http2.header.name"): value_of(header, "http2.header.value") for header in headers}
            stream = connection, value_of(frame, "http2.streamid")
            if ":method" in fields:
                requests[stream] = fields
            elif fields.get(":status", "200")[:1] != "1":
                answers[stream].update(fields)
    for stream, fields in requests.items():
        answer = answers[stream]
        is_grpc = fields.get("content-type", "").startswith("application/grpc")
        name = fields.get(":path", "").split("/")[-1] if is_grpc else fields[":method"]
        status = answer.get("grpc-status", "?") if is_grpc else answer.get(":status")
        yield f"{name} {status if ':status' in answer else '-'}", is_grpc


def value_of(element, name):
    return next((field.get("show") for field in element.iter("field") if field.get("name") == name), "")


def thrift(tshark, file, decode_as):
    found, waiting = collections.Counter(), collections.defaultdict(list)
    fields = ["tcp.stream", "thrift.mtype", "thrift.method", "thrift.seq_id"]
    for connection, kinds, methods, numbers in shark(tshark, file, decode_as, "thrift", fields):
        for kind, method, number in zip(kinds, methods, numbers):
            calls = waiting[connection, number]
            if int(kind, 16) in (1, 4):
                calls.append(method)
            # Calls that were never answered are before the one that was, where numbers come again.
            elif method in calls:
                at = len(calls) - 1 - calls[::-1].index(method)
                found[f"{calls.pop(at)} {'exception' if int(kind, 16) == 3 else 0}"] += 1
    found.update(f"{name} -" for names in waiting.values() for name in names)
    return found


def verb(query):
    return query.split()[0].upper()


def bytes_of(value):
    try:
        return bytes.fromhex(value.replace(":", "")).decode("latin-1")
    except ValueError:
        return value


SHARKS = {"http": http, "dns": dns, "redis": redis, "mysql": mysql, "pgsql": pgsql, "http2": http2, "grpc": grpc, "thrift": thrift}


def shark(tshark, file, decode_as, wanted, fields):
    """The fields of each frame; the first that names the frame or stream as one text, others as lists."""
    command = [tshark, "-n", "-2", "-r", file, *decode_as, "-Y", wanted, "-T", "fields", "-E", "occurrence=a", "-E", "aggregator=|"]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in done.stdout.splitlines():
        first, *others = line.split("\t")
        lists = [[part for part in other.split("|") if part] for other in others]
        yield (first, *lists)


def rows(folder, name):
    with open(os.path.join(folder, name), newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def is_read(row):
    return set(row["link_types"].split(",")) <= LINK_TYPES


main()
