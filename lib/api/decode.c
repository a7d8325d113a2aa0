/* What LUNs send, for those who send raw CDBs: the public structs, filled by the wire's decoders.
 */
#include <errno.h>
#include <string.h>

#include <iskra/scsi.h>

#include "wire/be.h"
#include "wire/capacity.h"
#include "wire/inquiry.h"
#include "wire/luns.h"
#include "wire/sense.h"
#include "wire/vpd.h"

#define FIELD_BIT_UNTOLD   255u
#define PROTOCOL_UNTOLD    255u
#define PHYSICAL_SHIFT_MAX 15u

/* SPC-4 4.5.2.4: the same three bytes mean one thing or another, by the sense key. */
static void specific_parse(const struct iskra_sense *s, struct iskra_sense_info *i)
{
    i->field_bit = FIELD_BIT_UNTOLD;
    if (!s->sks_valid)
        return;
    uint16_t value = iskra_get_be16(s->sks + 1);
    if (s->key == ISKRA_SENSE_ILLEGAL_REQUEST) {
        i->field_valid = 1;
        i->field_in_cdb = (s->sks[0] & 0x40) != 0;
        i->field_offset = value;
        if (s->sks[0] & 0x08)
            i->field_bit = s->sks[0] & 0x07;
    } else if (s->key == ISKRA_SENSE_NOT_READY || s->key == ISKRA_SENSE_NO_SENSE) {
        i->progress_valid = 1;
        i->progress = value;
    }
}

int iskra_sense_parse(const uint8_t *sense, size_t len, struct iskra_sense_info *ret_info)
{
    struct iskra_sense s;
    int rc = iskra_sense_decode(sense, len, &s);
    if (rc)
        return rc;
    *ret_info = (struct iskra_sense_info){
        .key = s.key,
        .asc = s.asc,
        .ascq = s.ascq,
        .deferred = s.deferred,
        .information_valid = s.information_valid,
        .specific_valid = s.specific_valid,
        .filemark = s.filemark,
        .eom = s.eom,
        .ili = s.ili,
        .fru = s.fru,
        .information = s.information,
        .specific = s.specific,
    };
    specific_parse(&s, ret_info);
    return 0;
}

int iskra_inquiry_parse(const uint8_t *bytes, size_t len, struct iskra_inquiry_info *ret_info)
{
    struct iskra_inquiry q;
    int rc = iskra_inquiry_decode(bytes, len, &q);
    if (rc)
        return rc;
    struct iskra_inquiry_info i = {
        .qualifier = q.qualifier,
        .type = q.type,
        .removable = q.removable,
        .version = q.version,
        .tpgs = q.tpgs,
        .protection = q.protect,
    };
    memcpy(i.vendor, q.vendor, sizeof(i.vendor));
    memcpy(i.product, q.product, sizeof(i.product));
    memcpy(i.revision, q.revision, sizeof(i.revision));
    *ret_info = i;
    return 0;
}

/* (10) cannot say more than 2^32 - 2 as the last block; ffffffffh says so. The largest LBA that
 * (16) can say leaves no count of blocks either. */
static uint64_t block_cnt(uint64_t last_lba, bool ten)
{
    return ten && last_lba == UINT32_MAX ? 0 : last_lba + 1;
}

int iskra_capacity_parse(const uint8_t *bytes, size_t len, struct iskra_capacity_info *ret_info)
{
    struct iskra_capacity c = {0};
    bool ten = len == ISKRA_CAPACITY_10_LEN;
    int rc =
        ten ? iskra_capacity10_decode(bytes, len, &c) : iskra_capacity16_decode(bytes, len, &c);
    if (rc || (!ten && c.last_lba == UINT64_MAX))
        return rc ? rc : -EBADMSG;
    uint64_t physical_len =
        c.physical_exp <= PHYSICAL_SHIFT_MAX ? (uint64_t)c.block_len << c.physical_exp : 0;
    *ret_info = (struct iskra_capacity_info){
        .block_cnt = block_cnt(c.last_lba, ten),
        .block_len = c.block_len,
        .physical_block_len = physical_len <= UINT32_MAX ? (uint32_t)physical_len : 0,
        .lowest_aligned_lba = c.lowest_aligned_lba,
        .thin = c.lbpme,
        .unmapped_zeroes = c.lbprz,
        .protection_type = c.prot_en ? (uint8_t)(c.prot_type + 1) : 0,
    };
    return 0;
}

