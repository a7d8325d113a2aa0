#!/usr/bin/env python3
"""iskra raw: what is sent, what comes back, what is refused. TAP; argument: the program."""

import contextlib
import json
import os
import pty
import re
import subprocess
import sys

import peers

ISKRA = sys.argv[1]
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def raw(url, *args, data=b""):
    return subprocess.run([ISKRA, "raw", url, *args], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)


def equal(got, want):
    assert got == want, "%r, expected %r" % (got, want)


INQUIRY = "12 00 00 00 60 00"


@test
def data_in_goes_to_standard_output(url):
    done = raw(url, INQUIRY, "--in", "96")
    equal((done.returncode, done.stderr, done.stdout[0]), (0, b"", 0))
    assert len(done.stdout) >= 36, done.stdout


@test
def colons_and_capitals_are_read_too(url):
    done = raw(url, "25:00:00:00:00:00:00:00:00:00", "--in", "8")
    equal((done.returncode, done.stdout), (0, bytes.fromhex("000007ff00000200")))


@test
def command_without_data_says_nothing(url):
    done = raw(url, "000000000000")
    equal((done.returncode, done.stdout, done.stderr), (0, b"", b""))


@test
def data_out_arrives(url):
    block = bytes(range(256)) * 2
    done = raw(url, "2a 00 00000003 00 0001 00", "--out", "-", data=block)
    equal((done.returncode, done.stderr), (0, b""))
    done = raw(url, "28 00 00000003 00 0001 00", "--in", "512")
    equal((done.returncode, done.stdout), (0, block))


@test
def check_condition_is_one_line_and_5(url):
    done = raw(url, "28 00 ffffffff 00 0001 00", "--in", "512")
    equal((done.returncode, done.stdout, done.stderr.count(b"\n")), (5, b"", 1))
    assert b"ILLEGAL REQUEST" in done.stderr and b"OUT OF RANGE (21h/00h)" in done.stderr, done.stderr


@test
def json_has_data_and_sense(url):
    done = raw(url, "--json", "25000000000000000000", "--in", "8")
    got = json.loads(done.stdout)
    equal((got["ok"], got["bytes"], got["data"]), (True, 8, "000007ff00000200"))
    done = raw(url, "--json", "28 00 ffffffff 00 0001 00", "--in", "512")
    got = json.loads(done.stdout)
    equal((done.returncode, got["ok"], got["status"], got["sense_key"], got["asc"], got["ascq"]), (5, False, 2, 5, 0x21, 0))


@test
def underflow_is_told_with_v(url):
    done = raw(url, "-v", "25000000000000000000", "--in", "100")
    equal((done.returncode, len(done.stdout)), (0, 8))
    assert b"underflow: 8 of 100 bytes" in done.stderr, done.stderr


@test
def overflow_is_told_because_not_all_was_done(url):
    write = "2a 00 00000003 00 0002 00"
    for args, given in ((("--out", "-"), b"x" * 512), ((), b"")):
        done = raw(url, write, *args, data=given)
        text = b"iskra: raw: overflow: the LUN had %d bytes more to move than the %d given\n" % (1024 - len(given), len(given))
        equal((done.returncode, done.stderr), (0, text))
        equal(raw(url, "-q", write, *args, data=given).stderr, b"")
    done = raw(url, "--json", write, "--out", "-", data=b"x" * 512)
    equal(json.loads(done.stdout)["overflow"], 512)
    done = raw(url, "28 00 00000003 00 0002 00", "--in", "512")
    equal((done.returncode, len(done.stdout), done.stderr), (0, 512, b""))
    assert b"overflow: the LUN had 512 bytes more" in raw(url, "-v", "28 00 00000003 00 0002 00", "--in", "512").stderr


@test
def what_is_no_cdb_is_named(url):
    for cdb, word in (("", "empty"), ("123", "123"), ("12zz", "z"), ("1200", "1200"), ("28000000", "needs 10"),
                      ("88" + "00" * 9, "needs 16"), ("7f000000000000180000", "needs 32"), ("00" * 261, "260")):
        done = raw(url, cdb)
        equal((done.returncode, done.stdout, done.stderr.count(b"\n")), (2, b"", 1))
        assert word.encode() in done.stderr, (cdb, done.stderr)


@test
def data_goes_one_way(url):
    done = raw(url, INQUIRY, "--in", "96", "--out", "-")
    equal(done.returncode, 2)


@test
def file_that_is_not_there_is_named(url):
    done = raw(url, INQUIRY, "--out", "/nonexistent/file")
    equal(done.returncode, 1)
    assert b"/nonexistent/file" in done.stderr, done.stderr


@contextlib.contextmanager
def lun_of(*options):
    """The URL of a LUN of a target of its own."""
    with peers.Target(ISKRA, list(options)) as target:
        yield "iscsi://%s/%s/0" % (target.portal, peers.NAME)


READ_6, WRITE_10 = "08 00 00 00 01 00", "2a 00 00000000 00 0001 00"


