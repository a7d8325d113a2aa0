/* Memory for copies of payloads that are waiting to be sent: taken in the order of queuing, given
 * back in the order of sending, so a ring of bytes does.
 *
 * With data digests on, a payload is hashed when its PDU is queued and sent some time later. A page
 * cache may write to it in between, and the digest would be wrong although nothing was lost
 * (decision 18). So what is hashed is a copy, and the copy is sent. The memory is set aside once
 * per connection. When it is full the next PDU waits rather than being hashed in place: bytes are
 * on their way then, sending them makes room, and the promise holds for each PDU instead of for
 * most of them. */
#ifndef ISKRA_TCP_TX_COPY_H
#define ISKRA_TCP_TX_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "tcp/segment.h"

#define ISKRA_TX_COPY_MAX (64u * 1024u) /* a larger payload is hashed in place */
#define ISKRA_TX_COPY_LEN                                                                          \
    (256u * 1024u) /* set aside: a send's worth, and several of the largest                        \
                    */

struct iskra_tx_copy {
    uint8_t *memory; /* ISKRA_TX_COPY_LEN bytes; NULL: nothing is copied */
    uint32_t tail;   /* where the next copy begins */
    uint32_t used;   /* bytes before it that are taken, around the end */
};

/* Would a copy of len <= ISKRA_TX_COPY_MAX bytes find a place in one piece? */
bool iskra_tx_copy_fits(const struct iskra_tx_copy *copy, uint32_t len);

/* Copies len bytes from the cursor's place on, for which there is room, and hashes what it wrote,
 * piece by piece while it is warm. *crc goes on from its value. Returns the copy; *ret_taken is
 * what to give back. */
uint8_t *iskra_tx_copy_put(struct iskra_tx_copy *copy, struct iskra_sg_cursor sg, uint32_t len,
                           uint32_t *crc, uint32_t *ret_taken);

/* The oldest copy is sent. */
void iskra_tx_copy_give(struct iskra_tx_copy *copy, uint32_t taken);

#endif
