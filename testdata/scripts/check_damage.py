#!/usr/bin/env python3
"""check_damage.py CAPTURE...: are exchanges the same after disorder, and none wrong after losses?

Of the first packets of each capture (--packets), whatever protocols they hold:

recut    cut, shuffled and doubled by recut.py, with several seeds: the same exchanges, field by field.
loss     one packet in a hundred taken out, with several seeds: an exchange counts as possible where
         the packets of the first byte of its request and of its response are left. How many of these
         are found, and whether anything that is told of them differs from what the whole capture
         told: a field may be missing, but not be another one; a pair may be missing, but not be
         another one. Calls that HTTP/2 carries, such as gRPC's, are counted apart where they are
         found, but known as HTTP/2 only, since what says what they are was lost.

An exchange is known by its connection and the sequence number of its first byte. Reads classic pcap
with microseconds, as `tcpdump -r OTHER -w THIS` makes it.
"""
import argparse
import os
import random
import subprocess
import sys
import tempfile

import pcapfile
import wirespan

HERE = os.path.dirname(os.path.abspath(__file__))
# Share of the possible exchanges that must be found where packets are lost.
MUST = 0.997
# Calls that HTTP/2 carries.
CARRIED = ("grpc", "grpc-web", "connect", "triple")
# Attributes that are times.
TIMES = (".messages.first", ".messages.last")
# What counts bytes or packets, and may come to less where some are lost; and what says so.
COUNTED = ("size", "truncated", "messages", "length", "blocked", "rows", "frames", "unknown", "bytes")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("captures", nargs="+", metavar="CAPTURE")
    arguments.add_argument("--packets", type=int, default=50_000, help="how many of each (50000)")
    arguments.add_argument("--seeds", type=int, default=3, help="how many variants of each kind (3)")
    arguments.add_argument("--loss", type=float, default=1, help="packets of a hundred that are lost (1)")
    arguments.add_argument("--keep", metavar="FOLDER", help="leave what was made in this folder")
    wirespan.add_binary_option(arguments)
    options = arguments.parse_args()
    if options.keep:
        os.makedirs(options.keep, exist_ok=True)
        results = [check(capture, options.keep, options) for capture in options.captures]
    else:
        with tempfile.TemporaryDirectory() as folder:
            results = [check(capture, folder, options) for capture in options.captures]
    sys.exit(0 if all(results) else 1)


def check(capture, folder, options):
    """Prints a line for each variant, and says whether all is well."""
    head, packets = pcapfile.read(capture, 0, options.packets)
    name = os.path.basename(capture).split(".")[0]
    path = os.path.join(folder, f"{name}.whole.pcap")
    pcapfile.write(path, head, packets)
    whole = exchanges(path, options)
    print(f"{name}: {len(packets)} packets, {len(whole)} exchanges")
    well = bool(whole)
    for seed in range(1, options.seeds + 1):
        cut = os.path.join(folder, f"{name}.recut{seed}.pcap")
        recut = [sys.executable, os.path.join(HERE, "recut.py"), path, cut, "--seed", str(seed)]
        subprocess.run(recut, check=True, stdout=subprocess.DEVNULL)
        well &= same(whole, exchanges(cut, options), f"recut {seed}")
    for seed in range(1, options.seeds + 1):
        rng = random.Random(seed)
        left = [rng.random() >= options.loss / 100 for _ in packets]
        lossy = os.path.join(folder, f"{name}.loss{seed}.pcap")
        pcapfile.write(lossy, head, [packet for packet, stays in zip(packets, left) if stays])
        well &= none_wrong(whole, exchanges(lossy, options), left, f"loss  {seed}")
    return well


def exchanges(path, options):
    """What a capture holds, by connection and first byte."""
    found = path + ".ndjson"
    wirespan.run(options.binary, path, ndjson=found)
    spans = list(wirespan.spans(found))
    return {key: span for span in spans if (key := place(span))}


def place(span):
    request = span.get("request") or {}
    return (span["client"], span["server"], request["seq"]) if "seq" in request else None


