/* Ranges without data of the caller's: unmapping and zeroing, by whatever commands the device has
 * (SBC-3 4.7, 5.28, 5.46).
 *
 * What a device can do is learned by the probe, and unlearned when it refuses a command that it
 * should have had. */
#ifndef ISKRA_SCSI_SPACE_H
#define ISKRA_SCSI_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/opcodes.h"
#include "wire/sense.h"
#include "wire/vpd.h"

struct iskra_scsi_request;
struct iskra_sdev;

enum iskra_unmap_way {
    ISKRA_UNMAP_NOT,  /* the device does not unmap */
    ISKRA_UNMAP_LIST, /* UNMAP */
    ISKRA_UNMAP_WRITE_SAME_16,
    ISKRA_UNMAP_WRITE_SAME_10,
    ISKRA_UNMAP_WAY_CNT
};
const char *iskra_unmap_way_name(enum iskra_unmap_way way); /* "UNMAP"; "?" */

/* Best first: a way that is refused gives place to the next. */
enum iskra_zero_way {
    ISKRA_ZERO_NDOB,          /* WRITE SAME(16) without a block of data */
    ISKRA_ZERO_WRITE_SAME_16, /* with one block of zeros */
    ISKRA_ZERO_WRITE_SAME_10,
    ISKRA_ZERO_WRITES, /* plain WRITEs of zeros: every disk has them */
    ISKRA_ZERO_WAY_CNT
};
const char *iskra_zero_way_name(enum iskra_zero_way way); /* "WRITE SAME(16)"; "?" */

/* What one device can do. */
struct iskra_space {
    enum iskra_unmap_way unmap;
    enum iskra_zero_way zero;
    bool unmap_zeroes;        /* WRITE SAME of zeros may unmap: what is unmapped reads as zeros */
    bool lba_status;          /* GET LBA STATUS has not been refused; thin devices only */
    uint64_t max_unmap_len;   /* bytes per command; 0 if it does not unmap */
    uint64_t max_zero_len;    /* bytes per WRITE SAME */
    uint32_t max_compare_len; /* bytes that COMPARE AND WRITE compares; 0: it does not know it */
};

/* What the probe heard. Pages that were not there are all 0. */
struct iskra_space_facts {
    struct iskra_block_limits limits;
    struct iskra_provisioning provisioning;
    bool provisioning_told;
    bool zeroes_told;           /* READ CAPACITY(16): LBPRZ */
    uint8_t write_same_support; /* enum iskra_opcode_support of WRITE SAME(16) */
    bool write_same_ndob;       /* it looks at the NDOB bit */
};
void iskra_space_settle(struct iskra_sdev *sdev, const struct iskra_space_facts *facts);

/* The command for the next piece of an UNMAP or WRITE ZEROES request. */
void iskra_space_setup_unmap(struct iskra_scsi_request *sreq);
void iskra_space_setup_zeroes(struct iskra_scsi_request *sreq);

/* Is there no command for this UNMAP request? The device does not unmap, or said so while the
 * request waited, or its only command cannot name the range. */
bool iskra_space_unmap_closed(const struct iskra_scsi_request *sreq);

/* Is this the sense of a device that does not know the command, or not this form of it? */
bool iskra_space_refusal(const struct iskra_sense *sense);

/* After a refusal: the device is not asked in this way again. true: there is another, the request
 * may be set up anew. */
bool iskra_space_next_way(struct iskra_scsi_request *sreq);

#endif
