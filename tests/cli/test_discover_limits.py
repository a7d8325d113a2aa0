#!/usr/bin/env python3
"""Discovery and redirects at their limits, against a portal that is a script. TAP; argument: the program.

The portal knows what RFC 7143 says of logins, SendTargets and logouts, and nothing of the program.
"""

import json
import os
import socket
import struct
import subprocess
import sys
import threading

ISKRA = sys.argv[1]
IQN = "iqn.2026-11.org.example:"
TESTS = []


class Skip(Exception):
    pass


def test(function):
    TESTS.append(function)
    return function


def equal(got, want):
    assert got == want, "%r, expected %r" % (got, want)


class Portal:
    """Answers SendTargets with `text`, `chunk` bytes to a PDU; or moves whoever logs in to `moved`, (address, detail)."""

    def __init__(self, text="", chunk=8192, moved=None, host="127.0.0.1", refusals=0):
        self.text, self.chunk, self.moved = text.replace(";", "\0").encode(), chunk, moved
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        try:
            self.socket.bind((host, 0))
        except OSError as why:
            raise Skip("no address %s here: %s" % (host, why)) from why
        self.socket.listen()
        self.port = self.socket.getsockname()[1]
        self.address = ("[%s]:%d" if ":" in host else "%s:%d") % (host, self.port)
        self.refusals = refusals  # this many logins, with "service unavailable"
        self.logins = self.questions = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def serve(self):
        while True:
            try:
                call, _ = self.socket.accept()
            except OSError:
                return
            try:
                with call:
                    Call(self, call).serve()
            except OSError:
                pass  # the caller has left


