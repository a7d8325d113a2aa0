#!/usr/bin/env python3
"""iskra write: where its bytes end up, what it refuses, how it ends. TAP; argument: the program."""

import json
import os
import pty
import random
import re
import signal
import subprocess
import sys
import tempfile

import peers

ISKRA = sys.argv[1]
TESTS = []
RNG = random.Random(7143)


class Skipped(Exception):
    """This machine lacks what the case needs."""


def test(function):
    TESTS.append(function)
    return function


def equal(got, want, what=""):
    assert got == want, "%s: %r, expected %r" % (what, got, want)


class Disk:
    """A LUN of the target, and what it has to hold."""

    def __init__(self, target, lun, size):
        self.url = "iscsi://%s/%s/%d" % (target.portal, peers.NAME, lun)
        self.want = bytearray(size)

    def write(self, *args, data=None, **more):
        if data is not None:
            more["input"] = data
        return subprocess.run([ISKRA, "write", self.url] + list(args), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **more)

    def put(self, offset, data):
        done = self.write("--offset", str(offset), data=data)
        equal((done.returncode, done.stdout, done.stderr), (0, b"", b""), "%d bytes at %d" % (len(data), offset))
        self.want[offset:offset + len(data)] = data

    def check(self):
        done = subprocess.run([ISKRA, "read", self.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        equal((done.returncode, done.stderr), (0, b""))
        at = next((i for i, (a, b) in enumerate(zip(done.stdout, self.want)) if a != b), None)
        equal((len(done.stdout), at), (len(self.want), None), "length, first byte that differs")


@test
def bytes_end_up_where_they_belong_and_their_neighbours_stay(disk):
    size = len(disk.want)
    disk.put(0, RNG.randbytes(size))
    for offset, length in ((0, 1), (511, 2), (1, 510), (700, 100), (1024, 512), (1000, 70000), (size - 1, 1), (12345, 700001)):
        disk.put(offset, RNG.randbytes(length))
    disk.check()


@test
def a_file_is_read_from_where_it_stands(disk):
    data = RNG.randbytes(5000)
    with tempfile.TemporaryFile() as f:
        f.write(data)
        f.flush()
        os.lseek(f.fileno(), 1000, os.SEEK_SET)
        done = disk.write("--offset=2K", stdin=f)
    equal((done.returncode, done.stderr), (0, b""))
    disk.want[2048:2048 + 4000] = data[1000:]
    disk.check()


@test
def a_slow_pipe_in_odd_pieces_arrives(disk):
    data = RNG.randbytes(400000)
    writer = subprocess.Popen([ISKRA, "write", disk.url, "--offset", "99999"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
    for at in range(0, len(data), 33333):
        writer.stdin.write(data[at:at + 33333])
    writer.stdin.close()
    equal((writer.stderr.read(), writer.wait(timeout=20)), (b"", 0))
    disk.want[99999:99999 + len(data)] = data
    disk.check()


@test
def digests_and_small_requests_make_no_difference(disk):
    url, data = disk.url, RNG.randbytes(300000)
    for options in ("header_digest=crc32c&data_digest=crc32c", "initial_r2t=yes&immediate_data=no",
                    "first_burst=512&max_burst=1024&queue_depth=1"):
        data = data[::-1]
        disk.url = url + "?" + options
        disk.put(777, data)
        disk.url = url
        disk.check()


@test
def json_tells_how_much_was_written(disk):
    data = RNG.randbytes(1000)
    done = disk.write("--json", data=data)
    if b"without json-c" in done.stderr:
        raise Skipped("built without json-c")
    found = json.loads(done.stdout)
    equal((sorted(found), found["bytes"]), (["bytes", "seconds"], 1000))
    disk.want[:1000] = data


@test
def a_file_that_is_too_long_is_refused_before_anything_is_written(disk):
    with tempfile.TemporaryFile() as f:
        f.truncate(len(disk.want))
        done = disk.write("--offset", "1", stdin=f)
    equal((done.returncode, done.stderr.decode()),
          (2, "iskra: write: %d bytes at 1 reach beyond the end of LUN 2 at %d\n" % (len(disk.want), len(disk.want))))
    disk.check()


@test
def a_pipe_that_is_too_long_is_written_as_far_as_it_fits(disk):
    size = len(disk.want)
    done = disk.write("--offset", str(size - 3), data=b"abcd")
    disk.want[-3:] = b"abc"
    equal((done.returncode, done.stderr.decode()),
          (2, "iskra: write: the input goes on beyond the end of the LUN at %d; 3 bytes at %d were written\n" % (size, size - 3)))
    disk.put(size - 5, b"12345")  # to the very end is not too long
    disk.check()


@test
def an_input_that_cannot_be_read_is_an_error(disk):
    fd = os.open("/", os.O_RDONLY)
    done = disk.write(stdin=fd)
    os.close(fd)
    equal(done.returncode, 1)
    assert re.fullmatch(rb"iskra: write: standard input: Is a directory, after 0 bytes\n", done.stderr), done.stderr
    disk.check()


@test
def a_terminal_is_not_read_unless_forced(disk):
    try:
        master, slave = pty.openpty()
    except OSError as e:
        raise Skipped("no terminal to be had here: %s" % e) from e
    done = disk.write(stdin=slave)
    equal((done.returncode, b"terminal" in done.stderr), (2, True))
    os.write(master, b"typed\n\x04")
    done = disk.write("-f", stdin=slave)
    equal((done.returncode, done.stderr), (0, b""))
    disk.want[:6] = b"typed\n"
    disk.check()
    os.close(master)
    os.close(slave)


@test
def ctrl_c_ends_it_by_that_signal(disk):
    writer = subprocess.Popen([ISKRA, "write", "-v", disk.url], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert b"logged in" in writer.stderr.readline()
    writer.stdin.write(bytes(disk.want[:100000]))  # what is there already; more than a pipe holds, so some of it was read
    writer.stdin.flush()
    writer.send_signal(signal.SIGINT)
    writer.stderr.read()
    equal(writer.wait(timeout=10), -signal.SIGINT)
    writer.stdin.close()
    disk.check()


@test
def progress_is_shown_on_a_terminal_and_taken_away(disk):
    try:
        master, slave = pty.openpty()
    except OSError as e:
        raise Skipped("no terminal to be had here: %s" % e) from e
    with tempfile.TemporaryFile() as f:
        f.truncate(1 << 39)
        writer = subprocess.Popen([ISKRA, "write", disk.url[:-1] + "1"], stdin=f, stderr=slave)
    shown = b""
    while b"s left" not in shown:
        shown += os.read(master, 4096)
    writer.send_signal(signal.SIGTERM)
    equal(writer.wait(timeout=10), -signal.SIGTERM)
    os.close(slave)
    try:
        shown += os.read(master, 65536)
    except OSError:
        pass  # the other end is gone and all was read
    os.close(master)
    assert re.search(rb"\r\[[#.]{40}\] +\d+%  [0-9.]+ [KMGT]iB  [0-9.]+ [KMGT]iB/s  \d+ s left\x1b\[K", shown), shown
    assert shown.endswith(b"\r\x1b[K"), shown


@test
def a_target_that_goes_away_is_an_error(disk):
    target = peers.Target(ISKRA, ["--null", "1T"])
    url = "iscsi://%s/%s/0?replacement_timeout=0" % (target.portal, peers.NAME)
    writer = subprocess.Popen([ISKRA, "write", url], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    writer.stdin.write(bytes(3 << 20))
    equal(target.stop(), (0, "", ""))
    try:
        writer.stdin.write(bytes(3 << 20))
        writer.stdin.close()
    except BrokenPipeError:
        pass  # it has ended
    err = writer.stderr.read()
    code = writer.wait(timeout=20)
    assert code not in (0, 2) and re.fullmatch(rb"iskra: write: .*\n", err), (code, err)


@test
def what_was_written_survives_the_target(disk):
    data = RNG.randbytes(100000)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "disk")
        with open(path, "wb") as f:
            f.truncate(1 << 20)
        target = peers.Target(ISKRA, ["--file", path])
        Disk(target, 0, 1 << 20).put(5555, data)
        target.process.kill()
        target.stop()
        with open(path, "rb") as f:
            f.seek(5555)
            equal(f.read(len(data)) == data, True)


def main():
    failed = 0
    print("1..%d" % len(TESTS), flush=True)
    with peers.Target(ISKRA, ["--null", "1M", "--null", "1T", "--ram", "1M"]) as target:
        disk = Disk(target, 2, peers.RAM_LEN)
        for number, function in enumerate(TESTS, 1):
            name, why, skip = function.__name__, "", ""
            try:
                function(disk)
            except Skipped as e:
                skip = str(e)
            except (AssertionError, ValueError, KeyError, IndexError, RuntimeError, subprocess.SubprocessError) as e:
                why = "%s: %s" % (type(e).__name__, e)
            failed += bool(why)
            print("%s %d - %s%s" % ("not ok" if why else "ok", number, name, " # SKIP " + skip if skip else ""), flush=True)
            for line in why.splitlines():
                print("# " + line)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
