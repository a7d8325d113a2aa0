/* The command window (RFC 7143 4.2.2.1): which CmdSN a command may carry.
 *
 * queued_cmd_sn counts commands accepted, cmd_sn is given out when a PDU is built; between the two
 * lie the commands that wait for the transmit worker. Both start at the initial CmdSN and never
 * pass max_cmd_sn + 1. Serial arithmetic. */
#ifndef ISKRA_ISCSI_WINDOW_H
#define ISKRA_ISCSI_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

struct iskra_cmd_window {
    uint32_t cmd_sn;        /* of the next PDU built */
    uint32_t queued_cmd_sn; /* of the next command accepted */
    uint32_t exp_cmd_sn;    /* the target's word, never backwards */
    uint32_t max_cmd_sn;
};

void iskra_window_init(struct iskra_cmd_window *w, uint32_t initial_cmd_sn);

/* ExpCmdSN and MaxCmdSN of a PDU that arrived. */
void iskra_window_update(struct iskra_cmd_window *w, uint32_t exp_cmd_sn, uint32_t max_cmd_sn);

/* No further command may be accepted now. */
bool iskra_window_closed(const struct iskra_cmd_window *w);

#endif
