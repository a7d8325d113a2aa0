/* Raw SCSI: any CDB, and decoders for what comes back. */
#ifndef ISKRA_SCSI_H
#define ISKRA_SCSI_H

#include <iskra/iskra.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Sends a CDB with at most in_len bytes of data in (0: none) and waits. *ret_len is what came. 0 or
 * a negative errno; a CHECK CONDITION is -EIO with the sense in *err. Unit attentions are the
 * caller's to see. */
ISKRA_PUBLIC int iskra_raw_sync(struct iskra_lun *lun, const uint8_t *cdb, unsigned cdb_len,
                                void *in, uint32_t in_len, uint32_t *ret_len,
                                struct iskra_error *err);

/* The same with out_len bytes of data out. *ret_len (may be NULL) is how many the LUN took. If
 * nobody knows whether the command was executed (the session was lost, no answer came in time), the
 * error is ISKRA_E_OUTCOME_UNKNOWN. */
ISKRA_PUBLIC int iskra_raw_out_sync(struct iskra_lun *lun, const uint8_t *cdb, unsigned cdb_len,
                                    const void *out, uint32_t out_len, uint32_t *ret_len,
                                    struct iskra_error *err);

/* Words for people: static storage, "?" for an unknown value. */
ISKRA_PUBLIC const char *iskra_device_type_name(uint8_t type); /* "disk" */

#ifdef __cplusplus
}
#endif
#endif
