"""bookinfo: gateway → product page → details, reviews (3 versions) → ratings → MariaDB; each pod with a sidecar

The demo of service meshes, on two nodes: Envoy and HAProxy as sidecars, to which nftables redirects
what comes in and what goes out.
"""
import glob
import json
import os
import shutil
import subprocess
import sys
import time

import proxies
from harness import marks

PACKAGES = ["nftables", "haproxy", "ruby", "ruby-webrick", "openjdk-17-jdk-headless", "mariadb-server", "nodejs",
            "python3-venv"]
# A Node that is not Debian's brings its own npm.
PACKAGES += [] if shutil.which("npm") else ["npm"]
IDS = ["none", "gateway", "through", "b3", "w3c"]
RATE, DURATION = 200, 30
HERE = os.path.dirname(os.path.realpath(__file__))

# Where each pod is: its node, and its address on it.
PODS = {
    "productpage": (1, "10.96.1.3"), "details": (1, "10.96.1.4"), "reviews-v1": (1, "10.96.1.5"),
    "reviews-v2": (2, "10.96.2.2"), "reviews-v3": (2, "10.96.2.3"), "ratings": (2, "10.96.2.4"),
    "mariadb": (2, "10.96.2.5"),
}
ADDRESS = {name: address for name, (_, address) in PODS.items()}
PORT = {name: 3306 if name == "mariadb" else 9080 for name in PODS}
# Virtual addresses of services; no packet has them outside of a pod.
SERVICES = {"details": "10.96.100.1", "reviews": "10.96.100.2", "ratings": "10.96.100.3"}
OUTSIDE, INGRESS = "10.96.0.1", 8080
# The headers that services pass on.
PASSED = {"through": "x-request-id", "b3": "x-b3-traceid x-b3-spanid x-b3-sampled", "w3c": "traceparent"}

libraries = {}


def install(install):
    libraries["python"] = install.python("bookinfo/python", os.path.join(HERE, "requirements.txt"))
    libraries["node"] = install.node("bookinfo/node", os.path.join(HERE, "ratings", "package.json"))


def build(lab):
    network(lab)
    lab.protocols = {INGRESS: "http", 9080: "http", proxies.OUTBOUND: "http", 3306: "mysql", proxies.MYSQL: "mysql"}
    shared = {"PASS": PASSED.get(lab.ids, ""), "SEED": 1, "DATABASE": ADDRESS["mariadb"],
              **{name.upper(): f"http://{address}:9080" for name, address in SERVICES.items()}}
    database(lab)
    python = os.path.join(libraries["python"], "bin", "python")
    lab.start("productpage", "productpage", python, f"{HERE}/productpage/productpage.py", **shared)
    lab.start("details", "details", "ruby", f"{HERE}/details/details.rb", **shared)
    lab.start("ratings", "ratings", "node", f"{HERE}/ratings/ratings.js", **shared,
              NODE_PATH=os.path.join(libraries["node"], "node_modules"))
    for version in (1, 2, 3):
        # Without Nagle's algorithm, which makes answers wait for 40 ms.
        lab.start(f"reviews-v{version}", f"reviews-v{version}", "java", "-Xmx64m", "-XX:+UseSerialGC",
                  "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Dsun.net.httpserver.nodelay=true",
                  f"{HERE}/reviews/Reviews.java", **shared, VERSION=version)
    for pod in PODS:
        lab.wait_port(pod, PORT[pod])
    warm_up(lab)
    captures(lab)
    sidecars(lab, lab.ids in ("gateway", "through"))


def warm_up(lab):
    """Asks each application, while it reaches no other for want of sidecars, so that its code is compiled."""
    asked = []
    for pod, path in (("productpage", "/productpage?id=1"), ("details", "/details/1"), ("ratings", "/ratings/1"),
                      *((f"reviews-v{version}", "/reviews/1") for version in (1, 2, 3))):
        requests = [[number / 50, "GET", path, {marks.HEADER: marks.root(1)}, ""] for number in range(100)]
        plan = {"fronts": [("127.0.0.1", 9080)], "connections": 8, "requests": requests}
        file = lab.file(f"{pod}-warm-up.json", json.dumps(plan))
        asked.append(lab.start(pod, f"{pod}-warm-up", sys.executable, "-m", "harness.load", file, os.devnull))
    for process in asked:
        process.wait()
    lab.processes = [one for one in lab.processes if one[0] not in asked]


def network(lab):
    """Two nodes with a bridge each, a router between them, and a gateway that the client reaches from outside."""
    net = lab.net
    net.namespace("router")
    for node in (1, 2):
        net.namespace(f"node{node}")
        net.bridge(f"node{node}", "pods")
        net.cable("router", f"node{node}", f"node{node}", "router")
        net.ip("-n", f"{net.prefix}-node{node}", "link", "set", "dev", "router", "master", "pods")
        net.address("router", f"node{node}", f"10.96.{node}.1/24")
    net.sysctl("router", "net/ipv4/ip_forward", 1)
    net.host("gateway", "node1", "pods", "10.96.1.2/24", via="10.96.1.1")
    net.namespace("client")
    net.cable("client", "eth0", "gateway", "outside")
    net.address("client", "eth0", "10.96.0.2/24")
    net.address("gateway", "outside", f"{OUTSIDE}/24")
    net.hosts |= {"10.96.0.2": "client", OUTSIDE: "gateway"}
    for pod, (node, address) in PODS.items():
        net.host(pod, f"node{node}", "pods", f"{address}/24", via=f"10.96.{node}.1")
        rules = lab.file(f"{pod}.nft", proxies.redirect(PORT[pod]))
        subprocess.run(net.inside(pod, "nft", "-f", rules), check=True)
        # eth0 is the sidecar's; the loopback interface is between it and the application.
        sidecar = net.hosts[address] = f"{pod}-sidecar"
        lab.on_loopback |= {(pod, port): (pod, sidecar) for port in (proxies.OUTBOUND, proxies.MYSQL)}
        lab.on_loopback |= {(pod, port): (sidecar, pod) for port in (9080, 3306)}


