"""More of groups 1 to 4 and 6 to 12: pieces and digests, every phase's wrong opcode, names and text in parts, times and signals."""

import os
import signal
import socket
import struct

from digest import crc32c
from inputs import ALL, KINDS, added, add, answer, device, edtl_of, event, itt_of, raw, redirect, replaced, sense, then_right, twice
from scripted import (ASYNC, DATA_IN, NAME, NOP_IN, NOP_OUT, R2T, REJECT, RESPONSE, Closed, block_of, hang)

GOOD = b"".join(map(block_of, range(8)))

# ---- 1 framing
for size in (2, 3, 5, 7, 11, 13, 17, 23, 31, 47, 48, 49):
    add("pieces_of_%d_bytes" % size, bytes=size)
for size in (1, 3, 47, 49, 53):
    add("pieces_of_%d_bytes_with_digests" % size, bytes=size, digests=True)
add("ahs_of_every_length_without_data", read=lambda p, h, d: b"".join(p.pdu(NOP_IN, ahs=bytes(4 * n)) for n in range(256)) + right(p, h))
add("ahs_of_0_to_52_words_without_data", read=lambda p, h, d: b"".join(p.pdu(NOP_IN, ahs=bytes(4 * n)) for n in range(53)) + right(p, h))
for words in (1, 2, 63, 64, 127, 255):
    add("ahs_of_%d_words_in_a_response" % words, read=raw(op=RESPONSE, w20=0, ahs=bytes(4 * words)))


def right(peer, header):
    return peer.data_in(itt_of(header), edtl_of(header), GOOD)


def flipped(pieces, which, byte=0):
    piece = bytearray(pieces[which])
    piece[byte] ^= 0x40
    return pieces[:which] + [bytes(piece)] + pieces[which + 1:]


def spoiled(op, change, length=None):
    """Changes the pieces (header, digest, data, digest) of PDUs of an opcode, or only of those with that much data."""
    def hook(_peer, *pieces):
        pieces = list(pieces)
        hit = pieces[0][0] & 0x3f == op and (length is None or len(pieces[2]) == length)
        return change(pieces) if hit and pieces[1] else pieces
    return hook


def longer(by, redo):
    """Another length in the header; redo: with a header digest that is right for it."""
    def change(pieces):
        header = pieces[0]
        header = header[:5] + (int.from_bytes(header[5:8], "big") + by).to_bytes(3, "big") + header[8:]
        return [header, crc32c(header) if redo else pieces[1]] + pieces[2:]
    return change


add("digests", digests=True)
for name, op, which in (("header_digest_of_a_data_in", DATA_IN, 1), ("data_digest_of_a_data_in", DATA_IN, 3), ("header_of_a_data_in", DATA_IN, 0),
                        ("data_of_a_data_in", DATA_IN, 2)):
    add("wrong_" + name, digests=True, wire=spoiled(op, lambda pieces, which=which: flipped(pieces, which), 4096 if op == DATA_IN else None))
for byte in range(4):
    add("wrong_byte_%d_of_a_data_digest" % byte, digests=True, wire=spoiled(DATA_IN, lambda pieces, byte=byte: flipped(pieces, 3, byte), 4096))
add("wrong_header_digest_of_a_response", digests=True, wire=spoiled(RESPONSE, lambda pieces: flipped(pieces, 1)), read=lambda p, h, d: p.check(h, 3, 0x11))
add("wrong_header_digest_of_an_r2t", digests=True, wire=spoiled(R2T, lambda pieces: flipped(pieces, 1)))
add("wrong_data_digest_of_sense", digests=True, wire=spoiled(RESPONSE, lambda pieces: flipped(pieces, 3)), read=lambda p, h, d: p.check(h, 3, 0x11))
for by in (-4096, -512, -1, 1, 4, 512, 1 << 20):
    add("length_changed_by_%d_and_digested_again" % by, digests=True, wire=spoiled(DATA_IN, longer(by, True), 4096))