def told(span):
    """All that is told of an exchange, but for times and packets: a value by its name."""
    fields = {name: span.get(name) for name in ("protocol", "sort", "operation", "resource", "state")}
    fields.update({f"status.{name}": value for name, value in span.get("status", {}).items()})
    fields.update(span.get("attributes", {}))
    for half in ("request", "response"):
        if span.get(half):
            fields.update({f"{half}.{name}": span[half].get(name) for name in ("seq", "len")})
    for identifier in span.get("ids", []):
        for name, value in identifier.items():
            if name not in ("format", "on"):
                fields.setdefault(f"{identifier['format']}.{name}", set()).add(str(value))
    return {name: value for name, value in fields.items() if value not in (None, "", "unknown") and not name.endswith(TIMES)}


def is_plain(before, after):
    """Whether a call was found as the request of HTTP/2 that carries it."""
    return before["protocol"] in CARRIED and after["protocol"] == "http2"


def as_carried(before, after):
    """What is told of a call, as HTTP/2 tells it of one whose request does not say that it is one."""
    carried = {"protocol": "http2", "resource": f"/{before.get('resource', '')}/{before['operation']}"}
    # The method is not told of calls.
    if after.get("operation") in ("GET", "POST"):
        carried["operation"] = after["operation"]
    # Its response may say how the call ended, or not.
    code = before.get("http.response.status_code", 200)
    if after.get("status.code") == code:
        carried["status.code"] = code
    # The outcome is that of the call, or not known: then it is not among what is told.
    return before | carried


def same(whole, found, name):
    differs = [(key, name_of(whole, key), different(whole.get(key), found.get(key)))
               for key in sorted(set(whole) | set(found)) if different(whole.get(key), found.get(key))]
    print(f"  {name}: {len(found)} exchanges, {len(differs)} that differ  {'ok' if not differs else 'WRONG'}")
    show(differs)
    return not differs


def different(one, other):
    if one is None or other is None:
        return {"found": (one is not None, other is not None)}
    one, other = told(one), told(other)
    return {name: (one.get(name), other.get(name)) for name in {*one, *other} if one.get(name) != other.get(name)}


def none_wrong(whole, found, left, name):
    def survives(span):
        halves = [span.get(half) for half in ("request", "response")]
        return all(half and left[half["frames"][0] - 1] for half in halves)

    possible = {key for key, span in whole.items() if survives(span)}
    complete = {key for key in possible if key in found and wirespan.complete(found[key])}
    wrong, plain = [], 0
    for key, span in found.items():
        if key not in whole:
            wrong.append((key, name_of(found, key), {"found": (False, True)}))
            continue
        before, after = told(whole[key]), told(span)
        if is_plain(before, after):
            plain += key in complete
            before = as_carried(before, after)
        bad = {field: (before.get(field), value) for field, value in after.items()
               if not may_be(field, value, before, after)}
        if bad:
            wrong.append((key, name_of(whole, key), bad))
    share = len(complete) / max(len(possible), 1)
    well = share >= MUST and not wrong
    apart = f", of them {plain} known as http2 only" if any(told(span)["protocol"] in CARRIED for span in whole.values()) else ""
    print(f"  {name}: {len(complete)} of {len(possible)} exchanges ({share:.2%}){apart}, {len(wrong)} wrong  "
          f"{'ok' if well else 'WRONG'}")
    show(wrong)
    return well


def may_be(field, value, before, after):
    """Whether this may be told of an exchange of which something was lost."""
    if field in ("state", "request.len", "response.len") or any(part in field for part in COUNTED):
        return True
    if field == "status.outcome" and "status.code" not in after:
        return True
    whole = before.get(field)
    return value <= whole if isinstance(value, set) and isinstance(whole, set) else value == whole


def name_of(spans, key):
    span = spans.get(key) or {}
    return f"{span.get('protocol', '')} {span.get('operation', '')} {span.get('resource', '')}"


def show(differences):
    for (client, server, seq), name, fields in differences[:5]:
        print(f"    {client} > {server} {seq} {name}: {fields}")


main()
