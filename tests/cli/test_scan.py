#!/usr/bin/env python3
"""Many LUNs, odd LUN numbers, odd disks: the program against the embedded target. TAP; argument: the program."""

import json
import re
import subprocess
import sys

import peers

ISKRA = sys.argv[1]
NO_LISTS = ["--fault", "sense=5/20/00:command(report-luns)#1+"]
BLOCK_SIZES = [512 << i for i in range(8)]


def run(*args, stdin=b"", want=0):
    done = subprocess.run([ISKRA, *args], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=100)
    assert done.returncode == want, "iskra %s: exit %d, not %d: %s" % (" ".join(args), done.returncode, want, done.stderr.decode())
    return done


def equal(got, want, what):
    assert got == want, "%s: %r, not %r" % (what, got, want)


class Served:
    def __init__(self, *options):
        self.target = peers.Target(ISKRA, list(options))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.target.stop()

    def url(self, lun=None, options=""):
        return "iscsi://%s/%s%s%s" % (self.target.portal, peers.NAME, "" if lun is None else "/%d" % lun, options)

    def ls(self):
        found = json.loads(run("ls", self.url(), "--json").stdout)
        equal(len(found), 1, "targets")
        return found[0]["luns"]

    def numbers(self):
        return [lun["lun"] for lun in self.ls()]

    def info(self, lun):
        return json.loads(run("info", self.url(lun), "--json").stdout)["lun"]


def three_hundred_luns_are_listed_and_can_be_opened():
    with Served("--null", "1G", "--luns", "300") as t:
        luns = t.ls()
        equal([lun["lun"] for lun in luns], list(range(300)), "LUNs")
        equal({lun["size"] for lun in luns}, {1 << 30}, "sizes")
        equal(len({lun["serial"] for lun in luns}), 300, "serials")
        lines = run("ls", t.url()).stdout.decode().splitlines()
        equal(len(lines), 302, "lines")
        for lun in (0, 255, 256, 299):
            equal(t.info(lun)["serial"], luns[lun]["serial"], "LUN %d" % lun)


def a_list_longer_than_the_first_answer_is_read_whole():
    with Served("--null", "1M", "--luns", "600") as t:
        equal(t.numbers(), list(range(600)), "LUNs")


def lun_0_may_be_absent():
    with Served("--ram", "1M", "--ram", "2M", "--first-lun", "3") as t:
        equal(t.numbers(), [3, 4], "LUNs")
        equal(t.info(4)["size"], 2 << 20, "size")
        error = run("info", t.url(0), want=21).stderr.decode()
        assert "no LUN 0" in error, error


def lun_numbers_go_to_16383():
    with Served("--ram", "1M", "--luns", "3", "--first-lun", "16381") as t:
        equal(t.numbers(), [16381, 16382, 16383], "LUNs")
        run("write", t.url(16383), stdin=b"far away")
        equal(run("read", t.url(16383), "--length", "8").stdout, b"far away", "bytes")
        equal(run("read", t.url(16382), "--length", "8").stdout, bytes(8), "bytes of another")


def without_lists_luns_are_tried_one_by_one():
    with Served("--ram", "1M", "--luns", "5", *NO_LISTS) as t:
        equal(t.numbers(), list(range(5)), "LUNs")
    with Served("--ram", "1M", "--luns", "3", "--first-lun", "1", *NO_LISTS) as t:
        equal(t.numbers(), [1, 2, 3], "LUNs without LUN 0")
    with Served("--null", "1M", "--luns", "300", *NO_LISTS) as t:
        equal(t.numbers(), list(range(256)), "LUNs")


def a_list_refused_by_lun_0_comes_from_the_well_known_lun():
    with Served("--null", "1M", "--first-lun", "40", "--fault", "sense=5/20/00:command(report-luns)#1") as t:
        equal(t.numbers(), [40], "LUNs")