add("length_changed_and_not_digested_again", digests=True, wire=spoiled(DATA_IN, longer(512, False), 4096))
add("no_digests_where_they_were_agreed", digests=True, wire=lambda p, *pieces: [pieces[0], b"", pieces[2], b""])
add("header_digest_of_the_other_byte_order", digests=True, wire=lambda p, *pieces: [pieces[0], pieces[1][::-1], pieces[2], pieces[3]])
add("digests_of_zero", digests=True, wire=lambda p, *pieces: [pieces[0], bytes(len(pieces[1])), pieces[2], bytes(len(pieces[3]))])
add("digests_in_the_final_login_response", digests=True, wire=lambda p, *pieces: [pieces[0], crc32c(pieces[0])] + list(pieces[2:]) if pieces[0][0] == 0x23 else list(pieces))
add("payload_beyond_the_limit_with_a_right_header_digest", digests=True, read=raw(op=DATA_IN, flags=0, dsl=0xffffff))

# ---- 2 the wrong opcode for a ping of ours
for kind, op in KINDS:
    if op != NOP_IN:
        add(kind + "_for_a_ping", read=lambda p, h, d: b"", nop=raw(op=op, w20=1, w44=512))

# ---- 3 login text
add("text_empty", login=lambda p, h, d: p.login_answer(h, d, b""))
add("value_of_64_kib_in_parts", login=lambda p, h, d: p.login_in_parts(h, b"X-a=" + b"v" * 65536 + b"\0", 4000, h[1] & 0x8f))
for key in (b"MaxBurstLength=512", b"HeaderDigest=None", b"ErrorRecoveryLevel=0", b"MaxRecvDataSegmentLength=512"):
    add("%s_in_the_security_stage" % key.split(b"=")[0].decode(), login=lambda p, h, d, key=key: None if h[1] >> 2 & 3 else p.login_pdu(h, key + b"\0", 0))
add("AuthMethod_in_the_operational_stage", keys=added(b"AuthMethod=None"))
add("CHAP_A_in_the_operational_stage", keys=added(b"CHAP_A=5"))
add("SendTargets_offered_in_login", keys=added(b"SendTargets="))
add("InitiatorName_from_the_target", keys=added(b"InitiatorName=iqn.x"))
for name, value in (("hex", b"0x0"), ("2_32", b"4294967296"), ("2_64", b"18446744073709551616"), ("negative", b"-1"), ("range", b"1~2")):
    add("ErrorRecoveryLevel_" + name, keys=replaced(b"ErrorRecoveryLevel", value))
    add("DefaultTime2Retain_" + name, keys=replaced(b"DefaultTime2Retain", value))
add("first_burst_above_max_burst", keys=lambda p, a, csg: replaced(b"FirstBurstLength", b"65536")(p, replaced(b"MaxBurstLength", b"512")(p, a, csg), csg))
add("first_burst_above_max_burst_in_force", keys=lambda p, a, csg: a if not csg else
    [b"InitialR2T=No", b"ImmediateData=Yes", b"FirstBurstLength=65536", b"MaxBurstLength=512", b"MaxRecvDataSegmentLength=8192"])
for key in (b"HeaderDigest", b"InitialR2T", b"ImmediateData", b"DataPDUInOrder", b"DataSequenceInOrder", b"ErrorRecoveryLevel"):
    for word in (b"NotUnderstood", b"Irrelevant", b"Reject"):
        if (key, word) != (b"HeaderDigest", b"NotUnderstood"):
            add("%s_%s" % (key.decode(), word.decode()), keys=replaced(key, word))
for csg in range(4):
    for nsg in range(4):
        add("stages_%d_%d" % (csg, nsg), login=lambda p, h, d, f=0x80 | csg << 2 | nsg: p.login_pdu(h, b"", f))

# ---- 4 redirect
add("redirect_to_each_other", two_portals=True, login=lambda p, h, d: redirect(b"TargetAddress=127.0.0.1:%d,1\0" % other(p))(p, h, d))
add("redirect_in_the_operational_stage", login=lambda p, h, d: redirect(b"TargetAddress=127.0.0.1:1,1\0")(p, h, d) if h[1] & 0x0c else None)
add("redirect_of_a_discovery_to_itself", login=redirect(lambda p: b"TargetAddress=127.0.0.1:%d,1\0" % p.target.port))
for name, address in (("a_user", b"root@127.0.0.1:1,1"), ("a_query", b"127.0.0.1:1/x?y=z"), ("a_zone", b"[fe80::1%lo]:1,1"), ("two_addresses", b"127.0.0.1:1,1\0TargetAddress=127.0.0.1:2,1"),
                      ("a_space", b" 127.0.0.1:1,1"), ("a_newline", b"127.0.0.1\n:1,1"), ("group_65536", b"127.0.0.1:1,65536"), ("a_negative_port", b"127.0.0.1:-1,1"),
                      ("a_hex_port", b"127.0.0.1:0x1,1"), ("port_of_20_digits", b"127.0.0.1:" + b"9" * 20 + b",1")):
    add("redirect_to_" + name, login=redirect(b"TargetAddress=" + address + b"\0"))


