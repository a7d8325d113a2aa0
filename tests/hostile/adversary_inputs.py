"""Beyond the groups: combinations, games over several PDUs, numbers at their ends."""

import struct

from chap_inputs import Chap, CHALLENGE, edited, hexadecimal
from digest import crc32c
from inputs import ALL, add, added, before, data, edtl_of, event, itt_of, raw, redirect, then_right
from scripted import ASYNC, BLOCK, DATA_IN, LOGIN_RSP, NOP_IN, R2T, REJECT, RESPONSE, TEXT_RSP, Closed, block_of, forever, hang, sense
from wire_inputs import GOOD, once, right

# ---- login: text over many PDUs, bits in wrong company
TEXTS = b"HeaderDigest=None\0DataDigest=None\0MaxBurstLength=262144\0"
for size in (1, 2, 3, 5, 8, 13, 21, 34):
    add("login_text_in_pdus_of_%d_bytes" % size, login=lambda p, h, d, size=size: parted(p, h, d, size))
for at in (1, 4, 12, 13, 16, 17, 18, 19):
    add("login_text_parted_after_byte_%d" % at, login=lambda p, h, d, at=at: parted_once(p, h, d, at))
add("login_continue_and_then_full_feature", login=lambda p, h, d: continued(p, h, 0x87))
add("login_continue_and_then_a_stage_back", login=lambda p, h, d: continued(p, h, 0x81))
add("login_continue_with_a_refusal", login=lambda p, h, d: p.login_pdu(h, b"X=", 0x40 | h[1] & 0x0c, 0, 0x0201))
add("login_continue_and_then_a_redirect", login=lambda p, h, d: (p.send(p.login_pdu(h, b"TargetAddr", 0x40 | h[1] & 0x0c)), p.receive_pdu(),
                                                               redirect(b"ess=127.0.0.1:1,1\0")(p, h, d))[2])
add("login_answered_twice", login=lambda p, h, d: p.login_answer(h, d) * 2)
add("login_answers_all_rounds_at_once", login=lambda p, h, d: p.login_answer(h, d) + p.login_pdu(h, b"", 0x87))
add("login_answer_with_the_first_nop_in", login=lambda p, h, d: p.login_answer(h, d) + p.pdu(NOP_IN, w20=0x55) if h[1] & 3 == 3 else None)
add("login_tsih_changes", login=lambda p, h, d: p.login_pdu(h, b"", h[1] & 0x8f, 0x1111 if once(p, "tsih") else 0x2222))
add("login_tsih_from_the_first_answer_on", login=lambda p, h, d: p.login_pdu(h, b"TargetPortalGroupTag=1\0" if not h[1] & 0x0c else b"", h[1] & 0x8f, 9))
add("login_portal_group_tag_twice", keys=lambda p, a, csg: a + [b"TargetPortalGroupTag=2"])
add("login_status_0000_with_detail", login=lambda p, h, d: p.login_pdu(h, b"", h[1] & 0x8f, 7, 0x00ff))
add("login_window_of_minus_1", login=lambda p, h, d: p.login_answer(h, d, maxcmd=p.exp_cmd_sn - 2))
add("login_exp_cmd_sn_from_elsewhere", login=lambda p, h, d: p.login_answer(h, d, cmd=0x40000000, maxcmd=0x4000001f))
add("login_exp_cmd_sn_at_its_end", login=lambda p, h, d: p.login_answer(h, d, cmd=ALL, maxcmd=ALL + 31))
add("login_answer_of_200_unknown_keys_each_round", login=lambda p, h, d: p.login_pdu(h, b"".join(b"X%d=1\0" % n for n in range(200)), h[1] & 0x0c))
add("login_questions_without_end", login=lambda p, h, d: p.login_pdu(h, b"X-%d=?\0" % p.stat_sn, h[1] & 0x0c))
add("login_data_of_length_3", login=raw(op=LOGIN_RSP, flags=0x87, data=b"a=b"))
add("login_async_drop", login=lambda p, h, d: event(2)(p, h) + p.login_answer(h, d))
add("login_nop_in_between", login=lambda p, h, d: p.pdu(NOP_IN, w20=7) + p.login_answer(h, d))


