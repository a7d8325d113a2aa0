/* The builders of cdb.h: names for iskra_cdb_encode(). */
#include "wire/cdb.h"

#include <string.h>

#include "wire/be.h"

static unsigned build(uint8_t *cdb, struct iskra_cdb fields)
{
    return iskra_cdb_encode(&fields, cdb, ISKRA_CDB_BHS_LEN);
}

static unsigned build_range(uint8_t *cdb, enum iskra_scsi_op opcode, uint64_t lba,
                            uint32_t block_cnt, uint32_t flags)
{
    return build(
        cdb, (struct iskra_cdb){
                 .opcode = (uint8_t)opcode, .lba = lba, .block_cnt = block_cnt, .flags = flags});
}

/* Almost every command there is, so not by the tables but written out. Bytes 1 (flags) and, in the
 * long form, 2 to 9 (LBA) and 10 to 13 (blocks); in the short one 2 to 5 and 7 and 8 (SBC-3 5.8 to
 * 5.11, 5.28 to 5.32). */
unsigned iskra_cdb_transfer(uint8_t *cdb, bool write, uint64_t lba, uint32_t block_cnt, bool fua)
{
    bool wide = lba + block_cnt > UINT64_C(1) << 32 || block_cnt > 0xffffu;
    memset(cdb, 0, ISKRA_CDB_BHS_LEN);
    cdb[1] = fua ? 0x08 : 0;
    if (wide) {
        cdb[0] = write ? ISKRA_SCSI_WRITE_16 : ISKRA_SCSI_READ_16;
        iskra_put_be64(cdb + 2, lba);
        iskra_put_be32(cdb + 10, block_cnt);
        return 16;
    }
    cdb[0] = write ? ISKRA_SCSI_WRITE_10 : ISKRA_SCSI_READ_10;
    iskra_put_be32(cdb + 2, (uint32_t)lba);
    iskra_put_be16(cdb + 7, (uint16_t)block_cnt);
    return 10;
}

unsigned iskra_cdb_test_unit_ready(uint8_t *cdb)
{
    return build(cdb, (struct iskra_cdb){.opcode = ISKRA_SCSI_TEST_UNIT_READY});
}

unsigned iskra_cdb_request_sense(uint8_t *cdb, bool desc, uint8_t alloc_len)
{
    return build(cdb, (struct iskra_cdb){.opcode = ISKRA_SCSI_REQUEST_SENSE,
                                         .flags = desc ? ISKRA_CDB_DESC : 0,
                                         .alloc_len = alloc_len});
}

unsigned iskra_cdb_inquiry(uint8_t *cdb, uint16_t alloc_len)
{
    return build(cdb, (struct iskra_cdb){.opcode = ISKRA_SCSI_INQUIRY, .alloc_len = alloc_len});
}

unsigned iskra_cdb_inquiry_vpd(uint8_t *cdb, uint8_t page, uint16_t alloc_len)
{
    return build(cdb, (struct iskra_cdb){.opcode = ISKRA_SCSI_INQUIRY,
                                         .flags = ISKRA_CDB_EVPD,
                                         .page = page,
                                         .alloc_len = alloc_len});
}

unsigned iskra_cdb_mode_sense6(uint8_t *cdb, uint8_t page, uint8_t subpage, uint8_t alloc_len)
{
    return build(cdb, (struct iskra_cdb){.opcode = ISKRA_SCSI_MODE_SENSE_6,
                                         .page = page,
                                         .subpage = subpage,
                                         .alloc_len = alloc_len});
}

unsigned iskra_cdb_mode_sense10(uint8_t *cdb, uint8_t page, uint8_t subpage, uint16_t alloc_len)
{
    return build(cdb, (struct iskra_cdb){.opcode = ISKRA_SCSI_MODE_SENSE_10,
                                         .page = page,
                                         .subpage = subpage,
                                         .alloc_len = alloc_len});
}

unsigned iskra_cdb_read_capacity10(uint8_t *cdb)
{
    return build(cdb, (struct iskra_cdb){.opcode = ISKRA_SCSI_READ_CAPACITY_10});
}

unsigned iskra_cdb_read_capacity16(uint8_t *cdb, uint32_t alloc_len)
{
    return build(cdb, (struct iskra_cdb){.opcode = ISKRA_SCSI_SERVICE_ACTION_IN_16,
                                         .service_action = ISKRA_SAI_READ_CAPACITY_16,
                                         .alloc_len = alloc_len});
}

