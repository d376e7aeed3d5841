#!/usr/bin/env python3
"""check_readers.py CAPTURE... [--readers FOLDER] [--install]: do others see the same spans?

Starts the programs that wirespan's formats are for, lets them read what it makes of each capture,
asks them for what they hold, and compares spans and parents with the JSON lines:

  jaeger    spans are sent with --otlp, and each trace is asked for by its id
  zipkin    the file of --format zipkin-json is posted, and each trace is asked for by its id
  chrome    the file of --format chrome-trace is imported by the engine of Chrome's DevTools
  perfetto  the same file is loaded, and its slices and arrows are counted

--install puts Jaeger (built by go from its module), Zipkin (by mvn) and Chrome's engine (by npm)
into FOLDER, target/readers unless it is named. Perfetto's trace_processor_shell is in no registry,
and must be put there by hand. A reader that is not there is skipped, and that is said. All of them
listen on this machine only, and end with the script.
"""
import argparse
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import wirespan

ROOT = pathlib.Path(__file__).resolve().parents[2]
READERS = pathlib.Path(__file__).resolve().parent / "readers"
JAEGER = "github.com/jaegertracing/jaeger/cmd/all-in-one"
JAEGER_VERSION = "v1.76.0"
CHROME = "@paulirish/trace_engine"
CHROME_VERSION = "0.0.65"
ZIPKIN = "io.zipkin:zipkin-server:3.4.4:jar:slim"
# Until a server that has started answers, and until it shows what it was sent.
PATIENCE = 60


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("captures", nargs="+", metavar="CAPTURE")
    arguments.add_argument("--readers", default=ROOT / "target/readers", type=pathlib.Path)
    arguments.add_argument("--install", action="store_true")
    wirespan.add_binary_option(arguments)
    options = arguments.parse_args()
    if options.install:
        install(options.readers)

    wrong = 0
    for capture in options.captures:
        expected = spans_of(options.binary, capture)
        parents = sum(parent is not None for parent in expected.values())
        name = "/".join(pathlib.Path(capture).resolve().parts[-2:])
        print(f"{name}: {len(expected)} spans, {parents} with a parent")
        for reader in (jaeger, zipkin, chrome, perfetto):
            try:
                found = reader(options.readers, options.binary, capture, expected)
            except Missing as missing:
                print(f"  {reader.__name__:<9} skipped: {missing}")
                continue
            print(f"  {reader.__name__:<9} {found}")
            wrong += found.wrong
    sys.exit(wrong > 0)


class Missing(Exception):
    """A reader that is not there, and why."""


class Found:
    """What a reader saw."""

    def __init__(self, spans, parents, wrong):
        self.spans, self.parents, self.wrong = spans, parents, wrong

    @classmethod
    def of(cls, expected, found):
        different = [span for span in expected.keys() | found.keys()
                     if expected.get(span, "no span") != found.get(span, "no span")]
        for span in sorted(different)[:5]:
            print(f"  DIFFERENT: {span}: {expected.get(span)}, found {found.get(span)}")
        parents = sum(parent is not None for parent in found.values())
        return cls(len(found), parents, len(different))

    def __str__(self):
        verdict = "as expected" if self.wrong == 0 else f"WRONG: {self.wrong} differ"
        return f"{self.spans} spans, {self.parents} with a parent: {verdict}"


def spans_of(binary, capture):
    """The parents of all spans, by trace and span."""
    text = run(binary, "read", "-q", capture, "--format", "ndjson")
    lines = map(json.loads, text.splitlines())
    return {(line["trace"], line["span"]): line.get("parent") for line in lines}


def jaeger(readers, binary, capture, expected):
    reader = readers / "jaeger"
    if not reader.is_file():
        raise Missing(f"there is no {reader}; say --install (it needs go)")
    otlp, query, admin, *rest = free_ports(7)
    flags = {
        "collector.otlp.http.host-port": otlp,
        "query.http-server.host-port": query,
        "admin.http.host-port": admin,
        "collector.otlp.grpc.host-port": rest[0],
        "query.grpc-server.host-port": rest[1],
        "collector.grpc-server.host-port": rest[2],
        "collector.http-server.host-port": rest[3],
    }
    words = [f"--{flag}=127.0.0.1:{port}" for flag, port in flags.items()]
    with server([reader, *words], f"http://127.0.0.1:{query}/api/services"):
        run(binary, "read", "-q", capture, "--otlp", f"http://127.0.0.1:{otlp}")
        found = {}
        for trace in sorted({trace for trace, _ in expected}):
            answer = fetch(f"http://127.0.0.1:{query}/api/traces/{trace}")
            for one in answer["data"] if answer else []:
                for span in one["spans"]:
                    above = [reference["spanID"] for reference in span["references"]
                             if reference["refType"] == "CHILD_OF"]
                    key = (span["traceID"].rjust(32, "0"), span["spanID"].rjust(16, "0"))
                    found[key] = above[0].rjust(16, "0") if above else None
    return Found.of(expected, found)