def parted(peer, header, data, size):
    """The right answer in PDUs of so many bytes of text, as far as the rounds allow."""
    if header[1] & 0x0c or hasattr(peer, "told"):
        return None if header[1] & 0x0c else peer.login_pdu(header, b"", header[1] & 0x8f)
    peer.told = True
    return peer.login_in_parts(header, b"TargetPortalGroupTag=1\0", size, header[1] & 0x8f)


def parted_once(peer, header, data, at):
    if not header[1] & 0x0c or hasattr(peer, "told"):
        return peer.login_pdu(header, b"", header[1] & 0x8f) if hasattr(peer, "told") else None
    peer.told = True
    peer.send(peer.login_pdu(header, TEXTS[:at], 0x40 | header[1] & 0x0c, tsih=0))
    header, _ = peer.receive_pdu()
    return peer.login_pdu(header, TEXTS[at:], header[1] & 0x0c)


def continued(peer, header, flags):
    peer.send(peer.login_pdu(header, b"MaxBurst", 0x40 | header[1] & 0x0c))
    peer.receive_pdu()
    return peer.login_pdu(header, b"Length=512\0", flags)


# ---- CHAP in combination
for size in (1, 3, 10, 33):
    add("chap_in_pdus_of_%d_bytes_of_text" % size, login=Chap(size=size, challenge=CHALLENGE[:2]))
add("chap_redirect_with_the_challenge", login=lambda p, h, d: redirect(b"TargetAddress=127.0.0.1:%d,1\0" % p.target.port)(p, h, d)
    if b"CHAP_A" in d and once(p, "moved") else Chap()(p, h, d))
add("chap_redirect_after_the_proof_once", login=lambda p, h, d: redirect(b"TargetAddress=127.0.0.1:%d,1\0" % p.target.port)(p, h, d)
    if b"CHAP_R" in d and once(p, "moved") else Chap()(p, h, d))
add("chap_keys_with_operational_ones", login=Chap(edited("challenge", MaxBurstLength=b"512")))
add("chap_keys_in_the_operational_stage", login=Chap(), keys=lambda p, a, csg: a + [b"CHAP_N=target", b"CHAP_R=" + hexadecimal(bytes(16))])
add("chap_auth_method_again", login=Chap(edited("challenge", AuthMethod=b"CHAP")))
add("chap_auth_method_none_with_the_proof", login=Chap(edited("proof", AuthMethod=b"None")))
add("chap_name_of_8000_bytes", login=Chap(edited("proof", CHAP_N=b"n" * 7000)))
add("chap_algorithm_changes", login=Chap(edited("proof", CHAP_A=b"7")))
add("chap_and_a_wrong_isid", login=lambda p, h, d: (lambda b: b[:8] + b"zzzzzz" + b[14:])(Chap()(p, h, d)) if b"CHAP_A" in d else Chap()(p, h, d))

# ---- numbers at their ends
for start in (ALL - 30, ALL - 12, ALL - 6, ALL - 4, ALL - 3, ALL - 1, 0x7ffffffe):
    add("stat_sn_from_%08x" % start, connect=lambda p, h, d, start=start: setattr(p, "stat_sn", start) or b"")
