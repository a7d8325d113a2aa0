/* What an initiator must be seen to do when it writes: the items of the full feature phase list, by
 * their numbers. Whatever an item looks at, all that is sent is compared with the generator's bytes
 * besides. */
#include "write_rig.h"

static struct write_cmd cmds[3];

/* Every PDU sent since the last look: the command, then Data-Out. */
struct sent {
    uint8_t hdr[ISKRA_BHS_LEN]; /* of the command */
    struct iskra_pdu_scsi_cmd cmd;
    struct iskra_pdu_data_out outs[40];
    unsigned out_cnt;
    uint32_t len; /* of data */
};

static void look(struct rig *r, struct sent *s, bool with_cmd)
{
    rig_run(r);
    memset(s, 0, sizeof(*s));
    if (with_cmd) {
        const uint8_t *hdr = rig_sent(r);
        assert_int_equal(hdr[0], ISKRA_OP_SCSI_CMD);
        memcpy(s->hdr, hdr, sizeof(s->hdr));
        iskra_scsi_cmd_decode(hdr, &s->cmd);
        s->len = s->cmd.data_len;
    }
    for (; rig_sent_any(r); s->out_cnt++) {
        s->outs[s->out_cnt] = write_sent_data_out(r);
        s->len += s->outs[s->out_cnt].data_len;
    }
}

/* A write has begun: the command and its first burst. */
static struct rig *begin(const struct gen_keys *keys, uint32_t len, struct sent *s)
{
    struct rig *r = write_rig(keys, 4);
    write_submit(r, &cmds[0], len, 1);
    rig_run(r);
    size_t at = r->out_at;
    (void)write_expect_command(r, keys, &cmds[0]);
    assert_false(rig_sent_any(r));
    r->out_at = at;
    look(r, s, true);
    return r;
}

/* An R2T has come, and been answered. */
static struct gen_r2t answer(struct rig *r, const struct gen_keys *keys, uint32_t offset,
                             uint32_t len, struct sent *s)
{
    struct gen_r2t r2t;
    write_feed_r2t(r, &cmds[0], offset, len, &r2t);
    rig_run(r);
    size_t at = r->out_at;
    write_expect_answer(r, keys, &cmds[0], &r2t);
    assert_false(rig_sent_any(r));
    r->out_at = at;
    look(r, s, false);
    assert_int_equal(s->len, len);
    return r2t;
}

static const struct gen_keys unsolicited_keys = {
    .first_burst = 2000, .max_burst = 4096, .max_recv = 600};
static const struct gen_keys solicited_keys = {
    .initial_r2t = true, .first_burst = 2000, .max_burst = 4096, .max_recv = 600};

static void ffp_6_1_data_sn_starts_at_0_and_counts_up_in_each_sequence(void **state)
{
    (void)state;
    struct sent s;
    struct rig *r = begin(&unsolicited_keys, 8000, &s);
    assert_int_equal(s.out_cnt, 4);
    for (unsigned i = 0; i < s.out_cnt; i++)
        assert_int_equal(s.outs[i].data_sn, i);
    for (uint32_t at = 2000; at < 8000; at += 3000) {
        (void)answer(r, &unsolicited_keys, at, 3000, &s);
        assert_int_equal(s.out_cnt, 5);
        for (unsigned i = 0; i < s.out_cnt; i++)
            assert_int_equal(s.outs[i].data_sn, i);
    }
    write_finish(r, &cmds[0]);
    rig_free(r);
}

static void ffp_8_1_unsolicited_data_stops_at_first_burst_and_r2ts_bring_the_rest(void **state)
{
    (void)state;
    struct gen_keys keys = unsolicited_keys;
    keys.immediate_data = true;
    struct sent s;
    struct rig *r = begin(&keys, 4000, &s);
    assert_int_equal(s.cmd.edtl, 4000);
    assert_int_equal(s.cmd.data_len, 600);
    assert_int_equal(s.len, 2000);
    assert_int_equal(s.outs[s.out_cnt - 1].ttt, ISKRA_RESERVED_TAG);
    struct gen_r2t r2t = answer(r, &keys, 2000, 2000, &s);
    assert_int_equal(s.outs[0].ttt, r2t.ttt);
    assert_int_equal(s.outs[0].offset, 2000);
    write_finish(r, &cmds[0]);
    rig_free(r);
}

