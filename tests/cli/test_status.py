#!/usr/bin/env python3
"""iskra status: what it shows of processes that live, are stuck, have died, or lie. TAP; argument: the program."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time

import peers

ISKRA = sys.argv[1]
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def equal(got, want, what=""):
    assert got == want, "%s: %r, expected %r" % (what, got, want)


class Place:
    """A target, and a runtime directory. Other directories of the user are looked into as well, so only named pids count."""

    def __init__(self, target, directory):
        self.runtime, self.folder = directory, os.path.join(directory, "iskra")
        self.env = dict(os.environ, XDG_RUNTIME_DIR=directory)
        self.url = "iscsi://%s/%s/0" % (target.portal, peers.NAME)

    def status(self, *args):
        done = subprocess.run([ISKRA, "status", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              timeout=60, env=self.env)
        equal((done.returncode, done.stderr), (0, b""), "status")
        return done.stdout.decode()

    def json(self, pid):
        """What is told of the process, or None."""
        return {p["pid"]: p for p in json.loads(self.status("--json"))}.get(pid)

    def lines(self, pid):
        """The line of the process and those that belong to it."""
        found, own = [], False
        for line in self.status().splitlines():
            if not line.startswith("    "):
                own = line.startswith("%d " % pid)
            if own:
                found.append(line)
        return found

    def sock(self, pid):
        return os.path.join(self.folder, "%d.sock" % pid)

    def run(self, *args):
        """A process whose socket is there."""
        process = subprocess.Popen([ISKRA, *args], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.env)
        for _ in range(3000):
            if os.path.exists(self.sock(process.pid)):
                return process
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        raise AssertionError("no socket")

    def ping(self):
        """One that pings, and takes its signals as a command does that runs."""
        process = self.run("ping", "-c", "0", "-i", "0.2", self.url)
        process.stdout.readline()
        return process

    def wait_for(self, process, wanted):
        """Until the process shows a session that is as wanted."""
        for _ in range(600):
            told = self.json(process.pid)
            if told and told["sessions"] and wanted(told["sessions"][0]):
                return told["sessions"][0]
            time.sleep(0.02)
        raise AssertionError("last seen: %r" % told)


def end(process):
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    equal(process.returncode, 0, "exit code")


class Liar:
    """A socket with a live process's look, that answers with the bytes it was given, or not at all (None)."""

    PID = 2000000011  # beyond what the kernel gives out

    def __init__(self, place, answer):
        os.makedirs(place.folder, 0o700, exist_ok=True)
        self.listener, self.answer = socket.socket(socket.AF_UNIX), answer
        self.listener.bind(place.sock(self.PID))
        self.listener.listen(8)
        self.path, self.held = place.sock(self.PID), []

    def serve(self):
        while True:
            try:
                asker = self.listener.accept()[0]
            except OSError:
                return
            self.held.append(asker)
            if self.answer is not None:
                try:
                    asker.sendall(self.answer)
                except OSError:
                    pass
                asker.close()

    def __enter__(self):
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        os.unlink(self.path)
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@test
def a_session_has_a_line_and_a_document(place):
    process = place.ping()
    session = place.wait_for(process, lambda s: s["session_state"] == "LOGGED_IN" and s["tx_pdus"] > 3)
    equal((session["target"], session["rung"], session["reopening"], session["logins"]), (peers.NAME, "NONE", False, 1))
    assert re.fullmatch("[0-9a-f]{12}", session["isid"]), session
    lines = place.lines(process.pid)
    equal(len(lines), 1)
    assert re.fullmatch(r"%d +ping +1 +127.0.0.1:\d+ +LOGGED_IN +%s" % (process.pid, re.escape(peers.NAME)), lines[0]), lines
    end(process)
    equal(place.json(process.pid), None)


