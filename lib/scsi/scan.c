/* Scanning: one LUN, or all of them. */
#include "scsi/scan.h"

#include <errno.h>
#include <string.h>

#include "error.h"
#include "scsi/probe.h"
#include "scsi/report_luns.h"
#include "scsi/revalidate.h"
#include "wire/luns.h"

#define SEQUENTIAL_LUNS     256u /* without a list, and with SCSI-2's 3 bits: */
#define SEQUENTIAL_LUNS_OLD 8u
#define VERSION_SPC         3u

/* What is going on; a list goes through the stages in this order. */
enum scan_stage {
    STAGE_ONE_LUN,
    STAGE_REPORT_LUN_0,
    STAGE_REPORT_WELL_KNOWN,
    STAGE_LISTED,     /* probing what the list says */
    STAGE_SEQUENTIAL, /* no list: probing 0, 1, 2, ... */
};

struct iskra_scan {
    struct iskra_shost *host;
    enum scan_stage stage;
    iskra_scan_lun_fn *lun_fn;
    iskra_scan_entry_fn *entry_fn;
    iskra_scan_luns_fn *luns_fn;
    void *arg;
    struct iskra_sdev *sdev; /* being asked now; NULL between two */
    bool canceled, reporting, probing;
    bool stop;  /* the list ends here */
    int status; /* with which it ends */
    struct iskra_error error;
    uint32_t index; /* of the LUN being probed */
    uint32_t sequential_limit;
    struct iskra_probe probe;
    struct iskra_report_luns report;
};

/* NULL: no memory, and *err says so. */
static struct iskra_scan *scan_new(struct iskra_shost *host, enum scan_stage stage, void *arg,
                                   struct iskra_error *err)
{
    const struct iskra_platform *pf = host->round->pf;
    struct iskra_scan *scan = pf->alloc(pf->arg, sizeof(*scan));

    if (scan == NULL) {
        (void)iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for a scan");
        return NULL;
    }
    scan->host = host;
    scan->stage = stage;
    scan->arg = arg;
    return scan;
}

static void scan_free(struct iskra_scan *scan)
{
    const struct iskra_platform *pf = scan->host->round->pf;

    iskra_report_luns_free(&scan->report, pf);
    pf->free(pf->arg, scan);
}

void iskra_scan_cancel(struct iskra_scan *scan)
{
    scan->canceled = true;
    if (scan->probing)
        iskra_probe_cancel(&scan->probe);
    else if (scan->reporting)
        iskra_report_luns_cancel(&scan->report);
}

/* ---- one LUN ---- */

static void one_lun_done(struct iskra_probe *probe, int status)
{
    struct iskra_scan *scan = iskra_container_of(probe, struct iskra_scan, probe);
    struct iskra_sdev *sdev = scan->sdev;
    iskra_scan_lun_fn *fn = scan->lun_fn;
    void *arg = scan->arg;
    struct iskra_error err = probe->error;

    if (status == 0 && sdev->inquiry.type == ISKRA_TYPE_DISK && !sdev->capacity_known) {
        err = probe->capacity_error;
        status = iskra_fail(&err, ISKRA_E_RESPONSE, ENOTSUP,
                            "the disk is not connected: peripheral qualifier %u",
                            sdev->inquiry.qualifier);
        if (err.sys_errno != 0)
            status = -err.sys_errno;
    }
    scan_free(scan);
    if (status != 0) {
        iskra_sdev_remove(sdev, NULL, NULL);
        fn(arg, status, NULL, &err);
        return;
    }
    /* BLOCK if its session was lost while the last answer came in. */
    if (!iskra_sdev_set_state(sdev, ISKRA_SDEV_RUNNING))
        (void)iskra_sdev_set_state(sdev, ISKRA_SDEV_BLOCK); /* or it is offline, and stays so */
    fn(arg, 0, sdev, NULL);
}

int iskra_scan_lun(struct iskra_shost *host, uint64_t lun, iskra_scan_lun_fn *fn, void *arg,
                   struct iskra_scan **ret_scan, struct iskra_error *err)
{
    struct iskra_scan *scan = scan_new(host, STAGE_ONE_LUN, arg, err);

    if (scan == NULL)
        return -ENOMEM;
    scan->lun_fn = fn;
    scan->sdev = iskra_alloc_sdev(host, lun);
    if (scan->sdev == NULL || iskra_revalidate_set_aside(scan->sdev) != 0) {
        if (scan->sdev != NULL)
            iskra_sdev_remove(scan->sdev, NULL, NULL);
        scan_free(scan);
        return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for a device");
    }
    scan->probing = true;
    int rc = iskra_probe_start(&scan->probe, scan->sdev, one_lun_done);
    if (rc != 0) {
        if (err != NULL)
            *err = scan->probe.error;
        iskra_sdev_remove(scan->sdev, NULL, NULL);
        scan_free(scan);
        return rc;
    }
    if (ret_scan != NULL)
        *ret_scan = scan;
    return 0;
}

/* ---- all LUNs ---- */

static void list_end(struct iskra_scan *scan)
{
    iskra_scan_luns_fn *fn = scan->luns_fn;
    void *arg = scan->arg;
    int status = scan->status;
    struct iskra_error err = scan->error;

    scan_free(scan);
    fn(arg, status, status != 0 ? &err : NULL);
}

static void list_stop(struct iskra_scan *scan, int status, const struct iskra_error *err)
{
    scan->stop = true;
    scan->status = status;
    if (err != NULL)
        scan->error = *err;
}

