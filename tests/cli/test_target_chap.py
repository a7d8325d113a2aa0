#!/usr/bin/env python3
"""The embedded target with CHAP, as the command line sets it up. TAP; argument: the program."""

import os
import shutil
import subprocess
import sys
import tempfile

import peers

ISKRA = sys.argv[1]
SECRET, OTHER = "correct horse battery", "staple of the target"
TESTS = []


class Skip(Exception):
    pass


def test(function):
    TESTS.append(function)
    return function


def equal(got, want, what=""):
    assert got == want, "%s: %r, expected %r" % (what, got, want)


class Folder:
    def __init__(self, path):
        self.path = path

    def file(self, content):
        path = os.path.join(self.path, "secret%d" % len(os.listdir(self.path)))
        with open(path, "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())
        return path

    def user(self, content=SECRET + "\n"):
        return ["--user", "anna", "--password-file", self.file(content)]

    def mutual(self, content=OTHER + "\n"):
        return ["--mutual-user", "disk", "--mutual-password-file", self.file(content)]


def target(options):
    return peers.Target(ISKRA, ["--ram", "1M"] + options)


def iskra(*args):
    return subprocess.run([ISKRA, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=30)


def refused(options, code, pattern):
    """The target does not start, and says why in one line that is no secret."""
    done = iskra("target", "--listen", "127.0.0.1:0", "--ram", "1M", *options)
    equal((done.returncode, done.stdout, done.stderr.count("\n")), (code, "", 1), done.stderr)
    assert pattern in done.stderr, done.stderr
    assert SECRET not in done.stderr and OTHER not in done.stderr, done.stderr


def foreign(portal, secret=SECRET, other=None):
    """True if libiscsi's iscsi-inq is let in, and believes in the target."""
    tool = shutil.which("iscsi-inq")
    if not tool:
        raise Skip("iscsi-inq is not installed (package libiscsi-bin)")
    env = dict(os.environ, LIBISCSI_CHAP_USERNAME="anna", LIBISCSI_CHAP_PASSWORD=secret)
    if other:
        env.update(LIBISCSI_CHAP_TARGET_USERNAME="disk", LIBISCSI_CHAP_TARGET_PASSWORD=other)
    done = subprocess.run([tool, "iscsi://%s/%s/0" % (portal, peers.NAME)], env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
    return b"Vendor:ISKRA" in done.stdout


@test
def who_has_no_secret_leaves_with_24(w):
    with target(w.user()) as t:
        done = iskra("info", "iscsi://%s/%s/0" % (t.portal, peers.NAME))
        equal((done.returncode, done.stderr.count("\n")), (24, 1), done.stderr)
        equal(iskra("discover", t.portal).returncode, 24)


@test
def discovery_can_be_open(w):
    with target(w.user() + ["--open-discovery"]) as t:
        done = iskra("discover", t.portal)
        equal((done.returncode, done.stdout), (0, "%s,1 %s\n" % (t.portal, peers.NAME)), done.stderr)


@test
def ls_says_which_of_the_targets_it_found_refuses(w):
    with target(w.user() + ["--open-discovery"]) as t:
        done = iskra("ls", t.portal)
        equal((done.returncode, done.stdout), (24, ""), done.stderr)
        assert done.stderr.startswith("iskra: ls: %s: login refused: " % peers.NAME), done.stderr


@test
def who_has_the_secret_is_let_in(w):
    for content in SECRET, SECRET + "\n", SECRET + "\r\n":
        with target(w.user(content)) as t:
            assert foreign(t.portal), repr(content)
            assert not foreign(t.portal, SECRET + " "), repr(content)


@test
def a_secret_of_255_bytes_is_taken(w):
    for end in "", "\n", "\r\n":
        with target(w.user("x" * 255 + end)) as t:
            assert foreign(t.portal, "x" * 255), repr(end)


@test
def the_target_proves_who_it_is(w):
    with target(w.user() + w.mutual()) as t:
        assert foreign(t.portal, other=OTHER)
        assert foreign(t.portal)
        assert not foreign(t.portal, other="somebody else's secret")


@test
def the_algorithms_are_those_allowed(w):
    with target(w.user() + ["--chap", "sha1,md5"]) as t:
        assert foreign(t.portal)
    with target(w.user() + ["--chap", "sha-256,sha3-256"]) as t:
        assert not foreign(t.portal)


@test
def the_secret_is_in_no_list_of_processes(w):
    with target(w.user()) as t:
        with open("/proc/%d/cmdline" % t.process.pid, "rb") as f:
            assert SECRET.encode() not in f.read()
        _, out, err = t.stop()
        equal((out, err), ("", ""))


@test
def a_short_secret_is_warned_of(w):
    for options, said in ([], True), (["-q"], False):
        with target(w.user("eleven byte\n") + options) as t:
            _, _, err = t.stop()
        equal("a secret of 11 bytes" in err, said, err)
        assert "eleven" not in err, err


@test
def files_that_hold_no_secret_are_refused(w):
    refused(w.user(""), 2, "is empty")
    refused(w.user("\n"), 2, "is empty")
    refused(w.user(SECRET + "\nanother line\n"), 2, "more than one line")
    refused(w.user(SECRET + "\0\n"), 2, "NUL byte")
    for length in 256, 257, 258, 5000:
        refused(w.user("x" * length), 2, "more than the 255 bytes")
    refused(["--user", "anna", "--password-file", w.path + "/absent"], 1, "/absent: No such file")
    refused(["--user", "anna", "--password-file", w.path], 1, "Is a directory")


@test
def half_of_a_pair_is_a_usage_error(w):
    refused(["--user", "anna"], 2, "--user and --password-file belong together")
    refused(w.user()[2:], 2, "--user and --password-file belong together")
    refused(w.user() + ["--mutual-user", "disk"], 2, "--mutual-user and --mutual-password-file belong together")
    refused(w.user() + w.mutual()[2:], 2, "--mutual-user and --mutual-password-file belong together")
    refused(w.mutual(), 2, "--mutual-user disk: needs --user")


@test
def the_same_secret_both_ways_is_refused(w):
    refused(w.user() + w.mutual(SECRET), 2, "are the same")


@test
def an_unknown_algorithm_is_named(w):
    refused(w.user() + ["--chap", "md5,crc32"], 2, "crc32 is none of md5, sha1, sha-256, sha3-256")
    refused(w.user() + ["--chap", ""], 2, "is none of")
    refused(w.user() + ["--chap", "md5,"], 2, "is none of")


def main():
    print("1..%d" % len(TESTS), flush=True)
    failed = 0
    for number, function in enumerate(TESTS, 1):
        with tempfile.TemporaryDirectory() as path:
            try:
                function(Folder(path))
                print("ok %d - %s" % (number, function.__name__), flush=True)
            except Skip as reason:
                print("ok %d - %s # SKIP %s" % (number, function.__name__, reason), flush=True)
            except Exception as failure:  # whatever it is, it is a line of the report
                failed += 1
                print("not ok %d - %s\n# %s" % (number, function.__name__, repr(failure).replace("\n", "\n# ")), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
