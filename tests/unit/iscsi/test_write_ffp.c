/* What an initiator must be seen to do when it writes: the items of the full feature phase list, by
 * their numbers. */
#include "write_rig.h"

static struct write_cmd cmds[3];

/* Every PDU sent since the last look: the command, then Data-Out. */
struct sent {
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
        iskra_scsi_cmd_decode(hdr, &s->cmd);
        s->len = s->cmd.data_len;
    }
    for (; rig_sent_any(r); s->out_cnt++) {
        s->outs[s->out_cnt] = write_sent_data_out(r);
        s->len += s->outs[s->out_cnt].data_len;
    }
}

static struct rig *begin(const struct gen_keys *keys, uint32_t len, struct sent *s)
{
    struct rig *r = write_rig(keys, 4);
    write_init(r, &cmds[0], len, 1);
    write_queue(r, &cmds[0]);
    look(r, s, true);
    return r;
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
    write_feed_r2t(r, &cmds[0], 2000, 4000, NULL);
    look(r, &s, false);
    assert_int_equal(s.out_cnt, 7);
    for (unsigned i = 0; i < s.out_cnt; i++)
        assert_int_equal(s.outs[i].data_sn, i);
    rig_free(r);
}

static void ffp_8_1_unsolicited_data_stops_at_first_burst_and_r2ts_bring_the_rest(void **state)
{
    (void)state;
    struct gen_keys keys = unsolicited_keys;
    keys.immediate_data = true;
    struct sent s;
    struct rig *r = begin(&keys, 4000, &s);
    assert_int_equal(s.cmd.data_len, 600);
    assert_int_equal(s.len, 2000);
    write_feed_r2t(r, &cmds[0], 2000, 2000, NULL);
    look(r, &s, false);
    assert_int_equal(s.outs[0].offset, 2000);
    assert_int_equal(s.len, 2000);
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
    rig_free(r);
}

static void ffp_8_3_unsolicited_data_out_alone_respects_first_burst(void **state)
{
    (void)state;
    struct sent s;
    struct rig *r = begin(&unsolicited_keys, 4000, &s);
    assert_int_equal(s.cmd.data_len, 0);
    assert_int_equal(s.len, 2000);
    rig_free(r);
}

static void ffp_9_1_data_out_echoes_the_target_transfer_tag(void **state)
{
    (void)state;
    struct sent s;
    struct rig *r = begin(&unsolicited_keys, 4000, &s);
    for (unsigned i = 0; i < s.out_cnt; i++) {
        assert_int_equal(s.outs[i].ttt, ISKRA_RESERVED_TAG);
        assert_int_equal(s.outs[i].lun, 0);
    }
    struct gen_r2t r2t;
    write_feed_r2t(r, &cmds[0], 2000, 2000, &r2t);
    look(r, &s, false);
    for (unsigned i = 0; i < s.out_cnt; i++) {
        assert_int_equal(s.outs[i].ttt, r2t.ttt);
        assert_int_equal(s.outs[i].lun, GEN_CMD_LUN);
        assert_int_equal(s.outs[i].itt, cmds[0].gen.itt);
    }
    rig_free(r);
}

static void ffp_11_1_1_no_data_out_exceeds_the_targets_max_recv(void **state)
{
    (void)state;
    struct sent s;
    struct rig *r = begin(&unsolicited_keys, 8000, &s);
    assert_int_equal(s.outs[0].data_len, 600);
    assert_int_equal(s.outs[3].data_len, 200);
    write_feed_r2t(r, &cmds[0], 2000, 1801, NULL);
    look(r, &s, false);
    assert_int_equal(s.out_cnt, 4);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(s.outs[i].data_len, 600);
    assert_int_equal(s.outs[3].data_len, 1);
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
    write_feed_r2t(r, &cmds[0], 0, 3000, NULL);
    look(r, &s, false);
    check_only_last_is_final(&s);
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
    for (int turn = 0; turn < 2; turn++) {
        for (unsigned i = 0; i < s.out_cnt; i++) {
            assert_int_equal(s.outs[i].offset, at);
            at += s.outs[i].data_len;
        }
        if (turn == 0) {
            write_feed_r2t(r, &cmds[0], 2000, 2000, NULL);
            look(r, &s, false);
        }
    }
    assert_int_equal(at, 4000);
    rig_free(r);
}

static void ffp_12_1_r2t_answered_by_one_pdu(void **state)
{
    (void)state;
    struct sent s;
    struct rig *r = begin(&solicited_keys, 600, &s);
    struct gen_r2t r2t;
    write_feed_r2t(r, &cmds[0], 0, 600, &r2t);
    look(r, &s, false);
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
    struct gen_r2t r2t;
    write_feed_r2t(r, &cmds[0], 0, 1500, &r2t);
    look(r, &s, false);
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

static void ffp_12_4_r2ts_of_several_commands_are_each_answered_in_their_own_order(void **state)
{
    (void)state;
    struct rig *r = write_rig(&solicited_keys, 4);
    struct gen_r2t r2ts[3][4];
    struct sent s;
    for (int i = 0; i < 3; i++) {
        write_init(r, &cmds[i], 4000, 1);
        write_queue(r, &cmds[i]);
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

static void check_cmd(bool immediate_data, bool initial_r2t, uint32_t len, uint32_t data_len,
                      bool final, uint32_t all_len)
{
    struct gen_keys keys = solicited_keys;
    keys.immediate_data = immediate_data;
    keys.initial_r2t = initial_r2t;
    struct sent s;
    struct rig *r = begin(&keys, len, &s);
    assert_true(s.cmd.write);
    assert_false(s.cmd.read);
    assert_int_equal(s.cmd.edtl, len);
    assert_int_equal(s.cmd.attr, ISKRA_ATTR_SIMPLE);
    assert_int_equal(s.cmd.lun, GEN_CMD_LUN);
    assert_int_equal(s.cmd.data_len, data_len);
    assert_int_equal(s.cmd.final, final);
    assert_int_equal(s.len, all_len);
    rig_free(r);
}

static void ffp_16_1_1_command_fields_with_immediate_data(void **state)
{
    (void)state;
    check_cmd(true, true, 500, 500, true, 500);
}

static void ffp_16_1_2_command_fields_without_immediate_data(void **state)
{
    (void)state;
    check_cmd(false, true, 500, 0, true, 0);
}

static void ffp_16_2_1_immediate_data_and_initial_r2t(void **state)
{
    (void)state;
    check_cmd(true, true, 4000, 600, true, 600);
}

static void ffp_16_2_2_immediate_data_without_initial_r2t(void **state)
{
    (void)state;
    check_cmd(true, false, 4000, 600, false, 2000);
}

static void ffp_16_2_3_initial_r2t_without_immediate_data(void **state)
{
    (void)state;
    check_cmd(false, true, 4000, 0, true, 0);
}

static void ffp_16_2_4_neither(void **state)
{
    (void)state;
    check_cmd(false, false, 4000, 0, false, 2000);
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
    uint32_t moved = s.len, edtl = s.cmd.edtl;
    write_feed_r2t(r, &cmds[0], 2000, 4096, NULL);
    write_feed_r2t(r, &cmds[0], 6096, 905, NULL);
    look(r, &s, false);
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