add("stat_sn_goes_back_by_1000", read=lambda p, h, d: setattr(p, "stat_sn", p.stat_sn - 1000 & ALL))
add("stat_sn_random_in_pings", read=then_right(*[lambda p, h, n=n: p.pdu(NOP_IN, w20=n, stat=n * 0x9e3779b1) for n in range(1, 6)]))
add("data_sn_above_2_24", read=data((0x80, 1 << 24, 0, 4096)))
add("data_sn_of_2_32_less_1", read=data((0x80, ALL, 0, 4096)))
add("data_sn_twice_the_same", read=data((0, 0, 0, 2048), (0x80, 0, 2048, 2048)))
add("data_sn_skips_one", read=data((0, 0, 0, 2048), (0x80, 2, 2048, 2048)))
add("exp_data_sn_too_large", read=lambda p, h, d: p.pdu(DATA_IN, 0x80, itt=itt_of(h), data=GOOD) + p.status(itt_of(h), w36=5))
add("exp_data_sn_0_after_data", read=lambda p, h, d: p.pdu(DATA_IN, 0x80, itt=itt_of(h), data=GOOD) + p.status(itt_of(h), w36=0))
add("max_cmd_sn_to_and_fro", read=then_right(*[lambda p, h, n=n: p.pdu(NOP_IN, maxcmd=p.exp_cmd_sn + (n % 3) * 40 - 40) for n in range(300)]))
add("max_cmd_sn_closes_during_a_write", data_out=lambda p, h, d: setattr(p, "window", 0) or None)
add("max_cmd_sn_jumps_during_a_write", data_out=lambda p, h, d: setattr(p, "window", 0x7fffffff) or None)
add("exp_cmd_sn_goes_back_during_a_write", data_out=lambda p, h, d: p.send(p.pdu(NOP_IN, cmd=1, maxcmd=2)))

# ---- Data-In and residuals
add("data_in_512_times", read=data(*[(0x80 if n == 511 else 0, n, n * 8, 8) for n in range(512)]))
add("data_in_of_1_byte_each", read=data(*[(0x80 if n == 4095 else 0, n, n, 1) for n in range(4096)]))
add("data_in_of_odd_lengths", read=data((0, 0, 0, 1), (0, 1, 1, 2), (0, 2, 3, 3), (0x80, 3, 6, 4090)))
add("data_in_underflow_of_what_was_sent", read=lambda p, h, d: p.pdu(DATA_IN, 0x83, itt=itt_of(h), stat=p.stat_sn, w44=512, data=GOOD))
add("data_in_short_without_residual", read=lambda p, h, d: p.pdu(DATA_IN, 0x81, itt=itt_of(h), stat=p.stat_sn, data=GOOD[:2048]))
add("data_in_short_with_its_residual", read=lambda p, h, d: p.pdu(DATA_IN, 0x83, itt=itt_of(h), stat=p.stat_sn, w44=2048, data=GOOD[:2048]))
add("data_in_overflow_and_all_data", read=lambda p, h, d: p.pdu(DATA_IN, 0x85, itt=itt_of(h), stat=p.stat_sn, w44=512, data=GOOD))
add("data_in_residual_without_a_bit", read=lambda p, h, d: p.pdu(DATA_IN, 0x81, itt=itt_of(h), stat=p.stat_sn, w44=77, data=GOOD))
add("data_in_status_busy", read=lambda p, h, d: p.pdu(DATA_IN, 0x81, b3=8, itt=itt_of(h), stat=p.stat_sn, data=GOOD))
add("data_in_and_then_underflow_of_all", read=lambda p, h, d: p.pdu(DATA_IN, 0x80, itt=itt_of(h), data=GOOD) + p.status(itt_of(h), 0, 0x82, 4096, w36=1))
add("data_in_and_then_check_condition", read=lambda p, h, d: p.pdu(DATA_IN, 0x80, itt=itt_of(h), data=GOOD) + p.status(itt_of(h), 2, 0x80, 0, sense(3, 0x11), w36=1))
add("data_in_of_another_lun", read=lambda p, h, d: p.pdu(DATA_IN, 0x81, itt=itt_of(h), stat=p.stat_sn, lun=5 << 48, data=GOOD))
add("data_in_with_the_acknowledge_bit", read=lambda p, h, d: p.pdu(DATA_IN, 0xc1, itt=itt_of(h), w20=5, stat=p.stat_sn, data=GOOD))
add("data_in_for_the_flush", flush=lambda p, h, d: p.pdu(DATA_IN, 0x81, itt=itt_of(h), stat=p.stat_sn, data=GOOD))
add("digests_and_a_cut", digests=True, read=lambda p, h, d: (setattr(p, "hooks", dict(p.hooks, cut=p.sent + 2000)), right(p, h))[1])
add("digest_of_data_without_data", digests=True, read=lambda p, h, d: right(p, h), wire=lambda p, *pieces: list(pieces[:3]) + [pieces[3] or bytes(4) if p.data_digest else b""])
add("digests_and_padding_that_is_not_zero", digests=True, inquiry=lambda p, h, d: p.data_in(itt_of(h), edtl_of(h), bytes([0, 0, 5, 2, 31, 0, 0, 2]) + b"x" * 27),
    wire=lambda p, *pieces: redone(pieces) if len(pieces[2]) == 36 and pieces[3] else list(pieces))


