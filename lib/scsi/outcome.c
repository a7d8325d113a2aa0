/* The story of a failed command. */
#include "scsi/outcome.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "scsi/disk.h"
#include "wire/bhs.h"
#include "wire/cdb.h"
#include "wire/sense.h"

#define COMMAND_TEXT_LEN   80
#define TRIED_TEXT_LEN     40
#define ASC_INVALID_OPCODE 0x20u

static const char *command_name(const struct iskra_cmnd *cmnd)
{
    struct iskra_cdb cdb = {0};

    /* What it cannot read it still names, as far as there is an opcode. */
    (void)iskra_cdb_decode(cmnd->cdb, cmnd->cdb_len, &cdb);
    return iskra_cdb_name(cdb.opcode, cdb.service_action);
}

/* Before a command was built. */
static const char *operation_name(const struct iskra_scsi_request *sreq)
{
    static const char *const names[] = {
        [ISKRA_REQUEST_READ] = "READ",
        [ISKRA_REQUEST_WRITE] = "WRITE",
        [ISKRA_REQUEST_FLUSH] = "SYNCHRONIZE CACHE",
        [ISKRA_REQUEST_UNMAP] = "UNMAP",
        [ISKRA_REQUEST_WRITE_ZEROES] = "WRITE SAME",
        [ISKRA_REQUEST_BLOCK_STATUS] = "GET LBA STATUS",
        [ISKRA_REQUEST_COMPARE_AND_WRITE] = "COMPARE AND WRITE",
    };
    return names[sreq->kind];
}

char *iskra_outcome_command(const struct iskra_scsi_request *sreq, char *buf, size_t size)
{
    const struct iskra_cmnd *cmnd = &sreq->cmnd;
    uint32_t block_len = sreq->sdev->block_len;

    if (sreq->kind == ISKRA_REQUEST_FLUSH && cmnd->cdb == NULL) {
        snprintf(buf, size, "%s", operation_name(sreq));
    } else if (iskra_scsi_request_is_block(sreq) && sreq->kind != ISKRA_REQUEST_FLUSH &&
               block_len != 0 && !iskra_disk_is_sync(sreq)) {
        uint64_t left = sreq->len - sreq->progress;
        uint64_t block_cnt = (cmnd->cdb != NULL ? sreq->piece_len : left) / block_len;
        snprintf(buf, size, "%s lba %" PRIu64 ", %" PRIu64 " block%s",
                 cmnd->cdb != NULL ? command_name(cmnd) : operation_name(sreq),
                 (sreq->offset + sreq->progress) / block_len, block_cnt, block_cnt == 1 ? "" : "s");
    } else if (strcmp(command_name(cmnd), "?") == 0) {
        snprintf(buf, size, "command %02Xh", cmnd->cdb[0]);
    } else {
        snprintf(buf, size, "%s", command_name(cmnd));
    }
    return buf;
}

