/* The probe's steps and its walk through them. */
#include "scsi/probe_row.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "scsi/device.h"
#include "scsi/host.h"
#include "scsi/identity.h"
#include "wire/cdb.h"
#include "wire/inquiry.h"
#include "wire/luns.h"
#include "wire/sense.h"
#include "wire/vpd.h"

#define NS_PER_MS          UINT64_C(1000000)
#define INQUIRY_TIMEOUT_NS (20500 * NS_PER_MS)
#define TRIES_MAX          5u  /* of one step, while unit attentions come */
#define READY_TRIES_MAX    32u /* of a LUN that a target has kept some for */
#define BEGIN_MAX          4u  /* of all steps, while the session comes and goes */
#define INQUIRY_LEN_FIRST  ISKRA_INQUIRY_LEN
#define INQUIRY_LEN_LIMIT  255u
#define VPD_LEN_FIRST      252u /* what even old devices take */
#define VERSION_SPC        3u

static void run_step(struct iskra_probe *p);

/* ---- TEST UNIT READY ---- */

static unsigned ask_ready(struct iskra_probe *p)
{
    return p->again ? iskra_cdb_test_unit_ready(p->sreq.cdb) : 0;
}

static int take_ready(struct iskra_probe *p, const uint8_t *bytes, uint32_t len)
{
    (void)p, (void)bytes, (void)len; /* it is ready, that is all */
    return 0;
}

/* ---- INQUIRY ---- */

static unsigned ask_inquiry(struct iskra_probe *p)
{
    uint64_t device_ns = p->sdev->queue.rq_timeout_ns;

    p->sreq.rq.timeout_ns = device_ns < INQUIRY_TIMEOUT_NS ? device_ns : INQUIRY_TIMEOUT_NS;
    return iskra_cdb_inquiry(p->sreq.cdb, p->ask_len);
}

static int no_such_lun(struct iskra_probe *p)
{
    uint32_t number;

    p->error = (struct iskra_error){0};
    if (iskra_lun_decode(p->sdev->lun, &number) == 0)
        return iskra_fail(&p->error, ISKRA_E_NOT_FOUND, ENXIO, "no LUN %" PRIu32 " at this target",
                          number);
    return iskra_fail(&p->error, ISKRA_E_NOT_FOUND, ENXIO, "no LUN %016" PRIx64 " at this target",
                      p->sdev->lun);
}

static int take_inquiry(struct iskra_probe *p, const uint8_t *bytes, uint32_t len)
{
    struct iskra_inquiry inquiry;

    if (iskra_inquiry_decode(bytes, len, &inquiry) != 0)
        return iskra_fail(&p->error, ISKRA_E_RESPONSE, EBADMSG,
                          "INQUIRY: %" PRIu32 " bytes came, at least %u are due", len,
                          ISKRA_INQUIRY_LEN_MIN);
    if (inquiry.qualifier == ISKRA_PQ_ABSENT ||
        (inquiry.qualifier == ISKRA_PQ_NOT_CONNECTED && inquiry.type == ISKRA_TYPE_UNKNOWN))
        return no_such_lun(p);
    p->sdev->inquiry = inquiry;
    p->inquiry_len = bytes[4] > INQUIRY_LEN_LIMIT - 5 ? INQUIRY_LEN_LIMIT : (uint8_t)(bytes[4] + 5);
    return 0;
}

/* A target without this LUN may also answer ILLEGAL REQUEST 25h/00h, LOGICAL UNIT NOT SUPPORTED
 * (SPC-4 5.9 leaves it the choice for commands other than INQUIRY; some do so for INQUIRY too). */
static int inquiry_refused(struct iskra_probe *p, int status)
{
    struct iskra_sense s;

    if (iskra_sense_decode(p->error.sense, p->error.sense_len, &s) == 0 &&
        s.key == ISKRA_SENSE_ILLEGAL_REQUEST && s.asc == 0x25)
        return no_such_lun(p);
    return status;
}

static unsigned ask_inquiry_long(struct iskra_probe *p)
{
    if (p->inquiry_len <= INQUIRY_LEN_FIRST)
        return 0;
    p->ask_len = p->inquiry_len;
    return ask_inquiry(p);
}

/* The second look is worth only as much as it agrees that there is a LUN. */
static int take_inquiry_long(struct iskra_probe *p, const uint8_t *bytes, uint32_t len)
{
    struct iskra_inquiry inquiry;

    if (iskra_inquiry_decode(bytes, len, &inquiry) == 0 &&
        inquiry.qualifier == p->sdev->inquiry.qualifier && inquiry.type == p->sdev->inquiry.type)
        p->sdev->inquiry = inquiry;
    return 0;
}

/* ---- vital product data ---- */

