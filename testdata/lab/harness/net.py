"""Network namespaces, cables and bridges, which go when the lab ends, however it ends."""
import json
import os
import subprocess

from .install import fail


class Net:
    """Each namespace is called PREFIX-NAME."""

    def __init__(self, prefix):
        self.prefix, self.namespaces = prefix, []
        # Addresses of hosts, as they are named in the truth; in a tunnel, (number of its network, address).
        self.hosts = {}
        # Which network a tunnel's interface, (namespace, interface), is in.
        self.tunnels = {}
        # Starts what lets frames take their time on the cable of a host, in a namespace of that name.
        self.lay_wire = None

    def ip(self, *words):
        run("ip", *words)

    def namespace(self, name):
        full = f"{self.prefix}-{name}"
        if os.path.exists(f"/run/netns/{full}"):
            pids = subprocess.run(["ip", "netns", "pids", full], stdout=subprocess.PIPE, text=True).stdout.split()
            if pids:
                fail(f"{full} is there already, and used by {' '.join(pids)}: another lab runs")
            self.ip("netns", "del", full)
        self.ip("netns", "add", full)
        self.namespaces.append(full)
        # Without IPv6 there is no talk of its own accord: interfaces have it that get such an address.
        # Some kernels have none.
        if os.path.exists("/proc/sys/net/ipv6"):
            self.sysctl(name, "net/ipv6/conf/all/disable_ipv6", 1)
        self.ip("-n", full, "link", "set", "lo", "up")

    def cable(self, one, interface, other, peer, offloads=False, mtu=1500):
        """Two interfaces and a cable between them. Without offloads, packets are as on a wire."""
        ends = [(f"{self.prefix}-{one}", interface), (f"{self.prefix}-{other}", peer)]
        (first, a), (second, b) = ends
        self.ip("link", "add", "name", a, "mtu", str(mtu), "netns", first, "type", "veth", "peer", "name", b, "mtu", str(mtu), "netns", second)
        for namespace, name in ends:
            if not offloads:
                self.no_offloads(namespace, name)
            self.ip("-n", namespace, "link", "set", "dev", name, "up")

    def no_offloads(self, full, interface):
        run("ip", "netns", "exec", full, "ethtool", "-K", interface, *(
            word for kind in ("tso", "gso", "gro", "tx", "sg") for word in (kind, "off")))

    def bridge(self, namespace, name, address=None):
        full = f"{self.prefix}-{namespace}"
        self.ip("-n", full, "link", "add", "name", name, "type", "bridge")
        # What crosses a bridge passes no rules of a router; else, it would be translated before it is captured.
        for family in ("ip", "ip6"):
            if os.path.exists(f"/proc/sys/net/bridge/bridge-nf-call-{family}tables"):
                self.sysctl(namespace, f"net/bridge/bridge-nf-call-{family}tables", 0)
        if address:
            self.address(namespace, name, address)
        self.ip("-n", full, "link", "set", "dev", name, "up")

    def address(self, namespace, interface, address):
        """Gives an interface an address with its prefix length, such as 10.0.0.1/24 or fd00::1/64."""
        nodad = []
        if ":" in address:
            self.sysctl(namespace, f"net/ipv6/conf/{interface}/disable_ipv6", 0)
            nodad = ["nodad"]
        self.ip("-n", f"{self.prefix}-{namespace}", "addr", "add", address, "dev", interface, *nodad)
        self.hosts[address.split("/")[0]] = namespace

    def route(self, namespace, target, via):
        """Sends what goes to a network, or to `default`, to a router."""
        family = "-6" if ":" in via else "-4"
        self.ip(family, "-n", f"{self.prefix}-{namespace}", "route", "add", target, "via", via)

    def forward(self, namespace, rules=""):
        """Makes a router of a namespace, with these rules of nftables."""
        self.sysctl(namespace, "net/ipv4/ip_forward", 1)
        if os.path.exists("/proc/sys/net/ipv6"):
            self.sysctl(namespace, "net/ipv6/conf/all/forwarding", 1)
        if rules:
            run(*self.inside(namespace, "nft", "-f", "-"), given=rules)

    def vxlan(self, node, network, local, remote, namespace, interface, address):
        """An interface of a tunnel that a node makes to another: all that the namespace sends there
        leaves from the node's address `local` to `remote`, with the number of the network."""
        owner, full = f"{self.prefix}-{node}", f"{self.prefix}-{namespace}"
        name = f"vx{network}"
        self.ip("-n", owner, "link", "add", name, "type", "vxlan", "id", str(network), "local", local, "remote", remote,
                "dstport", "4789", "dev", "eth0")
        self.ip("-n", owner, "link", "set", name, "netns", full, "name", interface)
        self.no_offloads(full, interface)
        self.ip("-n", full, "link", "set", "dev", interface, "up")
        self.address(namespace, interface, address)
        address = address.split("/")[0]
        # The same address may be another host in another network.
        self.hosts[network, address] = self.hosts.pop(address)
        self.tunnels[namespace, interface] = network

    def host(self, name, switch, bridge, address, via=None, **cable):
        """A namespace with an interface eth0, plugged into a bridge as port-NAME."""
        self.namespace(name)
        port = f"port-{name}"[:15]
        if self.lay_wire:
            wire = f"{name}-wire"
            self.namespace(wire)
            mtu = cable.get("mtu", 1500)
            self.cable(switch, port, wire, "a", mtu=mtu)
            self.cable(wire, "b", name, "eth0", mtu=mtu)
            self.lay_wire(wire)
        else:
            self.cable(switch, port, name, "eth0", **cable)
        self.ip("-n", f"{self.prefix}-{switch}", "link", "set", "dev", port, "master", bridge)
        self.address(name, "eth0", address)
        if via:
            self.route(name, "default", via)

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


def run(*command, given=None):
    done = subprocess.run(command, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        fail(f"{' '.join(command)}: {done.stdout.strip()}")
    return done.stdout
