#!/usr/bin/env python3
"""The benchmark table: floor, canned client, libiscsi and iskra in one and the same loop, on the same CPUs, against the same
target, taking turns round by round; medians of the per-round ratios with their interquartile range.

    run.py [--build DIR] [--rounds N] [--seconds S] [--rows PATTERN] [--quick] [--json FILE] [--plot PREFIX] [--list]
           [--peer-sleeps] [--url iscsi://HOST[:PORT]/IQN/LUN[?KEYS] [--writes]]

It reports and judges nothing: a goal that is missed is marked, the exit code is 0. Without --url the target is the embedded one, on
a CPU of its own, and looks for more for 1 ms before it sleeps; so does the floor's other side. With --url nothing is written unless --writes says that the LUN may be overwritten.
"""
import argparse
import json
import os
import platform
import re
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from figures import plot, print_row, summary, tables  # noqa: E402
from rows import rows  # noqa: E402

IQN = "iqn.2026-11.io.iskra:bench"
CPU_OWN, CPU_PEER = 0, 1
PATIENCE = 60  # seconds for a login, or beyond a round's length
WINDOW = 2048  # commands that the embedded target takes at once
SESSIONS = 4096
DISK = "1G"
DISK_LEN = 1 << 30
BUSY_POLL_US = 1000  # of the embedded target


class Failed(Exception):
    """A client that does not log in, or ended."""


# ---- processes ----

def program_of(build):
    return os.path.join(build, "cli/iskra")


class Target:
    """The embedded target on a CPU of its own."""

    foreign = False

    def __init__(self, build, backend, sleeps):
        self.backend = backend
        busy_us = 0 if sleeps else BUSY_POLL_US
        self.dir = tempfile.TemporaryDirectory()
        path = os.path.join(self.dir.name, "out")
        command = [program_of(build), "target", "--listen", "127.0.0.1:0", "--name", IQN, "--window", str(WINDOW),
                   "--max-sessions", str(SESSIONS), "--busy-poll", str(busy_us), "--" + backend, DISK]
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
        self.args = ["--host", "127.0.0.1", "--port", m.group(1), "--target", IQN, "--disk", str(DISK_LEN)]
        self.text = "embedded, --%s %s, window %d, CPU %d, busy poll %d us" % (backend, DISK, WINDOW, CPU_PEER, busy_us)
        if backend == "ram":
            self.fill(build, "iscsi://127.0.0.1:%s/%s/0" % (m.group(1), IQN))

    def fill(self, build, url):
        """Pages come into being when they are first written, which is the system's work; and who reads a hole reads no memory."""
        with tempfile.TemporaryFile() as zeros:
            zeros.truncate(DISK_LEN)
            if subprocess.run([program_of(build), "write", "--quiet", url], stdin=zeros, check=False).returncode != 0:
                self.close()
                sys.exit("bench: the RAM disk could not be written")
        self.text += ", written whole before"

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.dir.cleanup()


class UrlTarget:
    """One that is there already."""

    foreign = True
    backend = "null"  # the rows that are not about the embedded target's own kinds of LUN

    def __init__(self, build, url):
        m = re.match(r"iscsi://(\[[0-9a-fA-F:.]+\]|[^/:@?]+)(?::(\d+))?/([^/?]+)/(\d+)(?:\?(.*))?$", url)
        if not m:
            sys.exit("bench: --url %s is not iscsi://HOST[:PORT]/IQN/LUN[?KEYS]" % url)
        host, port, iqn, lun, keys = m.groups()
        done = subprocess.run([program_of(build), "info", "--json", url], stdout=subprocess.PIPE, check=False)
        if done.returncode != 0:
            sys.exit("bench: %s does not answer" % url)
        self.info = json.loads(done.stdout)["lun"]
        self.args = ["--host", host, "--port", port or "3260", "--target", iqn, "--lun", lun,
                     "--disk", str(min(self.info["size"], self.info["block_size"] << 32)), "--sector", str(self.info["block_size"])]
        if keys:
            self.args += ["--keys", keys]
        self.text = "%s: %s %s, %d bytes in blocks of %d" % (url, self.info["vendor"], self.info["product"], self.info["size"],
                                                          self.info["block_size"])

    def close(self):
        pass


def pinned(command, cpu):
    usable = os.sched_getaffinity(0)
    return ["taskset", "-c", str(cpu)] + command if shutil.which("taskset") and cpu in usable else command


class Client:
    """One that is logged in and runs a round when it is told to."""

    def __init__(self, build, name, program, args, target, peer_sleeps):
        command = [os.path.join(build, "bench/bench-" + program)] + args
        command += ["--cpu", str(CPU_OWN)] if CPU_OWN in os.sched_getaffinity(0) else []
        if program == "floor":
            command += ["--peer-cpu", str(CPU_PEER)] if CPU_PEER in os.sched_getaffinity(0) else []
            command += [] if peer_sleeps else ["--peer-spin"]
        else:
            command += target.args
        self.name = name
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = self.line(0)

    def line(self, seconds):
        if not select.select([self.process.stdout], [], [], seconds + PATIENCE)[0]:
            self.process.kill()
        text = self.process.stdout.readline()
        if not text:
            raise Failed("%s ended with exit code %d" % (self.name, self.process.wait()))
        return json.loads(text)

    def round(self, seconds):
        try:
            self.process.stdin.write("run %g\n" % seconds)
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # line() tells
        return self.line(seconds)

    def close(self):
        """The exit code."""
        try:
            self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
        return self.process.returncode


