/* After a session came back: is what answers to a LUN's number now the disk that it was before?
 * (decision 23.) Nothing that was queued is sent before this is known.
 *
 * Each disk that was scanned has a twin, set aside when it was opened: a device of the same LUN,
 * for internal commands alone. When the session is up again the disk is QUIESCE, what waits in its
 * queue goes on waiting, and the twin is probed like a LUN never seen: TEST UNIT READY until the
 * unit attentions are gone (each is told, as always), then what it is. The same serial number, name
 * and block size: the disk is RUNNING, with the capacity and write protection of today. Another
 * disk, or none: it is OFFLINE, with a story that each request gets, until a later login finds it
 * again. An answer that decides nothing: asked again after ISKRA_REVALIDATE_AGAIN_NS.
 *
 * All disks of a session are probed at the same time. Devices of which nothing was ever asked
 * (opened raw) have nothing to compare, and keep their unit attentions. */
#ifndef ISKRA_SCSI_REVALIDATE_H
#define ISKRA_SCSI_REVALIDATE_H

#include <stdbool.h>

#include <iskra/error.h>

#include "scsi/device.h"
#include "scsi/host.h"

#define ISKRA_REVALIDATE_AGAIN_NS UINT64_C(1000000000)

/* Reserves what it takes, for a device that is going to be scanned: 0 or -ENOMEM. Freed with the
 * device. A scan that a new login finds under way just goes on. */
int iskra_revalidate_set_aside(struct iskra_sdev *sdev);

/* The session is up: every device that can be compared is QUIESCE and looked at, all others run.
 * Ends with iskra_class_ready(), from inside if there is nothing to look at. */
void iskra_revalidate_begin(struct iskra_shost *host);

/* The device is being removed: nobody waits for its twin any more. */
void iskra_revalidate_leave(struct iskra_sdev *sdev);

/* Is it not known yet whether this is the disk that it was? */
bool iskra_revalidate_pending(const struct iskra_sdev *sdev);
uint32_t iskra_revalidate_pending_cnt(const struct iskra_shost *host);

/* Nobody waits for it any more: what its requests are told of then. */
void iskra_revalidate_why(const struct iskra_sdev *sdev, struct iskra_error *why);

void iskra_revalidate_done(struct iskra_shost *host);

/* 0: the same disk. -ESTALE: another one, and *err says by which of its marks. -EAGAIN: `is` has
 * not said enough. */
int iskra_identity_compare(const struct iskra_sdev *was, const struct iskra_sdev *is,
                           struct iskra_error *err);

#endif
