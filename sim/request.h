/* One request of the load: what it does, whether its end was right, and its memory. */
#ifndef ISKRA_SIM_REQUEST_H
#define ISKRA_SIM_REQUEST_H

#include "sim/workload.h"

/* Fills the slot's request with something drawn. */
void sim_request_draw(struct sim_slot *slot);
/* The next piece of a LUN that is read for comparison. */
void sim_request_verify(struct sim_slot *slot);

void sim_request_done(struct iskra_io *io); /* workload.c */

/* It has ended, was refused, or was taken back. */
void sim_request_judge(struct sim_slot *slot);
void sim_request_refused(struct sim_slot *slot);
void sim_request_detached(struct sim_slot *slot);

size_t sim_slot_memory_len(const struct sim *sim); /* bytes */
/* Nobody may touch the slot's memory from here on; check tells. */
void sim_slot_poison(struct sim_slot *slot);
void sim_slot_check(struct sim_slot *slot);

#endif
