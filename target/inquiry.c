/* Data that a command describes rather than reads: INQUIRY, capacities, LUN lists, mode pages. They
 * are built anew for each Data-In PDU, which for all but very long LUN lists is once. */
#include "target/conn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "target/lba_status.h"
#include "target/opcodes.h"
#include "wire/capacity.h"
#include "wire/inquiry.h"
#include "wire/luns.h"
#include "wire/mode.h"
#include "wire/vpd.h"

#define INQUIRY_LONG_LEN 96u
#define VPD_MAX          1024u

/* SPC-4 6.6.2: eight version descriptors from byte 58. */
static const uint16_t version_descriptors[] = {
    0x00a0, /* SAM-5 */
    0x0960, /* iSCSI */
    0x0460, /* SPC-4 */
    0x04c0, /* SBC-3 */
};

static size_t standard_inquiry(const struct target_task *task, uint8_t *buf)
{
    struct iskra_inquiry inquiry = {
        .qualifier = task->lun ? ISKRA_PQ_CONNECTED : ISKRA_PQ_ABSENT,
        .type = task->lun ? ISKRA_TYPE_DISK : ISKRA_TYPE_UNKNOWN,
        .version = 6,
        .hi_sup = true,
        .response_format = 2,
        .cmd_que = true,
        .vendor = "ISKRA",
        .product = "RAM DISK",
        .revision = "0001",
    };
    if (task->lun && task->lun->kind == ISKRA_TARGET_FILE)
        memcpy(inquiry.product, "FILE DISK", sizeof("FILE DISK"));
    if (task->lun && task->lun->kind == ISKRA_TARGET_NULL)
        memcpy(inquiry.product, "NULL DISK", sizeof("NULL DISK"));
    memset(buf, 0, INQUIRY_LONG_LEN);
    (void)iskra_inquiry_encode(&inquiry, buf); /* its length is known: 36 */
    buf[4] = INQUIRY_LONG_LEN - 5;
    for (unsigned i = 0; i < sizeof(version_descriptors) / sizeof(version_descriptors[0]); i++)
        iskra_put_be16(buf + 58 + 2 * i, version_descriptors[i]);
    return INQUIRY_LONG_LEN;
}

static void serial_text(const struct target_lun *lun, char *text) /* 17 bytes */
{
    (void)snprintf(text, 17, "%016jx", (uintmax_t)lun->id);
}

/* SPC-4 7.8.6: the LUN by a locally assigned NAA, by vendor and serial, by name; the port by number
 * and name. */
static void device_id(const struct iskra_target *target, const struct target_lun *lun,
                      struct iskra_vpd_out *out)
{
    uint8_t naa[8];
    iskra_put_be64(naa, UINT64_C(0x3) << 60 | lun->id >> 4);
    iskra_vpd_put_designator(
        out, &(struct iskra_designator){
                 .code_set = 1, .type = ISKRA_DESIGNATOR_NAA, .id = naa, .id_len = sizeof(naa)});
    char t10[8 + 17] = "ISKRA   ";
    serial_text(lun, t10 + 8);
    iskra_vpd_put_designator(out, &(struct iskra_designator){.code_set = 2,
                                                             .type = ISKRA_DESIGNATOR_T10,
                                                             .id = (const uint8_t *)t10,
                                                             .id_len = 24});
    static const uint8_t port[4] = {0, 0, 0, 1};
    iskra_vpd_put_designator(out, &(struct iskra_designator){.protocol = 5,
                                                             .protocol_valid = true,
                                                             .code_set = 1,
                                                             .association = ISKRA_ASSOCIATION_PORT,
                                                             .type = ISKRA_DESIGNATOR_PORT,
                                                             .id = port,
                                                             .id_len = sizeof(port)});
    /* A SCSI name string is padded with NUL bytes to a multiple of four, at least one. */
    char name[ISKRA_TARGET_NAME_MAX + 16] = {0};
    int len =
        snprintf(name, sizeof(name), "%s,t,0x%04x", target->name, target->options.portal_group);
    iskra_vpd_put_designator(out,
                             &(struct iskra_designator){.protocol = 5,
                                                        .protocol_valid = true,
                                                        .code_set = 3,
                                                        .association = ISKRA_ASSOCIATION_PORT,
                                                        .type = ISKRA_DESIGNATOR_NAME,
                                                        .id = (const uint8_t *)name,
                                                        .id_len = ((size_t)len + 4) & ~(size_t)3});
}

