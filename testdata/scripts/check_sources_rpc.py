#!/usr/bin/env python3
"""check_sources_rpc.py FOLDER: compares remote procedure calls with what the captures' own projects expect.

FOLDER holds captures with their projects' expectations beside them, and MANIFEST.tsv, which names
both. Looked at are captures of HTTP/2, gRPC, WebSocket, Dubbo, Thrift and Bolt (`sofarpc` there):
  DeepFlow   *.result: HTTP/2 and gRPC by their streams: method or service and method, host, status,
             messages; Dubbo: service, method, version, number, serialization, trace id, bytes
  Arkime     *.test: connections, and of HTTP/2 methods, paths, hosts, status, programs, names of fields
  Zeek       websocket.events: handshakes with host, path and subprotocol, messages with their kind,
             direction, bytes and frames, ends with their code; websocket.log and conn.log
  Suricata   test.yaml: what filters say of paths, fields, bodies and names that DNS over HTTP/2 asks
             for (its alerts come from rules that do not lie there)
  nDPI       *.out: the protocol of each connection
  Packetbeat and DeepFlow's tests: what their programs compare stands in FIGURES below
  TShark     where it is installed: messages of WebSocket by frame, kind and bytes
  numbers and status in the heads of Dubbo and Bolt, as they lie in the packets

truth_table.py compares the same captures with TRUTH.tsv. What is known to differ, and why, stands in
KNOWN. Ends with 1 if anything else differs, or if nothing was compared.
"""
import argparse
import base64
import collections
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.parse
import xml.etree.ElementTree

import pcapfile
import wirespan

