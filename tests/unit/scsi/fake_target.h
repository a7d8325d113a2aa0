/* A target for the scan: honest, unless a test gives it a lie to tell. */
#ifndef FAKE_TARGET_H
#define FAKE_TARGET_H

#include "scsi/scan.h"
#include "unit/scsi/scsi_rig.h"
#include "wire/capacity.h"
#include "wire/inquiry.h"

#define FAKE_LUN_MAX 3000

struct fake_lun {
    uint32_t number;
    struct iskra_inquiry inquiry;
    struct iskra_capacity capacity;
    uint32_t max_transfer_blocks;
    uint8_t generation; /* another one: another serial number and name */
};

struct fake_target {
    struct rig *rig;
    struct fake_lun luns[FAKE_LUN_MAX];
    unsigned lun_cnt;
    bool no_report_luns, no_well_known, no_capacity16;
    /* MODE SENSE: is there a caching page, among all pages and by its name; what it says */
    bool caching_among_all, caching_by_name, wce, dpofua, writable;
    unsigned ua_cnt; /* that many commands are answered with a unit attention */
    /* true: answered */
    bool (*lie)(struct fake_target *t, struct iskra_cmnd *cmnd, const struct iskra_cdb *cdb);
    unsigned asked[256]; /* per opcode */
    unsigned asked_vpd[256];
    uint64_t lose_after; /* after so many commands the session is lost */
    unsigned cmd_cnt;
    uint32_t in_flight_max;

    /* what the scan said */
    unsigned done_cnt;
    int status;
    struct iskra_error error;
    struct iskra_sdev *sdev;
    unsigned entry_cnt;
    uint64_t entries[FAKE_LUN_MAX];
    bool entry_known[FAKE_LUN_MAX];
    int entry_rc;
    struct iskra_scan *scan;
};

/* The state of a test is a struct fake_target. */
int fake_setup(void **state);
int fake_teardown(void **state);

void fake_answer(struct rig *r, struct iskra_cmnd *cmnd); /* rig->target */
struct fake_lun *fake_add_disk(struct fake_target *t, uint32_t number);
void fake_refuse(struct iskra_cmnd *cmnd, uint8_t key, uint8_t asc, uint8_t ascq);

/* Opens one LUN and lets time pass until it is done: status, error and sdev tell how. */
void fake_scan_lun(struct fake_target *t, uint32_t number);
void fake_lun_done(void *arg, int status, struct iskra_sdev *sdev, const struct iskra_error *err);

#define T(name) cmocka_unit_test_setup_teardown(name, fake_setup, fake_teardown)

#endif
