#!/usr/bin/env python3
"""The lock of write and cp: one writer per target and LUN among a user's processes. TAP; argument: the program."""

import glob
import os
import re
import stat
import subprocess
import sys
import tempfile

import peers

ISKRA = sys.argv[1]
SIZE = 1 << 20
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def equal(got, want, what=""):
    assert got == want, "%s: %r, expected %r" % (what, got, want)


class Place:
    """A target with two LUNs, a runtime directory, and writers that hold their lock until they are told to go on."""

    def __init__(self, target, directory):
        self.runtime, self.env = directory, dict(os.environ, XDG_RUNTIME_DIR=directory)
        self.urls = ["iscsi://%s/%s/%d" % (target.portal, peers.NAME, lun) for lun in range(2)]

    def run(self, *args, data=b"x" * 512, env=None):
        return subprocess.run([ISKRA, *args], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30, env=env or self.env)

    def hold(self, lun=0):
        """A writer that has the lock: it has written a block, and waits for more."""
        writer = subprocess.Popen([ISKRA, "write", self.urls[lun]], stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env)
        for _ in range(2000):
            if any(open(name).read() == "%d\n" % writer.pid for name in self.locks()):
                return writer
            assert writer.poll() is None, writer.stderr.read()
            subprocess.run(["sleep", "0.01"], check=True)
        raise AssertionError("the writer took no lock")

    def locks(self):
        return [name for name in glob.glob(self.runtime + "/iskra/*") if not re.search(r"\.sock(\.new)?$", name)]


def let_go(writer):
    writer.stdin.close()
    equal((writer.wait(30), writer.stderr.read()), (0, b""))
    writer.stderr.close()


def refused(done, pid):
    equal(done.returncode, 1)
    assert re.fullmatch(rb"iskra: (write|cp): LUN 0 of \S+ is being written by process %d; --force writes all the same\n" % pid,
                        done.stderr), done.stderr


@test
def a_second_writer_is_told_who_writes(place):
    writer = place.hold()
    refused(place.run("write", place.urls[0]), writer.pid)
    let_go(writer)


@test
def a_copy_to_the_same_lun_is_told_too(place):
    writer = place.hold()
    refused(place.run("cp", "-", place.urls[0]), writer.pid)
    refused(place.run("cp", place.urls[1], place.urls[0]), writer.pid)
    let_go(writer)


@test
def force_writes_all_the_same(place):
    writer = place.hold()
    equal(place.run("write", "--force", place.urls[0]).returncode, 0)
    equal(place.run("cp", "-f", "-", place.urls[0]).returncode, 0)
    let_go(writer)


@test
def readers_and_writers_of_other_luns_are_not_concerned(place):
    writer = place.hold()
    equal(place.run("write", place.urls[1]).returncode, 0)
    equal(place.run("read", place.urls[0], "--length", "512").returncode, 0)
    equal(place.run("cp", place.urls[0], "-").returncode, 0)
    let_go(writer)


@test
def the_lock_goes_with_its_holder_however_that_ends(place):
    writer = place.hold()
    writer.kill()
    writer.wait()
    writer.stdin.close()
    writer.stderr.close()
    equal(place.run("write", place.urls[0]).returncode, 0)


@test
def the_directory_is_the_users_own(place):
    let_go(place.hold())
    equal(stat.S_IMODE(os.stat(place.runtime + "/iskra").st_mode), 0o700)
    for name in place.locks():
        equal(stat.S_IMODE(os.stat(name).st_mode), 0o600)
        assert re.fullmatch(r"[-A-Za-z0-9.:_]+,[0-9]+", os.path.basename(name)), name


@test
def without_a_place_for_a_lock_it_is_written_all_the_same(place):
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(directory + "/iskra")
        os.chmod(directory + "/iskra", 0o777)  # anybody could have put anything there: not taken
        done = place.run("write", "-v", place.urls[0], env=dict(place.env, XDG_RUNTIME_DIR=directory))
        equal(done.returncode, 0, done.stderr)
        equal(os.listdir(directory + "/iskra"), [])


@test
def a_link_in_place_of_the_lock_is_not_followed(place):
    let_go(place.hold())
    for name in place.locks():
        os.unlink(name)
        os.symlink(place.runtime + "/victim", name)
    equal(place.run("write", place.urls[0]).returncode, 0)
    assert not os.path.exists(place.runtime + "/victim")


def main():
    print("1..%d" % len(TESTS))
    failed = 0
    with peers.Target(ISKRA, ["--ram", str(SIZE), "--ram", str(SIZE)]) as target:
        for number, function in enumerate(TESTS, 1):
            with tempfile.TemporaryDirectory() as directory:
                try:
                    function(Place(target, directory))
                    print("ok %d - %s" % (number, function.__name__))
                except (AssertionError, subprocess.TimeoutExpired, OSError) as error:
                    failed += 1
                    print("not ok %d - %s" % (number, function.__name__))
                    print("# %s" % str(error).replace("\n", "\n# "))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
