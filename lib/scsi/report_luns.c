/* REPORT LUNS, with a buffer that grows. */
#include "scsi/report_luns.h"

#include <errno.h>
#include <inttypes.h>

#include "error.h"
#include "scsi/device.h"
#include "scsi/host.h"
#include "scsi/probe.h"
#include "wire/cdb.h"

#define TRIES_MAX 8u /* unit attentions and longer lists together */

static void report_done(struct iskra_scsi_request *sreq);

static int submit(struct iskra_report_luns *rl)
{
    rl->error = (struct iskra_error){0};
    iskra_scsi_request_init(&rl->sreq, rl->sdev, report_done, &rl->error);
    rl->iov = (struct iovec){.iov_base = rl->buf, .iov_len = rl->buf_len};
    unsigned cdb_len = iskra_cdb_report_luns(rl->sreq.cdb, 0, rl->buf_len);
    return iskra_scsi_submit_internal(&rl->sreq, cdb_len, &rl->iov, 1, rl->buf_len);
}

static int resize(struct iskra_report_luns *rl, uint32_t len)
{
    const struct iskra_platform *pf = rl->sdev->host->round->pf;
    uint8_t *buf = pf->alloc(pf->arg, len);

    if (buf == NULL)
        return iskra_fail(&rl->error, ISKRA_E_NOMEM, ENOMEM,
                          "no memory for a LUN list of %" PRIu32 " bytes", len);
    pf->free(pf->arg, rl->buf);
    rl->buf = buf;
    rl->buf_len = len;
    return 0;
}

/* The length that a list of this many LUNs asks for; 0: what there is, is enough, or as much as we
 * take. */
static uint32_t length_wanted(const struct iskra_report_luns *rl, uint32_t stated_cnt)
{
    uint64_t want = ISKRA_LUNS_HEADER_LEN + (uint64_t)stated_cnt * 8;

    if (want > ISKRA_REPORT_LUNS_LEN_MAX)
        want = ISKRA_REPORT_LUNS_LEN_MAX;
    return want > rl->buf_len ? (uint32_t)want : 0;
}

/* The answer is there. 0: done; -EAGAIN: ask once more. */
static int take_list(struct iskra_report_luns *rl, bool again)
{
    if (iskra_luns_decode(rl->buf, (size_t)rl->sreq.progress, &rl->luns) != 0)
        return iskra_fail(&rl->error, ISKRA_E_RESPONSE, EBADMSG,
                          "REPORT LUNS: the list's length makes no sense (%" PRIu64 " bytes came)",
                          rl->sreq.progress);
    uint32_t want = length_wanted(rl, rl->luns.stated_cnt);
    if (want == 0 || !again)
        return 0; /* a list that goes on growing, or lies about its length: what came has to do */
    int rc = resize(rl, want);
    return rc != 0 ? rc : -EAGAIN;
}

static void report_done(struct iskra_scsi_request *sreq)
{
    struct iskra_report_luns *rl = iskra_container_of(sreq, struct iskra_report_luns, sreq);
    bool again = ++rl->tries < TRIES_MAX;
    int rc = sreq->status;

    if (rl->canceled) {
        rl->error = (struct iskra_error){0};
        rc = iskra_fail(&rl->error, ISKRA_E_CANCELED, ECANCELED, "scan cancelled");
    } else if (rc == 0) {
        rc = take_list(rl, again);
    } else if (again && iskra_probe_unit_attention(&rl->error)) {
        rc = -EAGAIN;
    }
    if (rc == -EAGAIN) {
        rc = submit(rl);
        if (rc == 0)
            return;
    }
    rl->done(rl, rc);
}

int iskra_report_luns_start(struct iskra_report_luns *rl, struct iskra_sdev *sdev,
                            void (*done)(struct iskra_report_luns *rl, int status))
{
    rl->sdev = sdev;
    rl->done = done;
    rl->tries = 0;
    rl->error = (struct iskra_error){0};
    int rc = rl->buf == NULL ? resize(rl, ISKRA_REPORT_LUNS_LEN_FIRST) : 0;
    return rc != 0 ? rc : submit(rl);
}

void iskra_report_luns_cancel(struct iskra_report_luns *rl)
{
    rl->canceled = true;
    (void)iskra_scsi_cancel(&rl->sreq); /* -EALREADY: it ends when the target answers */
}

void iskra_report_luns_free(struct iskra_report_luns *rl, const struct iskra_platform *pf)
{
    pf->free(pf->arg, rl->buf);
    rl->buf = NULL;
}
