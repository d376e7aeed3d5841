"""A run of a scenario: hosts, servers, captures, requests, and in the end the truth."""
import collections
import glob
import ipaddress
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from . import exchanges, marks, packets, streams, truth
from .install import fail, say
from .net import Net

REPORT = "report.json"
HERE = os.path.dirname(os.path.realpath(__file__))
# Parts in a million by which a clock that is off runs fast or slow, at most.
DRIFT = 50
# The share of requests that may be sent late.
LATE = 0.01
LOOPBACK = ("127.0.0.1", "::1")


class Lab:
    """What a scenario builds with; as a context, it takes all down in the end."""

    def __init__(self, name, given):
        self.name, self.out = name, given.out
        self.rate, self.ids, self.seed, self.requests_wanted = given.rate, given.ids, given.seed, given.requests
        self.duration = given.requests / given.rate if given.requests else given.duration
        self.random = random.Random(f"{name} {given.seed}")
        self.net = Net(os.environ.get("prefix", "wslab"))
        self.processes, self.captures, self.files = [], [], collections.OrderedDict()
        self.protocols, self.services = {}, {}
        self.names_at, self.sent = {}, None
        self.split, self.tap, self.clocks = given.split or given.tap or given.clocks is not None, given.tap, given.clocks
        self.cables, self.interfaces = {}, {}
        if given.delay or given.loss:
            self.net.lay_wire = lambda namespace: self.start(
                namespace, namespace, sys.executable, "-m", "harness.wire", given.delay, given.loss, f"{given.seed} {namespace}")
        # Programs that share a host, such as a service and its sidecar: who asks and who serves on the
        # loopback interface of a namespace, as {(namespace, port of the server): (client, server)}.
        self.on_loopback = {}
        # Bytes of the side log of what was called before anything was captured.
        self.side_before = None

    def __enter__(self):
        self.clear_out()
        self.run = tempfile.mkdtemp(prefix="wslab-")
        os.chmod(self.run, 0o755)
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(143))
        self.side = os.path.join(self.run, "side.tsv")
        open(self.side, "w").close()
        os.chmod(self.side, 0o666)
        return self

    def __exit__(self, *_):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for process, _ in self.processes:
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + 8
        for process, _ in self.processes:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                pass
        # What a server has started may outlive it.
        for full in self.net.namespaces:
            for pid in subprocess.run(["ip", "netns", "pids", full], stdout=subprocess.PIPE, text=True).stdout.split():
                kill(int(pid))
        for process, _ in self.processes:
            process.wait()
        for pid in self.own_processes():
            kill(pid)
        self.net.close()
        shutil.rmtree(self.run, ignore_errors=True)
        left = list(self.left())
        if left:
            fail(f"this is left behind: {', '.join(left)}")

    def own_processes(self):
        """All processes of this run: each has the side log in its environment."""
        sign = f"LAB_SIDE={self.side}".encode()
        for path in glob.glob("/proc/[0-9]*/environ"):
            try:
                with open(path, "rb") as file:
                    if sign in file.read().split(b"\0"):
                        yield int(path.split("/")[2])
            except OSError:
                pass

    def left(self):
        """What of this run is still there."""
        deadline = time.monotonic() + 5
        while any(True for _ in self.own_processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        yield from (f"process {pid}" for pid in self.own_processes())
        yield from glob.glob(f"/run/netns/{self.net.prefix}-*")
        with open("/proc/self/mounts") as file:
            yield from (f"mount {line.split()[1]}" for line in file if self.run in line or f"/{self.net.prefix}-" in line)
        if os.path.exists(self.run):
            yield self.run

    def clear_out(self):
        """Makes OUT, or takes away what an earlier run wrote there; what is of others stays, and stops this."""
        os.makedirs(self.out, exist_ok=True)
        try:
            with open(os.path.join(self.out, REPORT)) as file:
                written = json.load(file)["files"]
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError):
            written = []
        others = sorted(set(os.listdir(self.out)) - {REPORT, *written})
        if others or not written and os.listdir(self.out):
            fail(f"{self.out} holds {(others or [REPORT])[0]}, which no run of the lab wrote: name an empty folder, or a new one")
        for name in (*written, REPORT):
            if os.path.exists(os.path.join(self.out, name)):
                os.remove(os.path.join(self.out, name))

    # Servers.

    def start(self, namespace, name, *command, cwd=None, **environment):
        """Starts a server, which ends with the lab at the latest. It finds the side log at $LAB_SIDE, and
        the modules for marks on PYTHONPATH."""
        log = open(os.path.join(self.run, f"{name}.log"), "wb")
        variables = {**os.environ, "LAB_SIDE": self.side, "TMPDIR": self.run, "PYTHONPATH": os.path.dirname(HERE),
                     "PYTHONDONTWRITEBYTECODE": "1", **{key: str(value) for key, value in environment.items()}}
        command = self.net.inside(namespace, "setpriv", "--pdeathsig", "TERM", *map(str, command))
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=variables, cwd=cwd or self.run)
        self.processes.append((process, name))
        return process

    def wait(self, what, test, seconds=60):
        """Waits until something is so; ends with the last words of all servers if it does not come."""
        deadline = time.monotonic() + seconds
        while not test():
            ended = [name for process, name in self.processes if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                self.show_logs(ended)
                fail(f"{', '.join(ended)} ended" if ended else f"{what} did not come within {seconds} s")
            time.sleep(0.05)

    def show_logs(self, names=()):
        for path in sorted(glob.glob(os.path.join(self.run, "*.log"))):
            if not names or os.path.basename(path)[:-4] in names:
                with open(path, errors="replace") as file:
                    words = file.read().splitlines()[-15:]
                if words:
                    print(f"--- {os.path.basename(path)}", *words, sep="\n", file=sys.stderr)

    def wait_port(self, namespace, port, seconds=60):
        self.wait(f"port {port} of {namespace}", lambda: self.listens(namespace, port), seconds)

    def listens(self, namespace, port):
        command = self.net.inside(namespace, "ss", "-Hlntu", f"sport = :{port}")
        return bool(subprocess.run(command, stdout=subprocess.PIPE).stdout.strip())

    def file(self, name, text):
        """A file for a server, with its path."""
        path = os.path.join(self.run, name)
        with open(path, "w") as file:
            file.write(text)
        return path

    # Captures.

    def capture(self, namespace, interface, point, *options, file="capture.pcapng", filter=""):
        """Captures at an interface from now on, as the point of this name."""
        if self.side_before is None:
            self.side_before = os.path.getsize(self.side)
        raw, log = os.path.join(self.run, f"{point}.pcap"), os.path.join(self.run, f"tcpdump-{point}.log")
        command = self.net.inside(namespace, "setpriv", "--pdeathsig", "TERM", "tcpdump", "-i", interface, "-s", "0",
                                  "-B", "65536", "-U", "-Z", "root", "--time-stamp-precision=nano", "-w", raw, *options, *filter.split())
        with open(log, "wb") as words:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=words, stderr=words)
        self.processes.append((process, f"tcpdump-{point}"))
        self.captures.append((process, point, raw, log))
        self.interfaces[point] = namespace, interface
        self.files.setdefault(f"{point}.pcapng" if self.split else file, []).append(point)
        self.cables[point] = self.net.cable_end(namespace, interface)
        self.wait(f"tcpdump of {point}", lambda: b"listening on" in open(log, "rb").read())

    def stop_captures(self):
        # The kernel hands packets on after a second at the latest, and tcpdump does not ask for what is
        # left as it ends.
        time.sleep(1.5)
        # All end at once, so that what comes last is seen by all or by none.
        for process, *_ in self.captures:
            process.send_signal(signal.SIGINT)
        for process, point, _, log in self.captures:
            process.wait()
            with open(log) as file:
                words = file.read()
            if "\n0 packets dropped by kernel" not in words:
                sys.stderr.write(words)
                fail(f"the kernel dropped packets of {point}: run it again, or at a lower rate")

    # Requests.

    def warm_up(self, namespace, host, port, requests, connections=16):
        """Sends requests without marks, as fast as they are answered, before anything is captured. What
        they cause must come to its end within a second after the last answer."""
        self.drive(namespace, [(host, port)], [[0, *request] for request in requests], connections)
        time.sleep(1)

    def send(self, namespace, host, port, requests, connections=64, more=(), warm=0):
        """Sends requests, each (method, path, headers, body), at the rate of this run; waits for all.

        A fifth value of a request is the time in seconds after which its client gives up and hangs up.
        `more` are further (host, port): connections are made to all of them in turn. For the first `warm` seconds,
        a fifth of the rate is sent: for services that are slow at first, and must be captured from then on.
        """
        at, planned = 0.0, []
        for number, (method, path, headers, body, *patience) in enumerate(requests):
            # Arrivals that know nothing of each other: a Poisson process.
            at += self.random.expovariate(self.rate if at >= warm else self.rate / 5)
            planned.append([at, method, path, {marks.HEADER: marks.root(number + 1), **headers}, body, *patience])
        say(f"sends {len(planned)} requests, {self.rate:g} a second")
        *lines, total = self.drive(namespace, [(host, port), *more], planned, connections)
        times = [planned[line["number"]][0] + line["late_ms"] / 1000 for line in lines]
        sending, counted = max(times), [when for when in times if when >= warm]
        self.sent = {"requests": total["requests"], "rate": self.rate, "seconds": round(sending, 3),
                     "rate_reached": round(len(counted or times) / (sending - (warm if counted else 0)), 1),
                     "most_in_flight": total["most_in_flight"],
                     "statuses": dict(sorted(collections.Counter(str(line["status"]) for line in lines).items())),
                     "late": sum(line["late_ms"] > 50 for line in lines)}

    def drive(self, namespace, fronts, planned, connections):
        """Sends what is planned, and gives the lines of load.py."""
        plan, log = os.path.join(self.run, "plan.json"), os.path.join(self.run, "load.jsonl")
        with open(plan, "w") as file:
            json.dump({"fronts": fronts, "connections": connections, "requests": planned}, file)
        process = self.start(namespace, "load", sys.executable, "-m", "harness.load", plan, log)
        at, began = planned[-1][0], time.monotonic()
        told = began
        while process.poll() is None:
            ended = [name for other, name in self.processes if other is not process and other.poll() is not None]
            now = time.monotonic()
            if ended or now > began + at + 120:
                self.show_logs(ended)
                fail(f"{', '.join(ended)} ended" if ended else "the requests took too long")
            if at and now > told + 10:
                told = now
                say(f"{now - began:.0f} s of {at:.0f}")
            time.sleep(0.1)
        if process.returncode:
            self.show_logs(["load"])
            fail("the load failed")
        self.processes.remove((process, "load"))
        with open(log) as file:
            return [json.loads(line) for line in file]

    def how_many(self):
        """How many requests this run sends."""
        return self.requests_wanted or max(1, round(self.rate * self.duration))

    # The truth.

    def node_of(self, end, connection):
        """The host of an end of a connection, as it is seen at the point and in the tunnel of this one; or its
        program on that host."""
        address, server = (str(ipaddress.ip_address(one[0])) for one in (end, connection.server))
        namespace, interface = self.interfaces[connection.point]
        if server in LOOPBACK and (namespace, connection.server[1]) in self.on_loopback:
            return self.on_loopback[namespace, connection.server[1]][end == connection.server]
        if address in LOOPBACK:
            return namespace
        hosts, network = self.net.hosts, self.net.tunnels.get((namespace, interface))
        if connection.tunnel:
            *_, (_, _, network) = connection.tunnel
        named = self.names_at.get((connection.point, address)) or hosts.get((network, address))
        return named or hosts.get(address) or address

    def finish(self, scenario):
        """Ends the captures, and writes them and the truth; fails if something is not as it must be."""
        self.stop_captures()
        say("reads the captures")
        points = {point: list(packets.read(raw, point)) for _, point, raw, _ in self.captures}
        everything = sorted((packet for found in points.values() for packet in found), key=lambda packet: packet.time)
        connections, datagrams = streams.connections(everything)
        found = exchanges.read(connections, datagrams, self.protocols)
        rows, missing = truth.rows(found, self.node_of, self.read_side(), getattr(scenario, "alone", lambda row: False))
        overwritten = sum(direction.overwrite_marks() for connection in connections
                          for direction in (connection.requests, connection.answers))
        clocks = self.shift_clocks(points)
        self.write(points)
        truth.write(os.path.join(self.out, "truth.ndjson"), rows, self.service_of)
        problems = self.problems(scenario, rows, missing, connections)
        report = {
            "scenario": self.name, "ids": self.ids, **(self.sent or {}),
            "packets": len(everything), "points": len(points), "exchanges": len(rows),
            "by_protocol": dict(sorted(collections.Counter(row.protocol for row in rows).items())),
            "roots": sum(row.parent is None and row.known for row in rows),
            "unknown_parents": sum(row.parent is None and not row.known for row in rows),
            "edges": dict(sorted(collections.Counter(row.evidence for row in rows if row.evidence).items())),
            "marks_overwritten": overwritten, "problems": problems,
        }
        if clocks:
            report["clocks"] = clocks
        # By these, the next run knows what it may take away.
        report["files"] = sorted(os.listdir(self.out))
        with open(os.path.join(self.out, REPORT), "w") as file:
            json.dump(report, file, indent=2)
            file.write("\n")
        say(f"{report['packets']:,} packets at {len(points)} points, {len(rows):,} exchanges, edges {report['edges']}")
        if self.sent:
            say(f"answers {self.sent['statuses']}, {self.sent['rate_reached']:g} requests a second, at most "
                f"{self.sent['most_in_flight']} in flight")
        if problems:
            fail(*problems, f"not all is as it must be; the captures are in {self.out}")

    def shift_clocks(self, points):
        """Lets each point have a clock of its own, which is off and drifts; tells by how much."""
        if self.clocks is None:
            return {}
        clocks, began = {}, min(packet.time for found in points.values() for packet in found)
        for point, found in points.items():
            offset = round(self.random.uniform(-self.clocks, self.clocks) * 1e9)
            drift = self.random.uniform(-DRIFT, DRIFT)
            clocks[point] = {"offset_ns": offset, "drift_ppm": round(drift, 3), "since_ns": began}
            for packet in found:
                packet.time += offset + round((packet.time - began) * drift / 1e6)
        return clocks

    def write(self, points):
        """Writes the captures."""
        for name, of_file in self.files.items():
            mine, cable = [packet for point in of_file for packet in points[point]], self.cables[of_file[0]]
            parts = {name: mine}
            if self.tap and cable:
                # A passive TAP gives what goes one way on one cable, and the rest on another.
                base = name.removesuffix(".pcapng")
                parts = {f"{base}-out.pcapng": [packet for packet in mine if packet.data[6:12] == cable],
                         f"{base}-in.pcapng": [packet for packet in mine if packet.data[6:12] != cable]}
            for part, chosen in parts.items():
                for packet in chosen:
                    packet.file = part
                packets.write(os.path.join(self.out, part), of_file, chosen)

    def read_side(self):
        """The lines of the side log, with the places of calls counted from the beginning of the captures."""
        with open(self.side, "rb") as file:
            before, after = (part.decode().splitlines() for part in (file.read(self.side_before), file.read()))
        counts = collections.Counter(tuple(line.split()[:2]) for line in before)
        for client, server, nth, mark in map(str.split, after):
            yield client, server, int(nth) - counts[client, server], mark

    def service_of(self, row):
        last = row.sightings[-1].connection
        return self.services.get((row.server, last.server[1])) or row.server

    def problems(self, scenario, rows, missing, connections):
        """What is not as it must be, in words."""
        found = []
        if missing:
            found.append(f"{len(missing)} lines of the side log fit no exchange, or several, such as {missing[0]}")
        allowed = getattr(scenario, "unmarked", lambda row: False)
        lost = [row for row in rows if row.parent is None and not row.known and not allowed(row)]
        for row in lost[:5]:
            one = row.sightings[0]
            found.append(f"no parent known: {row.protocol} {row.operation}, {row.client} → {row.server}, frame {one.first.frame} of {one.connection.point}")
        if len(lost) > 5:
            found.append(f"and {len(lost) - 5} more")
        if self.sent:
            roots = {row.mark for row in rows if row.mark and not marks.levels(row.mark) and row.parent is None}
            if len(roots) != self.sent["requests"]:
                found.append(f"{self.sent['requests']} requests were sent, {len(roots)} are in the captures")
            # Where packets get lost, making a connection may take a second.
            if self.net.lay_wire and self.sent["rate_reached"] < 0.8 * self.rate:
                found.append(f"{self.sent['rate_reached']:g} requests a second were sent, not {self.rate:g}")
            elif not self.net.lay_wire and self.sent["late"] > LATE * self.sent["requests"]:
                found.append(f"{self.sent['late']} of {self.sent['requests']} requests were sent more than 50 ms late: the rate was not reached")
            unanswered = {status for status in self.sent["statuses"] if not status.isdigit() and status != "gave up"}
            if unanswered:
                found.append(f"requests without an answer: {', '.join(sorted(unanswered))}")
        for path in sorted(glob.glob(os.path.join(self.run, "*-wire.log"))):
            if os.path.getsize(path):
                found.append(f"the forwarder of {os.path.basename(path)[:-9]} was too slow: name a lower rate")
        for name in sorted(os.listdir(self.out)):
            with open(os.path.join(self.out, name), "rb") as file:
                if marks.PATTERN.search(file.read()):
                    found.append(f"a mark is left in {name}")
        for connection in connections:
            for direction in (connection.requests, connection.answers):
                direction.finish()
                if b"labm" in direction.content:
                    found.append(f"a mark is left in a stream of {connection.point}")
        return found


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        # It has ended meanwhile.
        pass
