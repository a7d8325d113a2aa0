#!/usr/bin/env python3
"""iskra target --fault against the program's own initiator: each fault ends in the right answer, or in the right error, within its limits.
TAP; argument: the program."""

import os
import re
import subprocess
import sys

import peers

ISKRA = sys.argv[1]
DIGESTS = "header_digest=crc32c&data_digest=crc32c"
SHORT = "timeout=1&abort_timeout=1&lu_reset_timeout=1&tgt_reset_timeout=1"
SIZE = 1 << 20
ZEROS = bytes(SIZE)

# What goes wrong, what is done, keys of the URL -> exit code, what the one line says. A connection that is lost once is no error: the session
# comes back, and what was to be done is done.
ROWS = [
    ("drop:scsi-response(read)#1", "read", SHORT, 0, None),
    ("drop:data-in(read)#2", "read", "max_recv=65536", 0, None),
    ("drop:command(read)#1", "read", SHORT, 0, None),
    ("drop:command(write)#1", "write", SHORT, 0, None),
    ("drop:r2t#1", "write", SHORT + "&initial_r2t=yes&immediate_data=no", 0, None),
    ("drop:login#1", "info", "login_timeout=1", 8, r"no answer within 1 s"),
    ("drop:login-response#1", "info", "login_timeout=1", 8, r"no answer within 1 s"),
    ("drop:command(inquiry)#1", "info", SHORT, 33, r"timed out"),
    ("drop:logout-response", "read", "", 0, None),
    ("delay=300ms:data-in(read)#1", "read", "", 0, None),
    ("delay=300ms:command#1+x3", "read", "", 0, None),
    ("delay=300ms:login-response#1", "read", "", 0, None),
    ("delay=300ms:r2t#1", "write", "initial_r2t=yes&immediate_data=no", 0, None),
    ("delay=1m:scsi-response(read)#1", "read", SHORT, 0, None),
    ("stall=300ms:data-in(read)#1", "read", "", 0, None),
    ("stall:data-in(read)#1", "read", SHORT, 0, None),
    ("stall:data-out#1", "write", SHORT + "&immediate_data=no", 0, None),
    ("stall:login#1", "read", "login_timeout=1", 8, r"no answer within 1 s"),
    ("close:login#1", "read", "login_retries=0", 1, r"the target closed the connection"),
    ("close:data-in(read)#1", "read", "", 0, None),
    ("close:command(read)#1", "read", "", 0, None),
    ("close:data-out#1", "write", "immediate_data=no", 0, None),
    ("corrupt=header:data-in(read)#1", "read", DIGESTS, 0, None),
    ("corrupt=header-digest:scsi-response(read)#1", "read", DIGESTS, 0, None),
    ("corrupt=data:data-in(read)#1", "read", DIGESTS, 0, None),
    ("corrupt=digest:data-in(read)#1", "read", DIGESTS, 0, None),
    ("corrupt=header:data-in(read)#1", "read", "", 0, None),
    ("status=busy:command(read)#1+x2", "read", "", 0, None),
    ("status=task-set-full:command(read)#1", "read", "", 0, None),
    ("status=busy:command(write)#1", "write", "", 0, None),
    ("status=reservation-conflict:command(read)#1", "read", "", 5, r"RESERVATION CONFLICT"),
    ("status=reservation-conflict:command(write)#1", "write", "", 5, r"RESERVATION CONFLICT"),
    ("sense=0b/47/00:command(read)#1", "read", "", 0, None),
    ("sense=0b/47/05:command(write)#1", "write", "", 0, None),
    ("sense=3/11/0:command(read)#1", "read", "", 5, r"MEDIUM ERROR"),
    ("sense=7/27/0:command(write)#1", "write", "", 5, r"DATA PROTECT"),
    ("sense=6/29/0:command(read)#1", "read", "", 0, None),
    ("sense=6/3f/3:command(read)#1", "read", "", 0, r"LUN 0: unit attention 3f/03, INQUIRY DATA HAS CHANGED"),
    ("field=itt=5:data-in(read)#1", "read", "", 0, None),
    ("field=datasn+1:data-in(read)#1", "read", "", 0, None),
    ("field=offset+512:data-in(read)#1", "read", "", 0, None),
    ("field=r2tsn+1:r2t#1", "write", "initial_r2t=yes&immediate_data=no", 0, None),
    ("field=length=0:r2t#1", "write", "initial_r2t=yes&immediate_data=no", 0, None),
    ("field=opcode=0x3e:scsi-response(read)#1", "read", "", 0, None),
    ("field=maxcmdsn-1000:scsi-response#2", "read", "", 0, None),
    ("field=statusclass=3:login-response#1", "read", "login_retries=0", 19, r"status class 3"),
]

BAD = [
    ("jump:data-in", "jump"),
    ("drop:datain", "datain"),
    ("delay=soon:any", "soon"),
    ("status=busy:r2t", "r2t"),
    ("field=r2tsn=1:data-in", "r2tsn"),
    ("drop:data-in#none", "none"),
]


def equal(got, want, what):
    assert got == want, "%s: %r, expected %r" % (what, got, want)


