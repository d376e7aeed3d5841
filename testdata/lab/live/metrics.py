#!/usr/bin/env python3
"""metrics.py URL LOG: do the metrics tell as many calls and failures of each protocol as the clients' log?"""
import collections
import csv
import re
import sys
import urllib.request

url, log = sys.argv[1:]
with urllib.request.urlopen(url, timeout=5) as answer:
    text = answer.read().decode()
told = {"requests": collections.Counter(), "request_errors": collections.Counter()}
for name, labels, value in re.findall(r"^wirespan_(\w+)_total\{(.*)\} (\d+)", text, re.M):
    if name in told:
        told[name][re.search(r'protocol="(\w+)"', labels)[1]] += int(value)
true = {"requests": collections.Counter(), "request_errors": collections.Counter()}
with open(log, newline="") as file:
    for *_, protocol, operation, status in csv.reader(file, delimiter="\t"):
        true["requests"][protocol] += 1
        # A server is asked: what the client did wrong is no failure of its service.
        if status == "error" or protocol == "http" and status.startswith("5"):
            true["request_errors"][protocol] += 1
print(f"told {told}, happened {true}")
sys.exit(0 if told == true else 1)
