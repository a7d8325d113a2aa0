/* The rules of the wire: see wire_rules.h. */
#include "sim/wire_rules.h"

#include <string.h>

#include <iskra/codes.h>

#include "sim/sim.h"
#include "wire/serial.h"

#define RESPONSE_COMPLETED 0x00 /* RFC 7143 11.4.3 */
#define TMF_COMPLETE       0x00 /* 11.6.1 */
#define TMF_NO_TASK        0x01

void sim_wire_init(struct sim_wire *wire, struct sim *sim, unsigned conn_number)
{
    wire->sim = sim;
    wire->conn_number = conn_number;
    wire->full_feature = false;
    wire->tag_cnt = 0;
    wire->text_len = 0;
    wire->next_cmd_sn = wire->max_cmd_sn = 0;
    wire->last_ns = sim->clock.now_ns;
    memset(wire->isid, 0, sizeof(wire->isid));
}

/* ---- tags ---- */

static struct sim_tag *tag_find(struct sim_wire *wire, uint32_t itt)
{
    for (unsigned i = 0; i < wire->tag_cnt; i++) {
        if (wire->tags[i].itt == itt)
            return &wire->tags[i];
    }
    return NULL;
}

static void tag_end(struct sim_wire *wire, struct sim_tag *tag)
{
    if (tag)
        *tag = wire->tags[--wire->tag_cnt];
}

/* What a reset of a LUN (or, all: of the target) has ended. */
static void tags_end(struct sim_wire *wire, bool all, uint64_t lun)
{
    for (unsigned i = wire->tag_cnt; i-- > 0;) {
        if (wire->tags[i].opcode == ISKRA_OP_SCSI_CMD && (all || wire->tags[i].lun == lun))
            tag_end(wire, &wire->tags[i]);
    }
}

static struct sim_old_tags *old_tags(struct sim_wire *wire, bool make)
{
    struct sim_old_tags *all = wire->sim->old_tags, *unused = NULL;
    static const uint8_t none[ISKRA_ISID_LEN];
    for (unsigned i = 0; i < SIM_HANDLE_CNT; i++) {
        if (memcmp(all[i].isid, wire->isid, ISKRA_ISID_LEN) == 0)
            return &all[i];
        if (!unused && memcmp(all[i].isid, none, ISKRA_ISID_LEN) == 0)
            unused = &all[i];
    }
    if (!make)
        return NULL;
    if (!unused)
        unused = &all[wire->conn_number % SIM_HANDLE_CNT];
    memcpy(unused->isid, wire->isid, ISKRA_ISID_LEN);
    return unused;
}

static bool was_live(struct sim_wire *wire, uint32_t itt)
{
    const struct sim_old_tags *old = old_tags(wire, false);
    for (unsigned i = 0; old && i < old->cnt; i++) {
        if (old->itts[i] == itt)
            return true;
    }
    return false;
}

static void tag_begin(struct sim_wire *wire, const uint8_t *bhs)
{
    struct sim_record *record = &wire->sim->record;
    uint32_t itt = iskra_bhs_itt(bhs);
    uint8_t opcode = iskra_bhs_opcode(bhs);
    struct sim_tag *live = tag_find(wire, itt);
    if (live && !(opcode == ISKRA_OP_TEXT && live->opcode == ISKRA_OP_TEXT)) {
        sim_fail(record, "connection %u: tag 0x%08x is live twice: opcode 0x%02x, now 0x%02x",
                 wire->conn_number, itt, live->opcode, opcode);
        return;
    }
    if (live)
        return;
    if (opcode == ISKRA_OP_SCSI_CMD && was_live(wire, itt))
        sim_fail(
            record,
            "connection %u: tag 0x%08x was live when the last connection of this session ended",
            wire->conn_number, itt);
    if (wire->tag_cnt == SIM_TAG_CNT) {
        sim_fail(record, "connection %u: more than %u tags", wire->conn_number, SIM_TAG_CNT);
        return;
    }
    struct sim_tag *tag = &wire->tags[wire->tag_cnt++];
    *tag = (struct sim_tag){.itt = itt,
                            .opcode = opcode,
                            .lun = iskra_get_be64(bhs + 8),
                            .function = bhs[1] & 0x7f, /* of a TMF, as the next */
                            .ref = iskra_get_be32(bhs + 20),
                            .once = -1};
    if (opcode == ISKRA_OP_SCSI_CMD)
        tag->once = sim_oracle_once_sent(wire->sim, tag->lun, bhs + 32, &tag->generation);
}

