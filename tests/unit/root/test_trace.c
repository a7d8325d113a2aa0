/* The trace: records, steps, and their text. */
#include "heap_platform.h"

#include <errno.h>

#include "trace.h"
#include "wire/bhs.h"

struct log {
    struct iskra_trace_record recs[16];
    unsigned cnt;
};

static void log_put(void *arg, const struct iskra_trace_record *rec)
{
    struct log *log = arg;
    assert_true(log->cnt < 16);
    log->recs[log->cnt++] = *rec;
}

static struct heap heap;
static struct iskra_platform pf;
static struct iskra_trace tr;

static int set_up(void **state)
{
    heap = (struct heap){.now_ns = 1000};
    pf = heap_platform(&heap);
    return iskra_trace_init(&tr, &pf, 4);
}

static int tear_down(void **state)
{
    iskra_trace_done(&tr);
    return heap.out_cnt == 0 ? 0 : -1;
}

static const char *text_of(const struct iskra_trace_record *rec)
{
    static char buf[160];
    return iskra_trace_format(rec, buf, sizeof(buf));
}

static void a_data_in_pdu_is_one_line(void **state)
{
    const struct iskra_pdu_data_in pdu = {.final = true,
                                          .status_present = true,
                                          .data_len = 4096,
                                          .itt = 0x10000001,
                                          .ttt = ISKRA_RESERVED_TAG,
                                          .stat_sn = 17};
    uint8_t bhs[ISKRA_BHS_LEN];
    iskra_data_in_encode(&pdu, bhs);
    tr.now_ns = 55;
    iskra_trace_pdu(&tr, ISKRA_TRACE_PDU_IN, 3, bhs);
    assert_int_equal(tr.head, 1);
    assert_int_equal(tr.ring[0].time_ns, 55);
    assert_int_equal(tr.ring[0].sid, 3);
    assert_string_equal(text_of(&tr.ring[0]),
                        "pdu-in Data-In F S itt 0x10000001 len 4096 sn 17 datasn 0");
}

static void data_in_without_status_has_no_statsn(void **state)
{
    const struct iskra_pdu_data_in pdu = {.data_len = 8, .itt = 1, .data_sn = 5};
    uint8_t bhs[ISKRA_BHS_LEN];
    iskra_data_in_encode(&pdu, bhs);
    iskra_trace_pdu(&tr, ISKRA_TRACE_PDU_IN, 0, bhs);
    assert_string_equal(text_of(&tr.ring[0]), "pdu-in Data-In itt 0x00000001 len 8 datasn 5");
}

static void commands_show_direction_and_cmdsn(void **state)
{
    const struct iskra_pdu_scsi_cmd pdu = {.final = true,
                                           .read = true,
                                           .attr = ISKRA_ATTR_SIMPLE,
                                           .itt = 2,
                                           .cmd_sn = 9,
                                           .exp_stat_sn = 4};
    uint8_t bhs[ISKRA_BHS_LEN];
    iskra_scsi_cmd_encode(&pdu, bhs);
    iskra_trace_pdu(&tr, ISKRA_TRACE_PDU_OUT, 0, bhs);
    assert_string_equal(text_of(&tr.ring[0]), "pdu-out SCSI Command F R itt 0x00000002 len 0 sn 9");
}

static void responses_show_their_residual_bits(void **state)
{
    const struct iskra_pdu_scsi_rsp pdu = {
        .underflow = true, .bidi_overflow = true, .itt = 2, .stat_sn = 9};
    uint8_t bhs[ISKRA_BHS_LEN];
    iskra_scsi_rsp_encode(&pdu, bhs);
    iskra_trace_pdu(&tr, ISKRA_TRACE_PDU_IN, 0, bhs);
    assert_string_equal(text_of(&tr.ring[0]),
                        "pdu-in SCSI Response F o U itt 0x00000002 len 0 sn 9");
}

static void logins_show_their_stages(void **state)
{
    const struct iskra_pdu_login pdu = {.transit = true, .csg = 1, .nsg = 3, .data_len = 422};
    uint8_t bhs[ISKRA_BHS_LEN];
    iskra_login_encode(&pdu, bhs);
    iskra_trace_pdu(&tr, ISKRA_TRACE_PDU_OUT, 0, bhs);
    assert_string_equal(text_of(&tr.ring[0]),
                        "pdu-out Login Request T csg 1 nsg 3 itt 0x00000000 len 422 sn 0");
}

