/* A SCSI device: one LUN with its queue (spec 3.1, 3.6; notes F44, notes F37).
 *
 * alloc_sdev makes it, alloc_queue gives it a request queue whose request_fn, timed_out and
 * softirq_done are the mid-layer's. The scan fills in what the LUN says of itself. Two devices of
 * the same LUN may exist side by side: one per open. */
#ifndef ISKRA_SCSI_DEVICE_H
#define ISKRA_SCSI_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iskra/error.h>

#include "block/queue.h"
#include "list.h"
#include "scsi/space.h"
#include "wire/inquiry.h"
#include "wire/sense.h"

struct iskra_shost;

enum iskra_sdev_state {
    ISKRA_SDEV_CREATED, /* being scanned: internal commands only */
    ISKRA_SDEV_RUNNING,
    ISKRA_SDEV_BLOCK,             /* its session is being recovered: all waits */
    ISKRA_SDEV_CREATED_BLOCK,     /* the same, while being scanned */
    ISKRA_SDEV_QUIESCE,           /* internal commands only, others wait */
    ISKRA_SDEV_OFFLINE,           /* the error handler gave it up */
    ISKRA_SDEV_TRANSPORT_OFFLINE, /* its session did not come back in time, or ended */
    ISKRA_SDEV_CANCEL,            /* being removed: what is out is waited for */
    ISKRA_SDEV_DEL,
    ISKRA_SDEV_STATE_CNT
};
const char *iskra_sdev_state_name(enum iskra_sdev_state state); /* "RUNNING"; "?" */
bool iskra_sdev_state_may_change(enum iskra_sdev_state from, enum iskra_sdev_state to);

/* What a device in this state says to a request at the head of its queue (spec 3.1). */
enum iskra_prep {
    ISKRA_PREP_OK,
    ISKRA_PREP_DEFER, /* stays where it is */
    ISKRA_PREP_KILL,  /* ends with DID_NO_CONNECT */
};
enum iskra_prep iskra_sdev_prep_state_check(enum iskra_sdev_state state, bool preempt);

#define ISKRA_SDEV_TIMEOUT_NS      UINT64_C(30000000000)
#define ISKRA_SDEV_REMOVE_WAIT_NS  UINT64_C(5000000000)
#define ISKRA_SDEV_RETRIES_ALLOWED 5u
#define ISKRA_SDEV_QUEUE_DEPTH     32u
#define ISKRA_SDEV_TRANSFER_MAX    (1024u * 1024u) /* bytes per command */
#define ISKRA_BLOCK_LEN_MIN        512u
#define ISKRA_BLOCK_LEN_MAX        65536u

struct iskra_sdev {
    struct iskra_list link;         /* host->devices */
    struct iskra_list starved_link; /* host->starved */
    struct iskra_shost *host;
    struct iskra_queue queue; /* rq_timeout_ns: the device's default timeout */
    enum iskra_sdev_state state;
    uint64_t lun;                  /* the 8 bytes of SAM */
    uint32_t queue_depth;          /* now; lowered by TASK SET FULL */
    uint32_t queue_depth_max;      /* what it may rise to again */
    uint64_t queue_depth_since_ns; /* its last change */
    uint32_t device_busy;          /* started and not yet finished */
    uint32_t device_blocked;       /* runs to let pass before the next try */
    uint8_t retries_allowed;
    bool expecting_ua; /* its reset was ours */
    bool eh_tried;     /* this rung of the error handler's ladder has had it */
    bool eh_counted;   /* this climb has counted its timeouts, in: */
    uint8_t
        medium_timeout_cnt; /* climbs in a row for I/O that expired while it said it was ready */
    /* An error of an earlier write that another command was told of (valid: there is one). The next
     * flush fails with it, once: it cannot promise what it is asked for (decision 29). */
    struct iskra_sense lost_write;
    /* Acknowledged writes in a volatile cache so far, and how many of them a flush has covered;
     * what a reset took away, until a flush has failed with it (cache.c). */
    uint64_t written_cnt, flushed_cnt, reset_lost_cnt;

    /* What the LUN said (scan.c). Text is escaped, safe to print. */
    struct iskra_inquiry inquiry;
    char serial[253];      /* VPD 80h; "" if there is none */
    char identity[128];    /* best designator of VPD 83h; "" if there is none */
    bool capacity_known;   /* a disk that answered READ CAPACITY sensibly */
    bool write_protected;  /* MODE SENSE */
    bool fua;              /* MODE SENSE: understands the FUA bit (DPOFUA) */
    bool write_cache;      /* GOOD does not mean on the medium; true unless MODE SENSE says WCE 0 */
    bool write_cache_told; /* it came from the caching mode page */
    bool thin;             /* logical block provisioning enabled (LBPME) */
    bool reads_zeroes;     /* unmapped blocks read as zeros (LBPRZ) */
    bool protection;       /* formatted with protection information: read-only */
    uint32_t block_len;    /* bytes; a power of two; 0 unless capacity_known */
    uint64_t block_cnt;
    uint32_t physical_block_len;   /* bytes; 0 unknown */
    uint32_t max_transfer_len;     /* bytes per command; a multiple of block_len */
    uint32_t optimal_transfer_len; /* bytes; 0 not reported */
    uint16_t lowest_aligned_lba;   /* where a physical block begins */
    struct iskra_space space;      /* unmap, zero, compare and write */

    struct iskra_sdev *twin; /* looks again after a new login (revalidate.c); NULL: not compared */
    bool is_twin;            /* it is one itself */
    struct iskra_error
        offline_why; /* OFFLINE, TRANSPORT_OFFLINE: by error handling or a new login; code 0: no */

    struct iskra_timer remove_timer; /* CANCEL: when waiting ends and cancelling begins */
    void (*gone)(void *arg);         /* iskra_sdev_remove() */
    void *gone_arg;
    struct iskra_work gone_work;
};

/* notes F44: scsi_alloc_sdev. State CREATED, on the host's list. NULL: no memory. Allocates: at
 * open, never per I/O. */
struct iskra_sdev *iskra_alloc_sdev(struct iskra_shost *host, uint64_t lun);

/* The same with `size` bytes of memory instead of sizeof(struct iskra_sdev), freed with it. */
struct iskra_sdev *iskra_alloc_sdev_sized(struct iskra_shost *host, uint64_t lun, size_t size);

/* Queued requests end with -ECANCELED at the end of the round; those at the target are waited for,
 * without retry, and cancelled after ISKRA_SDEV_REMOVE_WAIT_NS. Then the device is freed and
 * gone(arg) (may be NULL) runs, both from the loop. Nothing may be submitted after this call. */
void iskra_sdev_remove(struct iskra_sdev *sdev, void (*gone)(void *arg), void *arg);

/* The same at once, for the end of the world: done() of what is still due, and gone(), run from
 * inside. The session must have given back every command. */
void iskra_sdev_remove_now(struct iskra_sdev *sdev);

/* The only place that changes sdev->state; traces it. false, and nothing happens, if the transition
 * does not exist. */
bool iskra_sdev_set_state(struct iskra_sdev *sdev, enum iskra_sdev_state state);

/* Its session is back, and nothing stands against its running. */
void iskra_sdev_unblock(struct iskra_sdev *sdev);

bool iskra_sdev_online(const struct iskra_sdev *sdev); /* not OFFLINE, TRANSPORT_OFFLINE, DEL */

#endif
