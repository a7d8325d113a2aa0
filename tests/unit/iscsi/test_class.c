/* Requests of the control plane: where they land, what they answer. */
#include <errno.h>

#include "rig.h"

static int request(struct rig *r, enum iskra_uevent_type type, uint32_t sid, uint32_t cid,
                   struct iskra_uevent *ev, struct iskra_error *err)
{
    static const uint8_t hdr[ISKRA_BHS_LEN] = {ISKRA_OP_NOP_OUT | ISKRA_OP_IMMEDIATE};
    *ev = (struct iskra_uevent){.type = type, .sid = sid, .cid = cid};
    return iskra_class_if_ops.request(&r->cls, ev, hdr, NULL, 0, err);
}

static void expect_if_error(struct rig *r, enum iskra_uevent_type type, uint32_t sid, uint32_t cid,
                            int want)
{
    struct iskra_uevent ev;
    struct iskra_error err = {0};
    assert_int_equal(request(r, type, sid, cid, &ev, &err), want);
    assert_int_equal(ev.type, ISKRA_KEVENT_IF_ERROR);
    assert_int_equal(ev.iferror, want);
    assert_int_equal(err.sys_errno, -want);
    assert_true(err.text[0] != '\0');
}

static void unknown_session_is_invalid(void **state)
{
    struct rig *r = rig_new(16);
    for (int type = ISKRA_UEVENT_DESTROY_SESSION; type <= ISKRA_UEVENT_GET_STATS; type++) {
        expect_if_error(r, (enum iskra_uevent_type)type, RIG_SID + 1, RIG_CID, -EINVAL);
        expect_if_error(r, (enum iskra_uevent_type)type, 0, RIG_CID, -EINVAL);
    }
    rig_free(r);
}

static void unknown_connection_is_invalid(void **state)
{
    struct rig *r = rig_new(16);
    for (int type = ISKRA_UEVENT_DESTROY_CONN; type <= ISKRA_UEVENT_GET_STATS; type++)
        expect_if_error(r, (enum iskra_uevent_type)type, RIG_SID, RIG_CID + 1, -EINVAL);
    rig_free(r);
}

static void unknown_request_is_not_there(void **state)
{
    struct rig *r = rig_new(16);
    static const int types[] = {0, 1, 10, 21, 28, 101, 103, 255, INT32_MAX, -1};
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        expect_if_error(r, (enum iskra_uevent_type)types[i], RIG_SID, RIG_CID, -ENOSYS);
    rig_free(r);
}

static void second_session_or_connection_is_refused(void **state)
{
    struct rig *r = rig_new(16);
    expect_if_error(r, ISKRA_UEVENT_CREATE_SESSION, 0, 0, -EEXIST);
    expect_if_error(r, ISKRA_UEVENT_CREATE_CONN, RIG_SID, 99, -EEXIST);
    rig_free(r);
}

static void too_few_commands_are_an_if_error(void **state)
{
    struct rig *r = rig_new(16);
    struct iskra_uevent ev;
    assert_int_equal(request(r, ISKRA_UEVENT_DESTROY_SESSION, RIG_SID, 0, &ev, NULL), 0);
    ev = (struct iskra_uevent){.type = ISKRA_UEVENT_CREATE_SESSION,
                               .u.create_session = {.cmds_max = 15}};
    assert_int_equal(rig_request(r, &ev, NULL, NULL, 0), -EINVAL);
    assert_int_equal(ev.iferror, -EINVAL);
    ev = (struct iskra_uevent){.type = ISKRA_UEVENT_CREATE_SESSION};
    assert_int_equal(rig_request(r, &ev, NULL, NULL, 0), 0);
    assert_int_equal(rig_session(r)->cmds_max, ISKRA_CMDS_MAX_DEFAULT);
    rig_free(r);
}

static void bind_hands_over_descriptor_and_lead(void **state)
{
    struct rig *r = rig_new(16);
    assert_int_equal(rig_bind(r), 0);
    assert_int_equal(r->fd, 42);
    assert_true(r->is_leading);
    assert_ptr_equal(rig_session(r)->leadconn, rig_conn(r));
    assert_true(rig_conn(r)->tcp.in.exact);
    assert_int_equal(rig_conn(r)->tcp.in.max_recv_data_len, 8192);
    rig_free(r);
}

