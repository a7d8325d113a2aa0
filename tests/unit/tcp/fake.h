/* A session that is not there: what the segment engine asks of the layer above, answered from a
 * small table of tasks, and everything it reports kept for the test to look at. With it, a stream
 * to feed and a transport that reads it in pieces of any size. */
#ifndef ISKRA_TEST_TCP_FAKE_H
#define ISKRA_TEST_TCP_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iskra/platform.h>

#include "tcp/recv.h"
#include "trace.h"
#include "wire/bhs.h"

#define FAKE_TASK_CNT    8
#define FAKE_IOV_CNT     16
#define FAKE_R2T_CNT     4
#define FAKE_STAGING_LEN (64u * 1024u)
#define FAKE_RECORD_CNT  4096u /* trace ring */

struct fake_task {
    struct iskra_tcp_task tcp;
    bool known; /* itt_to_ctask finds it */
    int ref_cnt;
    struct iovec iov[FAKE_IOV_CNT];
    uint32_t iov_cnt;
    uint8_t *memory; /* transfer_len bytes, cut into iov */
    struct iskra_r2t_queue r2ts;
    struct iskra_r2t r2t_memory[FAKE_R2T_CNT];
};

struct fake {
    struct iskra_tcp_conn conn;
    struct iskra_trace trace;
    struct iskra_platform pf;
    struct fake_task tasks[FAKE_TASK_CNT];
    uint8_t staging[FAKE_STAGING_LEN];
    bool logged_in;
    unsigned allocs_left; /* the one after that fails */

    /* What happens in complete_pdu. */
    enum iskra_conn_error complete_error; /* what it returns */
    bool suspend_in_complete;

    /* What was seen. */
    unsigned failure_cnt, complete_cnt, window_update_cnt, r2t_cnt, closed_cnt, write_space_cnt;
    unsigned after_failure_cnt; /* calls of any kind after conn_failure */
    unsigned get_cnt, put_cnt;
    enum iskra_conn_error failure;
    uint32_t exp_cmd_sn, max_cmd_sn;
    uint8_t last_hdr[ISKRA_BHS_LEN];
    uint8_t last_data[ISKRA_CONN_BUF_LEN];
    uint32_t last_data_len;
    uint32_t complete_crc; /* over header and data of every completed PDU */
};

void fake_init(struct fake *f);
void fake_done(struct fake *f);

/* STOP_CONN and a new BIND_CONN. */
void fake_reset(struct fake *f);

/* A task of its own memory, filled with 0xee and cut into iov_cnt entries of random sizes, some of
 * them empty. The tag is 0x10000000 + its index. */
struct fake_task *fake_task_add(struct fake *f, enum iskra_data_dir dir, uint32_t transfer_len,
                                uint32_t iov_cnt, uint32_t seed);

/* The task as if its command had just been sent. */
void fake_task_restart(struct fake_task *task);

/* A byte stream being put together. */
struct stream {
    uint8_t *bytes;
    size_t len, cap;
    bool hdr_digest, data_digest;
};
void stream_done(struct stream *s);
void stream_put(struct stream *s, const void *bytes, size_t len);

/* One PDU: the two length fields of `bhs` are set from ahs_len (a multiple of 4) and data_len; pad
 * bytes are zero, digests computed bit by bit. */
void stream_put_pdu(struct stream *s, const uint8_t *bhs, const void *ahs, uint32_t ahs_len,
                    const void *data, uint32_t data_len);

/* CRC32C the slow way, so that the tests do not share the library's. */
uint32_t slow_crc32c(uint32_t crc, const void *data, size_t len);

/* Headers of a target, ITT given, the rest plausible. */
void bhs_of(uint8_t *bhs, enum iskra_opcode opcode, uint32_t itt);
void bhs_of_data_in(uint8_t *bhs, uint32_t itt, uint32_t data_sn, uint32_t offset, bool status);
void bhs_of_r2t(uint8_t *bhs, uint32_t itt, uint32_t r2t_sn, uint32_t offset, uint32_t desired_len);

/* A NOP-In of no consequence. */
void stream_put_nop_in(struct stream *s);

/* A task that reads len bytes, and in the stream its answer: one Data-In with status. */
struct fake_task *fake_put_read(struct fake *f, struct stream *s, uint32_t len, uint32_t iov_cnt);

/* Pseudo-random numbers that are the same everywhere. */
uint32_t rand_next(uint32_t *seed);
void rand_fill(uint32_t *seed, uint8_t *buf, size_t len);

/* How much the fake transport reads at a time. */
struct chunks {
    size_t fixed; /* 0: random */
    size_t max;   /* of a random size */
    uint32_t seed;
};
size_t chunks_next(struct chunks *chunks);

/* Hands the stream to a port as a transport does: window, bytes into it, recv. Stops at its end, or
 * when the port wants no more. Returns the last recv()'s result; *ret_used says how much was taken.
 */
int port_feed(struct iskra_port *port, uint8_t *staging, size_t staging_len, const uint8_t *bytes,
              size_t len, struct chunks *chunks, size_t *ret_used);
int fake_feed(struct fake *f, const uint8_t *bytes, size_t len, struct chunks *chunks,
              size_t *ret_used);

/* The whole stream at once, which must be taken without error. */
void fake_feed_all(struct fake *f, const struct stream *s);

/* PDU-level records of the trace: how many PDU_IN there were, and the i-th of them. */
unsigned fake_pdu_in_cnt(const struct fake *f);
const struct iskra_trace_record *fake_pdu_in(const struct fake *f, unsigned i);

#endif