static unsigned ask_vpd_supported(struct iskra_probe *p)
{
    if (p->sdev->inquiry.version < VERSION_SPC)
        return 0;
    return iskra_cdb_inquiry_vpd(p->sreq.cdb, ISKRA_VPD_SUPPORTED, p->ask_len);
}

static int take_vpd_supported(struct iskra_probe *p, const uint8_t *bytes, uint32_t len)
{
    p->serial_offered = iskra_vpd_supports(bytes, len, ISKRA_VPD_SERIAL);
    p->id_offered = iskra_vpd_supports(bytes, len, ISKRA_VPD_DEVICE_ID);
    p->limits_offered = iskra_vpd_supports(bytes, len, ISKRA_VPD_BLOCK_LIMITS);
    p->provisioning_offered = iskra_vpd_supports(bytes, len, ISKRA_VPD_PROVISIONING);
    return 0;
}

static unsigned ask_vpd_serial(struct iskra_probe *p)
{
    if (!p->serial_offered)
        return 0;
    return iskra_cdb_inquiry_vpd(p->sreq.cdb, ISKRA_VPD_SERIAL, p->ask_len);
}

static int take_vpd_serial(struct iskra_probe *p, const uint8_t *bytes, uint32_t len)
{
    const uint8_t *serial;
    size_t serial_len;

    if (iskra_vpd_serial(bytes, len, &serial, &serial_len) == 0)
        iskra_escape(p->sdev->serial, sizeof(p->sdev->serial), serial, serial_len);
    return 0;
}

static unsigned ask_vpd_device_id(struct iskra_probe *p)
{
    if (!p->id_offered)
        return 0;
    return iskra_cdb_inquiry_vpd(p->sreq.cdb, ISKRA_VPD_DEVICE_ID, p->ask_len);
}

/* The page may be longer than what was asked for: once more, then, for all of it (as far as the
 * buffer goes). What came first is kept should the second answer be worse. */
static int take_vpd_device_id(struct iskra_probe *p, const uint8_t *bytes, uint32_t len)
{
    struct iskra_vpd_page page;

    if (iskra_vpd_page(bytes, len, ISKRA_VPD_DEVICE_ID, &page) != 0)
        return 0;
    iskra_identity_from_vpd(bytes, len, p->sdev->identity, sizeof(p->sdev->identity));
    size_t whole_len = page.stated_len + ISKRA_VPD_HEADER_LEN;
    if (whole_len <= p->ask_len || p->ask_len != VPD_LEN_FIRST)
        return 0;
    p->ask_len = (uint16_t)(whole_len < sizeof(p->buf) ? whole_len : sizeof(p->buf));
    return -EAGAIN;
}

static const struct iskra_probe_row rows[ISKRA_PROBE_MODE_SENSE] = {
    [ISKRA_PROBE_READY] = {ask_ready, take_ready, NULL, 0},
    [ISKRA_PROBE_INQUIRY] = {ask_inquiry, take_inquiry, inquiry_refused, INQUIRY_LEN_FIRST},
    [ISKRA_PROBE_INQUIRY_LONG] = {ask_inquiry_long, take_inquiry_long, NULL, 0},
    [ISKRA_PROBE_VPD_SUPPORTED] = {ask_vpd_supported, take_vpd_supported, NULL, VPD_LEN_FIRST},
    [ISKRA_PROBE_VPD_SERIAL] = {ask_vpd_serial, take_vpd_serial, NULL, VPD_LEN_FIRST},
    [ISKRA_PROBE_VPD_DEVICE_ID] = {ask_vpd_device_id, take_vpd_device_id, NULL, VPD_LEN_FIRST},
};

/* ---- the walk ---- */

static const struct iskra_probe_row *row_of(const struct iskra_probe *p)
{
    return p->step < ISKRA_PROBE_MODE_SENSE ? &rows[p->step] : &iskra_probe_disk_rows[p->step];
}

bool iskra_probe_unit_attention(const struct iskra_error *err)
{
    struct iskra_sense s;

    return err->code == ISKRA_E_SCSI && iskra_sense_decode(err->sense, err->sense_len, &s) == 0 &&
           s.key == ISKRA_SENSE_UNIT_ATTENTION;
}

bool iskra_probe_answered(const struct iskra_error *err)
{
    return err->code == ISKRA_E_SCSI || err->code == ISKRA_E_RESPONSE;
}

static void probe_end(struct iskra_probe *p, int status)
{
    if (status == 0 && !p->again) {
        iskra_limits_settle(p->sdev, p->space.limits.max_transfer_blocks,
                            p->space.limits.optimal_transfer_blocks);
        p->space.zeroes_told = p->sdev->reads_zeroes;
        iskra_space_settle(p->sdev, &p->space);
    }
    p->done(p, status);
}