def there(build, program):
    return os.access(os.path.join(build, "bench/bench-" + program), os.X_OK)


def log_in(row, arg, target, clients):
    """Fills clients. Who cannot log in to a target that is not ours is left out."""
    for name in row.clients:
        program, args = row.command(name)
        if not there(arg.build, program):
            continue
        try:
            clients.append(Client(arg.build, name, program, args, target, arg.peer_sleeps))
        except Failed as e:
            if not target.foreign:
                raise
            print("  left out: %s" % e)


def run_row(row, arg, target):
    """The row's figures: (of each round, what clients said after their logins)."""
    clients, results = [], []
    try:
        log_in(row, arg, target, clients)
        for c in clients:
            c.round(min(arg.seconds, 0.1))  # warm
        for number in range(arg.rounds):
            turn = clients if number % 2 == 0 else clients[::-1]
            done = {c.name: c.round(arg.seconds) for c in turn}
            results.append({c.name: done[c.name] for c in clients})
    finally:
        codes = {c.name: c.close() for c in clients}
    for name, code in codes.items():
        if code != 0:
            raise Failed("%s ended with exit code %d" % (name, code))
    return results, {c.name: c.ready for c in clients}


# ---- the run ----

def cpu_model():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            return re.search(r"^model name\s*: *(.*)$", f.read(), re.M).group(1)
    except (OSError, AttributeError):
        return platform.machine()


def descriptors_allow():
    """A thousand sessions of two clients at once are more than the usual limit."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit[1], limit[1]))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0.25, help="of a client's round")
    parser.add_argument("--rows", default="", help="only rows whose name this regular expression finds")
    parser.add_argument("--quick", action="store_true", help="5 rounds of 0.08 s")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--plot", metavar="PREFIX")
    parser.add_argument("--list", action="store_true", help="names of the rows")
    parser.add_argument("--peer-sleeps", action="store_true", help="the embedded target and the floor's other side sleep at once")
    parser.add_argument("--url", help="another target")
    parser.add_argument("--writes", action="store_true", help="overwrite the LUN of --url")
    arg = parser.parse_args()
    if arg.quick:
        arg.rounds, arg.seconds = 5, 0.08
    if arg.rounds < 1 or arg.seconds <= 0:
        parser.error("--rounds and --seconds are more than nothing")
    return arg


def chosen(arg):
    try:
        found = [r for r in rows() if re.search(arg.rows, r.name)]
    except re.error as e:
        sys.exit("bench: --rows: %s" % e)
    if arg.url:
        found = [r for r in found if not r.name.startswith("target-") and (arg.writes or not r.writes())]
    return found


def heading(arg, version):
    print("%s; kernel: %s %s; CPU: %s, %d of them" % (version, platform.system(), platform.release(), cpu_model(), os.cpu_count()))
    print("initiators on CPU %d, the embedded target and the floor's other side on CPU %d; %d rounds of %g s each, taking turns" % (
        CPU_OWN, CPU_PEER, arg.rounds, arg.seconds))
    print("of each figure the median; of each ratio the median of the rounds' ratios, and its quartiles")
    if not there(arg.build, "libiscsi"):
        print("no column of libiscsi: it was not there when this was built (libiscsi-dev)")


def run_rows(arg, table, summaries, targets):
    target = None
    try:
        for row in table:
            if target is None or (not arg.url and target.backend != row.backend):
                if target:
                    target.close()
                target = UrlTarget(arg.build, arg.url) if arg.url else Target(arg.build, row.backend, arg.peer_sleeps)
                targets.append(target.text)
                print("target: " + target.text)
            results, ready = run_row(row, arg, target)
            summaries.append(summary(row, results, ready))
            print_row(summaries[-1])
            sys.stdout.flush()
    finally:
        if target:
            target.close()


def main():
    arg = arguments()
    table = chosen(arg)
    if arg.list:
        print("\n".join("%-24s %s" % (r.name, r.text) for r in table))
        return 0
    try:
        version = subprocess.run([program_of(arg.build), "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.split("\n")[0]
    except (OSError, subprocess.CalledProcessError) as e:
        sys.exit("bench: %s" % e)
    descriptors_allow()
    heading(arg, version)
    summaries, targets = [], []
    try:
        run_rows(arg, table, summaries, targets)
    except Failed as e:
        sys.exit("bench: %s" % e)
    print(tables(summaries))
    if arg.json:
        with open(arg.json, "w", encoding="utf-8") as out:
            json.dump({"version": version, "kernel": platform.release(), "cpu": cpu_model(), "targets": targets, "rounds": arg.rounds,
                       "seconds": arg.seconds, "rows": summaries}, out, indent=1)
    if arg.plot:
        plot(summaries, arg.plot)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:  # who reads the table has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
