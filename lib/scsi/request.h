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
#include <iskra/extent.h>

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
    ISKRA_REQUEST_UNMAP,
    ISKRA_REQUEST_WRITE_ZEROES,
    ISKRA_REQUEST_BLOCK_STATUS,
    /* Operations of a disk that must not be done twice: tried once they are known not to have been
     * done. */
    ISKRA_REQUEST_COMPARE_AND_WRITE,
    ISKRA_REQUEST_RAW,      /* a caller's CDB: tried once, sees its unit attentions */
    ISKRA_REQUEST_INTERNAL, /* the scan's own CDBs: like RAW, but harmless to repeat */
};

#define ISKRA_REQUEST_CDB_LEN   16u
#define ISKRA_REQUEST_PARAM_LEN 24u  /* an UNMAP list of one range */
#define ISKRA_REQUEST_SIZE_MAX  480u /* what lib/api's opaque tail has to hold at most */

/* In the order of use: what ending a command looks at lies side by side, just before the command's
 * own (iskra_itt_to_ctask fetches it), what few need is at both ends. */
struct iskra_scsi_request {
    uint64_t covered_cnt; /* FLUSH: of the device's written_cnt */
    /* BLOCK_STATUS: the caller's array, its room, what was found. */
    struct iskra_extent *extents;
    uint32_t extent_max, extent_cnt;

    struct iskra_sdev *sdev;
    iskra_scsi_done_fn *done;
    struct iskra_error *error; /* filled when status is not 0; may be NULL */
    uint64_t offset, len;      /* bytes: of the disk, or of data (RAW, INTERNAL); FLUSH: 0 */
    uint64_t progress;         /* bytes of len that are in place */
    uint64_t piece_len;        /* bytes of len that the command stands for */
    uint64_t started_ns;       /* first dispatch on the host's clock; 0 before. Bounds retries. */
    int status;                /* valid in done(): 0 or a negative errno */
    uint8_t kind;              /* enum iskra_request_kind */
    uint8_t retries, allowed;
    uint8_t way; /* UNMAP, WRITE_ZEROES: how the command goes about it (space.h) */
    uint8_t cdb[ISKRA_REQUEST_CDB_LEN];
    bool fua : 1;       /* WRITE, WRITE_ZEROES: done when it is on the medium */
    bool may_unmap : 1; /* WRITE_ZEROES: the range need not stay allocated */

    /* The mid-layer's own. */
    bool lent : 1;      /* the session has the command: scsi_done is still to come */
    bool postponed : 1; /* finished by a verdict while lent: softirq_done waits for scsi_done */
    bool busy : 1;      /* counted in the busy counters */
    bool timed_out : 1; /* the verdict was NOT_HANDLED: it ends as a timeout */
    bool in_eh : 1;     /* on a list of the error handler's; so are the next four its own */
    bool abort_scheduled : 1; /* it was aborted before: next time, up the ladder */
    bool settled : 1;         /* its fate is decided: only scsi_done is waited for */
    bool eh_seen : 1;         /* an answer that said nothing has led up the ladder before */
    bool sense_asked : 1;     /* by a REQUEST SENSE of the error handler's */
    bool canceled : 1;        /* nobody wants it any more: no retry, no next command */
    bool canceled_in_eh : 1; /* since the error handler had it: it ends as that, not as a timeout */
    bool detached : 1;       /* nobody even knows of it any more (detach.c) */
    bool synced : 1;         /* FLUSH, FUA without the bit: SYNCHRONIZE CACHE went well */
    bool syncing : 1;        /* the same: it is due or out, and has its longer timeout */
    bool restarted : 1;      /* FUA without the bit: written again; its retries are counted on */
    bool by_range : 1;       /* the command names its range: all of the piece is done, or nothing */
    bool unmaps : 1;         /* WRITE_ZEROES: the command may unmap */

    struct iskra_request rq;
    struct iskra_cmnd cmnd;

    struct iovec param_iov;
    uint8_t param[ISKRA_REQUEST_PARAM_LEN];
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

/* The range is not needed any more: what it reads as afterwards is the device's affair.
 * -EOPNOTSUPP: the device does not unmap; other errors as for writes. */
int iskra_scsi_submit_unmap(struct iskra_scsi_request *sreq, uint64_t offset, uint64_t len);

/* The range reads as zeros afterwards. may_unmap: it need not stay allocated. Errors as for writes.
 */
int iskra_scsi_submit_write_zeroes(struct iskra_scsi_request *sreq, uint64_t offset, uint64_t len,
                                   bool fua, bool may_unmap);

/* If the len bytes at offset equal the first len bytes of iov, the second len bytes of it are
 * written there, atomically. -EOPNOTSUPP: the device has no such command; -EINVAL: len is 0 or more
 * than it takes; other errors as for writes. Sent once. */
int iskra_scsi_submit_compare_and_write(struct iskra_scsi_request *sreq, const struct iovec *iov,
                                        uint32_t iov_cnt, uint64_t offset, uint64_t len);

/* Fills at most extent_max (1 or more) extents, the first one beginning at offset: without gaps,
 * but perhaps not up to the end of the range. extents must live until done(). */
int iskra_scsi_submit_block_status(struct iskra_scsi_request *sreq, struct iskra_extent *extents,
                                   uint32_t extent_max, uint64_t offset, uint64_t len);

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

/* Queued: done() runs at the end of the round with -ECANCELED. Sent: the target is asked to abort
 * it; done() runs when it has, or when the session is gone, with -ECANCELED, or with the status
 * that came first; one that the target refuses to abort ends by itself, without retry. Returns 0.
 * Finished: -EALREADY, nothing. */
int iskra_scsi_cancel(struct iskra_scsi_request *sreq);

/* Cancels, and takes the request back at once (detach.c): done() does not run any more, no memory
 * of the request's or its caller's is touched after this call. Not from inside its done(). Returns
 * 0; -EALREADY if done() has run; -ENOMEM, or -EBUSY if a driver keeps its memory, and nothing
 * happened. */
int iskra_scsi_detach(struct iskra_scsi_request *sreq);

static inline bool iskra_scsi_request_is_block(const struct iskra_scsi_request *sreq)
{
    return sreq->kind <= ISKRA_REQUEST_COMPARE_AND_WRITE;
}

/* May it be done twice? (decision 25) */
static inline bool iskra_scsi_request_is_idempotent(const struct iskra_scsi_request *sreq)
{
    return sreq->kind < ISKRA_REQUEST_COMPARE_AND_WRITE;
}

static inline struct iskra_scsi_request *iskra_scsi_request_of(struct iskra_request *rq)
{
    return iskra_container_of(rq, struct iskra_scsi_request, rq);
}

#endif