static void refusal_of_bind_is_in_retcode(void **state)
{
    struct rig *r = rig_new(16);
    r->bind_rc = -EEXIST;
    struct iskra_uevent ev;
    assert_int_equal(request(r, ISKRA_UEVENT_BIND_CONN, RIG_SID, RIG_CID, &ev, NULL), -EEXIST);
    assert_int_equal(ev.type, ISKRA_UEVENT_BIND_CONN);
    assert_int_equal(ev.iferror, 0);
    assert_int_equal(ev.r.retcode, -EEXIST);
    assert_int_equal(rig_conn(r)->stage, ISKRA_CONN_STAGE_INITIAL);
    r->bind_rc = 0;
    assert_int_equal(rig_bind(r), 0);
    assert_int_equal(rig_bind(r), -EBUSY);
    assert_int_equal(r->bind_cnt, 2);
    rig_free(r);
}

static void parameters_have_ranges(void **state)
{
    static const struct {
        enum iskra_param param;
        int64_t value;
        int rc;
    } rows[] = {
        {ISKRA_PARAM_MAX_RECV_DLENGTH, 511, -EINVAL},
        {ISKRA_PARAM_MAX_RECV_DLENGTH, 512, 0},
        {ISKRA_PARAM_MAX_RECV_DLENGTH, 16777215, 0},
        {ISKRA_PARAM_MAX_RECV_DLENGTH, 16777216, -EINVAL},
        {ISKRA_PARAM_HDRDGST_EN, 2, -EINVAL},
        {ISKRA_PARAM_MAX_R2T, 0, -EINVAL},
        {ISKRA_PARAM_MAX_R2T, 3, 0},
        {ISKRA_PARAM_MAX_R2T, 65536, -EINVAL},
        {ISKRA_PARAM_ERL, 3, -EINVAL},
        {ISKRA_PARAM_EXP_STATSN, 4294967295, 0},
        {ISKRA_PARAM_EXP_STATSN, -1, -EINVAL},
        {ISKRA_PARAM_SESS_RECOVERY_TMO, -1, 0},
        {ISKRA_PARAM_ABORT_TMO, -1, -EINVAL},
        {ISKRA_PARAM_TPGT, 65536, -EINVAL},
        {ISKRA_PARAM_CNT, 0, -ENOSYS},
        {(enum iskra_param)1000, 0, -ENOSYS},
    };
    struct rig *r = rig_new(16);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(rig_set_param(r, rows[i].param, rows[i].value), rows[i].rc);
    rig_free(r);
}

static void every_parameter_has_a_place(void **state)
{
    struct rig *r = rig_new(16);
    for (int i = 0; i < ISKRA_PARAM_CNT; i++) {
        struct iskra_session_params before, *p = &rig_session(r)->params;
        memset(p, 0xff, sizeof(*p)); /* no bool is read in this state */
        memcpy(&before, p, sizeof(before));
        bool boolean = rig_set_param(r, (enum iskra_param)i, 1) == 0;
        assert_true(boolean || rig_set_param(r, (enum iskra_param)i, 512) == 0);
        assert_memory_not_equal(&before, p, sizeof(before));
    }
    memset(&rig_session(r)->params, 0, sizeof(rig_session(r)->params));
    rig_free(r);
}

static void r2t_count_is_clamped(void **state)
{
    struct rig *r = rig_new(16);
    assert_int_equal(rig_set_param(r, ISKRA_PARAM_MAX_R2T, 65535), 0);
    assert_int_equal(rig_session(r)->params.max_outstanding_r2t, 64);
    rig_free(r);
}