static void next_step(struct iskra_probe *p)
{
    p->step++;
    p->tries = 0;
    p->ask_len = 0;
    run_step(p);
}

/* What was said in an earlier life of the session is not mixed with what is said now. */
static void begin_anew(struct iskra_probe *p)
{
    struct iskra_probe begun = {.sdev = p->sdev,
                                .done = p->done,
                                .begin_cnt = (uint8_t)(p->begin_cnt + 1),
                                .life = p->sdev->host->life};

    iskra_identity_forget(p->sdev);
    *p = begun;
    if (p->begin_cnt < BEGIN_MAX)
        run_step(p);
    else
        probe_end(p, iskra_fail(&p->error, ISKRA_E_CONNECTION, ECONNABORTED,
                                "the session was lost %u times while the LUN was looked at",
                                BEGIN_MAX));
}

static void step_done(struct iskra_scsi_request *sreq)
{
    struct iskra_probe *p = iskra_container_of(sreq, struct iskra_probe, sreq);
    const struct iskra_probe_row *row = row_of(p);
    int status = sreq->status;

    if (p->canceled) {
        p->error = (struct iskra_error){0};
        probe_end(p, iskra_fail(&p->error, ISKRA_E_CANCELED, ECANCELED, "scan cancelled"));
        return;
    }
    /* A step that was not answered in time may be what the session was lost for: it would be the
     * next time, too. */
    bool expired = status != 0 && p->error.code == ISKRA_E_TIMEOUT_SCSI;
    if (!p->again && !expired && p->life != p->sdev->host->life) {
        begin_anew(p);
        return;
    }
    bool again = ++p->tries < (p->step == ISKRA_PROBE_READY ? READY_TRIES_MAX : TRIES_MAX);
    if (again && status != 0 && iskra_probe_unit_attention(&p->error)) {
        run_step(p);
        return;
    }
    if (status != 0 && !iskra_probe_answered(&p->error)) {
        probe_end(p, status);
        return;
    }
    if (status == 0 && p->step == ISKRA_PROBE_INQUIRY && sreq->progress == 0 && again) {
        run_step(p); /* some devices wake up with an empty answer */
        return;
    }
    int rc = 0;
    if (status == 0)
        rc = row->take(p, p->buf, (uint32_t)sreq->progress);
    else if (row->refused != NULL)
        rc = row->refused(p, status);
    if (rc == -EAGAIN)
        run_step(p);
    else if (rc != 0)
        probe_end(p, rc);
    else
        next_step(p);
}

/* Submits the step, or the first one after it that is for this device. 0, or why it cannot be
 * submitted. */
static int submit_step(struct iskra_probe *p)
{
    for (; p->step < ISKRA_PROBE_END; p->step++, p->ask_len = 0) {
        if (p->again && p->step == ISKRA_PROBE_VPD_LIMITS) {
            p->step = ISKRA_PROBE_END;
            break;
        }
        if (p->ask_len == 0)
            p->ask_len = row_of(p)->first_len;
        p->error = (struct iskra_error){0};
        iskra_scsi_request_init(&p->sreq, p->sdev, step_done, &p->error);
        unsigned cdb_len = row_of(p)->ask(p);
        if (cdb_len == 0)
            continue;
        memset(p->buf, 0, p->ask_len);
        p->iov = (struct iovec){.iov_base = p->buf, .iov_len = p->ask_len};
        return iskra_scsi_submit_internal(&p->sreq, cdb_len, &p->iov, 1, p->ask_len);
    }
    return -ENOENT;
}

static void run_step(struct iskra_probe *p)
{
    int rc = submit_step(p);

    if (p->step == ISKRA_PROBE_END)
        probe_end(p, 0);
    else if (rc != 0)
        probe_end(p, rc);
}

static int start(struct iskra_probe *p, struct iskra_sdev *sdev, bool again,
                 void (*done)(struct iskra_probe *probe, int status))
{
    memset(p, 0, sizeof(*p));
    p->sdev = sdev;
    p->again = again;
    p->done = done;
    p->life = sdev->host->life;
    return submit_step(p); /* INQUIRY is for every device */
}

int iskra_probe_start(struct iskra_probe *p, struct iskra_sdev *sdev,
                      void (*done)(struct iskra_probe *probe, int status))
{
    return start(p, sdev, false, done);
}

int iskra_probe_again(struct iskra_probe *p, struct iskra_sdev *sdev,
                      void (*done)(struct iskra_probe *probe, int status))
{
    return start(p, sdev, true, done);
}

void iskra_probe_cancel(struct iskra_probe *p)
{
    p->canceled = true;
    (void)iskra_scsi_cancel(&p->sreq); /* -EALREADY: it ends when the target answers */
}