static const uint8_t vpd_codes[] = {
    ISKRA_VPD_SUPPORTED,
    ISKRA_VPD_SERIAL,
    ISKRA_VPD_DEVICE_ID,
    ISKRA_VPD_BLOCK_LIMITS,
    ISKRA_VPD_BLOCK_CHARACTERISTICS,
    ISKRA_VPD_PROVISIONING,
};

static int vpd(const struct iskra_target *target, const struct target_task *task, uint8_t *buf,
               size_t *ret_len)
{
    struct iskra_vpd_out out;
    const struct target_lun *lun = task->lun;
    struct iskra_block_limits limits = {
        .wsnz = true,
        .max_transfer_blocks = target->options.max_transfer_blocks,
        .max_compare_and_write_blocks = (uint8_t)target_compare_write_blocks(lun),
        .max_unmap_blocks = UINT32_MAX,
        .max_unmap_descriptor_cnt = UNMAP_CNT_MAX,
        .unmap_granularity_blocks = target_lun_grain(lun) / lun->block_len,
        .max_write_same_blocks = WRITE_SAME_MAX / lun->block_len};
    struct iskra_block_characteristics kind = {.rotation_rate = 1};
    struct iskra_provisioning thin = {
        .lbpu = true, .lbpws = true, .lbpws10 = true, .lbprz = 1, .provisioning_type = 2};
    char serial[17];
    switch (task->cdb.page) {
    case ISKRA_VPD_BLOCK_LIMITS:
        *ret_len = iskra_vpd_block_limits_encode(&limits, ISKRA_TYPE_DISK, buf);
        return 0;
    case ISKRA_VPD_BLOCK_CHARACTERISTICS:
        *ret_len = iskra_vpd_block_characteristics_encode(&kind, ISKRA_TYPE_DISK, buf);
        return 0;
    case ISKRA_VPD_PROVISIONING:
        *ret_len = iskra_vpd_provisioning_encode(&thin, ISKRA_TYPE_DISK, buf);
        return 0;
    default:
        break;
    }
    iskra_vpd_begin(&out, buf, VPD_MAX, ISKRA_TYPE_DISK, task->cdb.page);
    switch (task->cdb.page) {
    case ISKRA_VPD_SUPPORTED:
        iskra_vpd_put_bytes(&out, vpd_codes, sizeof(vpd_codes));
        break;
    case ISKRA_VPD_SERIAL:
        serial_text(task->lun, serial);
        iskra_vpd_put_bytes(&out, serial, 16);
        break;
    case ISKRA_VPD_DEVICE_ID:
        device_id(target, task->lun, &out);
        break;
    default:
        return -EINVAL;
    }
    *ret_len = iskra_vpd_end(&out);
    return 0;
}

static int inquiry(const struct iskra_target *target, const struct target_task *task, uint8_t *buf,
                   size_t *ret_len)
{
    if (task->cdb.flags & ISKRA_CDB_EVPD)
        return vpd(target, task, buf, ret_len);
    if (task->cdb.page != 0)
        return -EINVAL;
    *ret_len = standard_inquiry(task, buf);
    return 0;
}

static int report_luns(const struct iskra_target *target, const struct target_task *task,
                       uint8_t *buf, size_t *ret_len)
{
    const uint8_t select = task->cdb.select;
    if (select > 2 || task->cdb.alloc_len < 16) /* SPC-4 6.33 */
        return -EINVAL;
    uint32_t cnt = select == 1 ? 0 : target->lun_cnt; /* 1: well-known ones only, of which none */
    *ret_len = ISKRA_LUNS_HEADER_LEN + 8 * (size_t)cnt;
    memset(buf, 0, ISKRA_LUNS_HEADER_LEN);
    iskra_put_be32(buf, 8 * cnt);
    for (uint32_t i = 0; i < cnt; i++) {
        uint64_t lun;
        if (iskra_lun_encode(target->luns[i].number, &lun) < 0)
            return -EINVAL;
        iskra_put_be64(buf + ISKRA_LUNS_HEADER_LEN + 8 * (size_t)i, lun);
    }
    return 0;
}

/* SPC-4 7.5.8, 12 bytes: QUEUE ALGORITHM MODIFIER 1, commands of one initiator may be reordered. */
static const uint8_t control_page[12] = {ISKRA_MODE_PAGE_CONTROL, 10, 0, 0x10};

