/* See peer.h. */
#include "peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/crc32c.h"
#include "wire/sense.h"

struct iskra_target *peer_target(const struct iskra_target_options *options)
{
    struct iskra_target_options o;
    struct iskra_target_backend ram = {.kind = ISKRA_TARGET_RAM, .size = 1 << 20};
    if (options)
        o = *options;
    else
        iskra_target_options_init(&o);
    o.name = PEER_TARGET;
    if (o.backend_cnt == 0) {
        o.backends = &ram;
        o.backend_cnt = 1;
    }
    struct iskra_target *target = NULL;
    struct iskra_error err = {0};
    if (iskra_target_new(&o, &target, &err) < 0)
        fail_msg("no target: %s", err.text);
    return target;
}

void peer_open(struct peer *peer, struct iskra_target *target)
{
    *peer = (struct peer){.isid = {0x80, 0x12, 0x34, 0x56, 0x00, 0x01}, .cmd_sn = 7, .itt = 0x100};
    peer->rx = malloc(PEER_RX_MAX);
    assert_non_null(peer->rx);
    peer->conn = iskra_target_conn_new(target, "127.0.0.1:3260", 0);
    assert_non_null(peer->conn);
}

void peer_close(struct peer *peer)
{
    iskra_target_conn_free(peer->conn);
    free(peer->rx);
}

void peer_drain(struct peer *peer)
{
    struct iovec iov[16];
    unsigned cnt;
    while ((cnt = iskra_target_conn_send_window(peer->conn, iov, 16)) > 0) {
        size_t sent = 0;
        for (unsigned i = 0; i < cnt; i++) {
            assert_true(peer->rx_len + iov[i].iov_len <= PEER_RX_MAX);
            memcpy(peer->rx + peer->rx_len, iov[i].iov_base, iov[i].iov_len);
            peer->rx_len += iov[i].iov_len;
            sent += iov[i].iov_len;
        }
        iskra_target_conn_sent(peer->conn, sent, peer->now_ns);
    }
}

void peer_send_bytes(struct peer *peer, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    while (len > 0) {
        struct iovec iov[2];
        unsigned cnt = iskra_target_conn_recv_window(peer->conn, iov);
        if (cnt == 0) {
            assert_true(peer->hold || iskra_target_conn_finished(peer->conn));
            return;
        }
        assert_true(iov[0].iov_len > 0);
        size_t n = len < iov[0].iov_len ? len : iov[0].iov_len;
        if (peer->chunk && n > peer->chunk)
            n = peer->chunk;
        memcpy(iov[0].iov_base, p, n);
        iskra_target_conn_received(peer->conn, n, peer->now_ns);
        p += n;
        len -= n;
        if (!peer->hold)
            peer_drain(peer);
    }
}

static void append(uint8_t *buf, size_t *at, const void *bytes, size_t len)
{
    if (len > 0)
        memcpy(buf + *at, bytes, len);
    *at += len;
}

static void append_digest(uint8_t *buf, size_t *at, size_t from)
{
    uint32_t crc = iskra_crc32c_update(ISKRA_CRC32C_INIT, buf + from, *at - from);
    iskra_crc32c_put(buf + *at, iskra_crc32c_finish(crc));
    *at += ISKRA_DIGEST_LEN;
}

void peer_send(struct peer *peer, uint8_t *bhs, const void *payload, uint32_t len)
{
    static const uint8_t zeros[4];
    uint8_t *pdu = malloc(ISKRA_BHS_LEN + (size_t)len + 16);
    assert_non_null(pdu);
    size_t at = 0;
    iskra_put_be24(bhs + 5, len);
    append(pdu, &at, bhs, ISKRA_BHS_LEN);
    if (peer->header_digest)
        append_digest(pdu, &at, 0);
    size_t payload_at = at;
    append(pdu, &at, payload, len);
    append(pdu, &at, zeros, iskra_pad_len(len));
    if (peer->data_digest && len > 0)
        append_digest(pdu, &at, payload_at);
    pdu[at - 1] ^= peer->spoil;
    peer_send_bytes(peer, pdu, at);
    free(pdu);
}

bool peer_silent(const struct peer *peer)
{
    return peer->rx_pos == peer->rx_len;
}

static void digest_check(struct peer *peer, const uint8_t *bytes, size_t len, const char *what)
{
    uint32_t crc = iskra_crc32c_update(ISKRA_CRC32C_INIT, bytes, len);
    if (iskra_crc32c_get(bytes + len) != iskra_crc32c_finish(crc))
        fail_msg("%s digest is wrong at byte %zu", what, (size_t)(bytes - peer->rx));
}

