/* What only disks are asked: mode pages, capacity, limits, what they know of space. */
#include "scsi/probe_row.h"

#include <errno.h>
#include <inttypes.h>

#include "error.h"
#include "scsi/device.h"
#include "scsi/identity.h"
#include "wire/capacity.h"
#include "wire/cdb.h"
#include "wire/inquiry.h"
#include "wire/mode.h"
#include "wire/opcodes.h"
#include "wire/sense.h"
#include "wire/vpd.h"

#define VPD_LEN_FIRST     252u /* what even old devices take */
#define MODE_SENSE_LEN    192u
#define OPCODE_REPORT_LEN 36u /* with a CDB of up to 32 bytes */
#define VERSION_SPC_3     5u

static bool is_disk(const struct iskra_probe *p)
{
    return p->sdev->inquiry.type == ISKRA_TYPE_DISK &&
           p->sdev->inquiry.qualifier == ISKRA_PQ_CONNECTED;
}

static unsigned ask_vpd_limits(struct iskra_probe *p)
{
    if (!is_disk(p) || !p->limits_offered)
        return 0;
    return iskra_cdb_inquiry_vpd(p->sreq.cdb, ISKRA_VPD_BLOCK_LIMITS, p->ask_len);
}

static int take_vpd_limits(struct iskra_probe *p, const uint8_t *bytes, uint32_t len)
{
    struct iskra_block_limits limits;

    if (iskra_vpd_block_limits_decode(bytes, len, &limits) == 0)
        p->space.limits = limits;
    return 0;
}

static unsigned ask_vpd_provisioning(struct iskra_probe *p)
{
    if (!is_disk(p) || !p->sdev->thin || !p->provisioning_offered)
        return 0;
    return iskra_cdb_inquiry_vpd(p->sreq.cdb, ISKRA_VPD_PROVISIONING, p->ask_len);
}

static int take_vpd_provisioning(struct iskra_probe *p, const uint8_t *bytes, uint32_t len)
{
    struct iskra_provisioning provisioning;

    if (iskra_vpd_provisioning_decode(bytes, len, &provisioning) == 0) {
        p->space.provisioning = provisioning;
        p->space.provisioning_told = true;
    }
    return 0;
}

static unsigned ask_write_same(struct iskra_probe *p)
{
    if (!is_disk(p) || p->sdev->inquiry.version < VERSION_SPC_3)
        return 0;
    return iskra_cdb_report_opcode(p->sreq.cdb, ISKRA_SCSI_WRITE_SAME_16, p->ask_len);
}

static int take_write_same(struct iskra_probe *p, const uint8_t *bytes, uint32_t len)
{
    struct iskra_opcode_report report;

    if (iskra_opcode_report_decode(bytes, len, &report) == 0) {
        p->space.write_same_support = report.support;
        p->space.write_same_ndob = iskra_opcode_report_uses(&report, 1, 0x01);
    }
    return 0;
}

static unsigned ask_mode_sense(struct iskra_probe *p)
{
    if (!is_disk(p))
        return 0;
    return iskra_cdb_mode_sense6(p->sreq.cdb, ISKRA_MODE_PAGE_ALL, 0, (uint8_t)p->ask_len);
}

static int take_mode_sense(struct iskra_probe *p, const uint8_t *bytes, uint32_t len)
{
    struct iskra_mode mode;

    if (iskra_mode6_decode(bytes, len, &mode) == 0)
        iskra_mode_settle(p->sdev, &mode);
    return 0;
}

/* Some know the caching page only by its name. */
static unsigned ask_mode_caching(struct iskra_probe *p)
{
    if (!is_disk(p) || p->sdev->write_cache_told)
        return 0;
    return iskra_cdb_mode_sense6(p->sreq.cdb, ISKRA_MODE_PAGE_CACHING, 0, (uint8_t)p->ask_len);
}

static unsigned ask_capacity16_first(struct iskra_probe *p)
{
    if (!is_disk(p) || p->sdev->inquiry.version < VERSION_SPC_3)
        return 0;
    return iskra_cdb_read_capacity16(p->sreq.cdb, p->ask_len);
}