static void start_puts_parameters_into_force(void **state)
{
    struct rig *r = rig_new(16);
    struct iskra_conn *conn = rig_conn(r);
    assert_int_equal(rig_bind(r), 0);
    assert_int_equal(rig_set_param(r, ISKRA_PARAM_HDRDGST_EN, 1), 0);
    assert_int_equal(rig_set_param(r, ISKRA_PARAM_DATADGST_EN, 1), 0);
    assert_int_equal(rig_set_param(r, ISKRA_PARAM_MAX_RECV_DLENGTH, 262144), 0);
    assert_int_equal(rig_set_param(r, ISKRA_PARAM_EXP_STATSN, 9), 0);
    assert_false(conn->tcp.in.hdr_digest || conn->tcp.out.data_digest);
    assert_int_equal(rig_start(r), 0);
    assert_true(conn->tcp.in.hdr_digest && conn->tcp.in.data_digest);
    assert_true(conn->tcp.out.hdr_digest && conn->tcp.out.data_digest);
    assert_int_equal(conn->tcp.in.max_recv_data_len, 262144);
    assert_int_equal(conn->exp_stat_sn, 9);
    assert_false(conn->tcp.in.exact);
    assert_int_equal(rig_session(r)->state, ISKRA_SESSION_LOGGED_IN);
    assert_int_equal(r->cls.state, ISKRA_CLASS_LOGGED_IN);
    assert_int_equal(r->unblock_cnt, 1);
    rig_free(r);
}