void peer_expect(struct peer *peer, enum iskra_opcode opcode, struct answer *ret)
{
    if (peer->rx_len - peer->rx_pos < ISKRA_BHS_LEN)
        fail_msg("no PDU came, expected %s; target says: %s", iskra_opcode_name((uint8_t)opcode),
                 iskra_target_conn_error(peer->conn)->text);
    const uint8_t *p = peer->rx + peer->rx_pos;
    memcpy(ret->bhs, p, ISKRA_BHS_LEN);
    if (iskra_bhs_opcode(p) != opcode)
        fail_msg("%s came, expected %s", iskra_opcode_name(iskra_bhs_opcode(p)),
                 iskra_opcode_name((uint8_t)opcode));
    assert_int_equal(iskra_bhs_ahs_len(p), 0);
    size_t at = ISKRA_BHS_LEN;
    if (peer->header_digest) {
        digest_check(peer, p, ISKRA_BHS_LEN, "header");
        at += ISKRA_DIGEST_LEN;
    }
    ret->len = iskra_bhs_data_len(p);
    ret->payload = p + at;
    size_t padded = ret->len + iskra_pad_len(ret->len);
    at += padded;
    if (peer->data_digest && ret->len > 0) {
        digest_check(peer, ret->payload, padded, "data");
        at += ISKRA_DIGEST_LEN;
    }
    peer->rx_pos += at;
    assert_true(peer->rx_pos <= peer->rx_len);
}

void peer_login_send(struct peer *peer, uint8_t csg, uint8_t nsg, bool transit, const char *text,
                     uint32_t len)
{
    struct iskra_pdu_login req = {.transit = transit,
                                  .csg = csg,
                                  .nsg = nsg,
                                  .tsih = peer->tsih,
                                  .cid = 1,
                                  .itt = 0x55,
                                  .cmd_sn = peer->cmd_sn};
    memcpy(req.isid, peer->isid, ISKRA_ISID_LEN);
    uint8_t bhs[ISKRA_BHS_LEN];
    iskra_login_encode(&req, bhs);
    peer_send(peer, bhs, text, len);
}

void peer_login_expect(struct peer *peer, struct iskra_pdu_login_rsp *ret,
                       struct answer *ret_answer)
{
    struct answer answer;
    peer_expect(peer, ISKRA_OP_LOGIN_RSP, &answer);
    iskra_login_rsp_decode(answer.bhs, ret);
    assert_int_equal(ret->itt, 0x55);
    assert_memory_equal(ret->isid, peer->isid, ISKRA_ISID_LEN);
    if (ret_answer)
        *ret_answer = answer;
}

void peer_login(struct peer *peer, const char *text, uint32_t len)
{
    struct iskra_pdu_login_rsp rsp;
    struct answer answer;
    peer_login_send(peer, ISKRA_STAGE_OPERATIONAL, ISKRA_STAGE_FULL_FEATURE, true, text, len);
    peer_login_expect(peer, &rsp, &answer);
    assert_int_equal(rsp.status_class << 8 | rsp.status_detail, 0);
    assert_true(rsp.transit);
    peer->tsih = rsp.tsih;
    peer->header_digest = strcmp(answer_value(&answer, "HeaderDigest"), "CRC32C") == 0;
    peer->data_digest = strcmp(answer_value(&answer, "DataDigest"), "CRC32C") == 0;
}

void peer_login_refused(struct peer *peer, uint16_t status)
{
    struct iskra_pdu_login_rsp rsp;
    peer_login_expect(peer, &rsp, NULL);
    assert_int_equal(rsp.status_class << 8 | rsp.status_detail, status);
    assert_false(rsp.transit);
    assert_true(iskra_target_conn_finished(peer->conn));
}

const char *answer_value(const struct answer *answer, const char *key)
{
    static char value[512];
    struct iskra_slice text = {(const char *)answer->payload, answer->len};
    struct iskra_text_pair pair;
    while (iskra_text_next(&text, &pair) > 0) {
        if (!iskra_slice_is(pair.key, key))
            continue;
        (void)snprintf(value, sizeof(value), "%.*s", (int)pair.value.len, pair.value.p);
        return value;
    }
    return "";
}

