/* Setting a session up; its state table; the timeout verdict. */
#include <errno.h>

#include "rig.h"

static void sizes_are_checked_clamped_and_rounded(void **state)
{
    static const struct {
        uint32_t asked;
        int rc;
        uint32_t cmds_max;
    } rows[] = {
        {0, -EINVAL, 0}, {15, -EINVAL, 0}, {16, 0, 16},     {17, 0, 16},           {100, 0, 64},
        {128, 0, 128},   {4096, 0, 4096},  {5000, 0, 4096}, {UINT32_MAX, 0, 4096},
    };
    struct rig *r = rig_new(16);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct iskra_session s;
        assert_int_equal(iskra_session_init(&s, &r->round, 1, rows[i].asked, UINT32_MAX, 0),
                         rows[i].rc);
        if (rows[i].rc != 0)
            continue;
        assert_int_equal(s.cmds_max, rows[i].cmds_max);
        assert_int_equal(s.scsi_cmds_room, rows[i].cmds_max - 15);
        assert_int_equal(s.state, ISKRA_SESSION_FREE);
        iskra_session_done(&s);
    }
    rig_free(r);
}

static void tasks_for_the_queue_depth_are_there_at_once_and_all_free(void **state)
{
    struct rig *r = rig_new(16);
    unsigned before = r->alloc_cnt;
    struct iskra_session s;
    assert_int_equal(iskra_session_init(&s, &r->round, 1, 64, 17, 0xffffffff), 0);
    assert_int_equal(r->alloc_cnt - before, 3); /* of blocks, and two of 16 tasks */
    unsigned cnt = 0;
    ISKRA_LIST_FOREACH(l, &s.pool)
    assert_int_equal(iskra_container_of(l, struct iskra_task, link)->index, cnt++);
    assert_int_equal(cnt, 32);
    assert_int_equal(s.cmd_cnt, 32);
    assert_int_equal(s.window.cmd_sn, 0xffffffff);
    iskra_session_done(&s);
    rig_free(r);
}

/* Every allocation of CREATE_SESSION and CREATE_CONN fails once. */
static void no_memory_is_an_if_error_and_leaks_nothing(void **state)
{
    struct rig *r = rig_new(16);
    for (unsigned nth = 1;; nth++) {
        struct iskra_class cls;
        r->alloc_fail_at = 0;
        assert_int_equal(iskra_class_init(&cls, &r->round, &r->transport), 0);
        unsigned live = r->live_cnt;
        r->alloc_fail_at = r->alloc_cnt + nth;
        struct iskra_uevent ev = {.type = ISKRA_UEVENT_CREATE_SESSION};
        int rc = iskra_class_if_ops.request(&cls, &ev, NULL, NULL, 0, NULL);
        if (rc == 0) {
            live = r->live_cnt;
            ev = (struct iskra_uevent){.type = ISKRA_UEVENT_CREATE_CONN, .sid = 1, .cid = 1};
            rc = iskra_class_if_ops.request(&cls, &ev, NULL, NULL, 0, NULL);
        }
        bool failed = rc != 0;
        if (failed) {
            assert_int_equal(rc, -ENOMEM);
            assert_int_equal(ev.type, ISKRA_KEVENT_IF_ERROR);
            assert_int_equal(ev.iferror, -ENOMEM);
            assert_int_equal(r->live_cnt, live);
        }
        iskra_class_done(&cls);
        if (!failed) {
            assert_true(nth > 4);
            break;
        }
    }
    rig_free(r);
}

static void state_table_is_the_written_one(void **state)
{
    /* Rows: from; columns: to, in the order of the enum. */
    static const char *const table[ISKRA_SESSION_STATE_CNT] = {
        /*                    FREE LOGGED FAILED INREC RECFAIL OUT TERM */
        [ISKRA_SESSION_FREE] = "0111101",
        [ISKRA_SESSION_LOGGED_IN] = "0011011",
        [ISKRA_SESSION_FAILED] = "0001101",
        [ISKRA_SESSION_IN_RECOVERY] = "0100101",
        [ISKRA_SESSION_RECOVERY_FAILED] = "0100001",
        [ISKRA_SESSION_LOGGING_OUT] = "0011101",
        [ISKRA_SESSION_TERMINATE] = "0000000",
    };
    for (int from = 0; from < ISKRA_SESSION_STATE_CNT; from++)
        for (int to = 0; to < ISKRA_SESSION_STATE_CNT; to++)
            assert_int_equal(iskra_session_may_become((enum iskra_session_state)from,
                                                      (enum iskra_session_state)to),
                             table[from][to] - '0');
}

