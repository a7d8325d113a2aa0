"""Group 5: what a target can do wrong in CHAP. A right target of RFC 7143 12.1.3, MD5 and SHA-256, and changes of it."""

import base64
import hashlib

from inputs import add, itt_of
from scripted import DATA_IN, Closed

INITIATOR_SECRET, TARGET_SECRET = "what the initiator knows", "and what the target does"
DIGESTS = {b"5": hashlib.md5, b"7": hashlib.sha256}
CHALLENGE = bytes(range(0x40, 0x50))


def hexadecimal(value):
    return b"0x" + value.hex().encode()


def response(algorithm, number, secret, challenge):
    return DIGESTS[algorithm](bytes([number]) + secret.encode() + challenge).digest()


def decoded(value):
    return bytes.fromhex(value[2:].decode())


class Chap:
    """One login. Each step has its keys, which `change` may edit: change(step, keys, asked) with step one of method, challenge, proof."""

    def __init__(self, change=None, secret=TARGET_SECRET, challenge=CHALLENGE, encode=hexadecimal, size=8192, flags=None, number=b"17",
                 initiator=INITIATOR_SECRET):
        self.change, self.secret, self.challenge = change, secret, challenge
        self.encode, self.size, self.flags = encode, size, flags or {}
        self.number, self.initiator = number, initiator

    def __call__(self, peer, header, data):
        asked = dict(pair.split(b"=", 1) for pair in data.split(b"\0") if pair)
        if header[1] >> 2 & 3 != 0:
            return None  # the operational stage is no business of CHAP's
        if b"CHAP_R" in asked:
            step, keys = "proof", self.proof(peer, asked)
        elif b"CHAP_A" in asked:
            step, keys = "challenge", self.challenged(peer, asked)
        else:
            step, keys = "method", {b"AuthMethod": b"CHAP", b"TargetPortalGroupTag": b"1"}
        peer.discovery = peer.discovery or asked.get(b"SessionType") == b"Discovery"
        if self.change:
            keys = self.change(step, keys, asked)
        text = keys if isinstance(keys, bytes) else b"".join(k + b"=" + v + b"\0" for k, v in keys.items())
        flags = self.flags.get(step, 0x81 if step == "proof" else 0)
        return peer.login_in_parts(header, text, self.size, flags)

    def challenged(self, peer, asked):
        peer.algorithm = next(a for a in asked[b"CHAP_A"].split(b",") if a in DIGESTS)
        return {b"CHAP_A": peer.algorithm, b"CHAP_I": self.number, b"CHAP_C": self.encode(self.challenge)}

    def proof(self, peer, asked):
        right = response(peer.algorithm, int(self.number, 0), self.initiator, self.challenge)
        if asked[b"CHAP_N"] != b"initiator" or decoded(asked[b"CHAP_R"]) != right:
            raise ValueError("the initiator's response is wrong")
        if b"CHAP_C" not in asked:
            return {}
        answer = response(peer.algorithm, int(asked[b"CHAP_I"]), self.secret, decoded(asked[b"CHAP_C"]))
        return {b"CHAP_N": b"target", b"CHAP_R": hexadecimal(answer)}


def edited(step, **changes):
    """Keys of one step replaced, or left out with None."""
    def change(now, keys, asked):
        if now != step:
            return keys
        new = {k.encode(): v(keys, asked) if callable(v) else v for k, v in changes.items()}
        return {k: v for k, v in {**keys, **new}.items() if v is not None}
    return change


def chap(name, *args, **more):
    add("chap_" + name, login=Chap(*args, **more))


def base64_of(value):
    return b"0b" + base64.b64encode(value)


# ---- values of the challenge
chap("right")
chap("mutual_right")
for length in (1, 2, 255, 256, 1023, 1024):
    chap("challenge_of_%d_bytes" % length, challenge=bytes(n & 255 for n in range(length)))
    chap("challenge_of_%d_bytes_in_base64" % length, challenge=bytes(n & 255 for n in range(length)), encode=base64_of)
chap("challenge_with_upper_case_0X", encode=lambda c: b"0X" + c.hex().upper().encode())
chap("challenge_with_upper_case_0B", encode=lambda c: b"0B" + base64.b64encode(c))
for name, value in (("odd_hex", b"0x123"), ("one_hex_digit", b"0x1"), ("no_hex_digit", b"0x"), ("bad_hex", b"0x12zz"), ("hex_with_blanks", b"0x12 34"),
                    ("hex_with_a_sign", b"0x-1+1"), ("nothing", b""), ("no_base64_digit", b"0b"), ("bad_base64", b"0b!!!!"),
                    ("base64_cut_short", b"0bQUJ"), ("base64_of_pads", b"0b===="), ("base64_with_pads_inside", b"0bQQ==QUJD"),
                    ("base64_of_bytes_above_127", b"0b\xff\xfe\xfd\xfc"), ("decimal", b"123456"),
                    ("bare_hex", b"deadbeef"), ("escapes", b"\x1b]0;x\x07"), ("octal", b"0o17"), ("a_zero", b"0"), ("reject", b"Reject"),
                    ("1025_bytes", hexadecimal(bytes(1025))), ("1025_bytes_in_base64", base64_of(bytes(1025))), ("4000_bytes", hexadecimal(bytes(3900)))):
    chap("challenge_with_" + name, edited("challenge", CHAP_C=value))
