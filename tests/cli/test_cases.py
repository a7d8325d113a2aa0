#!/usr/bin/env python3
"""Every row of cases.tsv against the built program. TAP; arguments: the program, the table."""

import os
import re
import shlex
import subprocess
import sys
import tempfile

import peers

ISKRA, TABLE = sys.argv[1], sys.argv[2]


def rows():
    with open(TABLE) as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            fields = line.split("\t")
            if len(fields) != 5:
                raise SystemExit("%s:%d: %d columns, expected 5" % (TABLE, number, len(fields)))
            yield fields


def judge(row, portals):
    name, peer, command, want_code, pattern = row
    portal = portals.get(peer, "")
    command = command.replace("{portal}", portal).replace("{url}", "iscsi://%s/%s" % (portal, peers.NAME))
    try:
        done = subprocess.run([ISKRA] + shlex.split(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=30)
    except subprocess.TimeoutExpired:
        return ["iskra %s: still running after 30 s" % command]
    err = done.stderr.decode(errors="replace")
    complaints = []
    if done.returncode != int(want_code):
        complaints.append("exit code %d, expected %s" % (done.returncode, want_code))
    if not re.fullmatch("" if pattern == "-" else pattern, err.rstrip("\n")):
        complaints.append("stderr does not match %s" % pattern)
    if int(want_code) and "--debug" not in command and err.count("\n") != 1:
        complaints.append("%d lines on stderr, expected 1" % err.count("\n"))
    if int(want_code) and done.stdout and not command.startswith("trace"):  # which shows how far it came
        complaints.append("%d bytes on stdout beside the error" % len(done.stdout))
    if complaints:
        complaints.append("iskra " + command)
        complaints += err.splitlines()[:12]
    return complaints


def main():
    table = list(rows())
    print("1..%d" % len(table), flush=True)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        disk = os.path.join(folder, "disk")
        peers.disk_make(disk)
        ports = {manner: peers.Port(manner) for manner in ("refused", "silent", "garbage", "closes")}
        portals = {manner: port.portal for manner, port in ports.items()}
        with peers.Target(ISKRA, ["--file", disk, "--null", "1T", "--ram", "1M", "--ram", "1M", "--read-only"]) as target:
            portals["target"] = target.portal
            for number, row in enumerate(table, 1):
                complaints = judge(row, portals)
                failed += bool(complaints)
                print("%s %d - %s" % ("not ok" if complaints else "ok", number, row[0]), flush=True)
                for line in complaints:
                    print("# " + line)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
