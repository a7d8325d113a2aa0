/* iskra: an iSCSI LUN for any program, without root.
 *
 *     struct iskra *ctx;
 *     struct iskra_lun *lun;
 *     struct iskra_error err;
 *     if (iskra_new(NULL, &ctx, &err) == 0 &&
 *         iskra_open_sync(ctx, "iscsi://192.0.2.1/iqn.2026-01.org.example:disk/0", &lun,
 *                         &err) == 0)
 *         iskra_read_sync(lun, buf, 4096, 0, &err);
 *
 * Objects. struct iskra is an initiator: a name, a loop, sessions. struct iskra_lun is an open
 * logical unit; LUNs of the same target, portal and options share one session. struct iskra_io is
 * one request: memory of the caller's, lent from iskra_submit() until its done() runs.
 *
 * Sync is async plus waiting. Every function ending in _sync runs the loop until its own work is
 * done, and so runs other requests' done() as well. Called from inside a done() it returns
 * -EDEADLK.
 *
 * Event loop. iskra_fd() is one descriptor that stays the same for the life of the initiator,
 * across reconnects and redirects; it is readable whenever iskra_dispatch() has something to do,
 * timers included. done() and all other callbacks run from iskra_dispatch() (or iskra_run_once(),
 * or a _sync call), never from inside iskra_submit(), and may call any function but the _sync ones,
 * iskra_close() included.
 *
 * Threads. Calls into one initiator must be serialised by the caller; any thread may make them. Two
 * initiators share nothing. Without a lock, other threads hand requests to the loop with
 * iskra_post(), and everything else with iskra_post_call(). An initiator with own_thread set has a
 * loop in a thread of the library's own: then any thread may make any call at any time, and
 * callbacks run in that thread. After fork() the child must not use the parent's initiators: calls
 * fail with -EPERM.
 *
 * Errors. Functions return 0 (or a count) or a negative errno; with it comes the story in struct
 * iskra_error (error.h), if the caller gave one. Nothing is printed, no signal is touched. */
#ifndef ISKRA_H
#define ISKRA_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <iskra/error.h>
#include <iskra/event.h>
#include <iskra/extent.h>
#include <iskra/platform.h>

