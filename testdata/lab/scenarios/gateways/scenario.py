"""client → router (DNAT) → HAProxy → nginx → router (SNAT) → catalog ×3 → Redis, prices; two tenants in VXLAN"""
import os
import sys
import uuid

PACKAGES = ["haproxy", "nginx-light", "redis-server", "nftables"]
IDS = ["none", "gateway", "through", "echo", "w3c"]
RATE, DURATION = 250, 30
HERE = os.path.dirname(os.path.realpath(__file__))
FRONT, FRONT_PORT, FRONT_V6 = "10.97.9.1", 80, "fd97:1::2"
TENANTS = {"red": 7, "blue": 8}
# How often what is asked; `none` is not there.
MIX = {"items": 35, "baskets": 12, "orders": 16, "prices": 10, "read": 9, "write": 6, "files": 5, "none": 4,
       "slow": 1, "broken": 1, "nowhere": 1}

NAT = f"""
table ip nat {{
  chain to_gateway {{
    type nat hook prerouting priority dstnat
    ip daddr {FRONT} tcp dport {FRONT_PORT} dnat to 10.97.1.2:8080
  }}
  chain to_backends {{
    type nat hook postrouting priority srcnat
    ip saddr 10.97.1.0/24 oifname backends masquerade
  }}
}}
"""

HAPROXY = """
global
  nbthread 2
  maxconn 1000
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 1200ms
  option forwardfor
  option abortonclose
  option redispatch 1
  retries 2
  retry-on conn-failure empty-response
  http-reuse always
  option httpchk GET /health
  default-server check inter 1s
frontend edge
  bind 10.97.1.2:8080
  bind [fd97:1::2]:8080 v6only
  use_backend prices if { path_beg /prices/ }
  use_backend files if { path_beg /files/ }
  use_backend red if { path_beg /accounts/red/ }
  use_backend blue if { path_beg /accounts/blue/ }
  use_backend nowhere if { path_beg /nowhere/ }
  default_backend inner
  IDS
backend inner
  server inner 10.97.1.3:8081
backend prices
  balance roundrobin
  server prices 10.97.2.32:8083
  server refuses 10.97.2.32:8093 no-check
backend files
  balance roundrobin
  server jumbo 10.97.4.2:8087
  server offloads 10.97.5.2:8087
backend red
  retries 3
  retry-on conn-failure empty-response 503
  server accounts 10.97.2.41:8085
backend blue
  retries 3
  retry-on conn-failure empty-response 503
  server accounts 10.97.2.42:8085
backend nowhere
  server refuses 10.97.2.32:8093 no-check
"""
# Made at the gateway; some are told what theirs is.
HAPROXY_IDS = """
  unique-id-format %[uuid()]
  unique-id-header X-Request-ID
  acl told path_beg /orders
  http-request set-var(txn.told) bool(true) if told
  http-response set-header X-Request-ID %[unique-id] if { var(txn.told) -m bool }
"""

NGINX = """
daemon off;
pid RUN/nginx.pid;
error_log RUN/nginx.err;
worker_processes 2;
events {}
http {
  access_log off;
  client_body_temp_path RUN/body;
  proxy_temp_path RUN/proxy;
  fastcgi_temp_path RUN/fastcgi;
  uwsgi_temp_path RUN/uwsgi;
  scgi_temp_path RUN/scgi;
  keepalive_requests 100000;
  upstream catalog {
    server 10.97.2.11:8082 max_fails=0;
    server 10.97.2.12:8082 max_fails=0;
    server [fd97:2::13]:8082 max_fails=0;
    server 10.97.2.11:8092 max_fails=0;
    keepalive 16;
    keepalive_requests 100000;
  }
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_read_timeout 500ms;
  proxy_next_upstream error timeout http_503;
  proxy_next_upstream_tries 3;
  server {
    listen 10.97.1.3:8081;
    location / { proxy_pass http://catalog; }
    location /broken/ { proxy_pass http://10.97.2.11:8092; }
    location = /health { return 200; }
  }
}
"""


def install(install):
    pass


def build(lab):
    network(lab.net)
    lab.protocols = {FRONT_PORT: "http", 6379: "redis", **{port: "http" for port in range(8080, 8088)}}
    points = {
        "outside": ("router", "outside"), "dmz": ("router", "dmz"), "backends": ("router", "backends"),
        "edge": ("edge", "eth0"), "jumbo": ("edge", "jumbo"), "offloads": ("edge", "offloads"),
        "inner": ("inner", "eth0"),
        **{name: (name, "eth0") for name in ("catalog1", "catalog2", "catalog3", "files1", "files2", "node1", "node2")},
        **{tenant: (f"accounts-{tenant}", "tenant") for tenant in TENANTS},
    }
    for point, (namespace, interface) in points.items():
        lab.capture(namespace, interface, point)
    start_services(lab)
    start_gateways(lab)