static int fail(const struct iskra_scsi_request *sreq, enum iskra_code code, int sys_errno,
                const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* "COMMAND: " and the rest. A story of an earlier try is overwritten: the last one counts. */
static int fail(const struct iskra_scsi_request *sreq, enum iskra_code code, int sys_errno,
                const char *fmt, ...)
{
    char command[COMMAND_TEXT_LEN], rest[sizeof(sreq->error->text)];
    va_list ap;

    if (sreq->error == NULL)
        return -sys_errno;
    va_start(ap, fmt);
    vsnprintf(rest, sizeof(rest), fmt, ap);
    va_end(ap);
    memset(sreq->error, 0, sizeof(*sreq->error));
    return iskra_fail(sreq->error, code, sys_errno, "%s%s",
                      iskra_outcome_command(sreq, command, sizeof(command)), rest);
}

#define SENSE_TEXT_LEN 160

/* "MEDIUM ERROR (3h), WRITE ERROR (0Ch/00h) at lba 5" */
static const char *sense_text(const struct iskra_sense *s, char buf[SENSE_TEXT_LEN])
{
    char where[40] = "";
    if (s->information_valid &&
        (s->key == ISKRA_SENSE_MEDIUM_ERROR || s->key == ISKRA_SENSE_HARDWARE_ERROR))
        snprintf(where, sizeof(where), " at lba %" PRIu64, s->information);
    const char *asc_name = iskra_asc_name(s->asc, s->ascq);
    bool named = strcmp(asc_name, "?") != 0;
    snprintf(buf, SENSE_TEXT_LEN, "%s (%Xh), %s%s%02Xh/%02Xh%s%s", iskra_sense_key_name(s->key),
             s->key, named ? asc_name : "", named ? " (" : "asc/ascq ", s->asc, s->ascq,
             named ? ")" : "", where);
    return buf;
}

static int fail_check_condition(const struct iskra_scsi_request *sreq)
{
    struct iskra_sense s;

    if (iskra_sense_decode(sreq->cmnd.sense, sreq->cmnd.sense_len, &s) != 0)
        return fail(sreq, ISKRA_E_SCSI, EIO,
                    ": CHECK CONDITION without readable sense data (%u bytes)",
                    sreq->cmnd.sense_len);
    char text[SENSE_TEXT_LEN];
    return fail(sreq, ISKRA_E_SCSI, EIO, ": %sCHECK CONDITION, %s", s.deferred ? "deferred " : "",
                sense_text(&s, text));
}

/* The information field, if there is one, is how many bytes were equal (SBC-3 5.2). */
static int fail_miscompare(const struct iskra_scsi_request *sreq, const struct iskra_sense *s)
{
    if (s->information_valid && s->information < sreq->len)
        return fail(sreq, ISKRA_E_MISCOMPARE, EILSEQ, ": what is there differs at byte %" PRIu64,
                    s->information);
    return fail(sreq, ISKRA_E_MISCOMPARE, EILSEQ, ": what is there differs");
}

static int fail_compare_and_write(const struct iskra_scsi_request *sreq)
{
    struct iskra_sense s;

    if (iskra_sense_decode(sreq->cmnd.sense, sreq->cmnd.sense_len, &s) == 0 && !s.deferred) {
        if (s.key == ISKRA_SENSE_MISCOMPARE)
            return fail_miscompare(sreq, &s);
        if (s.key == ISKRA_SENSE_ILLEGAL_REQUEST && s.asc == ASC_INVALID_OPCODE)
            return iskra_outcome_unsupported(sreq);
    }
    return fail_check_condition(sreq);
}

/* For programs: the numbers beside the text. */
static void status_keep(const struct iskra_scsi_request *sreq)
{
    struct iskra_error *err = sreq->error;

    if (err == NULL)
        return;
    err->scsi_status = ISKRA_RESULT_STATUS(sreq->cmnd.result);
    if (err->scsi_status != ISKRA_STATUS_CHECK_CONDITION)
        return;
    err->sense_len = sreq->cmnd.sense_len;
    memcpy(err->sense, sreq->cmnd.sense, sreq->cmnd.sense_len);
}

/* Decision 25: once it may have been executed it is not sent again, and nobody knows. A raw command
 * that only reads changes nothing, nor does a raw TEST UNIT READY. */
static bool may_have_changed_something(const struct iskra_scsi_request *sreq)
{
    const struct iskra_cmnd *cmnd = &sreq->cmnd;

    if (!cmnd->sent)
        return false;
    if (sreq->kind == ISKRA_REQUEST_COMPARE_AND_WRITE)
        return true;
    return sreq->kind == ISKRA_REQUEST_RAW &&
           (cmnd->dir == ISKRA_DIR_WRITE ||
            (cmnd->dir == ISKRA_DIR_NONE && cmnd->cdb[0] != ISKRA_SCSI_TEST_UNIT_READY));
}

static int fail_status(const struct iskra_scsi_request *sreq)
{
    uint8_t status = ISKRA_RESULT_STATUS(sreq->cmnd.result);
    int rc;

    if (status == ISKRA_STATUS_CHECK_CONDITION && sreq->kind == ISKRA_REQUEST_UNMAP &&
        sreq->sdev->space.unmap == ISKRA_UNMAP_NOT)
        rc = iskra_outcome_unsupported(sreq); /* it has just said so */
    else if (status == ISKRA_STATUS_CHECK_CONDITION &&
             sreq->kind == ISKRA_REQUEST_COMPARE_AND_WRITE)
        rc = fail_compare_and_write(sreq);
    else if (status == ISKRA_STATUS_CHECK_CONDITION)
        rc = fail_check_condition(sreq);
    else if (status == ISKRA_STATUS_TASK_ABORTED && may_have_changed_something(sreq))
        rc = fail(sreq, ISKRA_E_OUTCOME_UNKNOWN, EIO,
                  " may or may not have been executed: status %s (%02Xh)",
                  iskra_scsi_status_name(status), status);
    else
        rc = fail(sreq, ISKRA_E_SCSI, status == ISKRA_STATUS_RESERVATION_CONFLICT ? EBUSY : EIO,
                  ": status %s (%02Xh)", iskra_scsi_status_name(status), status);
    status_keep(sreq);
    return rc;
}

/* The path failed, not the command: the session knows why. */
static int fail_connection(const struct iskra_scsi_request *sreq, enum iskra_code code)
{
    const struct iskra_shost *host = sreq->sdev->host;
    const struct iskra_error *why = &host->error;

    if (host->session != NULL && host->session->error.code != ISKRA_OK)
        why = &host->session->error;
    int sys_errno = why->sys_errno != 0 ? why->sys_errno : ENOTCONN;
    int rc = fail(sreq, code, sys_errno, "%s: %s",
                  code == ISKRA_E_OUTCOME_UNKNOWN ? " may or may not have been executed" : "",
                  why->text[0] != '\0' ? why->text : "the session has ended");
    if (sreq->error != NULL)
        sreq->error->conn_error = why->conn_error;
    return rc;
}

/* The session refused the answer itself, and said in which way it makes no sense: in the same place
 * where fail() tells the whole. */
static int fail_response(const struct iskra_scsi_request *sreq, uint8_t host_byte)
{
    const struct iskra_error *why = sreq->error;

    if (sreq->cmnd.told && why != NULL)
        return fail(sreq, why->code, why->sys_errno, ": %s", why->text);
    if (host_byte == ISKRA_DID_BAD_TARGET)
        return fail(sreq, ISKRA_E_RESPONSE, EBADMSG,
                    ": the response's lengths contradict the command (DID_BAD_TARGET)");
    return fail(sreq, ISKRA_E_SCSI, EIO, ": failed by the target (%s)",
                iskra_host_byte_name(host_byte));
}

/* The last word on it was the path's, or contradicts itself. What the target rejected is told as
 * such: it did not take it. */
static bool is_unknown(const struct iskra_scsi_request *sreq, uint8_t host_byte)
{
    switch (host_byte) {
    case ISKRA_DID_ERROR:
    case ISKRA_DID_ABORT:
    case ISKRA_DID_RESET:
    case ISKRA_DID_NO_CONNECT: /* it was out when its context went */
        return may_have_changed_something(sreq);
    case ISKRA_DID_BAD_TARGET:
        return may_have_changed_something(sreq) &&
               !(sreq->cmnd.told && sreq->error != NULL && sreq->error->code != ISKRA_E_RESPONSE);
    case ISKRA_DID_TRANSPORT_DISRUPTED: /* it was out when the session fell */
        return sreq->cmnd.sent &&
               (sreq->kind == ISKRA_REQUEST_RAW || sreq->kind == ISKRA_REQUEST_COMPARE_AND_WRITE);
    default:
        return false;
    }
}

static int fail_unknown(const struct iskra_scsi_request *sreq, uint8_t host_byte)
{
    const char *why = "a reset of its LUN or target ended it";
    int sys_errno = EIO;

    if (host_byte == ISKRA_DID_NO_CONNECT || host_byte == ISKRA_DID_TRANSPORT_DISRUPTED)
        return fail_connection(sreq, ISKRA_E_OUTCOME_UNKNOWN);
    if (sreq->cmnd.told && sreq->error != NULL) {
        why = sreq->error->text;
        sys_errno = sreq->error->sys_errno;
    } else if (host_byte == ISKRA_DID_ABORT) {
        why = "it was aborted";
    } else if (host_byte == ISKRA_DID_BAD_TARGET) {
        why = "the response's lengths contradict the command (DID_BAD_TARGET)";
    }
    return fail(sreq, ISKRA_E_OUTCOME_UNKNOWN, sys_errno, " may or may not have been executed: %s",
                why);
}

static int fail_offline(const struct iskra_scsi_request *sreq)
{
    const struct iskra_error *why = &sreq->sdev->offline_why;

    if (why->code == ISKRA_OK)
        return fail(sreq, ISKRA_E_OFFLINE, ENODEV, ": the device is offline");
    return fail(sreq, why->code, why->sys_errno, ": %s", why->text);
}

int iskra_outcome_fail(const struct iskra_scsi_request *sreq)
{
    uint8_t host_byte = ISKRA_RESULT_HOST(sreq->cmnd.result);

    if (is_unknown(sreq, host_byte))
        return fail_unknown(sreq, host_byte);
    if (sreq->sdev->state == ISKRA_SDEV_OFFLINE ||
        (sreq->sdev->state == ISKRA_SDEV_TRANSPORT_OFFLINE &&
         sreq->sdev->offline_why.code != ISKRA_OK))
        return fail_offline(sreq);
    switch (host_byte) {
    case ISKRA_DID_OK:
    case ISKRA_DID_TARGET_FAILURE:
    case ISKRA_DID_NEXUS_FAILURE:
    case ISKRA_DID_ALLOC_FAILURE:
    case ISKRA_DID_MEDIUM_ERROR:
        return fail_status(sreq);
    case ISKRA_DID_TIME_OUT:
        return iskra_outcome_timed_out(sreq);
    case ISKRA_DID_TRANSPORT_DISRUPTED:
    case ISKRA_DID_NO_CONNECT:
    case ISKRA_DID_TRANSPORT_FAILFAST:
    case ISKRA_DID_IMM_RETRY:
    case ISKRA_DID_REQUEUE:
        return fail_connection(sreq, ISKRA_E_CONNECTION);
    default:
        return fail_response(sreq, host_byte);
    }
}

/* Expiry is only where judging begins: pings, an abort, a reset and another try may come before the
 * end. */
static void tried_for(const struct iskra_scsi_request *sreq, uint64_t timeout_ns,
                      char buf[TRIED_TEXT_LEN])
{
    uint64_t spent_ns =
        sreq->started_ns != 0 ? iskra_shost_active_ns(sreq->sdev->host) - sreq->started_ns : 0;

    buf[0] = '\0';
    if (spent_ns / 2 >= timeout_ns)
        snprintf(buf, TRIED_TEXT_LEN, ", tried for %.1f s", (double)spent_ns / 1e9);
}

int iskra_outcome_timed_out(const struct iskra_scsi_request *sreq)
{
    uint64_t timeout_ns =
        sreq->rq.timeout_ns != 0 ? sreq->rq.timeout_ns : sreq->sdev->queue.rq_timeout_ns;
    uint64_t tenths = timeout_ns / UINT64_C(100000000);
    bool unknown = may_have_changed_something(sreq);
    enum iskra_code code = unknown ? ISKRA_E_OUTCOME_UNKNOWN : ISKRA_E_TIMEOUT_SCSI;
    const char *what = unknown            ? " may or may not have been executed:"
                       : !sreq->cmnd.sent ? " was not sent:"
                                          : "";

    char tried[TRIED_TEXT_LEN];

    tried_for(sreq, timeout_ns, tried);
    if (tenths == 0)
        return fail(sreq, code, ETIMEDOUT, "%s timed out after %" PRIu64 " ms%s", what,
                    timeout_ns / UINT64_C(1000000), tried);
    return fail(sreq, code, ETIMEDOUT, "%s timed out after %" PRIu64 ".%" PRIu64 " s%s", what,
                tenths / 10, tenths % 10, tried);
}

int iskra_outcome_unsupported(const struct iskra_scsi_request *sreq)
{
    return fail(sreq, ISKRA_E_UNSUPPORTED, EOPNOTSUPP, ": the LUN does not know this command");
}

int iskra_outcome_canceled(const struct iskra_scsi_request *sreq)
{
    return fail(sreq, ISKRA_E_CANCELED, ECANCELED, ": cancelled");
}

/* CHECK CONDITION with NO SENSE or RECOVERED ERROR is as good as GOOD, if it brings the data. */
int iskra_outcome_short(const struct iskra_scsi_request *sreq)
{
    struct iskra_sense s;
    char text[SENSE_TEXT_LEN] = "";
    bool sense = ISKRA_RESULT_STATUS(sreq->cmnd.result) == ISKRA_STATUS_CHECK_CONDITION &&
                 iskra_sense_decode(sreq->cmnd.sense, sreq->cmnd.sense_len, &s) == 0;
    if (sense)
        (void)sense_text(&s, text);
    int rc = fail(sreq, ISKRA_E_RESPONSE, EIO, ": %s%s%s, but %" PRIu32 " of %" PRIu32 " bytes %s",
                  iskra_scsi_status_name(ISKRA_RESULT_STATUS(sreq->cmnd.result)), sense ? ", " : "",
                  text, sreq->cmnd.residual, sreq->cmnd.transfer_len,
                  sreq->cmnd.dir == ISKRA_DIR_WRITE ? "were not taken" : "are missing");
    status_keep(sreq);
    return rc;
}

int iskra_outcome_lost_write(struct iskra_scsi_request *sreq)
{
    struct iskra_sense *lost = &sreq->sdev->lost_write;
    char text[SENSE_TEXT_LEN];

    int rc =
        fail(sreq, ISKRA_E_SCSI, EIO, ": an earlier write was lost: %s", sense_text(lost, text));
    lost->valid = false;
    return rc;
}

int iskra_outcome_reset(struct iskra_scsi_request *sreq)
{
    uint64_t cnt = sreq->sdev->reset_lost_cnt;

    sreq->sdev->reset_lost_cnt = 0;
    return fail(sreq, ISKRA_E_SCSI, EIO,
                ": the target was reset and may have lost %" PRIu64 " acknowledged %s", cnt,
                cnt == 1 ? "write" : "writes");
}
