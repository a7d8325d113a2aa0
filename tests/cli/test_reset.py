#!/usr/bin/env python3
"""iskra reset: what it says and leaves with. TAP; argument: the program."""

import json
import re
import subprocess
import sys

import peers

ISKRA = sys.argv[1]
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def equal(got, want):
    assert got == want, "%r, expected %r" % (got, want)


def reset(fault, *args, keys="", lun=0):
    """With a target of its own: exit code, stdout, stderr."""
    options = ["--ram", "1M"] + (["--fault", fault] if fault else [])
    with peers.Target(ISKRA, options) as target:
        url = "iscsi://%s/%s/%d%s" % (target.portal, peers.NAME, lun, keys)
        done = subprocess.run([ISKRA, "reset", url, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


@test
def a_lun_and_a_target_are_reset(_):
    for args, what in ((["--lun"], "LUN 0 of "), (["--target"], ""), (["--target", "--cold"], "")):
        code, out, err = reset(None, *args)
        equal((code, err), (0, ""))
        assert re.fullmatch(what + re.escape(peers.NAME) + r" at 127\.0\.0\.1:\d+: reset in [0-9.]+ s\n", out), out


@test
def json_says_what_was_reset(_):
    for args, what in ((["--lun"], "lun"), (["--target"], "target"), (["--target", "--cold"], "target-cold")):
        code, out, _err = reset(None, "--json", *args)
        told = json.loads(out)
        equal((code, told["reset"], told["target"], told.get("lun")), (0, what, peers.NAME, 0 if what == "lun" else None))
        assert told["seconds"] >= 0, told


@test
def a_lun_that_answers_nothing_is_reset(_):
    equal(reset("drop:command", "--lun", "-q"), (0, "", ""))


@test
def a_refusal_is_5_in_the_targets_words(_):
    equal(reset("field=response=5:tmf-response", "--target"),
          (5, "", "iskra: reset: the target refused TARGET WARM RESET: function not supported\n"))
    equal(reset("field=response=255:tmf-response", "--lun"),
          (5, "", "iskra: reset: the target refused LOGICAL UNIT RESET: function rejected\n"))
    equal(reset(None, "--lun", lun=7), (5, "", "iskra: reset: the target refused LOGICAL UNIT RESET: LUN does not exist\n"))


@test
def silence_is_33(_):
    equal(reset("drop:tmf", "--lun", keys="?lu_reset_timeout=1"), (33, "", "iskra: reset: no answer to LOGICAL UNIT RESET within 1 s\n"))
    equal(reset("drop:tmf", "--target", keys="?tgt_reset_timeout=1"), (33, "", "iskra: reset: no answer to TARGET WARM RESET within 1 s\n"))


@test
def a_lost_session_is_told(_):
    code, out, err = reset("close:tmf", "--lun")
    equal((code, out, err.count("\n")), (1, "", 1))
    assert err.startswith("iskra: reset: LOGICAL UNIT RESET: the session was lost: "), err


if __name__ == "__main__":
    sys.exit(peers.run_all(TESTS, None))