@test
def a_process_in_a_blocking_call_answers(place):
    port = peers.Port("silent")
    try:
        process = place.run("raw", "iscsi://%s/iqn.2026-11.io.iskra:silent/0" % port.portal, "000000000000")
        session = place.wait_for(process, lambda s: s["initiator_state"] == "IN_LOGIN")
        equal((session["session_state"], session["target"]), ("FREE", "iqn.2026-11.io.iskra:silent"))
        process.kill()
        process.communicate(timeout=30)
    finally:
        port.socket.close()


@test
def directory_and_socket_are_the_users_alone(place):
    process = place.ping()
    equal(stat.S_IMODE(os.stat(place.folder).st_mode), 0o700)
    equal(stat.S_IMODE(os.stat(place.sock(process.pid)).st_mode), 0o600)
    end(process)
    equal(os.path.exists(place.sock(process.pid)), False, "socket")


@test
def a_directory_that_others_may_use_is_passed_over(place):
    with tempfile.TemporaryDirectory() as other:
        os.mkdir(other + "/iskra", 0o777)
        os.chmod(other + "/iskra", 0o777)
        done = subprocess.run([ISKRA, "ping", "-q", "-c", "1", place.url], env=dict(os.environ, XDG_RUNTIME_DIR=other), timeout=30,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        equal((done.returncode, done.stderr, os.listdir(other + "/iskra")), (0, b"", []))


@test
def a_symbolic_link_is_not_followed(place):
    with tempfile.TemporaryDirectory() as other:
        os.mkdir(other + "/elsewhere", 0o700)
        os.symlink(other + "/elsewhere", other + "/iskra")
        process = subprocess.Popen([ISKRA, "ping", "-c", "0", place.url], env=dict(os.environ, XDG_RUNTIME_DIR=other),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.readline()
        equal(os.listdir(other + "/elsewhere"), [])
        end(process)


@test
def a_stuck_process_gives_no_answer_within_a_second(place):
    process = place.ping()
    process.send_signal(signal.SIGSTOP)
    equal(place.json(process.pid), {"pid": process.pid, "answer": "none", "sessions": []})
    assert "no answer within 1 s" in place.lines(process.pid)[0]
    assert 'iskra_process_answers{pid="%d"} 0\n' % process.pid in place.status("--metrics")
    process.kill()  # its pings have gone without an answer for longer than they may
    process.communicate(timeout=30)


@test
def the_socket_of_a_dead_process_is_removed(place):
    process = place.ping()
    process.kill()
    process.communicate(timeout=30)
    equal(os.path.exists(place.sock(process.pid)), True)
    equal(place.json(process.pid), None)
    equal(os.path.exists(place.sock(process.pid)), False)


@test
def other_files_are_left_alone(place):
    os.makedirs(place.folder, 0o700, exist_ok=True)
    names = ["0.sock", "-1.sock", "01.sock", "5.sockets", "x.sock", "99999999999999999999.sock", ".sock"]
    for name in names:
        with open(os.path.join(place.folder, name), "w", encoding="ascii"):
            pass
    place.status()
    for name in names:
        os.unlink(os.path.join(place.folder, name))


@test
def nonsense_is_told_as_such(place):
    for answer in (b"nonsense", b"[]", b"{}", b'{"sessions":{}}', b'{"sessions":[', b"\0\0\0\0", b"[" * 100000, b'{"sessions":7}',
                   b'{"sessions":[],"x":"' + b"A" * (1 << 20) + b'"}', b'{"a":' * 40 + b"1" + b"}" * 40):
        with Liar(place, answer):
            equal((place.json(Liar.PID) or {}).get("answer"), "garbled", repr(answer[:30]))


@test
def a_silent_socket_costs_a_second_and_no_more(place):
    with Liar(place, None):
        begun = time.monotonic()
        equal(place.json(Liar.PID)["answer"], "none")
        assert time.monotonic() - begun < 30


@test
def an_answer_that_lies_is_bounded_and_safe(place):
    session = {"session": -1, "target": "\033[31m\u202eiqn\n" + "x" * 3000, "portal": 5, "rung": "\x9b", "rung_s": 1e300, "lost_s": float("inf"),
               "reopening": True, "lun": 1 << 70, "replacement_s": float("nan"), "failed_s": -1e300, "error": None, "itt": "x", "command": []}
    document = json.dumps({"command": "\033]0;x\a" * 9, "sessions": [session, None, 5, [], {}] + [session] * 100}).encode()
    with Liar(place, document):
        told = place.json(Liar.PID)
        text, metrics = place.status(), place.status("--metrics")
    equal(len(told["sessions"]), 64)
    assert len(told["sessions"][0]["target"]) < 256 and len(told["command"]) < 24, told
    for printed in text, metrics, json.dumps(told, ensure_ascii=False):
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", printed), repr(printed)


@test
def sentences_of_recovery(place):
    aborting = {"session": 3, "rung": "LUN_RESET", "rung_s": 2.1, "lun_known": True, "lun": 0, "command": "read(10)", "itt": 0x10000003,
                "failed_s": 48.2, "failed": 3, "host_state": "RECOVERY", "session_state": "LOGGED_IN"}
    lost = {"reopening": True, "attempt": 6, "next_attempt_s": 1.2, "lost_s": 14, "replacement_s": 106, "error": "connection refused"}
    cases = [
        (aborting, "RECOVERY", ["LUN 0: read(10) tag 0x10000003, sent 48.2 s ago: LUN reset sent, waits for the answer for 2.1 s; "
                                "3 commands in trouble"]),
        (dict(aborting, testing=True, itt=0xffffffff, failed=1), "RECOVERY",
         ["LUN 0: read(10), sent 48.2 s ago: LUN reset done, TEST UNIT READY out for 2.1 s"]),
        (dict(aborting, rung="WAIT", waited_for=5, failed=1), "RECOVERY",
         ["LUN 0: read(10) tag 0x10000003, sent 48.2 s ago: waits for what else is out, for 2.1 s (5 to come back)"]),
        (lost, "RECONNECTING", ["reconnecting: attempt 7 in 1.2 s, lost 14.0 s ago: connection refused; I/O fails in 106 s"]),
        (dict(lost, next_attempt_s=0, replacement_s=-1), "RECONNECTING",
         ["reconnecting: attempt 6 under way, lost 14.0 s ago: connection refused; I/O waits for ever"]),
        (dict(lost, attempt=0, next_attempt_s=0.5, replacement_s=0, error=""), "RECONNECTING",
         ["reconnecting: attempt 1 in 500 ms, lost 14.0 s ago; I/O fails"]),
        (dict(aborting, **dict(lost, rung="SESSION_RESET", failed=1)), "RECONNECTING",
         ["LUN 0: read(10) tag 0x10000003, sent 48.2 s ago: session dropped, waits for a new login for 2.1 s",
          "reconnecting: attempt 7 in 1.2 s, lost 14.0 s ago: connection refused; I/O fails in 106 s"]),
        ({"session_state": "LOGGED_IN", "checked": 1, "replacement_s": 8.5}, "CHECKING",
         ["logged in again: one LUN has not told yet whether it is the same disk; its I/O fails in 8.5 s"]),
        ({"session_state": "LOGGED_IN", "checked": 3, "replacement_s": 0}, "CHECKING",
         ["logged in again: 3 LUNs have not told yet whether they are the same disks; their I/O fails"]),
        ({"session_state": "LOGGED_IN", "in_flight": 5, "oldest_s": 7.25, "queued": 3}, "LOGGED_IN",
         ["5 commands are out, the oldest for 7.2 s; 3 requests wait behind"]),
        ({"session_state": "LOGGED_IN", "in_flight": 1, "oldest_s": 1}, "LOGGED_IN", ["one command is out, for 1.0 s"]),
        ({"session_state": "LOGGED_IN", "in_flight": 1, "oldest_s": 0.9}, "LOGGED_IN", []),
        (dict(aborting, in_flight=5, oldest_s=48.2, failed=1), "RECOVERY",
         ["LUN 0: read(10) tag 0x10000003, sent 48.2 s ago: LUN reset sent, waits for the answer for 2.1 s"]),
        ({"session_state": "TERMINATE", "error": "it is over"}, "TERMINATE", ["it is over"]),
        ({"session_state": "LOGGED_IN", "error": "of an earlier loss"}, "LOGGED_IN", []),
    ]
    for session, state, sentences in cases:
        with Liar(place, json.dumps({"command": "cp", "sessions": [session]}).encode()):
            lines = place.lines(Liar.PID)
            equal(lines[0].split()[4], state, repr(session))
            equal([line.strip() for line in lines[1:]], sentences, repr(session))
            equal(place.json(Liar.PID)["sessions"][0]["recovery"], sentences)


@test
def a_lost_session_says_when_it_is_tried_again(place):
    with peers.Target(ISKRA, ["--ram", "1M"]) as target:
        process = place.run("bench", "-q", "iscsi://%s/%s/0" % (target.portal, peers.NAME), "--time", "600")
        place.wait_for(process, lambda s: s["session_state"] == "LOGGED_IN" and s["commands"] > 100)
    session = place.wait_for(process, lambda s: s["reopening"] and s["attempt"] > 1)
    assert 0 < session["replacement_s"] <= 120 and session["lost_s"] > 0 and "refused" in session["error"], session
    lines = place.lines(process.pid)
    equal((len(lines), lines[0].split()[4]), (2, "RECONNECTING"), lines)
    assert re.fullmatch(r"    reconnecting: attempt \d+ (in [0-9.]+ m?s|under way), lost [0-9.]+ m?s ago: .*refused; I/O fails in [0-9.]+ s",
                        lines[1]), lines
    process.kill()
    process.communicate(timeout=30)


@test
def metrics_follow_the_exposition_format(place):
    process = place.ping()
    place.wait_for(process, lambda s: s["session_state"] == "LOGGED_IN")
    with Liar(place, json.dumps({"command": "cp", "sessions": [{"session": 1, "target": 'a"b\\c'}]}).encode()):
        text = place.status("--metrics")
    end(process)
    kinds, helped = {}, set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert name not in kinds and name in helped, line
            kinds[name] = kind
        elif line.startswith("# HELP "):
            helped.add(line.split()[2])
        else:
            sample = re.fullmatch(r'(iskra_[a-z0-9_]+)\{((?:[a-z]+="(?:[^"\\\n]|\\["\\n])*",?)*)\} -?[0-9.e+]+', line)
            assert sample and sample.group(1) == name, line
    equal({n for n, k in kinds.items() if k == "counter"}, {n for n in kinds if n.endswith("_total")})
    assert re.search(r'^iskra_session_up\{pid="%d",command="ping",session="1",target="%s"\} 1$' % (process.pid, peers.NAME), text, re.M), text
    assert r'target="a\"b\\c"' in text, text


@test
def watch_goes_on_until_it_is_interrupted(place):
    watcher = subprocess.Popen([ISKRA, "status", "--watch", "--json"], stdout=subprocess.PIPE, env=place.env)
    decoder, text, seen = json.JSONDecoder(), "", 0
    while seen < 2:
        text += os.read(watcher.stdout.fileno(), 65536).decode()
        try:
            text, seen = text[decoder.raw_decode(text)[1]:].lstrip(), seen + 1
        except ValueError:
            pass
    watcher.send_signal(signal.SIGINT)
    equal(watcher.wait(30), -signal.SIGINT)
    watcher.stdout.close()


@test
def a_reader_that_leaves_ends_the_watch(place):
    watcher = subprocess.Popen([ISKRA, "status", "--watch", "--json"], stdout=subprocess.PIPE, env=place.env)
    watcher.stdout.read(1)
    watcher.stdout.close()
    equal(watcher.wait(30), 0)


def main():
    with peers.Target(ISKRA, ["--ram", "1M"]) as target, tempfile.TemporaryDirectory(prefix="iskra-") as directory:
        return peers.run_all(TESTS, Place(target, directory))


if __name__ == "__main__":
    sys.exit(main())