def a_disk_of_4_tib_is_thin_and_used_to_its_end():
    size = 4 << 40
    with Served("--ram", "4T") as t:
        info = t.info(0)
        equal(info["blocks"], 1 << 33, "blocks")
        equal(info["unmap"], True, "unmap")
        equal(info["unmapped_zeroes"], True, "unmapped_zeroes")
        equal(info["max_compare"], 65536, "max_compare")
        offsets = (0, (2 << 40) - 300, 3 << 40, size - 700)  # the second is where 32 bits end
        for offset in offsets:
            run("write", t.url(0), "--offset", str(offset), stdin=b"%700d" % offset)
        for offset in offsets:
            got = run("read", t.url(0), "--offset", str(offset), "--length", "700").stdout
            equal(got, b"%700d" % offset, "bytes at %d" % offset)
        run("read", t.url(0), "--offset", str(size), "--length", "1", want=2)
        equal(run("read", t.url(0), "--offset", "1T", "--length", "1M").stdout, bytes(1 << 20), "what was never written")
        with open("/proc/%d/status" % t.target.process.pid) as f:
            resident = re.search(r"VmRSS:\s+(\d+) kB", f.read())
        assert int(resident[1]) < 512 * 1024, "%s KiB for some blocks" % resident[1]


def every_block_size_reads_and_writes_any_bytes():
    for block in BLOCK_SIZES:
        with Served("--ram", "4M", "--block-size", str(block)) as t:
            info = t.info(0)
            equal((info["block_size"], info["size"]), (block, 4 << 20), "info with blocks of %d" % block)
            data = bytes(i * 7 % 251 for i in range(200001))
            run("write", t.url(0), "--offset", "99999", stdin=data)
            got = run("read", t.url(0), "--offset", "99990", "--length", "200020").stdout
            equal(got, bytes(9) + data + bytes(10), "bytes with blocks of %d" % block)


def a_write_protected_lun_says_so_and_stays_as_it_is():
    with Served("--ram", "1M", "--read-only", "--ram", "1M") as t:
        equal([t.info(lun)["write_protected"] for lun in (0, 1)], [True, False], "write_protected")
        error = run("write", t.url(0), stdin=b"x", want=2).stderr.decode()
        assert "write-protected" in error, error
        equal(run("read", t.url(0), "--length", "1").stdout, b"\0", "byte")


def a_lun_that_goes_away_is_named_and_one_that_comes_back_is_read():
    with Served("--ram", "1M", "--fault", "sense=5/25/00:command(read)#2+x1") as t:
        equal(run("read", t.url(0), "--length", "512").stdout, bytes(512), "bytes")
        error = run("read", t.url(0), "--length", "512", want=5).stderr.decode()
        assert "LOGICAL UNIT NOT SUPPORTED" in error, error
        equal(run("read", t.url(0), "--length", "512").stdout, bytes(512), "bytes when it is back")


def changed_luns_are_no_error_of_a_read():
    with Served("--ram", "1M", "--fault", "sense=6/3f/0e:command(read)#1+x3") as t:
        equal(len(run("read", t.url(0)).stdout), 1 << 20, "bytes")


CASES = [
    three_hundred_luns_are_listed_and_can_be_opened,
    a_list_longer_than_the_first_answer_is_read_whole,
    lun_0_may_be_absent,
    lun_numbers_go_to_16383,
    without_lists_luns_are_tried_one_by_one,
    a_list_refused_by_lun_0_comes_from_the_well_known_lun,
    a_disk_of_4_tib_is_thin_and_used_to_its_end,
    every_block_size_reads_and_writes_any_bytes,
    a_write_protected_lun_says_so_and_stays_as_it_is,
    a_lun_that_goes_away_is_named_and_one_that_comes_back_is_read,
    changed_luns_are_no_error_of_a_read,
]


def main():
    print("1..%d" % len(CASES), flush=True)
    failed = 0
    for number, case in enumerate(CASES, 1):
        try:
            case()
            print("ok %d - %s" % (number, case.__name__), flush=True)
        except (AssertionError, subprocess.TimeoutExpired, RuntimeError) as e:
            failed += 1
            print("not ok %d - %s\n# %s" % (number, case.__name__, str(e).replace("\n", "\n# ")), flush=True)
    return failed > 0


sys.exit(main())