static void r2t_and_data_out_show_their_numbers(void **state)
{
    uint8_t bhs[ISKRA_BHS_LEN];
    iskra_r2t_encode(&(struct iskra_pdu_r2t){.itt = 7, .stat_sn = 3, .r2t_sn = 1}, bhs);
    iskra_trace_pdu(&tr, ISKRA_TRACE_PDU_IN, 0, bhs);
    iskra_data_out_encode(
        &(struct iskra_pdu_data_out){.final = true, .itt = 7, .data_len = 512, .data_sn = 6}, bhs);
    iskra_trace_pdu(&tr, ISKRA_TRACE_PDU_OUT, 0, bhs);
    assert_string_equal(text_of(&tr.ring[0]), "pdu-in R2T F itt 0x00000007 len 0 sn 3 r2tsn 1");
    assert_string_equal(text_of(&tr.ring[1]), "pdu-out Data-Out F itt 0x00000007 len 512 datasn 6");
}

static void an_unknown_opcode_still_makes_a_line(void **state)
{
    uint8_t bhs[ISKRA_BHS_LEN] = {0x3e};
    iskra_trace_pdu(&tr, ISKRA_TRACE_PDU_IN, 0, bhs);
    assert_string_equal(text_of(&tr.ring[0]), "pdu-in ? itt 0x00000000 len 0 sn 0");
}

static void states_show_their_names_or_numbers(void **state)
{
    static const char *const names[] = {"FREE", "LOGGED_IN"};
    iskra_trace_state_names(ISKRA_MACHINE_SESSION, names, 2);
    iskra_trace_state(&tr, ISKRA_MACHINE_SESSION, 1, 0, 1);
    iskra_trace_state(&tr, ISKRA_MACHINE_SESSION, 1, 1, 2);
    iskra_trace_state(&tr, ISKRA_MACHINE_DEVICE, 1, 0, 4);
    assert_string_equal(text_of(&tr.ring[0]), "state session FREE -> LOGGED_IN");
    assert_string_equal(text_of(&tr.ring[1]), "state session LOGGED_IN -> 2");
    assert_string_equal(text_of(&tr.ring[2]), "state device 0 -> 4");
}

static void connection_errors_show_their_number(void **state)
{
    iskra_trace_error(&tr, 1, 1011);
    assert_string_equal(text_of(&tr.ring[0]), "error 1011");
}

static void the_ring_keeps_the_newest(void **state)
{
    for (uint32_t i = 0; i < 6; i++)
        iskra_trace_error(&tr, 0, 1001 + i);
    assert_int_equal(tr.head, 6);
    assert_int_equal(tr.ring[2 & tr.mask].what, 1003);
    assert_int_equal(tr.ring[5 & tr.mask].what, 1006);
}

static int inner_step(void)
{
    ISKRA_STEP(&tr, RECV_BUF, 48);
    return 7;
}

static int outer_step(void)
{
    ISKRA_STEP(&tr, RECV, 100);
    return inner_step();
}

static void steps_are_free_while_nobody_traces(void **state)
{
    assert_int_equal(outer_step(), 7);
    assert_int_equal(tr.head, 0);
    assert_int_equal(tr.depth, 0);
    assert_int_equal(heap.now_ns, 1000); /* the clock was not looked at */
}

static void steps_nest_and_leave_on_every_return(void **state)
{
    struct log log = {.cnt = 0};
    tr.fn = log_put;
    tr.fn_arg = &log;
    tr.steps = true;
    assert_int_equal(outer_step(), 7);
    static const char *const want[] = {"enter recv bytes 100", "enter recv_buf bytes 48",
                                       "leave recv_buf", "leave recv"};
    static const uint8_t depths[] = {0, 1, 1, 0};
    assert_int_equal(log.cnt, 4);
    for (unsigned i = 0; i < 4; i++) {
        assert_string_equal(text_of(&log.recs[i]), want[i]);
        assert_int_equal(log.recs[i].depth, depths[i]);
        assert_int_equal(log.recs[i].time_ns, 1001 + i);
    }
    assert_int_equal(tr.head, 0); /* steps do not push PDUs out of the ring */
    assert_int_equal(tr.depth, 0);
}

