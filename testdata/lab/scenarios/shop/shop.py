"""The shop: what its scenarios share. Its services ask each other over HTTP or over Dubbo."""
import hashlib
import json
import os
import subprocess

PACKAGES = ["nginx-light", "mariadb-server", "redis-server", "openjdk-17-jdk-headless", "maven"]
WARM_UP = 1500

HERE = os.path.dirname(os.path.realpath(__file__))
GATEWAY, OUTSIDE, DATABASE, CACHE = "10.96.0.2", "10.96.1.1", "10.96.0.6", "10.96.0.7"
# Services of the jar: name of the host, address, port.
SERVICES = {
    "orders": ("ord", "10.96.0.3", 8081),
    "users": ("usr", "10.96.0.4", 8082),
    "items": ("itm", "10.96.0.5", 8083),
}
# Where they serve each other, if not over HTTP.
DUBBO = 20880
USERS, ITEMS, CATEGORIES, ORDERS = 300, 400, 20, 2000

# What nginx adds to a request, from the 32 hexadecimal digits that it makes for each.
IDENTIFIERS = {
    "none": (),
    "gateway": ("X-Request-ID $request_id",),
    "through": ("X-Request-ID $request_id",),
    "w3c": ("traceparent 00-$request_id-$first_half-01",),
    "b3": ("X-B3-TraceId $request_id", "X-B3-SpanId $first_half", "X-B3-Sampled 1"),
    "sw8": ("sw8 1-$trace-$segment-0-$service-$instance-$endpoint-$peer",),
}
# The fields of SkyWalking's identifier, in base64. The numbers of a trace and of a segment are a process, a thread,
# and a count.
SKYWALKING = {"trace": "$request_id.1.1", "segment": "$second_half$first_half.1.2", "service": "gateway",
              "instance": f"nginx@{GATEWAY}", "endpoint": "$request_method:$uri"}

jars = None


def install(install):
    global jars
    jars = install.maven("shop", os.path.join(HERE, "app"))


def build(lab, calls):
    """Builds it; `calls` is how services ask each other, `http` or `dubbo`."""
    network(lab)
    lab.protocols = {8080: "http", 3306: "mysql", 6379: "redis", DUBBO: "dubbo"}
    lab.protocols |= {port: "http" for _, _, port in SERVICES.values()}
    lab.services = {(host, at): name for name, (host, _, port) in SERVICES.items() for at in (port, DUBBO)}
    lab.services |= {("gw", 8080): "gateway", ("db", 3306): "mariadb", ("red", 6379): "redis"}
    stores(lab)
    services(lab, calls)
    gateway(lab)
    # Java takes its time at first. It has most of its connections before the captures begin.
    lab.warm_up("cli", OUTSIDE, 8080, requests(lab, WARM_UP))
    lab.capture("gw", "outside", "outside")
    lab.capture("sw", "services", "bridge")
    for host, point in (("gw", "gateway"), ("ord", "orders"), ("usr", "users"), ("itm", "items")):
        lab.capture(host, "eth0", point)
    lab.capture("db", "eth0", "mariadb")
    lab.capture("red", "eth0", "redis")


def network(lab):
    net = lab.net
    net.namespace("sw")
    net.bridge("sw", "services", "10.96.0.1/24")
    net.host("gw", "sw", "services", f"{GATEWAY}/24")
    net.host("db", "sw", "services", f"{DATABASE}/24")
    net.host("red", "sw", "services", f"{CACHE}/24")
    for host, address, _ in SERVICES.values():
        net.host(host, "sw", "services", f"{address}/24")
    net.namespace("cli")
    net.cable("gw", "outside", "cli", "eth0")
    for host, interface, address in (("gw", "outside", OUTSIDE), ("cli", "eth0", "10.96.1.2")):
        net.address(host, interface, f"{address}/24")
        net.hosts[address] = host


def stores(lab):
    data, socket = os.path.join(lab.run, "data"), os.path.join(lab.run, "mariadb.socket")
    lab.start("red", "redis", "redis-server", "--bind", CACHE, "--save", "", "--protected-mode", "no")
    subprocess.run(["mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={data}", "--skip-test-db",
                    "--auth-root-authentication-method=normal"], check=True, stdout=subprocess.DEVNULL)
    lab.start("db", "mariadb", "mariadbd", "--no-defaults", "--user=root", f"--datadir={data}", f"--socket={socket}",
              f"--bind-address={DATABASE}", f"--pid-file={lab.run}/mariadb.pid", "--skip-name-resolve",
              "--innodb-flush-log-at-trx-commit=0")
    lab.wait_port("db", 3306)
    with open(os.path.join(HERE, "shop.sql")) as statements:
        subprocess.run(["mariadb", "--no-defaults", f"--socket={socket}"], stdin=statements, check=True)
    lab.wait_port("red", 6379)


