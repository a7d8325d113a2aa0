#!/usr/bin/env python3
"""Random data onto tgt and back with every combination of digests and of first data, any byte range, and what must be refused.
TAP; argument: the program."""

import hashlib
import itertools
import os
import random
import re
import subprocess
import sys

import tgt
from tap import Tap

ISKRA = sys.argv[1]
IQN = "iqn.2026-11.io.iskra.test:disk"
SIZE = 8 << 20
DIGESTS = ("none", "crc32c")
YES_NO = ("yes", "no")
EDGES = ((0, 1), (511, 2), (512, 512), (1, 510), (100, 5000), (4095, 4097), ((1 << 20) - 1, (1 << 20) + 2),
         (SIZE - 1, 1), (SIZE - 1000, 1000), (12345, 3000001))


def iskra(*args, data=b""):
    return subprocess.run([ISKRA] + list(args), input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)


def sha(data):
    return hashlib.sha256(data).hexdigest()


def negotiated(url):
    text = iskra("info", url).stdout.decode()
    return " ".join("=".join(pair) for pair in re.findall(r"^ +(HeaderDigest|DataDigest|InitialR2T|ImmediateData) +(\w+)$", text, re.M))


def check_out_and_back(tap, t, name, options, data):
    """The disk's file is compared too: both ends of the same program could agree on the wrong place."""
    out = iskra("write", t.url(options=options), data=data)
    back = iskra("read", t.url(options=options))
    with open(t.file, "rb") as f:
        disk = f.read()
    print("# %s: %s" % (options, negotiated(t.url(options=options))))
    tap.check((out.returncode, out.stdout, out.stderr, sha(back.stdout), sha(disk)) ==
              (0, b"", b"", sha(data), sha(data)), name,
              "exit %d %s\nwanted %s\nread   %s\ndisk   %s" %
              (out.returncode, out.stderr.decode(), sha(data), sha(back.stdout), sha(disk)))


def check_edges(tap, t, rng):
    with open(t.file, "rb") as f:
        want = bytearray(f.read())
    wrong = []
    for offset, length in EDGES:
        data = rng.randbytes(length)
        out = iskra("write", t.url(), "--offset", str(offset), data=data)
        want[offset:offset + length] = data
        with open(t.file, "rb") as f:
            if out.returncode or f.read() != want:
                wrong.append("%d bytes at %d: exit %d %s" % (length, offset, out.returncode, out.stderr.decode()))
    tap.check(not wrong, "any_byte_range_can_be_written_and_its_neighbours_stay", "\n".join(wrong))


def check_refusals(tap, t):
    with open(t.file, "rb") as f:
        before = f.read()
    path = os.path.join(t.dir, "long")
    with open(path, "wb") as f:
        f.truncate(SIZE + 1)
    with open(path, "rb") as f:
        out = subprocess.run([ISKRA, "write", t.url()], stdin=f, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    with open(t.file, "rb") as f:
        untouched = f.read() == before
    tap.check(untouched and out.returncode == 2 and b"%d bytes at 0 reach beyond the end of LUN 1 at %d" % (SIZE + 1, SIZE) in out.stderr,
              "a_file_that_is_too_long_is_refused_before_anything_is_written", out)
    out = iskra("write", t.url(), "--offset", str(SIZE - 10), data=b"x" * 11)
    with open(t.file, "rb") as f:
        disk = f.read()
    tap.check(out.returncode == 2 and b"10 bytes at %d were written" % (SIZE - 10) in out.stderr and
              disk == before[:-10] + b"x" * 10, "a_pipe_that_is_too_long_is_written_as_far_as_it_fits_and_told", out)


def main():
    why = tgt.missing()
    if why:
        print("1..0 # SKIP " + why)
        return 0
    rng = random.Random(7143)
    tap = Tap(4 + 4 + 5)
    with tgt.Tgt(IQN, SIZE, lambda f: f.write(rng.randbytes(SIZE))) as t:
        for header, data in itertools.product(DIGESTS, DIGESTS):
            check_out_and_back(tap, t, "8_MiB_out_and_back_with_header_digest_%s_and_data_digest_%s" % (header, data),
                               "header_digest=%s&data_digest=%s" % (header, data), rng.randbytes(SIZE))
        t.admin("--op", "update", "--mode", "target", "--tid", "1", "--name", "InitialR2T", "--value", "No")
        for initial_r2t, immediate_data in itertools.product(YES_NO, YES_NO):
            check_out_and_back(tap, t, "8_MiB_out_and_back_with_initial_r2t_%s_and_immediate_data_%s" % (initial_r2t, immediate_data),
                               "initial_r2t=%s&immediate_data=%s" % (initial_r2t, immediate_data), rng.randbytes(SIZE))
        check_edges(tap, t, rng)
        check_refusals(tap, t)
        with open(t.file, "rb") as f:
            before = f.read()
        out = iskra("trace", t.url(), "write", "--offset", "1M", "--length", "1M")
        with open(t.file, "rb") as f:
            tap.check(out.returncode == 0 and b"WRITE(10)" in out.stdout and f.read() == before,
                      "trace_write_shows_a_write_and_changes_nothing", out)
    with tgt.Tgt(IQN, 4 << 20, lambda f: f.write(rng.randbytes(4 << 20)), block_size=4096) as t:
        data = rng.randbytes(1000001)
        out = iskra("write", t.url(), "--offset", "777", data=data)
        back = iskra("read", t.url(), "--offset", "777", "--length", str(len(data)))
        tap.check(out.returncode == 0 and back.stdout == data, "a_disk_with_4096_byte_blocks_is_written_the_same", out.stderr)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
