"""What the scripted target does wrong. Each input has a name, which a row of inputs.tsv numbers, and the hooks that do it."""

import struct

from scripted import (ALL, ASYNC, BLOCK, DATA_IN, LOGIN_RSP, LOGOUT_RSP, NAME, NOP_IN, R2T, REJECT, RESPONSE, TEXT_RSP, TMF_RSP, Closed,
                      block_of, forever, hang, put32, sense)

INPUTS = {}


def add(name, **hooks):
    assert name not in INPUTS, name
    INPUTS[name] = hooks


def itt_of(header):
    return int.from_bytes(header[16:20], "big")


def edtl_of(header):
    return int.from_bytes(header[20:24], "big")


def raw(**fields):
    """A hook that answers with one PDU, made of fields; those that are functions are called with (peer, header)."""
    def hook(peer, header, _):
        known = {k: v(peer, header) if callable(v) else v for k, v in fields.items()}
        known.setdefault("itt", itt_of(header))
        pdu = peer.pdu(**known)
        peer.stat_sn += 1
        return pdu
    return hook


# ---- 1 framing
add("one_byte_per_segment", bytes=1)
add("payload_above_what_was_declared", read=raw(op=DATA_IN, flags=0, data=bytes(300000)))
add("payload_length_of_16_mib", read=raw(op=DATA_IN, flags=0, dsl=0xffffff))
add("payload_length_of_16_mib_in_login", login=raw(op=LOGIN_RSP, dsl=0xffffff))
add("payload_of_9000_bytes_in_login", login=lambda p, h, d: p.login_answer(h, d, b"X-a=" + b"x" * 9000 + b"\0"))
add("ahs_of_1020_bytes", read=raw(op=DATA_IN, flags=0, ahs=bytes(1020)))
add("ahs_in_a_data_in", read=lambda p, h, d: put_ahs(p.data_in(itt_of(h), edtl_of(h), b"".join(map(block_of, range(8))))))
add("ahs_in_a_login_response", login=raw(op=LOGIN_RSP, ahs=bytes(252)))
add("padding_that_is_not_zero", inquiry=lambda p, h, d: p.pdu(DATA_IN, 0x83, itt=itt_of(h), w44=edtl_of(h) - 35,
                                                              data=bytes([0, 0, 5, 2, 31, 0, 0, 2]) + b"x" * 27)[:-1] + b"\xff")
add("all_ones", read=lambda p, h, d: b"\xff" * 48)
add("all_zeros", read=lambda p, h, d: bytes(48))
add("http_instead_of_a_login", login=lambda p, h, d: b"HTTP/1.0 400 Bad Request\r\nServer: x\r\n\r\n" + b" " * 4096)
add("escapes_instead_of_a_login", login=lambda p, h, d: b"\x1b]0;owned\x07\x1b[2J" * 40)
for at in (0, 1, 47, 48, 49, 100, 500, 700, 900, 1100):
    add("connection_cut_at_byte_%d" % at, cut=at)


def put_ahs(pdu):
    return pdu[:4] + b"\1" + pdu[5:48] + b"\0\1\x20\0" + pdu[48:]


# ---- 2 the wrong opcode
KINDS = [("nop_in", NOP_IN), ("scsi_response", RESPONSE), ("tmf_response", TMF_RSP), ("login_response", LOGIN_RSP), ("text_response", TEXT_RSP),
         ("data_in", DATA_IN), ("logout_response", LOGOUT_RSP), ("r2t", R2T), ("async", ASYNC), ("reject", REJECT), ("reserved_opcode", 0x2a),
         ("initiator_opcode", 0x01)]
for kind, op in KINDS:
    if op != LOGIN_RSP:
        add(kind + "_for_a_login", login=raw(op=op, data=b"A=B\0"))
    if op != TEXT_RSP:
        add(kind + "_for_a_text", text=raw(op=op, w20=1))
    if op not in (RESPONSE, DATA_IN):
        add(kind + "_for_a_read", read=raw(op=op, w20=1, w44=512))
    if op not in (RESPONSE, R2T):
        add(kind + "_for_a_write", write=raw(op=op, w20=1, data=b"abcd"))
    if op != LOGOUT_RSP:
        add(kind + "_for_a_logout", logout=raw(op=op, w20=1))
