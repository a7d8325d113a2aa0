/* The sending side of writes, for the peer of peer.h. */
#ifndef TESTS_TARGET_WRITER_H
#define TESTS_TARGET_WRITER_H

#include "peer.h"

/* A write command with immediate data; `final`: no unsolicited data follow. Returns its ITT. */
uint32_t write_send(struct peer *peer, uint64_t lun, const uint8_t *cdb, uint32_t edtl,
                    const void *bytes, uint32_t len, bool final);
/* The same with an extra header segment; `ahs_len` is a multiple of 4. */
uint32_t write_send_ahs(struct peer *peer, uint64_t lun, const uint8_t *cdb, uint32_t edtl,
                        const uint8_t *ahs, uint32_t ahs_len);

/* One Data-Out with bytes `from + offset`. */
void data_out_send(struct peer *peer, uint32_t itt, uint32_t ttt, uint32_t data_sn, uint32_t offset,
                   const uint8_t *from, uint32_t len, bool final);

/* The next PDU is an R2T for `itt`. */
void r2t_expect(struct peer *peer, uint32_t itt, struct iskra_pdu_r2t *ret);
/* Data-Out PDUs of up to `piece_len` for all that an R2T asks for. */
void r2t_answer(struct peer *peer, const struct iskra_pdu_r2t *r2t, const uint8_t *from,
                uint32_t piece_len);

/* A command without immediate data, its R2Ts answered, and its end. */
void write_whole(struct peer *peer, uint64_t lun, const uint8_t *cdb, const uint8_t *bytes,
                 uint32_t len, struct outcome *ret);
/* That, and it is GOOD with nothing left. */
void write_good(struct peer *peer, uint64_t lun, const uint8_t *cdb, const uint8_t *bytes,
                uint32_t len);
/* That, and it ends with this sense. */
void write_fails(struct peer *peer, uint64_t lun, const uint8_t *cdb, const uint8_t *bytes,
                 uint32_t len, uint32_t sense);
/* The outcome that comes next: CHECK CONDITION with `sense` = key << 16 | asc << 8 | ascq, or GOOD
 * for 0. */
void ends_with(struct peer *peer, uint32_t sense);

/* The blocks at `lba` are these bytes (by READ(16), blocks of 512). */
void blocks_are(struct peer *peer, uint64_t lun, uint64_t lba, const uint8_t *bytes, uint32_t len);

void pattern_fill(uint8_t *bytes, size_t len, uint32_t seed);

#endif