static void ffp_8_2_no_unsolicited_data_with_initial_r2t_and_without_immediate_data(void **state)
{
    (void)state;
    struct sent s;
    struct rig *r = begin(&solicited_keys, 1000, &s);
    assert_int_equal(s.len, 0);
    assert_int_equal(s.out_cnt, 0);
    assert_true(s.cmd.final);
    (void)answer(r, &solicited_keys, 0, 1000, &s);
    assert_int_equal(s.outs[0].offset, 0);
    write_finish(r, &cmds[0]);
    rig_free(r);
}

static void ffp_8_3_unsolicited_data_out_alone_respects_first_burst(void **state)
{
    (void)state;
    static const uint32_t lens[] = {1999, 2000, 2001, 4000};
    for (unsigned i = 0; i < 4; i++) {
        struct sent s;
        struct rig *r = begin(&unsolicited_keys, lens[i], &s);
        uint32_t rest = lens[i] < 2000 ? 0 : lens[i] - 2000;
        assert_int_equal(s.cmd.data_len, 0);
        assert_int_equal(s.len, lens[i] - rest);
        assert_true(s.outs[s.out_cnt - 1].final);
        if (rest > 0)
            (void)answer(r, &unsolicited_keys, 2000, rest, &s);
        write_finish(r, &cmds[0]);
        rig_free(r);
    }
}

static void ffp_9_1_data_out_echoes_the_target_transfer_tag(void **state)
{
    (void)state;
    struct sent s;
    struct rig *r = begin(&unsolicited_keys, 4000, &s);
    for (unsigned i = 0; i < s.out_cnt; i++) {
        assert_int_equal(s.outs[i].ttt, ISKRA_RESERVED_TAG);
        assert_int_equal(s.outs[i].lun, 0);
        assert_int_equal(s.outs[i].itt, cmds[0].gen.itt);
    }
    struct gen_r2t r2ts[2]; /* both are outstanding before either is answered */
    write_feed_r2t(r, &cmds[0], 2000, 1000, &r2ts[0]);
    write_feed_r2t(r, &cmds[0], 3000, 1000, &r2ts[1]);
    look(r, &s, false);
    assert_int_not_equal(r2ts[0].ttt, r2ts[1].ttt);
    assert_int_equal(s.out_cnt, 4);
    for (unsigned i = 0; i < s.out_cnt; i++) {
        assert_int_equal(s.outs[i].ttt, r2ts[i / 2].ttt);
        assert_int_equal(s.outs[i].lun, GEN_CMD_LUN);
        assert_int_equal(s.outs[i].itt, cmds[0].gen.itt);
    }
    write_finish(r, &cmds[0]);
    rig_free(r);
}