static void change_of_state_is_traced_by_name(void **state)
{
    struct rig *r = rig_logged_in(16);
    char line[128] = "";
    bool found = false;
    for (uint32_t i = 0; i < r->round.trace.head; i++) {
        const struct iskra_trace_record *rec = &r->round.trace.ring[i];
        if (rec->kind != ISKRA_TRACE_STATE || rec->what != ISKRA_MACHINE_SESSION)
            continue;
        found = true;
        assert_int_equal(rec->a, ISKRA_SESSION_FREE);
        assert_int_equal(rec->b, ISKRA_SESSION_LOGGED_IN);
        assert_int_equal(rec->sid, RIG_SID);
        iskra_trace_format(rec, line, sizeof(line));
    }
    assert_true(found);
    assert_non_null(strstr(line, "FREE"));
    assert_non_null(strstr(line, "LOGGED_IN"));
    rig_free(r);
}

static void names_are_known_for_every_state(void **state)
{
    for (int i = 0; i < ISKRA_SESSION_STATE_CNT; i++)
        assert_string_not_equal(iskra_session_state_name((enum iskra_session_state)i), "?");
    assert_string_equal(iskra_session_state_name(ISKRA_SESSION_STATE_CNT), "?");
    assert_string_equal(iskra_class_state_name(ISKRA_CLASS_FAILED), "FAILED");
    assert_string_equal(iskra_conn_stage_name(ISKRA_CONN_STAGE_BOUND), "BOUND");
    assert_string_equal(iskra_host_byte_name(ISKRA_DID_NEXUS_FAILURE), "DID_NEXUS_FAILURE");
    assert_string_equal(iskra_host_byte_name(0x09), "?");
    assert_string_equal(iskra_host_byte_name(0xff), "?");
}

static void verdict_without_a_task_is_handled(void **state)
{
    struct rig *r = rig_logged_in(16);
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
    rig_session(r)->state = ISKRA_SESSION_FAILED; /* the first row wins */
    assert_int_equal(iskra_eh_cmd_timed_out(rig_session(r), &cmd.cmnd), ISKRA_EH_HANDLED);
    rig_free(r);
}

static void verdict_while_not_logged_in_is_more_time(void **state)
{
    struct rig *r = rig_logged_in(16);
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
    (void)rig_queue_and_send(r, &cmd);
    for (int s = 0; s < ISKRA_SESSION_STATE_CNT; s++) {
        rig_session(r)->state = (enum iskra_session_state)s;
        enum iskra_eh_verdict want =
            s == ISKRA_SESSION_LOGGED_IN ? ISKRA_EH_NOT_HANDLED : ISKRA_EH_RESET_TIMER;
        assert_int_equal(iskra_eh_cmd_timed_out(rig_session(r), &cmd.cmnd), want);
    }
    rig_session(r)->state = ISKRA_SESSION_LOGGED_IN;
    rig_free(r);
}

static void verdict_without_a_lead_connection_is_more_time(void **state)
{
    struct rig *r = rig_logged_in(16);
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
    (void)rig_queue_and_send(r, &cmd);
    rig_session(r)->leadconn = NULL;
    assert_int_equal(iskra_eh_cmd_timed_out(rig_session(r), &cmd.cmnd), ISKRA_EH_RESET_TIMER);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_checked_clamped_and_rounded),
        cmocka_unit_test(tasks_for_the_queue_depth_are_there_at_once_and_all_free),
        cmocka_unit_test(no_memory_is_an_if_error_and_leaks_nothing),
        cmocka_unit_test(state_table_is_the_written_one),
        cmocka_unit_test(change_of_state_is_traced_by_name),
        cmocka_unit_test(names_are_known_for_every_state),
        cmocka_unit_test(verdict_without_a_task_is_handled),
        cmocka_unit_test(verdict_while_not_logged_in_is_more_time),
        cmocka_unit_test(verdict_without_a_lead_connection_is_more_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