add("login_echoed", login=lambda p, h, d: h + d + bytes(-len(d) % 4))
add("command_echoed", read=lambda p, h, d: h)
add("unknown_task_tag", read=raw(op=RESPONSE, w20=0, itt=lambda p, h: itt_of(h) ^ 0x5000))
add("reserved_task_tag", read=raw(op=RESPONSE, w20=0, itt=ALL))
add("task_tag_of_a_finished_command", read=lambda p, h, d: p.status(itt_of(h)) + p.status(itt_of(h)))
def twice(peer, header):
    good = b"".join(map(block_of, range(8)))
    return peer.data_in(itt_of(header), edtl_of(header), good) + peer.data_in(itt_of(header), edtl_of(header), good)


add("answer_twice", read=lambda p, h, d: twice(p, h))


# ---- 3 login text
def replaced(key, value):
    """The answer to one key is another one; None: left out."""
    def hook(_peer, answers, _csg):
        kept = [a for a in answers if not a.startswith(key + b"=")]
        return kept if value is None or len(kept) == len(answers) else kept + [key + b"=" + value]
    return hook


def added(text, stage=1):
    return lambda p, answers, csg: answers + [text] if csg == stage else answers


def text_only(text):
    return lambda p, h, d: p.login_answer(h, d, text)


add("text_without_nul", login=text_only(b"MaxConnections=1"))
add("text_without_equals", keys=added(b"MaxConnections"))
add("text_of_nul_bytes", login=text_only(bytes(64)))
add("text_with_empty_key", keys=added(b"=x"))
add("text_with_escapes_in_a_key", keys=added(b"X-\x1b[31m\n=y"))
add("text_with_escapes_in_a_value", keys=replaced(b"HeaderDigest", b"\x1b[31m\x1b]0;x\x07\n"))
add("text_with_a_duplicate_key", keys=added(b"MaxBurstLength=512"))
add("text_with_a_value_of_8000_bytes", keys=added(b"X-long=" + b"v" * 8000))
add("text_with_a_key_of_8000_bytes", keys=added(b"k" * 8000 + b"=v"))
add("text_with_1000_keys", keys=lambda p, answers, csg: answers + [b"X%d=" % n for n in range(1000)])
add("unknown_key", keys=added(b"X-org.example.thing=1"))
add("session_type_from_the_target", keys=added(b"SessionType=Discovery"))
add("send_targets_in_login", keys=added(b"SendTargets=All"))
add("target_name_in_the_answer", keys=added(b"TargetName=iqn.x"))
add("answer_missing", keys=replaced(b"MaxBurstLength", None))
for key, values in ((b"MaxRecvDataSegmentLength", (b"0", b"511", b"16777216", b"-1", b"4294967296", b"18446744073709551616", b"512~1024", b"",
                                                   b"0x2000", b"\xff\xff")),
                    (b"MaxBurstLength", (b"0", b"16777216", b"None", b"Reject", b"NotUnderstood", b"Irrelevant")),
                    (b"FirstBurstLength", (b"16777215", b"511")), (b"MaxConnections", (b"0", b"65536")), (b"ErrorRecoveryLevel", (b"2", b"3")),
                    (b"HeaderDigest", (b"CRC32C", b"None,CRC32C", b"NotUnderstood")), (b"InitialR2T", (b"Maybe", b"")),
                    (b"DefaultTime2Wait", (b"3601", b"3600")), (b"MaxOutstandingR2T", (b"0", b"65536")), (b"AuthMethod", (b"CHAP", b"SRP", b"")),
                    (b"DataPDUInOrder", (b"No",)), (b"TargetPortalGroupTag", (b"65536", b"-1", None))):
    for value in values:
        shown = "missing" if value is None else "".join(chr(c) if chr(c).isascii() and chr(c).isalnum() else "_" for c in value) or "empty"
        add("%s_%s" % (key.decode(), shown), keys=replaced(key, value))