static void ffp_11_1_1_no_data_out_exceeds_the_targets_max_recv(void **state)
{
    (void)state;
    struct sent s;
    struct gen_keys keys = unsolicited_keys;
    keys.immediate_data = true;
    struct rig *r = begin(&keys, 3801, &s);
    assert_int_equal(s.cmd.data_len, 600);
    assert_int_equal(s.out_cnt, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(s.outs[i].data_len, i < 2 ? 600 : 200);
    (void)answer(r, &keys, 2000, 1801, &s);
    assert_int_equal(s.out_cnt, 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(s.outs[i].data_len, i < 3 ? 600 : 1);
    write_finish(r, &cmds[0]);
    rig_free(r);
}

static void check_only_last_is_final(const struct sent *s)
{
    assert_true(s->out_cnt > 1);
    for (unsigned i = 0; i < s->out_cnt; i++)
        assert_int_equal(s->outs[i].final, i + 1 == s->out_cnt);
}

static void ffp_11_2_1_f_is_on_the_last_pdu_of_an_unsolicited_sequence(void **state)
{
    (void)state;
    struct sent s;
    struct rig *r = begin(&unsolicited_keys, 4000, &s);
    check_only_last_is_final(&s);
    rig_free(r);
}

static void ffp_11_2_2_f_is_on_the_last_pdu_of_a_solicited_sequence(void **state)
{
    (void)state;
    struct sent s;
    struct rig *r = begin(&solicited_keys, 4000, &s);
    for (uint32_t at = 0; at < 4000; at += 2000) {
        (void)answer(r, &solicited_keys, at, 2000, &s);
        check_only_last_is_final(&s);
    }
    write_finish(r, &cmds[0]);
    rig_free(r);
}

static void ffp_11_3_data_sn_restarts_for_each_r2t(void **state)
{
    (void)state;
    struct sent s;
    struct rig *r = begin(&solicited_keys, 4000, &s);
    for (uint32_t at = 0; at < 4000; at += 1000)
        write_feed_r2t(r, &cmds[0], at, 1000, NULL);
    look(r, &s, false);
    assert_int_equal(s.out_cnt, 8);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(s.outs[i].data_sn, i % 2);
    write_finish(r, &cmds[0]);
    rig_free(r);
}

static void ffp_11_4_buffer_offset_grows_without_gaps(void **state)
{
    (void)state;
    struct gen_keys keys = unsolicited_keys;
    keys.immediate_data = true;
    struct sent s;
    struct rig *r = begin(&keys, 4000, &s);
    uint32_t at = s.cmd.data_len;
    for (;;) {
        for (unsigned i = 0; i < s.out_cnt; i++) {
            assert_int_equal(s.outs[i].offset, at);
            at += s.outs[i].data_len;
        }
        if (at == 4000)
            break;
        (void)answer(r, &keys, at, 1000, &s);
    }
    write_finish(r, &cmds[0]);
    rig_free(r);
}

static void ffp_12_1_r2t_answered_by_one_pdu(void **state)
{
    (void)state;
    struct sent s;
    struct rig *r = begin(&solicited_keys, 600, &s);
    struct gen_r2t r2t = answer(r, &solicited_keys, 0, 600, &s);
    assert_int_equal(s.out_cnt, 1);
    assert_int_equal(s.outs[0].ttt, r2t.ttt);
    assert_int_equal(s.outs[0].offset, 0);
    assert_int_equal(s.outs[0].data_len, 600);
    assert_true(s.outs[0].final);
    write_finish(r, &cmds[0]);
    rig_free(r);
}

static void ffp_12_2_r2t_answered_by_several_pdus(void **state)
{
    (void)state;
    struct sent s;
    struct rig *r = begin(&solicited_keys, 1500, &s);
    struct gen_r2t r2t = answer(r, &solicited_keys, 0, 1500, &s);
    assert_int_equal(s.out_cnt, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(s.outs[i].ttt, r2t.ttt);
        assert_int_equal(s.outs[i].offset, i * 600);
        assert_int_equal(s.outs[i].data_len, i < 2 ? 600 : 300);
        assert_int_equal(s.outs[i].final, i == 2);
    }
    write_finish(r, &cmds[0]);
    rig_free(r);
}

/* The Data-Out of one command, taken out of what was sent, is in the order of its R2Ts. */
static void check_own_order(const struct sent *s, const struct write_cmd *w,
                            const struct gen_r2t *r2ts)
{
    unsigned cnt = 0;
    for (unsigned i = 0; i < s->out_cnt; i++) {
        if (s->outs[i].itt != w->gen.itt)
            continue;
        const struct gen_r2t *r2t = &r2ts[cnt / 2];
        assert_int_equal(s->outs[i].ttt, r2t->ttt);
        assert_int_equal(s->outs[i].data_sn, cnt % 2);
        assert_int_equal(s->outs[i].offset, r2t->offset + cnt % 2 * 600);
        assert_int_equal(s->outs[i].final, cnt % 2 == 1);
        cnt++;
    }
    assert_int_equal(cnt, 8);
}

/* DataSequenceInOrder=No: R2Ts come in any order of offsets, and are answered in the order in which
 * they came (RFC 7143 11.8.2: R2TSN counts all the same). */
static void ffp_12_3_r2ts_out_of_order_are_answered_as_they_come(void **state)
{
    static const uint32_t orders[][4] = {{3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}, {0, 1, 2, 3}};
    (void)state;
    for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
        struct rig *r = write_rig(&solicited_keys, 4);
        struct gen_r2t r2ts[4];
        struct sent s;
        assert_int_equal(rig_set_param(r, ISKRA_PARAM_DATASEQ_INORDER_EN, 0), 0);
        write_submit(r, &cmds[0], 4000, 1);
        rig_run(r);
        (void)rig_sent(r);
        for (uint32_t k = 0; k < 4; k++)
            write_feed_r2t(r, &cmds[0], orders[i][k] * 1000, 1000, &r2ts[k]);
        look(r, &s, false);
        check_own_order(&s, &cmds[0], r2ts);
        write_finish(r, &cmds[0]);
        rig_free(r);
    }
}

static void ffp_12_4_r2ts_of_several_commands_are_each_answered_in_their_own_order(void **state)
{
    (void)state;
    struct rig *r = write_rig(&solicited_keys, 4);
    struct gen_r2t r2ts[3][4];
    struct sent s;
    for (int i = 0; i < 3; i++) {
        write_submit(r, &cmds[i], 4000, 1);
    }
    rig_run(r);
    for (int i = 0; i < 3; i++)
        (void)rig_sent(r);
    for (uint32_t k = 0; k < 4; k++)
        for (uint32_t i = 0; i < 3; i++)
            write_feed_r2t(r, &cmds[(i + k) % 3], k * 1000, 1000, &r2ts[(i + k) % 3][k]);
    look(r, &s, false);
    assert_int_equal(s.out_cnt, 24);
    for (int i = 0; i < 3; i++) {
        check_own_order(&s, &cmds[i], r2ts[i]);
        write_finish(r, &cmds[i]);
    }
    rig_free(r);
}

static uint64_t be(const uint8_t *at, unsigned len)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < len; i++)
        value = value << 8 | at[i];
    return value;
}

