#!/usr/bin/env python3
"""cpu_ratio.py CAPTURE: CPU time of wirespan against `tcpdump -r CAPTURE -w /dev/null`.

Runs the two in turns, since a busy machine changes from minute to minute, and prints the medians of
user and system time, their ratio, the CPU time for an exchange, and the most memory held.
"""
import argparse
import os
import statistics
import subprocess
import time

import wirespan


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("capture")
    arguments.add_argument("--pairs", type=int, default=20)
    wirespan.add_binary_option(arguments)
    options = arguments.parse_args()

    summary = wirespan.run(options.binary, options.capture, threads=1)
    protocols = summary.get("protocols", {})
    exchanges = sum(wirespan.counts(summary, protocol)[0] for protocol in protocols)
    ours = [options.binary, "read", options.capture, "--threads", "1", "--format", "ndjson", "-o", os.devnull]
    theirs = ["tcpdump", "-r", options.capture, "-w", os.devnull]
    seconds = {"tcpdump": [], "wirespan": []}
    for _ in range(options.pairs):
        seconds["tcpdump"].append(cpu_seconds(theirs))
        seconds["wirespan"].append(cpu_seconds(ours))
    memory = {"tcpdump": peak_memory(theirs), "wirespan": peak_memory(ours)}

    for name, all_seconds in seconds.items():
        print(f"{name:9} median {statistics.median(all_seconds):7.3f} s CPU "
              f"({min(all_seconds):.3f}-{max(all_seconds):.3f}), peak {memory[name] / 1024:.1f} MiB")
    ratios = [b / a for a, b in zip(seconds["tcpdump"], seconds["wirespan"]) if a]
    print(f"ratio     median {statistics.median(ratios):7.2f} ({min(ratios):.2f}-{max(ratios):.2f}), {options.pairs} pairs")
    if exchanges:
        print(f"exchanges {exchanges}, {statistics.median(seconds['wirespan']) / exchanges * 1e6:.2f} µs CPU each")


def cpu_seconds(command):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def peak_memory(command):
    """In KiB, asked from the kernel each 2 ms of a run of its own.

    rusage has a peak too, but it begins with the memory of the Python process that forked.
    """
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        with open(f"/proc/{process.pid}/status") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    peak = max(peak, int(line.split()[1]))
        time.sleep(0.002)
    return peak


main()
