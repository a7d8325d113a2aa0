/* An initiator made of its own captured bytes: the commands it sent become tasks, and the target's
 * bytes go through the receive engine to them. */
#ifndef ISKRA_TEST_REPLAY_H
#define ISKRA_TEST_REPLAY_H

#include "unit/tcp/fake.h"

#define REPLAY_IOV_CNT  4
#define REPLAY_R2T_CNT  4
#define REPLAY_DISK_LEN (64u * 1024u * 1024u)

/* One SCSI command, in the order in which the initiator sent them. */
struct replay_cmd {
    struct iskra_tcp_task task;
    uint8_t opcode; /* of the CDB */
    uint64_t lba;
    uint32_t blocks;
    uint8_t *memory;  /* transfer_len bytes: where its Data-In goes */
    uint8_t *carried; /* what must be there afterwards: the payloads of its Data-In PDUs */
    /* A read's blocks as they were written before, and which of the bytes those are; NULL if it is
     * no read. */
    uint8_t *disk, *written;
    struct iovec iov[REPLAY_IOV_CNT];
    struct iskra_r2t_queue r2ts;
    struct iskra_r2t r2t_memory[REPLAY_R2T_CNT];
    bool complete;
    int ref_cnt;
};

struct replay {
    struct iskra_tcp_conn conn;
    struct iskra_platform pf;
    struct iskra_trace trace;
    uint8_t staging[FAKE_STAGING_LEN];
    struct replay_cmd *cmds;
    unsigned cmd_cnt, cmd_cap;
    bool digests;    /* on once the login is over */
    bool login_over; /* the final Login Response has come */
    unsigned failure_cnt, complete_cnt;
};

struct replay_bytes {
    const uint8_t *bytes;
    size_t len;
};

/* Reads both streams with a parser of its own. digests: negotiated in this session. */
void replay_init(struct replay *r, struct replay_bytes initiator, struct replay_bytes target,
                 bool digests);
void replay_done(struct replay *r);

/* Sends the target's stream through the engine from the start, read in the given chunks. Returns
 * the engine's last result. */
int replay_run(struct replay *r, const uint8_t *bytes, size_t len, struct chunks chunks);

/* Has every command's memory what its Data-In PDUs carried, and nothing else? */
bool replay_memory_matches(const struct replay *r);

/* Reads of blocks that the same session had written before: bytes that are what was written, bytes
 * that are not. */
void replay_compare_with_disk(const struct replay *r, size_t *ret_same_len, size_t *ret_other_len);

#endif