chap("challenge_with_base64_with_bits_left_over", challenge=b"A", encode=lambda c: b"0bQR==")
chap("challenge_of_1_mib", challenge=bytes(1 << 20))
chap("challenge_of_1_mib_in_base64", challenge=bytes(1 << 20), encode=base64_of)
chap("challenge_in_pdus_of_1_byte", size=1)
chap("challenge_in_pdus_of_7_bytes", size=7)

# ---- identifier, algorithm
for name, value in (("0", b"0"), ("255", b"255"), ("hex_1", b"0x1"), ("hex_11", b"0x11")):
    chap("i_of_" + name, number=value)
for name, value in (("256", b"256"), ("minus_1", b"-1"), ("2_32", b"4294967296"), ("2_64", b"18446744073709551616"), ("nothing", b""), ("a_word", b"one"),
                    ("hex_100", b"0x100"), ("two_bytes", b"1,2"), ("a_point", b"1.0"), ("escapes", b"\x1b[2J")):
    chap("i_of_" + name, edited("challenge", CHAP_I=value))
for name, value in (("that_was_not_offered", b"9"), ("of_0", b"0"), ("of_256", b"261"), ("as_a_list", b"5,7"), ("of_nothing", b""), ("as_a_word", b"MD5"),
                    ("of_escapes", b"\x1b[31m"), ("reject", b"Reject"), ("not_understood", b"NotUnderstood"), ("of_2_64", b"18446744073709551621")):
    chap("algorithm_" + name, edited("challenge", CHAP_A=value))

# ---- keys missing, too many, too early
for step, key in (("challenge", "CHAP_A"), ("challenge", "CHAP_I"), ("challenge", "CHAP_C")):
    chap("without_" + key[-1].lower(), edited(step, **{key: None}))
chap("challenge_twice", lambda step, keys, asked: keys if step != "challenge" else
     b"CHAP_A=5\0CHAP_I=17\0CHAP_C=0x4142\0CHAP_C=0x4343\0")
chap("challenge_before_the_algorithm", edited("method", CHAP_A=b"5", CHAP_I=b"1", CHAP_C=b"0x4142"))
chap("answer_before_being_asked", edited("challenge", CHAP_N=b"target", CHAP_R=hexadecimal(bytes(16))))
chap("answer_nobody_asked_for", edited("proof", CHAP_N=b"target", CHAP_R=hexadecimal(bytes(16))))
chap("unknown_key", edited("challenge", CHAP_X=b"1"))
chap("empty_texts", lambda step, keys, asked: b"")
chap("same_answer_for_ever", lambda step, keys, asked: {b"AuthMethod": b"CHAP"}, flags={"proof": 0})
chap("proof_without_end", lambda step, keys, asked: {b"CHAP_A": b"5", b"CHAP_I": b"1", b"CHAP_C": b"0x4142"} if step == "proof" else keys, flags={"proof": 0})

# ---- the security stage left early, or around
chap("method_none", edited("method", AuthMethod=b"None"))
chap("method_none_and_transit", edited("method", AuthMethod=b"None"), flags={"method": 0x81})
chap("method_none_and_full_feature", edited("method", AuthMethod=b"None"), flags={"method": 0x83})
chap("method_reject", edited("method", AuthMethod=b"Reject"))
chap("method_krb5", edited("method", AuthMethod=b"KRB5"))
chap("method_list", edited("method", AuthMethod=b"CHAP,None"))
chap("method_missing", edited("method", AuthMethod=None))
chap("transit_with_the_method", flags={"method": 0x81})
chap("transit_with_the_challenge", flags={"challenge": 0x81})
chap("full_feature_with_the_challenge", flags={"challenge": 0x83})
chap("full_feature_with_the_proof", flags={"proof": 0x83})
chap("operational_stage_at_once", flags={"method": 0x04})
chap("continue_bit_with_the_proof", flags={"proof": 0xc1})
chap("never_leaves_the_stage", flags={"proof": 0})
add("chap_full_feature_at_once", login=lambda p, h, d: p.login_pdu(h, b"TargetPortalGroupTag=1\0", 0x87))
add("chap_data_in_with_the_proof", login=lambda p, h, d: p.pdu(DATA_IN, itt=itt_of(h), data=bytes(512)) if b"CHAP_R" in d else Chap()(p, h, d))
add("chap_closes_at_the_proof", login=lambda p, h, d: closed() if b"CHAP_R" in d else Chap()(p, h, d))
for status in (0x0200, 0x0201, 0x0202, 0x0301):
    add("chap_status_%04x_at_the_proof" % status, login=lambda p, h, d, status=status: p.login_pdu(h, b"", 0, 0, status) if b"CHAP_R" in d else Chap()(p, h, d))