int iskra_serial_parse(const uint8_t *page, size_t len, char *ret_serial, size_t size)
{
    const uint8_t *serial;
    size_t serial_len;
    int rc = size == 0 ? -EINVAL : iskra_vpd_serial(page, len, &serial, &serial_len);
    if (rc)
        return rc;
    if (serial_len > size - 1)
        serial_len = size - 1;
    for (size_t i = 0; i < serial_len; i++)
        ret_serial[i] = serial[i] >= 0x20 && serial[i] < 0x7f ? (char)serial[i] : '?';
    ret_serial[serial_len] = '\0';
    return 0;
}

int iskra_designator_next(const uint8_t *page, size_t len, size_t *pos,
                          struct iskra_designator_info *ret_info)
{
    struct iskra_designator d;
    int rc = iskra_vpd_designator_next(page, len, pos, &d);
    if (rc > 0)
        *ret_info = (struct iskra_designator_info){
            .id = d.id,
            .id_len = d.id_len,
            .type = d.type,
            .association = d.association,
            .code_set = d.code_set,
            .protocol = d.protocol_valid ? d.protocol : PROTOCOL_UNTOLD,
        };
    return rc;
}

int iskra_limits_parse(const uint8_t *page, size_t len, struct iskra_limits_info *ret_info)
{
    struct iskra_block_limits l;
    int rc = iskra_vpd_block_limits_decode(page, len, &l);
    if (rc)
        return rc;
    *ret_info = (struct iskra_limits_info){
        .max_write_same_blocks = l.max_write_same_blocks,
        .max_transfer_blocks = l.max_transfer_blocks,
        .optimal_transfer_blocks = l.optimal_transfer_blocks,
        .optimal_granularity_blocks = l.optimal_granularity_blocks,
        .max_compare_and_write_blocks = l.max_compare_and_write_blocks,
        .max_unmap_blocks = l.max_unmap_blocks,
        .max_unmap_descriptor_cnt = l.max_unmap_descriptor_cnt,
        .unmap_granularity_blocks = l.unmap_granularity_blocks,
        .unmap_alignment_blocks = l.unmap_alignment_valid ? l.unmap_alignment_blocks : 0,
    };
    return 0;
}

int iskra_provisioning_parse(const uint8_t *page, size_t len,
                             struct iskra_provisioning_info *ret_info)
{
    struct iskra_provisioning p;
    int rc = iskra_vpd_provisioning_decode(page, len, &p);
    if (rc)
        return rc;
    *ret_info = (struct iskra_provisioning_info){
        .type = p.provisioning_type,
        .unmap = p.lbpu,
        .write_same_10 = p.lbpws10,
        .write_same_16 = p.lbpws,
        .unmapped_zeroes = (p.lbprz & 1) != 0,
        .anchor = p.anc_sup,
        .threshold_exponent = p.threshold_exponent,
    };
    return 0;
}

int iskra_luns_parse(const uint8_t *bytes, size_t len, uint64_t *luns, unsigned max,
                     unsigned *ret_stated)
{
    struct iskra_luns list;
    int rc = iskra_luns_decode(bytes, len, &list);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < list.cnt && i < max; i++) {
        uint64_t lun = iskra_luns_at(&list, i);
        uint32_t number;
        luns[i] = iskra_lun_decode(lun, &number) == 0 ? number : lun;
    }
    if (ret_stated != NULL)
        *ret_stated = list.stated_cnt;
    return (int)list.cnt;
}
