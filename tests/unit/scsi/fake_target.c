#include "unit/scsi/fake_target.h"

#include <stdio.h>

#include "wire/luns.h"
#include "wire/mode.h"
#include "wire/vpd.h"

void fake_refuse(struct iskra_cmnd *cmnd, uint8_t key, uint8_t asc, uint8_t ascq)
{
    const struct iskra_sense s = {.valid = true, .key = key, .asc = asc, .ascq = ascq};

    rig_set_sense(cmnd, &s);
}

static const struct fake_lun *find_lun(const struct fake_target *t, uint64_t lun)
{
    for (unsigned i = 0; i < t->lun_cnt; i++) {
        uint64_t encoded;
        if (iskra_lun_encode(t->luns[i].number, &encoded) == 0 && encoded == lun)
            return &t->luns[i];
    }
    return NULL;
}

static void answer_vpd(struct iskra_cmnd *cmnd, const struct fake_lun *l, uint8_t page)
{
    const uint8_t naa[] = {0x60, 0x01, 0x40, 0x5a, (uint8_t)(0xbc + l->generation)};
    static const uint8_t pages[] = {0x00, 0x80, 0x83, 0xb0};
    const struct iskra_designator designators[] = {
        {.code_set = 2, .type = ISKRA_DESIGNATOR_T10, .id = (const uint8_t *)"SPARK", .id_len = 5},
        {.code_set = 1, .type = ISKRA_DESIGNATOR_NAA, .id = naa, .id_len = sizeof(naa)},
        {.code_set = 1,
         .association = ISKRA_ASSOCIATION_PORT,
         .type = ISKRA_DESIGNATOR_PORT,
         .id = naa,
         .id_len = 4},
    };
    uint8_t buf[512];
    struct iskra_vpd_out out;
    char serial[20];

    if (page == ISKRA_VPD_BLOCK_LIMITS) {
        const struct iskra_block_limits limits = {.max_transfer_blocks = l->max_transfer_blocks,
                                                  .optimal_transfer_blocks = 64};
        rig_data_in(cmnd, buf, iskra_vpd_block_limits_encode(&limits, 0, buf));
        return;
    }
    iskra_vpd_begin(&out, buf, sizeof(buf), l->inquiry.type, page);
    if (page == ISKRA_VPD_SUPPORTED) {
        iskra_vpd_put_bytes(&out, pages, sizeof(pages));
    } else if (page == ISKRA_VPD_SERIAL) {
        snprintf(serial, sizeof(serial), " SN\x1b%04u ", l->number + 1000u * l->generation);
        iskra_vpd_put_bytes(&out, serial, strlen(serial));
    } else {
        for (size_t i = 0; i < sizeof(designators) / sizeof(designators[0]); i++)
            iskra_vpd_put_designator(&out, &designators[i]);
    }
    rig_data_in(cmnd, buf, (uint32_t)iskra_vpd_end(&out));
}

static void answer_report_luns(struct fake_target *t, struct iskra_cmnd *cmnd)
{
    static uint8_t buf[ISKRA_LUNS_HEADER_LEN + 8 * FAKE_LUN_MAX];
    uint64_t luns[FAKE_LUN_MAX];

    if (cmnd->lun == ISKRA_LUN_WELL_KNOWN_REPORT_LUNS ? t->no_well_known : t->no_report_luns) {
        fake_refuse(cmnd, ISKRA_SENSE_ILLEGAL_REQUEST, 0x20, 0x00);
        return;
    }
    for (unsigned i = 0; i < t->lun_cnt; i++)
        assert_int_equal(iskra_lun_encode(t->luns[i].number, &luns[i]), 0);
    rig_data_in(cmnd, buf, (uint32_t)iskra_luns_encode(luns, t->lun_cnt, buf, sizeof(buf)));
}

static void answer_inquiry(struct iskra_cmnd *cmnd, const struct fake_lun *l)
{
    uint8_t buf[ISKRA_INQUIRY_LEN] = {0};

    if (l != NULL)
        iskra_inquiry_encode(&l->inquiry, buf);
    else
        buf[0] = 0x7f;
    buf[4] = sizeof(buf) - 5;
    rig_data_in(cmnd, buf, sizeof(buf));
}

static void answer_mode_sense(struct fake_target *t, struct iskra_cmnd *cmnd, uint8_t page)
{
    uint8_t buf[64], caching[ISKRA_MODE_CACHING_LEN];
    const struct iskra_mode_caching fields = {.wce = t->wce};
    struct iskra_mode mode = {.write_protected = !t->writable, .dpofua = t->dpofua};

    if (page == ISKRA_MODE_PAGE_ALL ? t->caching_among_all : t->caching_by_name) {
        mode.pages = caching;
        mode.pages_len = iskra_mode_caching_encode(&fields, caching);
    } else if (page != ISKRA_MODE_PAGE_ALL) {
        fake_refuse(cmnd, ISKRA_SENSE_ILLEGAL_REQUEST, 0x24, 0x00);
        return;
    }
    rig_data_in(cmnd, buf, (uint32_t)iskra_mode6_encode(&mode, buf, sizeof(buf)));
}

