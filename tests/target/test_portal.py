#!/usr/bin/env python3
"""The embedded target's portal on 127.0.0.1, with foreign initiators and with raw sockets.

Usage: test_portal.py SERVE, where SERVE is the program of serve.c. Prints TAP. What needs a program that is not
installed is skipped with its name."""

import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

NAME = "iqn.2026-11.org.example:portal"
SERVE = sys.argv[1]
results = []


class Served:
    """A running target; its address is there when the block begins, its exit code is checked at the end."""

    def __init__(self, *args):
        self.args = [SERVE, NAME, *args]

    def __enter__(self):
        self.process = subprocess.Popen(self.args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        match = re.fullmatch(r"listening on (\S+):(\d+)\n", line)
        assert match, f"no address in {line!r}"
        self.host, self.port = match[1].strip("[]"), int(match[2])
        self.portal = f"{match[1]}:{match[2]}"
        return self

    def __exit__(self, kind, value, trace):
        self.process.stdin.close()
        code = self.process.wait(timeout=20)
        self.process.stdout.close()
        if kind is None:
            assert code == 0, f"the target ended with {code}"

    def connect(self):
        return socket.create_connection((self.host, self.port), timeout=10)


class Skip(Exception):
    pass


def call(tool, *args, env=None):
    path = shutil.which(tool)
    if not path:
        raise Skip(f"{tool} is not installed (package libiscsi-bin)")
    return subprocess.run([path, *args], capture_output=True, text=True, errors="replace", timeout=60,
                          env={**os.environ, **(env or {})})


def run(tool, *args, env=None):
    done = call(tool, *args, env=env)
    assert done.returncode == 0, f"{tool} {args}: exit {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def case(function):
    number = len(results) + 1
    try:
        function()
        results.append(True)
        print(f"ok {number} - {function.__name__}", flush=True)
    except Skip as reason:
        results.append(True)
        print(f"ok {number} - {function.__name__} # SKIP {reason}", flush=True)
    except Exception as failure:  # a test's failure, whatever it is, is a line of the report
        results.append(False)
        print(f"not ok {number} - {function.__name__}", flush=True)
        print("# " + repr(failure).replace("\n", "\n# "), flush=True)


def login(sock, isid=1, keys=b""):
    """A session by raw bytes; returns the answer's header."""
    text = b"InitiatorName=iqn.2026-11.org.example:raw\0TargetName=" + NAME.encode() + b"\0" + keys
    header = struct.pack(">BBxxBBH6sH4sHHII16x", 0x43, 0x87, 0, 0, len(text),
                         struct.pack(">BBI", 0x80, 0, isid), 0, b"\0\0\0\1", 1, 0, 1, 0)
    sock.sendall(header + text + bytes(-len(text) % 4))
    return receive_pdu(sock)[0]


def receive_exactly(sock, length):
    data = b""
    while len(data) < length:
        piece = sock.recv(length - len(data))
        assert piece, "the target closed the connection"
        data += piece
    return data


def receive_pdu(sock):
    header = receive_exactly(sock, 48)
    length = int.from_bytes(header[5:8], "big")
    return header, receive_exactly(sock, length + -length % 4)[:length]


def read10(itt, cmd_sn, lba, blocks):
    cdb = struct.pack(">BBIBHB6x", 0x28, 0, lba, 0, blocks, 0)
    return struct.pack(">BB6xQIIII16s", 0x01, 0xC1, 0, itt, blocks * 512, cmd_sn, 0, cdb)


def iscsi_ls_shows_the_target_and_its_luns():
    with Served("--ram", "67108864", "--null", "1099511627776", "--luns", "4") as target:
        out = run("iscsi-ls", "-s", f"iscsi://{target.portal}")
    assert f"Target:{NAME} Portal:{target.portal},1" in out, out
    assert re.findall(r"^Lun:(\d+) +Type:DIRECT_ACCESS", out, re.M) == list("0123"), out


def iscsi_inq_shows_a_disk_and_its_pages():
    with Served("--ram", "1048576") as target:
        url = f"iscsi://{target.portal}/{NAME}/0"
        out = run("iscsi-inq", url)
        assert "Peripheral Device Type:DIRECT_ACCESS" in out and "Vendor:ISKRA" in out, out
        pages = run("iscsi-inq", "-e", "1", "-c", "0", url)
        assert re.findall(r"Page:0x(..)", pages) == ["00", "80", "83", "b0", "b1", "b2"], pages
        serial = run("iscsi-inq", "-e", "1", "-c", "128", url)
        assert re.search(r"Unit Serial Number:\[[0-9a-f]{16}\]", serial), serial
        for page in ("131", "176", "177", "178"):
            run("iscsi-inq", "-e", "1", "-c", page, url)


CHAP = ["--user", "anna", "--password", "correct horse battery"]
MUTUAL = [*CHAP, "--mutual-user", "portal", "--mutual-password", "staple of the target"]
AS_ANNA = {"LIBISCSI_CHAP_USERNAME": "anna", "LIBISCSI_CHAP_PASSWORD": "correct horse battery"}


def proof(secret):
    return {**AS_ANNA, "LIBISCSI_CHAP_TARGET_USERNAME": "portal", "LIBISCSI_CHAP_TARGET_PASSWORD": secret}


def refused(url, env=None):
    done = call("iscsi-inq", url, env=env)
    assert done.returncode != 0, done.stdout
    assert "Peripheral" not in done.stdout, done.stdout
    return done.stdout + done.stderr


def iscsi_ls_discovers_with_chap():
    with Served("--ram", "1048576", *CHAP) as target:
        out = run("iscsi-ls", "-s", f"iscsi://anna%correct horse battery@{target.portal}")
    assert f"Target:{NAME} Portal:{target.portal},1" in out, out
    assert re.findall(r"^Lun:(\d+) +Type:DIRECT_ACCESS", out, re.M) == ["0"], out


def iscsi_ls_discovers_without_chap_if_that_is_allowed():
    with Served("--ram", "1048576", *CHAP, "--open-discovery") as target:
        out = run("iscsi-ls", f"iscsi://{target.portal}")
        assert f"Target:{NAME}" in out, out
    with Served("--ram", "1048576", *CHAP) as target:
        assert call("iscsi-ls", f"iscsi://{target.portal}").returncode != 0


def iscsi_inq_logs_in_with_chap():
    for length in "1", "16", "255":
        with Served("--ram", "1048576", *CHAP, "--challenge", length) as target:
            out = run("iscsi-inq", f"iscsi://{target.portal}/{NAME}/0", env=AS_ANNA)
        assert "Vendor:ISKRA" in out, out


def iscsi_inq_logs_in_with_mutual_chap():
    with Served("--ram", "1048576", *MUTUAL) as target:
        url = f"iscsi://{target.portal}/{NAME}/0"
        assert "Vendor:ISKRA" in run("iscsi-inq", url, env=proof("staple of the target"))
        assert "Vendor:ISKRA" in run("iscsi-inq", url, env=AS_ANNA)  # who does not ask is not told
        refused(url, env=proof("another secret of it"))


def a_wrong_user_secret_or_none_is_refused():
    with Served("--ram", "1048576", *CHAP) as target:
        url = f"iscsi://{target.portal}/{NAME}/0"
        refused(url)
        refused(url, env={**AS_ANNA, "LIBISCSI_CHAP_PASSWORD": "correct horse batterz"})
        refused(url, env={**AS_ANNA, "LIBISCSI_CHAP_USERNAME": "bert"})
        refused(url, env=proof("staple of the target"))  # asks for a proof, but there is none
        assert "Vendor:ISKRA" in run("iscsi-inq", url, env=AS_ANNA)


def a_login_without_chap_is_refused_and_the_socket_closed():
    with Served("--ram", "1048576", *CHAP) as target, target.connect() as sock:
        assert login(sock)[36:38] == b"\2\1"
        assert sock.recv(1) == b""


def iscsi_readcapacity16_counts_blocks():
    with Served("--block", "4096", "--null", str(1 << 45)) as target:
        out = run("iscsi-readcapacity16", f"iscsi://{target.portal}/{NAME}/0")
    assert f"RETURNED LOGICAL BLOCK ADDRESS:{(1 << 33) - 1}" in out, out
    assert "LOGICAL BLOCK LENGTH IN BYTES:4096" in out, out
    assert f"Total size:{1 << 45}" in out, out


def test_cu(family, url, minimum):
    """Runs a family of libiscsi's own tests, at least `minimum` of them: all pass. Parts that a test skips are told."""
    tool = shutil.which("iscsi-test-cu")
    if not tool:
        raise Skip("iscsi-test-cu is not installed")
    done = subprocess.run([tool, "-d", "-n", "-t", family, url], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60)
    out = done.stdout + done.stderr
    counts = re.search(r"^ *tests +(\d+) +(\d+) +(\d+) +(\d+)", out, re.M)
    assert counts, out
    total, ran, passed, failed = map(int, counts.groups())
    skipped = len(set(re.findall(r"\[SKIPPED\] (.*)", out)))
    print(f"# report: iscsi-test-cu {family}: {passed} of {total} pass, {failed} fail; {skipped} reasons to skip parts", flush=True)
    assert failed == 0 and done.returncode == 0 and ran == total >= minimum, out


def all_of_libiscsis_tests_pass():
    with tempfile.NamedTemporaryFile() as image:
        os.truncate(image.name, 64 << 20)
        with Served("--ram", str(64 << 20), "--file", image.name) as target:
            for lun in (0, 1):
                test_cu("SCSI", f"iscsi://{target.portal}/{NAME}/{lun}", 200)
            test_cu("iSCSI", f"iscsi://{target.portal}/{NAME}/0", 15)


def qemu_img_converts_to_it_and_back():
    tool = shutil.which("qemu-img")
    if not tool:
        raise Skip("qemu-img is not installed")
    with tempfile.TemporaryDirectory() as folder:
        content = os.urandom(24 << 20) + bytes(16 << 20) + os.urandom(8 << 20)
        first, disk, second = (os.path.join(folder, name) for name in ("first", "disk", "second"))
        with open(first, "wb") as image:
            image.write(content)
        with open(disk, "wb") as image:
            image.truncate(len(content))
        with Served("--ram", str(len(content)), "--file", disk) as target:
            for lun in (0, 1):
                url = f"iscsi://{target.portal}/{NAME}/{lun}"
                done = subprocess.run([tool, "convert", "-n", "-f", "raw", "-O", "raw", first, url],
                                      stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
                if "Unknown protocol 'iscsi'" in done.stderr or "Could not find" in done.stderr:
                    raise Skip("qemu-img has no iSCSI here")
                assert done.returncode == 0, done.stderr
                subprocess.run([tool, "convert", "-f", "raw", "-O", "raw", url, second], check=True, timeout=60,
                               stdin=subprocess.DEVNULL)
                with open(second, "rb") as image:
                    assert image.read() == content
        with open(disk, "rb") as image:
            assert image.read() == content


def ipv6_works_too():
    try:
        socket.socket(socket.AF_INET6).close()
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError as reason:
        raise Skip(f"no IPv6 here: {reason}") from reason
    with Served("--ram", "1048576", "--listen", "[::1]:0") as target:
        assert target.portal.startswith("[::1]:"), target.portal
        with target.connect() as sock:
            assert login(sock)[36:38] == b"\0\0"


def a_file_is_read_whole_over_a_socket():
    with tempfile.NamedTemporaryFile() as image:
        content = os.urandom(3 << 20)
        image.write(content)
        image.flush()
        for extra in ([], ["--separate-status"]):
            with Served("--file", image.name, *extra) as target, target.connect() as sock:
                login(sock, keys=b"MaxRecvDataSegmentLength=65536\0")
                depth, got, pending = 8, bytearray(len(content)), set()
                starts = list(range(0, len(content), 1 << 17))
                sent = 0
                while sent < len(starts) or pending:
                    while sent < len(starts) and len(pending) < depth:
                        sock.sendall(read10(sent, 1 + sent, starts[sent] // 512, 256))
                        pending.add(sent)
                        sent += 1
                    header, data = receive_pdu(sock)
                    tag = int.from_bytes(header[16:20], "big")
                    if header[0] == 0x25:
                        at = starts[tag] + int.from_bytes(header[40:44], "big")
                        got[at:at + len(data)] = data
                    if header[0] == 0x21 or header[1] & 1:
                        assert header[3] == 0, header.hex()
                        pending.remove(tag)
                assert got == content


def fifty_sessions_at_once():
    with Served("--null", "1048576") as target:
        socks = [target.connect() for _ in range(50)]
        for i, sock in enumerate(socks):
            assert login(sock, isid=i)[36:38] == b"\0\0"
        for i, sock in enumerate(socks):
            sock.sendall(read10(i, 1, 0, 16))
        for i, sock in enumerate(socks):
            header, data = receive_pdu(sock)
            assert header[16:20] == struct.pack(">I", i) and header[1] & 1 and data == bytes(16 * 512)
            sock.close()


def the_same_isid_closes_the_old_socket():
    with Served("--null", "1048576") as target:
        with target.connect() as old, target.connect() as new:
            login(old)
            login(new)
            assert old.recv(1) == b""
            new.sendall(read10(1, 1, 0, 1))
            assert receive_pdu(new)[1] == bytes(512)


def a_logout_is_answered_before_the_socket_closes():
    with Served("--null", "1048576") as target, target.connect() as sock:
        login(sock)
        sock.sendall(struct.pack(">BB14xIHHII16x", 0x46, 0x80, 7, 1, 0, 1, 0) + bytes(500))
        header, _ = receive_pdu(sock)
        assert header[0] == 0x26 and header[2] == 0, header.hex()
        assert sock.recv(1) == b""


def rubbish_closes_only_its_own_socket():
    with Served("--null", "1048576") as target, target.connect() as good:
        login(good)
        for byte in range(0, 256, 5):
            with target.connect() as bad:
                bad.sendall(bytes([byte]) * 1000)
        good.sendall(read10(1, 1, 0, 1))
        assert receive_pdu(good)[1] == bytes(512)


def an_initiator_that_does_not_read_stops_nobody():
    with Served("--null", str(1 << 30)) as target, target.connect() as stuck, target.connect() as good:
        login(stuck, isid=1)
        login(good, isid=2)
        stuck.sendall(b"".join(read10(i, 1 + i, 0, 65535) for i in range(64)))
        for i in range(20):
            good.sendall(read10(i, 1 + i, 0, 8))
            assert receive_pdu(good)[1] == bytes(4096)


def a_port_in_use_is_an_error():
    with Served("--null", "1048576") as target:
        second = subprocess.run([SERVE, NAME, "--listen", target.portal, "--null", "4096"],
                                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    assert second.returncode == 1 and "cannot listen" in second.stderr, second.stderr


CASES = [
    iscsi_ls_shows_the_target_and_its_luns,
    iscsi_inq_shows_a_disk_and_its_pages,
    iscsi_ls_discovers_with_chap,
    iscsi_ls_discovers_without_chap_if_that_is_allowed,
    iscsi_inq_logs_in_with_chap,
    iscsi_inq_logs_in_with_mutual_chap,
    a_wrong_user_secret_or_none_is_refused,
    a_login_without_chap_is_refused_and_the_socket_closed,
    iscsi_readcapacity16_counts_blocks,
    all_of_libiscsis_tests_pass,
    qemu_img_converts_to_it_and_back,
    ipv6_works_too,
    a_file_is_read_whole_over_a_socket,
    fifty_sessions_at_once,
    the_same_isid_closes_the_old_socket,
    a_logout_is_answered_before_the_socket_closes,
    rubbish_closes_only_its_own_socket,
    an_initiator_that_does_not_read_stops_nobody,
    a_port_in_use_is_an_error,
]
print(f"1..{len(CASES)}", flush=True)
for one in CASES:
    case(one)
sys.exit(not all(results))
