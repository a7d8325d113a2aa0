/* What the canned client sends: commands with as much data as may go with them, and the data that
 * R2Ts ask for. */
#include "canned.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "wire/be.h"
#include "wire/crc32c.h"

#define IOV_CNT 512

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

void canned_encode(struct canned *c, uint32_t tag)
{
    const struct bench *b = c->b;
    const struct canned_conn *conn = &c->conns[tag % b->session_cnt];
    uint8_t *bhs = c->pdus + (size_t)tag * CANNED_BHS_LEN;
    memset(bhs, 0, CANNED_BHS_LEN);
    bhs[0] = 0x01;
    bhs[1] = b->write ? 0x21 : 0xc1; /* W or F and R, SIMPLE */
    if (b->write && conn->unsolicited == conn->immediate)
        bhs[1] |= 0x80;
    iskra_put_be24(bhs + 5, conn->immediate);
    bhs[9] = (uint8_t)b->lun;
    iskra_put_be32(bhs + 16, tag);
    iskra_put_be32(bhs + 20, b->block_len);
    bhs[32] = b->write ? 0x2a : 0x28; /* WRITE(10), READ(10) */
    iskra_put_be16(bhs + 39, (uint16_t)(b->block_len / b->sector_len));
}

void canned_digest_header(const struct canned_conn *conn, uint8_t *bhs)
{
    if (conn->digests)
        iskra_crc32c_put(bhs + CANNED_BHS_LEN, iskra_crc32c_finish(iskra_crc32c_update(
                                                   ISKRA_CRC32C_INIT, bhs, CANNED_BHS_LEN)));
}

/* All payloads are of the same bytes, so that the digest depends on the length alone. */
static uint32_t digest_of(struct canned *c, uint32_t len)
{
    if (len != c->digest_len) {
        uint8_t wire[4];
        iskra_crc32c_put(wire,
                         iskra_crc32c_finish(iskra_crc32c_update(ISKRA_CRC32C_INIT, c->data, len)));
        memcpy(&c->digest, wire, 4);
        c->digest_len = len;
    }
    return c->digest;
}

static void send_iov(const struct canned_conn *conn, struct iovec *iov, size_t cnt)
{
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = cnt};
    while (msg.msg_iovlen > 0) {
        ssize_t n = sendmsg(conn->fd, &msg, MSG_NOSIGNAL);
        if (n < 0)
            bench_die("sendmsg");
        while (msg.msg_iovlen > 0 && (size_t)n >= msg.msg_iov->iov_len) {
            n -= (ssize_t)msg.msg_iov->iov_len;
            msg.msg_iov++;
            msg.msg_iovlen--;
        }
        if (n > 0) {
            msg.msg_iov->iov_base = (char *)msg.msg_iov->iov_base + n;
            msg.msg_iov->iov_len -= (size_t)n;
        }
    }
}

/* Header, data and digest of a PDU; how many vectors they take. */
static size_t pdu_iov(struct canned_conn *conn, struct iovec *iov, uint8_t *bhs, uint32_t tag,
                      uint32_t offset, uint32_t len)
{
    struct canned *c = conn->c;
    iov[0] = (struct iovec){bhs, canned_hdr_len(conn)};
    if (len == 0)
        return 1;
    iov[1] = (struct iovec){c->data + (size_t)tag * c->b->block_len + offset, len};
    if (!conn->digests)
        return 2;
    (void)digest_of(c, len);
    iov[2] = (struct iovec){&c->digest, 4};
    return 3;
}

void canned_send_data(struct canned_conn *conn, uint32_t tag, const uint8_t *lun_tags,
                      uint32_t offset, uint32_t left)
{
    for (uint32_t sn = 0; left > 0; sn++) {
        uint8_t bhs[CANNED_BHS_LEN + 4] = {0x05};
        uint32_t len = smaller(left, conn->max_pdu_len);
        struct iovec iov[3];
        bhs[1] = len == left ? 0x80 : 0;
        iskra_put_be24(bhs + 5, len);
        memcpy(bhs + 8, lun_tags, 16);
        iskra_put_be32(bhs + 28, conn->stat_sn);
        iskra_put_be32(bhs + 36, sn);
        iskra_put_be32(bhs + 40, offset);
        canned_digest_header(conn, bhs);
        send_iov(conn, iov, pdu_iov(conn, iov, bhs, tag, offset, len));
        offset += len;
        left -= len;
    }
}

static void send_unsolicited(struct canned_conn *conn, uint32_t tag)
{
    uint8_t lun_tags[16];
    memcpy(lun_tags, conn->c->pdus + (size_t)tag * CANNED_BHS_LEN + 8, 12);
    memset(lun_tags + 12, 0xff, 4);
    canned_send_data(conn, tag, lun_tags, conn->immediate, conn->unsolicited - conn->immediate);
}

void canned_queue(struct canned_conn *conn, uint32_t tag)
{
    struct canned *c = conn->c;
    if ((int32_t)(conn->cmd_sn - conn->max_cmd_sn) > 0) {
        conn->waiting[conn->waiting_cnt++] = tag;
        return;
    }
    uint8_t *bhs = conn->out + (size_t)conn->out_cnt * canned_hdr_len(conn);
    conn->out_tags[conn->out_cnt++] = tag;
    memcpy(bhs, c->pdus + (size_t)tag * CANNED_BHS_LEN, CANNED_BHS_LEN);
    iskra_put_be32(bhs + 24, conn->cmd_sn++);
    iskra_put_be32(bhs + 28, conn->stat_sn);
    iskra_put_be32(bhs + 34, (uint32_t)(bench_place(c->b) / c->b->sector_len));
    canned_digest_header(conn, bhs);
    c->tags[tag] = (struct canned_tag){.since_ns = c->b->now_ns};
    conn->in_flight++;
}

void canned_flush(struct canned_conn *conn)
{
    struct iovec iov[IOV_CNT];
    size_t cnt = 0;
    if (conn->immediate == 0 && conn->unsolicited == 0)
        bench_send(conn->fd, conn->out, (size_t)conn->out_cnt * canned_hdr_len(conn));
    for (uint32_t i = 0; conn->unsolicited > 0 && i < conn->out_cnt; i++) {
        uint8_t *bhs = conn->out + (size_t)i * canned_hdr_len(conn);
        bool more = conn->unsolicited > conn->immediate;
        cnt += pdu_iov(conn, iov + cnt, bhs, conn->out_tags[i], 0, conn->immediate);
        if (more || cnt + 3 > IOV_CNT || i + 1 == conn->out_cnt) {
            send_iov(conn, iov, cnt);
            cnt = 0;
        }
        if (more)
            send_unsolicited(conn, conn->out_tags[i]);
    }
    conn->out_cnt = 0;
}

void canned_answer_ping(struct canned_conn *conn, const uint8_t *ping)
{
    uint8_t bhs[CANNED_BHS_LEN + 4] = {0x40, 0x80};
    if (iskra_get_be32(ping + 20) == 0xffffffff)
        return;
    memcpy(bhs + 8, ping + 8, 8);
    memset(bhs + 16, 0xff, 4);
    memcpy(bhs + 20, ping + 20, 4);
    iskra_put_be32(bhs + 24, conn->cmd_sn);
    iskra_put_be32(bhs + 28, conn->stat_sn);
    canned_digest_header(conn, bhs);
    bench_send(conn->fd, bhs, canned_hdr_len(conn));
}
