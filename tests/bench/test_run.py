#!/usr/bin/env python3
"""The benchmark's arithmetic, and a short round of each client: figures are not judged, only that they are there.

    test_run.py BUILD_DIR
"""
import contextlib
import io
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../interop"), os.path.join(HERE, "../../bench")]
sys.dont_write_bytecode = True
from tap import Tap  # noqa: E402
import run  # noqa: E402


def result(cpu, iops, lat):
    return {"cpu_us": cpu, "iops": iops, "mbps": 1, "rss_kib": 1, "ios": 1, "lat_us": dict.fromkeys(("mean", "p50", "p99", "p999"), lat)}


def arithmetic(tap):
    tap.check(run.spread([3, 1, 2, 5, 4]) == (3, 2, 4), "the spread is the median and the quartiles", run.spread([3, 1, 2, 5, 4]))
    tap.check(run.spread([7]) == (7, 7, 7), "one round is its own spread")
    rounds = [{"a": result(2, 10, 1), "b": result(1, 20, 1)}, {"a": result(30, 10, 1), "b": result(10, 5, 1)}, {"a": result(1, 1, 1)}]
    tap.check(run.ratios(rounds, "cpu", "a", "b") == [2, 3], "ratios are taken within a round, where both took part")
    tap.check("met" in run.verdict("cpu", 1.5, 1.5) and "MISSED" in run.verdict("cpu", 1.51, 1.5), "CPU may be at most the goal")
    tap.check("met" in run.verdict("iops", 0.85, 0.85) and "MISSED" in run.verdict("iops", 0.84, 0.85), "IOPS must be at least the goal")
    tap.check(run.verdict("lat", 9, None) == "", "what has no goal is not judged")
    names = [r.name for r in run.rows()]
    tap.check(len(set(names)) == len(names), "each row has a name of its own")
    wanted = [f"{op}-{what}" for op in ("read", "write") for what in
              ("4k-qd1", "4k-qd32", "4k-qd128", "4k-qd1024", "128k-qd8", "1m-qd4", "4k-digests", "128k-digests", "4k-qd1-spin")]
    tap.check(not set(wanted) - set(names), "reads and writes have the same rows", set(wanted) - set(names))


def rounds(tap, build):
    for name in ("read-4k-qd32", "write-4k-qd32", "write-1m-qd4", "read-4k-digests", "read-4k-qd1-spin", "sessions-8"):
        row = next(r for r in run.rows() if r.name == name)
        target = run.Target(build, "null", False)
        try:
            clients, results = run.run_row(row, build, target, 2, 0.03)
        finally:
            target.close()
        idle = [c for c in clients for r in results if r[c]["ios"] <= 0 or r[c]["lat_us"]["p50"] <= 0]
        tap.check(len(results) == 2 and not idle, "%s: each client has moved something in each round" % name, idle)
        with contextlib.redirect_stdout(io.StringIO()) as out:
            run.print_row(run.summary(row, clients, results))
        tap.check(all(c in out.getvalue() for c in clients) and " / " in out.getvalue(), "%s: its lines and ratios are printed" % name,
                  out.getvalue())


def main():
    tap = Tap(8 + 12)
    arithmetic(tap)
    rounds(tap, sys.argv[1])
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
