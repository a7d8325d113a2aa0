#!/usr/bin/env python3
"""Every row of inputs.tsv: the scripted target does it, and the built program must answer with an error and its reason, or do its work.
Memory and time have caps. TAP; arguments: the program, the table, names or numbers of rows (all unless given)."""

import concurrent.futures
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import threading

import adversary_inputs  # noqa: F401: these three add to INPUTS
import chap_inputs  # noqa: F401
import wire_inputs  # noqa: F401
from inputs import INPUTS
from chap_inputs import INITIATOR_SECRET, TARGET_SECRET
from scripted import NAME, Target, block_of

ISKRA, TABLE, CHOSEN = sys.argv[1], sys.argv[2], sys.argv[3:]
WALL = 30  # seconds
WITH_ASAN = b"__asan_init" in open(ISKRA, "rb").read()
MEMORY = (384 if WITH_ASAN else 128) << 20  # resident, at the worst moment
ADDRESS_SPACE = 2 << 30  # where no sanitizer reserves terabytes of it
OPTIONS = "login_timeout=3&timeout=1&noop_interval=0.5&noop_timeout=0.5&replacement_timeout=1&abort_timeout=0.5&lu_reset_timeout=0.5" \
          "&tgt_reset_timeout=0.5"
COMMANDS = {
    "discover": "-q discover '{portal}?{options}'",
    "ls": "-q ls '{url}/0?{options}'",
    "lsall": "-q ls '{url}?{options}'",
    "info": "-q info '{url}/0?{options}'",
    "read": "-q read --length 4096 '{url}/0?{options}'",
    "write": "-q write '{url}/0?{options}'",
    "digests": "-q read --length 4096 '{url}/0?header_digest=crc32c&data_digest=crc32c&{options}'",
    "write_digests": "-q write '{url}/0?header_digest=crc32c&data_digest=crc32c&{options}'",
    "chap": "-q read --length 4096 '{url}/0?user=initiator&password_env=HOSTILE_SECRET&{options}'",
    "mutual": "-q read --length 4096 '{url}/0?user=initiator&password_env=HOSTILE_SECRET&target_user=target"
              "&target_password_file={secret}&{options}'",
    "userinfo": "-q read --length 4096 'iscsi://initiator:100%25%40home%3Aa%2540b%2F%3F%26%3D@{portal}/{name}/0?{options}'",
    "userinfo_undecoded": "-q read --length 4096 'iscsi://initiator%pa%25ss@{portal}/{name}/0?{options}'",
    "login": "-q trace '{url}/0?{options}' login",
    "retries": "-q read --length 4096 '{url}/0?login_retries=3&{options}'",
}
READS = ("read", "digests", "chap", "mutual", "retries", "userinfo", "userinfo_undecoded")
AT_ONCE = 16  # most of them wait most of the time
INPUT = b"".join(block_of(~n & 0xffffffff) for n in range(8))
# What a terminal would act upon: C0 but newline and tab, DEL, C1 as bytes of UTF-8, and what is not UTF-8 at all.
CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffd]")