/* One command, by its opcode alone (SPC-4 6.35, REPORTING OPTIONS 001b). */
unsigned iskra_cdb_report_opcode(uint8_t *cdb, uint8_t opcode, uint32_t alloc_len)
{
    return build(cdb, (struct iskra_cdb){.opcode = ISKRA_SCSI_MAINTENANCE_IN,
                                         .service_action = ISKRA_MI_REPORT_OPCODES,
                                         .select = 1,
                                         .asked_opcode = opcode,
                                         .alloc_len = alloc_len});
}

unsigned iskra_cdb_report_luns(uint8_t *cdb, uint8_t select, uint32_t alloc_len)
{
    return build(cdb, (struct iskra_cdb){.opcode = ISKRA_SCSI_REPORT_LUNS,
                                         .select = select,
                                         .alloc_len = alloc_len});
}

unsigned iskra_cdb_read6(uint8_t *cdb, uint32_t lba, uint32_t block_cnt)
{
    return build_range(cdb, ISKRA_SCSI_READ_6, lba, block_cnt, 0);
}

unsigned iskra_cdb_read10(uint8_t *cdb, uint64_t lba, uint32_t block_cnt, uint32_t flags)
{
    return build_range(cdb, ISKRA_SCSI_READ_10, lba, block_cnt, flags);
}

unsigned iskra_cdb_read12(uint8_t *cdb, uint64_t lba, uint32_t block_cnt, uint32_t flags)
{
    return build_range(cdb, ISKRA_SCSI_READ_12, lba, block_cnt, flags);
}

unsigned iskra_cdb_read16(uint8_t *cdb, uint64_t lba, uint32_t block_cnt, uint32_t flags)
{
    return build_range(cdb, ISKRA_SCSI_READ_16, lba, block_cnt, flags);
}

unsigned iskra_cdb_write10(uint8_t *cdb, uint64_t lba, uint32_t block_cnt, uint32_t flags)
{
    return build_range(cdb, ISKRA_SCSI_WRITE_10, lba, block_cnt, flags);
}

unsigned iskra_cdb_write12(uint8_t *cdb, uint64_t lba, uint32_t block_cnt, uint32_t flags)
{
    return build_range(cdb, ISKRA_SCSI_WRITE_12, lba, block_cnt, flags);
}

unsigned iskra_cdb_write16(uint8_t *cdb, uint64_t lba, uint32_t block_cnt, uint32_t flags)
{
    return build_range(cdb, ISKRA_SCSI_WRITE_16, lba, block_cnt, flags);
}

unsigned iskra_cdb_synchronize_cache10(uint8_t *cdb, uint64_t lba, uint32_t block_cnt,
                                       uint32_t flags)
{
    return build_range(cdb, ISKRA_SCSI_SYNCHRONIZE_CACHE_10, lba, block_cnt, flags);
}

unsigned iskra_cdb_synchronize_cache16(uint8_t *cdb, uint64_t lba, uint32_t block_cnt,
                                       uint32_t flags)
{
    return build_range(cdb, ISKRA_SCSI_SYNCHRONIZE_CACHE_16, lba, block_cnt, flags);
}

unsigned iskra_cdb_get_lba_status(uint8_t *cdb, uint64_t lba, uint32_t alloc_len)
{
    return build(cdb, (struct iskra_cdb){.opcode = ISKRA_SCSI_SERVICE_ACTION_IN_16,
                                         .service_action = ISKRA_SAI_GET_LBA_STATUS,
                                         .lba = lba,
                                         .alloc_len = alloc_len});
}

unsigned iskra_cdb_unmap(uint8_t *cdb, uint16_t list_len, uint32_t flags)
{
    return build(
        cdb, (struct iskra_cdb){.opcode = ISKRA_SCSI_UNMAP, .alloc_len = list_len, .flags = flags});
}

unsigned iskra_cdb_write_same10(uint8_t *cdb, uint64_t lba, uint32_t block_cnt, uint32_t flags)
{
    return build_range(cdb, ISKRA_SCSI_WRITE_SAME_10, lba, block_cnt, flags);
}

unsigned iskra_cdb_write_same16(uint8_t *cdb, uint64_t lba, uint32_t block_cnt, uint32_t flags)
{
    return build_range(cdb, ISKRA_SCSI_WRITE_SAME_16, lba, block_cnt, flags);
}

unsigned iskra_cdb_compare_and_write(uint8_t *cdb, uint64_t lba, uint8_t block_cnt, uint32_t flags)
{
    return build_range(cdb, ISKRA_SCSI_COMPARE_AND_WRITE, lba, block_cnt, flags);
}
