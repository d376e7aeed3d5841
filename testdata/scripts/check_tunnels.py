#!/usr/bin/env python3
"""check_tunnels.py CAPTURE: are the exchanges of a capture in tunnels those of its plain packets?

Wraps the first packets of CAPTURE as wrap.py says, and reads each: as many exchanges with the same
operations, statuses, times and parents, at one point, with each packet taken out of what it was in.
Then cuts all traces out of some of them again and overwrites their secrets: the packets must give
the same exchanges, and no checksum that was right may be wrong. Prints what differs.
"""
import argparse
import os
import struct
import sys
import tempfile

import pcapfile
import wirespan
import wrap

# What the counts must say of each packet.
COUNTED = [
    ("vxlan", "in_vxlan"), ("overlay", "in_vxlan"), ("vni", "in_vxlan"), ("geneve", "in_geneve"), ("gre", "in_gre"),
    ("key", "in_gre"), ("erspan", "in_erspan"), ("session", "in_erspan"), ("mpls", "in_mpls"), ("label", "in_mpls"),
    ("ipip", "in_ip"), ("ip-in-ipv6", "in_ip"), ("pppoe", "in_pppoe"), ("tzsp", "in_tzsp"), ("all", "in_ip"),
]
# Numbers of either direction that say where a packet was seen, and not in which network.
ONLY_SEEN = ("split-session", "split-session3")
CUT_AGAIN = ("vxlan", "gre-full", "mpls-stack", "two-deep-all", "checksums")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("capture")
    arguments.add_argument("--packets", type=int, default=50_000)
    wirespan.add_binary_option(arguments)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wrong = check(options, folder)
    print(f"{wrong} wrong" if wrong else "all as they must be")
    sys.exit(1 if wrong else 0)


def check(options, folder):
    path, found = os.path.join(folder, "tunnel.pcap"), os.path.join(folder, "spans.ndjson")
    wrong, plain, shapes = 0, None, None
    for name, head, packets in wrap.variants(options.capture, options.packets):
        pcapfile.write(path, head, packets)
        summary = wirespan.run(options.binary, path, ndjson=found)
        spans = list(wirespan.spans(found))
        if plain is None:
            plain, shapes = summary, wirespan.shapes(spans)
            print(f"{name:22} {summary['exchanges']} + {summary['open']} open, {summary['traces']} traces")
            continue
        facts = of_two(name, summary, spans, plain) if name in ("tenants", "both") else {
            "same_counts": all(summary[key] == plain[key] for key in ("exchanges", "open", "traces", "joined_traces")),
            "same_exchanges": wirespan.shapes(spans) == shapes,
            "one_point": summary["points"] == 1,
            # Pieces of a packet are seen on the tap that its ends are seen on.
            "two_taps": (summary["taps"] == 2) == (name.startswith("split") or name == "fragments"),
            "one_network": len({span.get("network") for span in spans}) == 1 or name.startswith("split"),
            "no_network": name not in ONLY_SEEN or not any("network" in span for span in spans),
            "counted": all(summary["packets_by"].get(counter, 0) >= plain["packets"]
                           for part, counter in COUNTED if part in name.split("-")),
        }
        facts["nothing_bad"] = not any(key in summary["lost"] for key in ("bad_tunnels", "bad_header", "tunnels_too_deep"))
        if name in CUT_AGAIN:
            facts.update(cut_again(options.binary, path, folder, shapes))
        bad = [fact for fact, holds in facts.items() if not holds]
        wrong += len(bad)
        networks = sorted({span.get("network", "") for span in spans})
        taps = ", ".join(summary["tap_names"])
        print(f"{name:22} {'WRONG: ' + ', '.join(bad) if bad else 'well'}; networks {networks}, taps {taps}")
    return wrong


def of_two(name, summary, spans, plain):
    """Of two captures in one: tenants that have nothing in common, or the same packets at two points."""
    by_id = {span["span"]: span for span in spans}
    parents = [(span, by_id[span["parent"]]) for span in spans if "parent" in span]
    if name == "tenants":
        return {
            "twice": summary["exchanges"] == {kind: 2 * count for kind, count in plain["exchanges"].items()}
            and summary["traces"] == 2 * plain["traces"] and summary["points"] == 2,
            "never_linked": all(span["network"] == parent["network"] for span, parent in parents),
        }
    twins = [pair for pair in parents if pair[0].get("link", {}).get("kind") == "same_exchange"]
    return {
        "two_points": summary["points"] == 2,
        "same_counts": all(summary[key] == plain[key] for key in ("exchanges", "open", "traces")),
        "chains": len(twins) == plain["spans"],
        "outside_first": all(parent.get("network") == "vni7" for _, parent in twins),
    }


def cut_again(binary, path, folder, shapes):
    """Of all traces cut out with their secrets overwritten: what they are, and whether checksums hold."""
    again, spans = os.path.join(folder, "again.pcapng"), os.path.join(folder, "again.ndjson")
    wirespan.run(binary, path, more=("-w", again, "--sanitize"))
    wirespan.run(binary, again, ndjson=spans)

    def kinds(shapes):
        return [what for what, _ in shapes]

    found = wirespan.shapes(list(wirespan.spans(spans)))
    before = {checksums(packet[3]) for packet in pcapfile.read(path)[1][:2_000]}
    after = {checksums(data) for data in list(pcapng_packets(again))[:2_000]}
    return {"cut_again": kinds(found) == kinds(shapes), "checksums": after <= before}


def checksums(frame):
    """Whether each checksum of UDP in a frame holds, from the outermost on; None for those of 0."""
    found, at = [], 14
    while frame[at - 2:at] == b"\x08\x00" and frame[at + 9] == 17:
        start = at + (frame[at] & 15) * 4
        datagram = frame[start:at + int.from_bytes(frame[at + 2:at + 4], "big")]
        pseudo = frame[at + 12:at + 20] + struct.pack(">HH", 17, len(datagram))
        if datagram[6:8] == b"\0\0":
            found.append(None)
        else:
            found.append(pcapfile.checksum(pseudo + datagram + b"\0" * (len(datagram) % 2)) == 0)
        # The headers of VXLAN, and of GENEVE without options.
        at = start + 16 + 14
    return tuple(found)


def pcapng_packets(path):
    """The bytes of the packets of a pcapng file."""
    with open(path, "rb") as file:
        data = file.read()
    at = 0
    while at + 12 <= len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if kind == 6:
            held = struct.unpack_from("<I", data, at + 20)[0]
            yield data[at + 28:at + 28 + held]
        at += length


if __name__ == "__main__":
    main()
