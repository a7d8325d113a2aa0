#!/usr/bin/env python3
"""Every row of bad.tsv against the built program, and that no key, login status or exit code is without one. TAP; arguments: the
program, the table, the source tree, names of rows (all unless given)."""

import collections
import concurrent.futures
import os
import re
import shlex
import subprocess
import sys
import tempfile

import peers

ISKRA, TABLE, SOURCE, CHOSEN = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
WALL = 20  # seconds
Row = collections.namedtuple("Row", "name command environment target code pattern")
# What a terminal would act upon: C0, DEL, C1, directions, and what is no UTF-8.
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffd]")


def read(*path):
    with open(os.path.join(SOURCE, *path)) as f:
        return f.read()


def rows():
    with open(TABLE) as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if not line or line.startswith("#"):
                continue
            fields = line.split("\t")
            if len(fields) != 6:
                raise SystemExit("%s:%d: %d columns, expected 6" % (TABLE, number, len(fields)))
            yield Row(*fields)


def environment(words, runtime):
    """Rows run side by side and write to the same LUNs: each has its own place for locks."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("LIBISCSI_")}
    env["XDG_RUNTIME_DIR"] = runtime
    for word in [] if words == "-" else shlex.split(words):
        name, equals, value = word.partition("=")
        env.pop(name, None)
        if equals:
            env[name] = value
    return env


def judge(row, world):
    with world.peer(row.target) as peer, tempfile.TemporaryDirectory(dir=world.folder) as runtime:
        def fill(text):
            for name, value in (("portal", peer.portal), ("url", "iscsi://%s/%s" % (peer.portal, peer.name)),
                                ("folder", world.folder), ("long", 300 * "x")):
                text = text.replace("{%s}" % name, value)
            return text
        command = fill(row.command)
        words, _, given = command.partition(" < ")
        try:
            with open(given or os.devnull, "rb") as stdin:
                done = subprocess.run([ISKRA] + shlex.split(words), stdin=stdin, stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE, env=environment(fill(row.environment), runtime), timeout=WALL)
        except subprocess.TimeoutExpired:
            return ["iskra %s: still running after %d s" % (command, WALL)]
    err = done.stderr.decode(errors="replace")
    complaints = ["the script's own fault: " + fault for fault in peer.faults]
    if done.returncode != int(row.code):
        complaints.append("exit code %d, expected %s" % (done.returncode, row.code))
    if not re.fullmatch("" if row.pattern == "-" else row.pattern, err.rstrip("\n")):
        complaints.append("stderr does not match %s" % row.pattern)
    if CONTROL.search(err):
        complaints.append("stderr has bytes a terminal would act upon: %r" % err[:200])
    if int(row.code) and err.count("\n") != 1:
        complaints.append("%d lines on stderr, expected 1" % err.count("\n"))
    if int(row.code) and done.stdout and not row.command.startswith("trace"):  # which shows how far it came
        complaints.append("%d bytes on stdout beside the error" % len(done.stdout))
    if complaints:
        complaints.append("iskra " + command)
        complaints += err.splitlines()[:12]
    return complaints


# ---- what has to be in the table

def there_are_enough_rows_and_no_name_twice(table):
    names = collections.Counter(row.name for row in table)
    bad = [row for row in table if row.code != "0"]
    return (["only %d rows that end badly" % len(bad)] if len(bad) < 80 else []) + [n for n, count in names.items() if count > 1]


def every_key_has_a_row_that_names_its_bad_value(table):
    keys = re.findall(r'^    \{"([a-z0-9_]+)", KIND_', read("lib", "api", "settings.c"), re.M)
    complaints = [] if len(keys) > 30 else ["only %d keys found" % len(keys)]
    for key in keys:
        found = False
        for row in table:
            given = re.search(r"[?&]%s=([^&' ]*)" % key, row.command)
            said = row.pattern.replace("\\", "")
            # Secrets are not shown: the key alone tells which.
            found |= bool(given and row.code == "2" and key in said and (given.group(1) in said or "password" in key))
        complaints += [] if found else ["key " + key]
    readme = read("README.md")
    return complaints + ["key %s is not in README.md" % key for key in keys if not re.search(r"^\|[^|]*`%s`" % key, readme, re.M)]


def every_login_status_has_a_row(table):
    names = read("lib", "wire", "names.c")
    names = names[names.index("iskra_login_status_name"):]
    known = re.findall(r"\{0x([0-9a-f]{4}),", names[:names.index("NAME_FIND")])
    complaints = [] if len(known) >= 18 else ["only %d login statuses found" % len(known)]
    more = ["0001", "0103", "01ff", "020c", "02ff", "0303", "03ff", "0400", "ffff"]
    seen = {row.target.split()[1] for row in table if row.target.startswith("status ")}
    return complaints + ["status " + s for s in known + more if s != "0000" and s not in seen]


def every_exit_code_has_a_row(table):
    enum = re.search(r"enum cli_exit \{(.*?)\}", read("cli", "cli.h"), re.S).group(1)
    codes = re.findall(r"= (\d+)", enum)
    complaints = [] if len(codes) >= 10 else ["only %d exit codes found" % len(codes)]
    manual = read("man", "iskra.1")
    manual = manual[manual.index(".Sh EXIT STATUS"):]
    complaints += ["exit code %s is not in the manual" % c for c in codes if not re.search(r"^\.It %s$" % c, manual, re.M)]
    return complaints + ["exit code " + c for c in codes if c not in {row.code for row in table}]


COVERAGE = [there_are_enough_rows_and_no_name_twice, every_key_has_a_row_that_names_its_bad_value, every_login_status_has_a_row,
            every_exit_code_has_a_row]


def main():
    table = [row for row in rows() if not CHOSEN or row.name in CHOSEN]
    checks = [] if CHOSEN else COVERAGE
    print("1..%d" % (len(table) + len(checks)), flush=True)
    number, failed = 0, 0

    def tell(name, complaints):
        nonlocal number, failed
        number += 1
        failed += bool(complaints)
        print("%s %d - %s" % ("not ok" if complaints else "ok", number, name), flush=True)
        for line in complaints:
            print("# " + line)

    for check in checks:
        tell(check.__name__, check(table))
    with tempfile.TemporaryDirectory() as folder, peers.World(ISKRA, folder) as world, \
            concurrent.futures.ThreadPoolExecutor(4) as pool:
        for row, complaints in zip(table, pool.map(lambda row: judge(row, world), table)):
            tell(row.name, complaints)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