def network(net):
    net.namespace("cli")
    net.namespace("router")
    net.cable("cli", "eth0", "router", "outside")
    for bridge, number in (("dmz", 1), ("backends", 2)):
        net.bridge("router", bridge, f"10.97.{number}.1/24")
        net.address("router", bridge, f"fd97:{number}::1/64")
    net.address("router", "outside", "10.97.0.1/24")
    net.address("router", "outside", "fd97::1/64")
    net.address("cli", "eth0", "10.97.0.2/24")
    net.address("cli", "eth0", "fd97::2/64")
    net.forward("router", NAT)
    net.route("cli", "default", "10.97.0.1")
    net.route("cli", "default", "fd97::1")
    for name, number in (("edge", 2), ("inner", 3)):
        net.host(name, "router", "dmz", f"10.97.1.{number}/24", via="10.97.1.1")
        net.address(name, "eth0", f"fd97:1::{number}/64")
        net.route(name, "default", "fd97:1::1")
    hosts = {"catalog1": 11, "catalog2": 12, "catalog3": 13, "redis": 31, "prices": 32, "audit": 33,
             "accounts-red": 41, "accounts-blue": 42}
    for name, number in hosts.items():
        net.host(name, "router", "backends", f"10.97.2.{number}/24", via="10.97.2.1")
    net.address("catalog3", "eth0", "fd97:2::13/64")
    net.route("catalog3", "default", "fd97:2::1")
    kinds = {"jumbo": {"mtu": 9000}, "offloads": {"offloads": True}}
    for name, interface, number in (("files1", "jumbo", 4), ("files2", "offloads", 5)):
        net.namespace(name)
        net.cable("edge", interface, name, "eth0", **kinds[interface])
        net.address("edge", interface, f"10.97.{number}.1/24")
        net.address(name, "eth0", f"10.97.{number}.2/24")
    tunnels(net)


def tunnels(net):
    """Two nodes, and on both a part of each tenant. The tenants have the same addresses, and ports."""
    net.namespace("node1")
    net.namespace("node2")
    net.cable("node1", "eth0", "node2", "eth0")
    net.address("node1", "eth0", "10.97.7.1/24")
    net.address("node2", "eth0", "10.97.7.2/24")
    for tenant, number in TENANTS.items():
        net.namespace(f"ledger-{tenant}")
        net.vxlan("node1", number, "10.97.7.1", "10.97.7.2", f"accounts-{tenant}", "tenant", "10.98.0.1/24")
        net.vxlan("node2", number, "10.97.7.2", "10.97.7.1", f"ledger-{tenant}", "tenant", "10.98.0.2/24")


def start_services(lab):
    more = {"through": {"HANDED_ON": "X-Request-ID"}, "echo": {"HANDED_ON": "X-Request-ID", "ECHOES": "yes"},
            "w3c": {"HANDED_ON": "traceparent"}}.get(lab.ids, {})

    def start(service, host, address, port):
        lab.start(host, host, sys.executable, os.path.join(HERE, "services.py"), service, host, address, port, **more)
        lab.services[host, port] = service

    lab.start("redis", "redis", "redis-server", "--bind", "10.97.2.31", "--save", "", "--protected-mode", "no")
    lab.wait_port("redis", 6379)
    for number in (1, 2):
        start("catalog", f"catalog{number}", f"10.97.2.1{number}", 8082)
        start("files", f"files{number}", f"10.97.{3 + number}.2", 8087)
    start("catalog", "catalog3", "fd97:2::13", 8082)
    start("prices", "prices", "10.97.2.32", 8083)
    start("audit", "audit", "10.97.2.33", 8084)
    for tenant, address in (("red", "10.97.2.41"), ("blue", "10.97.2.42")):
        start("accounts", f"accounts-{tenant}", address, 8085)
        start("ledger", f"ledger-{tenant}", "10.98.0.2", 8086)
    for host, port in lab.services:
        lab.wait_port(host, port)


def start_gateways(lab):
    lab.start("inner", "nginx", "nginx", "-p", lab.run, "-c", lab.file("nginx.conf", NGINX.replace("RUN", lab.run)))
    lab.wait_port("inner", 8081)
    ids = HAPROXY_IDS if lab.ids == "gateway" else ""
    lab.start("edge", "haproxy", "haproxy", "-db", "-f", lab.file("haproxy.cfg", HAPROXY.replace("  IDS\n", ids)))
    lab.wait_port("edge", 8080)


def load(lab):
    chance = lab.random
    requests = []
    for number in range(lab.how_many()):
        method, path, body = request(chance)
        headers = {}
        if lab.ids in ("through", "echo"):
            headers["X-Request-ID"] = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        elif lab.ids == "w3c":
            headers["traceparent"] = f"00-{chance.getrandbits(128):032x}-{chance.getrandbits(64):016x}-01"
        hangs_up = [chance.uniform(0.005, 0.06)] if chance.random() < 0.02 else []
        requests.append((method, path, headers, body, *hangs_up))
    lab.send("cli", FRONT, FRONT_PORT, requests, connections=256, more=[(FRONT_V6, 8080)])


def request(chance):
    """What a client asks: method, path, body."""
    kind, = chance.choices(list(MIX), list(MIX.values()))
    # Some items are asked for often; the last ones are unknown to prices.
    item, account = int(950 * chance.random() ** 3), f"{chance.choice(list(TENANTS))}/{chance.randrange(40)}"
    if kind == "baskets":
        return "GET", f"/baskets/{','.join(str(chance.randrange(900)) for _ in range(chance.randint(2, 4)))}", ""
    if kind == "orders":
        order = f"{chance.randrange(10 ** 8):08}"
        return "POST", "/orders", f'{{"order": "{order}", "item": {item}, "count": {chance.randint(1, 5)}}}'
    if kind == "read":
        return "GET", f"/accounts/{account}", ""
    if kind == "write":
        return "POST", f"/accounts/{account}", f'{{"amount": {chance.randint(1, 500)}}}'
    if kind == "files":
        return "GET", f"/files/{chance.randint(20, 100)}", ""
    return "GET", f"/{kind}/{item}", ""


def alone(row):
    """Nobody asks for the checks of a gateway."""
    return row.operation == "GET /health"