PROTOCOLS = {"http2", "grpc", "websocket", "dubbo", "thrift", "sofarpc"}
# HTTP is there where a connection was upgraded.
READ_AS = {"http2", "grpc", "websocket", "dubbo", "thrift", "bolt", "http"}
ZEEK_EVENTS = "zeek/testing/btest/Baseline/scripts.base.protocols.websocket.events/out"
# Differences by the capture's name, as they are printed.
KNOWN = {
    "http2-nghttp2.pcap": {
        "no field continuation-test-6": "the six fields of frames 4 to 24 have 1 KiB told of each, and 6 KiB of all: five find "
                                        "room, and wirespan.http.headers_left_out says that one did not",
    },
}
# Facts that the projects' programs test, where no file beside the capture says them.
FIGURES = {
    # Packetbeat: 17 calls, of which the two `zip` have no answer and the twelfth has a declared exception.
    "thrift_tutorial.pcap": {
        "protocol": "thrift", "calls": 17, "port": 9090, "first": "ping", "open": [14, 15], "failed": [11],
        "operations": {1: "add", 2: "add16", 3: "add64", 4: "add_doubles", 5: "echo_bool", 6: "echo_string"},
    },
    "thrift_echo_binary.pcap": {"protocol": "thrift", "calls": 1, "port": 9090, "first": "echo_binary", "open": [], "failed": []},
    # DeepFlow: one request with one answer each, neither an error.
    "sofa-old.pcap": {
        "protocol": "bolt", "calls": 1, "first": "testSuccess", "open": [], "failed": [], "number": 2,
        "trace": "0a2200ce167089845152310016143",
    },
    "dubbo_hessian2.pcap": {"protocol": "dubbo", "calls": 1, "first": "login", "open": [], "failed": []},
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("folder")
    wirespan.add_binary_option(arguments)
    options = arguments.parse_args()
    results = collections.Counter()
    if not shutil.which("tshark"):
        print("tshark is not installed: frames of WebSocket are not compared with it")
    with open(os.path.join(options.folder, "MANIFEST.tsv"), newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    for row in rows:
        if not PROTOCOLS & set(row["app_protocols"].split(",")):
            continue
        path = os.path.join(options.folder, row["path"])
        found = None
        for name, check in checks(options.folder, row):
            found = read(options.binary, path) if found is None else found
            compared, wrong = collections.Counter(), []
            for difference in check(found, compared):
                compared["differs"] += 1
                wrong.append(difference)
            verdict = judge(os.path.basename(path), wrong) if sum(compared.values()) else "nothing"
            results[verdict] += 1
            if verdict == "nothing":
                continue
            print(f"{verdict:7}  {row['path']}  ({name}: {sum(compared.values())} compared)")
            for difference in wrong:
                reason = KNOWN.get(os.path.basename(path), {}).get(difference, "")
                print(f"         {difference}{reason and ': '}{reason}")
    without = results.pop("nothing", 0)
    print(", ".join(f"{count} {verdict}" for verdict, count in sorted(results.items())),
          f"of {sum(results.values())} expectations; {without} say nothing that is compared")
    sys.exit(1 if results["DIFFERS"] or not results["agrees"] else 0)


def judge(name, wrong):
    if not wrong:
        return "agrees"
    return "known" if set(wrong) <= set(KNOWN.get(name, {})) else "DIFFERS"


def checks(folder, row):
    """(name, check) of each expectation that there is of a capture; a check yields what differs."""
    name = os.path.basename(row["path"])
    for truth in row["expected_output"].split(";"):
        path = os.path.join(folder, truth)
        kind = next((one for end, one in BY_END.items() if path.endswith(end)), None)
        if kind and truth != ZEEK_EVENTS and os.path.exists(path):
            yield os.path.relpath(truth, os.path.dirname(row["path"])).split("../")[-1], with_text(kind, path)
    events = os.path.join(folder, ZEEK_EVENTS)
    if row["path"].startswith("zeek/") and os.path.exists(events):
        yield "websocket.events", with_text(lambda text, *more: zeek_events(name, text, *more), events)
    if name in FIGURES:
        yield "figures", lambda found, compared: figures(FIGURES[name], found, compared)
    capture = os.path.join(folder, row["path"])
    if row["app_protocols"] in ("dubbo", "sofarpc"):
        yield "heads in the packets", lambda found, compared: heads(capture, found, compared)
    if "websocket" in row["app_protocols"].split(",") and shutil.which("tshark"):
        yield "TShark", lambda found, compared: websocket_frames(capture, found, compared)


def with_text(check, path):
    def run(found, compared):
        with open(path) as file:
            yield from check(file.read(), found, compared)
    return run


def read(binary, capture):
    """The spans of a capture, with all fields, in the order of their beginning."""
    with tempfile.TemporaryDirectory() as folder:
        spans = os.path.join(folder, "spans.ndjson")
        wirespan.run(binary, capture, ndjson=spans, more=["-v", "--no-redact"])
        found = [span for span in wirespan.spans(spans) if span["protocol"] in READ_AS]
    return sorted(found, key=lambda span: (span["start"], span.get("ordinal", 0)))


def same(what, expected, here, compared):
    """Counts a comparison, and yields what differs."""
    if expected == here:
        compared["same"] += 1
    else:
        yield f"{what}: expected {expected}, found {here}"


def attributes(span):
    return span.get("attributes", {})


def value(line, name):
    """What a field of a line of Rust's debug output holds: `None` is None, texts are without quotes."""
    match = re.search(rf'\b{name}: (?:Some\()?("[^"]*"|[^",)}}]+)', line)
    return None if not match or match[1] == "None" else match[1].strip('"')


def deepflow(text, found, compared):
    lines = [line for line in text.splitlines() if line.endswith(("is_http: true", "is_dubbo: true"))]
    of_dubbo = [line for line in lines if line.startswith("Dubbo")]
    if of_dubbo:
        yield from deepflow_dubbo(of_dubbo, found, compared)
        return
    asked = [line for line in lines if value(line, "msg_type") == "Request"]
    calls = {str(span["stream"]): span for span in found if span["protocol"] in ("http2", "grpc")}
    yield from same("streams", sorted(value(line, "stream_id") for line in asked), sorted(calls), compared)
    for line in asked:
        stream = value(line, "stream_id")
        span = calls.get(stream)
        if span is None:
            continue
        what = f"stream {stream}"
        is_grpc = value(line, "proto") == "Grpc"
        if is_grpc:
            path = f"/{span.get('resource')}/{span['operation']}"
            yield from same(what, value(line, "path"), path, compared)
            yield from same(f"{what} service", value(line, "service_name"), span.get("resource"), compared)
        elif span["protocol"] == "http2":
            yield from same(what, value(line, "method").upper(), span["operation"], compared)
        if value(line, "host"):
            yield from same(f"{what} host", value(line, "host"), attributes(span).get("server.address"), compared)
        others = [other for other in lines if value(other, "stream_id") == stream and other is not line]
        pieces = sum(value(other, "method") == "_RequestData" for other in others)
        if is_grpc and pieces:
            here = attributes(span).get("wirespan.rpc.request.messages")
            yield from same(f"{what} messages", pieces, here, compared)
        answers = [other for other in others if value(other, "msg_type") == "Response"]
        yield from same(f"{what} answers", bool(answers), span.get("response") is not None, compared)
        for answer in answers:
            status = span.get("status", {})
            if is_grpc:
                code = value(answer, "grpc_status_code")
                here = None if status.get("outcome") == "unknown" else str(status.get("code", 0))
                yield from same(f"{what} grpc-status", code, here, compared)
            elif span["protocol"] == "http2":
                # Messages and trailers may tell that it is a call, which has a method and a status of its own.
                yield from same(f"{what} status", value(answer, "status_code"), str(status.get("code")), compared)


def deepflow_dubbo(lines, found, compared):
    calls = {str(span["stream"]): span for span in found if span["protocol"] == "dubbo"}
    yield from same("numbers", sorted({value(line, "request_id") for line in lines}), sorted(calls), compared)
    for line in lines:
        number = value(line, "request_id")
        span = calls.get(number)
        if span is None or value(line, "msg_type") != "Request":
            continue
        serialization = {"2": "hessian2", "3": "java", "6": "fastjson", "8": "kryo", "23": "fastjson2"}
        traces = re.search(r'trace_ids: PrioFields\(\[(.*?)\]\)', line)[1]
        for what, expected, here in (
            ("service", value(line, "service_name"), span.get("resource")),
            ("method", value(line, "method_name"), span["operation"]),
            ("version", value(line, "dubbo_version"), attributes(span).get("wirespan.dubbo.version")),
            ("serialization", serialization.get(value(line, "serial_id")), attributes(span).get("wirespan.dubbo.serialization")),
            ("bytes", value(line, "captured_request_byte"), str(span["request"]["len"])),
            ("trace ids", re.findall(r'field: "([^"]*)"', traces), [one.get("text", one.get("trace")) for one in span.get("ids", [])]),
        ):
            yield from same(f"{number} {what}", expected, here, compared)


def connection(span):
    return frozenset((span["client"], span["server"]))


def address(end):
    return f"[{end['ip']}]:{end['port']}" if ":" in end["ip"] else f"{end['ip']}:{end['port']}"


def arkime(text, found, compared):
    for session in json.loads(text)["sessions3"]:
        body = session.get("body", session)
        ends = frozenset((address(body["source"]), address(body["destination"])))
        spans = [span for span in found if connection(span) == ends]
        # HTTP/2 is two protocols there.
        expected = sorted(set(body["protocol"]) - {"tcp"} - ({"http"} if "http2" in body["protocol"] else set()))
        yield from same("protocols", expected, sorted({span["protocol"] for span in spans}), compared)
        http = body.get("http")
        if not http:
            continue
        # What begins a connection of HTTP/2 is a request there.
        for what, theirs, here in (
            ("methods", set(http["method"]) - {"PRI"}, {span["operation"] for span in spans}),
            ("paths", set(http["path"]), {span.get("resource") for span in spans}),
            ("hosts", set(http["host"]), {attributes(span).get("server.address") for span in spans}),
            ("status", set(http["statuscode"]), {span["status"].get("code") for span in spans}),
            ("programs", set(http["useragent"]), {attributes(span).get("user_agent.original") for span in spans}),
        ):
            yield from same(what, sorted(theirs), sorted(here - {None}), compared)
        # Fields of a promise are the server's there.
        names = {name.split(".header.")[-1] for span in spans for name in attributes(span) if ".header." in name}
        for name in sorted({*http["requestHeader"], *http["responseHeader"]}):
            if name in names:
                compared["same"] += 1
            else:
                yield f"no field {name}"


def zeek_log(text):
    lines = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    return [dict(zip(lines[0], line)) for line in lines[1:]]


def zeek_connections(text, found, compared):
    for entry in zeek_log(text):
        here = sorted({span["protocol"] for span in found})
        yield from same("services", sorted(entry["service"].split(",")), here, compared)


def upgrades(found):
    return [span for span in found if span["protocol"] == "http" and span.get("status", {}).get("code") == 101]


def zeek_websockets(text, found, compared):
    entries, here = zeek_log(text), upgrades(found)
    yield from same("handshakes", len(entries), len(here), compared)
    for entry, span in zip(entries, here):
        said = attributes(span).get("http.response.header.sec-websocket-protocol", "-")
        ends = f"{entry['id.orig_h']}:{entry['id.orig_p']}", f"{entry['id.resp_h']}:{entry['id.resp_p']}"
        yield from same("path", entry["uri"], span.get("resource"), compared)
        yield from same("ends", ends, (span["client"], span["server"]), compared)
        yield from same("subprotocol", entry["subprotocol"], said, compared)


def zeek_events(capture, text, found, compared):
    """Events of one capture, whose name stands above them."""
    lines = text.splitlines()
    first = lines.index(capture) + 1
    expected, here, frames = [], [], []
    for line in lines[first:]:
        if line.endswith((".pcap", ".pcapng")):
            break
        what, *words = line.split(", ")
        if what == "websocket_established":
            opened = dict(re.findall(r"\b(host|uri|subprotocol)=([^,\]]+)", line))
            expected.append(("opened", opened["host"].split(":")[0], opened["uri"]))
        elif what == "websocket_frame":
            frames.append(int(words[-1]))
        elif what == "websocket_close":
            expected.append(("CLOSE", words[1], int(words[3])))
        elif what == "websocket_message":
            kind, size, pieces = words[-1].upper(), sum(frames), len(frames)
            frames = []
            # A pong is the answer to a ping here.
            if kind not in ("CLOSE", "PONG"):
                expected.append((kind, words[1]) if kind == "PING" else (kind, words[1], size, pieces))
    for span in found:
        if span["protocol"] == "http":
            client = span["client"]
            here.append(("opened", attributes(span)["server.address"].split(":")[0], span.get("resource")))
            continue
        sent = "T" if span["client"] == client else "F"
        kind = span["operation"]
        if kind == "CLOSE":
            here.append((kind, sent, attributes(span).get("wirespan.websocket.close.code")))
        elif kind == "PING":
            here.append((kind, sent))
        else:
            pieces = attributes(span).get("wirespan.websocket.fragments", 1)
            here.append((kind, sent, attributes(span).get("wirespan.websocket.size"), pieces))
    for at, (one, other) in enumerate(zip(expected, here)):
        yield from same(f"{at}", one, other, compared)
    yield from same("events", len(expected), len(here), compared)


def websocket_frames(capture, found, compared):
    """Messages by the first frame that holds them: kind, bytes, whether the client sent them."""
    command = ["tshark", "-n", "-r", capture, "-Y", "websocket", "-T", "pdml"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    client = next((span["client"].rsplit(":", 1)[1] for span in found if span["protocol"] == "http"), None)
    expected, parts = [], {}
    for packet in xml.etree.ElementTree.fromstring(done.stdout).iter("packet"):
        number, sent = int(shown(packet, "frame.number")), shown(packet, "tcp.srcport") == client
        for frame in (part for part in packet.iter("proto") if part.get("name") == "websocket"):
            opcode = shown(frame, "websocket.opcode")
            longer = shown(frame, "websocket.payload_length_ext_64") or shown(frame, "websocket.payload_length_ext_16")
            size = int(longer or shown(frame, "websocket.payload_length"))
            if opcode in ("1", "2"):
                parts[sent] = number, {"1": "TEXT", "2": "BINARY"}[opcode], 0
            elif opcode in ("8", "9"):
                expected.append((number, {"8": "CLOSE", "9": "PING"}[opcode], sent))
            if opcode in ("0", "1", "2"):
                first, kind, held = parts[sent]
                parts[sent] = first, kind, held + size
                if shown(frame, "websocket.fin") in ("1", "True"):
                    expected.append((*parts.pop(sent), sent))
    here, client = [], None
    for span in found:
        if span["protocol"] == "http":
            client = span["client"]
            continue
        frame, kind, sent = span["request"]["frames"][0], span["operation"], span["client"] == client
        size = attributes(span).get("wirespan.websocket.size")
        here.append((frame, kind, sent) if kind in ("CLOSE", "PING") else (frame, kind, size, sent))
    yield from same("messages", sorted(map(str, expected)), sorted(map(str, here)), compared)


def shown(element, name):
    """What TShark shows of a field within an element."""
    return next((field.get("show") for field in element.iter("field") if field.get("name") == name), "")


def suricata(text, found, compared):
    """Filters of a test: a small part of YAML, one `key: value` a line."""
    for part in re.split(r"- filter:", text)[1:]:
        fields = dict(re.findall(r"^\s*([\w.\[\]]+): *(.*?) *$", part, re.MULTILINE))
        fields = {key: value.strip('"') for key, value in fields.items()}
        event, count = fields.get("event_type"), int(fields["count"])
        here = None
        if event == "http" and "http.url" in fields:
            here = [span for span in found if span.get("resource") == fields["http.url"]]
        elif event == "http":
            here = found
            for key, name in fields.items():
                side = re.match(r"http\.(request|response)_headers\[\d+\]\.name", key)
                if side:
                    wanted = f"http.{side[1]}.header.{name.lower()}", fields[key.replace(".name", ".value")]
                    here = [span for span in here if wanted in attributes(span).items()]
        elif event == "fileinfo" and "http.length" in fields:
            # The size is that of what was packed; the length is that on the wire.
            here = [span for span in found if str(attributes(span).get("http.response.body.size")) == fields["http.length"]]
        elif event == "fileinfo":
            # Pieces of one file, put together.
            ranges = [attributes(span).get("http.response.header.content-range", "") for span in found]
            pieces = sorted(tuple(map(int, re.findall(r"\d+", one))) for one in ranges if one)
            reaches = 0
            for first, last, _ in pieces:
                reaches = max(reaches, last + 1) if first <= reaches else reaches
            here = [reaches] if str(reaches) == fields["fileinfo.size"] else []
        elif event == "dns" and "dns.queries[0].rrname" in fields:
            here = [span for span in found if asks(span) == fields["dns.queries[0].rrname"]]
        elif event == "flow" and "app_proto_orig" in fields:
            here = {connection(span) for span in found if span["protocol"] == fields["app_proto_orig"]}
        if here is not None:
            about = " ".join(f"{key}={value}" for key, value in fields.items() if key not in ("count", "event_type"))
            yield from same(f"{event} {about}", count, len(here), compared)


def asks(span):
    """The name that a request of DNS over HTTP asks for."""
    query = urllib.parse.parse_qs(attributes(span).get("url.query", "")).get("dns")
    if not query:
        return None
    message = base64.urlsafe_b64decode(query[0] + "=" * (-len(query[0]) % 4))
    labels, at = [], 12
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode())
        at += 1 + message[at]
    return ".".join(labels)


def ndpi(text, found, compared):
    for one, other, protocol in re.findall(r"TCP (\S+) <?-> (\S+) \[proto: \d+/(?:\w+\.)?(\w+)\]", text):
        here = {span["protocol"] for span in found if connection(span) == frozenset((one, other))}
        yield from same(f"{one} {other}", {protocol.lower()}, here, compared)


def figures(expected, found, compared):
    calls = [span for span in found if span["protocol"] == expected["protocol"]]
    yield from same("calls", expected["calls"], len(calls), compared)
    operations = {0: expected["first"], **expected.get("operations", {})}
    here = {at: calls[at]["operation"] for at in operations if at < len(calls)}
    yield from same("operations", operations, here, compared)
    answered = [wirespan.complete(span) for span in calls]
    yield from same("without an answer", expected["open"], [at for at, one in enumerate(answered) if not one], compared)
    failed = [at for at, span in enumerate(calls) if answered[at] and span["status"]["outcome"] != "ok"]
    yield from same("failed", expected["failed"], failed, compared)
    if "port" in expected:
        ports = {span["server"].rsplit(":", 1)[1] for span in calls}
        yield from same("port", {str(expected["port"])}, ports, compared)
    if "number" in expected:
        yield from same("number", expected["number"], calls[0]["stream"], compared)
    if "trace" in expected:
        traces = [one.get("text", one.get("trace")) for one in calls[0].get("ids", [])]
        yield from same("trace", [expected["trace"]], traces, compared)


def heads(capture, found, compared):
    """Heads of Dubbo and Bolt at the beginning of packets: is it an answer, its number, its status."""
    expected = []
    for data in (packet[3] for packet in pcapfile.read(capture)[1]):
        place = pcapfile.tcp_payload(data)
        payload = data[place[2]:place[3]] if place else b""
        if payload[:2] == b"\xda\xbb":
            asks = bool(payload[2] & 0x80)
            expected.append((asks, int.from_bytes(payload[4:12], "big"), None if asks else payload[3]))
        elif payload[:1] == b"\1":
            asks = payload[1] == 1
            # Status 0 is success.
            status = None if asks else int.from_bytes(payload[10:12], "big")
            expected.append((asks, int.from_bytes(payload[5:9], "big"), status))
    here = []
    for span in found:
        here.append((True, span["stream"], None))
        if span.get("response"):
            here.append((False, span["stream"], span["status"].get("code", 0)))
    yield from same("heads", expected, here, compared)


BY_END = {
    ".result": deepflow, ".test": arkime, "conn.log": zeek_connections, "websocket.log": zeek_websockets,
    "test.yaml": suricata, ".out": ndpi,
}

if __name__ == "__main__":
    main()
