"""Classic pcap files (little-endian, microseconds) for the scripts of this folder."""
import re
import struct

RECORD = struct.Struct("<IIII")
# Trace ids of `traceparent`, and values of `X-Request-ID`, in HTTP.
IDENTIFIER = re.compile(rb"(?i)(\r\ntraceparent: *[0-9a-f]{2}-)([0-9a-f]{32})|(\r\nx-request-id: *)([!-~]+)")


def read(path, first=0, last=None):
    """The file's header, and its packets from `first` up to `last` as (seconds, micros, length, bytes)."""
    with open(path, "rb") as file:
        data = file.read()
    head = data[:24]
    if head[:4] != b"\xd4\xc3\xb2\xa1":
        raise SystemExit(f"{path}: not a little-endian pcap file with microseconds")
    packets, at, end = [], 24, len(data)
    while at + 16 <= end and (last is None or len(packets) < last):
        seconds, micros, held, length = RECORD.unpack_from(data, at)
        at += 16
        packets.append((seconds, micros, length, data[at:at + held]))
        at += held
    return head, packets[first:]


def write(path, head, packets):
    with open(path, "wb") as file:
        file.write(head)
        for seconds, micros, length, data in packets:
            file.write(RECORD.pack(seconds, micros, len(data), length))
            file.write(data)


def tcp_payload(data):
    """Where IP, TCP and the payload begin and the payload ends, of an Ethernet frame; None for others."""
    if len(data) < 54 or data[12:14] != b"\x08\x00" or data[23] != 6:
        return None
    tcp = 14 + (data[14] & 15) * 4
    if len(data) < tcp + 20:
        return None
    payload = tcp + (data[tcp + 12] >> 4) * 4
    end = min(14 + int.from_bytes(data[16:18], "big"), len(data))
    return 14, tcp, payload, end


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def with_ip_checksum(packet):
    """Sets the IPv4 header's checksum of a bytearray that holds an Ethernet frame."""
    end = 14 + (packet[14] & 15) * 4
    packet[24:26] = b"\0\0"
    packet[24:26] = checksum(packet[14:end]).to_bytes(2, "big")
