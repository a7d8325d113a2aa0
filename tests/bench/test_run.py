#!/usr/bin/env python3
"""The benchmark's arithmetic, and a short round of each client: figures are not judged, only that they are there.

    test_run.py BUILD_DIR
"""
import argparse
import contextlib
import io
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../interop"), os.path.join(HERE, "../../bench")]
sys.dont_write_bytecode = True
from tap import Tap  # noqa: E402
import figures  # noqa: E402
import rows  # noqa: E402
import run  # noqa: E402


def result(cpu, iops, lat):
    return {"cpu_us": cpu, "iops": iops, "mbps": 1, "rss_kib": 1, "ios": 1, "lat_us": dict.fromkeys(("mean", "p50", "p99", "p999"), lat)}


def arithmetic(tap):
    tap.check(figures.spread([3, 1, 2, 5, 4]) == (3, 2, 4), "the spread is the median and the quartiles", figures.spread([3, 1, 2, 5, 4]))
    tap.check(figures.spread([7]) == (7, 7, 7), "one round is its own spread")
    done = [{"a": result(2, 10, 1), "b": result(1, 20, 1)}, {"a": result(30, 10, 1), "b": result(10, 5, 1)}, {"a": result(1, 1, 1)}]
    tap.check(figures.ratios(done, "cpu", "a", "b") == [2, 3], "ratios are taken within a round, where both took part")
    done = [{"a": result(6, 1, 1), "b": result(2, 1, 1), "c": result(3, 1, 1), "d": result(4, 1, 1)}]
    tap.check(figures.ratios(done, "cpu", "a/b", "c/d") == [4], "a ratio may be of two ratios")
    tap.check(figures.ratios([{"a": result(6, 1, 1), "b": result(0, 1, 1)}], "cpu", "a", "b") == [], "nothing is divided by nothing")
    verdict = figures.verdict
    tap.check("met" in verdict("cpu", 1.5, 1.5) and "MISSED" in verdict("cpu", 1.51, 1.5), "CPU may be at most the goal")
    tap.check("met" in verdict("iops", 0.85, 0.85) and "MISSED" in verdict("iops", 0.84, 0.85), "IOPS must be at least the goal")
    tap.check(verdict("lat", 9, None) == "", "what has no goal is not judged")


def table(tap):
    every = rows.rows()
    names = [r.name for r in every]
    tap.check(len(set(names)) == len(names), "each row has a name of its own")
    wanted = [f"{op}-{what}" for op in ("read", "write") for what in
              ("4k-qd1", "4k-qd32", "4k-qd128", "4k-qd1024", "128k-qd8", "1m-qd4", "4k-digests", "128k-digests", "4k-qd1-spin")]
    tap.check(not set(wanted) - set(names), "reads and writes have the same rows", set(wanted) - set(names))
    wrong = [(r.name, g) for r in every for g in r.goals for who in g[1:3] for c in who.split("/") if c not in r.clients]
    tap.check(not wrong, "what is compared takes part", wrong)


def text(tap):
    """The Markdown at the end, of two made-up rows."""
    plain = rows.Row("x", "4 KiB random read, QD 32", [], rows.EVERY, [("cpu", "libiscsi", "floor", None), ("cpu", "iskra", "floor", 1.5)])
    one = figures.summary(plain, [{"floor": result(1, 2e6, 1), "canned": result(1.1, 1e6, 1), "iskra": result(1.25, 250e3, 1)}], {})
    many = rows.Row("y", "many", [], ["iskra-9"], memory=("iskra-9", 9, 64))
    two = figures.summary(many, [{"iskra-9": result(1, 1, 1)}], {"iskra-9": {"rss_before_kib": 100, "rss_idle_kib": 1000}})
    lines = figures.tables([one, two]).split("\n")
    tap.check("| 4 KiB random read, QD 32 | 1 us, 2 M IOPS | 1.1 us, 1 M IOPS | - | 1.25 us, 250 k IOPS | - | 1.25 |" in lines,
              "the table has who took part side by side, and a dash for who did not", "\n".join(lines))
    tap.check("| 4 KiB random read, QD 32 | CPU per I/O, iskra to floor | 1.25 | 1.25 to 1.25 | <= 1.5 | met |" in lines,
              "each goal is listed", "\n".join(lines))
    tap.check("| 9 idle sessions | RSS for each, KiB | 100.0 | | <= 64 | MISSED |" in lines, "so is that of memory", "\n".join(lines))


SHORT = ("read-4k-qd32", "write-4k-qd32", "write-1m-qd4", "read-4k-digests", "write-128k-digests", "read-4k-qd1-spin", "sessions-8")


def rounds(tap, build):
    arg = argparse.Namespace(build=build, rounds=2, seconds=0.02, peer_sleeps=False)
    target = run.Target(build, "null", arg.peer_sleeps)
    try:
        for name in SHORT:
            row = next(r for r in rows.rows() if r.name == name)
            results, ready = run.run_row(row, arg, target)
            expected = [c for c in row.clients if run.there(build, row.command(c)[0])]
            idle = [c for c in expected for r in results if c not in r or r[c]["ios"] <= 0 or r[c]["lat_us"]["p50"] <= 0]
            tap.check(len(results) == 2 and not idle, "%s: each client has moved something in each round" % name, idle)
            with contextlib.redirect_stdout(io.StringIO()) as out:
                figures.print_row(figures.summary(row, results, ready))
            tap.check(all(c in out.getvalue() for c in expected) and " = " in out.getvalue(), "%s: its lines and ratios are printed" % name,
                      out.getvalue())
    finally:
        target.close()


def main():
    tap = Tap(8 + 3 + 3 + 2 * len(SHORT))
    arithmetic(tap)
    table(tap)
    text(tap)
    rounds(tap, sys.argv[1])
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
