/* A SCSI command as the mid-layer hands it to queuecommand and gets it back: what the kernel calls
 * scsi_cmnd.
 *
 * The mid-layer owns it; from queuecommand until scsi_done the session uses it. The result word is
 * the kernel's: host byte in bits 16-23, SAM status in bits 0-7 (spec section 4). */
#ifndef ISKRA_ISCSI_CMD_H
#define ISKRA_ISCSI_CMD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include <iskra/error.h>

#include "list.h"
#include "tcp/recv.h" /* enum iskra_data_dir */

#define ISKRA_ECDB_LEN_MAX 260 /* with the extended-CDB AHS */

enum iskra_host_byte {
    ISKRA_DID_OK = 0x00,
    ISKRA_DID_NO_CONNECT = 0x01,
    ISKRA_DID_BUS_BUSY = 0x02,
    ISKRA_DID_TIME_OUT = 0x03,
    ISKRA_DID_BAD_TARGET = 0x04,
    ISKRA_DID_ABORT = 0x05,
    ISKRA_DID_PARITY = 0x06,
    ISKRA_DID_ERROR = 0x07,
    ISKRA_DID_RESET = 0x08,
    ISKRA_DID_SOFT_ERROR = 0x0b,
    ISKRA_DID_IMM_RETRY = 0x0c,
    ISKRA_DID_REQUEUE = 0x0d,
    ISKRA_DID_TRANSPORT_DISRUPTED = 0x0e,
    ISKRA_DID_TRANSPORT_FAILFAST = 0x0f,
    ISKRA_DID_TARGET_FAILURE = 0x10,
    ISKRA_DID_NEXUS_FAILURE = 0x11,
    ISKRA_DID_ALLOC_FAILURE = 0x12,
    ISKRA_DID_MEDIUM_ERROR = 0x13,
};
const char *iskra_host_byte_name(uint8_t host_byte); /* "DID_OK"; "?" */

#define ISKRA_RESULT(host, status)  ((uint32_t)(host) << 16 | (status))
#define ISKRA_RESULT_HOST(result)   ((uint8_t)((result) >> 16))
#define ISKRA_RESULT_STATUS(result) ((uint8_t)(result))

struct iskra_task;

struct iskra_cmnd {
    const uint8_t *cdb; /* cdb_len bytes, living as long as the command */
    uint16_t cdb_len;
    uint8_t age; /* session only: its age when the command was queued */
    bool told;   /* *error is of this try; the mid-layer clears it before queuecommand */
    enum iskra_data_dir dir;
    uint64_t lun; /* the 8 bytes of SAM */
    const struct iovec
        *iov; /* the caller's memory, lent; exactly or more than transfer_len bytes */
    uint32_t iov_cnt;
    uint32_t transfer_len;
    size_t iov_skip; /* bytes of iov before the first byte of this command's data */

    /* Session only, between queuecommand and scsi_done. */
    struct iskra_task *task; /* NULL when the session does not have it */
    struct iskra_list link;  /* refused by queuecommand: on the session's list until scsi_done */

    /* Where the session tells what was wrong with its answer: the mid-layer's; NULL: nobody asks.
     */
    struct iskra_error *error;

    void (*scsi_done)(struct iskra_cmnd *cmd);

    /* Valid in scsi_done. */
    uint32_t result;
    uint32_t residual; /* bytes of transfer_len not moved */
    uint32_t overflow; /* bytes beyond transfer_len that the target would have moved */
    bool sent;         /* its PDU was built, so that it may have left; the mid-layer clears it */
    uint8_t sense_len;
    uint8_t sense[ISKRA_SENSE_LEN_MAX]; /* last: few commands have any */
};

/* The tag of the task; 0xffffffff if the session does not have the command. */
uint32_t iskra_cmnd_itt(const struct iskra_cmnd *cmd);

/* The story of this command alone: others that fail in the same round have theirs. Returns
 * -sys_errno. */
int iskra_cmnd_fail(struct iskra_cmnd *cmd, enum iskra_code code, int sys_errno, const char *fmt,
                    ...) __attribute__((format(printf, 4, 5)));

#endif
