/* Many writes at once, at random: sockets that take some bytes, R2Ts in whatever order, answers at
 * any time. What each target command got, put together again, is what was to be written. */
#include "write_rig.h"

#define WRITE_CNT 6
#define R2T_MAX   4

struct got {
    struct write_cmd w; /* first */
    bool answered;
    uint32_t asked;                /* of the data, unsolicited or by R2T */
    uint32_t seq_sn[R2T_MAX * 64]; /* next DataSN, by R2TSN */
    uint32_t first_sn;             /* the same of the unsolicited sequence */
    uint32_t outstanding, len;     /* R2Ts not answered; bytes that came */
    uint8_t data[RIG_DATA_LEN];
};

static struct got gots[WRITE_CNT];

static uint32_t pick(uint32_t *seed, uint32_t limit)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % limit;
}

static struct got *got_of(uint32_t itt)
{
    for (int i = 0; i < WRITE_CNT; i++)
        if (gots[i].w.gen.itt == itt && !gots[i].answered)
            return &gots[i];
    fail_msg("data for tag 0x%08x, which is over", itt);
    return NULL;
}

static void take_data(struct got *g, const uint8_t *hdr, const uint8_t *data, uint32_t offset)
{
    uint32_t len = iskra_bhs_data_len(hdr);
    assert_true(offset + len <= g->w.gen.len);
    memcpy(g->data + offset, data, len);
    g->len += len;
}

static void take_data_out(const uint8_t *hdr, const uint8_t *data)
{
    struct iskra_pdu_data_out pdu;
    iskra_data_out_decode(hdr, &pdu);
    struct got *g = got_of(pdu.itt);
    bool solicited = pdu.ttt != ISKRA_RESERVED_TAG;
    uint32_t *sn = solicited ? &g->seq_sn[pdu.ttt & 0xff] : &g->first_sn;
    assert_int_equal(pdu.data_sn, *sn);
    (*sn)++;
    if (solicited && pdu.final)
        g->outstanding--;
    take_data(g, hdr, data, pdu.offset);
}

/* Whole PDUs that have been sent by now. */
static void take_sent(struct rig *r)
{
    while (r->out_len - r->out_at >= ISKRA_BHS_LEN) {
        const uint8_t *hdr = r->out + r->out_at;
        uint32_t data_len = iskra_bhs_data_len(hdr);
        size_t data_at = r->out_at + ISKRA_BHS_LEN;
        size_t end = data_at + data_len + iskra_pad_len(data_len) + (data_len > 0 ? 4 : 0);
        if (end > r->out_len)
            return;
        r->out_at = end;
        if (iskra_bhs_opcode(hdr) == ISKRA_OP_SCSI_CMD)
            take_data(got_of(iskra_bhs_itt(hdr)), hdr, r->out + data_at, 0);
        else
            take_data_out(hdr, r->out + data_at);
    }
    if (r->out_at == r->out_len)
        r->out_at = r->out_len = 0;
}

static void target_acts(struct rig *r, struct got *g, const struct gen_keys *keys, uint32_t *seed)
{
    uint32_t len = g->w.gen.len;
    if (g->answered || g->len < g->asked)
        return;
    if (g->len == len) {
        assert_memory_equal(g->data, g->w.plain, len);
        struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, g->w.gen.itt, 0);
        rig_feed_scsi_rsp(r, &rsp, NULL, 0);
        g->answered = true;
        return;
    }
    for (uint32_t cnt = 1 + pick(seed, R2T_MAX); cnt > 0 && g->asked < len; cnt--) {
        uint32_t burst = 1 + pick(seed, keys->max_burst);
        if (burst > len - g->asked)
            burst = len - g->asked;
        write_feed_r2t(r, &g->w, g->asked, burst, NULL);
        g->outstanding++;
        g->asked += burst;
    }
}

static void start(struct rig *r, struct got *g, const struct gen_keys *keys, uint32_t *seed)
{
    memset(g, 0, sizeof(*g));
    write_init(r, &g->w, 1 + pick(seed, RIG_DATA_LEN), *seed);
    write_queue(r, &g->w);
    uint32_t len = g->w.gen.len, burst = len < keys->first_burst ? len : keys->first_burst;
    g->asked = keys->immediate_data ? burst < keys->max_recv ? burst : keys->max_recv : 0;
    if (!keys->initial_r2t)
        g->asked = burst;
}

static void check_mix(uint32_t seed)
{
    struct gen_keys keys = {
        .immediate_data = seed & 1,
        .initial_r2t = seed & 2,
        .first_burst = 512 + pick(&seed, 6000),
        .max_recv = 512 + pick(&seed, 3000),
        .data_digest = true,
    };
    keys.max_burst = keys.first_burst + pick(&seed, 6000);
    struct rig *r = write_rig(&keys, R2T_MAX);
    for (int i = 0; i < WRITE_CNT; i++)
        start(r, &gots[i], &keys, &seed);
    unsigned done_cnt = 0;
    for (int turn = 0; turn < 20000 && done_cnt < WRITE_CNT; turn++) {
        write_socket_takes(r, pick(&seed, 4) == 0 ? 0 : pick(&seed, 9000));
        take_sent(r);
        target_acts(r, &gots[pick(&seed, WRITE_CNT)], &keys, &seed);
        rig_run(r);
        done_cnt = 0;
        for (int i = 0; i < WRITE_CNT; i++)
            done_cnt += gots[i].w.cmd.done_cnt;
    }
    for (int i = 0; i < WRITE_CNT; i++) {
        assert_int_equal(gots[i].w.cmd.done_cnt, 1);
        assert_int_equal(gots[i].w.cmd.cmnd.result, 0);
        assert_int_equal(gots[i].outstanding, 0);
    }
    rig_assert_no_conn_error(r);
    rig_free(r);
}

static void writes_at_random_arrive_whole(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 60; seed++)
        check_mix(seed);
}

/* Some Data-In with the status would be the shortest way to claim success. */
static void status_in_a_data_in_vouches_for_no_data_that_was_not_sent(void **state)
{
    (void)state;
    static struct write_cmd w;
    struct rig *r = write_rig(&write_keys_default, 1);
    write_init(r, &w, 4096, 1);
    write_queue(r, &w);
    rig_run(r);
    (void)write_expect_command(r, &write_keys_default, &w);
    struct iskra_pdu_data_in pdu = rig_data_in(r, w.gen.itt, 0, 0);
    pdu.final = pdu.status_present = true;
    rig_feed_data_in(r, &pdu, NULL, 0);
    rig_run(r);
    assert_int_equal(w.cmd.done_cnt, 1);
    assert_int_equal(w.cmd.cmnd.result, ISKRA_RESULT(ISKRA_DID_ERROR, 0));
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_at_random_arrive_whole),
        cmocka_unit_test(status_in_a_data_in_vouches_for_no_data_that_was_not_sent),
    };
    return cmocka_run_group_tests_name("write-mix", tests, NULL, NULL);
}