def services(lab, calls):
    others = [f"--shop.{name}={calls}://{address}:{DUBBO if calls == 'dubbo' else port}"
              for name, (_, address, port) in SERVICES.items()]
    # Hessian takes exceptions apart.
    opened = ["--add-opens=java.base/java.lang=ALL-UNNAMED"] if calls == "dubbo" else []
    for number, (name, (host, address, port)) in enumerate(SERVICES.items(), 1):
        lab.start(host, name, "java", *opened, "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
                  f"-Dlab.ids={lab.ids}", f"-Dlab.process={number}", f"-Dlab.seed={lab.seed}",
                  # Dubbo may write to the home.
                  f"-Dlab.service={name}", f"-Duser.home={lab.run}",
                  "-cp", f"{jars}/*:{jars}/lib/*", "shop.Shop", f"--spring.profiles.active={name}",
                  f"--server.address={address}", f"--shop.database={DATABASE}", f"--shop.cache={CACHE}",
                  f"--shop.calls={calls}", *others)
    for host, _, port in SERVICES.values():
        lab.wait_port(host, port, 120)
        if calls == "dubbo":
            lab.wait_port(host, DUBBO, 120)


def gateway(lab):
    pools = "\n".join(f"  upstream {name} {{ server {address}:{port}; keepalive 32; }}"
                      for name, (_, address, port) in SERVICES.items())
    added = "\n".join(f"    proxy_set_header {field};" for field in IDENTIFIERS[lab.ids])
    temporary = "\n".join(f"  {kind}_temp_path {lab.run}/{kind};"
                          for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    modules, encoded, peers = "", "", {}
    if lab.ids == "sw8":
        modules = "".join(f"load_module /usr/lib/nginx/modules/{name}.so;\n"
                          for name in ("ndk_http_module", "ngx_http_set_misc_module"))
        encoded = "\n".join(f"    set_encode_base64 ${field} {text};" for field, text in SKYWALKING.items())
        peers = {name: f"set_encode_base64 $peer {address}:{port}; " for name, (_, address, port) in SERVICES.items()}
    places = "\n".join(f"    location /{name} {{ {peers.get(name, '')}proxy_pass http://{name}; }}" for name in SERVICES)
    conf = lab.file("nginx.conf", f"""\
{modules}daemon off;
pid {lab.run}/nginx.pid;
worker_processes 2;
error_log stderr;
events {{}}
http {{
  access_log off;
{temporary}
  map $request_id $first_half {{ "~^(?<half>.{{16}})" $half; }}
  map $request_id $second_half {{ "~(?<other_half>.{{16}})$" $other_half; }}
{pools}
  server {{
    listen {OUTSIDE}:8080;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
{encoded}
{added}
{places}
  }}
}}
""")
    lab.start("gw", "nginx", "nginx", "-c", conf, "-p", lab.run)
    lab.wait_port("gw", 8080)


def load(lab):
    lab.send("cli", OUTSIDE, 8080, requests(lab, lab.how_many()), connections=128)


def requests(lab, count):
    return [request(lab.random) for _ in range(count)]


def request(random):
    """One of what a browser asks, some of it wrong."""
    user = random.randint(1, USERS)
    token = {"Authorization": "Bearer " + hashlib.md5(f"token {user}".encode()).hexdigest()[:12]}
    kind = random.random()
    if kind < 0.24:
        return "GET", f"/orders/{random.randint(1, ORDERS)}", token, ""
    if kind < 0.34:
        return "POST", "/orders", {**token, "Content-Type": "application/json"}, order(random)
    if kind < 0.46:
        return "GET", f"/items?category={random.randrange(CATEGORIES)}&page={random.randrange(2)}", {}, ""
    if kind < 0.80:
        return "GET", f"/items/{popular(random)}", {}, ""
    if kind < 0.94:
        return "GET", f"/users/{user}", {}, ""
    return random.choice([
        ("GET", f"/orders/{ORDERS + random.randint(10**6, 2 * 10**6)}", token, ""),
        ("GET", f"/orders/{random.randint(1, ORDERS)}", {"Authorization": f"Bearer {random.getrandbits(48):012x}"}, ""),
        ("GET", f"/users/{USERS + random.randint(1, 1000)}", {}, ""),
        ("GET", f"/items?category={random.randrange(CATEGORIES)}&sort=colour", {}, ""),
        # The reference of another order, a body that is none, and a place that is not there.
        ("POST", "/orders", {**token, "Content-Type": "application/json"},
         json.dumps({"reference": f"old{random.randint(1, ORDERS):07}", "lines": []})),
        ("POST", "/orders", {**token, "Content-Type": "application/json"}, '{"reference": '),
        ("GET", "/basket", {}, ""),
    ])


def order(random):
    lines = [{"item": popular(random), "quantity": random.randint(1, 3)} for _ in range(random.randint(1, 3))]
    return json.dumps({"reference": f"{random.getrandbits(40):010x}", "lines": lines})


def popular(random):
    """An item, the first ones more often."""
    return 1 + int(ITEMS * random.random() ** 2)
