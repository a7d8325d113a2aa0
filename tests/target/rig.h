/* What most tests of the target's core begin with: a target, a peer that is logged in, room for a
 * CDB and a header; and, where reads are tested, a target with three disks. A test program has one
 * rig, and one test uses it at a time. */
#ifndef TESTS_TARGET_RIG_H
#define TESTS_TARGET_RIG_H

#include "peer.h"

extern struct iskra_target *target;
extern struct peer peer;
extern uint8_t cdb[ISKRA_CDB_BHS_LEN], bhs[ISKRA_BHS_LEN];

#define RIG_DISCOVERY "InitiatorName=" PEER_INITIATOR "\0SessionType=Discovery"

/* A target of peer_target(), and a peer that is not logged in. */
void rig_open(const struct iskra_target_options *options);
/* For cmocka: the same, logged in; and its end. */
int rig_setup(void **state);
int rig_teardown(void **state);

/* The next command is done, and no PDU but its answer comes. */
void rig_still_alive(void);
/* Sends the command in `cdb`, expects GOOD. */
void rig_good(uint64_t lun, uint32_t edtl, struct outcome *ret);
/* A Reject for this reason, of the PDU with this header. */
void rig_reject_expect(uint8_t reason, const uint8_t *header);

/* Three disks: memory, zeros at first; a file with the bytes of rig_image; zeros. */
#define RIG_FILE_LEN ((size_t)300 * 1024)
#define RIG_NULL_LEN (UINT64_C(3) << 40) /* beyond 2^32 blocks of 512 */
enum rig_disk {
    RIG_RAM,
    RIG_FILE,
    RIG_NULL,
};
extern char rig_path[]; /* of the file */
extern uint8_t rig_image[RIG_FILE_LEN];
int rig_disks_make(void **state); /* for the group: the file */
int rig_disks_remove(void **state);
/* `options` without backends; the peer logs in with `keys`. */
int rig_disks_open(struct iskra_target_options *options, const char *keys, uint32_t len);
int rig_disks_setup(void **state); /* small segments and bursts */

#endif
