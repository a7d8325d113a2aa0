/* Command descriptor blocks: SPC-4 and SBC-3 values <-> 6, 10, 12, 16 and 32 bytes.
 *
 * struct iskra_cdb holds the fields of every command known here; those a command does not have stay
 * zero. One table in cdb.c says where each field lies, and serves both directions. The builders
 * below it are the encoder with names; they write all ISKRA_CDB_BHS_LEN (16) bytes of `cdb`, unused
 * ones as zero, and return the command's length. */
#ifndef ISKRA_WIRE_CDB_H
#define ISKRA_WIRE_CDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iskra/codes.h>

#include "wire/bhs.h"

enum iskra_scsi_op {
    ISKRA_SCSI_TEST_UNIT_READY = 0x00,
    ISKRA_SCSI_REQUEST_SENSE = 0x03,
    ISKRA_SCSI_READ_6 = 0x08,
    ISKRA_SCSI_WRITE_6 = 0x0a,
    ISKRA_SCSI_INQUIRY = 0x12,
    ISKRA_SCSI_MODE_SENSE_6 = 0x1a,
    ISKRA_SCSI_START_STOP_UNIT = 0x1b,
    ISKRA_SCSI_READ_CAPACITY_10 = 0x25,
    ISKRA_SCSI_READ_10 = 0x28,
    ISKRA_SCSI_WRITE_10 = 0x2a,
    ISKRA_SCSI_SYNCHRONIZE_CACHE_10 = 0x35,
    ISKRA_SCSI_WRITE_SAME_10 = 0x41,
    ISKRA_SCSI_UNMAP = 0x42,
    ISKRA_SCSI_MODE_SENSE_10 = 0x5a,
    ISKRA_SCSI_PERSISTENT_RESERVE_IN = 0x5e,
    ISKRA_SCSI_PERSISTENT_RESERVE_OUT = 0x5f,
    ISKRA_SCSI_VARIABLE_LENGTH = 0x7f, /* service action in bytes 8 and 9 */
    ISKRA_SCSI_EXTENDED_COPY = 0x83,
    ISKRA_SCSI_READ_16 = 0x88,
    ISKRA_SCSI_COMPARE_AND_WRITE = 0x89,
    ISKRA_SCSI_WRITE_16 = 0x8a,
    ISKRA_SCSI_SYNCHRONIZE_CACHE_16 = 0x91,
    ISKRA_SCSI_WRITE_SAME_16 = 0x93,
    ISKRA_SCSI_SERVICE_ACTION_IN_16 = 0x9e, /* with one of ISKRA_SAI_ */
    ISKRA_SCSI_REPORT_LUNS = 0xa0,
    ISKRA_SCSI_MAINTENANCE_IN = 0xa3,
    ISKRA_SCSI_READ_12 = 0xa8,
    ISKRA_SCSI_WRITE_12 = 0xaa,
};
#define ISKRA_SAI_READ_CAPACITY_16 0x10u
#define ISKRA_SAI_GET_LBA_STATUS   0x12u
#define ISKRA_MI_REPORT_OPCODES    0x0cu /* of MAINTENANCE IN */
#define ISKRA_VARLEN_READ_32       0x0009u
#define ISKRA_VARLEN_WRITE_32      0x000bu

/* Bits of struct iskra_cdb.flags. */
enum {
    ISKRA_CDB_FUA = 1u << 0,    /* force unit access: reads, writes, COMPARE AND WRITE */
    ISKRA_CDB_DPO = 1u << 1,    /* disable page out: the same */
    ISKRA_CDB_IMMED = 1u << 2,  /* SYNCHRONIZE CACHE: status before it is done */
    ISKRA_CDB_UNMAP = 1u << 3,  /* WRITE SAME */
    ISKRA_CDB_ANCHOR = 1u << 4, /* WRITE SAME, UNMAP */
    ISKRA_CDB_NDOB = 1u << 5,   /* WRITE SAME(16): no data-out buffer */
    ISKRA_CDB_EVPD = 1u << 6,   /* INQUIRY */
    ISKRA_CDB_DESC = 1u << 7,   /* REQUEST SENSE: descriptor format wanted */
    ISKRA_CDB_DBD = 1u << 8,    /* MODE SENSE: no block descriptors */
    ISKRA_CDB_LLBAA = 1u << 9,  /* MODE SENSE(10): long LBAs accepted */
};

#define ISKRA_CDB_LEN_MAX 32u

struct iskra_cdb {
    uint8_t opcode;
    uint16_t service_action; /* 0 where the command has none */
    uint32_t flags;          /* ISKRA_CDB_ bits */
    uint8_t protect;         /* RDPROTECT, WRPROTECT, VRPROTECT: 3 bits */
    uint8_t page;            /* INQUIRY: VPD page; MODE SENSE: page */
    uint8_t subpage;         /* MODE SENSE */
    uint8_t page_control;    /* MODE SENSE: 0 current, 1 changeable, 2 default, 3 saved */
    uint8_t select; /* REPORT LUNS: SELECT REPORT; REPORT SUPPORTED OPERATION CODES: options */
    uint8_t asked_opcode;  /* REPORT SUPPORTED OPERATION CODES */
    uint16_t asked_action; /* the same: REQUESTED SERVICE ACTION */
    uint8_t group;         /* group number, 5 bits */
    uint8_t control;       /* last byte of the CDB (byte 1 of a 32-byte one) */
    uint64_t lba;
    uint32_t block_cnt; /* transfer length or number of blocks. READ(6), WRITE(6): 1..256 */
    uint32_t alloc_len; /* allocation length, or the parameter list length of UNMAP; bytes */
};

