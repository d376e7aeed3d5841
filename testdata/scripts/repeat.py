#!/usr/bin/env python3
"""repeat.py IN OUT N --shift SECONDS: the capture N times, each time later and from other hosts.

In copy k each packet is k * SECONDS later, the second byte of both IPv4 addresses is k higher, and
the trace ids of `traceparent` and the values of `X-Request-ID` are replaced by others of the same
length: the same id by the same one wherever it stands. Copy 0 is the input. Identifiers that a
packet's end cuts in two are not seen. TCP checksums are not made again.
Reads and writes classic pcap with microseconds, Ethernet and IPv4.
"""
import argparse
import hashlib
import itertools

import pcapfile

HEX = "0123456789abcdef"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("input")
    arguments.add_argument("output")
    arguments.add_argument("count", type=int)
    arguments.add_argument("--shift", type=float, required=True, metavar="SECONDS")
    options = arguments.parse_args()

    head, packets = pcapfile.read(options.input)
    pcapfile.write(options.output, head, copies(packets, options.count, round(options.shift * 1_000_000)))
    print(f"{len(packets)} packets, {len(packets) * options.count} written")


def copies(packets, count, shift):
    for copy in range(count):
        # Added digit by digit, so different identifiers stay different.
        key = hashlib.sha512(b"%d" % copy).hexdigest()
        for seconds, micros, length, data in packets:
            seconds_on, micros = divmod(micros + shift * copy, 1_000_000)
            yield seconds + seconds_on, micros, length, changed(data, copy, key) if copy else data


def changed(data, copy, key):
    if len(data) < 34 or data[12:14] != b"\x08\x00":
        return data
    out = bytearray(data)
    for second_byte in (27, 31):
        out[second_byte] = (out[second_byte] + copy) & 0xFF
    pcapfile.with_ip_checksum(out)
    for match in pcapfile.IDENTIFIER.finditer(data, 34):
        group = 2 if match[2] else 4
        out[match.start(group):match.end(group)] = other(match[group].decode(), key)
    return bytes(out)


def other(identifier, key):
    """As long as `identifier`: each hex digit becomes another one, what is not a hex digit stays."""
    key = itertools.cycle(key)
    return "".join(HEX[(HEX.index(c) + int(next(key), 16)) % 16] if c in HEX else c for c in identifier).encode()


main()
