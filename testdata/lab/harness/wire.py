"""wire.py MILLISECONDS PERCENT SEED: a cable between the interfaces `a` and `b`, on which every frame takes that long,
and so many get lost. It stands in for netem, which not every kernel has. It says a word only where it is too slow, so
that more frames are lost than are to be.
"""
import collections
import random
import select
import socket
import struct
import sys
import time

# linux/if_ether.h, linux/if_packet.h.
ETH_P_ALL, SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_IGNORE_OUTGOING, PACKET_MR_PROMISC = 3, 263, 1, 23, 1
PACKET_STATISTICS = 6
# asm-generic/socket.h: beyond the limit that others have.
SO_RCVBUFFORCE = 33


def end(name):
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    opened.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    opened.bind((name, 0))
    opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
    membership = socket.if_nametoindex(name).to_bytes(4, sys.byteorder) + PACKET_MR_PROMISC.to_bytes(2, sys.byteorder) + bytes(10)
    opened.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership)
    opened.setblocking(False)
    return opened


def dropped_by(opened):
    """Frames that the kernel had no room for, since it was asked last."""
    _, dropped = struct.unpack("II", opened.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
    return dropped


def main():
    delay, loss, chance = float(sys.argv[1]) / 1000, float(sys.argv[2]) / 100, random.Random(sys.argv[3])
    a, b = end("a"), end("b")
    other, under_way = {a: b, b: a}, collections.deque()
    looked = time.monotonic()
    while True:
        left = max(0, under_way[0][0] - time.monotonic()) if under_way else None
        readable, _, _ = select.select([a, b], [], [], left)
        now = time.monotonic()
        if now > looked + 1:
            looked, dropped = now, sum(dropped_by(one) for one in other)
            if dropped:
                print(f"{dropped} frames dropped", flush=True)
        for source in readable:
            try:
                # Others get their turn, however much comes.
                for _ in range(64):
                    frame = source.recv(1 << 16)
                    if chance.random() >= loss:
                        under_way.append((now + delay, other[source], frame))
            except BlockingIOError:
                pass
        while under_way and under_way[0][0] <= now:
            _, target, frame = under_way.popleft()
            try:
                target.send(frame)
            except OSError:
                # The other side is not up yet, or has no room: then it is lost as well.
                pass


if __name__ == "__main__":
    main()