void peer_command(struct peer *peer, uint64_t lun, const uint8_t *cdb, uint32_t edtl, bool read)
{
    struct iskra_pdu_scsi_cmd req = {.final = true,
                                     .read = read,
                                     .attr = ISKRA_ATTR_SIMPLE,
                                     .lun = lun,
                                     .itt = peer->itt++,
                                     .edtl = edtl,
                                     .cmd_sn = peer->cmd_sn++};
    memcpy(req.cdb, cdb, ISKRA_CDB_BHS_LEN);
    uint8_t bhs[ISKRA_BHS_LEN];
    iskra_scsi_cmd_encode(&req, bhs);
    peer_send(peer, bhs, NULL, 0);
}

static void take_data_in(struct peer *peer, struct outcome *o)
{
    struct answer answer;
    struct iskra_pdu_data_in in;
    peer_expect(peer, ISKRA_OP_DATA_IN, &answer);
    iskra_data_in_decode(answer.bhs, &in);
    assert_int_equal(in.data_sn, o->data_in_cnt);
    assert_int_equal(in.offset, o->len);
    assert_int_equal(in.ttt, ISKRA_RESERVED_TAG);
    assert_true((size_t)o->len + answer.len <= PEER_RX_MAX);
    memcpy(o->bytes + o->len, answer.payload, answer.len);
    o->len += answer.len;
    o->data_in_cnt++;
    o->itt = in.itt;
    if (!in.status_present)
        return;
    assert_true(in.final);
    o->collapsed = true;
    o->status = in.status;
    o->overflow = in.overflow;
    o->underflow = in.underflow;
    o->residual = in.residual;
    o->exp_cmd_sn = in.exp_cmd_sn;
    o->max_cmd_sn = in.max_cmd_sn;
}

static void take_response(struct peer *peer, struct outcome *o)
{
    struct answer answer;
    struct iskra_pdu_scsi_rsp rsp;
    peer_expect(peer, ISKRA_OP_SCSI_RSP, &answer);
    iskra_scsi_rsp_decode(answer.bhs, &rsp);
    assert_int_equal(rsp.response, 0);
    o->exp_data_sn = rsp.exp_data_sn; /* counts R2Ts too, which are the test's matter */
    assert_true(rsp.exp_data_sn >= o->data_in_cnt);
    o->itt = rsp.itt;
    o->status = rsp.status;
    o->overflow = rsp.overflow;
    o->underflow = rsp.underflow;
    o->residual = rsp.residual;
    o->exp_cmd_sn = rsp.exp_cmd_sn;
    o->max_cmd_sn = rsp.max_cmd_sn;
    const uint8_t *sense_bytes;
    size_t sense_len;
    assert_int_equal(iskra_sense_segment(answer.payload, answer.len, &sense_bytes, &sense_len), 0);
    assert_int_equal(sense_len > 0, rsp.status == ISKRA_STATUS_CHECK_CONDITION);
    struct iskra_sense sense;
    if (sense_len == 0)
        return;
    assert_int_equal(iskra_sense_decode(sense_bytes, sense_len, &sense), 0);
    o->key = sense.key;
    o->asc = sense.asc;
    o->ascq = sense.ascq;
    o->information_valid = sense.information_valid;
    o->information = sense.information;
}

void peer_outcome(struct peer *peer, struct outcome *ret)
{
    *ret = (struct outcome){.bytes = malloc(PEER_RX_MAX)};
    assert_non_null(ret->bytes);
    while (!ret->collapsed) {
        if (!peer_silent(peer) && iskra_bhs_opcode(peer->rx + peer->rx_pos) == ISKRA_OP_DATA_IN) {
            take_data_in(peer, ret);
            continue;
        }
        take_response(peer, ret);
        return;
    }
}

void outcome_done(struct outcome *outcome)
{
    free(outcome->bytes);
}

void peer_refused_with(struct peer *peer, uint64_t lun, const uint8_t *cdb, uint32_t edtl,
                       uint8_t key, uint8_t asc, uint8_t ascq)
{
    struct outcome o;
    peer_command(peer, lun, cdb, edtl, edtl > 0);
    peer_outcome(peer, &o);
    assert_int_equal(o.status, ISKRA_STATUS_CHECK_CONDITION);
    assert_int_equal(o.key << 16 | o.asc << 8 | o.ascq, key << 16 | asc << 8 | ascq);
    assert_int_equal(o.len, 0);
    assert_int_equal(o.residual, edtl);
    outcome_done(&o);
}
