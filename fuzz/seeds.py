#!/usr/bin/env python3
"""Writes the corpus entries that are sessions as they should be, and as they nearly are: chance does not find those.

    fuzz/seeds.py [DIRECTORY]     default: fuzz/corpus, beside this script

An entry is a program for its fuzzer (its source says how it is read); the random numbers there are all 5ah, so that
right answers to a challenge can be here. The entries with a number for a name are other ones, found by hand or by fuzzing.
"""
import base64
import hashlib
import os
import struct
import sys

INITIATOR, TARGET = 'iqn.2026-11.org.example:i', 'iqn.2026-11.org.example:t'
USER, SECRET, OWN_NAME, OWN_SECRET = 'user', b'a secret of enough bytes', 'target', b"the other secret's bytes"
ALGORITHMS = {5: hashlib.md5, 6: hashlib.sha1, 7: hashlib.sha256, 8: hashlib.sha3_256}
ID = 0x5a


def pairs(*items):
    return b''.join(item.encode() + b'\0' for item in items)


def digest(algorithm, ident, secret, challenge):
    return ALGORITHMS[algorithm](bytes([ident]) + secret + challenge).digest()


def hexadecimal(data):
    return '0x' + data.hex()


def base64_text(data):
    return '0b' + base64.b64encode(data).decode()


# Instructions of fuzz_target.c ------------------------------------------------------------------------------------------------

READ, WRITE, FINAL = 0x40, 0x20, 0x80
LAST = 0  # the answers are taken at once
MORE, BAD_DATA, BAD_HEADER = 0x80, 0x20, 0x40


def payload(data):
    if isinstance(data, int):  # so many zeros, in 64ths
        return bytes([0x80, data])
    assert len(data) < 128
    return bytes([len(data)]) + data


def raw(data, more=0):
    """`more`: so many times four more of it."""
    return bytes([0, more, len(data)]) + data


def chunk(sixteenths):
    return bytes([1, sixteenths])


def tick(amount):
    return bytes([2, amount])


def turn(index, close=False, other=False):
    return bytes([3 | index << 4 | close << 5 | other << 6])


def data_out(how=0, length=None, code=LAST):
    return bytes([4 | code, how | (length is not None)]) + (b'' if length is None else bytes([length]))


def text(flags, data, follow=False, how=0, code=LAST):
    return bytes([5 | code, how | follow, flags]) + payload(data)


