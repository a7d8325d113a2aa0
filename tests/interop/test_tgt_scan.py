#!/usr/bin/env python3
"""The program against tgt's LUNs of all kinds: numbers, types, a protected one, one that goes away and comes back. TAP; argument: the
program."""

import json
import os
import subprocess
import sys
import time

import tgt

ISKRA = sys.argv[1]
IQN = "iqn.2026-11.io.iskra.test:scan"
MIB = 1 << 20


def iskra(*args, stdin=b"", want=0):
    done = subprocess.run([ISKRA, *args], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    assert done.returncode == want, "iskra %s: exit %d, not %d: %s" % (" ".join(args), done.returncode, want, done.stderr.decode())
    return done


def equal(got, want, what):
    assert got == want, "%s: %r, not %r" % (what, got, want)


def disk(t, lun, size, *options):
    path = os.path.join(t.dir, "lun%d" % lun)
    if not os.path.exists(path):
        with open(path, "wb") as f:
            f.truncate(size)
    t.admin("--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", str(lun), "-b", path, *options)


def listed(t):
    luns = json.loads(iskra("ls", t.url(0)[:-2], "--json").stdout)[0]["luns"]
    return {lun["lun"]: lun for lun in luns}


def all_kinds_of_luns_are_listed(t):
    disk(t, 2, MIB, "--device-type", "cd")
    disk(t, 4, MIB)
    disk(t, 300, 2 * MIB)
    types = {number: lun["type"] for number, lun in listed(t).items()}
    equal(types, {0: "controller", 1: "disk", 2: "cdrom", 4: "disk", 300: "disk"}, "types")


def what_is_no_disk_takes_raw_commands_only(t):
    for lun in (0, 2):
        error = iskra("read", t.url(lun), "--length", "512", want=1).stderr.decode()
        assert "LUN %d" % lun in error and "no blocks" in error, error
        answer = iskra("raw", t.url(lun), "120000002400", "--in", "36").stdout
        equal(len(answer), 36, "bytes of INQUIRY")
        equal(answer[0] & 31, {0: 12, 2: 5}[lun], "type")


def a_lun_above_255_is_written_and_read(t):
    data = os.urandom(300001)
    iskra("write", t.url(300), "--offset", "77", stdin=data)
    equal(iskra("read", t.url(300), "--offset", "77", "--length", "300001").stdout, data, "bytes")
    equal(json.loads(iskra("info", t.url(300), "--json").stdout)["lun"]["size"], 2 * MIB, "size")


def a_protected_lun_is_refused_before_the_wire(t):
    t.admin("--op", "update", "--mode", "logicalunit", "--tid", "1", "--lun", "4", "--params", "readonly=1")
    equal(json.loads(iskra("info", t.url(4), "--json").stdout)["lun"]["write_protected"], True, "write_protected")
    error = iskra("write", t.url(4), stdin=b"x", want=2).stderr.decode()
    assert "write-protected" in error, error


def a_lun_that_goes_while_it_is_open_is_an_error_and_its_return_is_seen(t):
    writer = subprocess.Popen([ISKRA, "write", t.url(300)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    writer.stdin.write(bytes(MIB))
    writer.stdin.flush()
    limit = time.monotonic() + 20
    path = os.path.join(t.dir, "lun300")
    while time.monotonic() < limit:  # until the first part has come, so that it is open
        with open(path, "rb") as f:
            if f.read(77 + 1000) == bytes(77 + 1000):
                break
        time.sleep(0.05)
    t.admin("--op", "delete", "--mode", "logicalunit", "--tid", "1", "--lun", "300")
    try:
        _, said = writer.communicate(bytes(MIB), timeout=60)
    except BrokenPipeError:
        said = writer.stderr.read()
    assert writer.returncode != 0, "it was written"
    assert b"LOGICAL UNIT NOT SUPPORTED" in said or b"no LUN 300" in said, said.decode()
    assert 300 not in listed(t), "still listed"
    error = iskra("read", t.url(300), want=21).stderr.decode()
    assert "no LUN 300" in error, error
    disk(t, 300, 2 * MIB)
    assert 300 in listed(t), "not listed again"
    equal(iskra("read", t.url(300), "--length", "1000").stdout, bytes(1000), "bytes")


CASES = [all_kinds_of_luns_are_listed, what_is_no_disk_takes_raw_commands_only, a_lun_above_255_is_written_and_read,
         a_protected_lun_is_refused_before_the_wire, a_lun_that_goes_while_it_is_open_is_an_error_and_its_return_is_seen]


def main():
    why = tgt.missing()
    if why:
        print("1..0 # SKIP " + why)
        return 0
    print("1..%d" % len(CASES), flush=True)
    failed = 0
    with tgt.Tgt(IQN, 4 * MIB, lambda f: None) as t:
        for number, case in enumerate(CASES, 1):
            try:
                case(t)
                print("ok %d - %s" % (number, case.__name__), flush=True)
            except (AssertionError, subprocess.TimeoutExpired, RuntimeError) as e:
                failed += 1
                print("not ok %d - %s\n# %s" % (number, case.__name__, str(e).replace("\n", "\n# ")), flush=True)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