add("chap_status_0201_at_the_list", login=lambda p, h, d: p.login_pdu(h, b"", 0, 0, 0x0201) if b"CHAP_A" in d else Chap()(p, h, d))
add("chap_redirect_after_the_proof", login=lambda p, h, d: p.login_pdu(h, b"TargetAddress=127.0.0.1:%d,1\0" % p.target.port, 0, 0, 0x0101)
    if b"CHAP_R" in d else Chap()(p, h, d))
add("chap_redirect_to_a_target_without_chap", two_portals=True, login=lambda p, h, d: elsewhere(p, h, d))

# ---- secrets that a URL would take apart
ODD = "100%@home:a%40b/?&="
for name in ("in_the_environment", "in_the_url"):
    add("secret_with_percent_at_and_colon_" + name, login=Chap(initiator=ODD), env={"HOSTILE_SECRET": ODD})
add("secret_with_percent_behind_a_percent", login=Chap(initiator="pa%25ss"))

# ---- mutual
chap("mutual_skipped", edited("proof", CHAP_N=None, CHAP_R=None))
chap("mutual_name_missing", edited("proof", CHAP_N=None))
chap("mutual_response_missing", edited("proof", CHAP_R=None))
chap("mutual_wrong_secret", secret="something else altogether")
chap("mutual_wrong_name", edited("proof", CHAP_N=b"\x1b[31mnobody"))
chap("mutual_response_of_15_bytes", edited("proof", CHAP_R=lambda keys, asked: keys[b"CHAP_R"][:-2]))
chap("mutual_response_of_17_bytes", edited("proof", CHAP_R=lambda keys, asked: keys[b"CHAP_R"] + b"00"))
chap("mutual_response_of_nothing", edited("proof", CHAP_R=b""))
chap("mutual_response_of_1_byte", edited("proof", CHAP_R=b"0x00"))
chap("mutual_response_of_3000_bytes", edited("proof", CHAP_R=hexadecimal(bytes(3000))))
chap("mutual_response_of_odd_hex", edited("proof", CHAP_R=lambda keys, asked: keys[b"CHAP_R"][:-1]))
chap("mutual_response_is_ours", edited("proof", CHAP_R=lambda keys, asked: asked[b"CHAP_R"]))
chap("mutual_response_is_our_challenge", edited("proof", CHAP_R=lambda keys, asked: asked[b"CHAP_C"]))
chap("mutual_response_in_upper_case", edited("proof", CHAP_R=lambda keys, asked: b"0X" + keys[b"CHAP_R"][2:].upper()))
chap("mutual_response_in_base64", edited("proof", CHAP_R=lambda keys, asked: base64_of(decoded(keys[b"CHAP_R"]))))
chap("mutual_challenges_again", edited("proof", CHAP_A=b"5", CHAP_I=b"1", CHAP_C=b"0x4142"))


class Reflect(Chap):
    """Ends the first login when it knows the initiator's challenge, and sends that back as its own in the next."""

    def __call__(self, peer, header, data):
        asked = dict(pair.split(b"=", 1) for pair in data.split(b"\0") if pair)
        if b"CHAP_C" in asked and not hasattr(peer.target, "seen"):
            peer.target.seen = decoded(asked[b"CHAP_C"])
            return peer.login_pdu(header, b"TargetAddress=127.0.0.1:%d,1\0" % peer.target.second.getsockname()[1], 0, 0, 0x0101)
        self.challenge = getattr(peer.target, "seen", CHALLENGE)
        return super().__call__(peer, header, data)


add("chap_mutual_challenge_reflected", two_portals=True, login=Reflect())


def closed():
    raise Closed


def elsewhere(peer, header, data):
    """The first portal sends to the second, which wants nobody's name."""
    if peer.port == peer.target.port:
        return peer.login_pdu(header, b"TargetAddress=127.0.0.1:%d,1\0" % peer.target.second.getsockname()[1], header[1] & 0x0c, 0, 0x0101)
    return None