def command(cdb, flags, edtl, data=b'', lun=0, how=0, ahs=b'', code=LAST):
    shape = lun | how | (8 if ahs else 0)
    if edtl > 65535:
        shape, edtl = shape | 4, edtl >> 16
    head = bytes([6 | code, shape, flags | 1]) + struct.pack('>H', edtl)
    head += b'\0' if how & 0x20 else b''
    return head + bytes([len(cdb)]) + cdb + (bytes([len(ahs) // 4]) + ahs if ahs else b'') + payload(data)


def pdu(opcode, flags, rest=b'', data=b'', how=0, code=LAST):
    return bytes([7 | code, how, opcode, flags, len(rest)]) + rest + payload(data)


def cdb10(opcode, lba, blocks, flags=0):
    return struct.pack('>BBIBHB', opcode, flags, lba, 0, blocks, 0)


def cdb12(opcode, lba, blocks, flags=0):
    return struct.pack('>BBIIBB', opcode, flags, lba, blocks, 0, 0)


def cdb16(opcode, lba, blocks, flags=0):
    return struct.pack('>BBQIBB', opcode, flags, lba, blocks, 0, 0)


def read(lba, blocks, **more):
    return command(cdb10(0x28, lba, blocks), FINAL | READ, 512 * blocks, **more)


def write(lba, blocks, data=b'', flags=FINAL | WRITE, **more):
    return command(cdb10(0x2a, lba, blocks), flags, 512 * blocks, data, **more)


def none(cdb, **more):
    return command(cdb, FINAL, 0, **more)


def variable(action, lba, blocks, extra=0):
    """READ(32) or WRITE(32): 16 bytes in the header, 16 behind it (RFC 7143 11.2.2.3)."""
    cdb = struct.pack('>BB5xBHBBQIHHI', 0x7f, 0, 24, action, 0, 0, lba, 0, 0, 0, blocks)
    return cdb[:16], struct.pack('>HBB', 17 + extra, 1, 0) + cdb[16:32] + bytes(extra)


OPEN, DISCOVERY, DIGESTS, SEPARATE, R2T, NO_IMMEDIATE, SMALL, ONE_R2T, LIMIT = 0, 1, 2, 4, 8, 16, 32, 64, 128
NOP, IMMEDIATE_NOP, TMF, LOGOUT = 0, 0x40, 2, 6
PING = pdu(IMMEDIATE_NOP, 0x80, data=b'ping')
TUR = bytes(6)


def session(bits, *instructions):
    return bytes([bits]) + b''.join(instructions)


def target_reads():
    yield 'read', session(OPEN, read(0, 1), read(127, 1), read(0, 128), PING)
    yield 'read-in-one-byte', session(OPEN, chunk(0), read(0, 2), PING)
    yield 'read-separate-status', session(SEPARATE, read(0, 16), command(cdb10(0x28, 0, 2), 0xc0, 512))
    yield 'read-small-bursts', session(SMALL, read(0, 16))
    yield 'read-digests', session(DIGESTS, read(0, 16), PING, read(1, 1, lun=2, code=MORE), read(1, 1))
    yield 'read-null', session(OPEN, read(0, 128, lun=2), read(3, 9, lun=2))
    yield 'read-read-only', session(OPEN, command(cdb10(0x28, 0, 2), 0xc0, 8192, lun=1))
    yield 'read-all-sizes', session(OPEN, command(b'\x08\0\0\1\2\0', 0xc0, 1024), command(cdb12(0xa8, 1, 1), 0xc0, 512),
                                    command(cdb16(0x88, 1, 1), 0xc0, 512))
    yield 'read-out-of-range', session(OPEN, read(128, 1), read(127, 2), command(cdb10(0x28, 0, 1, 0x20), 0xc0, 512))
    yield 'read-limit', session(LIMIT, read(0, 65), write(0, 65))
    yield 'read-no-lun', session(OPEN, read(0, 1, lun=3), command(b'\x03\0\0\0\x12\0', 0xc0, 18, lun=3),
                                 command(b'\x12\0\0\0\x24\0', 0xc0, 36, lun=3))
    cdb, ahs = variable(9, 1, 1)
    yield 'read-32', session(OPEN, command(cdb, 0xc0, 512, ahs=ahs))
    cdb, ahs = variable(9, 1, 1, 200)
    yield 'cdb-too-long', session(OPEN, command(cdb, 0xc0, 512, ahs=ahs + bytes(-len(ahs) % 4)))
    yield 'cdb-twice', session(OPEN, command(cdb, 0xc0, 512, ahs=2 * variable(9, 1, 1)[1]))
    yield 'cdb-no-length', session(OPEN, command(cdb, 0xc0, 512, ahs=bytes(4)))
    yield 'cdb-other-header', session(OPEN, command(cdb, 0xc0, 512, ahs=b'\0\5\2\0' + bytes(4)))
    many = [read(0, 8, code=MORE) for _ in range(6)]
    yield 'read-beyond-window', session(OPEN, *many, PING)
    immediate = [read(0, 8, how=0x40, code=MORE) for _ in range(20)]
    yield 'read-immediate-too-many', session(OPEN, *immediate, PING)


def target_writes():
    w = write(0, 16)
    yield 'write-immediate', session(OPEN, write(0, 1, 8), read(0, 1), write(0, 1, b'x' * 100))
    yield 'write-solicited', session(R2T, w, data_out())
    yield 'write-many-r2ts', session(R2T | SMALL, w, *[data_out() for _ in range(16)], read(0, 16))
    yield 'write-r2ts-in-turn', session(R2T | SMALL | ONE_R2T, w, *[data_out() for _ in range(16)])
    yield 'write-in-pieces', session(R2T, w, data_out(0, 255), data_out(0, 200), data_out())
    yield 'write-unsolicited', session(OPEN, write(0, 8, flags=WRITE), data_out())
    yield 'write-unsolicited-and-more', session(SMALL, write(0, 8, flags=WRITE), data_out(0, 32), data_out(), data_out(), data_out())
    yield 'write-immediate-unsolicited', session(OPEN, write(0, 8, 8, flags=WRITE), data_out(0, 100), data_out())
    yield 'write-unsolicited-forbidden', session(R2T, write(0, 8, flags=WRITE), data_out(), PING)
    yield 'write-immediate-forbidden', session(NO_IMMEDIATE, write(0, 8, 8), write(0, 8, 8, flags=WRITE), data_out(), data_out())
    yield 'write-immediate-too-long', session(SMALL, write(0, 8, 16), write(0, 1, 64, flags=WRITE), data_out())
    yield 'write-digests', session(DIGESTS, write(0, 1, 8), w, data_out(), PING)
    yield 'write-bad-data-digest', session(DIGESTS, pdu(NOP, 0x80, code=BAD_DATA), write(0, 1, 8), w,
                                           pdu(NOP, 0x80, code=BAD_DATA), data_out(), PING)
    yield 'text-bad-data-digest', session(DIGESTS, pdu(NOP, 0x80, code=BAD_DATA), text(0x80, b'SendTargets=\0'), PING)
    yield 'bad-header-digest', session(DIGESTS, pdu(NOP, 0x80, code=BAD_HEADER), PING)
    for bit in (2, 4, 8, 16, 32):
        yield 'write-wrong-%d' % bit, session(R2T, w, data_out(bit), data_out(), PING)
        yield 'write-wrong-unsolicited-%d' % bit, session(OPEN, write(0, 8, flags=WRITE), data_out(bit), data_out(), PING)
    yield 'write-read-only', session(OPEN, command(cdb10(0x2a, 0, 1), 0xa0, 4096, 64, lun=1), write(128, 1, 8))
    yield 'write-other-lengths', session(OPEN, command(cdb10(0x2a, 0, 2), 0xa0, 512, 8), command(cdb10(0x2a, 0, 1), 0xa0, 1024, 16),
                                         command(cdb10(0x2a, 0, 1), 0x80, 0), command(cdb10(0x2a, 0, 1), 0xc0, 512))
    yield 'write-all-sizes', session(OPEN, command(b'\x0a\0\0\1\1\0', 0xa0, 512, 8), command(cdb12(0xaa, 1, 1, 8), 0xa0, 512, 8),
                                     command(cdb16(0x8a, 1, 1, 8), 0xa0, 512, 8))
    cdb, ahs = variable(11, 1, 1)
    yield 'write-32', session(OPEN, command(cdb, 0xa0, 512, 8, ahs=ahs))
    yield 'write-verify', session(OPEN, *[command(c, 0xa0, 512, 8) for c in (cdb10(0x2e, 0, 1), cdb12(0xae, 0, 1), cdb16(0x8e, 0, 1))])
    yield 'verify', session(OPEN, *[command(c, 0xa0, 512, 8) for c in (cdb10(0x2f, 0, 1, 2), cdb12(0xaf, 0, 1, 2), cdb16(0x8f, 0, 1, 2))],
                            none(cdb10(0x2f, 0, 9)), command(cdb10(0x2f, 0, 1, 6), 0xa0, 512, 8))
    yield 'verify-miscompare', session(R2T, command(cdb10(0x2f, 0, 1, 2), 0xa0, 512), data_out())
    yield 'write-same', session(OPEN, command(cdb10(0x41, 0, 16), 0xa0, 512, 8), command(cdb16(0x93, 0, 16, 8), 0xa0, 512, 8),
                                none(cdb16(0x93, 0, 16, 1)), none(cdb10(0x41, 0, 0)), command(cdb10(0x41, 0, 1, 0x10), 0xa0, 512, 8),
                                none(cdb16(0x93, 0, 16, 9)))
    yield 'write-same-pattern', session(R2T, command(cdb10(0x41, 0, 16), 0xa0, 512), data_out(), read(0, 16))
    compare = cdb16(0x89, 0, 0)[:13] + b'\1\0\0'
    yield 'compare-and-write', session(OPEN, command(compare, 0xa0, 1024, 16), command(compare, 0xa0, 512, 8),
                                       command(cdb16(0x89, 0, 0), 0xa0, 512, 8), none(cdb16(0x89, 0, 0)))
    yield 'compare-and-write-miscompare', session(R2T, command(compare, 0xa0, 1024), data_out(), PING)
    descriptor = struct.pack('>HH4xQI4x', 22, 16, 0, 8)
    yield 'unmap', session(OPEN, command(cdb10(0x42, 0, 24), 0xa0, 24, descriptor), none(cdb10(0x42, 0, 0)),
                           command(cdb10(0x42, 0, 4), 0xa0, 4, bytes(4)), command(cdb10(0x42, 0, 24, 1), 0xa0, 24, descriptor),
                           command(cdb10(0x42, 0, 24), 0xa0, 24, descriptor, lun=1),
                           command(cdb10(0x42, 0, 24), 0xa0, 24, struct.pack('>HH4xQI4x', 22, 16, 120, 9)))
    yield 'unmap-too-many', session(OPEN, command(cdb10(0x42, 0, 8192), 0xa0, 8192, b'\x1f\xfe\x1f\xf8' + bytes(100)), data_out(), PING)
    collects = [command(compare, 0xa0, 1024, b'y', how=0x40, code=MORE) for _ in range(12)]
    yield 'collect-too-many', session(OPEN, *collects, *[command(compare, 0xa0, 1024, how=0x40) for _ in range(3)], PING)
    yield 'write-huge', session(OPEN, command(cdb10(0x2a, 0, 1), 0xa0, 0xffff, 8, how=4), data_out(), PING)


def target_commands():
    yield 'inquiry', session(OPEN, command(b'\x12\0\0\0\x24\0', 0xc0, 36), *[command(bytes([0x12, 1, page, 0, 255, 0]), 0xc0, 255)
                                                                           for page in (0, 0x80, 0x83, 0xb0, 0xb1, 0xb2, 0x77)])
    yield 'capacity', session(OPEN, command(b'\x25' + bytes(9), 0xc0, 8), command(b'\x9e\x10' + bytes(8) + b'\0\0\0\x20\0\0', 0xc0, 32),
                              command(b'\x9e\x12' + bytes(8) + b'\0\0\0\x20\0\0', 0xc0, 32),
                              command(b'\x9e\x12' + b'\xff' * 8 + b'\0\0\0\x20\0\0', 0xc0, 32))
    yield 'mode-sense', session(OPEN, command(b'\x1a\0\x3f\0\xff\0', 0xc0, 255), command(b'\x5a\0\x08\0\0\0\0\0\xff\0', 0xc0, 255),
                                command(b'\x1a\0\x77\0\xff\0', 0xc0, 255))
    yield 'report-luns', session(OPEN, command(b'\xa0' + bytes(5) + b'\0\0\1\0\0\0', 0xc0, 256))
    yield 'flush', session(OPEN, none(cdb10(0x35, 0, 0)), none(cdb16(0x91, 0, 0)), none(cdb10(0x35, 999, 9)))
    yield 'ready', session(OPEN, none(TUR), none(b'\x1b' + bytes(5)), none(b'\xff' + bytes(5)),
                           command(b'\x03\0\0\0\x12\0', 0xc0, 18))


def target_requests():
    yield 'ping', session(OPEN, PING, pdu(NOP, 0x80, data=128), pdu(NOP, 0x80, how=0x10), pdu(NOP, 0x80, data=8, how=0x20) + b'\x63')
    yield 'logout', session(OPEN, pdu(LOGOUT, 0x80), PING)
    yield 'logout-connection', session(OPEN, pdu(LOGOUT, 0x81, b''), PING)
    yield 'logout-recovery', session(OPEN, pdu(LOGOUT, 0x82), PING)
    for function in range(1, 10):
        yield 'tmf-%d' % function, session(OPEN | R2T, write(0, 16), pdu(TMF, 0x80 | function, how=4), data_out(), PING)
    yield 'tmf-no-lun', session(OPEN, pdu(TMF, 0x82, how=3), pdu(TMF, 0x85, how=3), pdu(TMF, 0x81))
    for function in (5, 6, 7):
        yield 'tmf-two-%d' % function, session(OPEN, turn(1, other=True), none(TUR), turn(0), pdu(TMF, 0x80 | function), turn(1),
                                               none(TUR), command(b'\x03\0\0\0\x12\0', 0xc0, 18), PING)
    yield 'reject', session(OPEN, pdu(0x10, 0x80, how=0x80), pdu(3, 0x87, how=0x80), pdu(0x1c, 0x80, how=0x80), pdu(0x3f, 0, how=0x80))
    yield 'gap', session(OPEN, pdu(NOP, 0x80, how=0x20).replace(b'\x07\x20\0\x80', b'\x07\x20\0\x80\1'), PING)
    yield 'too-long', session(OPEN, raw(b'\x40\x80\0\0\0\x7f\xff\xff' + bytes(40)), PING)
    ping = bytes([0x40, 0x80, 0, 0, 0, 0, 0, 204]) + bytes(8) + b'\0\0\0\1' + b'\xff' * 4 + bytes(24) + bytes(204)
    yield 'pipeline', session(OPEN, chunk(62), raw(ping, 80))
    yield 'waits-for-room', session(OPEN, *[pdu(IMMEDIATE_NOP, 0x80, data=127, code=MORE) for _ in range(20)], PING)
    yield 'reinstatement', session(OPEN, read(0, 1), turn(1), read(0, 1), turn(0), PING)
    yield 'two-sessions', session(OPEN, turn(1, other=True), write(0, 1, 8), turn(0), read(0, 1), turn(1, close=True), PING)
    yield 'idle', session(OPEN, tick(255), PING, pdu(LOGOUT, 0x80, code=MORE), tick(255))


def target_texts():
    ask = b'SendTargets='
    yield 'text', session(OPEN, text(0x80, ask + b'\0'), text(0x80, ask + b'All\0'), text(0x80, ask + TARGET.encode() + b'\0'),
                          text(0x80, ask + b'iqn.x\0'))
    yield 'text-discovery', session(DISCOVERY, text(0x80, ask + b'All\0'), text(0x80, ask + b'\0'), read(0, 1), pdu(TMF, 0x81),
                                    pdu(LOGOUT, 0x80))
    yield 'text-in-pieces', session(DISCOVERY, text(0x40, ask), text(0x80, b'All\0', follow=True))
    yield 'text-not-final', session(DISCOVERY, text(0, ask + b'All\0'), text(0x80, b'', follow=True), text(0x80, b'', follow=True))
    yield 'text-long-answer', session(DISCOVERY, text(0x80, pairs('MaxRecvDataSegmentLength=512')),
                                      *[text(0x40, b'SendTargets=All\0' * 7, follow=i > 0) for i in range(5)],
                                      text(0, b'', follow=True), *[text(0x80, b'', follow=True) for _ in range(12)])
    yield 'text-while-fetching', session(DISCOVERY, text(0x80, pairs('MaxRecvDataSegmentLength=512')),
                                         *[text(0x40, b'SendTargets=All\0' * 7, follow=i > 0) for i in range(5)],
                                         text(0, b'', follow=True), text(0x80, b'junk', follow=True))
    yield 'text-too-much', session(DISCOVERY, text(0x40, 100), text(0x40, 100, follow=True), PING)
    yield 'text-wrong', session(OPEN, text(0xc0, b''), text(0x80, b'', follow=True), text(0x80, b'junk'), text(0x80, b'=\0'),
                                text(0x80, pairs('X=1', 'InitiatorAlias=a', 'MaxBurstLength=512', 'TargetAlias=x')))


# Instructions of fuzz_target_login.c -------------------------------------------------------------------------------------------

T, C, SECURITY, OPERATIONAL = 0x80, 0x40, 0, 4
TO_OPERATIONAL, TO_FULL = T | 1, T | 3
NAMES = ['InitiatorName=' + INITIATOR, 'TargetName=' + TARGET]
KEYS = ['HeaderDigest=CRC32C,None', 'DataDigest=None', 'InitialR2T=No', 'ImmediateData=Yes', 'MaxBurstLength=262144',
        'FirstBurstLength=65536', 'MaxOutstandingR2T=8', 'MaxRecvDataSegmentLength=65536', 'DefaultTime2Wait=0',
        'DefaultTime2Retain=20', 'ErrorRecoveryLevel=2', 'MaxConnections=8', 'DataPDUInOrder=No', 'DataSequenceInOrder=No',
        'TaskReporting=FastAbort,RFC3720', 'iSCSIProtocolLevel=1', 'IFMarker=No', 'OFMarkInt=1~5', 'SendTargets=All', 'X-none=1']


def request(flags, data=b'', shape=0, wrong=b'', code=0):
    if isinstance(data, int):
        return bytes([4 | code, shape | 0x40, flags]) + wrong + bytes([data])
    if len(data) > 255:  # in words; one more key fills up the last
        missing = -len(data) % 4
        if missing:
            data += b'F' * (missing + (4 if missing < 3 else 0) - 2) + b'=\0'
        return bytes([4 | code, shape | 0x80, flags]) + wrong + bytes([len(data) // 4]) + data
    return bytes([4 | code, shape, flags]) + wrong + bytes([len(data)]) + data


def connection(index):
    return bytes([index << 3])


ENTER = request(SECURITY | TO_OPERATIONAL, pairs(*NAMES, 'AuthMethod=CHAP,None'))
FINISH = request(OPERATIONAL | TO_FULL, pairs('InitialR2T=No', 'ImmediateData=Yes', 'MaxBurstLength=262144', 'FirstBurstLength=65536',
                                              'MaxOutstandingR2T=8'))
DIRECT = request(OPERATIONAL | TO_FULL, pairs(*NAMES, *KEYS[:8]))
CHAP, MUTUAL, SINGLE, BASE64, UPPER, NO_DISCOVERY, LOCKED, ASKING = 1, 2, 4, 8, 16, 32, 64, 128


def proof(algorithm, form=hexadecimal, name=USER, ident=ID, secret=SECRET, *more):
    return pairs('CHAP_N=' + name, 'CHAP_R=' + form(digest(algorithm, ident, secret, b'\x5a' * 32)), *more)


def chap_login(bits, algorithm, *more, offer=None, form=hexadecimal):
    return session(bits, request(SECURITY | TO_OPERATIONAL, pairs(*NAMES, 'AuthMethod=CHAP')),
                   request(SECURITY, pairs('CHAP_A=' + (offer or str(algorithm)))),
                   request(SECURITY | TO_OPERATIONAL, proof(algorithm, form, USER, ID, SECRET, *more)), FINISH)


def target_logins():
    yield 'plain', session(0, ENTER, FINISH)
    yield 'direct', session(0, DIRECT)
    yield 'all-keys', session(0, ENTER, request(OPERATIONAL, pairs(*KEYS[:10])), request(OPERATIONAL | TO_FULL, pairs(*KEYS[10:])),
                              request(OPERATIONAL | TO_FULL))
    yield 'offers-answered', session(ASKING, ENTER, request(OPERATIONAL | TO_FULL), request(
        OPERATIONAL | TO_FULL, pairs('ImmediateData=No', 'MaxBurstLength=4096', 'FirstBurstLength=512')), request(OPERATIONAL | TO_FULL))
    yield 'offers-refused', session(ASKING, ENTER, request(OPERATIONAL | TO_FULL), request(
        OPERATIONAL | TO_FULL, pairs('MaxBurstLength=16777215')))
    yield 'bursts', session(0, ENTER, request(OPERATIONAL | TO_FULL, pairs('MaxBurstLength=512', 'FirstBurstLength=1024',
                                                                           'InitiatorAlias=alias')))
    for key in ('InitialR2T=maybe', 'MaxBurstLength=1', 'HeaderDigest=MD5', 'TaskReporting=FastAbort', 'TargetAlias=x',
                'ErrorRecoveryLevel=2', 'DefaultTime2Wait=3600', 'FirstBurstLength=16777215', 'X=NotUnderstood', 'AuthMethod=None'):
        yield 'key-' + key.split('=')[0], session(0, ENTER, request(OPERATIONAL | TO_FULL, pairs(key, 'MaxConnections=2')))
    yield 'key-twice', session(0, ENTER, request(OPERATIONAL, pairs('MaxConnections=1')), request(OPERATIONAL, pairs('MaxConnections=1')))
    yield 'key-in-wrong-stage', session(0, request(SECURITY, pairs(*NAMES, 'MaxConnections=1')), ENTER)
    yield 'name-too-long', session(0, request(SECURITY, pairs('InitiatorName=' + 'i' * 224)))
    yield 'name-empty', session(0, request(SECURITY, pairs('InitiatorName=')))
    yield 'discovery', session(0, request(OPERATIONAL | TO_FULL, pairs(NAMES[0], 'SessionType=Discovery')), request(OPERATIONAL | TO_FULL))
    yield 'discovery-free', session(CHAP | NO_DISCOVERY, request(OPERATIONAL | TO_FULL, pairs(
        NAMES[0], 'SessionType=Discovery', *KEYS[2:7])))
    yield 'no-names', session(0, request(SECURITY | TO_OPERATIONAL, pairs('AuthMethod=None')))
    yield 'no-target', session(0, request(SECURITY | TO_OPERATIONAL, pairs(NAMES[0])))
    yield 'other-target', session(0, request(SECURITY | TO_OPERATIONAL, pairs(NAMES[0], 'TargetName=iqn.x')))
    yield 'session-type', session(0, request(SECURITY | TO_OPERATIONAL, pairs(*NAMES, 'SessionType=Other')))
    yield 'no-method', session(0, request(SECURITY | TO_OPERATIONAL, pairs(*NAMES, 'AuthMethod=KRB5')))
    yield 'version', session(0, request(SECURITY, b'', 2, b'\1'))
    yield 'no-login', session(0, request(SECURITY, b'', 1, b'\0'))
    yield 'then-no-login', session(0, ENTER, request(SECURITY, b'', 1, b'\0'))
    yield 'tag-changes', session(0, ENTER, request(OPERATIONAL, b'', 16, b'\1'))
    yield 'stages', session(0, request(T | C | 1))
    yield 'stages-back', session(0, ENTER, request(OPERATIONAL | T | 1))
    yield 'stages-other', session(0, ENTER, request(SECURITY | TO_OPERATIONAL))
    yield 'stages-none', session(0, request(8), connection(1), request(SECURITY | T | 2))
    yield 'in-pieces', session(0, request(C, pairs(*NAMES)[:20]), request(SECURITY | TO_OPERATIONAL, pairs(*NAMES)[20:]), FINISH)
    yield 'too-much', session(0, request(C, 100), request(C, 100))
    yield 'junk', session(0, request(SECURITY, b'junk\0'))
    flood = [request(OPERATIONAL | C, pairs(*['k%02d%d=v' % (i, j) for j in range(30)])) for i in range(30)]
    small = request(OPERATIONAL, pairs('MaxRecvDataSegmentLength=512'))
    yield 'long-answer', session(0, ENTER, small, *flood[:6], request(OPERATIONAL | TO_FULL), *[request(OPERATIONAL | TO_FULL)] * 10)
    yield 'text-before-its-time', session(0, ENTER, small, *flood[:6], request(OPERATIONAL), request(OPERATIONAL, b'a=b\0'))
    yield 'answer-too-long', session(0, ENTER, *[request(OPERATIONAL | C, pairs(*['%d=' % (j % 10) for j in range(60)]))
                                                 for _ in range(34)], request(OPERATIONAL))
    yield 'pipelined', session(0, bytes([ENTER[0] | 0x80]) + ENTER[1:], FINISH)
    yield 'one-byte', session(0, bytes([1, 0]), ENTER, FINISH)
    yield 'timeout', session(0, ENTER, bytes([2, 255]))
    yield 'reinstatement', session(0, DIRECT, connection(1), DIRECT, connection(0), DIRECT)
    again = request(OPERATIONAL | TO_FULL, pairs(*NAMES, *KEYS[:8]), 4)
    yield 'reinstatement-tsih', session(0, DIRECT, connection(1), again)
    yield 'reinstatement-cid', session(0, DIRECT, connection(1), request(OPERATIONAL | TO_FULL, pairs(*NAMES, *KEYS[:8]), 12, b'\1'))
    yield 'reinstatement-nobody', session(0, DIRECT, connection(2), again)
    yield 'sessions-too-many', session(0, DIRECT, connection(2), DIRECT, connection(1), request(
        OPERATIONAL | TO_FULL, pairs('InitiatorName=iqn.other', NAMES[1], *KEYS[:8])))
    for number in ALGORITHMS:
        yield 'chap-%d' % number, chap_login(CHAP, number)
        yield 'chap-mutual-%d' % number, chap_login(CHAP | MUTUAL, number, 'CHAP_I=7', 'CHAP_C=' + hexadecimal(b'c' * 32))
    yield 'chap-list', chap_login(CHAP, 7, offer='99,x,7,5')
    yield 'chap-list-refused', chap_login(CHAP | SINGLE, 7, offer='7,5')
    yield 'chap-none-known', chap_login(CHAP, 7, offer='99')
    yield 'chap-base64', chap_login(CHAP | MUTUAL | BASE64, 7, 'CHAP_I=7', 'CHAP_C=' + base64_text(b'c' * 33), form=base64_text)
    yield 'chap-upper', chap_login(CHAP | MUTUAL | UPPER, 7, 'CHAP_I=7', 'CHAP_C=' + hexadecimal(b'c' * 32).upper().replace('X', 'x'))
    yield 'chap-wrong', chap_login(CHAP, 7)[:-len(FINISH) - 4] + b'0' + chap_login(CHAP, 7)[-len(FINISH) - 3:]
    yield 'chap-locked', chap_login(CHAP | LOCKED, 7)
    yield 'chap-no-proof', chap_login(CHAP, 7, 'CHAP_I=7', 'CHAP_C=0x00')
    yield 'chap-mutual-no-id', chap_login(CHAP | MUTUAL, 7, 'CHAP_C=0x00')
    yield 'chap-mutual-no-challenge', chap_login(CHAP | MUTUAL, 7, 'CHAP_I=7', 'CHAP_C=0x0')
    yield 'chap-mutual-reflected', chap_login(CHAP | MUTUAL, 7, 'CHAP_I=7', 'CHAP_C=' + hexadecimal(b'\x5a' * 32))
    begin = request(SECURITY | TO_OPERATIONAL, pairs(*NAMES, 'AuthMethod=CHAP'))
    yield 'chap-not-due', session(CHAP, begin, request(SECURITY, pairs('CHAP_R=0x00')))
    yield 'chap-twice', session(CHAP, begin, request(SECURITY, pairs('CHAP_A=5', 'CHAP_A=5')))
    yield 'chap-half', session(CHAP, begin, request(SECURITY, pairs('CHAP_A=5')), request(SECURITY, pairs('CHAP_N=user')))
    yield 'chap-skipped', session(CHAP, DIRECT, connection(1), ENTER, FINISH)
    yield 'chap-none', session(CHAP, request(SECURITY | TO_OPERATIONAL, pairs(*NAMES, 'AuthMethod=None')))


# Responses to fuzz_login.c ------------------------------------------------------------------------------------------------------

def response(flags, data=b'', shape=0, wrong=b''):
    assert len(data) < 256
    return bytes([shape, len(data), flags]) + wrong + data


CONFIG_CHAP, CONFIG_MUTUAL, CONFIG_ONE, CONFIG_TARGET_USER, CONFIG_SINGLE = 8, 16, 32, 64, 128
METHOD = response(SECURITY, pairs('AuthMethod=CHAP', 'TargetPortalGroupTag=1'))


def challenge(number, ident=7, data=b'c' * 16, form=hexadecimal):
    return response(SECURITY, pairs('CHAP_A=%d' % number, 'CHAP_I=%d' % ident, 'CHAP_C=' + form(data)))


def own_proof(number, ident=ID, form=hexadecimal, name=OWN_NAME, secret=OWN_SECRET):
    size = ALGORITHMS[number]().digest_size
    return pairs('CHAP_N=' + name, 'CHAP_R=' + form(digest(number, ident, secret, b'\x5a' * size)))


END = response(OPERATIONAL | TO_FULL, pairs('MaxBurstLength=262144'))


def logins():
    for index, number in enumerate(ALGORITHMS):
        one, both = CONFIG_CHAP | CONFIG_ONE, CONFIG_CHAP | CONFIG_MUTUAL
        yield 'one-way-%d' % number, session(one, bytes([index]), METHOD, challenge(number), response(SECURITY | TO_OPERATIONAL), END)
        yield 'mutual-%d' % number, session(both, METHOD, challenge(number), response(SECURITY | TO_OPERATIONAL, own_proof(number)), END)
    both = CONFIG_CHAP | CONFIG_MUTUAL | CONFIG_TARGET_USER

    def mutual(*answers):
        return session(both, METHOD, *answers, END)
    last = SECURITY | TO_OPERATIONAL
    yield 'mutual-named', mutual(challenge(7), response(last, own_proof(7)))
    yield 'mutual-other-name', mutual(challenge(7), response(last, own_proof(7, name='somebody')))
    yield 'mutual-base64', mutual(challenge(7, form=base64_text), response(last, own_proof(7, form=base64_text)))
    yield 'mutual-same-id', mutual(challenge(7, ident=ID), response(last, own_proof(7, ident=ID + 1)))
    yield 'mutual-wrong', mutual(challenge(7), response(last, own_proof(7, secret=b'no')))
    yield 'mutual-short', mutual(challenge(7), response(last, pairs('CHAP_N=target', 'CHAP_R=0x00')))
    yield 'mutual-none', mutual(challenge(7), response(last))
    yield 'mutual-our-challenge', mutual(challenge(7, data=b'\x5a' * 32))
    ours = digest(7, 7, SECRET, b'c' * 16)
    yield 'mutual-our-response', mutual(challenge(7), response(last, pairs('CHAP_N=target', 'CHAP_R=' + hexadecimal(ours))))
    one = CONFIG_CHAP
    for name, answer in (
            ('algorithm', pairs('CHAP_A=9', 'CHAP_I=1', 'CHAP_C=0x00')), ('algorithm-text', pairs('CHAP_A=x', 'CHAP_I=1', 'CHAP_C=0x00')),
            ('id', pairs('CHAP_A=5', 'CHAP_I=256', 'CHAP_C=0x00')), ('challenge', pairs('CHAP_A=5', 'CHAP_I=1', 'CHAP_C=0x0')),
            ('missing', pairs('CHAP_A=5', 'CHAP_I=1')), ('too-much', pairs('CHAP_A=5', 'CHAP_I=1', 'CHAP_C=0x00', 'CHAP_N=a')),
            ('twice', pairs('CHAP_A=5', 'CHAP_A=5')), ('other', pairs('CHAP_X=5'))):
        yield 'wrong-' + name, session(one, METHOD, response(SECURITY, answer))
    yield 'no-method', session(one, response(SECURITY, pairs('TargetPortalGroupTag=1')))
    yield 'other-method', session(one, response(SECURITY, pairs('AuthMethod=None')))
    yield 'leaves-early', session(one, METHOD, challenge(5), response(SECURITY), response(last))
    yield 'proven-and-more', session(one, METHOD, challenge(5), response(SECURITY), response(SECURITY, pairs('CHAP_A=5')))
    yield 'list-refused', session(one, METHOD, response(SECURITY, b'', 8, b'\2\0'), METHOD, challenge(5), response(last), END)
    yield 'refused-later', session(one, METHOD, challenge(5), response(SECURITY, b'', 8, b'\2\1'))
    for status in ('0001', '0101', '0102', '0200', '0201', '0202', '0203', '0204', '0205', '0206', '0207', '0208', '0209', '020a',
                   '020b', '02ff', '0300', '0301', '0302', '03ff', '0400'):
        yield 'status-' + status, session(0, response(SECURITY, b'', 8, bytes.fromhex(status)))


def values():
    """Of fuzz_chap.c: a byte for room and form, then a value, or bytes to be written."""
    for bits in range(24):
        yield 'plain-%d' % bits, bytes([bits]) + hexadecimal(bytes(range(16))).encode()
    for index, value in enumerate([b'0x', b'0b', b'0xA', b'0XaBcDeF', b'0xgg', b'0bAA==', b'0bAAA=', b'0bAAAA', b'0bA===', b'0b====',
                                   b'0bAB==', b'0b+/+/', b'0BAAAA', b'0b-_-_', b'0bAA=A', b'1x00', b'0', b'', b'0b AAA', b'0xx0',
                                   b'0x' + b'00' * 20, b'0x' + b'ff' * 1023, b'0x' + b'ee' * 1024, b'0x' + b'dd' * 1025,
                                   base64_text(b'z' * 20).encode(), base64_text(b'z' * 1022).encode(), base64_text(b'z' * 1024).encode(),
                                   base64_text(b'z' * 1025).encode()]):
        for room in (7, 2):
            yield 'value-%d-%d' % (index, room), bytes([room]) + value


# Texts of fuzz_keys.c: what is offered, room in words (odd: with CHAP), text ----------------------------------------------------

SECURITY_OFFERED, OPERATIONAL_OFFERED = 0x40, 0x80


def key_texts():
    operational = ['HeaderDigest=CRC32C', 'DataDigest=CRC32C', 'InitialR2T=No', 'ImmediateData=Yes', 'MaxBurstLength=262144',
                   'FirstBurstLength=65536', 'DefaultTime2Wait=2', 'DefaultTime2Retain=0', 'MaxOutstandingR2T=1',
                   'ErrorRecoveryLevel=0', 'MaxConnections=1', 'DataPDUInOrder=Yes', 'DataSequenceInOrder=Yes']
    for name, bits, room, items in (
            ('answers', 6, 254, operational), ('chap', 0, 255, ['AuthMethod=CHAP']), ('chap-not-taken', 0, 255, ['AuthMethod=None']),
            ('none', 0, 254, ['AuthMethod=None']), ('digest-wrong', 4, 254, ['DataDigest=None']),
            ('digest-asked', 4, 254, ['HeaderDigest=CRC32C,None']), ('bool-wrong', 8, 254, ['InitialR2T=No']),
            ('bool-wrong-no', 16, 254, ['ImmediateData=Yes']), ('declared-twice', 0, 254, ['MaxRecvDataSegmentLength=512',
                                                                                          'MaxRecvDataSegmentLength=1024']),
            ('addresses', 0, 254, ['TargetAddress=h:1', 'TargetAddress=h:2']), ('not-understood', 0, 254, ['MaxBurstLength=NotUnderstood']),
            ('reporting', 0, 254, ['TaskReporting=FastAbort,RFC3720']), ('reporting-other', 0, 254, ['TaskReporting=FastAbort']),
            ('silence', 4, 254, ['InitialR2T=Yes']), ('silence-no', 16, 254, ['InitialR2T=Yes']),
            ('bursts', 0, 254, ['MaxBurstLength=512', 'FirstBurstLength=65536']), ('discovery', 1, 254, ['HeaderDigest=None']),
            ('irrelevant', 1, 254, ['MaxConnections=1', 'InitialR2T=Yes']), ('level', 0, 254, ['iSCSIProtocolLevel=2'])):
        for stage in (SECURITY_OFFERED, OPERATIONAL_OFFERED, 0):
            yield '%s-%02x' % (name, stage), bytes([bits | stage, room]) + pairs(*items)
    yield 'no-room', bytes([0, 2]) + pairs('X-a=1', 'X-b=2', 'MaxConnections=1')


def urls():
    host = 'iscsi://h.example'
    users = ['user@', 'user%secret-of-12-bytes@', 'user:secret%20of%2d12@', ':x@', 'a:b:c@', 'u%@', 'u:@', 'u:%zz@', 'u:%41%ff@', 'u%a%b@',
             'u' * 256 + '@', 'u%' + 's' * 256 + '@', 'u:' + 's' * 800 + '@', '%zz:s@', 'u@v@']
    for index, user in enumerate(users):
        yield 'user-%d' % index, ('iscsi://' + user + 'h.example/' + TARGET + '/0').encode()
    queries = ['password_env=' + 'N' * 70, 'password_env=', 'target_user=t&target_password=another-secret-1', 'target_user=' + 't' * 256,
               'target_password=' + 's' * 256, 'auth=md5,sha1,sha-256,sha3-256', 'auth=md5,md5', 'auth=foo',
               'auth=', 'auth=sha-256,md5', 'user=u&auth=md5', 'user=', 'user=' + 'u' * 256, 'flush_after_reset=error', 'flush_after_reset=ignore',
               'flush_after_reset=x', 'eh_deadline=-1', 'eh_deadline=86401', 'login_retries=3', 'login_retries=x', 'timeout=x',
               'timeout=1.2.3', 'timeout=0.000000001', 'timeout=99999999', 'timeout=-1', 'replacement_timeout=-1', 'timeout=1&timeout=2',
               'max_recv=511', 'max_recv=16M', 'max_recv=1G', 'max_recv=1X', 'queue_depth=', 'isid=0x80zz00000000', 'isid=800000000001',
               'initiator_name=x', 'initiator_name=iqn.2026-11.a:%41', 'header_digest=crc32c', 'header_digest=none,none',
               'header_digest=crc32c,none,none', 'max_burst=%6', 'max_burst', '%6', 'immediate_data=true', 'immediate_data=no',
               'initial_r2t=yes&first_burst=512&max_burst=512', 'max_outstanding_r2t=65535', 'cmds_max=4096&queue_depth=4096']
    for index, query in enumerate(queries):
        yield 'query-%d' % index, (host + '/?' + query).encode()
        yield 'query-user-%d' % index, ('iscsi://user%secret-of-12-bytes@h/?' + query).encode()
    for index, url in enumerate([b'http://h/', b'iscsi://h\x7f', b'iscsi://' + b'h' * 8192, b'iscsi://%4a%4A%zz', b'iscsi://%4', b'h:x:1',
                                 b'[::1],1', b'h,x', b'iscsi://h/iqn.a%2fb', b'iscsi://h/iqn.a%00', b'iscsi://[::1]5/iqn.a:b/99999999999',
                                 b'iscsi://h/eui.1/16383', b'iscsi://h/naa.1/x']):
        yield 'url-%d' % index, url


def main():
    top = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), 'corpus')
    for fuzzer, sources in {'target': (target_reads, target_writes, target_commands, target_requests, target_texts),
                            'target_login': (target_logins,), 'login': (logins,), 'chap': (values,), 'keys': (key_texts,), 'url': (urls,)}.items():
        directory = os.path.join(top, fuzzer)
        os.makedirs(directory, exist_ok=True)
        for source in sources:
            for name, data in source():
                with open(os.path.join(directory, name), 'wb') as file:
                    file.write(data)


if __name__ == '__main__':
    main()
