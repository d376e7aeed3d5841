"""instrumented: front → orders, accounts, stock → PostgreSQL, MariaDB; all with tracing libraries"""
import base64
import glob
import os
import shutil
import subprocess
import time

from harness.install import fail, run

PACKAGES = ["mariadb-server", "postgresql", "libpq5", "nodejs"]
# A Node that is not Debian's brings its own npm.
PACKAGES += [] if shutil.which("npm") else ["npm"]
IDS = ["w3c", "b3", "b3-single", "jaeger", "sw8", "datadog", "none"]
RATE, DURATION = 200, 30
HERE = os.path.dirname(os.path.realpath(__file__))
HOSTS = {"client": 2, "front": 3, "orders": 4, "stock": 5, "accounts": 6, "pg": 7, "maria": 8}
PORTS = {"front": 8080, "orders": 8081, "stock": 8082, "accounts": 8083, "pg": 5432, "maria": 3306}


def install(install):
    global python, node
    python = install.python("instrumented/python", os.path.join(HERE, "requirements.txt"))
    node = install.node("instrumented/node", os.path.join(HERE, "package.json"))


def address(name):
    return f"10.96.0.{HOSTS[name]}"


def build(lab):
    lab.net.namespace("node")
    lab.net.bridge("node", "services", "10.96.0.1/24")
    for name in HOSTS:
        lab.net.host(name, "node", "services", f"{address(name)}/24")
    lab.protocols = {port: "http" for port in range(8080, 8084)} | {5432: "postgresql", 3306: "mysql"}
    lab.services = {("pg", 5432): "postgresql", ("maria", 3306): "mariadb"}
    for name in ("front", "orders", "stock", "accounts"):
        lab.capture(name, "eth0", name)
    lab.capture("node", "services", "services")
    mariadb(lab)
    postgresql(lab)
    environment = libraries(lab)
    for name in ("accounts", "orders"):
        lab.start(name, name, f"{python}/bin/python", os.path.join(HERE, f"{name}.py"), **environment, DD_SERVICE=name)
    for name in ("stock", "front"):
        lab.start(name, name, "node", os.path.join(HERE, f"{name}.js"), **environment, DD_SERVICE=name)
    for name in ("accounts", "orders", "stock", "front"):
        lab.wait_port(name, PORTS[name])