add("continue_bit_for_ever", login=lambda p, h, d: p.login_pdu(h, b"X-a=" + b"b" * 500, 0x40 | (h[1] & 0x0c)))
add("continue_bit_without_text", login=lambda p, h, d: p.login_pdu(h, b"", 0x40 | (h[1] & 0x0c)))
add("transit_and_continue", login=lambda p, h, d: p.login_pdu(h, b"X-a=b\0", 0xc0 | (h[1] & 0x0f)))
add("transit_never", login=lambda p, h, d: p.login_pdu(h, b"", h[1] & 0x0c))
add("transit_unasked", login=lambda p, h, d: p.login_pdu(h, b"", 0x87, 7))
add("stage_that_was_not_asked", login=lambda p, h, d: p.login_pdu(h, b"", 0x04))
add("stage_2", login=lambda p, h, d: p.login_pdu(h, b"", 0x8a))
add("stage_backwards", login=lambda p, h, d: p.login_pdu(h, b"", 0x84))
add("tsih_0_at_the_end", login=lambda p, h, d: p.login_pdu(h, b"TargetPortalGroupTag=1\0", 0x80 | (h[1] & 15), 0))
add("version_1", login=lambda p, h, d: p.login_answer(h, d, version=1))
add("task_tag_wrong_in_login", login=lambda p, h, d: put32(p.login_answer(h, d), 16, 0x77777777))
add("isid_wrong_in_login", login=lambda p, h, d: (lambda b: b[:8] + b"zzzzzz" + b[14:])(p.login_answer(h, d)))
add("stat_sn_jumps_in_login", login=lambda p, h, d: jump(p, h, d))
for status in (0x0200, 0x0201, 0x0202, 0x0203, 0x0205, 0x0206, 0x020b, 0x02ff, 0x0300, 0x0301, 0x0302, 0x0400, 0xffff, 0x0001):
    add("login_status_%04x" % status, login=lambda p, h, d, status=status: p.login_pdu(h, b"", h[1] & 0x0c, 0, status))


def jump(peer, header, data):
    peer.stat_sn += 1000
    return peer.login_answer(header, data)


# ---- 4 redirect
def redirect(address, status=0x0101):
    def hook(peer, header, _):
        text = address(peer) if callable(address) else address
        return peer.login_pdu(header, text, header[1] & 0x0c, 0, status)
    return hook


add("redirect_to_itself", login=redirect(lambda p: b"TargetAddress=127.0.0.1:%d,1\0" % p.target.port))
add("redirect_to_itself_for_good", login=redirect(lambda p: b"TargetAddress=127.0.0.1:%d,1\0" % p.target.port, 0x0102))
for name, address in (("port_0", b"127.0.0.1:0,1"), ("port_99999", b"127.0.0.1:99999,1"), ("host_of_4_kib", b"h" * 4096), ("ipv6_without_brackets", b"::1:3260,1"),
                      ("a_scheme", b"iscsi://127.0.0.1:1/"), ("nothing", b""), ("escapes", b"\x1b[2J\x07:1,1"), ("a_path", b"../../etc/passwd"),
                      ("half_a_bracket", b"[::1"), ("a_word_as_port", b"127.0.0.1:port,1")):
    add("redirect_to_" + name, login=redirect(b"TargetAddress=" + address + b"\0"))
add("redirect_without_address", login=redirect(b""))
add("redirect_status_0103", login=redirect(b"TargetAddress=127.0.0.1:1,1\0", 0x0103))


# ---- 6 names
def targets(text):
    def hook(peer, header, _):
        data = text(peer) if callable(text) else text
        return text_answer(peer, header, data)
    return hook


def text_answer(peer, header, data):
    """In as many PDUs as it takes: what is left is kept with the peer."""
    if not hasattr(peer, "rest"):
        peer.rest = data
    part, peer.rest = peer.rest[:8000], peer.rest[8000:]
    last = not peer.rest
    pdu = peer.pdu(TEXT_RSP, 0x80 if last else 0x40, itt=itt_of(header), w20=ALL if last else 9, data=part)
    peer.stat_sn += 1
    if last:
        del peer.rest
    return pdu