/* RFC 7143 11.3, byte by byte. */
static void check_fields(bool immediate_data, uint8_t flags, uint32_t data_len)
{
    struct gen_keys keys = solicited_keys;
    keys.immediate_data = immediate_data;
    struct sent s;
    struct rig *r = begin(&keys, 500, &s);
    assert_int_equal(s.hdr[0], 0x01); /* I clear */
    assert_int_equal(s.hdr[1], flags);
    assert_int_equal(be(s.hdr + 2, 2), 0); /* reserved */
    assert_int_equal(s.hdr[4], 0);         /* TotalAHSLength */
    assert_int_equal(be(s.hdr + 5, 3), data_len);
    assert_int_equal(be(s.hdr + 8, 8), GEN_CMD_LUN);
    assert_int_equal(be(s.hdr + 16, 4), cmds[0].gen.itt);
    assert_int_equal(be(s.hdr + 20, 4), 500);
    assert_int_equal(be(s.hdr + 24, 4), RIG_CMD_SN);
    assert_int_equal(be(s.hdr + 28, 4), RIG_STAT_SN);
    assert_memory_equal(s.hdr + 32, cmds[0].cmd.cdb, 16);
    if (data_len < 500)
        (void)answer(r, &keys, 0, 500, &s);
    write_finish(r, &cmds[0]);
    rig_free(r);
}

static void ffp_16_1_1_command_fields_with_immediate_data(void **state)
{
    (void)state;
    check_fields(true, 0x80 | 0x20 | 0x01, 500); /* F, W, SIMPLE */
}

static void ffp_16_1_2_command_fields_without_immediate_data(void **state)
{
    (void)state;
    check_fields(false, 0x80 | 0x20 | 0x01, 0);
}

/* DataSegmentLength, F and the length of the first burst, for less than FirstBurstLength, for more,
 * and where FirstBurstLength is less than what the target takes in one PDU. */
struct burst {
    uint32_t data_len;
    bool final;
    uint32_t all_len;
};

static void check_bursts(bool immediate_data, bool initial_r2t, const struct burst want[3])
{
    static const struct {
        uint32_t first_burst, len;
    } cases[] = {{2000, 1300}, {2000, 4000}, {512, 4000}};
    for (unsigned i = 0; i < 3; i++) {
        struct gen_keys keys = solicited_keys;
        keys.immediate_data = immediate_data;
        keys.initial_r2t = initial_r2t;
        keys.first_burst = cases[i].first_burst;
        struct sent s;
        struct rig *r = begin(&keys, cases[i].len, &s);
        assert_int_equal(s.cmd.edtl, cases[i].len);
        assert_int_equal(s.cmd.data_len, want[i].data_len);
        assert_int_equal(s.cmd.final, want[i].final);
        assert_int_equal(s.len, want[i].all_len);
        if (s.len < cases[i].len)
            (void)answer(r, &keys, s.len, cases[i].len - s.len, &s);
        write_finish(r, &cmds[0]);
        rig_free(r);
    }
}

static void ffp_16_2_1_immediate_data_and_initial_r2t(void **state)
{
    (void)state;
    static const struct burst want[] = {{600, true, 600}, {600, true, 600}, {512, true, 512}};
    check_bursts(true, true, want);
}

