/* Which parts of a range are allocated: GET LBA STATUS (SBC-3 5.5). */
#ifndef ISKRA_SCSI_BLOCK_STATUS_H
#define ISKRA_SCSI_BLOCK_STATUS_H

#include <stdint.h>

struct iskra_scsi_request;

/* All of the range is data, as far as anybody knows. */
void iskra_block_status_unknown(struct iskra_scsi_request *sreq);

void iskra_block_status_setup(struct iskra_scsi_request *sreq);

/* The answer, `len` bytes of which came, becomes extents: in the range, in order, without gaps. 0,
 * or a negative errno with the story in sreq->error when not even the first one makes sense. */
int iskra_block_status_take(struct iskra_scsi_request *sreq, uint32_t len);

#endif
