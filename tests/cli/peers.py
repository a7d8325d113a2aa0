"""What the program meets in these tests: the embedded target, and ports that are none. All on 127.0.0.1 and free ports."""

import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "hostile"))
import scripted

NAME = "iqn.2026-11.io.iskra:target"
FILE_LEN = (3 << 20) + 512  # no multiple of the program's 1 MiB requests
RAM_LEN = 1 << 20


def quiet_port():
    """Below the ports that the system gives out by itself: nobody takes it while the target is away, least of all one who looks for it."""
    with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
        low = int(f.read().split()[0])
    for _ in range(100):
        port = random.randrange(max(1024, low - 12000), low)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
    raise RuntimeError("no port below %d is free" % low)


class Target:
    """The embedded target in a process of its own, ended on exit."""

    name, faults = NAME, ()

    def __init__(self, iskra, options, listen="127.0.0.1:0"):
        self.process = subprocess.Popen([iskra, "target", "--listen", listen] + options,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = self.process.stdout.readline().decode()
        match = re.fullmatch(r"listening on (\S+)\n", line)
        if not match:
            self.process.kill()
            raise RuntimeError("target said %r, then %r" % (line, self.process.communicate()))
        self.portal = match.group(1)

    def stop(self, signo=signal.SIGTERM):
        """Returns the exit code and what was said after the first line."""
        if self.process.returncode is None:
            self.process.send_signal(signo)
        try:
            out, err = self.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            err += b"(did not end within 10 s)"
        return self.process.returncode, out.decode(), err.decode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Port:
    """A listening socket that treats its callers as `manner` says: silent, garbage, closes, refused."""

    name, faults = NAME, ()

    def __init__(self, manner):
        self.manner = manner
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.portal = "127.0.0.1:%d" % self.socket.getsockname()[1]
        self.calls = []
        if manner != "refused":  # bound and not listening is what nobody else can take and nobody answers
            self.socket.listen()
            threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                call, _ = self.socket.accept()
            except OSError:
                return
            self.calls.append(call)
            try:
                if self.manner == "garbage":
                    call.recv(65536)
                    call.sendall(b"SSH-2.0-not_iscsi\r\n" + bytes(range(256)) * 2)
                elif self.manner == "closes":
                    call.recv(65536)
                    call.close()
            except OSError:
                pass


def run_all(tests, argument):
    """Runs each test function with the argument and prints TAP. Returns an exit code."""
    failed = 0
    print("1..%d" % len(tests), flush=True)
    for number, function in enumerate(tests, 1):
        try:
            function(argument)
            print("ok %d - %s" % (number, function.__name__), flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            print("not ok %d - %s" % (number, function.__name__))
            print("# %s" % str(error).replace("\n", " "), flush=True)
    return 1 if failed else 0


def disk_make(path):
    """Bytes of a fixed seed, returned and written to `path`."""
    data = random.Random(7143).randbytes(FILE_LEN)
    with open(path, "wb") as f:
        f.write(data)
    return data


def children(pid):
    """Live children of a process, zombies not counted."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open("/proc/%s/stat" % entry) as f:
                    fields = f.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[1]) == pid and fields[0] != "Z":
                found.append(int(entry))
    return found


# ---- scripted targets of bad.tsv


def refusing(status, times=None):
    """Answers the first `times` logins (None: all) with a status, the others as it should."""
    state = {"left": times}

    def login(peer, header, _):
        if state["left"] == 0:
            return None
        if state["left"] is not None and header[1] >> 2 & 3 == 0:
            state["left"] -= 1
        return peer.login_pdu(header, b"", header[1] & 0x0c, 0, status)
    return {"login": login}


def moved(address):
    """Sends everybody elsewhere; address may be a function of the peer."""
    def login(peer, header, _):
        where = address(peer) if callable(address) else address
        return peer.login_pdu(header, b"TargetAddress=" + where + b"\0", header[1] & 0x0c, 0, 0x0101)
    return {"login": login}


def answering(point, key, asc, ascq=0):
    def answer(peer, header, _):
        edtl = int.from_bytes(header[20:24], "big")
        return peer.status(int.from_bytes(header[16:20], "big"), 2, 0x82 if edtl else 0x80, edtl, scripted.sense(key, asc, ascq))
    return {point: answer}


def with_status(point, status):
    def answer(peer, header, _):
        return peer.status(int.from_bytes(header[16:20], "big"), status)
    return {point: answer}


def hangs_up(peer, _header, _data):
    raise scripted.Closed


def forgetful(peer, header, data):
    """Takes a WRITE and keeps none of it."""
    itt = int.from_bytes(header[16:20], "big")
    if itt not in peer.writes:
        return b""
    peer.writes[itt][2] += len(data)
    if peer.writes[itt][2] < len(peer.writes[itt][1]):
        return b""
    del peer.writes[itt]
    return peer.status(itt)


SCRIPTS = {
    "moves in a circle": lambda: moved(lambda peer: b"127.0.0.1:%d" % peer.target.port),
    "moves to nowhere": lambda: moved(b"here be dragons"),
    "moves to a refused port": lambda: moved(b"127.0.0.1:1"),
    "has no targets": lambda: {"text": lambda peer, header, _: peer.pdu(scripted.TEXT_RSP, itt=int.from_bytes(header[16:20], "big"))},
    "cannot read": lambda: answering("read", 3, 0x11),
    "cannot write": lambda: answering("write", 3, 0x0c, 2),
    "cannot flush": lambda: {**answering("flush", 4, 0x44), "mode": lambda peer, header, _: peer.data_in(
        int.from_bytes(header[16:20], "big"), int.from_bytes(header[20:24], "big"), bytes([23, 0, 0, 0, 8, 18, 4]) + bytes(17))},
    "reserved": lambda: with_status("read", 0x18),
    "hangs on read": lambda: {"read": scripted.hang},
    "hangs on write": lambda: {"data_out": scripted.hang},
    "hangs on inquiry": lambda: {"inquiry": scripted.hang},
    "hangs on discovery": lambda: {"text": scripted.hang},
    "closes on read": lambda: {"read": hangs_up},
    "closes on write": lambda: {"data_out": hangs_up},
    "loses writes": lambda: {"data_out": forgetful},
    "bad key": lambda: {"keys": lambda peer, answers, csg: answers + [b"MaxBurstLength=12\x1b[31m"] if csg else answers},
}


class Script(scripted.Target):
    """A scripted target as a peer of a row."""

    name = scripted.NAME.decode()

    def __init__(self, hooks):
        super().__init__(hooks)
        self.portal = "127.0.0.1:%d" % self.port

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Nobody:
    portal, name, faults = "127.0.0.1:1", NAME, ()


class World:
    """All that rows may meet. Files of the folder: disk, the embedded target's LUN 0; secret, short, empty, lines, other, third: passwords;
    huge: a line of 300 bytes; input: 4 KiB."""

    def __init__(self, iskra, folder):
        self.folder = folder
        disk_make(os.path.join(folder, "disk"))
        for name, content in (("secret", b"a-password-of-ours\n"), ("short", b"short\n"), ("empty", b""), ("lines", b"\nsecond\n"),
                              ("other", b"a-password-of-theirs\n"), ("third", b"a-password-of-nobody\n"), ("huge", b"x" * 300), ("input", bytes(4096))):
            with open(os.path.join(folder, name), "wb") as f:
                f.write(content)
        self.shared = {"-": Nobody()}
        for manner in ("refused", "silent", "garbage", "closes"):
            self.shared[manner] = Port(manner)
        luns = ["--ram", "1M"]
        chap = luns + ["--user", "us", "--password-file", os.path.join(folder, "secret")]
        self.targets = {
            "target": Target(iskra, ["--file", os.path.join(folder, "disk"), "--null", "1T", "--ram", "1M", "--ram", "1M", "--read-only"]),
            "chap": Target(iskra, chap),
            "mutual": Target(iskra, chap + ["--mutual-user", "them", "--mutual-password-file", os.path.join(folder, "other")]),
        }
        self.shared.update(self.targets)

    def peer(self, what):
        """A context manager with portal, name and faults."""
        if what in self.shared:
            return contextlib.nullcontext(self.shared[what])
        words = what.split()
        if words[0] == "status" and len(words) == 2:
            return Script(refusing(int(words[1], 16)))
        if words[0] == "busy" and len(words) == 3:
            return Script(refusing(int(words[1], 16), int(words[2])))
        if what not in SCRIPTS:
            raise SystemExit("no target does '%s'" % what)
        return Script(SCRIPTS[what]())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for target in self.targets.values():
            target.stop()
