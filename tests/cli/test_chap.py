#!/usr/bin/env python3
"""Credentials on the command line, against the embedded target. TAP; argument: the program."""

import os
import subprocess
import sys
import tempfile

import peers

ISKRA = sys.argv[1]
OURS, THEIRS = "a-password-of-ours", "a-password-of-the-target"


def iskra(*args, **env):
    return subprocess.run([ISKRA, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=30, env=dict(os.environ, **env))


class Tap:
    def __init__(self, plan):
        self.count = 0
        self.failed = 0
        print("1..%d" % plan, flush=True)

    def check(self, done, code, lines, name):
        """The exit code, so many lines on stderr, and no password in any of them."""
        said = done.stdout + done.stderr
        ok = (done.returncode == code and done.stderr.count("\n") == lines and OURS not in said and THEIRS not in said)
        self.count += 1
        self.failed += not ok
        print("%s %d - %s" % ("ok" if ok else "not ok", self.count, name), flush=True)
        if not ok:
            print("# exit code %d, %r" % (done.returncode, done.stderr))


def main():
    tap = Tap(10)
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = os.path.join(folder, "ours"), os.path.join(folder, "theirs")
        for path, secret in ((ours, OURS), (theirs, THEIRS)):
            with open(path, "w", encoding="ascii") as f:
                f.write(secret + "\n")
        accounts = ["--ram", "1M", "--user", "anna", "--password-file", ours, "--mutual-user", "disk",
                    "--mutual-password-file", theirs]
        mine, both = "user=anna&password_file=" + ours, "user=anna&password_file=%s&target_password_file=%s" % (ours, theirs)
        with peers.Target(ISKRA, accounts) as t:
            url = "iscsi://%s/%s/0?" % (t.portal, peers.NAME)
            for alg in "md5", "sha1", "sha-256", "sha3-256":
                tap.check(iskra("info", url + both + "&auth=" + alg), 0, 0, "mutual_by_%s" % alg)
            tap.check(iskra("ls", t.portal + "?" + mine), 0, 0, "discovery_and_each_target_ask_for_the_same")
            tap.check(iskra("info", url + both + "&target_user=other"), 24, 1, "another_target_user_exits_24")
            tap.check(iskra("info", url, LIBISCSI_CHAP_USERNAME="anna", LIBISCSI_CHAP_PASSWORD=OURS), 0, 0,
                      "the_environment_is_enough")
            tap.check(iskra("info", url.replace("iscsi://", "iscsi://anna:%s@" % OURS)), 0, 1,
                      "a_password_in_the_url_is_warned_about")
        with peers.Target(ISKRA, accounts + ["--chap-single", "--chap-base64"]) as t:
            url = "iscsi://%s/%s/0?" % (t.portal, peers.NAME)
            tap.check(iskra("info", url + both), 0, 1, "a_target_that_refuses_a_list_is_asked_once_more")
            tap.check(iskra("info", url + both + "&auth=sha-256"), 0, 0, "a_single_algorithm_needs_no_second_login")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