def redone(pieces):
    padded = pieces[2][:-1] + b"\xff"
    return [pieces[0], pieces[1], padded, crc32c(padded)]


# ---- R2T and writes
for at in (0, 1, 47, 48, 49, 100, 511):
    add("write_cut_%d_bytes_after_its_command" % at, write=lambda p, h, d, at=at: (setattr(p, "hooks", dict(p.hooks, cut=p.sent + at)), writing(p, h), p.r2t(itt_of(h), 0, 4096) * 12)[2])
add("write_digests_and_a_cut_in_the_r2t", digests=True, write=lambda p, h, d: (setattr(p, "hooks", dict(p.hooks, cut=p.sent + 50)), p.r2t(itt_of(h), 0, 4096))[1])
add("r2t_in_pieces_of_512", write=lambda p, h, d: (writing(p, h), p.r2t(itt_of(h), 0, 512))[1],
    data_out=lambda p, h, d: piecewise(p, h, d, 512))
add("r2t_in_pieces_of_1_byte_then_status", write=lambda p, h, d: (writing(p, h), p.r2t(itt_of(h), 0, 1))[1], data_out=lambda p, h, d: p.status(itt_of(h), 2, 0x82, 4095, sense(0xb, 0x47)))
add("r2t_backwards", write=lambda p, h, d: (writing(p, h), p.r2t(itt_of(h), 3584, 512))[1])
add("r2t_and_check_condition_at_once", write=lambda p, h, d: p.r2t(itt_of(h), 0, 4096) + p.check(h, 0xb, 0x47))
add("r2t_and_good_at_once", write=lambda p, h, d: p.r2t(itt_of(h), 0, 4096) + p.status(itt_of(h)))
add("r2t_with_a_status_number_that_counts", write=lambda p, h, d: (writing(p, h), p.r2t(itt_of(h), 0, 4096, stat=p.stat_sn + 3))[1])
add("r2t_ttt_0", write=lambda p, h, d: (writing(p, h), p.r2t(itt_of(h), 0, 4096, ttt=0))[1])
add("r2t_ttt_fffffffe", write=lambda p, h, d: (writing(p, h), p.r2t(itt_of(h), 0, 4096, ttt=ALL - 1))[1])
add("r2t_with_ahs", write=lambda p, h, d: p.r2t(itt_of(h), 0, 4096, ahs=bytes(16)))
add("r2t_for_the_flush", flush=lambda p, h, d: p.r2t(itt_of(h), 0, 512))
add("r2t_for_an_inquiry", inquiry=lambda p, h, d: p.r2t(itt_of(h), 0, 36))
add("write_answered_with_underflow", write=lambda p, h, d: p.status(itt_of(h), 0, 0x82, 4096))
add("write_answered_with_good_at_once", write=lambda p, h, d: p.status(itt_of(h)))
add("write_answered_with_overflow", write=lambda p, h, d: p.status(itt_of(h), 0, 0x84, 100))
add("write_rejected_after_its_data", data_out=lambda p, h, d: p.pdu(REJECT, b2=4, data=h))
add("write_data_digest_rejected", data_out=lambda p, h, d: p.pdu(REJECT, b2=2, data=h))
add("write_busy_without_end", write=lambda p, h, d: p.status(itt_of(h), 8))
add("write_task_set_full_twice", write=lambda p, h, d: p.status(itt_of(h), 0x28, 0x82, 4096) if once(p, "a") or once(p, "b") else None)
add("write_conflict", write=lambda p, h, d: p.status(itt_of(h), 0x18))