static unsigned ask_capacity10(struct iskra_probe *p)
{
    if (!is_disk(p) || p->sdev->capacity_known || p->capacity_error.code != ISKRA_OK)
        return 0;
    return iskra_cdb_read_capacity10(p->sreq.cdb);
}

static unsigned ask_capacity16(struct iskra_probe *p)
{
    if (!p->capacity16_due)
        return 0;
    return iskra_cdb_read_capacity16(p->sreq.cdb, p->ask_len);
}

static int take_capacity(struct iskra_probe *p, const struct iskra_capacity *c)
{
    p->capacity_error = (struct iskra_error){0};
    (void)iskra_capacity_settle(p->sdev, c,
                                &p->capacity_error); /* the story is kept, or all is well */
    return 0;
}

static int take_capacity16(struct iskra_probe *p, const uint8_t *bytes, uint32_t len)
{
    struct iskra_capacity c;

    if (iskra_capacity16_decode(bytes, len, &c) != 0) {
        iskra_fail(&p->capacity_error, ISKRA_E_RESPONSE, EBADMSG,
                   "READ CAPACITY(16): %" PRIu32 " bytes came, at least 12 are due", len);
        return 0;
    }
    return take_capacity(p, &c);
}

static int take_capacity10(struct iskra_probe *p, const uint8_t *bytes, uint32_t len)
{
    struct iskra_capacity c;

    if (iskra_capacity10_decode(bytes, len, &c) != 0) {
        iskra_fail(&p->capacity_error, ISKRA_E_RESPONSE, EBADMSG,
                   "READ CAPACITY(10): %" PRIu32 " bytes came, %u are due", len,
                   ISKRA_CAPACITY_10_LEN);
        return 0;
    }
    p->capacity16_due = c.last_lba == UINT32_MAX;
    return p->capacity16_due ? 0 : take_capacity(p, &c);
}

static int capacity_refused(struct iskra_probe *p, int status)
{
    (void)status; /* the story says it */
    p->capacity_error = p->error;
    return 0;
}

/* Old devices do not know the 16-byte command: then (10) decides. */
static int capacity16_first_refused(struct iskra_probe *p, int status)
{
    struct iskra_sense s;

    if (iskra_sense_decode(p->error.sense, p->error.sense_len, &s) == 0 &&
        s.key == ISKRA_SENSE_ILLEGAL_REQUEST)
        return 0;
    return capacity_refused(p, status);
}

const struct iskra_probe_row iskra_probe_disk_rows[ISKRA_PROBE_END] = {
    [ISKRA_PROBE_MODE_SENSE] = {ask_mode_sense, take_mode_sense, NULL, MODE_SENSE_LEN},
    [ISKRA_PROBE_MODE_CACHING] = {ask_mode_caching, take_mode_sense, NULL, MODE_SENSE_LEN},
    [ISKRA_PROBE_CAPACITY_16_FIRST] = {ask_capacity16_first, take_capacity16,
                                       capacity16_first_refused, ISKRA_CAPACITY_16_LEN},
    [ISKRA_PROBE_CAPACITY_10] = {ask_capacity10, take_capacity10, capacity_refused,
                                 ISKRA_CAPACITY_10_LEN},
    [ISKRA_PROBE_CAPACITY_16] = {ask_capacity16, take_capacity16, capacity_refused,
                                 ISKRA_CAPACITY_16_LEN},
    [ISKRA_PROBE_VPD_LIMITS] = {ask_vpd_limits, take_vpd_limits, NULL, VPD_LEN_FIRST},
    [ISKRA_PROBE_VPD_PROVISIONING] = {ask_vpd_provisioning, take_vpd_provisioning, NULL,
                                      VPD_LEN_FIRST},
    [ISKRA_PROBE_WRITE_SAME] = {ask_write_same, take_write_same, NULL, OPCODE_REPORT_LEN},
};
