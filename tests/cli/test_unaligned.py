#!/usr/bin/env python3
"""Ranges of any offset and length, written, copied and read at random, on the embedded target and on tgt: a shadow says what has to be there.
TAP; arguments: the program, how many steps per disk (60), seed (7143; or ISKRA_RANDOM_SEED)."""

import os
import random
import subprocess
import sys
import tempfile

import peers

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
import tgt

ISKRA = sys.argv[1]
STEPS = int(sys.argv[2]) if len(sys.argv) > 2 else 60
SEED = int(os.environ.get("ISKRA_RANDOM_SEED", sys.argv[3] if len(sys.argv) > 3 else "7143"))
SIZE = 4 << 20
IQN = "iqn.2026-11.io.iskra.test:unaligned"


def iskra(*args, data=b""):
    done = subprocess.run([ISKRA] + list(args), input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert (done.returncode, done.stderr) == (0, b""), "%s: exit %d %s" % (" ".join(args), done.returncode, done.stderr.decode())
    return done.stdout


def draw_range(rng):
    """Edges of blocks and of the disk are where it goes wrong: they are drawn more often than others."""
    length = rng.choice((rng.randint(1, 600), rng.randint(1, 20000), rng.randint(1, 3 << 20), 512, 4096, 4097))
    offset = rng.choice((rng.randint(0, SIZE - length), 512 * rng.randint(0, (SIZE - length) // 512), 0, SIZE - length))
    return offset, length


def step(rng, url, shadow):
    offset, length = draw_range(rng)
    where = ["--offset", str(offset)]
    if rng.random() < 0.5:
        data = rng.randbytes(length)
        iskra("write", url, *where, data=data)
        shadow[offset:offset + length] = data
    else:
        got = iskra("read", url, *where, "--length", str(length))
        assert got == shadow[offset:offset + length], "%d bytes at %d are not what was written" % (length, offset)


def try_disk(number, url, begins):
    rng = random.Random(SEED + number)
    shadow = bytearray(begins)
    for count in range(STEPS):
        try:
            step(rng, url, shadow)
        except (AssertionError, subprocess.SubprocessError) as e:
            return "seed %d, step %d: %s" % (SEED + number, count, e)
    with tempfile.TemporaryDirectory(prefix="iskra-unaligned-") as d:
        copy = os.path.join(d, "copy")
        try:
            iskra("cp", url, copy)
        except (AssertionError, subprocess.SubprocessError) as e:
            return str(e)
        with open(copy, "rb") as f:
            return "" if f.read() == shadow else "seed %d: the copy of the whole is not what the shadow says" % (SEED + number)


def embedded(number, block_size, kind):
    with tempfile.TemporaryDirectory(prefix="iskra-unaligned-") as d:
        backing = str(SIZE)
        if kind == "file":
            backing = os.path.join(d, "disk")
            with open(backing, "wb") as f:
                f.truncate(SIZE)
        with peers.Target(ISKRA, ["--block-size", str(block_size), "--" + kind, backing]) as target:
            return try_disk(number, "iscsi://%s/%s/0" % (target.portal, peers.NAME), bytes(SIZE))


def on_tgt(number, block_size, _kind):
    content = random.Random(number).randbytes(SIZE)
    with tgt.Tgt(IQN, SIZE, lambda f: f.write(content), block_size=block_size) as target:
        return try_disk(number, target.url(), content)


def main():
    failed, number = 0, 0
    rows = [(embedded, size, kind) for size in (512, 4096) for kind in ("ram", "file")] + [(on_tgt, size, "tgt") for size in (512, 4096)]
    print("1..%d" % len(rows), flush=True)
    for run, block_size, kind in rows:
        number += 1
        name = "any_byte_range_of_%s_with_%d_byte_blocks_is_what_the_shadow_says" % (kind, block_size)
        skip = tgt.missing() if run is on_tgt else None
        why = "" if skip else run(number, block_size, kind)
        failed += bool(why)
        print("%s %d - %s%s" % ("not ok" if why else "ok", number, name, " # SKIP " + skip if skip else ""), flush=True)
        if why:
            print("# " + why.replace("\n", "\n# "), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