def captures(lab):
    lab.capture("gateway", "outside", "outside", filter="tcp")
    for node in (1, 2):
        lab.capture(f"node{node}", "pods", f"node{node}", filter="tcp")
    for pod in PODS:
        lab.capture(pod, "eth0", pod, filter="tcp")
        lab.capture(pod, "lo", f"{pod}-lo", filter="tcp")


def sidecars(lab, request_ids):
    """Starts the gateway and all sidecars."""
    envoy, = glob.glob(os.path.join(libraries["python"], "lib", "*", "site-packages", "envoy", "_bin", "envoy"))
    versions = {f"reviews-v{version}": 1 for version in (1, 2, 3)}
    to_ratings = {SERVICES["ratings"]: proxies.route({"ratings": 1}, "2s")}
    from_page = {SERVICES["details"]: proxies.route({"details": 1}, "1s", retries=1),
                 SERVICES["reviews"]: proxies.route(versions, "1s", retries=2), **to_ratings}
    outbound = {"productpage": from_page, "details": {}, "reviews-v1": {}, "reviews-v2": to_ratings,
                "reviews-v3": to_ratings}
    configurations = {"gateway": proxies.envoy_gateway(OUTSIDE, INGRESS, ADDRESS["productpage"], request_ids)}
    for pod, services in outbound.items():
        configurations[pod] = proxies.envoy_sidecar(services, ADDRESS, request_ids)
    for pod, configuration in configurations.items():
        file = lab.file(f"{pod}-envoy.json", json.dumps(configuration))
        as_sidecar(lab, pod, envoy, "-c", file, "--concurrency", 2, "--disable-hot-restart", "--log-level", "warning")
    for pod in ("ratings", "mariadb"):
        file = lab.file(f"{pod}-haproxy.cfg", proxies.haproxy_sidecar(PORT[pod], ADDRESS["mariadb"], request_ids))
        as_sidecar(lab, pod, "haproxy", "-db", "-f", file)
    lab.wait_port("gateway", INGRESS)
    for pod in PODS:
        lab.wait_port(pod, proxies.INBOUND if pod != "mariadb" else proxies.MYSQL)


def as_sidecar(lab, pod, *command):
    # To change the group forgets that the end of the lab is the end of it.
    lab.start(pod, f"{pod}-sidecar", "setpriv", "--regid", proxies.GROUP, "--clear-groups", "--pdeathsig", "TERM",
              *command)


def database(lab):
    folder = os.path.join(lab.run, "mariadb")
    with open(os.path.join(lab.run, "install-mariadb.log"), "w") as log:
        subprocess.run(["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={folder}", "--skip-test-db",
                        "--auth-root-authentication-method=normal"], stdout=log, stderr=log, check=True)
    lab.start("mariadb", "mariadb", "mariadbd", "--no-defaults", "--user=root", f"--datadir={folder}",
              "--bind-address=127.0.0.1", "--port=3306", f"--socket={lab.run}/mariadb.sock",
              f"--pid-file={lab.run}/mariadb.pid", "--skip-name-resolve",
              "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=16M",
              f"--init-file={HERE}/ratings/schema.sql")
    lab.wait_port("mariadb", 3306)


def load(lab):
    requests = [request(lab) for _ in range(lab.how_many())]
    lab.send("client", OUTSIDE, INGRESS, requests, connections=400)
    # What is done after the last answer.
    time.sleep(1)


def request(lab):
    """What a client asks: mostly pages, mostly of few books; one book in 50 is not there."""
    random = lab.random
    book = 500 + random.randrange(100) if random.random() < 0.02 else min(int(random.expovariate(1 / 60)), 499)
    api = f"/api/v1/products/{book}"
    kind = random.choices(["page", "product", "reviews", "ratings", "rate"], [40, 25, 10, 15, 10])[0]
    headers = identifiers(lab)
    if kind == "rate":
        # The reviewer of before cannot rate it once more.
        reviewer = 1 + book % 40 if random.random() < 0.2 else random.randrange(1, 101)
        rating = {"reviewer": reviewer, "stars": random.randrange(1, 6)}
        return "POST", f"{api}/ratings", {"Content-Type": "application/json", **headers}, json.dumps(rating)
    path = {"page": f"/productpage?id={book}", "product": api}.get(kind, f"{api}/{kind}")
    return "GET", path, headers, ""


def identifiers(lab):
    trace, span = f"{lab.random.getrandbits(128):032x}", f"{lab.random.getrandbits(64):016x}"
    if lab.ids == "b3":
        return {"X-B3-TraceId": trace, "X-B3-SpanId": span, "X-B3-Sampled": "1"}
    if lab.ids == "w3c":
        return {"traceparent": f"00-{trace}-{span}-01"}
    return {}


def unmarked(row):
    return row.protocol == "mysql" and row.operation == "login"
