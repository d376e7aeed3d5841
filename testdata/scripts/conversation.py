"""Makes captures of conversations by TCP, byte for byte as they are asked for. The same each time."""
import struct

import pcapfile

HEAD = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)
# Microseconds from one packet to the next.
STEP = 50
# Whom requests of HTTP ask.
HOST = "canary.example"
SYN, ACK, PUSH, FIN = 2, 16, 8, 1


class Capture:
    def __init__(self):
        self.packets, self.at, self.conversations = [], 1_790_000_000_000_000, 0

    def add(self, frame):
        self.packets.append((self.at // 1_000_000, self.at % 1_000_000, len(frame), frame))
        self.at += STEP

    def wait(self, seconds):
        self.at += int(seconds * 1_000_000)

    def write(self, path):
        pcapfile.write(path, HEAD, self.packets)


class Conversation:
    """One connection to a port, opened at once. Segments are as long as `segment` says."""

    def __init__(self, capture, port, segment=1448, server="10.77.0.2"):
        number = capture.conversations
        capture.conversations += 1
        self.capture, self.segment = capture, segment
        self.ends = [(address("10.77.1.%d" % (number % 250 + 1)), 20000 + number // 250), (address(server), port)]
        # Sequence numbers of client and server.
        self.next = [1000 + 7919 * number & 0xFFFFFFFF, 5000 + 104729 * number & 0xFFFFFFFF]
        self.packet(0, SYN)
        self.packet(1, SYN | ACK)
        self.packet(0, ACK)

    def client(self, data):
        self.say(0, data)

    def server(self, data):
        self.say(1, data)

    def say(self, side, data):
        for start in range(0, len(data), self.segment):
            self.packet(side, ACK | PUSH, data[start:start + self.segment])

    def lose(self, side, length):
        """So many bytes were sent, and no packet of them was captured."""
        self.next[side] = self.next[side] + length & 0xFFFFFFFF

    def close(self):
        self.packet(0, FIN | ACK)
        self.packet(1, FIN | ACK)
        self.packet(0, ACK)

    def packet(self, side, flags, data=b""):
        (source, port), (target, target_port) = self.ends[side], self.ends[1 - side]
        acknowledged = self.next[1 - side] if flags & ACK else 0
        tcp = struct.pack(">HHIIBBHHH", port, target_port, self.next[side], acknowledged, 5 << 4, flags, 65535, 0, 0)
        pseudo = source + target + struct.pack(">HH", 6, len(tcp) + len(data))
        tcp = tcp[:16] + checksum(pseudo + tcp + data) + tcp[18:]
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp) + len(data), 0, 0x4000, 64, 6, 0, source, target)
        ip = ip[:10] + checksum(ip) + ip[12:]
        ethernet = bytes([2, 0, 0, 0, 0, 2 - side, 2, 0, 0, 0, 0, 1 + side, 8, 0])
        self.capture.add(ethernet + ip + tcp + data)
        length = len(data) + bool(flags & (SYN | FIN))
        self.next[side] = self.next[side] + length & 0xFFFFFFFF


def address(text):
    return bytes(int(part) for part in text.split("."))


def checksum(data):
    """Of IP and TCP: sums of 16 bits with end-around carry are remainders by 65,535."""
    total = int.from_bytes(data + bytes(len(data) % 2), "big") % 0xFFFF
    return struct.pack(">H", 0xFFFF - total)


def request(method, target, headers=(), body=b""):
    """A request of HTTP/1.1 with the length of its body, if it has one."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {HOST}", *(f"{name}: {value}" for name, value in headers)]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def response(status, headers=(), body=b""):
    lines = [f"HTTP/1.1 {status} Some", *(f"{name}: {value}" for name, value in headers), f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def command(*words):
    """A command of Redis."""
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in words)


def bulk(text):
    """A string that Redis returns."""
    data = text if isinstance(text, bytes) else text.encode()
    return b"$%d\r\n%b\r\n" % (len(data), data)
