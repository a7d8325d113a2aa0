/* The canned client's connections. One thread, no parsing beyond what moves the stream on. */
#ifndef ISKRA_BENCH_CANNED_H
#define ISKRA_BENCH_CANNED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "measure.h"

#define CANNED_BHS_LEN     48u
#define CANNED_OFFERED_LEN 262144u /* first burst, PDUs */
#define CANNED_NO_TAG      0xffffffffu

/* What has been received of the stream. A PDU that has ended a command counts when its last byte,
 * digest included, is there. */
struct canned_input {
    uint8_t rest[CANNED_BHS_LEN + 4]; /* a header, or digest, that is not complete */
    size_t have;                      /* bytes of it */
    size_t skip;                      /* bytes of data still to come */
    bool digest_due;                  /* then the data's digest */
    uint32_t crc;
    uint32_t ended; /* tag of the command that this PDU ends, or CANNED_NO_TAG */
};

struct canned_tag {
    uint64_t since_ns;
    uint32_t got; /* bytes read */
};

struct canned;

struct canned_conn {
    struct canned *c;
    int fd;
    uint32_t number, tag_cnt; /* its tags: number, number + connections, ... */
    struct canned_input in;
    uint8_t *out;         /* what is to be sent: headers back to back, digests in between */
    uint32_t out_cnt;     /* commands in it */
    uint32_t *out_tags;   /* theirs */
    bool digests;         /* negotiated */
    uint32_t immediate;   /* bytes of a write that go with its command */
    uint32_t unsolicited; /* bytes of a write that go without an R2T, those included */
    uint32_t max_pdu_len; /* data bytes that the target takes in one PDU */
    uint32_t cmd_sn, stat_sn, max_cmd_sn;
    uint32_t in_flight;
    uint32_t *waiting; /* tags that the target's command window has no room for */
    uint32_t waiting_cnt;
};

struct canned {
    struct bench *b;
    uint8_t *in_buf; /* of all connections: they leave at most a header in it */
    uint8_t *pdus;   /* one for each tag */
    struct canned_tag *tags;
    uint8_t *data; /* of writes: one block for each tag, all of the same bytes */
    struct canned_conn *conns;
    struct bench_set set;
    uint32_t digest_len, digest; /* of a payload of the length last asked for */
};

/* Straight into the operational stage and on to full feature phase; dies if the target wants more
 * than that. */
void canned_log_in(struct canned_conn *conn);

static inline uint32_t canned_hdr_len(const struct canned_conn *conn)
{
    return conn->digests ? CANNED_BHS_LEN + 4 : CANNED_BHS_LEN;
}

/* Behind a header, if there are digests. */
void canned_digest_header(const struct canned_conn *conn, uint8_t *bhs);
void canned_encode(struct canned *c, uint32_t tag);
/* The next command of this tag: a new address and numbers, laid behind those already there; or it
 * waits for the window (RFC 7143 4.2.2.1). */
void canned_queue(struct canned_conn *conn, uint32_t tag);
void canned_flush(struct canned_conn *conn);
/* Data that an R2T asks for, or unsolicited data, in PDUs as large as the target takes. lun_tags:
 * bytes 8 to 23 of their headers. */
void canned_send_data(struct canned_conn *conn, uint32_t tag, const uint8_t *lun_tags,
                      uint32_t offset, uint32_t left);
/* The target's ping wants its tag back (RFC 7143 11.18). */
void canned_answer_ping(struct canned_conn *conn, const uint8_t *ping);

#endif
