"""Runs the program, and reads what it wrote. What its output looks like is known here only."""
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.path.join(ROOT, "target", "release", "wirespan")


def add_binary_option(arguments):
    arguments.add_argument("--binary", default=BINARY, help="the program (default: target/release/wirespan)")


def run(binary, *captures, ndjson=os.devnull, threads=None, more=()):
    """Reads captures, writes their spans to `ndjson`; gives the summary. Ends the script if the program fails."""
    with tempfile.TemporaryDirectory() as folder:
        summary = os.path.join(folder, "summary.json")
        command = [binary, "read", *captures, *more, "--format", "ndjson", "-o", ndjson, "--summary", summary]
        command += ["--threads", str(threads)] if threads else []
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        # 1 says that nothing was found, which is an answer too.
        if done.returncode not in (0, 1):
            sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr}")
        with open(summary) as file:
            return json.load(file)


def counts(summary, protocol):
    """Exchanges with both halves, and requests that stayed without a response, of one protocol."""
    return summary["exchanges"].get(protocol, 0), summary["open"].get(protocol, 0)


def copies(summary):
    """Packets that were left out because they are copies of others."""
    return summary["packets_by"].get("copies", 0)


def spans(path, protocol=None):
    """The spans of an ndjson file, one dict each."""
    with open(path) as file:
        for line in file:
            record = json.loads(line)
            if record.get("type") == "span" and protocol in (None, record["protocol"]):
                yield record


def complete(span):
    return span.get("request") is not None and span.get("response") is not None


def identifiers(span):
    """What a span's own headers name: ("traceparent", trace id) and ("x-request-id", value)."""
    for identifier in span.get("ids", []):
        value = identifier.get("trace") or identifier.get("text")
        if identifier["format"] in ("traceparent", "x-request-id") and value:
            yield identifier["format"], value


def shapes(spans):
    """What each span is and hangs under, without ids."""
    by_id = {span["span"]: span for span in spans}

    def what(span):
        status = sorted((name, str(value)) for name, value in span.get("status", {}).items())
        operation = span.get("operation", ""), span.get("resource", ""), span["state"], status
        return span["start"], span["client"], span["server"], *operation, span.get("duration", 0)

    return sorted((what(span), what(by_id[span["parent"]]) if "parent" in span else ()) for span in spans)
