#!/usr/bin/env python3
"""The benchmark table: floor, canned client, libiscsi and iskra in one and the same loop, on the same CPUs, against the same
target, taking turns round by round; medians of the per-round ratios with their interquartile range.

    run.py [--build DIR] [--rounds N] [--seconds S] [--rows PATTERN] [--quick] [--json FILE] [--plot PREFIX] [--list]
           [--url iscsi://HOST:PORT/IQN/LUN [--writes]] [--spin-target]

It reports and judges nothing: a goal that is missed is marked, the exit code is 0. Without --url the target is the embedded one,
on a CPU of its own. With --url nothing is written unless --writes says that the LUN may be overwritten.
"""
import argparse
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
IQN = "iqn.2026-11.io.iskra:bench"
CPU_OWN, CPU_PEER = 0, 1
WINDOW = 2048  # commands that the embedded target takes at once


class Row:
    """One line of the table: what is done, who does it, and what is compared with what.

    goals: (figure, of whom, against whom, limit): "cpu" is at most, "iops" at least, "lat" at most the limit."""

    def __init__(self, name, text, args, clients, goals=(), backend="null", variants=None):
        self.name, self.text, self.args, self.clients, self.goals, self.backend = name, text, args, clients, goals, backend
        self.variants = variants or {}  # client's name in the row -> (program, more arguments)

    def writes(self):
        return "--write" in self.args

    def command(self, client):
        program, more = self.variants.get(client, (client, []))
        return program, self.args + more


def rows():
    table = []
    every = ["floor", "canned", "libiscsi", "iskra"]
    for op in ("read", "write"):
        flag = ["--write"] if op == "write" else []
        for qd in (1, 32, 128, 1024):
            goals = []
            if qd == 1:
                goals = [("lat", "iskra", "canned", 1.10)]
            if qd == 32:
                goals = [("cpu", "iskra", "floor", 1.5), ("cpu", "iskra", "libiscsi", 0.25)]
            if qd in (32, 128):
                goals += [("iops", "iskra", "canned", 0.85), ("iops", "iskra", "libiscsi", 3.0)]
            if qd == 1024:
                goals = [("cpu", "iskra", "floor", None)]
            table.append(Row("%s-4k-qd%d" % (op, qd), "4 KiB random %s, QD %d" % (op, qd),
                             ["--bs", "4096", "--qd", str(qd)] + flag, every, goals))
        for bs, size, qd in ((131072, "128k", 8), (1048576, "1m", 4)):
            goals = [("cpu", "iskra", "floor", 1.1 if size == "128k" else None), ("iops", "iskra", "canned", None)]
            table.append(Row("%s-%s-qd%d" % (op, size, qd), "%s %s, QD %d" % (size.upper().replace("K", " KiB").replace("M", " MiB"),
                             op, qd), ["--bs", str(bs), "--qd", str(qd)] + flag, every, goals))
    for op in ("read", "write"):
        flag = ["--write"] if op == "write" else []
        for bs, size, qd, limit in ((4096, "4k", 32, None), (131072, "128k", 8, 1.15)):
            table.append(Row("%s-%s-digests" % (op, size), "%s KiB %s, QD %d: digests on against off" % (size[:-1], op, qd),
                             ["--bs", str(bs), "--qd", str(qd)] + flag, ["iskra", "iskra-digests"],
                             [("cpu", "iskra-digests", "iskra", limit)], variants={"iskra-digests": ("iskra", ["--digests"])}))
        table.append(Row("%s-4k-qd1-spin" % op, "4 KiB %s, QD 1, spinning" % op, ["--bs", "4096", "--qd", "1", "--spin"] + flag,
                         ["floor", "canned", "iskra"], [("lat", "iskra", "canned", 1.10)]))
    for sessions in (8, 64, 1000):
        name = "iskra-%d" % sessions
        table.append(Row("sessions-%d" % sessions, "4 KiB random read, QD 1024 in %d sessions against 1" % sessions,
                         ["--bs", "4096", "--qd", "1024"], ["iskra", name], [("cpu", name, "iskra", None)],
                         variants={name: ("iskra", ["--sessions", str(sessions)])}))
    for backend in ("null", "ram"):
        for op in ("read", "write"):
            for qd in (32, 128):
                table.append(Row("target-%s-%s-qd%d" % (backend, op, qd), "the target itself, --%s: 4 KiB %s, QD %d" % (backend, op, qd),
                                 ["--bs", "4096", "--qd", str(qd)] + (["--write"] if op == "write" else []), ["floor", "canned"],
                                 [("iops", "canned", "floor", 0.8 if backend == "null" else None)], backend=backend))
    return table


# ---- figures ----

def figure(result, what):
    return {"cpu": result["cpu_us"], "iops": result["iops"], "lat": result["lat_us"]["mean"]}[what]


def spread(values):
    """(median, lower quartile, upper quartile)"""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return middle, low, high