static void ffp_16_2_2_immediate_data_without_initial_r2t(void **state)
{
    (void)state;
    static const struct burst want[] = {{600, false, 1300}, {600, false, 2000}, {512, true, 512}};
    check_bursts(true, false, want);
}

static void ffp_16_2_3_initial_r2t_without_immediate_data(void **state)
{
    (void)state;
    static const struct burst want[] = {{0, true, 0}, {0, true, 0}, {0, true, 0}};
    check_bursts(false, true, want);
}

static void ffp_16_2_4_neither(void **state)
{
    (void)state;
    static const struct burst want[] = {{0, false, 1300}, {0, false, 2000}, {0, false, 512}};
    check_bursts(false, false, want);
}

static void ffp_16_3_1_f_in_the_command_exactly_when_no_unsolicited_data_out_follows(void **state)
{
    (void)state;
    static const uint32_t lens[] = {1, 599, 600, 601, 1999, 2000, 2001, 4000};
    for (unsigned i = 0; i < 32; i++) {
        struct gen_keys keys = solicited_keys;
        keys.immediate_data = i & 1;
        keys.initial_r2t = i & 2;
        struct sent s;
        struct rig *r = begin(&keys, lens[i / 4], &s);
        assert_int_equal(s.cmd.final, s.out_cnt == 0);
        rig_free(r);
    }
}

static void ffp_16_6_expected_data_transfer_length_equals_what_is_moved(void **state)
{
    (void)state;
    struct gen_keys keys = unsolicited_keys;
    keys.immediate_data = true;
    struct sent s;
    struct rig *r = begin(&keys, 7001, &s);
    uint32_t moved = s.len, edtl = (uint32_t)be(s.hdr + 20, 4);
    (void)answer(r, &keys, 2000, 4096, &s);
    moved += s.len;
    (void)answer(r, &keys, 6096, 905, &s);
    moved += s.len;
    assert_int_equal(moved, edtl);
    assert_int_equal(moved, 7001);
    write_finish(r, &cmds[0]);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ffp_6_1_data_sn_starts_at_0_and_counts_up_in_each_sequence),
        cmocka_unit_test(ffp_8_1_unsolicited_data_stops_at_first_burst_and_r2ts_bring_the_rest),
        cmocka_unit_test(ffp_8_2_no_unsolicited_data_with_initial_r2t_and_without_immediate_data),
        cmocka_unit_test(ffp_8_3_unsolicited_data_out_alone_respects_first_burst),
        cmocka_unit_test(ffp_9_1_data_out_echoes_the_target_transfer_tag),
        cmocka_unit_test(ffp_11_1_1_no_data_out_exceeds_the_targets_max_recv),
        cmocka_unit_test(ffp_11_2_1_f_is_on_the_last_pdu_of_an_unsolicited_sequence),
        cmocka_unit_test(ffp_11_2_2_f_is_on_the_last_pdu_of_a_solicited_sequence),
        cmocka_unit_test(ffp_11_3_data_sn_restarts_for_each_r2t),
        cmocka_unit_test(ffp_11_4_buffer_offset_grows_without_gaps),
        cmocka_unit_test(ffp_12_1_r2t_answered_by_one_pdu),
        cmocka_unit_test(ffp_12_2_r2t_answered_by_several_pdus),
        cmocka_unit_test(ffp_12_3_r2ts_out_of_order_are_answered_as_they_come),
        cmocka_unit_test(ffp_12_4_r2ts_of_several_commands_are_each_answered_in_their_own_order),
        cmocka_unit_test(ffp_16_1_1_command_fields_with_immediate_data),
        cmocka_unit_test(ffp_16_1_2_command_fields_without_immediate_data),
        cmocka_unit_test(ffp_16_2_1_immediate_data_and_initial_r2t),
        cmocka_unit_test(ffp_16_2_2_immediate_data_without_initial_r2t),
        cmocka_unit_test(ffp_16_2_3_initial_r2t_without_immediate_data),
        cmocka_unit_test(ffp_16_2_4_neither),
        cmocka_unit_test(ffp_16_3_1_f_in_the_command_exactly_when_no_unsolicited_data_out_follows),
        cmocka_unit_test(ffp_16_6_expected_data_transfer_length_equals_what_is_moved),
    };
    return cmocka_run_group_tests_name("write-ffp", tests, NULL, NULL);
}