ADDRESS = b"TargetAddress=127.0.0.1:3260,1\0"
for name, value in (("control_characters", b"iqn.2026-01.x:\x01\x1b[31mred\x07"), ("a_newline", b"iqn.2026-01.x:a\nfake line"), ("a_slash", b"iqn.2026-01.x:a/b"),
                    ("dots", b"../../iqn"), ("224_bytes", b"iqn.2026-01.x:" + b"a" * 210), ("20000_bytes", b"iqn." + b"a" * 20000), ("latin_1", b"iqn.2026-01.x:\xe9\xff\xfe"),
                    ("nothing", b""), ("c1_controls", b"iqn.2026-01.x:\xc2\x9b31m"), ("a_bidi_override", b"iqn.2026-01.x:\xe2\x80\xaegpj")):
    add("target_name_with_" + name, text=targets(b"TargetName=" + value + b"\0" + ADDRESS))
add("targets_10000", text=targets(lambda p: b"".join(b"TargetName=iqn.2026-01.x:t%d\0" % n + ADDRESS for n in range(10000))))
add("targets_without_end", text=lambda p, h, d: p.pdu(TEXT_RSP, 0x40, itt=itt_of(h), w20=9, data=b"TargetName=iqn.2026-01.x:t\0" * 290))
add("text_continues_without_data", text=lambda p, h, d: p.pdu(TEXT_RSP, 0x40, itt=itt_of(h), w20=9))
add("addresses_1000", text=targets(lambda p: b"TargetName=" + NAME + b"\0" + b"TargetAddress=127.0.0.1:%d,1\0" * 1000 % tuple(range(3000, 4000))))
add("address_before_a_name", text=targets(ADDRESS + b"TargetName=" + NAME + b"\0"))
for name, address in (("group_65536", b"127.0.0.1:3260,65536"), ("port_0", b"127.0.0.1:0,1"), ("escapes", b"\x1b]0;x\x07:3260,1"), ("nothing", b""), ("port_65536", b"127.0.0.1:65536,1"),
                      ("half_a_bracket", b"[::1,1"), ("a_host_of_5000_bytes", b"h" * 5000)):
    add("address_with_" + name, text=targets(b"TargetName=" + NAME + b"\0TargetAddress=" + address + b"\0"))
add("discovery_text_without_nul", text=targets(b"TargetName=iqn.x"))
add("discovery_with_an_unknown_key", text=targets(b"Frob=1\0TargetName=" + NAME + b"\0" + ADDRESS))
add("discovery_is_rejected", text=lambda p, h, d: p.pdu(REJECT, b2=9, data=h))


# ---- 7 sequencing
def before(**fields):
    """A NOP-In with such fields, then the right answer."""
    def hook(peer, header, _):
        return peer.pdu(NOP_IN, **{k: v(peer) if callable(v) else v for k, v in fields.items()}) + twice(peer, header)[:2 * 48 + 4096][:48 + 4096]
    return hook


def tampered(at, change):
    """The right answer with one field changed."""
    def hook(peer, header, _):
        pdu = twice(peer, header)[:48 + 4096]
        return put32(pdu, at, change(int.from_bytes(pdu[at:at + 4], "big")))
    return hook


add("max_cmd_sn_below_the_window", read=before(maxcmd=lambda p: p.exp_cmd_sn - 5))
add("max_cmd_sn_jumps_by_2_31", read=before(maxcmd=lambda p: p.exp_cmd_sn + 0x80000000))
add("window_shrinks_to_0_for_ever", after_login=lambda p, h, d: shut(p))
add("window_0_from_login_on", login=lambda p, h, d: shut(p) or None)
add("exp_cmd_sn_beyond_what_was_sent", read=before(cmd=lambda p: p.exp_cmd_sn + 100, maxcmd=lambda p: p.exp_cmd_sn + 131))
add("stat_sn_with_a_gap", read=tampered(24, lambda v: v + 5))
add("stat_sn_again", read=tampered(24, lambda v: v - 1))
add("stat_sn_wraps", connect=lambda p, h, d: setattr(p, "stat_sn", ALL - 2) or b"")
add("data_sn_of_7", read=tampered(36, lambda v: 7))


def shut(peer):
    peer.window = 0