void sim_wire_done(struct sim_wire *wire)
{
    struct sim_old_tags *old = wire->full_feature ? old_tags(wire, true) : NULL;
    if (!old)
        return;
    old->cnt = 0;
    for (unsigned i = 0; i < wire->tag_cnt; i++) {
        if (wire->tags[i].opcode == ISKRA_OP_SCSI_CMD)
            old->itts[old->cnt++] = wire->tags[i].itt;
    }
}

/* ---- sent ---- */

/* RFC 7143 4.2.2.1: an immediate command carries the number of the next one and does not take it.
 */
static void cmd_sn_judge(struct sim_wire *wire, const uint8_t *bhs)
{
    struct sim_record *record = &wire->sim->record;
    uint32_t cmd_sn = iskra_get_be32(bhs + 24);
    if (cmd_sn != wire->next_cmd_sn)
        sim_fail(record, "connection %u: CmdSN 0x%08x, the next one is 0x%08x (opcode 0x%02x)",
                 wire->conn_number, cmd_sn, wire->next_cmd_sn, bhs[0]);
    if (iskra_bhs_immediate(bhs))
        return;
    if (iskra_serial_gt(cmd_sn, wire->max_cmd_sn))
        sim_fail(record, "connection %u: CmdSN 0x%08x is beyond MaxCmdSN 0x%08x (opcode 0x%02x)",
                 wire->conn_number, cmd_sn, wire->max_cmd_sn, bhs[0]);
    wire->next_cmd_sn++;
}

static void data_out_judge(struct sim_wire *wire, const uint8_t *bhs)
{
    const struct sim_tag *tag = tag_find(wire, iskra_bhs_itt(bhs));
    if (tag && tag->opcode != ISKRA_OP_SCSI_CMD)
        sim_fail(&wire->sim->record, "connection %u: Data-Out for tag 0x%08x, which is no command",
                 wire->conn_number, iskra_bhs_itt(bhs));
}

uint64_t sim_wire_idle_ns(const struct sim_wire *wire)
{
    bool open = !iskra_serial_gt(wire->next_cmd_sn, wire->max_cmd_sn);
    return wire->full_feature && wire->tag_cnt == 0 && open
               ? wire->sim->clock.now_ns - wire->last_ns
               : 0;
}

void sim_wire_sent(struct sim_wire *wire, const uint8_t *bhs)
{
    uint8_t opcode = iskra_bhs_opcode(bhs);
    wire->last_ns = wire->sim->clock.now_ns;
    if (wire->sim->over)
        return;
    if (opcode == ISKRA_OP_LOGIN) {
        memcpy(wire->isid, bhs + 8, ISKRA_ISID_LEN);
        wire->next_cmd_sn = iskra_get_be32(bhs + 24);
        return;
    }
    if (!wire->full_feature)
        sim_fail(&wire->sim->record, "connection %u: opcode 0x%02x before the login has ended",
                 wire->conn_number, opcode);
    if (opcode == ISKRA_OP_DATA_OUT) {
        data_out_judge(wire, bhs);
        return;
    }
    if (opcode == ISKRA_OP_SNACK)
        return;
    cmd_sn_judge(wire, bhs);
    if (iskra_bhs_itt(bhs) != ISKRA_RESERVED_TAG)
        tag_begin(wire, bhs);
}

/* ---- received ---- */

static void window_take(struct sim_wire *wire, const uint8_t *bhs)
{
    uint32_t exp_cmd_sn = iskra_get_be32(bhs + 28), max_cmd_sn = iskra_get_be32(bhs + 32);
    if (iskra_serial_lt(max_cmd_sn, exp_cmd_sn - 1))
        return;
    if (iskra_serial_gt(max_cmd_sn, wire->max_cmd_sn))
        wire->max_cmd_sn = max_cmd_sn;
}

static void tmf_ended(struct sim_wire *wire, const uint8_t *bhs, const struct sim_tag *tmf)
{
    uint8_t response = bhs[2];
    uint64_t lun = tmf->lun;
    if (response != TMF_COMPLETE && response != TMF_NO_TASK)
        return;
    if (tmf->function == ISKRA_TMF_ABORT_TASK)
        tag_end(wire, tag_find(wire, tmf->ref));
    else if (response == TMF_COMPLETE)
        tags_end(wire, tmf->function >= ISKRA_TMF_TARGET_WARM_RESET, lun);
}

