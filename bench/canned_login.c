/* The canned client's way into full feature phase, one request and one answer, and to a LUN that
 * takes commands. */
#include "canned.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire/be.h"

#define READY_TRIES 16

static void recv_all(int fd, void *buf, size_t len)
{
    if (len > 0 && recv(fd, buf, len, MSG_WAITALL) != (ssize_t)len)
        bench_die("recv");
}

/* One PDU with its data, padding dropped; the data's length. */
static uint32_t recv_pdu(struct canned_conn *conn, uint8_t *bhs, uint8_t *data, uint32_t size)
{
    uint8_t pad[4];
    recv_all(conn->fd, bhs, CANNED_BHS_LEN);
    uint32_t len = iskra_get_be24(bhs + 5);
    if (len > size || bhs[4] != 0)
        bench_die_of(conn->c->b, "login", "an answer that is too large");
    if (conn->digests)
        recv_all(conn->fd, pad, 4);
    recv_all(conn->fd, data, len);
    recv_all(conn->fd, pad, -len & 3);
    if (conn->digests && len > 0)
        recv_all(conn->fd, pad, 4);
    return len;
}

/* The value of "KEY=value" in the target's text, or NULL. */
static const char *value_of(const uint8_t *text, uint32_t len, const char *key)
{
    size_t key_len = strlen(key);
    for (uint32_t at = 0; at < len;
         at += (uint32_t)strnlen((const char *)text + at, len - at) + 1) {
        const char *word = (const char *)text + at;
        if (len - at > key_len + 1 && strncmp(word, key, key_len) == 0 && word[key_len] == '=')
            return word + key_len + 1;
    }
    return NULL;
}

static uint32_t number_of(const uint8_t *text, uint32_t len, const char *key, uint32_t other)
{
    const char *value = value_of(text, len, key);
    return value ? (uint32_t)strtoul(value, NULL, 10) : other;
}

static bool said(const uint8_t *text, uint32_t len, const char *key, const char *what)
{
    const char *value = value_of(text, len, key);
    return value && strcmp(value, what) == 0;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static void take_answer(struct canned_conn *conn, const uint8_t *text, uint32_t len)
{
    struct bench *b = conn->c->b;
    uint32_t first = smaller(CANNED_OFFERED_LEN, number_of(text, len, "FirstBurstLength", 65536));
    conn->max_pdu_len = number_of(text, len, "MaxRecvDataSegmentLength", 8192) & ~3u;
    conn->digests = b->digests;
    if (b->digests &&
        (!said(text, len, "HeaderDigest", "CRC32C") || !said(text, len, "DataDigest", "CRC32C")))
        bench_die_of(b, "login", "the target does not agree to digests");
    if (b->write && said(text, len, "ImmediateData", "Yes"))
        conn->immediate = smaller(smaller(b->block_len, conn->max_pdu_len), first);
    conn->unsolicited = conn->immediate;
    if (b->write && said(text, len, "InitialR2T", "No"))
        conn->unsolicited = smaller(b->block_len, first);
}

/* TEST UNIT READY until it is GOOD: what the LUN has to tell a new session first, a CHECK CONDITION
 * each (SPC-4 5.14), would end the measurement. */
static void unit_attentions_take(struct canned_conn *conn)
{
    for (unsigned i = 0; i < READY_TRIES; i++) {
        uint8_t bhs[CANNED_BHS_LEN + 4] = {0x01, 0x81}, data[4096];
        bhs[9] = (uint8_t)conn->c->b->lun;
        iskra_put_be32(bhs + 24, conn->cmd_sn++);
        iskra_put_be32(bhs + 28, conn->stat_sn);
        canned_digest_header(conn, bhs);
        bench_send(conn->fd, bhs, canned_hdr_len(conn));
        do
            (void)recv_pdu(conn, bhs, data, sizeof(data));
        while ((bhs[0] & 0x3f) != 0x21);
        conn->stat_sn = iskra_get_be32(bhs + 24) + 1;
        conn->max_cmd_sn = iskra_get_be32(bhs + 32);
        if (bhs[2] == 0 && bhs[3] == 0)
            return;
    }
    bench_die_of(conn->c->b, "LUN", "is not ready");
}

void canned_log_in(struct canned_conn *conn)
{
    struct bench *b = conn->c->b;
    uint8_t bhs[CANNED_BHS_LEN] = {0x43, 0x87}, data[8192 + 1];
    char text[1024];
    const char *digest = b->digests ? "CRC32C" : "None";
    uint32_t pid = (uint32_t)getpid();
    int len = snprintf(
        text, sizeof(text),
        "InitiatorName=iqn.2026-11.io.iskra:canned%cTargetName=%s%cSessionType=Normal%c"
        "HeaderDigest=%s%cDataDigest=%s%cMaxRecvDataSegmentLength=%u%cInitialR2T=No%c"
        "ImmediateData=Yes%cMaxBurstLength=16776192%cFirstBurstLength=%u%cMaxOutstandingR2T=8%c"
        "MaxConnections=1%cErrorRecoveryLevel=0%c",
        0, b->target, 0, 0, digest, 0, digest, 0, CANNED_OFFERED_LEN, 0, 0, 0, 0,
        CANNED_OFFERED_LEN, 0, 0, 0, 0);
    iskra_put_be24(bhs + 5, (uint32_t)len);
    bhs[8] = 0x80; /* ISID of the "random" kind, this process's and connection's own */
    iskra_put_be24(bhs + 9, pid);
    iskra_put_be16(bhs + 12, (uint16_t)conn->number);
    iskra_put_be32(bhs + 24, 1);
    memset(text + len, 0, 4);
    bench_send(conn->fd, bhs, CANNED_BHS_LEN);
    bench_send(conn->fd, text, ((size_t)len + 3) & ~(size_t)3);
    uint32_t answer_len = recv_pdu(conn, bhs, data, sizeof(data) - 1);
    data[answer_len] = 0;
    if (bhs[0] != 0x23 || bhs[36] != 0 || (bhs[1] & 0x83) != 0x83)
        bench_die_of(b, "login", "the target does not log in at once");
    conn->cmd_sn = 1;
    conn->stat_sn = iskra_get_be32(bhs + 24) + 1;
    conn->max_cmd_sn = iskra_get_be32(bhs + 32);
    take_answer(conn, data, answer_len);
    unit_attentions_take(conn);
}