def other(peer):
    return peer.target.second.getsockname()[1] if peer.port == peer.target.port else peer.target.port


# ---- 6 names
def listed(text):
    return lambda p, h, d: p.pdu(0x24, itt=itt_of(h), data=text)


add("target_name_with_a_nul", text=listed(b"TargetName=iqn.2026-01.x\0.y:z\0TargetAddress=127.0.0.1:3260,1\0"))
add("target_name_of_223_bytes", text=listed(b"TargetName=iqn.2026-01.x:" + b"a" * 209 + b"\0TargetAddress=127.0.0.1:3260,1\0"))
add("target_name_that_goes_up", text=listed(b"TargetName=../../../../tmp/x\0TargetAddress=127.0.0.1:3260,1\0"))
add("alias_with_escapes", keys=added(b"TargetAlias=\x1b]0;owned\x07\x1b[2J\xc2\x9b31m\xe2\x80\xae"))
add("alias_of_5000_bytes", keys=added(b"TargetAlias=" + b"a" * 5000))
add("alias_of_latin_1", keys=added(b"TargetAlias=\xe9\xff\xfe"))

# ---- 7, 9, 10, 11
add("window_shrinks_by_half", inquiry=lambda p, h, d: setattr(p, "window", 16))
add("window_shrinks_to_1", inquiry=lambda p, h, d: setattr(p, "window", 1))
add("stat_sn_wraps_in_login", connect=lambda p, h, d: setattr(p, "stat_sn", ALL) or b"")
add("stat_sn_jumps_by_2_31", read=lambda p, h, d: setattr(p, "stat_sn", p.stat_sn + 0x80000000 & ALL))
add("r2t_of_another_number_again", data_out=lambda p, h, d: p.r2t(itt_of(h), 0, 512, 0, 2))
add("r2t_for_the_same_bytes_twice_at_once", write=lambda p, h, d: p.r2t(itt_of(h), 0, 512) * 2)
add("data_in_final_and_never_a_status", read=lambda p, h, d: p.pdu(DATA_IN, 0x80, itt=itt_of(h), data=GOOD))
add("capacity_of_2_64_less_1", **device("capacity", lambda h: b"\xff" * 4 + struct.pack(">I", 512) if h[32] == 0x25 else b"\xff" * 7 + b"\xfe" + struct.pack(">I", 512) + bytes(20)))
add("unmap_limit_of_0", **device("vpd", lambda h: bytes([0, h[34]]) + (b"\0\3\0\xb0\xb2" if h[34] == 0 else b"\0\x3c" + bytes(60))))
add("luns_16_million_claimed_8000_sent", **device("luns", struct.pack(">II", 16 << 23, 0) + b"".join(struct.pack(">Q", n << 48) for n in range(1000))))
add("capacity_changes_before_the_read", read=lambda p, h, d: once(p, "told") and p.check(h, 6, 0x2a, 9) or None)
add("capacity_shrinks_before_the_read", read=lambda p, h, d: p.check(h, 6, 0x2a, 9) if once(p, "told") else p.check(h, 5, 0x21))
add("capacity_shrinks_before_the_write", write=lambda p, h, d: p.check(h, 6, 0x2a, 9) if once(p, "told") else p.check(h, 5, 0x21))
add("ping_answered_twice", read=lambda p, h, d: b"", nop=lambda p, h, d: p.pdu(NOP_IN, itt=itt_of(h)) * 2)
add("ping_answered_with_other_data", read=lambda p, h, d: b"", nop=lambda p, h, d: p.pdu(NOP_IN, itt=itt_of(h), data=b"other"))
add("async_events_5_to_255", read=then_right(*[event(code, 0xffff, 0xffff, 0xffff) for code in range(5, 256)]))
add("async_event_0_with_every_sense_key", read=then_right(*[event(0, data=b"\0\x12" + sense(key, 0x3f, 0x0e)) for key in range(16)]))
add("logout_response_while_a_write_is_in_flight", data_out=lambda p, h, d: p.pdu(0x26, itt=0x1234) if once(p, "out") else None)
add("reject_data_with_escapes", read=lambda p, h, d: p.pdu(REJECT, b2=0xc, data=b"\x1b]0;x\x07" * 10))
add("sense_text_with_escapes", read=lambda p, h, d: p.status(itt_of(h), 2, 0x82, edtl_of(h), b"\x70\0\5" + b"\x1b[2J\x07" * 4))


