#!/usr/bin/env python3
"""iskra raw: what is sent, what comes back, what is refused. TAP; argument: the program."""

import json
import subprocess
import sys

import peers

ISKRA = sys.argv[1]
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def raw(url, *args, data=b""):
    return subprocess.run([ISKRA, "raw", url, *args], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)


def equal(got, want):
    assert got == want, "%r, expected %r" % (got, want)


INQUIRY = "12 00 00 00 60 00"


@test
def data_in_goes_to_standard_output(url):
    done = raw(url, INQUIRY, "--in", "96")
    equal((done.returncode, done.stderr, done.stdout[0]), (0, b"", 0))
    assert len(done.stdout) >= 36, done.stdout


@test
def colons_and_capitals_are_read_too(url):
    done = raw(url, "25:00:00:00:00:00:00:00:00:00", "--in", "8")
    equal((done.returncode, done.stdout), (0, bytes.fromhex("000007ff00000200")))


@test
def command_without_data_says_nothing(url):
    done = raw(url, "000000000000")
    equal((done.returncode, done.stdout, done.stderr), (0, b"", b""))


@test
def data_out_arrives(url):
    block = bytes(range(256)) * 2
    done = raw(url, "2a 00 00000003 00 0001 00", "--out", "-", data=block)
    equal((done.returncode, done.stderr), (0, b""))
    done = raw(url, "28 00 00000003 00 0001 00", "--in", "512")
    equal((done.returncode, done.stdout), (0, block))


@test
def check_condition_is_one_line_and_5(url):
    done = raw(url, "28 00 ffffffff 00 0001 00", "--in", "512")
    equal((done.returncode, done.stdout, done.stderr.count(b"\n")), (5, b"", 1))
    assert b"ILLEGAL REQUEST" in done.stderr and b"OUT OF RANGE (21h/00h)" in done.stderr, done.stderr


@test
def json_has_data_and_sense(url):
    done = raw(url, "--json", "25000000000000000000", "--in", "8")
    got = json.loads(done.stdout)
    equal((got["ok"], got["bytes"], got["data"]), (True, 8, "000007ff00000200"))
    done = raw(url, "--json", "28 00 ffffffff 00 0001 00", "--in", "512")
    got = json.loads(done.stdout)
    equal((done.returncode, got["ok"], got["status"], got["sense_key"], got["asc"], got["ascq"]), (5, False, 2, 5, 0x21, 0))


@test
def underflow_is_told_with_v(url):
    done = raw(url, "-v", "25000000000000000000", "--in", "100")
    equal((done.returncode, len(done.stdout)), (0, 8))
    assert b"underflow: 8 of 100 bytes" in done.stderr, done.stderr


@test
def what_is_no_cdb_is_named(url):
    for cdb, word in (("", "empty"), ("123", "123"), ("12zz", "z"), ("1200", "1200"), ("28000000", "needs 10"),
                      ("88" + "00" * 9, "needs 16"), ("7f000000000000180000", "needs 32"), ("00" * 261, "260")):
        done = raw(url, cdb)
        equal((done.returncode, done.stdout, done.stderr.count(b"\n")), (2, b"", 1))
        assert word.encode() in done.stderr, (cdb, done.stderr)


@test
def data_goes_one_way(url):
    done = raw(url, INQUIRY, "--in", "96", "--out", "-")
    equal(done.returncode, 2)


@test
def file_that_is_not_there_is_named(url):
    done = raw(url, INQUIRY, "--out", "/nonexistent/file")
    equal(done.returncode, 1)
    assert b"/nonexistent/file" in done.stderr, done.stderr


def main():
    failed = 0
    print("1..%d" % len(TESTS), flush=True)
    with peers.Target(ISKRA, ["--ram", "1M"]) as target:
        for number, function in enumerate(TESTS, 1):
            try:
                function("iscsi://%s/%s/0" % (target.portal, peers.NAME))
                print("ok %d - %s" % (number, function.__name__), flush=True)
            except Exception as error:  # pylint: disable=broad-except
                failed += 1
                print("not ok %d - %s" % (number, function.__name__))
                print("# %s" % str(error).replace("\n", " "), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