# ---- 8 R2T
def ready(**fields):
    def hook(peer, header, _):
        peer.writes[itt_of(header)] = [0, bytearray(edtl_of(header)), 0]
        known = dict(op=R2T, itt=itt_of(header), w20=1, w36=0, w40=0, w44=edtl_of(header))
        known.update({k: v(header) if callable(v) else v for k, v in fields.items()})
        return peer.pdu(**known)
    return hook


add("r2t_of_length_0", write=ready(w44=0))
add("r2t_above_max_burst", write=ready(w44=0x1000000))
add("r2t_beyond_the_command", write=ready(w40=edtl_of, w44=512))
add("r2t_longer_than_the_command", write=ready(w44=lambda h: edtl_of(h) + 1))
add("r2t_that_wraps", write=ready(w40=0xfffffe00, w44=0x400))
add("r2t_number_of_5", write=ready(w36=5))
add("r2t_with_reserved_tag", write=ready(w20=ALL))
add("r2t_of_another_lun", write=ready(lun=0x0005000000000000))
add("r2t_with_data", write=ready(data=b"abcd"))
add("r2t_again", write=lambda p, h, d: ready()(p, h, d) + p.r2t(itt_of(h), 0, 512, 1, 2))
add("r2t_after_status", write=lambda p, h, d: p.status(itt_of(h), 0) + p.r2t(itt_of(h), 0, 512))
add("r2t_for_a_finished_write", data_out=lambda p, h, d: kept(p, h, d) + p.r2t(itt_of(h), 0, 512, 1, 2))
add("r2t_without_end", write=lambda p, h, d: forever(p, lambda: b"".join(p.r2t(itt_of(h), 0, 512, n, n) for n in range(64))))
add("r2t_for_the_same_bytes", data_out=lambda p, h, d: p.r2t(itt_of(h), 0, edtl_total(p, h), next_number(p), 2))
add("write_never_gets_its_r2t", write=lambda p, h, d: b"")
add("write_never_gets_its_status", data_out=lambda p, h, d: b"")


def kept(peer, header, data):
    """The data is on the disk, and the write is answered: nothing is wrong so far."""
    hooks, peer.hooks = peer.hooks, {}
    answer = peer.data_out(header, data)
    peer.hooks = hooks
    return answer


def edtl_total(peer, header):
    return len(peer.writes[itt_of(header)][1])


def next_number(peer):
    peer.number = getattr(peer, "number", 0) + 1
    return peer.number


# ---- 9 Data-In
def data(*parts, end=True):
    """Data-In PDUs, each (flags, DataSN, offset, length); then GOOD status."""
    def hook(peer, header, _):
        whole = b"".join(map(block_of, range(8)))
        out = b"".join(peer.pdu(DATA_IN, flags, itt=itt_of(header), stat=peer.stat_sn if flags & 1 else 0, w36=number, w40=offset,
                                data=(whole[offset:] + bytes(length))[:length]) for flags, number, offset, length in parts)
        return out + (peer.status(itt_of(header), w36=len(parts)) if end else b"")
    return hook


add("data_in_beyond_the_command", read=data((0x80, 0, 4096, 512)))
add("data_in_longer_than_the_command", read=data((0x80, 0, 0, 8192)))
add("data_in_that_wraps", read=data((0x80, 0, 0xfffffe00, 512)))
add("data_in_out_of_order", read=data((0, 0, 2048, 2048), (0x80, 1, 0, 2048)))
add("data_in_that_overlaps", read=data((0, 0, 0, 2048), (0x80, 1, 1024, 3072)))
add("data_in_with_a_hole", read=data((0, 0, 0, 1024), (0x80, 1, 2048, 2048)))
add("data_in_again", read=data((0, 0, 0, 4096), (0x80, 1, 0, 4096)))
add("data_in_missing", read=lambda p, h, d: p.status(itt_of(h)))
add("data_in_half", read=data((0x80, 0, 0, 2048)))
add("data_in_after_status", read=lambda p, h, d: p.status(itt_of(h)) + p.pdu(DATA_IN, itt=itt_of(h), data=bytes(512)))
add("data_in_final_and_then_more", read=data((0x80, 0, 0, 2048), (0x80, 1, 2048, 2048)))
add("data_in_status_without_final", read=data((0x01, 0, 0, 4096), end=False))
add("data_in_with_status_check_condition", read=lambda p, h, d: p.pdu(DATA_IN, 0x81, b3=2, itt=itt_of(h), data=bytes(4096)))
add("data_in_of_length_0_then_right", read=data((0, 0, 0, 0), (0x80, 1, 0, 4096)))
add("data_in_of_length_0_without_end", read=lambda p, h, d: forever(p, lambda: b"".join(p.pdu(DATA_IN, 0, itt=itt_of(h), w36=n) for n in range(64))))
add("data_in_with_reserved_tag", read=raw(op=DATA_IN, itt=ALL, data=bytes(512)))
add("data_in_residual_of_2_32", read=raw(op=DATA_IN, flags=0x83, w44=ALL, data=bytes(512)))


