"""A scripted iSCSI target: it can log in, tell its targets, read and write, and has a hook at every point where it can misbehave."""

import socket
import struct
import threading
import time
import traceback

from digest import crc32c, laid

NAME = b"iqn.2026-11.io.iskra:scripted"
BLOCK, BLOCKS = 512, 8192
ALL = 0xffffffff
NOP_OUT, SCSI, TMF, LOGIN, TEXT, DATA_OUT, LOGOUT = range(7)
NOP_IN, RESPONSE, TMF_RSP, LOGIN_RSP, TEXT_RSP, DATA_IN, LOGOUT_RSP = range(0x20, 0x27)
R2T, ASYNC, REJECT = 0x31, 0x32, 0x3f


def block_of(lba):
    return struct.pack(">Q", lba) * (BLOCK // 8)


def sense(key, asc, ascq=0):
    return bytes([0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc, ascq, 0, 0, 0, 0])


def put32(pdu, at, value):
    return pdu[:at] + struct.pack(">I", value & ALL) + pdu[at + 4:]


class Closed(Exception):
    """The connection is over, at this side's will or at the other's."""


class Peer:
    """One connection. hooks: point -> function(peer, header, data) that returns bytes to send, or None: do the right thing."""

    def __init__(self, conn, target):
        self.conn, self.target, self.hooks = conn, target, target.hooks
        self.stat_sn, self.exp_cmd_sn, self.window = 100, 1, 32
        self.discovery, self.full, self.sent, self.isid = False, False, 0, bytes(6)
        self.writes = {}  # ITT -> [first byte of the range, buffer, received]
        self.last_itt = 0
        self.header_digest, self.data_digest, self.agreed = False, False, set()
        self.port = conn.getsockname()[1]

    # ---- bytes
    def receive(self, length):
        got = b""
        while len(got) < length:
            part = self.conn.recv(length - len(got))
            if not part:
                raise Closed
            got += part
        return got

    def receive_pdu(self):
        """Header (48 bytes) and data, without AHS, padding and digests, which are checked."""
        header = self.receive(48)
        ahs = self.receive(4 * header[4])
        if self.header_digest and self.receive(4) != crc32c(header + ahs):
            raise ValueError("a wrong header digest of opcode 0x%02x" % header[0])
        length = int.from_bytes(header[5:8], "big")
        data = self.receive((length + 3) & ~3)
        if self.data_digest and data and self.receive(4) != crc32c(data):
            raise ValueError("a wrong data digest of opcode 0x%02x" % header[0])
        return header, data[:length]

    def send(self, data):
        data = laid(self, data)
        cut = self.hooks.get("cut")
        if cut is not None and self.sent + len(data) > cut:
            self.conn.sendall(data[:cut - self.sent])
            raise Closed
        self.sent += len(data)
        if self.hooks.get("bytes"):
            for at in range(0, len(data), self.hooks["bytes"]):
                self.conn.sendall(data[at:at + self.hooks["bytes"]])
        else:
            self.conn.sendall(data)

    def pdu(self, op, flags=0x80, b2=0, b3=0, itt=ALL, w20=ALL, stat=None, w36=0, w40=0, w44=0, data=b"", ahs=b"", lun=0,
            dsl=None, cmd=None, maxcmd=None):
        exp = self.exp_cmd_sn if cmd is None else cmd
        top = exp + self.window - 1 if maxcmd is None else maxcmd
        length = len(data) if dsl is None else dsl
        return (struct.pack(">BBBBI", op, flags, b2, b3, length | (len(ahs) // 4) << 24) + struct.pack(">QII", lun, itt & ALL, w20)
                + struct.pack(">III", (self.stat_sn if stat is None else stat) & ALL, exp & ALL, top & ALL)
                + struct.pack(">III", w36 & ALL, w40 & ALL, w44 & ALL) + ahs + data + bytes(-len(data) % 4))

    def status(self, itt, status=0, flags=0x80, residual=0, data=b"", response=0, **more):
        """A SCSI Response; data is the sense, which gets its length."""
        if data:
            data = struct.pack(">H", len(data)) + data
        pdu = self.pdu(RESPONSE, flags, response, status, itt=itt, w20=0, w44=residual, data=data, **more)
        self.stat_sn += 1
        return pdu

    def check(self, header, key, asc, ascq=0):
        edtl = struct.unpack(">I", header[20:24])[0]
        return self.status(int.from_bytes(header[16:20], "big"), 2, 0x82 if edtl else 0x80, edtl, sense(key, asc, ascq))

    def data_in(self, itt, edtl, data):
        """Data-In PDUs of at most 8 KiB; GOOD status in the last."""
        data, out = data[:edtl], b""
        if not data:
            return self.status(itt, 0, 0x82 if edtl else 0x80, edtl)
        for number, at in enumerate(range(0, len(data), 8192)):
            part = data[at:at + 8192]
            last = at + len(part) == len(data)
            flags = (0x81 | (2 if len(data) < edtl else 0)) if last else 0
            out += self.pdu(DATA_IN, flags, itt=itt, stat=self.stat_sn if last else 0, w36=number, w40=at,
                            w44=edtl - len(data) if last else 0, data=part)
            self.stat_sn += last
        return out

    # ---- login
    def answers(self, keys, csg):
        out = []
        for key, value in keys.items():
            if key in (b"HeaderDigest", b"DataDigest") and b"CRC32C" in value.split(b",") and self.hooks.get("digests"):
                out.append(key + b"=CRC32C")
                self.agreed.add(key)
            elif key in (b"AuthMethod", b"HeaderDigest", b"DataDigest"):
                out.append(key + b"=None")
            elif key == b"InitialR2T":
                out.append(b"InitialR2T=Yes")
            elif key == b"ImmediateData":
                out.append(b"ImmediateData=No")
            elif key == b"MaxOutstandingR2T":
                out.append(b"MaxOutstandingR2T=1")
            elif key == b"MaxRecvDataSegmentLength":
                out.append(b"MaxRecvDataSegmentLength=8192")
            elif key in (b"MaxConnections", b"ErrorRecoveryLevel", b"MaxBurstLength", b"FirstBurstLength", b"DefaultTime2Wait",
                         b"DefaultTime2Retain", b"DataPDUInOrder", b"DataSequenceInOrder"):
                out.append(key + b"=" + value)
        if csg == 0 and not self.discovery:
            out.append(b"TargetPortalGroupTag=1")
        return out

    def login(self):
        while not self.full:
            header, data = self.receive_pdu()
            self.exp_cmd_sn = struct.unpack(">I", header[24:28])[0]
            self.isid = header[8:14]
            hook = self.hooks.get("login")
            answer = hook(self, header, data) if hook else None
            self.send(self.login_answer(header, data) if answer is None else answer)
            if self.full:
                self.header_digest, self.data_digest = b"HeaderDigest" in self.agreed, b"DataDigest" in self.agreed
            if "after_login" in self.hooks and self.full:
                self.send(self.hooks["after_login"](self, header, data) or b"")

    def login_answer(self, header, data, answers=None, **more):
        keys = dict(pair.split(b"=", 1) for pair in data.split(b"\0") if pair)
        self.discovery = self.discovery or keys.get(b"SessionType") == b"Discovery"
        csg, nsg, transit = header[1] >> 2 & 3, header[1] & 3, header[1] >> 7
        final = transit and nsg == 3
        if answers is None:
            answers = self.answers(keys, csg)
            if "keys" in self.hooks:
                answers = self.hooks["keys"](self, answers, csg)
        text = answers if isinstance(answers, bytes) else b"".join(a + b"\0" for a in answers)
        return self.login_pdu(header, text, (0x80 if transit else 0) | csg << 2 | (nsg if transit else 0), tsih=7 if final else 0, **more)

    def login_pdu(self, header, text=b"", flags=0x87, tsih=7, status=0, version=0, **more):
        pdu = self.pdu(LOGIN_RSP, flags, version, version, itt=int.from_bytes(header[16:20], "big"), w36=status << 16,
                       data=text, **more)
        self.stat_sn += 1
        self.full = flags & 0x83 == 0x83 and not status
        return pdu[:8] + self.isid + struct.pack(">H", tsih) + pdu[16:20] + bytes(4) + pdu[24:]

    def login_in_parts(self, header, text, size, flags):
        """An answer whose text takes several PDUs: all but the last are sent, with the C bit, and asked for without a T bit."""
        if len(text) > size:
            flags &= 0x0c
        while len(text) > size:
            self.send(self.login_pdu(header, text[:size], 0x40 | (header[1] & 0x0c), tsih=0))
            header, _ = self.receive_pdu()
            text = text[size:]
        return self.login_pdu(header, text, flags, tsih=7 if flags & 0x83 == 0x83 else 0)

    # ---- full feature phase
    def targets(self):
        return b"TargetName=" + NAME + b"\0TargetAddress=127.0.0.1:%d,1\0" % self.target.port

    def text(self, header, _):
        pdu = self.pdu(TEXT_RSP, itt=int.from_bytes(header[16:20], "big"), data=self.targets())
        self.stat_sn += 1
        return pdu

    def scsi(self, header, data):
        itt, edtl, cmd_sn = struct.unpack(">III", header[16:28])
        cdb, op = header[32:48], header[32]
        self.exp_cmd_sn = (cmd_sn + 1) & ALL
        self.last_itt = itt
        point = {0x12: "vpd" if cdb[1] & 1 else "inquiry", 0x25: "capacity", 0x9e: "capacity", 0x1a: "mode", 0xa0: "luns", 0x28: "read",
                 0x88: "read", 0x2a: "write", 0x8a: "write", 0x35: "flush", 0x91: "flush", 0: "ready"}.get(op, "other")
        if point in self.hooks:
            answer = self.hooks[point](self, header, data)
            if answer is not None:
                return answer
        if op == 0x12:
            return self.inquiry(itt, edtl, cdb, header)
        if op == 0x25:
            return self.data_in(itt, edtl, struct.pack(">II", BLOCKS - 1, BLOCK))
        if op == 0x9e:
            return self.data_in(itt, edtl, struct.pack(">QI", BLOCKS - 1, BLOCK) + bytes(20))
        if op == 0x1a:
            return self.data_in(itt, edtl, b"\3\0\0\0"[:cdb[4]])
        if op == 0xa0:
            return self.data_in(itt, edtl, struct.pack(">II", 8, 0) + bytes(8))
        if point in ("ready", "flush"):
            return self.status(itt)
        lba, count = struct.unpack(">QI", cdb[2:14]) if op > 0x80 else (struct.unpack(">I", cdb[2:6])[0], struct.unpack(">H", cdb[7:9])[0])
        if point == "read":
            return self.data_in(itt, edtl, b"".join(self.target.disk.get(lba + n, block_of(lba + n)) for n in range(count)))
        if point == "write":
            self.writes[itt] = [lba, bytearray(edtl), 0]
            return self.r2t(itt, 0, edtl)
        return self.check(header, 5, 0x20)

    def inquiry(self, itt, edtl, cdb, header):
        if not cdb[1] & 1:
            return self.data_in(itt, edtl, bytes([0, 0, 5, 2, 31, 0, 0, 2]) + b"SCRIPTED" + b"DISK            " + b"0001")
        body = {0: b"\0\x83\xb0", 0x83: b"\1\3\0\x08" + b"\x50\0\0\0\0\0\0\1", 0xb0: bytes(60)}.get(cdb[2])
        if body is None:
            return self.check(header, 5, 0x24)
        return self.data_in(itt, edtl, bytes([0, cdb[2]]) + struct.pack(">H", len(body)) + body)

    def r2t(self, itt, offset, length, number=0, ttt=1, **more):
        return self.pdu(R2T, itt=itt, w20=ttt, w36=number, w40=offset, w44=length, **more)

    def data_out(self, header, data):
        itt = int.from_bytes(header[16:20], "big")
        if "data_out" in self.hooks:
            answer = self.hooks["data_out"](self, header, data)
            if answer is not None:
                return answer
        if itt not in self.writes:
            return b""
        write, offset = self.writes[itt], int.from_bytes(header[40:44], "big")
        write[1][offset:offset + len(data)] = data
        write[2] += len(data)
        if write[2] < len(write[1]):
            return b""
        del self.writes[itt]
        for number in range(len(write[1]) // BLOCK):
            self.target.disk[write[0] + number] = bytes(write[1][number * BLOCK:(number + 1) * BLOCK])
        return self.status(itt)

    def run(self):
        if "connect" in self.hooks:
            self.send(self.hooks["connect"](self, b"", b"") or b"")
        self.login()
        while True:
            header, data = self.receive_pdu()
            op, itt = header[0] & 0x3f, int.from_bytes(header[16:20], "big")
            point = {NOP_OUT: "nop", TMF: "tmf", LOGOUT: "logout", TEXT: "text"}.get(op)
            if op in (TEXT, LOGOUT) and not header[0] & 0x40:
                self.exp_cmd_sn += 1
            answer = self.hooks[point](self, header, data) if point in self.hooks else None
            if answer is None:
                if op == SCSI:
                    answer = self.scsi(header, data)
                elif op == DATA_OUT:
                    answer = self.data_out(header, data)
                elif op == TEXT:
                    answer = self.text(header, data)
                elif op in (TMF, LOGOUT) or (op == NOP_OUT and itt != ALL):
                    answer = self.pdu(op | 0x20, itt=itt)
                    self.stat_sn += 1
                else:
                    answer = b""
            self.send(answer)


class Target:
    """Listens on a free port of 127.0.0.1 and gives every connection to a Peer."""

    def __init__(self, hooks):
        self.hooks, self.disk = hooks, {}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.second = socket.create_server(("127.0.0.1", 0)) if hooks.get("two_portals") else None
        self.child = None  # the process that is tried
        self.connections, self.over, self.faults = 0, threading.Event(), []
        if hooks.get("deaf"):
            return
        for listener in filter(None, (self.listener, self.second)):
            threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def accept(self, listener):
        while True:
            try:
                conn, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            if "accept" in self.hooks and not self.hooks["accept"](self, conn):
                conn.close()
                continue
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        with conn:
            try:
                Peer(conn, self).run()
            except Closed:
                pass
            except OSError:
                pass
            except Exception:  # the script's own fault, which must not pass for the target's
                self.faults.append(traceback.format_exc(limit=-1))

    def wait(self, seconds):
        """As time.sleep, but not longer than the case lasts."""
        self.over.wait(seconds)

    def close(self):
        self.over.set()
        for listener in filter(None, (self.listener, self.second)):
            try:
                listener.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            listener.close()


def hang(peer, _header, _data):
    """Never answers, and keeps the connection."""
    peer.target.wait(30)
    raise Closed


def forever(peer, pdus):
    """Sends until the other side has had enough, but no longer than 15 s."""
    end = time.monotonic() + 15
    while time.monotonic() < end and not peer.target.over.is_set():
        peer.send(pdus())
    raise Closed