static int mode_sense(const struct target_task *task, uint8_t *buf, size_t *ret_len)
{
    const struct iskra_cdb *cdb = &task->cdb;
    bool all = cdb->page == ISKRA_MODE_PAGE_ALL;
    if (cdb->page_control == 3 || (cdb->subpage != 0 && !(all && cdb->subpage == 0xff)))
        return -EINVAL;
    uint8_t pages[ISKRA_MODE_CACHING_LEN + sizeof(control_page)];
    size_t len = 0;
    /* What is in memory is lost with the machine, flushed or not; the others can keep it. */
    bool keeps = task->lun->kind == ISKRA_TARGET_FILE || task->lun->kind == ISKRA_TARGET_DISK;
    struct iskra_mode_caching caching = {.wce = keeps && !task->lun->read_only};
    if (all || cdb->page == ISKRA_MODE_PAGE_CACHING)
        len += iskra_mode_caching_encode(&caching, pages);
    if (all || cdb->page == ISKRA_MODE_PAGE_CONTROL) {
        memcpy(pages + len, control_page, sizeof(control_page));
        len += sizeof(control_page);
    }
    if (len == 0)
        return -EINVAL;
    if (cdb->page_control == 1) { /* which bits MODE SELECT may change: none */
        size_t first = pages[1] + 2u;
        memset(pages + 2, 0, pages[1]);
        if (len > first)
            memset(pages + first + 2, 0, len - first - 2);
    }
    struct iskra_mode mode = {
        .write_protected = task->lun->read_only, .dpofua = true, .pages = pages, .pages_len = len};
    *ret_len = cdb->opcode == ISKRA_SCSI_MODE_SENSE_6 ? iskra_mode6_encode(&mode, buf, 256)
                                                      : iskra_mode10_encode(&mode, buf, 256);
    return *ret_len > 0 ? 0 : -EINVAL;
}

static int service_action_in(const struct target_task *task, uint8_t *buf, size_t *ret_len)
{
    const struct target_lun *lun = task->lun;
    if (task->cdb.service_action == ISKRA_SAI_READ_CAPACITY_16) {
        struct iskra_capacity capacity = {.last_lba = lun->block_cnt - 1,
                                          .block_len = lun->block_len,
                                          .lbpme = true,
                                          .lbprz = true};
        *ret_len = iskra_capacity16_encode(&capacity, buf);
        return 0;
    }
    if (task->cdb.service_action == ISKRA_SAI_GET_LBA_STATUS) {
        *ret_len = target_lba_status(lun, task->cdb.lba, task->cdb.alloc_len, task->full_len, buf);
        return 0;
    }
    return -EINVAL;
}

static size_t request_sense(const struct target_task *task, uint8_t *buf)
{
    struct iskra_sense sense = {.key = task->sense_key, .asc = task->asc, .ascq = task->ascq};
    return task->cdb.flags & ISKRA_CDB_DESC ? iskra_sense_encode_descriptor(&sense, buf)
                                            : iskra_sense_encode_fixed(&sense, buf);
}

int target_prepare(struct iskra_target_conn *conn, const struct target_task *task, size_t *ret_len)
{
    const struct iskra_target *target = conn->target;
    uint8_t *buf = target->scratch;
    size_t len = 0, limit = task->cdb.alloc_len;
    int rc = 0;
    switch (task->cdb.opcode) {
    case ISKRA_SCSI_INQUIRY:
        rc = inquiry(target, task, buf, &len);
        break;
    case ISKRA_SCSI_REQUEST_SENSE:
        len = request_sense(task, buf);
        break;
    case ISKRA_SCSI_MODE_SENSE_6:
    case ISKRA_SCSI_MODE_SENSE_10:
        rc = mode_sense(task, buf, &len);
        break;
    case ISKRA_SCSI_READ_CAPACITY_10:
        len = iskra_capacity10_encode(&(struct iskra_capacity){.last_lba = task->lun->block_cnt - 1,
                                                               .block_len = task->lun->block_len},
                                      buf);
        limit = len; /* it has no allocation length */
        break;
    case ISKRA_SCSI_REPORT_LUNS:
        rc = report_luns(target, task, buf, &len);
        break;
    case ISKRA_SCSI_MAINTENANCE_IN:
        rc = target_opcodes_report(&task->cdb, buf, &len);
        break;
    default:
        rc = service_action_in(task, buf, &len);
        break;
    }
    if (rc < 0)
        return rc;
    *ret_len = len < limit ? len : limit;
    return 0;
}
