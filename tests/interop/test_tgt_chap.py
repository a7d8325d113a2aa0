#!/usr/bin/env python3
"""CHAP against tgt: {none, one way, mutual} x {no digests, both}, and what happens with wrong passwords.

TAP; argument: the program."""

import hashlib
import os
import subprocess
import sys

import tgt
from tap import Tap

ISKRA = sys.argv[1]
IQN = "iqn.2026-11.io.iskra.test:disk"
SIZE = 1 << 20
BYTES = b"".join(hashlib.sha256(b"%d" % i).digest() for i in range(SIZE // 32))
OURS = ("initiator", "a-password-of-ours")
THEIRS = ("target", "a-password-of-the-target")
SECRETS = (OURS[1], THEIRS[1], "not-the-right-password")
MODES = {"no_chap": (), "one_way": (OURS,), "mutual": (OURS, THEIRS)}
DIGESTS = {"no_digests": "header_digest=none&data_digest=none", "both_digests": "header_digest=crc32c&data_digest=crc32c"}


def iskra(t, mode, *args, options="", ours=OURS[1], theirs=THEIRS[1], timeout=60):
    """Runs the program with the passwords in files (ours) and in the environment (the target's)."""
    env = dict(os.environ)
    query = [options] if options else []
    url = t.url()
    if mode != "no_chap":
        url = url.replace("iscsi://", "iscsi://%s@" % OURS[0])
        path = os.path.join(t.dir, "password")
        with open(path, "w", encoding="ascii") as f:
            f.write(ours + "\n")
        query.append("password_file=" + path)
    if mode == "mutual":
        env.update(LIBISCSI_CHAP_TARGET_USERNAME=THEIRS[0], LIBISCSI_CHAP_TARGET_PASSWORD=theirs)
    url += "?" + "&".join(query) if query else ""
    return subprocess.run([ISKRA, args[0], url] + list(args[1:]), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=env, timeout=timeout)


class ChapTap(Tap):
    def check_refused(self, done, name):
        lines = done.stderr.decode().splitlines()
        said = done.stderr.decode() + done.stdout.decode()
        ok = done.returncode == 24 and len(lines) == 1 and not any(s in said for s in SECRETS)
        self.check(ok, name, "%d %r" % (done.returncode, lines))


def check_rows(tap, t, mode):
    for name, options in DIGESTS.items():
        info = iskra(t, mode, "info", options=options)
        digest = "CRC32C" if name == "both_digests" else "None"
        ok = info.returncode == 0 and digest in info.stdout.decode()
        tap.check(ok, "info_with_%s_and_%s" % (mode, name), info.stderr.decode())
        done = iskra(t, mode, "read", options=options)
        tap.check(done.returncode == 0 and done.stdout == BYTES, "read_with_%s_and_%s" % (mode, name),
                  done.stderr.decode())


def check_algorithms(tap, t):
    done = iskra(t, "mutual", "info", options="auth=md5")
    tap.check(done.returncode == 0, "md5_alone_is_enough", done.stderr.decode())


def main():
    why = tgt.missing()
    if why:
        print("1..0 # SKIP " + why)
        return 0
    tap = ChapTap(17)
    for mode, accounts in MODES.items():
        with tgt.Tgt(IQN, SIZE, lambda f: f.write(BYTES), accounts=accounts) as t:
            check_rows(tap, t, mode)
            if mode == "no_chap":
                tap.check_refused(iskra(t, "one_way", "info"), "a_target_that_asks_for_nothing_is_refused_with_24")
            if mode == "one_way":
                tap.check_refused(iskra(t, "no_chap", "info"), "no_password_exits_24")
                tap.check_refused(iskra(t, mode, "info", ours=SECRETS[2]), "a_wrong_password_exits_24")
            if mode == "mutual":
                check_algorithms(tap, t)
                tap.check_refused(iskra(t, mode, "info", theirs=SECRETS[2]), "a_wrong_target_password_exits_24")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