def once(peer, what):
    """True the first time, of all connections."""
    seen = peer.target.__dict__.setdefault("seen", set())
    return not (what in seen or seen.add(what))


# ---- 12 time
def stopped(seconds):
    """The process is stopped when its command has arrived, answered while it sleeps, and woken after its timeouts."""
    def hook(peer, header, _):
        os.kill(peer.target.child, signal.SIGSTOP)
        peer.send(right(peer, header))
        peer.target.wait(seconds)
        os.kill(peer.target.child, signal.SIGCONT)
        return b""
    return hook


add("suspended_beyond_the_timeout", read=stopped(3))
add("suspended_for_a_moment", read=stopped(0.7))
add("suspended_in_login", login=lambda p, h, d: suspended(p, 2))
add("answers_after_the_timeout", read=lambda p, h, d: (p.target.wait(4.5), right(p, h))[1])
add("silence_at_the_vpd", vpd=hang)
add("silence_at_the_luns", luns=hang)
add("silence_at_the_mode_sense", mode=hang)
add("silence_in_the_operational_stage", login=lambda p, h, d: hang(p, h, d) if h[1] & 0x0c else None)
add("silence_after_the_first_data_out", data_out=hang)
add("silence_in_the_middle_of_a_header", read=lambda p, h, d: (p.send(b"\x25\x80"), hang(p, h, d))[1])
add("silence_in_the_middle_of_data", read=lambda p, h, d: (p.send(right(p, h)[:1000]), hang(p, h, d))[1])
add("silence_in_the_middle_of_a_login_response", login=lambda p, h, d: (p.send(p.login_answer(h, d)[:60]), hang(p, h, d))[1])
add("half_closed_after_login", after_login=lambda p, h, d: (p.conn.shutdown(socket.SHUT_WR), hang(p, h, d))[1])
add("half_closed_in_login", login=lambda p, h, d: (p.conn.shutdown(socket.SHUT_WR), hang(p, h, d))[1])
add("half_open_at_a_write", write=lambda p, h, d: (p.conn.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048), hang(p, h, d))[1])
add("reset_at_every_connect", accept=lambda t, conn: reset(conn))
add("reset_at_the_first_connects", accept=lambda t, conn: True if t.connections > 2 else reset(conn))
add("reset_in_login", login=lambda p, h, d: closed_hard(p))
add("reset_at_a_read", read=lambda p, h, d: closed_hard(p))
add("reset_at_a_write", write=lambda p, h, d: closed_hard(p))


def suspended(peer, seconds):
    if once(peer, "stop"):
        os.kill(peer.target.child, signal.SIGSTOP)
        peer.target.wait(seconds)
        os.kill(peer.target.child, signal.SIGCONT)


def reset(conn):
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def closed_hard(peer):
    reset(peer.conn)
    raise Closed


# ---- 13 the environment
for name, variable, value in (("initiator_name_with_escapes", "ISKRA_INITIATOR_NAME", "iqn.\x1b[31m"), ("initiator_name_of_4_kib", "ISKRA_INITIATOR_NAME", "iqn." + "x" * 4096),
                              ("initiator_name_that_is_a_number", "ISKRA_INITIATOR_NAME", "12"), ("secret_of_64_kib", "HOSTILE_SECRET", "s" * 65536),
                              ("secret_of_nothing", "HOSTILE_SECRET", ""), ("debug_that_is_no_number", "LIBISCSI_DEBUG", "lots"),
                              ("user_of_64_kib", "LIBISCSI_CHAP_USERNAME", "u" * 65536), ("user_with_escapes", "LIBISCSI_CHAP_USERNAME", "\x1b]0;x\x07")):
    add("environment_" + name, env={variable: value})