def ratios(rounds, what, of, against):
    """The ratio of each round in which both took part and did something."""
    return [figure(r[of], what) / figure(r[against], what) for r in rounds
            if of in r and against in r and figure(r[against], what) > 0]


def verdict(what, middle, limit):
    if limit is None:
        return ""
    good = middle >= limit if what == "iops" else middle <= limit
    return "goal %s %.2f: %s" % (">=" if what == "iops" else "<=", limit, "met" if good else "MISSED")


# ---- processes ----

class Target:
    """The embedded target on a CPU of its own, or one that is there already."""

    def __init__(self, build, backend, spins):
        self.dir = tempfile.TemporaryDirectory()
        path = os.path.join(self.dir.name, "out")
        command = [os.path.join(build, "cli/iskra"), "target", "--listen", "127.0.0.1:0", "--name", IQN, "--window", str(WINDOW),
                   "--" + backend, "1G"] + (["--busy-poll", "1000"] if spins else [])
        with open(path, "wb") as out:
            self.process = subprocess.Popen(pinned(command, CPU_PEER), stdout=out)
        limit = time.monotonic() + 10
        while True:
            with open(path, encoding="utf-8") as out:
                m = re.search(r"listening on .*:(\d+)\n", out.read())
            if m:
                break
            if self.process.poll() is not None or time.monotonic() > limit:
                sys.exit("bench: the target does not start")
            time.sleep(0.02)
        self.args = ["--host", "127.0.0.1", "--port", m.group(1), "--target", IQN]
        self.text = "embedded, --%s 1G, window %d, CPU %d" % (backend, WINDOW, CPU_PEER)

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.dir.cleanup()


class UrlTarget:
    def __init__(self, url):
        m = re.match(r"iscsi://([0-9.]+)(?::(\d+))?/([^/?]+)/(\d+)(?:\?(.*))?$", url)
        if not m:
            sys.exit("bench: --url %s is not iscsi://ADDRESS:PORT/IQN/LUN" % url)
        host, port, iqn, lun, keys = m.groups()
        self.args = ["--host", host, "--port", port or "3260", "--target", iqn, "--lun", lun]
        if keys:
            self.args += ["--keys", keys]
        self.text = url

    def close(self):
        pass


def pinned(command, cpu):
    usable = os.sched_getaffinity(0)
    return ["taskset", "-c", str(cpu)] + command if shutil.which("taskset") and cpu in usable else command


class Client:
    """One that is logged in and runs a round when it is told to."""

    def __init__(self, build, name, program, args, target):
        command = [os.path.join(build, "bench/bench-" + program)] + args
        command += ["--cpu", str(CPU_OWN)] if CPU_OWN in os.sched_getaffinity(0) else []
        if program == "floor":
            command += ["--peer-cpu", str(CPU_PEER)] if CPU_PEER in os.sched_getaffinity(0) else []
        else:
            command += target.args
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = self.line()

    def line(self):
        text = self.process.stdout.readline()
        if not text:
            sys.exit("bench: %s ended with exit code %d" % (self.name, self.process.wait()))
        return json.loads(text)

    def round(self, seconds):
        self.process.stdin.write("run %g\n" % seconds)
        self.process.stdin.flush()
        return self.line()

    def close(self):
        self.process.stdin.close()
        if self.process.wait() != 0:
            sys.exit("bench: %s ended with exit code %d" % (self.name, self.process.returncode))


def there(build, program):
    return os.access(os.path.join(build, "bench/bench-" + program), os.X_OK)


def run_row(row, build, target, rounds, seconds):
    names = [c for c in row.clients if there(build, row.command(c)[0])]
    clients = [Client(build, c, *row.command(c), target) for c in names]
    results = []
    for c in clients:
        c.round(min(seconds, 0.1))  # warm
    for number in range(rounds):
        turn = clients if number % 2 == 0 else clients[::-1]
        results.append({c.name: c.round(seconds) for c in turn})
    for c in clients:
        c.close()
    return names, results


# ---- what comes out ----

def summary(row, names, results):
    out = {"row": row.name, "text": row.text, "clients": {}, "ratios": []}
    for name in names:
        of = [r[name] for r in results]
        out["clients"][name] = {
            "iops": statistics.median(r["iops"] for r in of),
            "mbps": statistics.median(r["mbps"] for r in of),
            "cpu_us": statistics.median(r["cpu_us"] for r in of),
            "lat_us": {k: statistics.median(r["lat_us"][k] for r in of) for k in ("mean", "p50", "p99", "p999")},
            "rss_kib": of[-1]["rss_kib"],
        }
    for what, of, against, limit in row.goals:
        values = ratios(results, what, of, against)
        if values:
            middle, low, high = spread(values)
            out["ratios"].append({"figure": what, "of": of, "against": against, "median": middle, "q1": low, "q3": high,
                                  "rounds": len(values), "goal": limit, "verdict": verdict(what, middle, limit)})
    return out


