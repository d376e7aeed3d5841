#!/usr/bin/env python3
"""impact.py: what a live capture on the cable of a service costs its clients.

The same load with and without, in alternating runs, as a machine is never the same twice. Prints each
run, then the median of the ratios of neighbours: latency with capture to latency without.
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import summary


def load(given):
    command = ["ip", "netns", "exec", given.client, given.pace, given.host, str(given.port), "/item/7",
               str(given.rate), str(given.seconds), str(given.connections)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def with_capture(given):
    with tempfile.TemporaryDirectory() as folder:
        written, talk = os.path.join(folder, "summary.json"), os.path.join(folder, "talk")
        command = ["ip", "netns", "exec", given.server, given.binary, "live", "-i", given.on, "--summary", written, *given.more]
        with open(talk, "w") as errors:
            capture = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
        while "listening on" not in open(talk).read():
            if capture.poll() is not None:
                sys.exit(open(talk).read())
            time.sleep(0.1)
        began = time.monotonic()
        figures = load(given)
        took = time.monotonic() - began
        time.sleep(1.5)
        capture.send_signal(signal.SIGINT)
        _, status, used = os.wait4(capture.pid, 0)
        capture.returncode = status
        if status:
            sys.exit(open(talk).read())
        read = summary.read(written)
    figures["dropped"] = summary.drops(read)
    figures["exchanges"] = sum(read["exchanges"].values())
    figures["cpu"] = (used.ru_utime + used.ru_stime) / took
    return figures


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("binary")
    arguments.add_argument("pace", help="the compiled pace.c")
    arguments.add_argument("client", help="namespace of the client")
    arguments.add_argument("server", help="namespace of the server, in which is captured")
    arguments.add_argument("on", help="interface that is captured")
    arguments.add_argument("host")
    arguments.add_argument("port", type=int)
    arguments.add_argument("--rate", type=float, default=10_000)
    arguments.add_argument("--seconds", type=float, default=4)
    arguments.add_argument("--connections", type=int, default=32)
    arguments.add_argument("--pairs", type=int, default=11)
    arguments.add_argument("--more", nargs="*", default=[], help="what else is said to wirespan")
    given = arguments.parse_args()
    ratios = {"p50": [], "p99": [], "p999": []}
    load(given)
    for _ in range(given.pairs):
        without = load(given)
        during = with_capture(given)
        print("without: {a_second:,.0f}/s, p50 {p50} µs, p99 {p99} µs, p99.9 {p999} µs".format(**without), flush=True)
        print("with:    {a_second:,.0f}/s, p50 {p50} µs, p99 {p99} µs, p99.9 {p999} µs; {exchanges:,} of {answered:,} exchanges "
              "found, {dropped:,} packets dropped, {cpu:.2f} of a core".format(**during), flush=True)
        for key, values in ratios.items():
            values.append(during[key] / without[key])
    print("ratios, the median of {} (lowest to highest): {}".format(given.pairs, ", ".join(
        f"{key} {statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})" for key, values in ratios.items())))


main()
