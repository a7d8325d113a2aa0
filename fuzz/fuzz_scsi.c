/* Fuzzer of what a device says about itself: VPD pages, INQUIRY, capacities, mode pages, extents.
 * The first byte picks the decoder, the rest is its data. What decodes must encode. */
#include "input.h"
#include "wire/capacity.h"
#include "wire/extent.h"
#include "wire/inquiry.h"
#include "wire/mode.h"
#include "wire/vpd.h"

static void serial(const uint8_t *bytes, size_t len)
{
    const uint8_t *text;
    size_t text_len;
    if (iskra_vpd_serial(bytes, len, &text, &text_len) == 0)
        (void)input_touch(text, text_len);
    (void)iskra_vpd_supports(bytes, len, len > 4 ? bytes[4] : 0);
}

static void designators(const uint8_t *bytes, size_t len)
{
    size_t pos = 0, room = len / 2;
    uint8_t *buf = malloc(room > 0 ? room : 1);
    must(buf != NULL);
    struct iskra_designator d;
    struct iskra_vpd_out out;
    iskra_vpd_begin(&out, buf, room, 0, ISKRA_VPD_DEVICE_ID);
    while (iskra_vpd_designator_next(bytes, len, &pos, &d) > 0) {
        (void)input_touch(d.id, d.id_len);
        iskra_vpd_put_designator(&out, &d);
    }
    must(iskra_vpd_end(&out) <= room);
    free(buf);
}

static void block_pages(const uint8_t *bytes, size_t len)
{
    uint8_t buf[64];
    struct iskra_block_limits limits;
    struct iskra_block_characteristics characteristics;
    struct iskra_provisioning provisioning;
    if (iskra_vpd_block_limits_decode(bytes, len, &limits) == 0)
        must(iskra_vpd_block_limits_encode(&limits, 0, buf) == ISKRA_VPD_BLOCK_LIMITS_LEN);
    if (iskra_vpd_block_characteristics_decode(bytes, len, &characteristics) == 0)
        must(iskra_vpd_block_characteristics_encode(&characteristics, 0, buf) ==
             ISKRA_VPD_BLOCK_CHARACTERISTICS_LEN);
    if (iskra_vpd_provisioning_decode(bytes, len, &provisioning) == 0)
        must(iskra_vpd_provisioning_encode(&provisioning, 0, buf) == ISKRA_VPD_PROVISIONING_LEN);
}

static void inquiry(const uint8_t *bytes, size_t len)
{
    uint8_t buf[ISKRA_INQUIRY_LEN];
    struct iskra_inquiry fields;
    if (iskra_inquiry_decode(bytes, len, &fields) < 0)
        return;
    must(strlen(fields.vendor) <= 8 && strlen(fields.product) <= 16 &&
         strlen(fields.revision) <= 4);
    must(iskra_inquiry_encode(&fields, buf) == ISKRA_INQUIRY_LEN);
    must(iskra_device_type_name(fields.type) != NULL);
}

static void capacity(const uint8_t *bytes, size_t len)
{
    uint8_t buf[ISKRA_CAPACITY_16_LEN];
    struct iskra_capacity fields, again;
    if (iskra_capacity10_decode(bytes, len, &fields) == 0)
        must(iskra_capacity10_encode(&fields, buf) == ISKRA_CAPACITY_10_LEN);
    if (iskra_capacity16_decode(bytes, len, &fields) < 0)
        return;
    must(iskra_capacity16_encode(&fields, buf) == ISKRA_CAPACITY_16_LEN);
    must(iskra_capacity16_decode(buf, sizeof(buf), &again) == 0);
    must(again.last_lba == fields.last_lba && again.block_len == fields.block_len);
}

static void mode(const uint8_t *bytes, size_t len, bool six)
{
    struct iskra_mode m;
    if ((six ? iskra_mode6_decode : iskra_mode10_decode)(bytes, len, &m) < 0)
        return;
    size_t pos = 0;
    struct iskra_mode_page page;
    while (iskra_mode_page_next(&m, &pos, &page) > 0)
        (void)input_touch(page.body, page.body_len);
    struct iskra_mode_caching caching;
    uint8_t page_buf[ISKRA_MODE_CACHING_LEN];
    if (iskra_mode_caching(&m, &caching) == 0)
        must(iskra_mode_caching_encode(&caching, page_buf) == ISKRA_MODE_CACHING_LEN);
    uint8_t *buf = malloc(len);
    must(buf && (six ? iskra_mode6_encode : iskra_mode10_encode)(&m, buf, len) <= len);
    free(buf);
}

static void extents(const uint8_t *bytes, size_t len, bool unmap)
{
    struct iskra_lba_extent list[8];
    uint8_t buf[64];
    size_t pos = 0;
    uint32_t cnt = 0;
    struct iskra_lba_extent extent;
    while ((unmap ? iskra_unmap_next : iskra_lba_status_next)(bytes, len, &pos, &extent) > 0)
        list[cnt++ % 8] = extent;
    cnt = cnt < 8 ? cnt : 8;
    must((unmap ? iskra_unmap_encode : iskra_lba_status_encode)(list, cnt, buf, sizeof(buf)) <=
         sizeof(buf));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    uint8_t which = input_u8(&in);
    size_t len = in.left;
    uint8_t *bytes = input_take(&in, len);
    switch (which % 9) {
    case 0:
        serial(bytes, len);
        break;
    case 1:
        designators(bytes, len);
        break;
    case 2:
        block_pages(bytes, len);
        break;
    case 3:
        inquiry(bytes, len);
        break;
    case 4:
        capacity(bytes, len);
        break;
    case 5:
    case 6:
        mode(bytes, len, which % 9 == 5);
        break;
    default:
        extents(bytes, len, which % 9 == 7);
    }
    free(bytes);
    return 0;
}
