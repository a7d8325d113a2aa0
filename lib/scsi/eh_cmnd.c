/* Commands past the queue; see eh_cmnd.h. */
#include "scsi/eh_cmnd.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "error.h"
#include "scsi/cache.h"
#include "scsi/device.h"
#include "scsi/host.h"
#include "trace.h"
#include "wire/bhs.h"
#include "wire/cdb.h"
#include "wire/sense.h"

static void tell_later(struct iskra_eh_cmnd *c)
{
    iskra_work_schedule(&c->host->round->work, &c->work);
}

static void scsi_done(struct iskra_cmnd *cmnd)
{
    struct iskra_eh_cmnd *c = iskra_container_of(cmnd, struct iskra_eh_cmnd, cmnd);

    c->lent = false;
    if (c->fn != NULL)
        tell_later(c);
}

static void fail(struct iskra_eh_cmnd *c, enum iskra_host_byte host_byte)
{
    c->cmnd.result = ISKRA_RESULT(host_byte, 0);
    c->cmnd.residual = c->cmnd.transfer_len;
    tell_later(c);
}

/* Straight to the session. */
static void queue(struct iskra_eh_cmnd *c)
{
    struct iskra_session *s = c->host->session;
    uint64_t now_ns = c->host->round->now_ns;

    if (s == NULL || s->state != ISKRA_SESSION_LOGGED_IN || c->lent) {
        fail(c, ISKRA_DID_NO_CONNECT);
        return;
    }
    c->lent = true;
    if (iskra_queuecommand(s, &c->cmnd) == ISKRA_QUEUED) {
        iskra_timer_arm(&c->timer, c->deadline_ns);
        return;
    }
    c->lent = false;
    uint64_t again_ns = now_ns + ISKRA_EH_BUSY_RETRY_NS;
    iskra_timer_arm(&c->timer, again_ns < c->deadline_ns ? again_ns : c->deadline_ns);
}

static void prepare(struct iskra_eh_cmnd *c)
{
    c->cmnd.result = c->cmnd.residual = c->cmnd.overflow = 0;
    c->cmnd.sense_len = 0;
    c->cmnd.told = false;
    c->cmnd.task = NULL;
    c->cmnd.scsi_done = scsi_done;
    c->timed_out = false;
    c->deadline_ns = c->host->round->now_ns + c->timeout_ns;
    queue(c);
}

/* Neither answered nor aborted: only the end of its session ends it. */
static void drop_session(struct iskra_eh_cmnd *c)
{
    struct iskra_session *s = c->host->session;
    struct iskra_error why = {0};

    (void)iskra_fail(&why, ISKRA_E_TIMEOUT_SCSI, ETIMEDOUT, "%s was neither answered nor aborted",
                     iskra_cdb_name(c->cdb[0], 0)); /* passed on just below */
    iskra_eh_session_reset(s, &c->op, &why);
    iskra_eh_op_cancel(s, &c->op); /* whether it comes back is somebody else's question */
}

static void abort_told(struct iskra_eh_op *op, enum iskra_eh_outcome outcome)
{
    struct iskra_eh_cmnd *c = iskra_container_of(op, struct iskra_eh_cmnd, op);

    if (outcome == ISKRA_EH_FAILED && c->lent && c->host->session != NULL)
        drop_session(c);
}

static void timer_fn(struct iskra_timer *timer, uint64_t now_ns)
{
    struct iskra_eh_cmnd *c = iskra_container_of(timer, struct iskra_eh_cmnd, timer);

    if (now_ns < c->deadline_ns) {
        queue(c);
    } else if (!c->lent) {
        fail(c, ISKRA_DID_BUS_BUSY);
    } else {
        c->timed_out = true;
        iskra_eh_abort(c->host->session, &c->op, &c->cmnd);
    }
}

/* Who sees a unit attention first tells of it, here as in finish.c. */
static void take_news(struct iskra_eh_cmnd *c, const struct iskra_decision *d,
                      const struct iskra_sense *sense)
{
    const struct iskra_shost *host = c->host;

    if (d->unit_attention)
        iskra_cache_unit_attention(c->sdev, sense->asc, sense->ascq);
    if (d->unit_attention && host->ops->unit_attention != NULL)
        host->ops->unit_attention(host->ops_arg, c->sdev, sense->asc, sense->ascq);
    iskra_cache_sense(c->sdev, sense, false);
    if (d->expected_ua_seen)
        c->sdev->expecting_ua = false;
}

