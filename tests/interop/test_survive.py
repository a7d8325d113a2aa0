#!/usr/bin/env python3
"""One iskra bench --verify outlives its target: killed and started again every two seconds; and connections that are reset every second.
Nothing may fail, nothing may differ, it always goes on, and the target sees one and the same initiator port come back.
TAP; arguments: the program, seconds.

What is asserted are counts, not rates: a slow machine survives less often per second, but it survives."""

import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import tgt
from tap import Tap

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
import peers

ISKRA, SECONDS = sys.argv[1], int(sys.argv[2])
LONG = SECONDS >= 60
REGION = "512M" if LONG else "64M"  # it is written, and read back at the end
VERIFIED_LEAST = 1 << 30 if LONG else 64 << 20
KILLS_LEAST, CUTS_LEAST = (20, 40) if LONG else (3, 5)
DISK_SIZE = 1 << 30
IQN = "iqn.2026-11.io.iskra.test:survive"
WINDOW_S = 10  # in each there has to be progress
LIMIT_S = SECONDS * 5 + 120


class Bench:
    """The one process, and what it says."""

    def __init__(self, url):
        self.process = subprocess.Popen([ISKRA, "bench", url, "--rw", "mix", "--bs", "64k", "--qd", "16", "--time", str(SECONDS), "--size",
                                         REGION, "--verify", "--json", "--progress"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.out = self.err = b""
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()

    def listen(self):
        self.out, self.err = self.process.communicate()

    def over(self):
        return self.process.poll() is not None

    def end(self):
        """It is over, or it hangs."""
        if not self.over():
            self.process.kill()
        self.thread.join()

    def lines(self):
        return [json.loads(line) for line in self.err.decode().splitlines() if line.startswith("{")]

    def report(self):
        return json.loads(self.out) if self.out else {}


def during(bench, period_s, act):
    """Calls act() every period until it is over or cannot be waited for any longer."""
    begin = time.monotonic()
    while not bench.over() and time.monotonic() - begin < LIMIT_S:
        try:
            bench.process.wait(period_s)
        except subprocess.TimeoutExpired:
            act()
    bench.end()


class Killed:
    """The embedded target on a file, and how often it was killed; it tells of each login."""

    def __init__(self, disk):
        self.disk, self.listen, self.kills, self.told = disk, "127.0.0.1:%d" % peers.quiet_port(), 0, ""
        self.start()

    def start(self):
        self.target = peers.Target(ISKRA, ["-v", "--name", IQN, "--file", self.disk], listen=self.listen)

    def stop(self):
        self.target.process.kill()
        self.told += self.target.process.communicate()[1].decode()

    def kill(self):
        self.stop()
        self.kills += 1
        self.start()

    def isids(self):
        return re.findall(r"login of \S+, ISID ([0-9a-f]{12})", self.told)


class Proxy:
    """Between initiator and target; resets what goes through it, and reads ISIDs off the wire (RFC 7143 11.12: a connection begins with a Login
    Request, ISID in bytes 8 to 13)."""

    def __init__(self, port):
        self.port, self.cuts, self.isids, self.pairs, self.lock = port, 0, [], [], threading.Lock()
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.socket.listen()
        self.portal = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                caller = self.socket.accept()[0]
                callee = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                return
            for s in (caller, callee):
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = {"sockets": (caller, callee), "answered": 0}
            with self.lock:
                self.pairs.append(pair)
            threading.Thread(target=self.pump, args=(pair, caller, callee, True), daemon=True).start()
            threading.Thread(target=self.pump, args=(pair, callee, caller, False), daemon=True).start()

    def pump(self, pair, source, sink, to_target):
        first = b""
        buf = memoryview(bytearray(1 << 18))
        try:
            while True:
                n = source.recv_into(buf)
                if n == 0:
                    sink.shutdown(socket.SHUT_WR)
                    return
                if to_target and len(first) < 14:
                    first += bytes(buf[:14])[:n]
                    if len(first) >= 14:
                        assert first[0] & 0x3f == 0x03, "a connection begins with opcode 0x%02x" % first[0]
                        self.isids.append(first[8:14].hex())
                if not to_target:
                    pair["answered"] += n
                sink.sendall(buf[:n])
        except OSError:
            pass  # cut, or one end has gone

    def cut(self):
        """Resets every connection. Those through which more than a login has come count."""
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            self.cuts += pair["answered"] > 4096
            for s in pair["sockets"]:
                try:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    s.shutdown(socket.SHUT_RD)  # wakes its thread
                    s.close()
                except OSError:
                    pass

    def close(self):
        self.socket.close()
        self.cut()


def longest_gap(lines, end_s):
    """Seconds without anything completed."""
    marks = [0.0] + [line["seconds"] for line in lines if line["ios"] > 0] + [end_s]
    return max(b - a for a, b in zip(marks, marks[1:]))


def judge(tap, name, bench, times, times_least, isids, elapsed_s):
    report, lines = bench.report(), bench.lines()
    said = "\n".join(line for line in bench.err.decode().splitlines() if not line.startswith("{"))[-2000:]
    print("# %s: %d times, %s" % (name, times, json.dumps(report)))
    tap.check(bench.process.returncode == 0 and report.get("errors") == 0, "%s_no_request_fails" % name,
              "exit %s\n%s" % (bench.process.returncode, said))
    tap.check(report.get("mismatches") == 0 and report.get("bytes_verified", 0) >= VERIFIED_LEAST, "%s_nothing_differs" % name,
              "%s bytes verified, %s differ" % (report.get("bytes_verified"), report.get("mismatches")))
    tap.check(times >= times_least and report.get("reconnects", 0) >= times_least, "%s_and_survived_%d_times" % (name, times_least),
              "%d times, %s reconnects" % (times, report.get("reconnects")))
    gap = longest_gap(lines, elapsed_s)
    tap.check(lines and gap <= WINDOW_S, "%s_there_is_progress_in_every_window_of_%d_s" % (name, WINDOW_S), "none for %.1f s\n%s" % (gap, said))
    tap.check(len(isids) > times_least and len(set(isids)) == 1, "%s_the_same_initiator_port_comes_back" % name,
              "%d logins, ISIDs %s" % (len(isids), sorted(set(isids))))


def killed(tap):
    with tempfile.NamedTemporaryFile(prefix="iskra-survive-") as disk:
        disk.truncate(DISK_SIZE)
        target = Killed(disk.name)
        begin = time.monotonic()
        bench = Bench("iscsi://%s/%s/0" % (target.listen, IQN))
        try:
            during(bench, 2, target.kill)
        finally:
            bench.end()
            target.stop()
        judge(tap, "target_killed_every_2_s", bench, target.kills, KILLS_LEAST, target.isids(), time.monotonic() - begin)


def cut(tap):
    with tgt.Tgt(IQN, DISK_SIZE, lambda f: None) as target:
        proxy = Proxy(target.port)
        begin = time.monotonic()
        bench = Bench("iscsi://%s/%s/1?header_digest=crc32c&data_digest=crc32c" % (proxy.portal, IQN))
        try:
            during(bench, 1, proxy.cut)
        finally:
            bench.end()
            proxy.close()
        judge(tap, "tgt_cut_off_every_second", bench, proxy.cuts, CUTS_LEAST, proxy.isids, time.monotonic() - begin)


def main():
    why = tgt.missing()
    tap = Tap(5 if why else 10)
    killed(tap)
    if why:
        print("# no cuts: " + why)
    else:
        cut(tap)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
