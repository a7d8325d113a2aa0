/* The CDB of a command: gathered from the header and the extended CDB header behind it, decoded,
 * and the commands that only the target knows (VERIFY, WRITE AND VERIFY) read as the WRITE they
 * look like. */
#include "target/conn.h"

#include <errno.h>
#include <string.h>

#include "target/opcodes.h"

#define AHS_HEADER_LEN   4u /* AHSLength, AHSType, and the first specific byte */
#define AHS_EXTENDED_CDB 1u

/* RFC 7143 11.2.2.3: AHSLength counts what follows AHSType: a reserved byte and the CDB from byte
 * 16 on. Returns how many bytes of the CDB there are in all, or -EBADMSG. */
static int gather(const uint8_t *ahs, uint32_t left, uint8_t *cdb)
{
    uint32_t cdb_len = ISKRA_CDB_BHS_LEN;
    while (left >= AHS_HEADER_LEN) {
        uint32_t len = iskra_get_be16(ahs);
        uint32_t total = (3 + len + 3) & ~3u; /* padded to words */
        if (len < 1 || total > left)
            return -EBADMSG;
        if ((ahs[2] & 0x3f) == AHS_EXTENDED_CDB) {
            if (cdb_len != ISKRA_CDB_BHS_LEN || len < 2)
                return -EBADMSG; /* twice, or of nothing */
            uint32_t more = len - 1;
            cdb_len += more;
#ifndef ISKRA_PLANTED_TARGET_LENGTH /* left out on purpose to prove that the fuzzer finds it */
            if (more > ISKRA_CDB_LEN_MAX - ISKRA_CDB_BHS_LEN) /* no command here is longer */
                more = ISKRA_CDB_LEN_MAX - ISKRA_CDB_BHS_LEN;
#endif
            memcpy(cdb + ISKRA_CDB_BHS_LEN, ahs + AHS_HEADER_LEN, more);
        }
        ahs += total;
        left -= total;
    }
    return left == 0 ? (int)cdb_len : -EBADMSG;
}

static uint8_t write_that_looks_like(uint8_t opcode)
{
    switch (opcode) {
    case TARGET_OP_VERIFY_10:
    case TARGET_OP_WRITE_VERIFY_10:
        return ISKRA_SCSI_WRITE_10;
    case TARGET_OP_VERIFY_12:
    case TARGET_OP_WRITE_VERIFY_12:
        return ISKRA_SCSI_WRITE_12;
    case TARGET_OP_VERIFY_16:
    case TARGET_OP_WRITE_VERIFY_16:
        return ISKRA_SCSI_WRITE_16;
    default:
        return 0;
    }
}

int target_cdb_decode(const struct target_pdu *pdu, const uint8_t *first, struct iskra_cdb *ret,
                      uint8_t *ret_byte_check)
{
    uint8_t cdb[ISKRA_CDB_LEN_MAX];
    memcpy(cdb, first, ISKRA_CDB_BHS_LEN);
    *ret = (struct iskra_cdb){.opcode = cdb[0]};
    int len = gather(pdu->bhs + ISKRA_BHS_LEN, iskra_bhs_ahs_len(pdu->bhs), cdb);
    if (len < 0)
        return len;
    uint8_t like = write_that_looks_like(cdb[0]);
    if (like) {
        *ret_byte_check = cdb[1] >> 1 & 3;
        cdb[0] = like;
        cdb[1] &= (uint8_t)~0x0au; /* FUA_NV and FUA of WRITE are not theirs */
    }
    size_t have = (size_t)len < sizeof(cdb) ? (size_t)len : sizeof(cdb);
    int rc = iskra_cdb_decode(cdb, have, ret);
    if (like)
        ret->opcode = first[0];
    return rc < 0 ? -ENOTSUP : 0;
}