static void list_next(void *arg);

/* The device has served; when it is gone the scan goes on, so that there is never more than one. */
static void list_drop_device(struct iskra_scan *scan)
{
    struct iskra_sdev *sdev = scan->sdev;

    scan->sdev = NULL;
    scan->probing = scan->reporting = false;
    iskra_sdev_remove(sdev, list_next, scan);
}

static void report_done(struct iskra_report_luns *report, int status)
{
    struct iskra_scan *scan = iskra_container_of(report, struct iskra_scan, report);

    if (status == 0)
        scan->stage = STAGE_LISTED;
    else if (!iskra_probe_answered(&report->error))
        list_stop(scan, status, &report->error);
    else if (scan->stage == STAGE_REPORT_LUN_0)
        scan->stage = STAGE_REPORT_WELL_KNOWN;
    else
        scan->stage = STAGE_SEQUENTIAL;
    list_drop_device(scan);
}

/* Without a list the first LUN that is not there is the end of it, but for LUN 0, which may be
 * absent alone. */
static void sequential_absent(struct iskra_scan *scan)
{
    if (scan->index > 0)
        list_stop(scan, 0, NULL);
}

static void entry_done(struct iskra_probe *probe, int status)
{
    struct iskra_scan *scan = iskra_container_of(probe, struct iskra_scan, probe);

    if (status == 0) {
        if (scan->stage == STAGE_SEQUENTIAL && scan->sdev->inquiry.version < VERSION_SPC)
            scan->sequential_limit = SEQUENTIAL_LUNS_OLD;
        int rc = scan->entry_fn(scan->arg, scan->sdev);
        if (rc != 0)
            list_stop(scan, rc, NULL);
    } else if (status != -ENXIO && !iskra_probe_answered(&probe->error)) {
        list_stop(scan, status, &probe->error);
    } else if (scan->stage == STAGE_SEQUENTIAL) {
        sequential_absent(scan);
    }
    scan->index++;
    list_drop_device(scan);
}

/* The next LUN to look at. false: there is none. */
static bool next_lun(struct iskra_scan *scan, uint64_t *ret_lun)
{
    switch (scan->stage) {
    case STAGE_REPORT_LUN_0:
        *ret_lun = 0;
        return true;
    case STAGE_REPORT_WELL_KNOWN:
        *ret_lun = ISKRA_LUN_WELL_KNOWN_REPORT_LUNS;
        return true;
    case STAGE_LISTED:
        for (; scan->index < scan->report.luns.cnt; scan->index++) {
            *ret_lun = iskra_luns_at(&scan->report.luns, scan->index);
            if (*ret_lun >> 56 != ISKRA_LUN_WELL_KNOWN_REPORT_LUNS >> 56)
                return true;
        }
        return false;
    case STAGE_SEQUENTIAL:
        return scan->index < scan->sequential_limit && iskra_lun_encode(scan->index, ret_lun) == 0;
    case STAGE_ONE_LUN:
        break;
    }
    return false;
}

/* Puts the next question. 0, or why it cannot be put (scan->error). */
static int list_ask(struct iskra_scan *scan, uint64_t lun)
{
    int rc;

    scan->sdev = iskra_alloc_sdev(scan->host, lun);
    if (scan->sdev == NULL)
        return iskra_fail(&scan->error, ISKRA_E_NOMEM, ENOMEM, "no memory for a device");
    if (scan->stage == STAGE_REPORT_LUN_0 || scan->stage == STAGE_REPORT_WELL_KNOWN) {
        scan->reporting = true;
        rc = iskra_report_luns_start(&scan->report, scan->sdev, report_done);
        if (rc != 0)
            scan->error = scan->report.error;
    } else {
        scan->probing = true;
        rc = iskra_probe_start(&scan->probe, scan->sdev, entry_done);
        if (rc != 0)
            scan->error = scan->probe.error;
    }
    return rc;
}

/* One step: runs from the loop, when the device before is gone. */
static void list_next(void *arg)
{
    struct iskra_scan *scan = arg;
    uint64_t lun;

    if (scan->canceled && !scan->stop)
        list_stop(scan, iskra_fail(&scan->error, ISKRA_E_CANCELED, ECANCELED, "scan cancelled"),
                  NULL);
    if (scan->stop || !next_lun(scan, &lun)) {
        list_end(scan);
        return;
    }
    int rc = list_ask(scan, lun);
    if (rc == 0)
        return;
    list_stop(scan, rc, NULL);
    if (scan->sdev != NULL)
        list_drop_device(scan);
    else
        list_end(scan);
}

int iskra_scan_luns(struct iskra_shost *host, iskra_scan_entry_fn *entry, iskra_scan_luns_fn *fn,
                    void *arg, struct iskra_scan **ret_scan, struct iskra_error *err)
{
    struct iskra_scan *scan = scan_new(host, STAGE_REPORT_LUN_0, arg, err);

    if (scan == NULL)
        return -ENOMEM;
    scan->entry_fn = entry;
    scan->luns_fn = fn;
    scan->sequential_limit = SEQUENTIAL_LUNS;
    int rc = list_ask(scan, 0);
    if (rc != 0) {
        if (err != NULL)
            *err = scan->error;
        if (scan->sdev != NULL)
            iskra_sdev_remove(scan->sdev, NULL, NULL);
        scan_free(scan);
        return rc;
    }
    if (ret_scan != NULL)
        *ret_scan = scan;
    return 0;
}
