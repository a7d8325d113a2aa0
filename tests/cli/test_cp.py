#!/usr/bin/env python3
"""iskra cp: every kind of end with every other, what it refuses, how it ends. TAP; argument: the program."""

import json
import os
import pty
import random
import select
import signal
import subprocess
import sys
import tempfile
import time

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


class Skipped(Exception):
    """This machine lacks what the case needs."""


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


@test
def a_stream_that_is_too_long_is_written_as_far_as_it_fits(w):
    data = RNG.randbytes(4 * MIB + 70001)
    w.cp("-", w.lun(0), data=data, code=2, says=b"iskra: cp: the input goes on beyond the end of the LUN at 4194304; "
         b"4194304 bytes at 0 were written")
    equal(w.disk() == data[:4 * MIB], True)
    fits = RNG.randbytes(4 * MIB)
    w.cp("-", w.lun(0), data=fits)
    equal(w.disk() == fits, True)


@test
def a_stream_that_ends_with_a_whole_request_ends_the_copy(w):
    """Nothing is in flight by then, and with noop_interval=0 nothing of ours would wake the copy."""
    data = RNG.randbytes(2 * MIB)
    process = subprocess.Popen([ISKRA, "cp", "-", w.lun(0) + "?noop_interval=0"], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(data)
    process.stdin.flush()
    time.sleep(0.3)  # shorter: what is tested happens or not, and the copy is right either way
    _, err = process.communicate(timeout=20)
    equal((process.returncode, err), (0, b""))
    equal(w.disk()[:len(data)] == data, True)


@test
def a_source_that_shrinks_while_it_is_copied_is_an_error(w):
    """A copy to a pipe stands still while nobody reads; meanwhile the source gets shorter."""
    path = w.path("source", RNG.randbytes(8 * MIB))
    process = subprocess.Popen([ISKRA, "cp", "--bs", "64K", path, "/dev/stdout"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    first = os.read(process.stdout.fileno(), 4096)
    os.truncate(path, 5 * MIB + 1)
    out, err = process.communicate(timeout=60)
    equal((process.returncode, len(first + out)), (1, 5 * MIB + 1))
    equal(err, b"iskra: cp: %s ended after %d of %d bytes\n" % (path.encode(), 5 * MIB + 1, 8 * MIB))


def stopped(w, signo, *args, **more):
    """A copy that is ended by a signal once some of it is done; its standard output has been read to its end."""
    process = subprocess.Popen([ISKRA, "cp", *args], stderr=subprocess.PIPE, **more)
    if process.stdin:
        process.stdin.write(bytes(3 * MIB))
        process.stdin.flush()
    else:
        os.read(process.stdout.fileno(), 4096)
    process.send_signal(signo)
    _, err = process.communicate(timeout=60)
    equal((process.returncode, err), (-signo, b""))


@test
def a_signal_ends_it_cleanly_and_by_that_signal(w):
    for signo in signal.SIGINT, signal.SIGTERM:
        stopped(w, signo, "-", w.lun(0), stdin=subprocess.PIPE)
        stopped(w, signo, w.lun(0), "-", stdout=subprocess.PIPE)
    w.cp(w.lun(0), w.lun(1))  # nobody holds a lock or a session
    equal(w.disk(1) == w.disk(0), True)


@test
def the_part_that_a_signal_left_is_resumed(w):
    data = w.disk()
    link = w.path("part", b"")
    process = subprocess.Popen([ISKRA, "cp", "--bs", "4K", "--qd", "1", w.lun(0), link], stderr=subprocess.PIPE)
    while os.stat(link).st_size == 0 and process.poll() is None:
        pass
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode in (0, -signal.SIGINT), process.returncode
    equal(content(link) == data[:os.stat(link).st_size], True)
    w.cp("--resume", "--verify", w.lun(0), link)
    equal(content(link) == data, True)


def on_a_terminal(args, data, pause):
    """cp with a terminal for its standard error, fed slowly: what it shows there."""
    try:
        master, slave = pty.openpty()
    except OSError as e:
        raise Skipped("no terminals here: %s" % e) from e
    process = subprocess.Popen([ISKRA, "cp", *args], stdin=subprocess.PIPE, stderr=slave)
    os.close(slave)
    shown = b""
    for at in range(0, len(data), len(data) // 8):
        process.stdin.write(data[at:at + len(data) // 8])
        process.stdin.flush()
        if select.select([master], [], [], pause)[0]:
            shown += os.read(master, 65536)
    process.stdin.close()
    try:
        while part := os.read(master, 65536):
            shown += part
    except OSError:  # the other end is closed
        pass
    os.close(master)
    equal(process.wait(timeout=60), 0)
    return shown


@test
def progress_is_shown_on_a_terminal_and_taken_away(w):
    data = RNG.randbytes(MIB)
    shown = on_a_terminal(["-", w.lun(0)], data, 0.2)
    assert b"KiB" in shown and b"/s" in shown, shown
    assert shown.endswith(b"\r\x1b[K"), shown
    equal(on_a_terminal(["--no-progress", "-", w.lun(0)], data, 0.2), b"")
    equal(on_a_terminal(["-q", "-", w.lun(0)], data, 0.2), b"")
    equal(w.disk()[:MIB] == data, True)


@test
def more_requests_in_flight_than_the_url_allows_raise_it_and_are_told(w):
    data = RNG.randbytes(MIB)
    for qd, query, raised in (("64", "", ["queue_depth=64"]), ("256", "", ["queue_depth=256", "cmds_max=512"]), ("32", "", []),
                              ("8", "?queue_depth=4&cmds_max=16&timeout=20", ["queue_depth=8", "cmds_max=32"]),
                              ("8", "?timeout=20&queue_depth=9", [])):
        done = w.run("cp", "-v", "--qd", qd, "--bs", "4K", w.path("source", data), w.lun(0) + query)
        equal(done.returncode, 0, done.stderr)
        told = [line.split()[2] for line in done.stderr.decode().splitlines() if "for this session" in line]
        equal(told, raised, done.stderr)
        equal(w.disk()[:MIB] == data, True)
    done = w.run("cp", "-v", "--bs", "4K", w.path("source", data), w.lun(0) + "?queue_depth=4")
    assert b"for this session" not in done.stderr, done.stderr
    for query, word in (("?queue_depth=x", b"x"), ("?queue_depth=4&queue_depth=5", b"twice"), ("?nothing=1", b"nothing")):
        w.cp("--qd", "8", w.path("source", data), w.lun(0) + query, code=2, says=word)


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
            except Skipped as e:
                print("ok %d - %s # SKIP %s" % (number, function.__name__, e), flush=True)
            except (AssertionError, subprocess.TimeoutExpired) as e:
                failed += 1
                print("not ok %d - %s\n# %s" % (number, function.__name__, str(e).replace("\n", "\n# ")), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