def writing(peer, header):
    peer.writes[itt_of(header)] = [0, bytearray(edtl_of(header)), 0]


def piecewise(peer, header, payload, size):
    """The next R2T when the bytes of one are in; the last is the right target's."""
    write, offset = peer.writes[itt_of(header)], int.from_bytes(header[40:44], "big")
    if offset + len(payload) >= len(write[1]):
        return None
    write[1][offset:offset + len(payload)] = payload
    write[2] += len(payload)
    return peer.r2t(itt_of(header), write[2], size, write[2] // size, 2)


# ---- events in each phase, and what closes a session
for phase in ("inquiry", "capacity", "mode", "vpd", "read", "write", "flush", "logout"):
    for code in (1, 2, 3):
        add("async_event_%d_at_the_%s" % (code, phase), **{phase: lambda p, h, d, code=code: p.send(event(code, 1, 0, 0)(p, h))})
add("async_drop_and_close", read=lambda p, h, d: (p.send(event(2, 1, 0, 0)(p, h)), gone())[1])
add("async_logout_and_nobody_answers", read=lambda p, h, d: event(1, 1, 0, 0)(p, h), logout=hang)
add("async_with_a_task_tag", read=then_right(lambda p, h: p.pdu(ASYNC, itt=itt_of(h), w36=0)))
add("async_data_of_8000_bytes", read=then_right(event(255, data=b"\xff" * 8000)))
add("ping_with_a_task_tag_and_a_target_tag", read=then_right(lambda p, h: p.pdu(NOP_IN, itt=itt_of(h), w20=5)))
add("ping_with_no_tags_at_all", read=then_right(lambda p, h: p.pdu(NOP_IN)))
add("ping_with_tag_fffffffe", read=then_right(lambda p, h: p.pdu(NOP_IN, w20=ALL - 1)))
add("logout_then_more_data", logout=lambda p, h, d: p.pdu(0x26, itt=itt_of(h)) + GOOD)
add("text_response_at_the_end_of_nothing", read=then_right(lambda p, h: p.pdu(TEXT_RSP, itt=ALL, data=b"X=1\0")))
add("discovery_name_over_two_pdus", text=lambda p, h, d: in_two(p, h, b"TargetName=iqn.2026-01.x:split\0TargetAddress=127.0.0.1:3260,1\0", 17))
add("discovery_changes_its_tag", text=lambda p, h, d: p.pdu(TEXT_RSP, 0x00, itt=itt_of(h), w20=p.stat_sn * 7, data=b"TargetName=iqn.x:%d\0" % p.stat_sn)
    if p.stat_sn < 130 else None)
add("discovery_final_with_a_target_tag", text=lambda p, h, d: p.pdu(TEXT_RSP, 0x80, itt=itt_of(h), w20=5, data=p.targets()))
add("discovery_final_and_continue", text=lambda p, h, d: p.pdu(TEXT_RSP, 0xc0, itt=itt_of(h), data=p.targets()))
add("response_with_a_snack_tag", read=lambda p, h, d: p.pdu(DATA_IN, 0x80, itt=itt_of(h), data=GOOD) + p.pdu(RESPONSE, itt=itt_of(h), w20=77, w36=1))
add("responses_1000_for_one_command", read=lambda p, h, d: right(p, h) + p.pdu(RESPONSE, itt=itt_of(h), w20=0) * 1000)
add("read_answered_before_it_is_asked", inquiry=lambda p, h, d: p.pdu(DATA_IN, 0x81, itt=itt_of(h) + 1, data=GOOD))


def gone():
    raise Closed


def in_two(peer, header, text, at):
    if once(peer, "first"):
        return peer.pdu(TEXT_RSP, 0x40, itt=itt_of(header), w20=3, data=text[:at])
    return peer.pdu(TEXT_RSP, 0x80, itt=itt_of(header), data=text[at:])
