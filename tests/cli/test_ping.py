#!/usr/bin/env python3
"""iskra ping: its lines, its sums, its exit codes. TAP; argument: the program."""

import json
import re
import signal
import subprocess
import sys

import peers

ISKRA = sys.argv[1]
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def ping(url, *args):
    return subprocess.run([ISKRA, "ping", url, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=60)


def equal(got, want):
    assert got == want, "%r, expected %r" % (got, want)


@test
def a_line_for_each_and_a_summary(url):
    done = ping(url, "-c", "3", "-i", "0", "-s", "100")
    equal((done.returncode, done.stderr), (0, ""))
    lines = done.stdout.splitlines()
    equal(len(lines), 5)
    for seq in 1, 2, 3:
        assert re.fullmatch(r"100 bytes: seq=%d time=[0-9.]+ ms" % seq, lines[seq - 1]), lines
    assert lines[3].endswith(": 3 sent, 3 received, 0% lost"), lines
    assert re.fullmatch(r"min/avg/max/mdev = [0-9.]+/[0-9.]+/[0-9.]+/[0-9.]+ ms", lines[4]), lines


@test
def quiet_leaves_the_summary(url):
    done = ping(url, "-q", "-c", "2", "-i", "0.01")
    equal((done.returncode, len(done.stdout.splitlines())), (0, 2))


@test
def data_of_any_length_comes_back(url):
    for size in "0", "1", "3", "4", "8192":
        done = ping(url, "-c", "1", "-s", size)
        equal((done.returncode, done.stderr), (0, ""))


@test
def json_has_every_ping(url):
    done = ping(url, "--json", "-c", "5", "-i", "0")
    got = json.loads(done.stdout)
    equal((done.returncode, got["sent"], got["received"], got["lost"], len(got["pings"])), (0, 5, 5, 0, 5))
    assert got["min_ms"] <= got["avg_ms"] <= got["max_ms"], got


@test
def interrupt_prints_the_summary(url):
    process = subprocess.Popen([ISKRA, "ping", url, "-c", "0", "-i", "0.01"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    equal((process.returncode, err), (0, ""))
    assert "0% lost" in out and "min/avg/max/mdev" in out, out


@test
def wrong_options_are_named(url):
    for args, word in ((["-c", "x"], "x"), (["-s", "8193"], "8193"), (["-i", "-1"], "-1"), (["-i", "nan"], "nan")):
        done = ping(url, *args)
        equal((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1))
        assert word in done.stderr, done.stderr


@test
def silence_ends_with_33(_):
    with peers.Script({"nop": lambda peer, header, data: b""}) as target:
        done = ping("iscsi://%s/%s/0?noop_timeout=0.1" % (target.portal, target.name), "-c", "2", "-i", "0")
    equal(done.returncode, 33)
    assert "no answer to a ping within 0.1 s" in done.stdout and "2 sent, 0 received, 100% lost" in done.stdout, done.stdout


@test
def other_data_is_told_with_1(_):
    with peers.Script({}) as target:
        done = ping("iscsi://%s/%s/0" % (target.portal, target.name), "-c", "1", "-s", "7")
    equal(done.returncode, 1)
    assert "a ping of 7 bytes came back with 0" in done.stdout, done.stdout


@test
def lost_connection_ends_it_with_its_own_code(_):
    with peers.Script({"nop": peers.hangs_up}) as target:
        done = ping("iscsi://%s/%s/0" % (target.portal, target.name), "-c", "9")
    equal((done.returncode, done.stderr.count("\n")), (1, 1))
    assert "1 sent, 0 received" in done.stdout and "closed the connection" in done.stderr, (done.stdout, done.stderr)


def main():
    with peers.Target(ISKRA, ["--ram", "1M"]) as target:
        return peers.run_all(TESTS, "iscsi://%s/%s/0" % (target.portal, peers.NAME))


if __name__ == "__main__":
    sys.exit(main())
