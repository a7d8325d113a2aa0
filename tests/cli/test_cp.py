#!/usr/bin/env python3
"""iskra cp: every kind of end with every other, what it refuses, how it ends. TAP; argument: the program."""

import json
import os
import random
import subprocess
import sys
import tempfile

import peers

ISKRA = sys.argv[1]
MIB = 1 << 20
TESTS = []
RNG = random.Random(7143)


def test(function):
    TESTS.append(function)
    return function


def equal(got, want, what=""):
    assert got == want, "%s: %.300r, expected %.300r" % (what, got, want)


class World:
    def __init__(self, folder, target):
        self.folder, self.target = folder, target

    def path(self, name, data=None):
        path = os.path.join(self.folder, name)
        if data is not None:
            with open(path, "wb") as f:
                f.write(data)
        return path

    def lun(self, number):
        return "iscsi://%s/%s/%d" % (self.target.portal, peers.NAME, number)

    def run(self, command, *args, data=b""):
        return subprocess.run([ISKRA, command] + list(args), input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)

    def cp(self, *args, data=b"", code=0, says=b""):
        done = self.run("cp", *args, data=data)
        equal((done.returncode, len(done.stderr.splitlines())), (code, 1 if code else 0), done.stderr)
        assert says in done.stderr, "%r is not in %r" % (says, done.stderr)
        return done.stdout

    def disk(self, number=0):
        return self.run("read", self.lun(number)).stdout


def content(path):
    with open(path, "rb") as f:
        return f.read()


@test
def what_is_behind_the_end_of_the_source_stays(w):
    before, data = w.disk(), RNG.randbytes(MIB + 12345)
    w.cp("--verify", w.path("source", data), w.lun(0))
    equal(w.disk() == data + before[len(data):], True)


@test
def each_kind_of_end_goes_with_each_other(w):
    data = RNG.randbytes(4 * MIB)
    w.cp("-", w.lun(0), data=data)
    w.cp("--verify", w.lun(0), w.lun(1))
    equal(w.disk(1) == data, True, "LUN to LUN")
    equal(w.cp(w.lun(1), "-") == data, True, "LUN to stdout")
    w.cp("--verify", w.lun(1), w.path("copy"))
    equal(content(w.path("copy")) == data, True, "LUN to file")
    w.cp("--verify", w.path("copy"), w.path("again"))
    equal(content(w.path("again")) == data, True, "file to file")
    equal(w.cp("-", "-", data=data) == data, True, "stdin to stdout")


@test
def any_depth_and_size_of_requests_copies_the_same(w):
    data = RNG.randbytes(300001)
    for qd, bs in (("1", "512"), ("3", "5000"), ("256", "4K"), ("16", "16M")):
        w.cp("--qd", qd, "--bs", bs, w.path("source", data), w.lun(0))
        w.cp("--qd", qd, "--bs", bs, w.lun(0), w.path("copy"))
        equal(content(w.path("copy"))[:len(data)] == data, True, "qd %s bs %s" % (qd, bs))


@test
def a_file_is_replaced_also_by_a_shorter_one(w):
    w.cp(w.path("source", b"short"), w.path("copy", bytes(9999)))
    equal(content(w.path("copy")), b"short")


@test
def a_sparse_copy_has_holes_and_the_same_bytes(w):
    data = RNG.randbytes(5000) + bytes(3 * MIB) + RNG.randbytes(100) + bytes(MIB)
    w.cp("--sparse", "--verify", w.path("source", data), w.path("copy", b"x" * 10000))
    equal(content(w.path("copy")) == data, True)
    assert os.stat(w.path("copy")).st_blocks * 512 < MIB, "no holes"


@test
def an_interrupted_copy_is_resumed_where_the_file_ends(w):
    data = w.disk()
    for have in (0, 1, 700001, len(data)):
        out = w.cp("--resume", "--verify", "--json", w.lun(0), w.path("part", data[:have]))
        told = json.loads(out)
        equal((told["bytes"], told["resumed_at"], told["verified"]), (len(data) - have, have, True))
        equal(content(w.path("part")) == data, True)


@test
def verify_tells_the_first_byte_that_differs(w):
    data = bytearray(w.disk())
    data[1000003] ^= 0xff
    w.cp("--resume", "--verify", w.lun(0), w.path("part", data), code=6, says=b"byte 1000003 is %02x in the source LUN and %02x" %
         (data[1000003] ^ 0xff, data[1000003]))


@test
def a_destination_that_is_too_small_is_refused_before_anything_is_written(w):
    before = w.disk()
    w.cp(w.path("long", bytes(4 * MIB + 1)), w.lun(0), code=2, says=b"has 4194305 bytes, the destination LUN has room for 4194304")
    equal(w.disk() == before, True)
    w.cp("-", w.lun(0), data=bytes(4 * MIB + 1), code=2, says=b"beyond the end")


@test
def what_cannot_be_is_refused(w):
    path = w.path("source", b"x")
    w.cp(path, path, code=2, says=b"same file")
    equal(content(path), b"x")
    for args in (("--verify", "-", path), ("--sparse", path, w.lun(0)), ("--resume", path, "-"), ("--json", path, "-"),
                 ("--qd=0", path, "-"), ("--bs=17M", path, "-"), ("--bs=1", path, "-")):
        w.cp(*args, code=2)
    w.cp(w.path("nowhere"), w.lun(0), code=1, says=b"No such file")
    w.cp(path, w.folder, code=1, says=b"directory")
    w.cp(path, w.lun(2), code=2)
    w.cp(path, "/dev/full", code=1, says=b"No space left")


@test
def a_reader_that_goes_away_ends_it_quietly(w):
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run([ISKRA, "cp", w.lun(0), "-"], stdout=write_end, stderr=subprocess.PIPE, timeout=60)
    os.close(write_end)
    equal((done.returncode, done.stderr), (0, b""))


def main():
    print("1..%d" % len(TESTS), flush=True)
    failed = 0
    with tempfile.TemporaryDirectory(prefix="iskra-cp-") as folder, \
            peers.Target(ISKRA, ["--ram", "4M", "--ram", "4M", "--ram", "1M", "--read-only"]) as target:
        for number, function in enumerate(TESTS, 1):
            try:
                function(World(folder, target))
                print("ok %d - %s" % (number, function.__name__), flush=True)
            except (AssertionError, subprocess.TimeoutExpired) as e:
                failed += 1
                print("not ok %d - %s\n# %s" % (number, function.__name__, str(e).replace("\n", "\n# ")), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
