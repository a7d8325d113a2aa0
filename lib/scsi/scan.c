/* Scanning: one LUN, or all of them.
 *
 * The LUNs of a list are probed side by side, as many as the command window has room for, and each
 * is one command at a time, so that no LUN waits for the round trips of another. They are told in
 * the target's order all the same: who is done early waits for those before. */
#include "scsi/scan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "scsi/probe.h"
#include "scsi/report_luns.h"
#include "scsi/revalidate.h"
#include "wire/luns.h"

#define SEQUENTIAL_LUNS     256u /* without a list, and with SCSI-2's 3 bits: */
#define SEQUENTIAL_LUNS_OLD 8u
#define VERSION_SPC         3u
#define SIDE_BY_SIDE_MAX    128u /* LUNs of a list */

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
    struct iskra_sdev *sdev; /* being asked now, for itself or the list; NULL: none */
    bool canceled, reporting, probing;
    bool stop;  /* the list ends here */
    int status; /* with which it ends */
    struct iskra_error error;
    uint32_t index; /* of the LUN to be probed next */
    uint32_t sequential_limit;
    struct iskra_list luns; /* of struct listed_lun, in the target's order */
    uint32_t device_cnt;    /* of the list's devices, those on their way out included */
    struct {
        uint64_t begun_ns, commands_before;
        uint32_t lun_cnt, in_flight_max;
    } tally; /* for the log */
    struct iskra_probe probe;
    struct iskra_report_luns report;
};

/* A LUN of a list. */
struct listed_lun {
    struct iskra_sdev sdev; /* first: its memory is the device's */
    struct iskra_scan *scan;
    struct iskra_list link;
    bool done;
    int status;
    struct iskra_probe probe;
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
    iskra_list_init(&scan->luns);
    return scan;
}

static void scan_free(struct iskra_scan *scan)
{
    const struct iskra_platform *pf = scan->host->round->pf;

    iskra_report_luns_free(&scan->report, pf);
    pf->free(pf->arg, scan);
}

static struct listed_lun *listed_at(struct iskra_list *link)
{
    return iskra_container_of(link, struct listed_lun, link);
}

static void probes_cancel(struct iskra_scan *scan)
{
    ISKRA_LIST_FOREACH(l, &scan->luns)
    {
        if (!listed_at(l)->done)
            iskra_probe_cancel(&listed_at(l)->probe);
    }
}