def rows():
    with open(TABLE, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if line and not line.startswith("#"):
                fields = line.split("\t")
                if len(fields) != 5:
                    raise SystemExit("%s:%d: %d columns, expected 5" % (TABLE, number, len(fields)))
                yield fields


def environment(name):
    """The child's: secrets of the test's own, what the input asks for, and with ASan a cap that ends the process."""
    env = {**os.environ, "HOSTILE_SECRET": INITIATOR_SECRET, **INPUTS.get(name, {}).get("env", {})}
    if WITH_ASAN:
        caps = "hard_rss_limit_mb=%d:max_allocation_size_mb=%d" % (MEMORY >> 20, MEMORY >> 20)
        env["ASAN_OPTIONS"] = ":".join(filter(None, (env.get("ASAN_OPTIONS"), caps)))
    return env


def limits():
    if not WITH_ASAN:
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def run(command, folder, target, env):
    """Exit code (None: the wall), stdout, stderr, peak of resident memory."""
    with tempfile.TemporaryFile(dir=folder) as out, tempfile.TemporaryFile(dir=folder) as err, tempfile.TemporaryFile(dir=folder) as given:
        given.write(INPUT)
        given.seek(0)
        child = subprocess.Popen([ISKRA] + command, stdin=given, stdout=out, stderr=err, preexec_fn=limits, env=env)
        target.child = child.pid
        late = threading.Timer(WALL, lambda: os.kill(child.pid, signal.SIGKILL))
        late.start()
        _, status, usage = os.wait4(child.pid, 0)
        late.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        return child.returncode, out.read(), err.read(1 << 20), usage.ru_maxrss << 10


def service(kind, out, target):
    """What is wrong with the work of a command that says it was done."""
    if kind in READS and out != b"".join(map(block_of, range(8))):
        return ["stdout is not the 4096 bytes of the LUN, but %d others" % len(out)]
    if kind in ("write", "write_digests") and b"".join(target.disk.get(n, b"") for n in range(8)) != INPUT:
        return ["the target did not get what was written"]
    if kind in ("discover", "ls", "lsall", "info", "login") and not out.strip():
        return ["nothing on stdout"]
    return []


def judge(row, folder):
    _, _, name, command, codes = row
    kind = command if command in COMMANDS else None
    target = Target(INPUTS.get(name, {}))
    try:
        portal = "127.0.0.1:%d" % target.port
        line = COMMANDS.get(command, command).format(portal=portal, url="iscsi://%s/%s" % (portal, NAME.decode()), options=OPTIONS,
                                                     name=NAME.decode(), k64="x" * 65536,
                                                     secret=os.path.join(folder, "secret"))
        code, out, err, memory = run(shlex.split(line), folder, target, environment(name))
        connections = target.connections
        if code == 0:
            complaints = service(kind, out, target)
        else:
            lines = err.decode(errors="replace").split("\n")
            complaints = [] if len(lines) == 2 and lines[0].startswith("iskra: ") else ["stderr is not one line 'iskra: reason'"]
            if len(err) > 8192:
                complaints.append("%d bytes on stderr" % len(err))
    finally:
        target.close()
    if code == -signal.SIGKILL:
        complaints.append("still running after %d s" % WALL)
    elif code not in [int(c) for c in codes.split("|")]:
        complaints.append("exit code %d, expected %s" % (code, codes))
    if kind not in READS and CONTROL.search(out.decode(errors="replace")):
        complaints.append("control characters on stdout: %r" % out[:400])
    if CONTROL.search(err.decode(errors="replace")):
        complaints.append("control characters on stderr: %r" % err[:400])
    if b"Sanitizer" in err or b"runtime error" in err:
        complaints.append("a sanitizer reports")
    if memory > MEMORY:
        complaints.append("%d MiB of memory, allowed are %d" % (memory >> 20, MEMORY >> 20))
    for fault in target.faults:
        complaints += ["the script failed"] + fault.splitlines()
    if connections > 200:
        complaints.append("%d connections" % connections)
    if complaints or os.environ.get("HOSTILE_SHOW"):
        show = line if len(line) < 300 else line[:300] + "..."
        complaints = complaints or ["# seen: exit code %d, %d MiB" % (code, memory >> 20)]
        complaints += ["iskra " + show] + err.decode(errors="backslashreplace").splitlines()[:12]
    return complaints


def main():
    table = list(rows())
    numbers = [row[0] for row in table]
    if numbers != ["H-%03d" % n for n in range(1, len(table) + 1)]:
        raise SystemExit("%s: the numbers are not H-001 to H-%03d in order" % (TABLE, len(table)))
    without = set(INPUTS) - {row[2] for row in table}
    if without:
        raise SystemExit("%s: no row for %s" % (TABLE, ", ".join(sorted(without))))
    wrong = [row[2] for row in table if row[2] not in INPUTS and row[3] in COMMANDS]
    if wrong:
        raise SystemExit("%s: no input of the name %s" % (TABLE, ", ".join(wrong)))
    table = [row for row in table if not CHOSEN or row[0] in CHOSEN or row[2] in CHOSEN]
    print("1..%d" % len(table), flush=True)
    good = 0
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        with open(os.path.join(folder, "secret"), "w", encoding="ascii") as f:
            f.write(TARGET_SECRET + "\n")
        for number, (row, complaints) in enumerate(zip(table, pool.map(lambda row: judge(row, folder), table)), 1):
            failed = [c for c in complaints if not complaints[0].startswith("# seen")]
            good += not failed
            print("%s %d - %s %s" % ("not ok" if failed else "ok", number, row[0], row[2]), flush=True)
            for line in complaints:
                print("# " + CONTROL.sub("?", line)[:600])
    print("# report: hostile inputs: %d of %d" % (good, len(table)))
    return 0 if good == len(table) else 1


if __name__ == "__main__":
    sys.exit(main())