class Call:
    """One connection."""

    def __init__(self, portal, call):
        self.portal, self.call, self.stat_sn, self.sent = portal, call, 1, 0
        self.new = True

    def take(self, length):
        data = b""
        while len(data) < length:
            more = self.call.recv(length - len(data))
            if not more:
                raise OSError("closed")
            data += more
        return data

    def serve(self):
        while True:
            header = self.take(48)
            length = int.from_bytes(header[5:8], "big")
            self.take((length + 3) // 4 * 4)
            opcode = header[0] & 0x3f
            if opcode == 0x03:
                self.login(header)
            elif opcode == 0x04:
                self.send_targets(header)
            elif opcode == 0x06:
                self.say(header, 0x26, 0x80)
            else:
                return

    def say(self, header, opcode, flags, data=b"", word20=0, status=0, bhs8=bytes(8)):
        """A response; bytes 8 to 15 are `bhs8`, 20 to 23 `word20`, 36 and 37 `status`."""
        cmd_sn = struct.unpack(">I", header[24:28])[0]
        pdu = struct.pack(">BBHB3s8s4sIIIIH10x", opcode, flags, 0, 0, len(data).to_bytes(3, "big"), bhs8, header[16:20], word20,
                          self.stat_sn, cmd_sn, cmd_sn + 31, status)
        self.stat_sn += 1
        self.call.sendall(pdu + data + bytes(-len(data) % 4))

    def login(self, header):
        flags, isid = header[1], header[8:14]
        if self.new:
            self.portal.logins += 1
            self.new = False
        if self.portal.moved:
            address, detail = self.portal.moved
            self.say(header, 0x23, 0, ("TargetAddress=%s\0" % address).encode(), status=0x0100 | detail, bhs8=isid + bytes(2))
            return
        if self.portal.refusals > 0:
            self.portal.refusals -= 1
            self.say(header, 0x23, 0, status=0x0301, bhs8=isid + bytes(2))
            return
        last = flags & 0x83 == 0x83
        text = b"" if flags & 0x0c else b"AuthMethod=None\0TargetPortalGroupTag=1\0"
        self.say(header, 0x23, flags & 0x8f, text, bhs8=isid + (b"\0\7" if last else bytes(2)))

    def send_targets(self, header):
        self.portal.questions += 1
        piece = self.portal.text[self.sent:self.sent + self.portal.chunk]
        self.sent += len(piece)
        last = self.sent >= len(self.portal.text)
        # F ends the text, C says that a pair may be cut.
        self.say(header, 0x24, 0x80 if last else 0x40, piece, word20=0xffffffff if last else 0x00c0ffee)


def iskra(*args, timeout=100):
    return subprocess.run([ISKRA, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=timeout)


def discover(portal, *options):
    done = iskra("discover", *options, portal)
    equal((done.returncode, done.stderr), (0, ""))
    return done.stdout


def fails(done, code, *words):
    """With this exit code, one line that has these words, and nothing on stdout."""
    equal((done.returncode, done.stdout, done.stderr.count("\n")), (code, "", 1))
    for word in words:
        assert word in done.stderr, "%r does not speak of %r" % (done.stderr, word)


def targets(count):
    return "".join("TargetName=%s%05d;TargetAddress=10.%d.%d.1:3260,1;" % (IQN, n, n >> 8, n & 255) for n in range(count))


@test
def ten_thousand_targets_are_listed_in_order():
    with Portal(targets(10000)) as p:
        want = ["10.%d.%d.1:3260,1 %s%05d" % (n >> 8, n & 255, IQN, n) for n in range(10000)]
        equal(discover(p.address).splitlines(), want)
        assert p.questions > 50, p.questions


@test
def ten_thousand_targets_are_as_many_in_json():
    if "built without json-c" in iskra("discover", "--json", "").stderr:
        raise Skip("the program is built without json-c")
    with Portal(targets(10000)) as p:
        found = json.loads(discover(p.address, "--json"))
        text = json.dumps(found)
        equal((text.count(IQN), text.count(IQN + "09999")), (10000, 1))


@test
def a_target_with_a_thousand_portals_shows_each():
    with Portal("TargetName=%sone;" % IQN + "".join("TargetAddress=10.1.%d.%d:%d,%d;" % (n >> 8, n & 255, n + 1, n) for n in range(1000))) as p:
        want = ["10.1.%d.%d:%d,%d %sone" % (n >> 8, n & 255, n + 1, n, IQN) for n in range(1000)]
        equal(discover(p.address).splitlines(), want)


@test
def every_size_of_piece_gives_the_same_list():
    text = "TargetName=%sa;TargetAddress=[2001:db8::1]:3261,65535;TargetAddress=storage.example:860,2;TargetName=%sb;" % (IQN, IQN)
    for chunk in list(range(1, 20)) + [len(text) - 1, len(text)]:
        with Portal(text, chunk) as p:
            equal(discover(p.address), "[2001:db8::1]:3261,65535 %sa\nstorage.example:860,2 %sa\n127.0.0.1:%d,1 %sb\n" %
                  (IQN, IQN, p.port, IQN))


@test
def a_portal_without_targets_has_found_nothing():
    with Portal("") as p:
        equal(iskra("discover", p.address).returncode, 21)


@test
def text_of_more_than_16_mib_is_refused():
    with Portal("X-pad=%s;" % ("x" * 400) * 42000) as p:
        fails(iskra("discover", p.address), 1, "more than 16777216 bytes")


@test
def a_portal_may_be_a_v6_address():
    with Portal(targets(1), host="::1") as p:
        equal(discover(p.address), "10.0.0.1:3260,1 %s00000\n" % IQN)


@test
def discovery_follows_a_redirect_of_either_kind():
    for detail in 1, 2:
        with Portal(targets(2)) as there, Portal(moved=(there.address + ",1", detail)) as here:
            equal(discover(here.address).count("\n"), 2)
            equal((here.logins, there.logins), (1, 1))


@test
def a_login_follows_a_redirect_of_either_kind():
    for detail in 1, 2:
        with Portal() as there, Portal(moved=(there.address, detail)) as here:
            done = iskra("trace", "iscsi://%s/%stoken/0" % (here.address, IQN), "login")
            equal((done.returncode, done.stderr), (0, ""))
            equal((here.logins, there.logins), (1, 1))


@test
def another_try_remembers_a_permanent_redirect_and_no_temporary_one():
    for detail, logins in (1, 2), (2, 1):
        with Portal(refusals=1) as there, Portal(moved=(there.address, detail)) as here:
            done = iskra("trace", "iscsi://%s/%stoken/0?login_retries=1" % (here.address, IQN), "login")
            equal((done.returncode, here.logins, there.logins), (0, logins, 2))


@test
def a_redirect_may_lead_to_a_v6_address_or_a_name():
    with Portal(targets(1), host="::1") as there, Portal(moved=(there.address, 1)) as here:
        equal(discover(here.address), "10.0.0.1:3260,1 %s00000\n" % IQN)
    with Portal(targets(1)) as there, Portal(moved=("localhost:%d" % there.port, 2)) as here:
        equal(discover(here.address), "10.0.0.1:3260,1 %s00000\n" % IQN)


@test
def every_address_of_a_name_is_tried():
    with Portal(targets(1)) as p:  # localhost may be ::1 first, where nobody listens
        equal(discover("localhost:%d" % p.port), "10.0.0.1:3260,1 %s00000\n" % IQN)
    unused = socket.socket()
    unused.bind(("127.0.0.1", 0))
    port = unused.getsockname()[1]
    done = iskra("discover", "localhost:%d" % port)
    cnt = len({a[4][0] for a in socket.getaddrinfo("localhost", port, type=socket.SOCK_STREAM)})
    fails(done, 4, "localhost", "%d address" % cnt, "refused")
    unused.close()


@test
def eight_redirects_are_followed_and_the_ninth_is_not():
    for hops, code in (8, 0), (9, 19):
        portals = [Portal(targets(1))]
        for _ in range(hops):
            portals.append(Portal(moved=(portals[-1].address, 1)))
        done = iskra("discover", portals[-1].address)
        if code == 0:
            equal((done.returncode, done.stderr), (0, ""))
        else:
            fails(done, code, "more than 8 times")
        for p in portals:
            p.socket.close()


@test
def a_circle_of_redirects_is_left():
    here, there = Portal(), Portal()
    here.moved, there.moved = (there.address, 1), (here.address, 2)
    fails(iskra("discover", here.address), 19, "in a circle")
    equal((here.logins, there.logins), (1, 1))
    here.socket.close()
    there.socket.close()


def main():
    print("1..%d" % len(TESTS), flush=True)
    failed = 0
    for number, function in enumerate(TESTS, 1):
        try:
            function()
            print("ok %d - %s" % (number, function.__name__), flush=True)
        except Skip as reason:
            print("ok %d - %s # SKIP %s" % (number, function.__name__, reason), flush=True)
        except Exception as failure:  # whatever it is, it is a line of the report
            failed += 1
            print("not ok %d - %s\n# %s" % (number, function.__name__, repr(failure)[:2000].replace("\n", "\n# ")), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    os.environ.setdefault("ISKRA_INITIATOR_NAME", "iqn.2026-11.io.iskra:test")
    sys.exit(main())
