#!/usr/bin/env python3
"""The program against tgt: discover, ls, info, and 64 MiB read with digests off and on. TAP; argument: the program."""

import hashlib
import json
import os
import subprocess
import sys

import tgt
from tap import Tap

ISKRA = sys.argv[1]
IQN = "iqn.2026-11.io.iskra.test:disk"
SIZE = 64 << 20


def content(f):
    """Bytes in which every 512-byte block is different and the wrong block is noticed."""
    state = hashlib.sha256(b"iskra").digest()
    for _ in range(SIZE // 32 // 1024):
        chunk = bytearray()
        for _ in range(1024):
            state = hashlib.sha256(state).digest()
            chunk += state
        f.write(chunk)


def iskra(*args, timeout=60):
    return subprocess.run([ISKRA] + list(args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout)


def check_read(tap, t, header, data):
    name = "read_64_MiB_with_header_digest_%s_and_data_digest_%s" % (header, data)
    options = "header_digest=%s&data_digest=%s" % (header, data)
    words = {"none": "None", "crc32c": "CRC32C"}
    info = iskra("info", "--json", t.url(options=options))
    try:
        keys = find_key(json.loads(info.stdout), "HeaderDigest")
        negotiated = (keys["HeaderDigest"], keys["DataDigest"]) == (words[header], words[data])
    except (ValueError, TypeError, KeyError):
        text = iskra("info", t.url(options=options)).stdout.decode()
        negotiated = ("HeaderDigest" in text and "DataDigest" in text and
                      words[header] in text and words[data] in text)
    done = iskra("read", t.url(options=options))
    with open(t.file, "rb") as f:
        want = hashlib.sha256(f.read()).hexdigest()
    got = hashlib.sha256(done.stdout).hexdigest()
    tap.check(negotiated and done.returncode == 0 and want == got, name,
              "exit %d, %d bytes, sha256 %s, wanted %s, negotiated %s\n%s%s" %
              (done.returncode, len(done.stdout), got, want, negotiated, done.stderr.decode(), info.stdout.decode()))


def find_key(value, key):
    """The object that has `key`, anywhere in a JSON value."""
    if isinstance(value, dict):
        if key in value:
            return value
        value = list(value.values())
    if isinstance(value, list):
        for v in value:
            found = find_key(v, key)
            if found:
                return found
    return None


def main():
    why = tgt.missing()
    if why:
        print("1..0 # SKIP " + why)
        return 0
    tap = Tap(10)
    with tgt.Tgt(IQN, SIZE, content) as t:
        d = iskra("discover", t.portal)
        tap.check(d.stdout.decode() == "%s,1 %s\n" % (t.portal, IQN), "discover_prints_the_portal_and_the_name", d)
        d = iskra("ls", t.url(0)[:-2])
        text = d.stdout.decode()
        tap.check(d.returncode == 0 and "disk" in text and "VIRTUAL-DISK" in text and "controller" in text,
                  "ls_shows_the_controller_and_the_disk", d)
        d = iskra("ls", t.portal)
        tap.check(d.returncode == 0 and IQN in d.stdout.decode() and "VIRTUAL-DISK" in d.stdout.decode(),
                  "ls_of_a_portal_finds_targets_by_itself", d)
        d = iskra("info", t.url())
        tap.check(d.returncode == 0 and str(SIZE) in d.stdout.decode().replace(",", ""), "info_tells_the_capacity", d)
        for header, data in (("none", "none"), ("crc32c", "crc32c"), ("crc32c", "none"), ("none", "crc32c")):
            check_read(tap, t, header, data)
        with open(t.file, "rb") as f:
            f.seek(1234567)
            want = f.read(7654321)
        d = iskra("read", t.url(), "--offset", "1234567", "--length", "7654321")
        tap.check(d.returncode == 0 and d.stdout == want, "any_byte_range_can_be_read", d.stderr)
    with tgt.Tgt(IQN, 4 << 20, lambda f: f.write(os.urandom(4 << 20)), block_size=4096) as t:
        d = iskra("read", t.url())
        with open(t.file, "rb") as f:
            tap.check(d.returncode == 0 and d.stdout == f.read(), "a_disk_with_4096_byte_blocks_reads_the_same", d.stderr)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