#ifdef __cplusplus
extern "C" {
#endif

struct iskra;
struct iskra_lun;
struct iskra_io;

/* Version of the library as "major.minor.patch". Static storage. */
ISKRA_PUBLIC const char *iskra_version(void);

/* ---- initiator ---- */

enum iskra_log_level {
    ISKRA_LOG_ERROR = 1,
    ISKRA_LOG_WARNING = 2,
    ISKRA_LOG_INFO = 3,
};

struct iskra_options {
    size_t size;                /* sizeof(struct iskra_options) of the caller */
    const char *initiator_name; /* NULL: ISKRA_INITIATOR_NAME, then /etc/iscsi/initiatorname.iscsi,
                                   then one kept per user */
    const struct iskra_platform *platform; /* NULL: iskra_platform_posix() */
    /* One line for an operator, without a newline. NULL: nothing. */
    void (*log)(void *arg, enum iskra_log_level level, const char *line);
    void *log_arg;
    /* Not 0: a thread of the library's own runs the loop, so that sessions are kept alive (pings of
     * the target answered, lost connections noticed) while the program does other things. It has
     * all signals blocked. Callbacks run in it, and what they share with the program is the
     * program's to guard; while one runs, calls of other threads wait. Not with it:
     * iskra_dispatch(), iskra_run_once() (-EBUSY). */
    int own_thread;
    /* News (event.h), from the loop; ev is valid during the call. NULL: none. */
    void (*event)(void *arg, const struct iskra_event *ev);
    void *event_arg;
    /* What drives the loop: "epoll" or "io_uring". NULL: ISKRA_DRIVER, then epoll. Where io_uring
     * is not to be had, epoll takes its place, and the log says so. A driver that `platform` names
     * comes first. */
    const char *driver;
};

/* opts may be NULL. Strings are copied. Returns 0 with *ret_ctx set, or -EINVAL, -ENOMEM, ... with
 * *err filled. */
ISKRA_PUBLIC int iskra_new(const struct iskra_options *opts, struct iskra **ret_ctx,
                           struct iskra_error *err);

/* Closes what is open (waiting for nothing: connections are reset), frees everything. No done()
 * runs afterwards; requests still out are completed with ISKRA_E_CANCELED from inside this call.
 * NULL is accepted. Inside a callback it does nothing but log, and in a forked child nothing at
 * all. No other thread may be in a call of this initiator, or make one afterwards. A thread of the
 * library's own has ended first, so that these callbacks run in the caller's. */
ISKRA_PUBLIC void iskra_free(struct iskra *ctx);

/* The initiator's name and where it came from ("option", "ISKRA_INITIATOR_NAME", a path,
 * "generated"). Valid until iskra_free(). */
ISKRA_PUBLIC const char *iskra_initiator_name(const struct iskra *ctx);
ISKRA_PUBLIC const char *iskra_initiator_name_source(const struct iskra *ctx);

/* What drives its loop: "epoll", "io_uring", or whatever the platform brings. Static storage. */
ISKRA_PUBLIC const char *iskra_driver_name(const struct iskra *ctx);

/* ---- event loop ---- */

ISKRA_PUBLIC int iskra_fd(const struct iskra *ctx);

/* Nanoseconds until iskra_dispatch() has something to do although iskra_fd() shows nothing; 0: now;
 * -1: nothing pending. Only loops that do not poll iskra_fd() need it. */
ISKRA_PUBLIC int64_t iskra_timeout_ns(const struct iskra *ctx);

/* Does what is to be done now and returns without waiting: 0, or a negative errno (-EDEADLK from
 * inside a callback, -EBUSY if a thread of the library's own does it). */
ISKRA_PUBLIC int iskra_dispatch(struct iskra *ctx);

/* Waits at most timeout_ns (negative: without limit) for something to do, and does it. 0 or a
 * negative errno. */
ISKRA_PUBLIC int iskra_run_once(struct iskra *ctx, int64_t timeout_ns);

#define ISKRA_CALL_TAIL_LEN 64

/* A function to be called by the loop. The caller owns the memory and fills the first part; from
 * iskra_post_call() until fn() begins it belongs to the library. */
struct iskra_call {
    void (*fn)(struct iskra_call *call);
    void *user;

    /* The library's own. */
    union {
        uint64_t align;
        unsigned char bytes[ISKRA_CALL_TAIL_LEN];
    } tail;
};

/* From any thread, at any time, without a lock: has the loop run call->fn(), once, in the order of
 * the posts of one thread. Inside it any function may be called but the _sync ones, and call may be
 * posted again or freed. What the loop has not come to is run by iskra_free(). 0, or -EINVAL (no
 * fn), -ECANCELED (from a callback of iskra_free()), -EPERM (after fork): then it will not run. */
ISKRA_PUBLIC int iskra_post_call(struct iskra *ctx, struct iskra_call *call);

/* ---- LUNs ---- */

/* What is known of an open LUN. Text fields are NUL-terminated and safe to print. */
struct iskra_lun_info {
    uint64_t lun; /* LUN number as in the URL */
    uint8_t type; /* SPC peripheral device type; 0 = disk */
    char vendor[9], product[17], revision[5];
    char serial[253];   /* VPD page 80h; "" if there is none */
    char identity[128]; /* best designator of VPD page 83h: "naa.6001405...", "t10...."; "" if there
                           is none */
    uint32_t block_len; /* bytes; 0 if not a disk */
    uint64_t block_cnt;
    uint32_t physical_block_len;   /* bytes; 0 if unknown */
    uint32_t max_transfer_len;     /* bytes per command */
    uint32_t optimal_transfer_len; /* bytes; 0 if not reported */
    uint8_t write_protected; /* the LUN says so, or is formatted with protection information */
    uint8_t thin;            /* logical block provisioning enabled (LBPME) */
    uint8_t write_cache; /* what is written may be lost with the power until it is flushed; 1 too if
                            the LUN does not tell */
    uint8_t fua;       /* understands FUA; else a write with ISKRA_IO_FUA is followed by a flush */
    uint8_t can_unmap; /* ISKRA_UNMAP is possible */
    uint8_t unmapped_zeroes;  /* what is unmapped reads as zeros */
    uint32_t max_compare_len; /* bytes of an ISKRA_COMPARE_AND_WRITE; 0: not possible */
    uint64_t reserved[8];
};

/* Connects, logs in, identifies the LUN of the URL (README, "URL"; every key is checked). The
 * callback runs once, from the loop: status 0 with the LUN, or a negative errno, lun NULL and the
 * error, which is valid during the call. Returns 0 if the callback will run, else a negative errno
 * with *err filled: a bad URL, no memory. */
typedef void iskra_open_fn(void *arg, int status, struct iskra_lun *lun,
                           const struct iskra_error *err);
ISKRA_PUBLIC int iskra_open(struct iskra *ctx, const char *url, iskra_open_fn *fn, void *arg,
                            struct iskra_error *err);
ISKRA_PUBLIC int iskra_open_sync(struct iskra *ctx, const char *url, struct iskra_lun **ret_lun,
                                 struct iskra_error *err);

/* Ends opens early: those of this fn and arg whose fn has not run. It runs, once, from the loop,
 * with -ECANCELED; or with the LUN, if that was there first. Returns 0; -EALREADY: there is none;
 * -EPERM (after fork). */
ISKRA_PUBLIC int iskra_open_cancel(struct iskra *ctx, iskra_open_fn *fn, void *arg);

/* Closes. Queued requests are cancelled, sent ones are waited for, five seconds at most, then
 * cancelled too (iskra_cancel()); the last LUN of a session logs out, which is waited for. If the
 * session is lost already there is nothing to wait for. fn (may be NULL) runs once from the loop
 * when all is done; the LUN must not be used after the call. */
ISKRA_PUBLIC void iskra_close(struct iskra_lun *lun, void (*fn)(void *arg), void *arg);
ISKRA_PUBLIC int iskra_close_sync(struct iskra_lun *lun); /* NULL is accepted */

ISKRA_PUBLIC void iskra_lun_info(const struct iskra_lun *lun, struct iskra_lun_info *ret_info);
ISKRA_PUBLIC struct iskra *iskra_lun_ctx(const struct iskra_lun *lun);

/* ---- requests ---- */

enum iskra_op {
    ISKRA_READ = 1,
    ISKRA_WRITE = 2,
    ISKRA_FLUSH = 3, /* no offset, no data: all that was written, done() of which has run before
                        this submit */
    ISKRA_UNMAP = 4, /* the range is not needed any more; what it reads as then is the LUN's affair
                        (unmapped_zeroes) */
    ISKRA_WRITE_ZEROES = 5, /* no data: the range reads as zeros afterwards */
    /* If the first len bytes of iov are what is at offset, the second len bytes of iov are written
     * there, in one step that no other command comes between. ISKRA_E_MISCOMPARE (-EILSEQ): they
     * are not, nothing was written. */
    ISKRA_COMPARE_AND_WRITE = 6,
    ISKRA_BLOCK_STATUS = 7, /* which parts of the range are allocated: fills extents */
    ISKRA_RAW = 9,          /* any CDB; scsi.h */
};

/* Bits of iskra_io.flags; a bit that does not fit the operation is -EINVAL. */
enum iskra_io_flag {
    ISKRA_IO_FUA = 1u << 0,       /* ISKRA_WRITE, ISKRA_WRITE_ZEROES: done() means that it is on the
                                     medium, by whatever means the LUN has */
    ISKRA_IO_DATA_OUT = 1u << 1,  /* ISKRA_RAW: len bytes of iov go to the LUN; without it they come
                                     from there */
    ISKRA_IO_MAY_UNMAP = 1u << 2, /* ISKRA_WRITE_ZEROES: the range need not stay allocated */
};

#define ISKRA_IO_TAIL_LEN 640

/* One request. The caller owns the memory and fills the first part; from iskra_submit() to done()
 * it, the iovec array, the CDB and the data belong to the library. Zero it before first use. Inside
 * done() it may be submitted again. */
struct iskra_io {
    enum iskra_op op;
    uint32_t flags;          /* enum iskra_io_flag */
    uint64_t offset;         /* bytes; a multiple of block_len */
    const struct iovec *iov; /* where the data goes, or comes from */
    int iov_cnt;
    uint64_t len; /* bytes; a multiple of block_len; at most the sum of iov where there is data */
    const uint8_t *cdb; /* ISKRA_RAW only */
    unsigned cdb_len;   /* ISKRA_RAW only: 1..260 bytes */
    /* ISKRA_BLOCK_STATUS only: the caller's array, lent like the data, and its room, at least 1. In
     * done(): how many were filled, the first one beginning at offset, without gaps, inside the
     * range, but perhaps not up to its end. */
    struct iskra_extent *extents;
    uint32_t extent_cnt;
    uint64_t timeout_ns; /* 0: the LUN's default */
    uint64_t reserved[3];
    void (*done)(struct iskra_io *io);
    void *user;

    /* Valid inside and after done(). */
    int status;               /* 0 or a negative errno */
    uint64_t residual;        /* bytes of len not moved (ISKRA_RAW) */
    uint64_t overflow;        /* bytes beyond len that the LUN would have moved (ISKRA_RAW) */
    struct iskra_error error; /* story, if status is not 0 */

    /* The library's own. */
    union {
        uint64_t align;
        unsigned char bytes[ISKRA_IO_TAIL_LEN];
    } tail;
};

/* Takes the request. Returns 0: done() will run, exactly once. Or a negative errno, nothing taken,
 * io->error filled: -EINVAL (not aligned, bad field), -ERANGE (beyond the end), -EROFS (a write to
 * a protected LUN), -EOPNOTSUPP (the LUN cannot do it), -ENODEV (not a disk, or being closed),
 * -EPERM (after fork). When the session has ended it is taken, and done() tells why.
 *
 * What may be done twice without harm is tried again where that may help, so that the medium may
 * see a write more than once. Requests in flight together may be executed in any order: who needs
 * one waits for done(). A raw CDB and a compare and write are sent once; if nobody knows whether it
 * was executed, it ends with ISKRA_E_OUTCOME_UNKNOWN. */
ISKRA_PUBLIC int iskra_submit(struct iskra_lun *lun, struct iskra_io *io);

/* Asks for the request back early: when done() runs, the target touches it no more. Not sent yet:
 * at the end of the round, with -ECANCELED. Sent: the target is asked to abort it, and done() runs
 * with -ECANCELED when it has, or when the session is lost. A status that arrives first wins, so
 * done() may also tell of success or of another failure; without an answer to the abort within
 * abort_timeout the session is dropped. A target that refuses to abort leaves the request to its
 * own end or timeout. What was sent may have been executed, in part or whole, before it was
 * aborted. Returns 0: done() will run. -EALREADY: it has run, or what it will tell is certain.
 * -EPERM (after fork). */
ISKRA_PUBLIC int iskra_cancel(struct iskra_io *io);

/* Takes the request back now. Its done() does not run any more; io, the iovec array, the CDB and
 * the data are the caller's again, and may be freed, when this returns, whatever the target still
 * does with the command: it is asked to abort it, what it still sends is thrown away, and what has
 * to be sent to an end was copied. So a detached write may or may not happen, in part or whole, now
 * or later. Closing the LUN waits for it as for any request. Returns 0. -EALREADY: there is nothing
 * to take back, done() has run or this is it. -ENOMEM (for that copy; at most 64 KiB for a read,
 * what is queued for sending of a write): nothing has happened, done() will run. -EBUSY, the same:
 * the driver is receiving into the memory and cannot stop; epoll never is, and io_uring always can
 * as long as the kernel does what it says. -EPERM (after fork). */
ISKRA_PUBLIC int iskra_detach(struct iskra_io *io);

/* iskra_submit() from any thread, at any time while the LUN is open, without a lock: the request
 * crosses over to the loop, iskra_fd() becomes readable, and the next round takes it, in the order
 * of the posts of one thread. Returns 0: done() will run, exactly once and from the loop, with what
 * iskra_submit() would have refused it with as well; with ISKRA_E_CANCELED if the LUN is closed
 * before it was taken. Or a negative errno, nothing taken, io->error filled: -ENODEV (being
 * closed), -EINVAL (no done), -EPERM (after fork).
 *
 * Other threads may go on posting while the loop closes the LUN; the last of these calls must have
 * returned when the fn of iskra_close() runs. A request that was posted is cancelled like any
 * other, by a call to the loop. */
ISKRA_PUBLIC int iskra_post(struct iskra_lun *lun, struct iskra_io *io);

/* Reads len bytes at offset, both multiples of the block length. 0 or a negative errno. */
ISKRA_PUBLIC int iskra_read_sync(struct iskra_lun *lun, void *buf, uint64_t len, uint64_t offset,
                                 struct iskra_error *err);

/* Writes len bytes at offset, both multiples of the block length. flags: 0 or ISKRA_IO_FUA. 0 or a
 * negative errno. */
ISKRA_PUBLIC int iskra_write_sync(struct iskra_lun *lun, const void *buf, uint64_t len,
                                  uint64_t offset, uint32_t flags, struct iskra_error *err);

/* As the operations of the same names. 0 or a negative errno; flags: of enum iskra_io_flag, or 0.
 */
ISKRA_PUBLIC int iskra_unmap_sync(struct iskra_lun *lun, uint64_t len, uint64_t offset,
                                  struct iskra_error *err);
ISKRA_PUBLIC int iskra_write_zeroes_sync(struct iskra_lun *lun, uint64_t len, uint64_t offset,
                                         uint32_t flags, struct iskra_error *err);
ISKRA_PUBLIC int iskra_compare_and_write_sync(struct iskra_lun *lun, const void *compare,
                                              const void *write, uint64_t len, uint64_t offset,
                                              struct iskra_error *err);

/* *extent_cnt: room of the array, at least 1; afterwards, how many were filled. */
ISKRA_PUBLIC int iskra_block_status_sync(struct iskra_lun *lun, uint64_t len, uint64_t offset,
                                         struct iskra_extent *extents, uint32_t *extent_cnt,
                                         struct iskra_error *err);

/* Everything written before is on the medium when this returns 0. */
ISKRA_PUBLIC int iskra_flush_sync(struct iskra_lun *lun, struct iskra_error *err);

#ifdef __cplusplus
}
#endif
#endif
