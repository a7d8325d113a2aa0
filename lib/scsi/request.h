/* One SCSI request: a block request, the command it becomes, and how far it got (spec 3.4).
 *
 * The memory is the caller's (lib/api keeps it in the opaque tail of struct iskra_io; the scan
 * embeds one), lent from a successful submit until done() runs: exactly once, at the end of a
 * round, never from inside a submit or a cancel. Inside done() it may be submitted again or freed,
 * the device may be removed. A read or write larger than the device's max_transfer_len becomes
 * several commands, one after the other. */
#ifndef ISKRA_SCSI_REQUEST_H
#define ISKRA_SCSI_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <iskra/error.h>

#include "block/queue.h"
#include "iscsi/cmd.h"

struct iskra_sdev;
struct iskra_scsi_request;

typedef void iskra_scsi_done_fn(struct iskra_scsi_request *sreq);

enum iskra_request_kind {
    /* Operations of a disk: idempotent, so retried (decision 25); they see no unit attentions. */
    ISKRA_REQUEST_READ,
    ISKRA_REQUEST_WRITE,
    ISKRA_REQUEST_FLUSH,
    ISKRA_REQUEST_RAW,      /* a caller's CDB: tried once, sees its unit attentions */
    ISKRA_REQUEST_INTERNAL, /* the scan's own CDBs: like RAW, but harmless to repeat */
};

#define ISKRA_REQUEST_CDB_LEN  16u
#define ISKRA_REQUEST_SIZE_MAX 384u /* what lib/api's opaque tail has to hold at most */

struct iskra_scsi_request {
    struct iskra_request rq;
    struct iskra_cmnd cmnd;
    struct iskra_sdev *sdev;
    iskra_scsi_done_fn *done;
    struct iskra_error *error; /* filled when status is not 0; may be NULL */
    uint64_t offset, len;      /* bytes: of the disk (READ, WRITE), of data (RAW); FLUSH: 0 */
    uint64_t progress;         /* bytes of len that are in place */
    uint64_t covered_cnt;      /* FLUSH: of the device's written_cnt */
    uint64_t started_ns;       /* first dispatch on the host's clock; 0 before. Bounds retries. */
    int status;                /* valid in done(): 0 or a negative errno */
    uint8_t kind;              /* enum iskra_request_kind */
    uint8_t retries, allowed;
    uint8_t cdb[ISKRA_REQUEST_CDB_LEN];
    bool fua : 1; /* WRITE: done when it is on the medium */

    /* The mid-layer's own. */
    bool lent : 1;      /* the session has the command: scsi_done is still to come */
    bool postponed : 1; /* finished by a verdict while lent: softirq_done waits for scsi_done */
    bool busy : 1;      /* counted in the busy counters */
    bool timed_out : 1; /* the verdict was NOT_HANDLED: it ends as a timeout */
    bool canceled : 1;  /* nobody wants it any more: no retry, no next command */
    bool synced : 1;    /* FLUSH, FUA without the bit: SYNCHRONIZE CACHE went well */
    bool syncing : 1;   /* the same: it is due or out, and has its longer timeout */
    bool restarted : 1; /* FUA without the bit: written again; its retries are counted on */
};

_Static_assert(sizeof(struct iskra_scsi_request) <= ISKRA_REQUEST_SIZE_MAX,
               "see ISKRA_IO_TAIL_LEN");

/* Before each submit. rq.timeout_ns (0: the device's default) may be set afterwards. */
void iskra_scsi_request_init(struct iskra_scsi_request *sreq, struct iskra_sdev *sdev,
                             iskra_scsi_done_fn *done, struct iskra_error *error);

/* Reads len bytes at offset. iov (iov_cnt parts, together at least len bytes) must live until
 * done(). 0: done() will run. Else nothing is taken, *error is filled: -EINVAL (not aligned to
 * blocks, iov too short), -ERANGE (beyond the end), -ENODEV (not a disk of known size, or removed).
 * Length 0 is done without a command. */
int iskra_scsi_submit_read(struct iskra_scsi_request *sreq, const struct iovec *iov,
                           uint32_t iov_cnt, uint64_t offset, uint64_t len);

/* Writes len bytes at offset; errors as above, and -EROFS: the LUN is write-protected or formatted
 * with protection information (decision 34). fua: done() means that they are on the medium, by the
 * FUA bit where the device has it, else by a SYNCHRONIZE CACHE behind them (decision 29). */
int iskra_scsi_submit_write(struct iskra_scsi_request *sreq, const struct iovec *iov,
                            uint32_t iov_cnt, uint64_t offset, uint64_t len, bool fua);

/* Everything whose done() has run before this call is on the medium when this one's does. A device
 * without a write cache is sent nothing. Without a timeout of its own it has twice the device's. */
int iskra_scsi_submit_flush(struct iskra_scsi_request *sreq);

/* Sends a CDB as it is (1..260 bytes, living until done()), with len bytes of data at most (0:
 * none), in or out by dir. len - progress is the residual in done(). -EINVAL, -ENODEV as above. */
int iskra_scsi_submit_raw(struct iskra_scsi_request *sreq, const uint8_t *cdb, uint32_t cdb_len,
                          enum iskra_data_dir dir, const struct iovec *iov, uint32_t iov_cnt,
                          uint32_t len);

/* As raw with data in, from the 16 bytes of sreq->cdb that the caller filled; retried where that is
 * safe. */
int iskra_scsi_submit_internal(struct iskra_scsi_request *sreq, uint32_t cdb_len,
                               const struct iovec *iov, uint32_t iov_cnt, uint32_t len);

/* Queued: done() runs at the end of the round with -ECANCELED; returns 0. Sent: it ends when the
 * target answers, without retry; returns -EALREADY. Finished: -EALREADY, nothing. */
int iskra_scsi_cancel(struct iskra_scsi_request *sreq);

static inline bool iskra_scsi_request_is_block(const struct iskra_scsi_request *sreq)
{
    return sreq->kind <= ISKRA_REQUEST_FLUSH;
}

static inline struct iskra_scsi_request *iskra_scsi_request_of(struct iskra_request *rq)
{
    return iskra_container_of(rq, struct iskra_scsi_request, rq);
}

#endif
