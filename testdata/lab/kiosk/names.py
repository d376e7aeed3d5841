"""Looks up a name with one datagram, so that what is asked is known exactly."""
import random
import socket
import struct

from truth import Call

DNS = ("10.90.0.5", 53)
IDS = random.SystemRandom()


def look_up(name, caller="-", points=1):
    """Asks for the address of a name, and writes it down."""
    call = Call("dns", caller)
    question = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0\0\1\0\1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(2)
        udp.connect(DNS)
        udp.send(struct.pack(">6H", IDS.getrandbits(16), 0x0100, 1, 0, 0, 0) + question)
        code = udp.recv(512)[3] & 15
        status = {0: "NOERROR", 3: "NXDOMAIN"}[code]
        call.done(udp.getsockname(), DNS, 1, f"A {name}", status, points)