# ---- 10 SCSI replies
def answer(**fields):
    return lambda p, h, d: p.status(itt_of(h), **fields)


add("underflow_above_the_length", read=answer(flags=0x82, residual=ALL))
add("underflow_of_everything", read=lambda p, h, d: p.status(itt_of(h), 0, 0x82, edtl_of(h)))
add("overflow_and_underflow", read=answer(flags=0x86, residual=5))
add("overflow_on_a_read", read=answer(flags=0x84, residual=ALL))
add("bidi_residual_bits", read=answer(flags=0x98))
for response in (1, 2, 0x80, 0xff):
    add("response_code_%02x" % response, read=answer(response=response))
for status in (0x04, 0x08, 0x10, 0x18, 0x22, 0x28, 0x30, 0x40, 0x77, 0xff):
    add("status_%02x" % status, read=answer(status=status))
add("check_condition_without_sense", read=answer(status=2))


def senses(data, **more):
    return raw(op=RESPONSE, b3=2, w20=0, data=data, **more)


add("sense_length_65535", read=senses(b"\xff\xff" + bytes(30)))
add("sense_length_0", read=senses(b"\0\0"))
add("sense_length_1", read=senses(b"\0\1\x70"))
add("sense_half_a_length", read=senses(b"\0"))
add("sense_of_8000_bytes", read=senses(b"\x1f\x3e" + b"\x70" * 7998))
add("sense_code_00", read=senses(b"\0\x12" + bytes(18)))
add("sense_code_7f", read=senses(b"\0\x12\x7f" + b"\xff" * 17))
add("sense_descriptors_of_length_0", read=senses(b"\0\x20\x72\x05\x24\0\0\0\0\x18" + bytes(24)))
add("sense_descriptors_beyond_the_end", read=senses(b"\0\x0c\x72\x05\x24\0\0\0\0\xff\0\xff\0\0"))
for key in range(16):
    add("sense_key_%x" % key, read=lambda p, h, d, key=key: p.check(h, key, 0x44))


def device(point, data):
    """The data of one of the commands that ask what a LUN is."""
    return {point: lambda p, h, d: p.data_in(itt_of(h), edtl_of(h), data(h) if callable(data) else data)}


