/* What a write has to look like on the wire, byte for byte, worked out anew from RFC 7143 and from
 * nothing of the library: its own headers, its own CRC, its own arithmetic. */
#ifndef ISCSI_WRITE_GEN_H
#define ISCSI_WRITE_GEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GEN_CMD_LUN UINT64_C(0x0001000000000000)

struct gen_keys { /* as negotiated */
    bool immediate_data, initial_r2t;
    uint32_t first_burst, max_burst;
    uint32_t max_recv; /* the target's MaxRecvDataSegmentLength */
    bool hdr_digest, data_digest;
};

struct gen_write {
    uint32_t itt, cmd_sn, exp_stat_sn;
    const uint8_t *cdb;
    uint32_t cdb_len;
    const uint8_t *data; /* all of it, in one piece */
    uint32_t len;
};

struct gen_r2t {
    uint32_t ttt, offset, len;
    uint64_t lun;
};

/* The command with its immediate data, and the unsolicited Data-Out behind it. Returns the bytes
 * written to out; *ret_covered: how much of the data they hold. */
size_t gen_command(const struct gen_keys *k, const struct gen_write *w, uint8_t *out,
                   uint32_t *ret_covered);

/* The Data-Out sequence that answers an R2T. */
size_t gen_answer(const struct gen_keys *k, const struct gen_write *w, const struct gen_r2t *r2t,
                  uint8_t *out);

#endif
