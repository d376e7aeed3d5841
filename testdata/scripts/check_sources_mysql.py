#!/usr/bin/env python3
"""check_sources_mysql.py FOLDER: compares MySQL exchanges with what the projects expect whose captures they are.

FOLDER holds captures with the projects' own expectations beside them:
  Zeek             Baseline/scripts.base.protocols.mysql.*/mysql.log: command, argument, success, rows
  DeepFlow         *.result beside each capture: commands, their text, status of responses
  pcap2mysql-log   *.txt.expected beside each capture: kinds of commands and responses, text
Compared are, in the order of each capture: the command, the statement (but for its spaces, its
comments and how many placeholders stand side by side), and whether it succeeded. DeepFlow writes
responses without saying what they answer: where requests overlap, they are not compared. The script
ends with 0 only if all agree.
"""
import argparse
import glob
import json
import os
import re
import sys
import tempfile

import wirespan

# Captures by Zeek's folder of expectations.
ZEEK = {
    "wireshark": "mysql.pcap",
    "query-attr": "query-attr.pcap",
    "change-user-error": "change-user-error.pcap",
    "caching_sha2_password-after-auth-switch": "caching_sha2_password-after-auth-switch.pcapng",
}
# COM_… by its number, as DeepFlow writes it.
COMMANDS = {0: "LOGIN", 1: "QUIT", 2: "INIT DB", 3: "QUERY", 14: "PING", 22: "PREPARE", 23: "EXECUTE", 25: "CLOSE"}
PCAP2MYSQL = {"Login": "LOGIN", "Query": "QUERY", "QUIT": "QUIT", "Prepare": "PREPARE", "Execute": "EXECUTE", "MYSQL_STMT_CLOSE": "CLOSE"}
WORDS = {
    "LOGIN", "CHANGE USER", "QUIT", "INIT DB", "FIELD LIST", "PING", "STATISTICS", "PREPARE", "EXECUTE", "CLOSE",
    "RESET", "FETCH", "SEND LONG DATA", "SET OPTION", "PROCESS KILL", "RESET CONNECTION", "CREATE DB", "DROP DB",
}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("folder")
    wirespan.add_binary_option(arguments)
    options = arguments.parse_args()
    failed = compared = 0
    for source, capture, expected in [*zeek(options.folder), *deepflow(options.folder), *pcap2mysql(options.folder)]:
        compared += 1
        found = read(options.binary, capture)
        differences = list(differ(expected, found))
        verdict = "DIFFERS" if differences else "agrees"
        print(f"{verdict:8} {source:15} {len(expected):3} expected, {len(found):3} found  {os.path.basename(capture)}")
        for difference in differences:
            print(f"         {difference}")
        failed += bool(differences)
    print(f"{compared - failed} of {compared} agree")
    sys.exit(1 if failed or not compared else 0)


def read(binary, capture):
    """(command, statement, succeeded) of each exchange, in the order of their requests."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "spans.ndjson")
        wirespan.run(binary, capture, ndjson=path, more=["--no-redact"])
        spans = sorted(wirespan.spans(path, "mysql"), key=lambda span: (span["start"], span["ordinal"]))
    found = []
    for span in spans:
        attributes = span.get("attributes", {})
        command = attributes.get("wirespan.db.command") or span["operation"]
        if command not in WORDS:
            command = "QUERY"
        text = attributes.get("db.query.text") if command in ("QUERY", "PREPARE") else None
        outcome = span.get("status", {}).get("outcome")
        succeeded = None if span.get("response") is None else outcome == "ok"
        found.append((command, plain(text), succeeded))
    return found


def plain(text):
    """A statement without what differs between programs that show it."""
    if text is None:
        return None
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"\s+", "", text).rstrip(";").lower()
    return re.sub(r"\?(,\?)+", "?", text)


def differ(expected, found):
    for at in range(max(len(expected), len(found))):
        here = found[at] if at < len(found) else None
        there = expected[at] if at < len(expected) else None
        if here is None or there is None:
            yield f"{at}: expected {there}, found {here}"
            continue
        # What is not expected is not compared.
        same = all(b is None or a == b for a, b in zip(here, there))
        if not same:
            yield f"{at}: expected {there}, found {here}"


def zeek(folder):
    base = os.path.join(folder, "zeek", "testing", "btest")
    for name, capture in ZEEK.items():
        log = os.path.join(base, "Baseline", f"scripts.base.protocols.mysql.{name}", "mysql.log")
        if not os.path.exists(log):
            continue
        expected = []
        with open(log) as file:
            for line in file:
                if line.startswith("#"):
                    continue
                fields = line.rstrip("\n").split("\t")
                command, argument, success = fields[6], fields[7], fields[8]
                word = command.upper().replace("_", " ")
                text = plain(argument) if command == "query" else None
                expected.append((word, text, {"T": True, "F": False}.get(success)))
        yield "Zeek", os.path.join(base, "Traces", "mysql", capture), expected


def deepflow(folder):
    for result in sorted(glob.glob(os.path.join(folder, "deepflow", "**", "mysql", "*.result"), recursive=True)):
        expected, kinds = [], []
        with open(result) as file:
            for line in file:
                message = json.loads(line.rsplit(" is_mysql:", 1)[0])
                kind = message["msg_type"]
                kinds += [kind] if kind in ("Request", "Response") else []
                if kind in ("Request", "Session"):
                    command = COMMANDS.get(message["request_type"], str(message["request_type"]))
                    is_text = command in ("QUERY", "PREPARE")
                    expected.append((command, plain(message.get("request_resource")) if is_text else None, None))
                elif kind == "Response" and expected:
                    command, text, _ = expected[-1]
                    expected[-1] = (command, text, message["response_status"] == "ok")
        if any(pair == ("Request", "Request") for pair in zip(kinds, kinds[1:])):
            expected = [(command, text, None) for command, text, _ in expected]
        yield "DeepFlow", result.replace(".result", ".pcap"), expected


def pcap2mysql(folder):
    for result in sorted(glob.glob(os.path.join(folder, "pcap2mysql-log", "**", "*.txt.expected"), recursive=True)):
        expected = []
        with open(result) as file:
            parts = re.split(r"^Type: ", file.read(), flags=re.M)[1:]
        for part in parts:
            kind, _, text = part.partition("\n")
            text = re.split(r"^Connection: ", text, flags=re.M)[0]
            if kind in PCAP2MYSQL:
                command = PCAP2MYSQL[kind]
                expected.append((command, plain(text) if command in ("QUERY", "PREPARE") else None, None))
            elif kind in ("OK", "SQL results", "Error") and expected:
                command, shown, _ = expected[-1]
                expected[-1] = (command, shown, kind != "Error")
        yield "pcap2mysql-log", result.replace(".txt.expected", ".pcap"), expected


if __name__ == "__main__":
    main()