@test
def busy_lun_is_asked_again_until_the_time_is_up(_):
    with lun_of("--ram", "1M", "--fault", "status=busy:command(0x08)#1+x2") as url:
        done = raw(url, READ_6, "--in", "512")
        equal((done.returncode, done.stdout, done.stderr), (0, bytes(512), b""))
    with lun_of("--ram", "1M", "--fault", "status=busy:command(0x08)") as url:
        done = raw(url + "?timeout=1", "--json", READ_6, "--in", "512")
        equal((done.returncode, json.loads(done.stdout)["ok"], done.stderr.count(b"\n")), (5, False, 1))
        assert b"BUSY" in done.stderr, done.stderr


@test
def write_protected_lun_says_so_itself(_):
    with lun_of("--ram", "1M", "--read-only") as url:
        done = raw(url, WRITE_10, "--out", "-", data=bytes(512))
        equal((done.returncode, done.stderr.count(b"\n")), (5, 1))
        assert b"DATA PROTECT" in done.stderr, done.stderr


@test
def connection_that_closes_leaves_the_outcome_unknown(_):
    with lun_of("--ram", "1M", "--fault", "close:scsi-response(write)#1") as url:
        done = raw(url, WRITE_10, "--out", "-", data=b"\x5a" * 512)
        equal((done.returncode, done.stdout, done.stderr.count(b"\n")), (1, b"", 1))
        assert b"may or may not have been executed" in done.stderr, done.stderr
        done = raw(url, READ_6, "--in", "512")
        equal((done.returncode, done.stdout), (0, b"\x5a" * 512))  # that it was written is what nobody could say


@test
def unit_attention_is_seen_by_raw_and_not_by_read(_):
    fault = "sense=6/29/00:command(0x28)#1"
    cdb = "28 00 00000000 00 0001 00"
    with lun_of("--ram", "1M", "--fault", fault) as url:
        done = raw(url, cdb, "--in", "512")
        equal((done.returncode, done.stdout), (5, b""))
        assert b"UNIT ATTENTION" in done.stderr, done.stderr
    with lun_of("--ram", "1M", "--fault", fault) as url:
        done = subprocess.run([ISKRA, "-q", "read", url, "--length", "512"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        equal((done.returncode, done.stdout, done.stderr), (0, bytes(512), b""))


@test
def cdb_of_32_bytes_goes_out_whole(url):
    block = bytes(reversed(range(256))) * 2
    tail = " 00 00 0000000000000005 00000000 0000 0000 00000001"
    done = raw(url, "7f 00 00000000 00 18 000b" + tail, "--out", "-", data=block)
    equal(done.returncode, 0)
    done = raw(url, "7f 00 00000000 00 18 0009" + tail, "--in", "512")
    equal((done.returncode, done.stdout, done.stderr), (0, block, b""))
    done = raw(url, "28 00 00000005 00 0001 00", "--in", "512")
    equal((done.returncode, done.stdout), (0, block))


@test
def terminal_gets_a_dump(url):
    data = bytes(range(0x38, 0x48)) + b"\x1b[31m" + bytes(491)
    equal(raw(url, "2a 00 00000007 00 0001 00", "--out", "-", data=data).returncode, 0)
    try:
        master, slave = pty.openpty()
    except OSError:
        return  # no terminals here
    process = subprocess.Popen([ISKRA, "raw", url, "28 00 00000007 00 0001 00", "--in", "512"], stdout=slave, stderr=subprocess.PIPE)
    os.close(slave)
    shown = b""
    with contextlib.suppress(OSError):  # the other end is closed
        while part := os.read(master, 65536):
            shown += part
    os.close(master)
    equal((process.wait(timeout=60), process.stderr.read()), (0, b""))
    lines = shown.decode().split("\r\n")
    equal((len(lines), lines[-1]), (33, ""))
    equal(lines[0], "00000000  38 39 3a 3b 3c 3d 3e 3f 40 41 42 43 44 45 46 47  89:;<=>?@ABCDEFG")
    assert re.fullmatch(r"00000010  1b 5b 33 31 6d( 00){11}  \.\[31m\.{11}", lines[1]), lines[1]
    assert "\x1b" not in shown.decode(), shown


@test
def device_that_is_no_disk_takes_commands_too(_):
    def inquiry(peer, header, _):
        edtl = int.from_bytes(header[20:24], "big")
        if header[33] & 1:
            return None
        return peer.data_in(int.from_bytes(header[16:20], "big"), edtl, b"\x08\0\x05\x12\x1f\0\0\x02" + b"ISKRA   CHANGER         0001")
    with peers.Script({"inquiry": inquiry}) as target:
        url = "iscsi://%s/%s/0" % (target.portal, target.name)
        done = raw(url, "12 00 00 00 24 00", "--in", "36")
        equal((done.returncode, done.stdout[:1], done.stdout[16:23]), (0, b"\x08", b"CHANGER"))
        equal(raw(url, "000000000000").returncode, 0)


def main():
    with peers.Target(ISKRA, ["--ram", "1M"]) as target:
        return peers.run_all(TESTS, "iscsi://%s/%s/0" % (target.portal, peers.NAME))


if __name__ == "__main__":
    sys.exit(main())