/* Did it come back with an answer that lets others be sent (spec 3.5)? */
static enum iskra_disposition decide(struct iskra_eh_cmnd *c)
{
    uint8_t host_byte = ISKRA_RESULT_HOST(c->cmnd.result);
    uint8_t status = ISKRA_RESULT_STATUS(c->cmnd.result);
    struct iskra_verdict_facts facts = {.host_byte = host_byte,
                                        .status = status,
                                        .opcode = c->cdb[0],
                                        .device_online = true,
                                        .allowed = UINT8_MAX,
                                        .expecting_ua = c->sdev->expecting_ua};

    if (status == ISKRA_STATUS_CHECK_CONDITION)
        (void)iskra_sense_decode(c->cmnd.sense, c->cmnd.sense_len,
                                 &facts.sense); /* else not valid */
    struct iskra_decision d = iskra_decide_disposition(&facts);
    take_news(c, &d, &facts.sense);
    if (c->timed_out || (host_byte != ISKRA_DID_OK && host_byte != ISKRA_DID_RESET))
        return ISKRA_DISPOSITION_FAILED;
    return d.disposition == ISKRA_DISPOSITION_ADD_TO_MLQUEUE ? ISKRA_DISPOSITION_NEEDS_RETRY
                                                             : d.disposition;
}

static void tell(struct iskra_work *work)
{
    struct iskra_eh_cmnd *c = iskra_container_of(work, struct iskra_eh_cmnd, work);
    enum iskra_disposition d = decide(c);

    iskra_timer_disarm(&c->timer);
    if (c->op.session != NULL)
        iskra_eh_op_cancel(c->op.session, &c->op);
    if (d == ISKRA_DISPOSITION_NEEDS_RETRY && c->retries_left > 0) {
        c->retries_left--;
        prepare(c);
        return;
    }
    iskra_eh_cmnd_fn *fn = c->fn;
    c->fn = NULL;
    fn(c, d);
}

int iskra_eh_cmnd_init(struct iskra_eh_cmnd *c, struct iskra_shost *host)
{
    memset(c, 0, sizeof(*c));
    c->host = host;
    iskra_work_init(&c->work, tell);
    iskra_eh_op_init(&c->op, abort_told);
    return iskra_timer_init(&c->timer, &host->round->timers, timer_fn);
}

void iskra_eh_cmnd_done(struct iskra_eh_cmnd *c)
{
    iskra_eh_cmnd_cancel(c);
    iskra_timer_done(&c->timer);
}

void iskra_eh_cmnd_send(struct iskra_eh_cmnd *c, struct iskra_sdev *sdev, const uint8_t *cdb,
                        unsigned cdb_len, void *buf, uint32_t len, uint64_t timeout_ns,
                        iskra_eh_cmnd_fn *fn)
{
    assert(c->fn == NULL && cdb_len <= sizeof(c->cdb));
    c->fn = fn;
    c->sdev = sdev;
    c->timeout_ns = timeout_ns;
    c->retries_left = 0;
    if (c->lent) { /* one that was cancelled is still on its way back */
        tell_later(c);
        return;
    }
    memcpy(c->cdb, cdb, cdb_len);
    c->iov = (struct iovec){.iov_base = buf, .iov_len = len};
    c->cmnd = (struct iskra_cmnd){.cdb = c->cdb,
                                  .cdb_len = (uint16_t)cdb_len,
                                  .dir = len > 0 ? ISKRA_DIR_READ : ISKRA_DIR_NONE,
                                  .lun = sdev->lun,
                                  .iov = &c->iov,
                                  .iov_cnt = len > 0 ? 1 : 0,
                                  .transfer_len = len};
    iskra_list_init(&c->cmnd.link);
    prepare(c);
}

void iskra_eh_cmnd_tur(struct iskra_eh_cmnd *c, struct iskra_sdev *sdev, iskra_eh_cmnd_fn *fn)
{
    uint8_t cdb[ISKRA_REQUEST_CDB_LEN];
    unsigned cdb_len = iskra_cdb_test_unit_ready(cdb);

    iskra_eh_cmnd_send(c, sdev, cdb, cdb_len, NULL, 0, ISKRA_EH_TIMEOUT_NS, fn);
    c->retries_left = 1;
}

void iskra_eh_cmnd_cancel(struct iskra_eh_cmnd *c)
{
    struct iskra_session *s = c->host->session;

    c->fn = NULL;
    iskra_timer_disarm(&c->timer);
    iskra_work_cancel(&c->work);
    if (c->op.session != NULL)
        iskra_eh_op_cancel(c->op.session, &c->op);
    if (c->lent && s != NULL)
        (void)iskra_session_abort(s, &c->cmnd); /* its end is nobody's business */
}
