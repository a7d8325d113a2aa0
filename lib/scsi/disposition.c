/* decide_disposition and check_sense: tables turned into straight code, in the order of spec 3.4.
 */
#include "scsi/disposition.h"

#include "iscsi/cmd.h"
#include "wire/bhs.h"
#include "wire/cdb.h"

#define STATUS_COMMAND_TERMINATED         0x22u
#define STATUS_INTERMEDIATE               0x10u
#define STATUS_INTERMEDIATE_CONDITION_MET 0x14u

const char *iskra_disposition_name(enum iskra_disposition disposition)
{
    static const char *const names[ISKRA_DISPOSITION_CNT] = {
        [ISKRA_DISPOSITION_SUCCESS] = "SUCCESS",
        [ISKRA_DISPOSITION_NEEDS_RETRY] = "NEEDS_RETRY",
        [ISKRA_DISPOSITION_ADD_TO_MLQUEUE] = "ADD_TO_MLQUEUE",
        [ISKRA_DISPOSITION_FAILED] = "FAILED",
    };
    return (unsigned)disposition < ISKRA_DISPOSITION_CNT ? names[disposition] : "?";
}

/* Spec 3.3: some errors are not worth a retry to those who want to hear of them. */
static bool noretry(const struct iskra_verdict_facts *f)
{
    bool by_type = f->failfast || f->passthrough;

    switch (f->host_byte) {
    case ISKRA_DID_TIME_OUT:
        return by_type;
    case ISKRA_DID_BUS_BUSY:
    case ISKRA_DID_PARITY:
    case ISKRA_DID_SOFT_ERROR:
        return f->failfast;
    case ISKRA_DID_ERROR:
        return f->status != ISKRA_STATUS_RESERVATION_CONFLICT && f->failfast;
    default:
        return f->status == ISKRA_STATUS_CHECK_CONDITION && by_type;
    }
}

static void maybe_retry(const struct iskra_verdict_facts *f, struct iskra_decision *d)
{
    if (d->retries < UINT8_MAX)
        d->retries++;
    d->disposition = d->retries <= f->allowed && !noretry(f) ? ISKRA_DISPOSITION_NEEDS_RETRY
                                                             : ISKRA_DISPOSITION_SUCCESS;
}

/* An error of the target's, not of the path to it: another path would not help. */
static enum iskra_disposition target_failure(struct iskra_decision *d)
{
    d->host_byte = ISKRA_DID_TARGET_FAILURE;
    return ISKRA_DISPOSITION_SUCCESS;
}

/* NOT READY and UNIT ATTENTION */
static enum iskra_disposition check_condition_of_unit(const struct iskra_verdict_facts *f,
                                                      struct iskra_decision *d)
{
    const struct iskra_sense *s = &f->sense;

    if (f->expecting_ua && !(s->asc == 0x28 && s->ascq == 0x00)) {
        d->expected_ua_seen = true;
        return ISKRA_DISPOSITION_NEEDS_RETRY;
    }
    if (f->expecting_lun_change && s->asc == 0x3f && s->ascq == 0x0e)
        return ISKRA_DISPOSITION_NEEDS_RETRY;
    if (s->asc == 0x04 && s->ascq == 0x01) /* becoming ready */
        return ISKRA_DISPOSITION_NEEDS_RETRY;
    if (s->asc == 0x04 && s->ascq == 0x02 && f->allow_restart) /* needs a START UNIT */
        return ISKRA_DISPOSITION_FAILED;
    return ISKRA_DISPOSITION_SUCCESS;
}

static enum iskra_disposition check_illegal_request(const struct iskra_sense *s,
                                                    struct iskra_decision *d)
{
    switch (s->asc) {
    case 0x20: /* operation code */
    case 0x21: /* LBA out of range */
    case 0x22:
    case 0x24: /* field in CDB */
    case 0x26: /* field in parameter list */
    case 0x27: /* write protected */
        return target_failure(d);
    default:
        return ISKRA_DISPOSITION_SUCCESS;
    }
}

static enum iskra_disposition check_medium_error(const struct iskra_sense *s,
                                                 struct iskra_decision *d)
{
    if (s->asc != 0x11 && s->asc != 0x13 && s->asc != 0x14)
        return ISKRA_DISPOSITION_NEEDS_RETRY;
    d->host_byte = ISKRA_DID_MEDIUM_ERROR; /* the block is lost: reading it again does not help */
    return ISKRA_DISPOSITION_SUCCESS;
}

bool iskra_sense_lost_write(const struct iskra_sense *sense)
{
    return sense->valid && sense->deferred && sense->key != ISKRA_SENSE_NO_SENSE &&
           sense->key != ISKRA_SENSE_RECOVERED_ERROR && sense->key != ISKRA_SENSE_UNIT_ATTENTION;
}

static enum iskra_disposition check_sense(const struct iskra_verdict_facts *f,
                                          struct iskra_decision *d)
{
    const struct iskra_sense *s = &f->sense;