FIGURES = {"cpu": "CPU per I/O", "iops": "IOPS", "lat": "latency"}


def print_row(s):
    print("%s  [%s]" % (s["text"], s["row"]))
    for name, c in s["clients"].items():
        print("  %-14s %9.0f IOPS %8.1f MB/s %9.3f us CPU   latency us: mean %9.2f  p50 %9.2f  p99 %9.2f  p99.9 %9.2f" % (
            name, c["iops"], c["mbps"], c["cpu_us"], c["lat_us"]["mean"], c["lat_us"]["p50"], c["lat_us"]["p99"], c["lat_us"]["p999"]))
    for r in s["ratios"]:
        print("  %-12s %s / %s: %.2f (%.2f to %.2f)  %s" % (FIGURES[r["figure"]], r["of"], r["against"], r["median"], r["q1"], r["q3"],
                                                           r["verdict"]))
    sys.stdout.flush()


def plot(summaries, prefix):
    """Latency against IOPS over the depth, one curve for each client, as SVG and PNG."""
    if not shutil.which("gnuplot"):
        print("no plot: gnuplot is not there")
        return
    for op in ("read", "write"):
        points = {}
        for s in summaries:
            m = re.match(r"%s-4k-qd(\d+)$" % op, s["row"])
            for name, c in s["clients"].items() if m else ():
                points.setdefault(name, []).append((c["iops"], c["lat_us"]["p50"], int(m.group(1))))
        if not points:
            continue
        script = ["set logscale xy", "set xlabel 'IOPS'", "set ylabel 'median latency, us'", "set grid", "set key left top",
                  "set title '4 KiB random %s, QD 1 to 1024'" % op]
        for number, (name, values) in enumerate(points.items()):
            script.append("$d%d << EOD\n%s\nEOD" % (number, "\n".join("%g %g %d" % v for v in sorted(values, key=lambda v: v[2]))))
        curves = ", ".join("$d%d using 1:2 with linespoints title '%s'" % (i, n) for i, n in enumerate(points))
        for kind, terminal in (("svg", "svg size 800,600"), ("png", "pngcairo size 800,600")):
            script += ["set terminal " + terminal, "set output '%s-%s.%s'" % (prefix, op, kind), "plot " + curves]
        subprocess.run(["gnuplot"], input="\n".join(script) + "\n", text=True, check=False)
        print("plotted: %s-%s.svg, .png" % (prefix, op))


def cpu_model():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            return re.search(r"^model name\s*: *(.*)$", f.read(), re.M).group(1)
    except (OSError, AttributeError):
        return platform.machine()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0.25)
    parser.add_argument("--rows", default="", help="only rows whose name this regular expression finds")
    parser.add_argument("--quick", action="store_true", help="5 rounds of 0.1 s")
    parser.add_argument("--json")
    parser.add_argument("--plot")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--url")
    parser.add_argument("--writes", action="store_true")
    parser.add_argument("--spin-target", action="store_true", help="the embedded target polls, too")
    arg = parser.parse_args()
    if arg.quick:
        arg.rounds, arg.seconds = 5, 0.1
    chosen = [r for r in rows() if re.search(arg.rows, r.name)]
    if arg.url:
        chosen = [r for r in chosen if r.backend == "null" and not r.name.startswith("target-") and (arg.writes or not r.writes())]
    if arg.list:
        print("\n".join("%-24s %s" % (r.name, r.text) for r in chosen))
        return 0
    if arg.rounds < 1 or arg.seconds <= 0:
        parser.error("--rounds and --seconds are more than nothing")
    print("kernel: %s %s; CPU: %s, %d of them" % (platform.system(), platform.release(), cpu_model(), os.cpu_count()))
    print("initiators on CPU %d, the target on CPU %d; %d rounds of %g s each, taking turns" % (
        CPU_OWN, CPU_PEER, arg.rounds, arg.seconds))
    print("of each figure the median; of each ratio the median of the rounds' ratios, and its quartiles")
    if not there(arg.build, "libiscsi"):
        print("no column of libiscsi: it was not there when this was built (libiscsi-dev)")
    summaries, target, backend = [], None, None
    try:
        for row in chosen:
            if target is None or (not arg.url and backend != row.backend):
                if target:
                    target.close()
                target = UrlTarget(arg.url) if arg.url else Target(arg.build, row.backend, arg.spin_target)
                backend = row.backend
                print("target: " + target.text)
            summaries.append(summary(row, *run_row(row, arg.build, target, arg.rounds, arg.seconds)))
            print_row(summaries[-1])
    finally:
        if target:
            target.close()
    if arg.json:
        with open(arg.json, "w", encoding="utf-8") as out:
            json.dump({"kernel": platform.release(), "cpu": cpu_model(), "rounds": arg.rounds, "seconds": arg.seconds,
                       "rows": summaries}, out, indent=1)
    if arg.plot:
        plot(summaries, arg.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
