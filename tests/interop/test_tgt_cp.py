#!/usr/bin/env python3
"""cp of random data onto tgt and back, in each way to authenticate and with all digests. TAP; arguments: the program, MiB."""

import hashlib
import json
import os
import subprocess
import sys

import tgt

ISKRA, MIB = sys.argv[1], int(sys.argv[2])
IQN = "iqn.2026-11.io.iskra.test:disk"
OURS = ("initiator", "a-password-of-ours")
THEIRS = ("target", "a-password-of-the-target")
MODES = {"no_chap": (), "one_way": (OURS,), "mutual": (OURS, THEIRS)}
DIGESTS = {"none": ("none", "none"), "header": ("crc32c", "none"), "data": ("none", "crc32c"), "both": ("crc32c", "crc32c")}
WORDS = {"none": "None", "crc32c": "CRC32C"}


def sha(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while chunk := f.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def random_file(path):
    with open(path, "wb") as f:
        for _ in range(MIB):
            f.write(os.urandom(1 << 20))


def run(mode, *args):
    env = dict(os.environ)
    if mode != "no_chap":
        env.update(LIBISCSI_CHAP_USERNAME=OURS[0], LIBISCSI_CHAP_PASSWORD=OURS[1])
    if mode == "mutual":
        env.update(LIBISCSI_CHAP_TARGET_USERNAME=THEIRS[0], LIBISCSI_CHAP_TARGET_PASSWORD=THEIRS[1])
    return subprocess.run([ISKRA] + list(args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, timeout=300)


def row(t, mode, header, data):
    """What info says was negotiated, and what went wrong ("" if nothing did)."""
    url = t.url(options="header_digest=%s&data_digest=%s" % (header, data))
    source, back = os.path.join(t.dir, "source"), os.path.join(t.dir, "back")
    random_file(source)
    info = run(mode, "info", "--json", url)
    try:
        keys = json.loads(info.stdout)["negotiated"]
    except ValueError:
        return "", "info: %r" % info
    told = tuple(keys.get(key, "-") for key in ("AuthMethod", "CHAP_A", "CHAP_mutual", "HeaderDigest", "DataDigest"))
    auth = {"no_chap": ("None", "-", "-"), "one_way": ("CHAP", "MD5", "No"), "mutual": ("CHAP", "MD5", "Yes")}[mode]
    wrong = [] if told == auth + (WORDS[header], WORDS[data]) else ["negotiated %s" % (told,)]
    for src, dst in ((source, url), (url, back)):
        done = run(mode, "cp", src, dst)
        if done.returncode or done.stderr:
            wrong.append("%r" % done)
    sums = [sha(path) for path in (source, t.file, back) if os.path.exists(path)]
    if len(sums) != 3 or len(set(sums)) != 1:
        wrong.append("SHA-256 of source, disk, copy: %s" % sums)
    return "AuthMethod=%s CHAP_A=%s CHAP_mutual=%s HeaderDigest=%s DataDigest=%s sha256=%s" % (told + (sums[-1][:16],)), "\n".join(wrong)


def main():
    why = tgt.missing()
    if why:
        print("1..0 # SKIP " + why)
        return 0
    print("1..%d" % (len(MODES) * len(DIGESTS)), flush=True)
    count = failed = 0
    for mode, accounts in MODES.items():
        with tgt.Tgt(IQN, MIB << 20, lambda f: None, accounts=accounts) as t:
            for name, (header, data) in DIGESTS.items():
                told, wrong = row(t, mode, header, data)
                count += 1
                failed += bool(wrong)
                print("# report: cp %d MiB, %-8s %-7s %s" % (MIB, mode + ",", name + ":", told))
                print("%sok %d - cp_of_%d_MiB_out_and_back_with_%s_and_digest_%s" % ("not " if wrong else "", count, MIB, mode, name), flush=True)
                for line in wrong.splitlines():
                    print("# " + line)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
