/* The scan: what is there, and what it is (spec 3.6). Asynchronous: state machines over callbacks,
 * one command at a time for each LUN.
 *
 * A LUN says of itself by INQUIRY (36 bytes, then what it offers), VPD pages 00h, 80h, 83h, B0h
 * where it lists them, READ CAPACITY (10) and (16) if it is a disk. A failing or lying page leaves
 * its field empty; a disk whose capacity makes no sense is refused with the reason. Everything from
 * the target is bounded before use. */
#ifndef ISKRA_SCSI_SCAN_H
#define ISKRA_SCSI_SCAN_H

#include <stdint.h>

#include <iskra/error.h>

#include "scsi/device.h"
#include "scsi/host.h"

struct iskra_scan;

/* Opens exactly one LUN (the 8 bytes of SAM: iskra_lun_encode), looking at no other (decision 33).
 * fn runs once, from the loop: status 0 with a RUNNING device, which is the callee's to remove; or
 * a negative errno, sdev NULL and *err (valid during the call): -ENXIO ISKRA_E_NOT_FOUND "no such
 * LUN", -ENOTSUP / -EBADMSG ISKRA_E_RESPONSE, what the session died of, -ECANCELED. A device that
 * is no disk is opened too, capacity_known false. Returns 0 if fn will run (with *ret_scan, if not
 * NULL, valid until then), or -ENOMEM. */
typedef void iskra_scan_lun_fn(void *arg, int status, struct iskra_sdev *sdev,
                               const struct iskra_error *err);
int iskra_scan_lun(struct iskra_shost *host, uint64_t lun, iskra_scan_lun_fn *fn, void *arg,
                   struct iskra_scan **ret_scan, struct iskra_error *err);

/* Describes every LUN: REPORT LUNS to LUN 0; refused or absent there: to the well-known LUN;
 * refused there too: LUN 0, 1, 2 ... up to the first absent one. entry runs for each LUN found, in
 * the target's order, with a device that is gone after the call; a disk that failed to say its
 * capacity has capacity_known false. A return other than 0 ends the scan with that as status. Then
 * fn runs, once. */
typedef int iskra_scan_entry_fn(void *arg, const struct iskra_sdev *sdev);
typedef void iskra_scan_luns_fn(void *arg, int status, const struct iskra_error *err);
int iskra_scan_luns(struct iskra_shost *host, iskra_scan_entry_fn *entry, iskra_scan_luns_fn *fn,
                    void *arg, struct iskra_scan **ret_scan, struct iskra_error *err);

/* Ends a scan early: its callback runs with -ECANCELED as soon as the command that is out has
 * ended. */
void iskra_scan_cancel(struct iskra_scan *scan);

#endif