static void bursts_that_contradict_each_other_do_not_start(void **state)
{
    static const struct {
        int immediate, initial_r2t, rc;
    } rows[] = {{1, 1, -EINVAL}, {1, 0, -EINVAL}, {0, 0, -EINVAL}, {0, 1, 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig *r = rig_new(16);
        assert_int_equal(rig_bind(r), 0);
        assert_int_equal(rig_set_param(r, ISKRA_PARAM_FIRST_BURST, 4097), 0);
        assert_int_equal(rig_set_param(r, ISKRA_PARAM_MAX_BURST, 4096), 0);
        assert_int_equal(rig_set_param(r, ISKRA_PARAM_IMM_DATA_EN, rows[i].immediate), 0);
        assert_int_equal(rig_set_param(r, ISKRA_PARAM_INITIAL_R2T_EN, rows[i].initial_r2t), 0);
        assert_int_equal(rig_start(r), rows[i].rc);
        assert_int_equal(rig_session(r)->state,
                         rows[i].rc == 0 ? ISKRA_SESSION_LOGGED_IN : ISKRA_SESSION_FREE);
        rig_free(r);
    }
}

static void start_needs_a_bound_connection(void **state)
{
    struct rig *r = rig_new(16);
    assert_int_equal(rig_start(r), -EINVAL);
    assert_int_equal(rig_bind(r), 0);
    assert_int_equal(rig_start(r), 0);
    assert_int_equal(rig_start(r), -EINVAL);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    assert_int_equal(rig_start(r), -EINVAL);
    rig_free(r);
}

static void stop_knows_two_flags(void **state)
{
    struct rig *r = rig_logged_in(16);
    assert_int_equal(rig_stop(r, (enum iskra_stop_flag)2), -EINVAL);
    assert_int_equal(rig_stop(r, (enum iskra_stop_flag)0), -EINVAL);
    assert_int_equal(rig_session(r)->state, ISKRA_SESSION_LOGGED_IN);
    rig_free(r);
}

static void pdu_hdr(uint8_t *hdr, uint8_t opcode)
{
    memset(hdr, 0, ISKRA_BHS_LEN);
    hdr[0] = opcode | ISKRA_OP_IMMEDIATE;
    hdr[1] = 0x80;
    hdr[4] = 0xff;                   /* no AHS is sent, whatever is written here */
    iskra_put_be32(hdr + 16, 0x777); /* ITT, CmdSN and ExpStatSN as the caller imagines them */
    iskra_put_be32(hdr + 24, 0x888);
    iskra_put_be32(hdr + 28, 0x999);
}

static void login_pdu_keeps_its_exp_stat_sn(void **state)
{
    struct rig *r = rig_new(16);
    uint8_t hdr[ISKRA_BHS_LEN];
    assert_int_equal(rig_bind(r), 0);
    pdu_hdr(hdr, ISKRA_OP_LOGIN);
    assert_int_equal(rig_send_pdu(r, hdr, "A=B", 4), 0);
    rig_run(r);
    assert_int_equal(r->out_len, 52);
    const uint8_t *sent = rig_sent(r);
    assert_int_equal(sent[4], 0);
    assert_int_equal(iskra_bhs_data_len(sent), 4);
    assert_memory_equal(sent + 48, "A=B", 4);
    assert_int_equal(iskra_bhs_itt(sent), rig_conn(r)->login_task->index);
    assert_int_equal(iskra_get_be32(sent + 24), RIG_CMD_SN);
    assert_int_equal(iskra_get_be32(sent + 28), 0x999);
    rig_free(r);
}

static void login_pdu_is_refused_while_one_is_out_or_too_long(void **state)
{
    struct rig *r = rig_new(16);
    static const uint8_t text[8193];
    uint8_t hdr[ISKRA_BHS_LEN];
    assert_int_equal(rig_bind(r), 0);
    pdu_hdr(hdr, ISKRA_OP_LOGIN);
    assert_int_equal(rig_send_pdu(r, hdr, text, 8193), -EPERM);
    assert_int_equal(rig_send_pdu(r, hdr, text, 8192), 0);
    assert_int_equal(rig_send_pdu(r, hdr, NULL, 0), -EPERM);
    pdu_hdr(hdr, ISKRA_OP_TEXT);
    assert_int_equal(rig_send_pdu(r, hdr, NULL, 0), -EPERM);
    rig_free(r);
}

static void other_pdus_need_a_session_that_is_logged_in_and_no_data(void **state)
{
    static const uint8_t opcodes[] = {ISKRA_OP_NOP_OUT, ISKRA_OP_LOGOUT, ISKRA_OP_TMF};
    for (size_t i = 0; i < sizeof(opcodes); i++) {
        uint8_t hdr[ISKRA_BHS_LEN];
        pdu_hdr(hdr, opcodes[i]);
        struct rig *r = rig_new(16);
        assert_int_equal(rig_bind(r), 0);
        assert_int_equal(rig_send_pdu(r, hdr, NULL, 0), -EPERM);
        assert_int_equal(rig_set_param(r, ISKRA_PARAM_EXP_STATSN, RIG_STAT_SN), 0);
        assert_int_equal(rig_start(r), 0);
        assert_int_equal(rig_send_pdu(r, hdr, "x", 1), -EPERM);
        assert_int_equal(rig_send_pdu(r, hdr, NULL, 0), 0);
        rig_run(r);
        const uint8_t *sent = rig_sent(r);
        assert_int_not_equal(iskra_bhs_itt(sent), 0x777);
        assert_int_equal(iskra_get_be32(sent + 24), RIG_CMD_SN);
        assert_int_equal(iskra_get_be32(sent + 28), RIG_STAT_SN);
        rig_free(r);
    }
}

static void pdus_of_the_data_path_are_not_for_send_pdu(void **state)
{
    static const uint8_t opcodes[] = {ISKRA_OP_SCSI_CMD, ISKRA_OP_DATA_OUT, ISKRA_OP_SNACK, 0x1f,
                                      ISKRA_OP_NOP_IN,   ISKRA_OP_REJECT};
    struct rig *r = rig_logged_in(16);
    for (size_t i = 0; i < sizeof(opcodes); i++) {
        uint8_t hdr[ISKRA_BHS_LEN];
        pdu_hdr(hdr, opcodes[i]);
        assert_int_equal(rig_send_pdu(r, hdr, NULL, 0), -EPERM);
    }
    rig_run(r);
    assert_false(rig_sent_any(r));
    rig_free(r);
}

static void pdu_is_refused_without_a_task_a_window_or_a_socket(void **state)
{
    struct rig *r = rig_logged_in(16);
    uint8_t hdr[ISKRA_BHS_LEN];
    pdu_hdr(hdr, ISKRA_OP_NOP_OUT);
    for (int i = 0; i < 15; i++)
        assert_int_equal(rig_send_pdu(r, hdr, NULL, 0), 0);
    assert_int_equal(rig_send_pdu(r, hdr, NULL, 0), -EPERM);
    rig_free(r);

    r = rig_logged_in(16);
    rig_session(r)->window.max_cmd_sn = RIG_CMD_SN - 1;
    assert_int_equal(rig_send_pdu(r, hdr, NULL, 0), 0); /* immediate: needs no number */
    hdr[0] &= (uint8_t)~ISKRA_OP_IMMEDIATE;
    assert_int_equal(rig_send_pdu(r, hdr, NULL, 0), -EPERM);
    hdr[0] |= ISKRA_OP_IMMEDIATE;
    assert_int_equal(rig_stop(r, ISKRA_STOP_TERM), 0);
    assert_int_equal(rig_send_pdu(r, hdr, NULL, 0), -EPERM);
    rig_free(r);
}

static void statistics_count_octets_and_pdus(void **state)
{
    struct rig *r = rig_logged_in(16);
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_READ, 100);
    uint32_t itt = rig_queue_and_send(r, &cmd);
    struct iskra_pdu_data_in pdu = rig_data_in(r, itt, 0, 0);
    rig_feed_data_in(r, &pdu, cmd.cdb, 100);
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, 0);
    rsp.stat_sn++;
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    struct iskra_uevent ev;
    assert_int_equal(request(r, ISKRA_UEVENT_GET_STATS, RIG_SID, RIG_CID, &ev, NULL), 0);
    assert_int_equal(ev.r.stats.tx_octets, 48);
    assert_int_equal(ev.r.stats.rx_octets, 48 + 100 + 48);
    assert_int_equal(ev.r.stats.tx_pdus, 1);
    assert_int_equal(ev.r.stats.rx_pdus, 2);
    assert_int_equal(ev.r.stats.statsn_gaps, 1);
    rig_free(r);
}

