"""calls.py nghttp2|nginx HOST LOG [--small]: asks by nghttp, h2load and curl, and writes down what they say.

Each call has a number of its own in its address, so that each is known again.
"""
import json
import os
import re
import subprocess
import sys
import tempfile
import time

kind, host, log_path = sys.argv[1:4]
small = "--small" in sys.argv
log = open(log_path, "w")
number = 0


def address(path, port):
    """With a number of its own."""
    global number
    number += 1
    return f"http://{host}:{port}{path}?n={number}"


def path_of(url):
    return "/" + url.split("/", 3)[3]


def row(begin, method, path, code, protocol="http2", **more):
    write({"begin": begin, "end": time.time_ns(), "protocol": protocol, "method": method, "path": path, "code": code, **more})


def write(fields):
    path, _, identity = fields["path"].partition("?n=")
    # What is pushed has none.
    log.write(json.dumps({**fields, "path": path, **({"id": identity} if identity else {})}) + "\n")


def run(*command):
    begin = time.time_ns()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout[-2000:]}")
    return begin, done.stdout


# A line of nghttp's statistics; a star says that the server sent it unasked.
STATISTICS = re.compile(r"^ *(\d+) +\+\S+ +(\*?) *\+\S+ +\S+ +(\d+) +\S+ (/\S*)$", re.M)


def nghttp(*addresses, options=(), method="GET", expected=None, upgrade=False):
    begin, said = run("nghttp", "-n", "-s", *options, *addresses)
    found = STATISTICS.findall(said)
    asked = [line for line in found if not line[1]]
    if len(asked) != (expected or len(addresses)):
        sys.exit(f"nghttp tells of {len(asked)} calls:\n{said}")
    for stream, pushed, code, path in found:
        # With a body, what asks for the upgrade is a request of its own, which nghttp does not tell of.
        row(begin, "GET" if pushed else method, path, int(code), **({"pushed": True} if pushed else {}),
            **({"upgraded": True} if upgrade and stream == "1" else {}))


def h2load(url, count, *options):
    with tempfile.TemporaryDirectory() as folder:
        times = os.path.join(folder, "log")
        _, said = run("h2load", "-n", str(count), f"--log-file={times}", *options, url)
        if f" {count} succeeded" not in said and f" {count} done" not in said:
            sys.exit(said)
        with open(times) as file:
            for line in file:
                # Microseconds: when it began, and how long it took.
                begin, code, took = map(int, line.split())
                write({"begin": begin * 1000, "end": (begin + took) * 1000, "protocol": "http2", "method": "GET",
                       "path": path_of(url), "code": code})


def curl(url, *options, method="GET", protocol="http2", **more):
    begin, said = run("curl", "-s", "-o", os.devnull, "-w", "%{http_code} %{http_version}", *options, url)
    code, version = said.split()
    if version != {"http2": "2", "http": "1.1"}[protocol]:
        sys.exit(f"curl spoke HTTP/{version}: {url}")
    row(begin, method, path_of(url), int(code), protocol, **more)


def body(size):
    file = tempfile.NamedTemporaryFile()
    file.write(b"q=1&" * (size // 4))
    file.flush()
    return file


def of_nghttp2():
    plain, proxy = 8080, 3000
    form, upload = body(3000), body(60_000 if small else 2_000_000)
    # The server pushes a second file with this one.
    nghttp(address("/index.html", plain))
    nghttp(address("/index.html", plain), options=["--no-push"])
    nghttp(address("/index.html", plain), address("/style.css", plain), address("/absent", plain), options=["--no-dep"])
    nghttp(address("/style.css", plain), address("/plain.txt", plain), options=["-p", "200", "-p", "3", "--padding=100"])
    nghttp(address("/plain.txt", plain), options=["-d", form.name, "--trailer", "lab: yes"], method="POST")
    nghttp(address("/plain.txt", plain), options=["--expect-continue", "-d", upload.name, "-H:method: PUT"], method="PUT")
    nghttp(address("/style.css", plain), options=["-w", "10", "-W", "10"])
    # More headers than fit into one frame.
    nghttp(address("/plain.txt", plain), options=["--continuation"])
    nghttp(address("/style.css", plain), options=["-m", "8", "-c", "0", "-c", "256"], expected=8)
    # nghttpx takes the upgrade from HTTP/1; the server behind it pushes there too.
    nghttp(address("/plain.txt", proxy), options=["-u"], upgrade=True)
    nghttp(address("/index.html", proxy), address("/style.css", proxy), options=["-u"], upgrade=True)
    curl(address("/plain.txt", proxy), "--http2", upgraded=True)
    curl(address("/absent", plain), "--http2-prior-knowledge")
    curl(address("/plain.txt", plain), "--http2-prior-knowledge", "-d", "@" + form.name, method="POST")
    h2load(address("/plain.txt", plain), 20 if small else 2000, "-c", "2", "-m", "4")
    if not small:
        h2load(address("/style.css", plain), 1000, "-c", "4", "-m", "32")
        h2load(address("/big.txt", plain), 12, "-c", "2", "-m", "3")
        nghttp(address("/big.txt", plain), address("/big.txt", plain), options=["-w", "12"])


def of_nginx():
    http2, http1 = 8081, 8082
    form = body(3000)
    curl(address("/file.txt", http2), "--http2-prior-knowledge")
    curl(address("/absent", http2), "--http2-prior-knowledge")
    curl(address("/moved", http2), "--http2-prior-knowledge")
    curl(address("/behind/file.txt", http2), "--http2-prior-knowledge", "-H", "x-request-id: lab-1")
    curl(address("/behind/down", http2), "--http2-prior-knowledge")
    curl(address("/behind/taken", http2), "--http2-prior-knowledge", "-d", "@" + form.name, method="POST")
    curl(address("/file.txt", http2), "--http2-prior-knowledge", "-I", method="HEAD")
    curl(address("/zipped.txt", http2), "--http2-prior-knowledge", "--compressed")
    # What does not take the upgrade answers as if it had not been asked.
    curl(address("/file.txt", http1), "--http2", protocol="http")
    nghttp(address("/file.txt", http2), address("/zipped.txt", http2), address("/behind/file.txt", http2))
    h2load(address("/file.txt", http2), 20 if small else 2000, "-c", "4", "-m", "16")
    if not small:
        h2load(address("/behind/file.txt", http2), 500, "-c", "2", "-m", "8")
        h2load(address("/big.txt", http2), 12, "-c", "2", "-m", "3")


{"nghttp2": of_nghttp2, "nginx": of_nginx}[kind]()
log.close()