def zipkin(readers, binary, capture, expected):
    jars = sorted(readers.glob("zipkin-server-*.jar"))
    if not jars:
        raise Missing(f"there is no zipkin-server-*.jar in {readers}; say --install (it needs mvn)")
    if shutil.which("java") is None:
        raise Missing("there is no java")
    port, = free_ports(1)
    base = f"http://127.0.0.1:{port}/api/v2"
    environment = {"QUERY_PORT": str(port), "QUERY_TIMEOUT": "60s", "MEM_MAX_SPANS": "5000000"}
    with server(["java", "-Xmx2g", "-jar", jars[-1]], f"{base}/services", environment):
        spans = json.loads(run(binary, "read", "-q", capture, "--format", "zipkin-json"))
        # It takes 10 MB at a time.
        for place in range(0, len(spans), 1000):
            fetch(f"{base}/spans", json.dumps(spans[place:place + 1000]).encode())
        traces = sorted({trace for trace, _ in expected})
        wait_for(lambda: fetch(f"{base}/trace/{traces[-1]}"))
        found = {}
        for trace in traces:
            for span in fetch(f"{base}/trace/{trace}") or []:
                key = (span["traceId"].rjust(32, "0"), span["id"])
                found[key] = span.get("parentId")
    return Found.of(expected, found)


def chrome(readers, binary, capture, expected):
    package = readers / "node_modules" / CHROME
    if not package.is_dir():
        raise Missing(f"there is no {package}; say --install (it needs npm)")
    if shutil.which("node") is None:
        raise Missing("there is no node")
    with tempfile.TemporaryDirectory() as folder:
        trace = pathlib.Path(folder, "t.json")
        run(binary, "read", "-q", capture, "--format", "chrome-trace", "-o", trace)
        lines = run("node", READERS / "chrome.mjs", readers.resolve(), trace).splitlines()
    found = {(one, span): parent for one, span, parent in map(json.loads, lines)}
    return Found.of(expected, found)


def perfetto(readers, binary, capture, expected):
    reader = readers / "trace_processor_shell"
    if not reader.is_file():
        raise Missing(f"there is no {reader}, and no registry has it; put it there by hand")
    with tempfile.TemporaryDirectory() as folder:
        trace, query = pathlib.Path(folder, "t.json"), pathlib.Path(folder, "q.sql")
        run(binary, "read", "-q", capture, "--format", "chrome-trace", "-o", trace)
        query.write_text("select (select count(*) from slice) as slices, "
                         "(select count(*) from flow) as arrows, "
                         "(select sum(value) from stats where severity = 'error') as errors;")
        answer = run(reader, trace, "-q", query).decode().splitlines()[-1]
    slices, arrows, errors = (int(cell.strip('"') or 0) for cell in answer.split(","))
    # Next points of an exchange lie within each other, without an arrow.
    return Found(slices, arrows, abs(slices - len(expected)) + errors)


def install(readers):
    """Gets the readers by the clients of their registries. What cannot be had is skipped later."""
    readers.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "go.mod").write_text("module readers\n")
        if not (readers / "jaeger").is_file():
            attempt(["go", "get", "-tool", f"{JAEGER}@{JAEGER_VERSION}"], folder)
            attempt(["go", "build", "-o", readers / "jaeger", JAEGER], folder)
    if not list(readers.glob("zipkin-server-*.jar")):
        attempt(["mvn", "-q", "dependency:copy", f"-Dartifact={ZIPKIN}",
                 f"-DoutputDirectory={readers}"], readers)
    if not (readers / "node_modules" / CHROME).is_dir():
        attempt(["npm", "install", "--silent", "--prefix", readers, f"{CHROME}@{CHROME_VERSION}"],
                readers)


def attempt(words, folder):
    try:
        subprocess.run(words, cwd=folder, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"not installed: {error}")


@contextlib.contextmanager
def server(words, url, environment=None):
    """Runs a server until it is no longer needed."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([str(word) for word in words], stdout=log, stderr=log,
                                   env={**os.environ, **(environment or {})})
        try:
            wait_for(lambda: process.poll() is not None or fetch(url) is not None)
            if process.poll() is not None:
                log.seek(0)
                sys.exit(f"{words[0]} has ended:\n{log.read().decode(errors='replace')[-2000:]}")
            yield
        finally:
            process.terminate()
            process.wait()


def wait_for(done):
    until = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > until:
            sys.exit(f"no answer within {PATIENCE} s")
        time.sleep(0.2)


def fetch(url, body=None):
    """The JSON of a URL; nothing where there is none yet."""
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=30) as answer:
            text = answer.read()
    except (urllib.error.HTTPError, urllib.error.URLError, ConnectionError) as error:
        if body is not None:
            raise error
        return None
    return json.loads(text) if text else None


def free_ports(count):
    """Ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def run(*words):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))} ended with exit code {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    main()
