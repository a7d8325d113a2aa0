/* The rig for writes: sessions that negotiated this or that, commands over scatter lists, R2Ts, and
 * the comparison with what the generator expects. */
#ifndef ISCSI_WRITE_RIG_H
#define ISCSI_WRITE_RIG_H

#include "rig.h"
#include "write_gen.h"

#define WRITE_IOV_CNT 24
#define WRITE_TTT     0x7e000000u

/* A write whose memory is cut into pieces. */
struct write_cmd {
    struct rig_cmd cmd; /* first; its data is what is written */
    uint8_t sheet[RIG_DATA_LEN * 2];
    struct iovec iov[WRITE_IOV_CNT];
    uint32_t r2t_sn;
    struct gen_write gen;
    uint8_t plain[RIG_DATA_LEN]; /* its data in one piece */
};

static const struct gen_keys write_keys_default = {
    .immediate_data = true,
    .initial_r2t = true,
    .first_burst = 1024,
    .max_burst = 4096,
    .max_recv = 512,
};

/* All data waits for R2Ts. */
static const struct gen_keys write_keys_solicited = {
    .initial_r2t = true,
    .first_burst = 1024,
    .max_burst = 4096,
    .max_recv = 512,
};

struct rig *write_rig(const struct gen_keys *keys, uint32_t max_r2t);

/* A write of len <= RIG_DATA_LEN bytes in pieces of odd sizes, some of them empty, some way into
 * the list. */
void write_init(struct rig *r, struct write_cmd *w, uint32_t len, uint32_t seed);

/* Queued; the numbers that the generator needs are noted. Nothing runs. */
void write_queue(struct rig *r, struct write_cmd *w);

/* Both of that. */
void write_submit(struct rig *r, struct write_cmd *w, uint32_t len, uint32_t seed);

/* And run, with the first burst as expected. Returns how much of the data that held. */
uint32_t write_begin(struct rig *r, const struct gen_keys *keys, struct write_cmd *w, uint32_t len,
                     uint32_t seed);

/* The socket, full so far, takes len bytes more. */
void write_socket_takes(struct rig *r, size_t len);

/* The whole first burst is sent and is as expected. Returns how much of the data it held. */
uint32_t write_expect_command(struct rig *r, const struct gen_keys *keys,
                              const struct write_cmd *w);

/* An R2T for it; *ret (may be NULL) is what the generator needs. */
void write_feed_r2t(struct rig *r, struct write_cmd *w, uint32_t offset, uint32_t len,
                    struct gen_r2t *ret);

void write_expect_answer(struct rig *r, const struct gen_keys *keys, const struct write_cmd *w,
                         const struct gen_r2t *r2t);

/* len bytes are the next that were sent. */
void write_expect_bytes(struct rig *r, const uint8_t *want, size_t len);

/* GOOD arrives, and the write is over without a residual. */
void write_finish(struct rig *r, struct write_cmd *w);

/* The next PDU sent is a Data-Out. */
struct iskra_pdu_data_out write_sent_data_out(struct rig *r);

#endif