/* Which way a command's data goes; what its length is needs the block size too. */
enum iskra_cdb_dir {
    ISKRA_CDB_NO_DATA,
    ISKRA_CDB_DATA_IN,
    ISKRA_CDB_DATA_OUT,
};

/* Reads `len` bytes. 0; -ENOTSUP: an opcode or service action that is not known here (ret->opcode
 * and ret->service_action are set all the same); -EBADMSG: fewer bytes than the command has. */
int iskra_cdb_decode(const uint8_t *cdb, size_t len, struct iskra_cdb *ret);

/* Writes the command and returns its length, or 0 if the command is not known here, a field has no
 * room in it (an LBA of 33 bits in a READ(10)), or `size` is too small. */
unsigned iskra_cdb_encode(const struct iskra_cdb *fields, uint8_t *cdb, size_t size);

/* Length by the group code of the opcode (SPC-4 4.2.5.1): 6, 10, 12, 16; 0 for variable-length and
 * vendor groups. */
unsigned iskra_cdb_len(uint8_t opcode);

enum iskra_cdb_dir iskra_cdb_dir(const struct iskra_cdb *fields);

/* "READ(10)"; "?" for an unknown one. A service action is looked at only where the opcode has them.
 * Static storage. */
ISKRA_PUBLIC const char *iskra_cdb_name(uint8_t opcode, uint16_t service_action);

/* READ(10) or WRITE(10), or the 16-byte one where the blocks need it. Returns the length; 16 bytes
 * are written. */
unsigned iskra_cdb_transfer(uint8_t *cdb, bool write, uint64_t lba, uint32_t block_cnt, bool fua);

/* Builders. `flags` takes the ISKRA_CDB_ bits that the command has. Values that do not fit return
 * 0. */
unsigned iskra_cdb_test_unit_ready(uint8_t *cdb);
unsigned iskra_cdb_request_sense(uint8_t *cdb, bool desc, uint8_t alloc_len);
unsigned iskra_cdb_inquiry(uint8_t *cdb, uint16_t alloc_len);
unsigned iskra_cdb_inquiry_vpd(uint8_t *cdb, uint8_t page, uint16_t alloc_len);
unsigned iskra_cdb_mode_sense6(uint8_t *cdb, uint8_t page, uint8_t subpage, uint8_t alloc_len);
unsigned iskra_cdb_mode_sense10(uint8_t *cdb, uint8_t page, uint8_t subpage, uint16_t alloc_len);
unsigned iskra_cdb_read_capacity10(uint8_t *cdb);
unsigned iskra_cdb_read_capacity16(uint8_t *cdb, uint32_t alloc_len);
unsigned iskra_cdb_report_opcode(uint8_t *cdb, uint8_t opcode, uint32_t alloc_len);
unsigned iskra_cdb_report_luns(uint8_t *cdb, uint8_t select, uint32_t alloc_len);
unsigned iskra_cdb_read6(uint8_t *cdb, uint32_t lba, uint32_t block_cnt);
unsigned iskra_cdb_read10(uint8_t *cdb, uint64_t lba, uint32_t block_cnt, uint32_t flags);
unsigned iskra_cdb_read12(uint8_t *cdb, uint64_t lba, uint32_t block_cnt, uint32_t flags);
unsigned iskra_cdb_read16(uint8_t *cdb, uint64_t lba, uint32_t block_cnt, uint32_t flags);
unsigned iskra_cdb_write10(uint8_t *cdb, uint64_t lba, uint32_t block_cnt, uint32_t flags);
unsigned iskra_cdb_write12(uint8_t *cdb, uint64_t lba, uint32_t block_cnt, uint32_t flags);
unsigned iskra_cdb_write16(uint8_t *cdb, uint64_t lba, uint32_t block_cnt, uint32_t flags);
unsigned iskra_cdb_synchronize_cache10(uint8_t *cdb, uint64_t lba, uint32_t block_cnt,
                                       uint32_t flags);
unsigned iskra_cdb_synchronize_cache16(uint8_t *cdb, uint64_t lba, uint32_t block_cnt,
                                       uint32_t flags);
unsigned iskra_cdb_get_lba_status(uint8_t *cdb, uint64_t lba, uint32_t alloc_len);
unsigned iskra_cdb_unmap(uint8_t *cdb, uint16_t list_len, uint32_t flags);
unsigned iskra_cdb_write_same10(uint8_t *cdb, uint64_t lba, uint32_t block_cnt, uint32_t flags);
unsigned iskra_cdb_write_same16(uint8_t *cdb, uint64_t lba, uint32_t block_cnt, uint32_t flags);
unsigned iskra_cdb_compare_and_write(uint8_t *cdb, uint64_t lba, uint8_t block_cnt, uint32_t flags);

#endif
