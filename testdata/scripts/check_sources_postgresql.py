#!/usr/bin/env python3
"""check_sources_postgresql.py FOLDER: compares PostgreSQL with what the captures' own projects expect.

FOLDER holds captures with their projects' expectations beside them, and MANIFEST.tsv, which names
both. Compared are, in their order,
  Zeek      postgresql.cut: logins, requests for TLS, statements as they were sent, whether they
            succeeded, rows that came back, ends
  Suricata  test.yaml: the statements and rows of its filters, the number of rows that a copy
            affected, how many such events there are (each handshake, statement and end is one; a
            copy of the client's is one more, and each proof of a login, of which no span tells
            how many there were: up to two)
Ends with 1 if anything differs, or if nothing was compared.
"""
import argparse
import csv
import os
import re
import sys
import tempfile

import wirespan


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("folder")
    wirespan.add_binary_option(arguments)
    options = arguments.parse_args()
    compared = differ = 0
    with open(os.path.join(options.folder, "MANIFEST.tsv"), newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    for row in rows:
        if "pgsql" not in row["app_protocols"].split(","):
            continue
        found = read(options.binary, os.path.join(options.folder, row["path"]))
        for truth in row["expected_output"].split(";"):
            check = CHECKS.get(os.path.basename(truth))
            if not check:
                continue
            with open(os.path.join(options.folder, truth)) as file:
                wrong = list(check(file.read(), found))
            compared += 1
            differ += bool(wrong)
            print(f"{'DIFFERS' if wrong else 'agrees':7}  {row['path']}  ({os.path.basename(truth)})")
            for line in wrong:
                print(f"         {line}")
    print(f"{compared} expectations, {differ} differ")
    sys.exit(1 if differ or not compared else 0)


def read(binary, capture):
    """The PostgreSQL spans of a capture, with their literals, in the order of their beginning."""
    with tempfile.TemporaryDirectory() as folder:
        spans = os.path.join(folder, "spans.ndjson")
        wirespan.run(binary, capture, ndjson=spans, more=["-v", "--no-redact"])
        found = list(wirespan.spans(spans, "postgresql"))
    return sorted(found, key=lambda span: (span["start"], span.get("ordinal", 0)))


def zeek(text, found):
    """What differs from a log of Zeek."""
    lines = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    names, entries = lines[0], [dict(zip(lines[0], line)) for line in lines[1:]]
    assert "frontend" in names, names
    expected = []
    for entry in entries:
        state = {"T": "ok", "F": "failed", "-": "-"}[entry["success"]]
        about = entry["frontend_arg"] if entry["frontend"] == "simple_query" else ZEEK[entry["frontend"]]
        # Rows of statements that return none are 0 there and absent here.
        expected.append((about, state, entry["rows"] if entry["rows"] not in ("0", "-") else "-"))
    yield from difference(expected, [seen(span) for span in found])


def seen(span):
    attributes = span.get("attributes") or {}
    about = attributes.get("db.query.text") or span["operation"]
    outcome = (span.get("status") or {}).get("outcome", "-")
    state = outcome if outcome in ("ok", "-") else "failed"
    return about, state, str(attributes.get("db.response.returned_rows", "-"))


def difference(expected, ours):
    for at in range(max(len(expected), len(ours))):
        pair = [items[at] if at < len(items) else None for items in (expected, ours)]
        if pair[0] != pair[1]:
            yield f"{at}: expected {pair[0]}, found {pair[1]}"


def suricata(text, found):
    """What differs from the filters of a test of Suricata: a small part of YAML, one `key: value` a line."""
    for part in text.split("- filter:")[1:]:
        fields = dict(re.findall(r"^\s*([\w.]+): *(.*?) *$", part, re.MULTILINE))
        fields = {key: value.strip('"') for key, value in fields.items()}
        count = int(fields["count"])
        query = fields.get("pgsql.request.simple_query")
        done = fields.get("pgsql.response.command_completed", "")
        if query:
            same = [span for span in found if (span.get("attributes") or {}).get("db.query.text") == query]
            rows = fields.get("pgsql.response.data_rows")
            if rows:
                same = [span for span in same if str(span["attributes"].get("db.response.returned_rows")) == rows]
            if len(same) != count:
                yield f"expected {count} × {query} with {rows or 'any'} rows, found {len(same)}"
        elif done.startswith("COPY "):
            same = [s for s in found if str((s.get("attributes") or {}).get("wirespan.db.affected_rows")) == done[5:]]
            if len(same) != count:
                yield f"expected {count} × {done}, found {len(same)}"
        elif fields.get("event_type") == "pgsql":
            copies = sum(span["operation"] == "COPY" and "wirespan.db.affected_rows" in span["attributes"] for span in found)
            least = len(found) + copies
            most = least + 2 * sum(span["operation"] == "LOGIN" for span in found)
            if not least <= count <= most:
                yield f"expected {count} events, found {least} to {most}"


ZEEK = {"startup": "LOGIN", "ssl_request": "SSL REQUEST", "terminate": "TERMINATE"}
CHECKS = {"postgresql.cut": zeek, "test.yaml": suricata}

main()
