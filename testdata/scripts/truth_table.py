#!/usr/bin/env python3
"""truth_table.py FOLDER: compares the counts of exchanges with those of TShark, capture by capture.

FOLDER holds captures, MANIFEST.tsv (what each is) and TRUTH.tsv (requests, responses and pairs that
TShark finds in each). Looks at HTTP, Redis and DNS in captures without tunnels. TRUTH counts 1xx as
responses of their own; its pairs are counted by request, so they are the same as exchanges here.
A row that differs is a place to look, not always a fault: TShark errs too.
"""
import argparse
import csv
import os

import wirespan

PROTOCOLS = {"http", "redis", "dns"}
LINK_TYPES = {"NULL", "LOOP", "RAW", "ETHERNET", "LINUX_SLL", "LINUX_SLL2", "IPV4", "IPV6"}
NO_TUNNEL = {"-", "ipv6", "vlan", "qinq"}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("folder")
    arguments.add_argument("--differ", action="store_true", help="only the rows that differ")
    wirespan.add_binary_option(arguments)
    options = arguments.parse_args()

    plain = {row["path"] for row in rows(options.folder, "MANIFEST.tsv") if is_plain(row)}
    summaries, agreed, all_rows = {}, 0, 0
    print(f"{'TShark':>15}  {'wirespan':>15}")
    print(f"{'requests':>8} {'pairs':>6}  {'exchanges':>9} {'open':>5}   differ  protocol path")
    for row in rows(options.folder, "TRUTH.tsv"):
        path, protocol = row["path"], row["protocol"]
        if protocol not in PROTOCOLS or path not in plain:
            continue
        if path not in summaries:
            summaries[path] = wirespan.run(options.binary, os.path.join(options.folder, path))
        requests, paired = int(row["requests"]), int(row["paired"])
        exchanges, still_open = wirespan.counts(summaries[path], protocol)
        agrees = exchanges == paired and exchanges + still_open == requests
        all_rows += 1
        agreed += agrees
        if not (agrees and options.differ):
            note = "" if row["trust"] == "high" else f" (trust: {row['trust']})"
            print(f"{requests:8} {paired:6}  {exchanges:9} {still_open:5}   {'      ' if agrees else 'DIFFER'}  {protocol:8} {path}{note}")
    print(f"{agreed} of {all_rows} rows agree")


def rows(folder, name):
    with open(os.path.join(folder, name), newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def is_plain(row):
    return set(row["link_types"].split(",")) <= LINK_TYPES and set(row["encapsulations"].split(",")) <= NO_TUNNEL


main()
