"""CRC32C digests of the scripted target: laid around what it sends, checked on what it receives."""

import struct


def _table():
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
        yield n


TABLE = tuple(_table())


def crc32c(data):
    """The four bytes that stand behind data on the wire (RFC 7143 13.1)."""
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 0xff]
    return struct.pack("<I", crc ^ 0xffffffff)


def parts(stream):
    """The PDUs of a stream without digests, each as header (with its AHS) and padded data. What is no whole PDU is the last header."""
    while stream:
        head = 48 + 4 * stream[4] if len(stream) >= 48 else len(stream)
        length = (int.from_bytes(stream[5:8], "big") + 3) & ~3
        if len(stream) < head + length:
            yield stream, b""
            return
        yield stream[:head], stream[head:head + length]
        stream = stream[head + length:]


def laid(peer, stream):
    """The stream as it goes over the wire: with the digests that are in force, and what the hook `wire` makes of each PDU."""
    out = b""
    for header, data in parts(stream):
        pieces = [header, crc32c(header) if peer.header_digest else b"", data, crc32c(data) if peer.data_digest and data else b""]
        if "wire" in peer.hooks:
            pieces = peer.hooks["wire"](peer, *pieces)
        out += b"".join(pieces)
    return out
