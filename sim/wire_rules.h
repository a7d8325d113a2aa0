/* What an initiator must keep to on the wire, checked on every PDU that it sends (RFC 7143): CmdSN
 * inside the window, in order and without a gap; no tag live twice; nothing sent for a tag that is
 * not live; no operation that may be executed once sent while an earlier copy may have been
 * executed. Also the negotiation of digests, so that the simulator can follow the stream. */
#ifndef ISKRA_SIM_WIRE_RULES_H
#define ISKRA_SIM_WIRE_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/bhs.h"

struct sim;
struct sim_pdu;

#define SIM_TAG_CNT    1024u
#define SIM_LOGIN_TEXT 4096u

struct sim_tag {
    uint32_t itt;
    uint8_t opcode, function; /* of a TMF; so is ref */
    uint32_t ref;
    uint64_t lun;
    int once; /* number of the operation that may be executed once; -1: none */
    unsigned generation;
};

struct sim_wire {
    struct sim *sim;
    unsigned conn_number;
    bool full_feature;
    uint8_t isid[ISKRA_ISID_LEN];
    uint32_t next_cmd_sn, max_cmd_sn;
    uint64_t last_ns; /* when a PDU was last sent or received */
    unsigned tag_cnt;
    struct sim_tag tags[SIM_TAG_CNT];
    uint32_t text_len;
    uint8_t text[SIM_LOGIN_TEXT];
};

/* The tags that were live when the last connection of a session ended: the next one has others. */
struct sim_old_tags {
    uint8_t isid[ISKRA_ISID_LEN];
    unsigned cnt;
    uint32_t itts[SIM_TAG_CNT];
};

void sim_wire_init(struct sim_wire *wire, struct sim *sim, unsigned conn_number);
void sim_wire_done(struct sim_wire *wire);

/* Nobody waits for an answer, and nothing would keep the next command from being sent. For how long
 * already? */
uint64_t sim_wire_idle_ns(const struct sim_wire *wire);

void sim_wire_sent(struct sim_wire *wire, const uint8_t *bhs);
void sim_wire_received(struct sim_wire *wire, const uint8_t *bhs);
/* Data of a Login Response, or sense data. */
void sim_wire_data(struct sim_wire *wire, const uint8_t *bhs, const uint8_t *bytes, size_t len);
/* A whole PDU was received; digests of `up` and `down` follow what was agreed. */
void sim_wire_received_all(struct sim_wire *wire, struct sim_pdu *up, struct sim_pdu *down);

#endif