static void destroying_the_connection_ends_its_commands(void **state)
{
    struct rig *r = rig_logged_in(32);
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
    (void)rig_queue_and_send(r, &cmd);
    struct iskra_uevent ev;
    assert_int_equal(request(r, ISKRA_UEVENT_DESTROY_CONN, RIG_SID, RIG_CID, &ev, NULL), 0);
    assert_int_equal(cmd.done_cnt, 1);
    assert_int_equal(rig_session(r)->state, ISKRA_SESSION_TERMINATE);
    assert_int_equal(r->offline_cnt, 1);
    assert_int_equal(r->unbind_cnt, 1);
    assert_null(rig_session(r)->leadconn);
    static struct rig_cmd late;
    rig_cmd_init(r, &late, ISKRA_DIR_NONE, 0);
    assert_int_equal(rig_queue(&late), ISKRA_QUEUED);
    rig_run(r);
    assert_int_equal(late.cmnd.result, ISKRA_RESULT(ISKRA_DID_NO_CONNECT, 0));
    assert_int_equal(request(r, ISKRA_UEVENT_DESTROY_SESSION, RIG_SID, 0, &ev, NULL), 0);
    assert_null(r->cls.session);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_session_is_invalid),
        cmocka_unit_test(unknown_connection_is_invalid),
        cmocka_unit_test(unknown_request_is_not_there),
        cmocka_unit_test(second_session_or_connection_is_refused),
        cmocka_unit_test(too_few_commands_are_an_if_error),
        cmocka_unit_test(bind_hands_over_descriptor_and_lead),
        cmocka_unit_test(refusal_of_bind_is_in_retcode),
        cmocka_unit_test(parameters_have_ranges),
        cmocka_unit_test(every_parameter_has_a_place),
        cmocka_unit_test(r2t_count_is_clamped),
        cmocka_unit_test(start_puts_parameters_into_force),
        cmocka_unit_test(bursts_that_contradict_each_other_do_not_start),
        cmocka_unit_test(start_needs_a_bound_connection),
        cmocka_unit_test(stop_knows_two_flags),
        cmocka_unit_test(login_pdu_keeps_its_exp_stat_sn),
        cmocka_unit_test(login_pdu_is_refused_while_one_is_out_or_too_long),
        cmocka_unit_test(other_pdus_need_a_session_that_is_logged_in_and_no_data),
        cmocka_unit_test(pdus_of_the_data_path_are_not_for_send_pdu),
        cmocka_unit_test(pdu_is_refused_without_a_task_a_window_or_a_socket),
        cmocka_unit_test(statistics_count_octets_and_pdus),
        cmocka_unit_test(destroying_the_connection_ends_its_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
