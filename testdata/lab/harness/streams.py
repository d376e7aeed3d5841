"""Streams of TCP, put together from packets: bytes, and which packet brought each first."""
import bisect
import collections

from . import marks, packets

# Bytes of the longest super-segment.
LONGEST = 1 << 18


class Direction:
    """What one end of a connection sent, as one point saw it."""

    def __init__(self):
        self.first = None  # Sequence number of the first byte.
        self.segments = []  # (offset, packet), in the order of the capture.
        self.content = b""
        self.origins, self.origin_starts = [], []
        self.fin = None

    def add(self, packet):
        flags, length = packet.flags, packet.end - packet.payload
        if self.first is None:
            # Without a SYN, the first byte is the first that is seen.
            self.first = (packet.seq + 1 if flags & 2 else packet.seq) & 0xffffffff
        if flags & 5 and self.fin is None:
            self.fin = packet
        if length > 0 and not flags & 2:
            offset = (packet.seq - self.first) & 0xffffffff
            # What was sent before the first byte, such as a probe of keep-alive, is behind its end.
            if offset < 1 << 31:
                self.segments.append((offset, packet))

    def finish(self):
        """Puts it together; what is missing ends it. Of copies of a byte, the one that came first counts."""
        starts, pieces = [], []
        for offset, packet in sorted(self.segments, key=lambda segment: segment[1].time):
            at, end = offset, offset + packet.end - packet.payload
            place = bisect.bisect_right(starts, at)
            if place:
                at = max(at, pieces[place - 1][1])
            while at < end:
                free = min(end, starts[place]) if place < len(starts) else end
                if at < free:
                    starts.insert(place, at)
                    pieces.insert(place, (at, free, offset, packet))
                    place += 1
                at = max(free, pieces[place][1]) if place < len(pieces) else end
                place += 1
        content, self.origins = bytearray(), []
        for at, end, offset, packet in pieces:
            if at > len(content):
                break
            self.origins.append((at, packet))
            content += packet.data[packet.payload + at - offset:packet.payload + end - offset]
        self.content = bytes(content)
        self.origin_starts = [start for start, _ in self.origins]
        # As marks are looked for in it.
        self.segments.sort(key=lambda segment: (segment[0], segment[1].time))

    def origin(self, offset):
        """The packet that brought the byte at this offset."""
        return self.origins[bisect.bisect_right(self.origin_starts, offset) - 1][1]

    def overwrite_marks(self, character=b"-"):
        """Overwrites all marks, in each packet that has a part of one; tells how many."""
        count, starts = 0, [offset for offset, _ in self.segments]
        for found in marks.PATTERN.finditer(self.content):
            count += 1
            near = slice(bisect.bisect_left(starts, found.start() - LONGEST), bisect.bisect_left(starts, found.end()))
            for offset, packet in self.segments[near]:
                begin = max(found.start(), offset)
                end = min(found.end(), offset + packet.end - packet.payload)
                if begin < end:
                    packets.overwrite(packet, packet.payload + begin - offset, character * (end - begin))
        return count


class Connection:
    """A connection of TCP, or a flow of UDP, as one point saw it."""

    def __init__(self, point, client, server, tunnel):
        self.point, self.client, self.server, self.tunnel = point, client, server, tunnel
        self.requests, self.answers = Direction(), Direction()
        self.identity, self.closed = None, None

    def finish(self):
        self.requests.finish()
        self.answers.finish()
        # The first sequence numbers are the same wherever it is seen, whatever the addresses are.
        self.identity = (self.requests.first, self.answers.first)
        self.closed = min((one.fin.time for one in (self.requests, self.answers) if one.fin), default=None)


def connections(all_packets):
    """The connections of TCP at each point, and the packets of UDP at each point."""
    open_now, asked, done, datagrams = {}, {}, [], collections.defaultdict(list)
    for packet in all_packets:
        if packet.protocol == "udp":
            datagrams[packet.point].append(packet)
        if packet.protocol != "tcp":
            continue
        ends = frozenset(packet.ends)
        key = (packet.point, packet.tunnel_network, ends)
        connection = open_now.get(key)
        opens, accepts = packet.flags & 0x12 == 2, packet.flags & 0x12 == 0x12
        # The same ports once more are another connection, a SYN that is sent again is not.
        if opens and connection is not None:
            first = connection.requests.first
            if first is not None and first != (packet.seq + 1) & 0xffffffff:
                connection = None
        if accepts:
            # What was redirected may be answered from the address that was meant; the numbers fit.
            wanted = (packet.point, packet.tunnel_network, packet.target, packet.ack)
            connection = open_now[key] = asked.get(wanted, connection)
        if connection is None:
            client, server = packet.ends
            if accepts or not opens and client[1] < server[1]:
                client, server = server, client
            connection = open_now[key] = Connection(packet.point, client, server, packet.tunnel)
            done.append(connection)
            if opens:
                asked[packet.point, packet.tunnel_network, client, (packet.seq + 1) & 0xffffffff] = connection
        (connection.requests if packet.source == connection.client else connection.answers).add(packet)
    for connection in done:
        connection.finish()
    return done, datagrams