static int end_tracing_inside(void)
{
    ISKRA_STEP(&tr, RECV, 1);
    tr.steps = false;
    tr.fn = NULL;
    return 0;
}

static void tracing_may_end_inside_a_step(void **state)
{
    struct log log = {.cnt = 0};
    tr.fn = log_put;
    tr.fn_arg = &log;
    tr.steps = true;
    assert_int_equal(end_tracing_inside(), 0);
    assert_int_equal(log.cnt, 1);
    assert_int_equal(tr.depth, 0);
}

static void who_traces_steps_sees_pdus_and_states_too(void **state)
{
    struct log log = {.cnt = 0};
    tr.fn = log_put;
    tr.fn_arg = &log;
    tr.steps = true;
    iskra_trace_error(&tr, 0, 1003);
    assert_int_equal(log.cnt, 1);
    assert_int_equal(log.recs[0].kind, ISKRA_TRACE_ERROR);
    assert_int_equal(tr.head, 1);
}

static void steps_have_names_layers_and_fragments(void **state)
{
    assert_string_equal(iskra_step_name(ISKRA_STEP_RUN_QUEUE_UNCOND), "run_queue_uncond");
    assert_string_equal(iskra_step_layer(ISKRA_STEP_RUN_QUEUE_UNCOND), "block");
    assert_string_equal(iskra_step_notes(ISKRA_STEP_RUN_QUEUE_UNCOND), "F45");
    assert_string_equal(iskra_step_detail(ISKRA_STEP_HDR_DISSECT), "opcode");
    assert_string_equal(iskra_step_name(ISKRA_STEP_CNT), "?");
    for (unsigned a = 0; a < ISKRA_STEP_CNT; a++)
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(iskra_step_name(a), iskra_step_name(b));
}

static void a_line_never_leaves_its_buffer(void **state)
{
    uint8_t bhs[ISKRA_BHS_LEN];
    memset(bhs, 0xff, sizeof(bhs));
    bhs[0] = ISKRA_OP_DATA_IN;
    iskra_trace_pdu(&tr, ISKRA_TRACE_PDU_IN, 0, bhs);
    char whole[160];
    iskra_trace_format(&tr.ring[0], whole, sizeof(whole));
    for (unsigned size = 1; size <= sizeof(whole); size++) {
        char *buf = malloc(size);
        assert_ptr_equal(iskra_trace_format(&tr.ring[0], buf, size), buf);
        assert_true(strlen(buf) < size);
        assert_memory_equal(buf, whole, strlen(buf));
        free(buf);
    }
}

static void without_memory_there_is_no_ring_and_no_crash(void **state)
{
    struct heap none = {.empty = 1};
    const struct iskra_platform none_pf = heap_platform(&none);
    struct iskra_trace no_ring;
    assert_int_equal(iskra_trace_init(&no_ring, &none_pf, 8), -ENOMEM);
    iskra_trace_error(&no_ring, 0, 1001);
    iskra_trace_done(&no_ring);
    assert_int_equal(none.out_cnt, 0);
}

#define TRACE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRACE_TEST(a_data_in_pdu_is_one_line),
        TRACE_TEST(data_in_without_status_has_no_statsn),
        TRACE_TEST(commands_show_direction_and_cmdsn),
        TRACE_TEST(responses_show_their_residual_bits),
        TRACE_TEST(logins_show_their_stages),
        TRACE_TEST(r2t_and_data_out_show_their_numbers),
        TRACE_TEST(an_unknown_opcode_still_makes_a_line),
        TRACE_TEST(states_show_their_names_or_numbers),
        TRACE_TEST(connection_errors_show_their_number),
        TRACE_TEST(the_ring_keeps_the_newest),
        TRACE_TEST(steps_are_free_while_nobody_traces),
        TRACE_TEST(steps_nest_and_leave_on_every_return),
        TRACE_TEST(tracing_may_end_inside_a_step),
        TRACE_TEST(who_traces_steps_sees_pdus_and_states_too),
        TRACE_TEST(steps_have_names_layers_and_fragments),
        TRACE_TEST(a_line_never_leaves_its_buffer),
        cmocka_unit_test(without_memory_there_is_no_ring_and_no_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
