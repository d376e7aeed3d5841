#!/usr/bin/env python3
"""check_canaries.py: looks for secrets in all that the program writes.

Makes conversations in which thousands of secrets stand, each another one, and marks where there are none.
Reads them in each format, with and without details, and writes their packets with --sanitize: no secret
may be anywhere, as it is or in the forms of base64, hex and percent signs, in streams that were put
together as well as in packets. The marks must be there, and with --no-redact so must be the secrets:
else nothing would be shown by this.
"""
import argparse
import base64
import collections
import os
import re
import struct
import subprocess
import sys
import tempfile

import canaries
import pcapfile
import wirespan
from conversation import HOST


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--keep", metavar="FOLDER", help="leave capture and outputs there")
    arguments.add_argument("--only", metavar="PROTOCOL", action="append", help="these protocols alone")
    wirespan.add_binary_option(arguments)
    given = arguments.parse_args()
    kinds = [canaries.http, canaries.http2, canaries.websocket, canaries.redis, canaries.mysql, canaries.postgresql,
             canaries.dubbo, canaries.thrift, canaries.bolt]
    capture, garden = canaries.plant([kind for kind in kinds if not given.only or kind.__name__ in given.only])
    with tempfile.TemporaryDirectory() as folder:
        folder = given.keep or folder
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, "canaries.pcap")
        capture.write(path)
        faults = check(given.binary, path, folder, garden)
    print(f"{len(garden.canaries)} secrets, {len(garden.numbers)} numbers, {len(garden.marks)} marks:",
          f"{len(faults)} faults" if faults else "none is shown, and all marks are")
    sys.exit(1 if faults else 0)


def check(binary, path, folder, garden):
    faults = []
    planted = b"\n".join(streams(path))
    missing = {where for value, where in garden.canaries.items() if not any(form in planted for form in forms(value))}
    missing = {where for where in missing - canaries.CUT if "half lost" not in where}
    assert not missing, f"not in the capture: {missing}"
    outputs = []
    for format in formats(binary):
        for level in ([], ["-v"], ["-vv"]):
            name = "-".join([format, *level]).replace("--", "-")
            outputs.append((name, run(binary, path, folder, name, "--format", format, *level)))
    write(binary, path, os.path.join(folder, "sanitized.pcapng"), "--sanitize")
    for name, written in outputs:
        faults += leaks(name, written, garden)
        # A map of services names no more than these.
        marks = [HOST] if name.startswith("service-map") else garden.marks
        if not any(mark.encode() in written for mark in marks):
            faults.append(f"{name}: no mark at all")
    faults += leaks("sanitized packets", read(folder, "sanitized.pcapng"), garden)
    faults += leaks("sanitized streams", b"\n".join(streams(os.path.join(folder, "sanitized.pcapng"))), garden)
    written = dict(outputs)["ndjson-v"]
    hidden = {mark: place for mark, place in garden.marks.items() if mark.encode() not in written}
    for place, count in collections.Counter(hidden.values()).items():
        faults.append(f"ndjson -v: {count} marks are missing: {place}")
    # Does this find what is there?
    shown = run(binary, path, folder, "no-redact", "--format", "ndjson", "-v", redact=["--no-redact"])
    found = sum(value.encode() in shown for value in garden.canaries)
    write(binary, path, os.path.join(folder, "as-is.pcapng"))
    kept = b"\n".join(streams(os.path.join(folder, "as-is.pcapng")))
    in_packets = sum(any(form in kept for form in forms(value)) for value in garden.canaries)
    print(f"{len(outputs)} outputs; with --no-redact {found} secrets are shown, and packets that are not sanitized hold {in_packets}")
    if found < len(garden.canaries) // 4 or in_packets < len(garden.canaries) * 3 // 4:
        faults.append("too few of the secrets are read at all")
    for fault in faults[:60]:
        print(fault)
    return faults


def formats(binary):
    """All formats that the program knows."""
    words = subprocess.run([binary, "read", "--help"], capture_output=True, text=True, check=True).stdout
    # Up to the next option.
    values = re.split(r"\n {2,6}-", words.split("--format <FORMAT>")[1])[0]
    return re.findall(r"^ *- ([a-z-]+): ", values, re.M)


def run(binary, path, folder, name, *options, redact=("--redact", canaries.REDACTED)):
    """What it writes, with what it says and counts."""
    output, summary = (os.path.join(folder, f"{name}.{end}") for end in ("out", "summary"))
    more = ["--all"] if "terminal" in name else []
    command = [binary, "read", path, *options, *redact, *more, "-o", output, "--summary", summary]
    done = subprocess.run(command, capture_output=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr.decode()}")
    return b"\n".join([done.stdout, done.stderr, read(folder, f"{name}.out"), read(folder, f"{name}.summary")])


def write(binary, path, to, *options):
    command = [binary, "read", "-q", path, *options, "--redact", canaries.REDACTED, "-o", os.devnull, "-w", to]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")


def read(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


def leaks(name, written, garden):
    """Secrets, and what is left of such, by the place where they stand."""
    lower = written.lower()
    found = collections.defaultdict(list)
    for end in (canaries.FRONT, canaries.BACK):
        for form in forms(end):
            place = "some secret"
            start = written.find(form)
            if start < 0:
                # Names may have been turned to lower case, and bytes to hex of either case.
                start = lower.find(form.lower()) if form.lower() in (end.encode(), end.encode().hex().encode()) else -1
            if start < 0:
                continue
            for value, where in garden.canaries.items():
                if any(whole in written for whole in forms(value)):
                    found[where].append(value)
            found[place].append(written[max(start - 60, 0):start + 60])
    for value, where in garden.numbers.items():
        if value.encode() in written:
            found[where].append(value)
    return [f"{name}: {len(values)} of {where}, such as {values[0]}" for where, values in found.items()]


def forms(value):
    """A text as it may stand in an output."""
    data = value.encode()
    yield data
    yield data.hex().encode()
    yield "".join(f"%{byte:02X}" for byte in data).encode()
    yield data.decode().encode("utf-16-le")
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + data)
        # Without the characters that depend on what stands before and behind.
        first = (shift * 8 + 5) // 6
        yield encoded[first:(shift + len(data)) * 8 // 6]


def streams(path):
    """What each side of each connection sent, in the order of packets."""
    sides = {}
    for frame in frames(path):
        place = pcapfile.tcp_payload(frame)
        if place:
            ip, tcp, payload, end = place
            key = frame[ip + 12:ip + 20] + frame[tcp:tcp + 4]
            sides.setdefault(key, bytearray()).extend(frame[payload:end])
    return [bytes(stream) for stream in sides.values()]


def frames(path):
    """The packets of a pcap or pcapng file."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:4] == b"\xd4\xc3\xb2\xa1":
        for *_, frame in pcapfile.read(path)[1]:
            yield frame
        return
    at = 0
    while at + 12 <= len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if kind == 6:
            length = struct.unpack_from("<I", data, at + 20)[0]
            yield data[at + 28:at + 28 + length]
        at += size


main()