add("inquiry_of_1_byte", **device("inquiry", b"\0"))
add("inquiry_of_nothing", **device("inquiry", b""))
add("inquiry_length_255", **device("inquiry", b"\0\0\5\2\xff\0\0\2" + b"x" * 28))
add("inquiry_with_escapes", **device("inquiry", b"\0\0\5\2\x1f\0\0\2\x1b[2J\x07\n\r\x00\x1b]0;owned\x07\xc2\x9b31m  \x7f\x7f\x7f"))
add("inquiry_of_an_absent_lun", **device("inquiry", b"\x7f\0\5\2\x1f\0\0\2" + b" " * 28))
add("inquiry_of_a_tape", **device("inquiry", b"\x01\x80\5\2\x1f\0\0\2" + b"TAPE    " + b" " * 20))
add("vpd_length_65535", **device("vpd", lambda h: bytes([0, h[34]]) + b"\xff\xff" + b"\xff" * 250))
add("vpd_of_2_bytes", **device("vpd", lambda h: bytes([0, h[34]])))
add("vpd_of_another_page", **device("vpd", lambda h: b"\0\x99\0\x04abcd"))
add("vpd_descriptors_beyond_the_end", **device("vpd", lambda h: bytes([0, h[34]]) + b"\0\x08\1\3\0\xff\1\3\0\0" if h[34] != 0 else b"\0\0\0\3\0\x80\x83"))
add("vpd_serial_with_escapes", **device("vpd", lambda h: bytes([0, h[34]]) + (b"\0\3\0\x80\x83" if h[34] == 0 else b"\0\x10\x1b[31mred\x07\n\r\x9b\xc2\x9bxyz")))
add("vpd_limits_of_2_32", **device("vpd", lambda h: bytes([0, h[34]]) + (b"\0\3\0\x83\xb0" if h[34] == 0 else b"\0\x3c" + b"\xff" * 60)))
add("vpd_max_transfer_of_1_block", **device("vpd", lambda h: bytes([0, h[34]]) + (b"\0\2\0\xb0" if h[34] == 0 else b"\0\x3c" + struct.pack(">IIII", 0, 1, 0, 0)[:15] + bytes(45))))
for size in (0, 1, 511, 513, 0x80000000, ALL, 65536, 131072):
    add("block_size_%d" % size, **device("capacity", lambda h, size=size: struct.pack(">II", 8191, size) if h[32] == 0x25 else struct.pack(">QI", 8191, size) + bytes(20)))
add("capacity_of_2_64", **device("capacity", lambda h: b"\xff" * 4 + struct.pack(">I", 512) if h[32] == 0x25 else b"\xff" * 8 + struct.pack(">I", 512) + bytes(20)))
add("capacity_of_1_block", **device("capacity", lambda h: struct.pack(">II", 0, 512) if h[32] == 0x25 else struct.pack(">QI", 0, 512) + bytes(20)))
add("capacity_of_3_bytes", **device("capacity", b"\0\0\1"))
add("capacity_of_nothing", **device("capacity", b""))
add("capacity_is_refused", capacity=lambda p, h, d: p.check(h, 5, 0x20))
add("physical_blocks_of_2_15", **device("capacity", lambda h: struct.pack(">II", 8191, 512) if h[32] == 0x25 else struct.pack(">QI", 8191, 512) + b"\x0f\x0f\xff\xff" + bytes(16)))
add("mode_sense_length_255", **device("mode", b"\xff\0\0\xff" + b"\xff" * 200))
add("mode_sense_of_nothing", **device("mode", b""))
add("luns_of_4_gib", **device("luns", b"\xff\xff\xff\xff" + bytes(12)))
add("luns_of_length_7", **device("luns", struct.pack(">II", 7, 0) + bytes(8)))
add("luns_of_nothing", **device("luns", b""))
add("luns_none", **device("luns", bytes(8)))
add("luns_of_unknown_addressing", **device("luns", struct.pack(">II", 16, 0) + b"\xff" * 16))
add("luns_twice_the_same", **device("luns", struct.pack(">II", 16, 0) + bytes(16)))
add("unit_attention_without_end", read=lambda p, h, d: p.check(h, 6, 0x29))
add("unit_attention_on_everything", inquiry=lambda p, h, d: p.check(h, 6, 0x29), ready=lambda p, h, d: p.check(h, 6, 0x29))
add("not_ready_without_end", ready=lambda p, h, d: p.status(itt_of(h), 2, 0x80, 0, sense(2, 4, 1)))
add("write_protected_at_the_write", write=lambda p, h, d: p.check(h, 7, 0x27))
add("flush_fails", flush=lambda p, h, d: p.status(itt_of(h), 2, 0x80, 0, sense(4, 0x44)))


# ---- 11 control
def then_right(*pdus):
    """Such PDUs before the right answer."""
    def hook(peer, header, _):
        out = b""
        for make in pdus:
            out += make(peer, header)
        return out + twice(peer, header)[:48 + 4096]
    return hook


def event(code, p1=0, p2=0, p3=0, **more):
    def make(peer, _header):
        pdu = peer.pdu(ASYNC, w36=code << 24 | p1, w40=p2 << 16 | p3, **more)
        peer.stat_sn += 1
        return pdu
    return make