void sim_wire_received(struct sim_wire *wire, const uint8_t *bhs)
{
    wire->text_len = iskra_bhs_opcode(bhs) == ISKRA_OP_LOGIN_RSP ? wire->text_len : 0;
    wire->last_ns = wire->sim->clock.now_ns;
    if (wire->sim->over)
        return;
    if (iskra_bhs_opcode(bhs) == ISKRA_OP_LOGIN_RSP) {
        if (!wire->full_feature)
            wire->max_cmd_sn = iskra_get_be32(bhs + 32);
        return;
    }
    window_take(wire, bhs);
}

void sim_wire_data(struct sim_wire *wire, const uint8_t *bhs, const uint8_t *bytes, size_t len)
{
    uint8_t opcode = iskra_bhs_opcode(bhs);
    if (opcode != ISKRA_OP_LOGIN_RSP && opcode != ISKRA_OP_SCSI_RSP && opcode != ISKRA_OP_REJECT)
        return;
    if (len > SIM_LOGIN_TEXT - wire->text_len)
        len = SIM_LOGIN_TEXT - wire->text_len;
    memcpy(wire->text + wire->text_len, bytes, len);
    wire->text_len += (uint32_t)len;
}

static bool agreed(const struct sim_wire *wire, const char *key_value)
{
    size_t len = strlen(key_value) + 1; /* with the NUL byte */
    for (size_t at = 0; at + len <= wire->text_len; at++) {
        if (memcmp(wire->text + at, key_value, len) == 0)
            return true;
    }
    return false;
}

static void login_ended(struct sim_wire *wire, const uint8_t *bhs, struct sim_pdu *up,
                        struct sim_pdu *down)
{
    bool transit = bhs[1] & 0x80;
    if (!transit || (bhs[1] & 3) != 3 || bhs[36] != 0)
        return;
    wire->full_feature = true;
    up->header_digest = down->header_digest = agreed(wire, "HeaderDigest=CRC32C");
    up->data_digest = down->data_digest = agreed(wire, "DataDigest=CRC32C");
    wire->text_len = 0;
}

/* A status that says that the command has not been executed. */
static void refused_judge(struct sim_wire *wire, const uint8_t *bhs, const struct sim_tag *tag)
{
    bool busy = bhs[3] == ISKRA_STATUS_BUSY || bhs[3] == ISKRA_STATUS_TASK_SET_FULL;
    bool sense = bhs[3] == ISKRA_STATUS_CHECK_CONDITION && wire->text_len > 4;
    uint8_t key =
        sense ? wire->text[4] & 0xf : 0; /* RFC 7143 11.4.7: behind its length; SPC-4 4.5.3 */
    bool attention = key == ISKRA_SENSE_UNIT_ATTENTION;
    if (tag->once < 0 || bhs[2] != RESPONSE_COMPLETED)
        return;
    if (busy || attention || key == ISKRA_SENSE_NOT_READY)
        sim_oracle_once_refused(wire->sim, tag->once, tag->generation, attention);
}

static void rejected(struct sim_wire *wire)
{
    if (wire->text_len >= ISKRA_BHS_LEN) {
        /* RFC 7143 11.17: a Data-Out that is rejected does not end its command. */
        if (iskra_bhs_opcode(wire->text) != ISKRA_OP_DATA_OUT)
            tag_end(wire, tag_find(wire, iskra_bhs_itt(wire->text)));
    }
}

void sim_wire_received_all(struct sim_wire *wire, struct sim_pdu *up, struct sim_pdu *down)
{
    const uint8_t *bhs = down->bhs;
    struct sim_tag *tag = tag_find(wire, iskra_bhs_itt(bhs));
    switch (iskra_bhs_opcode(bhs)) {
    case ISKRA_OP_LOGIN_RSP:
        login_ended(wire, bhs, up, down);
        return;
    case ISKRA_OP_SCSI_RSP:
        if (tag)
            refused_judge(wire, bhs, tag);
        tag_end(wire, tag);
        break;
    case ISKRA_OP_DATA_IN:
        if (bhs[1] & 1)
            tag_end(wire, tag);
        break;
    case ISKRA_OP_TMF_RSP:
        if (tag && tag->opcode == ISKRA_OP_TMF)
            tmf_ended(wire, bhs, tag);
        tag_end(wire, tag_find(wire, iskra_bhs_itt(bhs)));
        break;
    case ISKRA_OP_NOP_IN:
    case ISKRA_OP_LOGOUT_RSP:
        tag_end(wire, tag);
        break;
    case ISKRA_OP_TEXT_RSP:
        if (bhs[1] & 0x80)
            tag_end(wire, tag);
        break;
    case ISKRA_OP_REJECT:
        rejected(wire);
        break;
    default:
        break;
    }
    wire->text_len = 0;
}
