#!/usr/bin/env python3
"""rate.py: the highest rate of packets without a drop, by bisection, of wirespan and of tcpdump.

Both see the same replay, one after the other, on the other end of its cable: tcpdump with
`-B 65536 -w /dev/null`, wirespan with what it does of its own accord. Prints each trial, then both
rates, and the CPU time for a packet of the whole process (user and system) at the highest rate that
both can follow.
"""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

import summary

# Bisection ends where the lowest rate with drops is so much higher than the highest without.
NEAR = 1.06
LOWEST, HIGHEST = 12_500, 1_600_000


class Trial:
    def __init__(self, sent, seconds, seen, dropped, cpu):
        self.rate = sent / seconds
        self.dropped, self.missing = dropped, sent - seen - dropped
        self.microseconds = cpu * 1e6 / max(seen, 1)

    def clean(self):
        return self.dropped == 0 and self.missing == 0


def tcpdump(given, folder):
    command = ["tcpdump", "-i", given.on, "-B", "65536", "-Z", "root", "-w", "/dev/null"]
    return command, lambda talk: [int(re.search(rf"(\d+) packets? {what}", talk)[1]) for what in ("captured", "dropped")]


def wirespan(given, folder):
    written = os.path.join(folder, "summary.json")

    def counts(_):
        read = summary.read(written)
        return read["packets"], summary.drops(read)

    return [given.binary, "live", "-i", given.on, "--summary", written, *given.more], counts


TOOLS = {"wirespan": wirespan, "tcpdump": tcpdump}


def trial(given, tool, rate):
    with tempfile.TemporaryDirectory() as folder:
        command, counts = TOOLS[tool](given, folder)
        talk = os.path.join(folder, "talk")
        with open(talk, "w") as errors:
            capture = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors)
        try:
            until(lambda: "listening on" in open(talk).read(), capture, talk)
            replay = subprocess.run([given.replay, given.capture, given.to, str(rate), str(given.seconds)],
                                    stdout=subprocess.PIPE, check=True)
            # Both hand over what is left after a second at the latest.
            time.sleep(1.5)
        finally:
            capture.send_signal(signal.SIGINT)
            _, status, used = os.wait4(capture.pid, 0)
            capture.returncode = status
        if status:
            sys.exit(f"{' '.join(command)}: status {status}\n{open(talk).read()}")
        sent = json.loads(replay.stdout)
        done = Trial(sent["sent"], sent["seconds"], *counts(open(talk).read()), used.ru_utime + used.ru_stime)
    print(f"{tool:8} {done.rate:9,.0f}/s: {done.dropped:9,} dropped, {done.microseconds:.2f} µs of CPU a packet"
          + (f", {done.missing} not accounted for" if done.missing else "")
          + (f", the file {sent['rounds']} times" if sent["rounds"] > 1 else "")
          + (f", {used.ru_maxrss / 1024:,.0f} MB at most" if tool == "wirespan" else ""), flush=True)
    # The replay could not send faster.
    done.behind = done.rate < 0.97 * rate
    return done


def until(what, process, talk):
    for _ in range(100):
        if what():
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    sys.exit(f"the capture did not start\n{open(talk).read()}")


def highest(given, tool):
    good, bad, rate = None, None, given.begin
    while True:
        done = trial(given, tool, rate)
        if done.clean():
            good = max(good or done, done, key=lambda trial: trial.rate)
            if done.behind:
                print(f"{tool}: the replay sends no more than that")
                return good
        else:
            bad = min(rate, done.rate)
        if good and bad and bad / good.rate < NEAR or rate < LOWEST:
            return good
        rate = (good.rate * bad) ** 0.5 if good and bad else rate * 2 if good else rate / 2
        if rate > HIGHEST:
            return good


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("binary")
    arguments.add_argument("replay", help="the compiled replay.c")
    arguments.add_argument("capture", help="pcap that is replayed")
    arguments.add_argument("to", help="interface that it is sent on")
    arguments.add_argument("on", help="interface that is captured")
    arguments.add_argument("--seconds", type=float, default=30)
    arguments.add_argument("--begin", type=float, default=100_000, metavar="RATE")
    arguments.add_argument("--only", type=float, metavar="RATE", help="one trial of each at this rate, which must be clean")
    arguments.add_argument("--more", nargs="*", default=[], help="what else is said to wirespan")
    given = arguments.parse_args()
    if given.only:
        sys.exit(0 if all([trial(given, tool, given.only).clean() for tool in TOOLS]) else 1)
    best = {tool: highest(given, tool) for tool in ("tcpdump", "wirespan")}
    if not all(best.values()):
        sys.exit(f"one of them drops packets at {LOWEST} a second, too")
    both = min(done.rate for done in best.values())
    same = {tool: trial(given, tool, both * 0.97) for tool in TOOLS}
    for tool, done in best.items():
        print(f"{tool}: {done.rate:,.0f} packets a second for {given.seconds:.0f} s without a drop; "
              f"{same[tool].microseconds:.2f} µs of CPU a packet at {same[tool].rate:,.0f} a second")
    print(f"wirespan takes {best['wirespan'].rate / best['tcpdump'].rate:.2f} of tcpdump's rate, "
          f"and {same['wirespan'].microseconds / same['tcpdump'].microseconds:.2f} times its CPU")


main()