add("pings_without_end", read=lambda p, h, d: forever(p, lambda: p.pdu(NOP_IN, w20=0x1234) * 200))
add("pings_2000", read=then_right(*[lambda p, h: p.pdu(NOP_IN, w20=0x1234)] * 2000))
add("ping_of_8000_bytes", read=then_right(lambda p, h: p.pdu(NOP_IN, w20=0x1234, data=bytes(8000))))
add("ping_answer_nobody_asked_for", read=then_right(lambda p, h: p.pdu(NOP_IN, itt=0x4242)))
for code in (0, 1, 2, 3, 4, 5, 100, 255):
    add("async_event_%d" % code, read=then_right(event(code, 1, 0, 0)))
add("async_logout_with_absurd_times", read=then_right(event(1, 0xffff, 0xffff, 0xffff)))
add("async_drop_with_absurd_times", read=then_right(event(2, 0xffff, 0xffff, 0xffff)))
add("async_sense_beyond_the_end", read=then_right(event(0, data=b"\xff\xff\x70")))
add("async_sense_with_escapes", read=then_right(event(0, data=b"\0\x12" + b"\x1b[2J" * 5)))
add("async_without_end", read=lambda p, h, d: forever(p, lambda: b"".join(event(255)(p, h) for _ in range(64))))
for reason in (1, 2, 4, 5, 6, 9, 0x0c, 0xff):
    add("reject_reason_%02x" % reason, read=lambda p, h, d, reason=reason: p.pdu(REJECT, b2=reason, data=h))
add("reject_of_half_a_header", read=lambda p, h, d: p.pdu(REJECT, b2=9, data=h[:20]))
add("reject_of_a_forged_header", read=lambda p, h, d: p.pdu(REJECT, b2=9, data=b"\xff" * 48))
add("reject_of_nothing", read=lambda p, h, d: p.pdu(REJECT, b2=9))
add("logout_response_nobody_asked_for", read=raw(op=LOGOUT_RSP, itt=0x777))
add("logout_response_code_3", logout=raw(op=LOGOUT_RSP, b2=3))
add("logout_is_never_answered", logout=lambda p, h, d: b"")
add("logout_answered_by_closing", logout=lambda p, h, d: closed())
for response in (0, 1, 5, 255):
    add("abort_answered_with_%d" % response, read=lambda p, h, d: b"", tmf=raw(op=TMF_RSP, b2=response))
add("abort_never_answered", read=lambda p, h, d: b"", tmf=lambda p, h, d: b"")
add("abort_answered_with_another_tag", read=lambda p, h, d: b"", tmf=raw(op=TMF_RSP, itt=0x777))
add("answer_after_the_abort", read=lambda p, h, d: b"", tmf=lambda p, h, d: p.pdu(TMF_RSP, itt=itt_of(h)) + p.status(p.last_itt))


def closed():
    raise Closed


# ---- 12 time
add("nobody_accepts", deaf=True)
add("silence_after_connecting", connect=hang)
add("silence_in_login", login=hang)
add("silence_after_login", after_login=hang)
add("silence_in_discovery", text=hang)
add("silence_at_the_inquiry", inquiry=hang)
add("silence_at_the_capacity", capacity=hang)
add("silence_at_a_read", read=hang)
add("silence_at_a_write", write=hang)
add("silence_at_the_flush", flush=hang)
add("silence_at_the_logout", logout=hang)


def slowly(peer, _header, _data):
    """A header, one byte every 0.2 s, without end."""
    while not peer.target.over.is_set():
        peer.conn.sendall(b"\x23")
        peer.target.wait(0.2)
    raise Closed


def late(peer, header, _):
    peer.target.wait(3.5)
    return twice(peer, header)


add("login_byte_by_byte", login=slowly)
add("read_byte_by_byte", read=slowly)
add("late_answer", read=late)
add("closes_at_once", connect=lambda p, h, d: closed())
add("closes_at_every_login", login=lambda p, h, d: closed())
add("closes_at_every_read", read=lambda p, h, d: closed())
add("closes_at_every_write", write=lambda p, h, d: closed())
add("right", connect=lambda p, h, d: b"")