    if (!s->valid)
        return ISKRA_DISPOSITION_FAILED;
    d->unit_attention = s->key == ISKRA_SENSE_UNIT_ATTENTION;
    /* About an earlier command, while this one was not executed (SPC-4 4.5.7). A flush that is
     * repeated then would say that all is safe when something was lost. */
    if (s->deferred)
        return f->makes_safe && iskra_sense_lost_write(s) ? ISKRA_DISPOSITION_SUCCESS
                                                          : ISKRA_DISPOSITION_NEEDS_RETRY;
    if (s->filemark || s->eom || s->ili)
        return ISKRA_DISPOSITION_SUCCESS;
    switch (s->key) {
    case ISKRA_SENSE_ABORTED_COMMAND:
        /* asc 10h: a protection check failed; that is not a passing condition. */
        return s->asc == 0x10 ? ISKRA_DISPOSITION_SUCCESS : ISKRA_DISPOSITION_NEEDS_RETRY;
    case ISKRA_SENSE_NOT_READY:
    case ISKRA_SENSE_UNIT_ATTENTION:
        return check_condition_of_unit(f, d);
    case ISKRA_SENSE_DATA_PROTECT:
        if (s->asc == 0x27 && s->ascq == 0x07) { /* thin provisioning: no space left */
            d->host_byte = ISKRA_DID_ALLOC_FAILURE;
            return ISKRA_DISPOSITION_SUCCESS;
        }
        return target_failure(d);
    case ISKRA_SENSE_COPY_ABORTED:
    case ISKRA_SENSE_VOLUME_OVERFLOW:
    case ISKRA_SENSE_MISCOMPARE:
    case ISKRA_SENSE_BLANK_CHECK:
        return target_failure(d);
    case ISKRA_SENSE_MEDIUM_ERROR:
        return check_medium_error(s, d);
    case ISKRA_SENSE_HARDWARE_ERROR:
        return f->retry_hwerror ? ISKRA_DISPOSITION_ADD_TO_MLQUEUE : target_failure(d);
    case ISKRA_SENSE_ILLEGAL_REQUEST:
        return check_illegal_request(s, d);
    default: /* NO SENSE, RECOVERED ERROR, vendor specific */
        return ISKRA_DISPOSITION_SUCCESS;
    }
}

static void decide_by_status(const struct iskra_verdict_facts *f, struct iskra_decision *d)
{
    switch (f->status) {
    case ISKRA_STATUS_TASK_SET_FULL:
        d->queue_full = true;
        d->disposition = ISKRA_DISPOSITION_ADD_TO_MLQUEUE;
        return;
    case ISKRA_STATUS_BUSY:
        d->disposition = ISKRA_DISPOSITION_ADD_TO_MLQUEUE;
        return;
    case ISKRA_STATUS_GOOD:
        d->queue_good = true;
        return;
    case STATUS_COMMAND_TERMINATED:
    case STATUS_INTERMEDIATE:
    case STATUS_INTERMEDIATE_CONDITION_MET:
    case ISKRA_STATUS_CONDITION_MET:
    case ISKRA_STATUS_ACA_ACTIVE:
        return;
    case ISKRA_STATUS_TASK_ABORTED:
        maybe_retry(f, d);
        return;
    case ISKRA_STATUS_CHECK_CONDITION:
        d->disposition = check_sense(f, d);
        if (d->disposition == ISKRA_DISPOSITION_NEEDS_RETRY)
            maybe_retry(f, d);
        return;
    case ISKRA_STATUS_RESERVATION_CONFLICT:
        d->host_byte = ISKRA_DID_NEXUS_FAILURE;
        return;
    default:
        d->disposition = ISKRA_DISPOSITION_FAILED;
        return;
    }
}

struct iskra_decision iskra_decision_good(bool device_online, uint8_t retries)
{
    return (struct iskra_decision){.disposition = ISKRA_DISPOSITION_SUCCESS,
                                   .host_byte = ISKRA_DID_OK,
                                   .retries = retries,
                                   .queue_good = device_online};
}

struct iskra_decision iskra_decide_disposition(const struct iskra_verdict_facts *f)
{
    struct iskra_decision d = {
        .disposition = ISKRA_DISPOSITION_SUCCESS, .host_byte = f->host_byte, .retries = f->retries};

    if (!f->device_online)
        return d;
    switch (f->host_byte) {
    case ISKRA_DID_OK:
        decide_by_status(f, &d);
        break;
    case ISKRA_DID_ABORT:
        if (f->abort_scheduled)
            d.host_byte = ISKRA_DID_TIME_OUT;
        break;
    case ISKRA_DID_NO_CONNECT:
    case ISKRA_DID_BAD_TARGET:
    case ISKRA_DID_TRANSPORT_FAILFAST:
    case ISKRA_DID_RESET: /* finish.c tries it again */
        break;
    case ISKRA_DID_IMM_RETRY: /* never sent: not counted */
        d.disposition = ISKRA_DISPOSITION_NEEDS_RETRY;
        break;
    case ISKRA_DID_REQUEUE:
        d.disposition = ISKRA_DISPOSITION_ADD_TO_MLQUEUE;
        break;
    case ISKRA_DID_ERROR:
        if (f->status == ISKRA_STATUS_RESERVATION_CONFLICT)
            decide_by_status(f, &d);
        else
            maybe_retry(f, &d);
        break;
    case ISKRA_DID_SOFT_ERROR:
    case ISKRA_DID_TRANSPORT_DISRUPTED:
    case ISKRA_DID_BUS_BUSY:
    case ISKRA_DID_PARITY:
        maybe_retry(f, &d);
        break;
    case ISKRA_DID_TIME_OUT:
        if (f->opcode != ISKRA_SCSI_TEST_UNIT_READY && f->opcode != ISKRA_SCSI_INQUIRY)
            d.disposition = ISKRA_DISPOSITION_FAILED;
        break;
    default:
        d.disposition = ISKRA_DISPOSITION_FAILED;
        break;
    }
    return d;
}
