"""Network namespaces, cables and bridges, which go when the lab ends, however it ends."""
import json
import os
import subprocess

from .install import fail


class Net:
    """Each namespace is called PREFIX-NAME."""

    def __init__(self, prefix):
        self.prefix, self.namespaces = prefix, []
        # Addresses of hosts, as they are named in the truth.
        self.hosts = {}

    def ip(self, *words):
        run("ip", *words)

    def namespace(self, name, ipv6=False):
        full = f"{self.prefix}-{name}"
        if os.path.exists(f"/run/netns/{full}"):
            pids = subprocess.run(["ip", "netns", "pids", full], stdout=subprocess.PIPE, text=True).stdout.split()
            if pids:
                fail(f"{full} is there already, and used by {' '.join(pids)}: another lab runs")
            self.ip("netns", "del", full)
        self.ip("netns", "add", full)
        self.namespaces.append(full)
        # Without IPv6 there is no talk of its own accord. Some kernels have none.
        if not ipv6 and os.path.exists("/proc/sys/net/ipv6"):
            self.sysctl(name, "net/ipv6/conf/all/disable_ipv6", 1)
        self.ip("-n", full, "link", "set", "lo", "up")

    def cable(self, one, interface, other, peer, offloads=False, mtu=1500):
        """Two interfaces and a cable between them. Without offloads, packets are as on a wire."""
        ends = [(f"{self.prefix}-{one}", interface), (f"{self.prefix}-{other}", peer)]
        (first, a), (second, b) = ends
        self.ip("link", "add", "name", a, "mtu", str(mtu), "netns", first, "type", "veth", "peer", "name", b, "mtu", str(mtu), "netns", second)
        for namespace, name in ends:
            if not offloads:
                run("ip", "netns", "exec", namespace, "ethtool", "-K", name, *(
                    word for kind in ("tso", "gso", "gro", "tx", "sg") for word in (kind, "off")))
            self.ip("-n", namespace, "link", "set", "dev", name, "up")

    def bridge(self, namespace, name, address=None):
        full = f"{self.prefix}-{namespace}"
        self.ip("-n", full, "link", "add", "name", name, "type", "bridge")
        if address:
            self.address(namespace, name, address)
        self.ip("-n", full, "link", "set", "dev", name, "up")

    def address(self, namespace, interface, address):
        """Gives an interface an address with its prefix length, such as 10.0.0.1/24."""
        nodad = ["nodad"] if ":" in address else []
        self.ip("-n", f"{self.prefix}-{namespace}", "addr", "add", address, "dev", interface, *nodad)

    def host(self, name, switch, bridge, address, via=None, **cable):
        """A namespace with an interface eth0, plugged into a bridge as port-NAME."""
        self.namespace(name, ipv6=":" in address)
        self.cable(switch, f"port-{name}"[:15], name, "eth0", **cable)
        self.ip("-n", f"{self.prefix}-{switch}", "link", "set", "dev", f"port-{name}"[:15], "master", bridge)
        self.address(name, "eth0", address)
        self.hosts[address.split("/")[0]] = name
        if via:
            self.ip("-n", f"{self.prefix}-{name}", "route", "add", "default", "via", via)

    def cable_end(self, namespace, interface):
        """The hardware address of an interface that is the end of a cable; None of another kind."""
        shown = run("ip", "-n", f"{self.prefix}-{namespace}", "-j", "-d", "link", "show", "dev", interface)
        link, = json.loads(shown)
        if link.get("linkinfo", {}).get("info_kind") != "veth":
            return None
        return bytes.fromhex(link["address"].replace(":", ""))

    def sysctl(self, namespace, key, value):
        run("ip", "netns", "exec", f"{self.prefix}-{namespace}", "sh", "-c", f"echo {value} >/proc/sys/{key}")

    def inside(self, namespace, *command):
        return ["ip", "netns", "exec", f"{self.prefix}-{namespace}", *command]

    def close(self):
        for full in self.namespaces:
            subprocess.run(["ip", "netns", "del", full])
        self.namespaces = []


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        fail(f"{' '.join(command)}: {done.stdout.strip()}")
    return done.stdout