void iskra_scan_cancel(struct iskra_scan *scan)
{
    scan->canceled = true;
    if (scan->probing)
        iskra_probe_cancel(&scan->probe);
    else if (scan->reporting)
        iskra_report_luns_cancel(&scan->report);
    probes_cancel(scan);
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

static void tally_tell(const struct iskra_scan *scan)
{
    const struct iskra_shost *host = scan->host;
    char line[160];
    if (host->ops == NULL || host->ops->note == NULL)
        return;
    (void)snprintf(line, sizeof(line),
                   "scan: %" PRIu32 " LUNs in %.3f s, %" PRIu64 " commands, at most %" PRIu32
                   " in flight",
                   scan->tally.lun_cnt, (double)(host->round->now_ns - scan->tally.begun_ns) / 1e9,
                   host->counts.commands - scan->tally.commands_before, scan->tally.in_flight_max);
    host->ops->note(host->ops_arg, false, line);
}

static void list_end(struct iskra_scan *scan)
{
    iskra_scan_luns_fn *fn = scan->luns_fn;
    void *arg = scan->arg;
    int status = scan->status;
    struct iskra_error err = scan->error;

    tally_tell(scan);
    scan_free(scan);
    fn(arg, status, status != 0 ? &err : NULL);
}

/* Nothing more is asked or told. The first reason counts. */
static void list_stop(struct iskra_scan *scan, int status, const struct iskra_error *err)
{
    if (scan->stop)
        return;
    scan->stop = true;
    scan->status = status;
    if (err != NULL)
        scan->error = *err;
    probes_cancel(scan);
}

static void list_go_on(struct iskra_scan *scan);

static void device_gone(void *arg)
{
    struct iskra_scan *scan = arg;

    scan->device_cnt--;
    list_go_on(scan);
}

/* ---- the list itself ---- */

static void report_done(struct iskra_report_luns *report, int status)
{
    struct iskra_scan *scan = iskra_container_of(report, struct iskra_scan, report);
    struct iskra_sdev *sdev = scan->sdev;

    if (status == 0) {
        scan->stage = STAGE_LISTED;
        iskra_shost_set_tasks_aside(scan->host, SIDE_BY_SIDE_MAX);
    } else if (!iskra_probe_answered(&report->error))
        list_stop(scan, status, &report->error);
    else if (scan->stage == STAGE_REPORT_LUN_0)
        scan->stage = STAGE_REPORT_WELL_KNOWN;
    else
        scan->stage = STAGE_SEQUENTIAL;
    scan->sdev = NULL;
    scan->reporting = false;
    iskra_sdev_remove(sdev, device_gone, scan);
}

static bool list_is_asked_for(const struct iskra_scan *scan)
{
    return scan->stage == STAGE_REPORT_LUN_0 || scan->stage == STAGE_REPORT_WELL_KNOWN;
}

/* 0, or why it cannot be asked for (scan->error); then its device, if there is one, is scan->sdev.
 */
static int report_ask(struct iskra_scan *scan)
{
    scan->sdev = iskra_alloc_sdev(
        scan->host, scan->stage == STAGE_REPORT_LUN_0 ? 0 : ISKRA_LUN_WELL_KNOWN_REPORT_LUNS);
    if (scan->sdev == NULL)
        return iskra_fail(&scan->error, ISKRA_E_NOMEM, ENOMEM, "no memory for a device");
    scan->reporting = true;
    int rc = iskra_report_luns_start(&scan->report, scan->sdev, report_done);
    if (rc != 0)
        scan->error = scan->report.error;
    else
        scan->device_cnt++;
    return rc;
}

/* ---- its LUNs ---- */

/* Without a list the first LUN that is not there is the end of it, but for LUN 0, which may be
 * absent alone. */
static void sequential_absent(struct iskra_scan *scan)
{
    if (scan->index > 1)
        list_stop(scan, 0, NULL);
}

/* All before it have been told. */
static void lun_told(struct iskra_scan *scan, const struct listed_lun *lun)
{
    if (lun->status == 0) {
        if (scan->stage == STAGE_SEQUENTIAL && lun->sdev.inquiry.version < VERSION_SPC)
            scan->sequential_limit = SEQUENTIAL_LUNS_OLD;
        scan->tally.lun_cnt++;
        int rc = scan->entry_fn(scan->arg, &lun->sdev);
        if (rc != 0)
            list_stop(scan, rc, NULL);
    } else if (lun->status != -ENXIO && !iskra_probe_answered(&lun->probe.error)) {
        list_stop(scan, lun->status, &lun->probe.error);
    } else if (scan->stage == STAGE_SEQUENTIAL) {
        sequential_absent(scan);
    }
}

static void luns_tell(struct iskra_scan *scan)
{
    while (!iskra_list_empty(&scan->luns) && listed_at(scan->luns.next)->done) {
        struct listed_lun *lun = listed_at(iskra_list_pop_front(&scan->luns));
        if (!scan->stop)
            lun_told(scan, lun);
        iskra_sdev_remove(&lun->sdev, device_gone, scan);
    }
}

static void lun_done(struct iskra_probe *probe, int status)
{
    struct listed_lun *lun = iskra_container_of(probe, struct listed_lun, probe);

    lun->done = true;
    lun->status = status;
    list_go_on(lun->scan);
}

/* The next LUN to look at. false: there is none. */
static bool next_lun(struct iskra_scan *scan, uint64_t *ret_lun)
{
    if (scan->stage == STAGE_SEQUENTIAL)
        return scan->index < scan->sequential_limit &&
               iskra_lun_encode(scan->index++, ret_lun) == 0;
    while (scan->index < scan->report.luns.cnt) {
        *ret_lun = iskra_luns_at(&scan->report.luns, scan->index++);
        if (*ret_lun >> 56 != ISKRA_LUN_WELL_KNOWN_REPORT_LUNS >> 56)
            return true;
    }
    return false;
}

/* Another LUN side by side with those under way? Each has one command out at a time: one more is
 * begun while the window takes it, and none of them waits for a place. Without a list each LUN says
 * whether there is a next one. */
static bool has_room(const struct iskra_scan *scan)
{
    const struct iskra_shost *host = scan->host;
    if (scan->device_cnt == 0)
        return true;
    return scan->stage == STAGE_LISTED && scan->device_cnt < host->can_queue &&
           scan->device_cnt < SIDE_BY_SIDE_MAX && host->session != NULL &&
           iskra_list_empty(&host->starved) && !iskra_window_closed(&host->session->window);
}

static void lun_ask(struct iskra_scan *scan, uint64_t number)
{
    struct listed_lun *lun =
        (struct listed_lun *)iskra_alloc_sdev_sized(scan->host, number, sizeof(*lun));
    if (lun == NULL) {
        list_stop(scan, iskra_fail(&scan->error, ISKRA_E_NOMEM, ENOMEM, "no memory for a device"),
                  NULL);
        return;
    }
    lun->scan = scan;
    scan->device_cnt++;
    int rc = iskra_probe_start(&lun->probe, &lun->sdev, lun_done);
    if (rc == 0) {
        iskra_list_push_back(&scan->luns, &lun->link);
        return;
    }
    list_stop(scan, rc, &lun->probe.error);
    iskra_sdev_remove(&lun->sdev, device_gone, scan);
}

static void luns_ask(struct iskra_scan *scan)
{
    uint64_t number;

    while (!scan->stop && has_room(scan) && next_lun(scan, &number))
        lun_ask(scan, number);
    const struct iskra_session *session = scan->host->session;
    if (session != NULL && scan->tally.in_flight_max < session->scsi_cnt)
        scan->tally.in_flight_max = session->scsi_cnt;
}

/* Something has come or gone: tells what is to be told, asks what is to be asked. The scan may be
 * over afterwards. */
static void list_go_on(struct iskra_scan *scan)
{
    luns_tell(scan);
    if (scan->canceled)
        list_stop(scan, iskra_fail(&scan->error, ISKRA_E_CANCELED, ECANCELED, "scan cancelled"),
                  NULL);
    if (!scan->stop && list_is_asked_for(scan) && scan->sdev == NULL && scan->device_cnt == 0) {
        int rc = report_ask(scan);
        if (rc == 0)
            return;
        list_stop(scan, rc, NULL);
        if (scan->sdev != NULL) {
            scan->device_cnt++;
            iskra_sdev_remove(scan->sdev, device_gone, scan);
            scan->sdev = NULL;
        }
    }
    if (!list_is_asked_for(scan))
        luns_ask(scan);
    if (scan->device_cnt == 0)
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
    scan->tally.begun_ns = host->round->now_ns;
    scan->tally.commands_before = host->counts.commands;
    int rc = report_ask(scan);
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
