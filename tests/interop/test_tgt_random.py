#!/usr/bin/env python3
"""All operations at random on tgt, many in flight: in the end its file is what the shadow says. TAP; arguments: the program, how many operations,
seed (7143; or ISKRA_RANDOM_SEED)."""

import os
import random
import subprocess
import sys

import tgt

MIXER, COUNT = sys.argv[1], sys.argv[2]
SEED = int(os.environ.get("ISKRA_RANDOM_SEED", sys.argv[3] if len(sys.argv) > 3 else "7143"))
IQN = "iqn.2026-11.io.iskra.test:random"
SIZE = 32 << 20
ROWS = [(512, ""), (4096, ""), (512, "header_digest=crc32c&data_digest=crc32c"), (4096, "initial_r2t=yes&immediate_data=no&max_recv=8192")]


def try_row(number, block_size, options):
    """Returns what is wrong, or nothing."""
    rng = random.Random(SEED + number)
    with tgt.Tgt(IQN, SIZE, lambda f: f.write(rng.randbytes(SIZE)), block_size=block_size) as target:
        done = subprocess.run([MIXER, target.url(options=options), COUNT, str(SEED + number)],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=900)
        said = done.stderr.decode(errors="replace").strip()
        print("# " + said.replace("\n", "\n# "), flush=True)
        if done.returncode:
            return "exit %d" % done.returncode
        with open(target.file, "rb") as f:
            return "" if f.read() == done.stdout else "seed %d: the file of tgt is not what the shadow says" % (SEED + number)


def main():
    why = tgt.missing()
    if why:
        print("1..0 # SKIP " + why)
        return 0
    failed = 0
    print("1..%d" % len(ROWS), flush=True)
    for number, (block_size, options) in enumerate(ROWS, 1):
        wrong = try_row(number, block_size, options)
        failed += bool(wrong)
        name = "tgt_with_%d_byte_blocks%s_holds_what_the_shadow_says" % (block_size, "_and_" + options if options else "")
        print("%s %d - %s" % ("not ok" if wrong else "ok", number, name), flush=True)
        if wrong:
            print("# " + wrong, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
