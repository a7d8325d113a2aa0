#!/usr/bin/env python3
"""Requests at tgt that are cancelled and detached at random, with digests off and on. TAP; argument: the program canceler."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile

import tgt

CANCELER = sys.argv[1]
IQN = "iqn.2026-11.io.iskra.test:cancel"
SIZE = 16 << 20
OPTIONS = ["", "?data_digest=crc32c&header_digest=crc32c", "?initial_r2t=no&first_burst=256K", "?queue_depth=4&max_recv=4096"]


def content(f):
    for i in range(SIZE // 32):
        f.write(hashlib.sha256(b"cancel%d" % i).digest())


def main():
    why = tgt.missing()
    if why:
        print("1..0 # SKIP " + why)
        return 0
    failed = 0
    print("1..%d" % len(OPTIONS))
    with tempfile.TemporaryDirectory(prefix="iskra-cancel-") as d, tgt.Tgt(IQN, SIZE, content) as target:
        copy = os.path.join(d, "copy")
        shutil.copyfile(target.file, copy)
        for n, options in enumerate(OPTIONS, 1):
            url = "iscsi://127.0.0.1:%d/%s/1%s" % (target.port, IQN, options)
            p = subprocess.run([CANCELER, url, copy, str(n)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
            print("# " + (p.stdout + p.stderr).decode(errors="replace").strip().replace("\n", "\n# "))
            print("%s %d - tgt_lives_with_requests_that_are_taken_back_%d" % ("ok" if p.returncode == 0 else "not ok", n, n))
            failed += p.returncode != 0
    return 1 if failed else 0


sys.exit(main())