void fake_answer(struct rig *r, struct iskra_cmnd *cmnd)
{
    struct fake_target *t = r->target_arg;
    const struct fake_lun *l = find_lun(t, cmnd->lun);
    struct iskra_cdb cdb;
    uint8_t buf[64];

    assert_int_equal(iskra_cdb_decode(cmnd->cdb, cmnd->cdb_len, &cdb), 0);
    if (cdb.opcode != ISKRA_SCSI_READ_10)
        assert_int_equal(cdb.opcode == ISKRA_SCSI_READ_CAPACITY_10 ? 8 : cdb.alloc_len,
                         cmnd->transfer_len);
    t->asked[cdb.opcode]++;
    if (r->session.scsi_cnt + 1 > t->in_flight_max) /* this one is out no more */
        t->in_flight_max = r->session.scsi_cnt + 1;
    if (cdb.flags & ISKRA_CDB_EVPD)
        t->asked_vpd[cdb.page]++;
    if (t->lose_after != 0 && ++t->cmd_cnt > t->lose_after) {
        rig_session_lost(r, "cable cut");
        iskra_shost_class_ops.transport_offline(&r->host);
        cmnd->result = ISKRA_RESULT(ISKRA_DID_TRANSPORT_DISRUPTED, 0);
        return;
    }
    if (t->ua_cnt > 0) {
        t->ua_cnt--;
        fake_refuse(cmnd, ISKRA_SENSE_UNIT_ATTENTION, 0x29, 0x00);
        return;
    }
    if (t->lie != NULL && t->lie(t, cmnd, &cdb))
        return;
    if (cdb.opcode == ISKRA_SCSI_REPORT_LUNS) {
        answer_report_luns(t, cmnd);
        return;
    }
    if (cdb.opcode == ISKRA_SCSI_INQUIRY && !(cdb.flags & ISKRA_CDB_EVPD)) {
        answer_inquiry(cmnd, l);
        return;
    }
    if (l == NULL) {
        fake_refuse(cmnd, ISKRA_SENSE_ILLEGAL_REQUEST, 0x25, 0x00);
        return;
    }
    switch (cdb.opcode) {
    case ISKRA_SCSI_TEST_UNIT_READY:
    case ISKRA_SCSI_READ_10:
        return; /* GOOD */
    case ISKRA_SCSI_INQUIRY:
        answer_vpd(cmnd, l, cdb.page);
        return;
    case ISKRA_SCSI_READ_CAPACITY_10:
        rig_data_in(cmnd, buf, iskra_capacity10_encode(&l->capacity, buf));
        return;
    case ISKRA_SCSI_SERVICE_ACTION_IN_16:
        if (t->no_capacity16)
            break;
        rig_data_in(cmnd, buf, iskra_capacity16_encode(&l->capacity, buf));
        return;
    case ISKRA_SCSI_MODE_SENSE_6:
        answer_mode_sense(t, cmnd, cdb.page);
        return;
    default:
        break;
    }
    fake_refuse(cmnd, ISKRA_SENSE_ILLEGAL_REQUEST, 0x20, 0x00);
}

struct fake_lun *fake_add_disk(struct fake_target *t, uint32_t number)
{
    struct fake_lun *l = &t->luns[t->lun_cnt++];

    *l = (struct fake_lun){
        .number = number,
        .inquiry = {.version = 5, .vendor = "ISKRA", .product = "spark", .revision = "1"},
        .capacity = {.last_lba = 204799, .block_len = 512, .physical_exp = 3, .lbpme = true}};
    return l;
}

int fake_setup(void **state)
{
    rig_setup(state);
    struct rig *r = *state;
    struct fake_target *t = test_calloc(1, sizeof(*t));
    iskra_sdev_remove_now(r->sdev); /* the scan makes its own */
    t->rig = r;
    r->target = fake_answer;
    r->target_arg = t;
    *state = t;
    return 0;
}

int fake_teardown(void **state)
{
    struct fake_target *t = *state;
    void *rig = t->rig;

    rig_teardown(&rig);
    test_free(t);
    return 0;
}

void fake_lun_done(void *arg, int status, struct iskra_sdev *sdev, const struct iskra_error *err)
{
    struct fake_target *t = arg;

    t->done_cnt++;
    t->status = status;
    t->sdev = sdev;
    if (err != NULL)
        t->error = *err;
    assert_true((status == 0) == (sdev != NULL));
}

void fake_scan_lun(struct fake_target *t, uint32_t number)
{
    uint64_t lun;

    assert_int_equal(iskra_lun_encode(number, &lun), 0);
    assert_int_equal(iskra_scan_lun(&t->rig->host, lun, fake_lun_done, t, &t->scan, NULL), 0);
    assert_int_equal(t->done_cnt, 0);
    rig_advance_to(t->rig, t->rig->round.now_ns + 10 * RIG_S);
    assert_int_equal(t->done_cnt, 1);
}