def mariadb(lab):
    folder = os.path.join(lab.run, "maria")
    os.mkdir(folder)
    run("mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={folder}/data", "--skip-test-db",
        "--auth-root-authentication-method=normal")
    lab.start("maria", "mariadb", "mariadbd", "--no-defaults", "--user=root", f"--datadir={folder}/data",
              f"--bind-address={address('maria')}", "--port=3306", f"--socket={folder}/socket",
              f"--pid-file={folder}/pid", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M")
    lab.wait_port("maria", 3306)
    words = "CREATE DATABASE stock; USE stock; GRANT ALL ON stock.* TO lab@'10.96.0.%' IDENTIFIED BY 'correct horse';"
    run("mariadb", "--no-defaults", "-S", f"{folder}/socket", input=words + text("mariadb.sql"))


def postgresql(lab):
    """PostgreSQL does not run as root."""
    programs, folder = max(glob.glob("/usr/lib/postgresql/*/bin")), os.path.join(lab.run, "pg")
    os.mkdir(folder)
    shutil.chown(folder, "postgres", "postgres")
    as_postgres = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
    run(*as_postgres, f"{programs}/initdb", "-D", f"{folder}/data", "-A", "trust", "-E", "UTF8", "--no-sync",
        cwd=folder)
    with open(f"{folder}/data/pg_hba.conf", "a") as file:
        file.write("host lab lab 10.96.0.0/24 scram-sha-256\n")
    lab.start("pg", "postgresql", *as_postgres, f"{programs}/postgres", "-D", f"{folder}/data", "-h", address("pg"),
              "-k", folder, "-c", "fsync=off", "-c", "jit=off", "-c", "autovacuum=off", "-c", "shared_buffers=32MB",
              cwd=folder)
    lab.wait_port("pg", 5432)
    words = "CREATE USER lab PASSWORD 'lab'; CREATE DATABASE lab;\n\\c lab\n" + text("postgresql.sql")
    run(*as_postgres, "psql", "-qh", folder, "-v", "ON_ERROR_STOP=1", cwd=folder, input=words)


def text(name):
    with open(os.path.join(HERE, name)) as file:
        return file.read()


def libraries(lab):
    """The environment of the services; starts what takes the spans of libraries that do not write OTLP."""
    lab.reports, collector = lab.file("reports", ""), os.path.join(lab.run, "collector")
    environment = {
        "LAB_IDS": lab.ids, "LAB_REPORTS": lab.reports, "LAB_COLLECTOR": collector,
        "NODE_PATH": f"{node}/node_modules", "PSYCOPG_IMPL": "python", "NO_PROXY": "*",
        "OTEL_SEMCONV_STABILITY_OPT_IN": "http,database",
        "DD_TRACE_AGENT_URL": f"unix://{collector}", "DD_TRACE_API_VERSION": "v0.4", "DD_ENV": "lab",
        "DD_VERSION": "1.0",
        "DD_TRACE_PROPAGATION_STYLE": "datadog", "DD_DBM_PROPAGATION_MODE": "full",
        "DD_TRACE_REMOVE_INTEGRATION_SERVICE_NAMES_ENABLED": "true", "DD_TRACE_STARTUP_LOGS": "false",
        "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false", "DD_REMOTE_CONFIGURATION_ENABLED": "false",
    }
    if lab.ids in ("sw8", "datadog"):
        lab.start("node", "collector", f"{python}/bin/python", os.path.join(HERE, "collector.py"), lab.ids,
                  **environment)
        lab.wait("the collector", lambda: os.path.exists(collector))
    return environment


def load(lab):
    lab.send("client", address("front"), 8080, [request(lab, number) for number in range(lab.how_many())],
             connections=256, warm=4)
    spans = os.path.join(lab.out, "sdk.jsonl")
    if os.path.exists(spans):
        os.remove(spans)
    if lab.ids != "none":
        wait_for_reports(lab)
        run(f"{python}/bin/python", os.path.join(HERE, "spans.py"), lab.reports, spans)


def wait_for_reports(lab):
    """Libraries report now and then."""
    size, since, deadline = 0, time.monotonic(), time.monotonic() + 60
    while not size or time.monotonic() < since + 3:
        if time.monotonic() > deadline:
            fail("the libraries report no spans, or without end")
        if os.path.getsize(lab.reports) != size:
            size, since = os.path.getsize(lab.reports), time.monotonic()
        time.sleep(0.2)


def request(lab, number):
    """What a client asks; half of them have a tracing library of their own, and send an identifier."""
    draw = lab.random
    headers = identifiers(lab.ids, draw) if draw.random() < 0.5 else {}
    kind = draw.choices(["order", "make", "item", "account", "report"], [14, 11, 57, 14, 4])[0]
    item, account = 1 + min(199, int(draw.expovariate(1 / 30))), draw.randint(1, 510)
    if kind == "order":
        return "GET", f"/orders/{draw.randint(1, 5200)}", headers, ""
    if kind == "make":
        # Some of these numbers are taken.
        order = 10_000 + number if draw.random() < 0.95 else draw.randint(1, 5000)
        body = f'{{"number": {order}, "item": {item}, "account": {min(account, 500)}}}'
        return "POST", "/orders", {"Content-Type": "application/json", **headers}, body
    if kind == "item":
        return "GET", f"/items/{item if draw.random() < 0.97 else 999}", headers, ""
    if kind == "account":
        return "GET", f"/accounts/{account}", headers, ""
    return "GET", f"/report/{draw.randrange(3)}", headers, ""


def identifiers(ids, draw):
    """The headers of a traced client."""
    trace, span = draw.getrandbits(128) | 1 << 127, draw.getrandbits(64) | 1
    if ids == "w3c":
        return {"traceparent": f"00-{trace:032x}-{span:016x}-01"}
    if ids == "b3":
        return {"X-B3-TraceId": f"{trace:032x}", "X-B3-SpanId": f"{span:016x}", "X-B3-Sampled": "1"}
    if ids == "b3-single":
        return {"b3": f"{trace:032x}-{span:016x}-1"}
    if ids == "jaeger":
        return {"uber-trace-id": f"{trace:x}:{span:x}:0:1"}
    if ids == "sw8":
        words = [f"{trace:032x}", f"{span:032x}", 0, "browser", "1.0", "/", f"{address('front')}:8080"]
        coded = [str(word) if word == 0 else base64.b64encode(word.encode()).decode() for word in words]
        return {"sw8": "-".join(["1", *coded])}
    if ids == "datadog":
        return {"x-datadog-trace-id": str(trace & (1 << 64) - 1), "x-datadog-parent-id": str(span),
                "x-datadog-origin": "rum", "x-datadog-sampling-priority": "1"}
    return {}


def alone(row):
    """What the pools do as they are filled."""
    return row.protocol in ("postgresql", "mysql") and row.operation in (
        "login", "SET AUTOCOMMIT = 0", "SET NAMES utf8mb4")


def unmarked(row):
    return False