def run(target, doing, keys):
    url = "iscsi://%s/%s/0%s" % (target.portal, target.name, "?" + keys if keys else "")
    return subprocess.run([ISKRA, doing, url], input=b"\xa5" * 600000 if doing == "write" else b"", stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=20)


def serve(*faults):
    options = ["-v", "--ram", str(SIZE), "--separate-status"]
    for fault in faults:
        options += ["--fault", fault]
    return peers.Target(ISKRA, options)


def row(fault, doing, keys, exit_code, pattern):
    with serve(fault) as target:
        done = run(target, doing, keys)
        _, _, told = target.stop()
    said = done.stderr.decode()
    equal(done.returncode, exit_code, "exit code, with %r" % said)
    if pattern:
        assert re.fullmatch(r"iskra: %s: [^\n]*%s[^\n]*\n" % (doing, pattern), said), "said %r, expected %s" % (said, pattern)
    else:
        equal(said, "", "stderr")
        if doing == "read":
            assert done.stdout == ZEROS, "%d bytes, not what is on the disk" % len(done.stdout)
    assert "fault: %s " % fault.split(":")[0] in told, "the fault did not happen: %r" % told


def corrupt_data_without_a_digest_are_taken_for_good():
    with serve("corrupt=data:data-in(read)#1") as target:
        done = run(target, "read", "")
        equal((done.returncode, done.stderr, len(done.stdout)), (0, b"", SIZE), "read")
        equal(SIZE - done.stdout.count(0), 1, "bytes that differ")
        assert run(target, "read", "").stdout == ZEROS, "the disk itself has changed"


def a_write_that_was_answered_busy_is_on_the_disk():
    with serve("status=busy:command(write)#1") as target:
        equal(run(target, "write", "").returncode, 0, "write")
        equal(run(target, "read", "").stdout.count(0xa5), 600000, "bytes written")


def a_fault_that_happens_once_does_not_meet_the_next_call():
    with serve("close:data-in(read)#1", "stall:login#1@conn=4") as target:
        equal(run(target, "read", "").returncode, 0, "the first")
        equal(run(target, "read", "").returncode, 0, "the second")
        equal(run(target, "read", "login_timeout=1").returncode, 8, "the third")
        equal(run(target, "read", "").returncode, 0, "the fourth")
        code, _, told = target.stop()
    equal(code, 0, "exit code of the target")
    equal([line for line in told.splitlines() if "fault" in line],
          ["iskra: target: fault: close data-in #1 of connection 1", "iskra: target: fault: stall login #1 of connection 4"], "told")


def a_stalled_target_uses_no_processor_time():
    with serve("stall:command(read)#1") as target:
        equal(run(target, "read", SHORT).returncode, 0, "read, by another connection in the end")
        before = cpu(target.process.pid)
        equal(run(target, "info", "").returncode, 0, "another connection")
        assert cpu(target.process.pid) - before < 50, "more than half a second"


def cpu(pid):
    """User and system time in ticks of 10 ms."""
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def a_bad_fault_is_a_usage_error_that_names_the_word():
    for fault, word in BAD:
        done = subprocess.run([ISKRA, "target", "--listen", "127.0.0.1:0", "--ram", "1M", "--fault", fault], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=20)
        said = done.stderr.decode()
        assert done.returncode == 2 and done.stdout == b"", "%s: %d" % (fault, done.returncode)
        assert re.fullmatch(r"iskra: target: fault: [^\n]*'%s'[^\n]*; allowed: [^\n]+\n" % word, said), "%s: %r" % (fault, said)


def every_word_of_the_help_is_in_the_manual():
    done = subprocess.run([ISKRA, "target", "--fault", "help"], stdout=subprocess.PIPE, timeout=20)
    equal(done.returncode, 0, "exit code")
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "man", "iskra-faults.7")) as f:
        manual = set(re.findall(r"[a-z0-9-]+", f.read()))
    words = re.findall(r"\b[a-z][a-z0-9-]+\b", re.sub(r"^COUNT.*$", "", done.stdout.decode(), flags=re.M))
    assert len(words) > 60, words
    equal([w for w in words if w not in manual], [], "missing")


def main():
    cases = [("%s, %s%s -> %d" % (r[0], r[1], " " + r[2] if r[2] else "", r[3]), lambda r=r: row(*r)) for r in ROWS]
    cases += [(f.__name__, f) for f in (corrupt_data_without_a_digest_are_taken_for_good, a_write_that_was_answered_busy_is_on_the_disk,
                                        a_fault_that_happens_once_does_not_meet_the_next_call, a_stalled_target_uses_no_processor_time,
                                        a_bad_fault_is_a_usage_error_that_names_the_word, every_word_of_the_help_is_in_the_manual)]
    print("1..%d" % len(cases), flush=True)
    failed = 0
    for number, (name, case) in enumerate(cases, 1):
        try:
            case()
            print("ok %d - %s" % (number, name.replace("#", "\\#")), flush=True)
        except (AssertionError, subprocess.TimeoutExpired, RuntimeError) as e:
            failed += 1
            print("not ok %d - %s\n# %s" % (number, name.replace("#", "\\#"), e), flush=True)
    return failed > 0


sys.exit(main())
