/* Events from where they happen to the program: what they say, their order, and what happens when
 * there are more than there is room for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "api/api.h"
#include "api/nexus.h"
#include "scsi/device.h"
#include "wire/bhs.h"

static struct iskra *ctx;
static struct iskra_nexus *nexus;
static struct iskra_sdev *sdev;
static struct iskra_event got[64];
static unsigned got_cnt;

static void take(void *arg, const struct iskra_event *ev)
{
    assert_true(got_cnt < 64);
    assert_int_equal(ev->size, sizeof(*ev));
    got[got_cnt++] = *ev;
}

static int setup(void **state)
{
    struct iskra_options opts = {
        .size = sizeof(opts), .initiator_name = "iqn.2026-11.io.iskra.test:events", .event = take};
    got_cnt = 0;
    nexus = calloc(1, sizeof(*nexus));
    sdev = calloc(1, sizeof(*sdev));
    sdev->state = ISKRA_SDEV_RUNNING;
    sdev->lun = UINT64_C(0x4123000000000000);
    int rc = iskra_new(&opts, &ctx, NULL);
    nexus->ctx = ctx;
    nexus->cls.sid = 7;
    strcpy(nexus->url.target, "iqn.2026-11.io.iskra.test:target");
    return rc;
}

static int teardown(void **state)
{
    iskra_free(ctx);
    free(nexus);
    free(sdev);
    return 0;
}

static void an_event_is_told_by_the_loop_and_not_where_it_happens(void **state)
{
    const struct iskra_error why = {.code = ISKRA_E_CONNECTION, .text = "gone"};
    iskra_event_session(nexus, ISKRA_EVENT_SESSION_LOST, &why);
    assert_int_equal(got_cnt, 0);
    assert_int_equal(iskra_dispatch(ctx), 0);
    assert_int_equal(got_cnt, 1);
    assert_int_equal(got[0].kind, ISKRA_EVENT_SESSION_LOST);
    assert_int_equal(got[0].sid, 7);
    assert_string_equal(got[0].target_name, "iqn.2026-11.io.iskra.test:target");
    assert_string_equal(got[0].error.text, "gone");
}

static void a_unit_attention_becomes_the_event_of_its_kind(void **state)
{
    static const struct {
        uint8_t asc, ascq;
        enum iskra_event_kind kind;
    } rows[] = {
        {0x29, 0x00, ISKRA_EVENT_RESET},          {0x29, 0x07, ISKRA_EVENT_RESET},
        {0x2a, 0x01, ISKRA_EVENT_MODE_CHANGED},   {0x2a, 0x09, ISKRA_EVENT_CAPACITY_CHANGED},
        {0x38, 0x07, ISKRA_EVENT_SPACE_LOW},      {0x3f, 0x03, ISKRA_EVENT_INQUIRY_CHANGED},
        {0x3f, 0x0e, ISKRA_EVENT_LUNS_CHANGED},   {0x2a, 0x06, ISKRA_EVENT_UNIT_ATTENTION},
        {0x3f, 0x01, ISKRA_EVENT_UNIT_ATTENTION},
    };
    const unsigned cnt = sizeof(rows) / sizeof(rows[0]);
    for (unsigned i = 0; i < cnt; i++)
        iskra_event_unit_attention(nexus, sdev, rows[i].asc, rows[i].ascq);
    iskra_dispatch(ctx);
    assert_int_equal(got_cnt, cnt);
    for (unsigned i = 0; i < cnt; i++) {
        assert_int_equal(got[i].kind, rows[i].kind);
        assert_int_equal(got[i].asc, rows[i].asc);
        assert_int_equal(got[i].ascq, rows[i].ascq);
        assert_int_equal(got[i].sense_key, 6);
        assert_int_equal(got[i].lun, 0x123);
    }
}

static void a_reset_that_is_met_while_a_lun_is_opened_is_no_news(void **state)
{
    sdev->state = ISKRA_SDEV_CREATED;
    iskra_event_unit_attention(nexus, sdev, 0x29, 0);
    iskra_event_unit_attention(nexus, sdev, 0x2a, 9);
    iskra_dispatch(ctx);
    assert_int_equal(got_cnt, 1);
    assert_int_equal(got[0].kind, ISKRA_EVENT_CAPACITY_CHANGED);
    assert_int_equal(nexus->counts.unit_attentions, 2);
}

static void lost_writes_are_counted(void **state)
{
    iskra_event_writes_lost(nexus, sdev, 12);
    iskra_dispatch(ctx);
    assert_int_equal(got_cnt, 1);
    assert_int_equal(got[0].kind, ISKRA_EVENT_WRITES_LOST);
    assert_int_equal(got[0].write_cnt, 12);
}

static void an_async_message_brings_its_numbers_and_its_sense(void **state)
{
    static const uint8_t data[] = {0, 18, 0x70, 0, 6,    0,    0, 0, 0, 10,
                                   0, 0,  0,    0, 0x3f, 0x0e, 0, 0, 0, 0};
    const struct iskra_pdu_async scsi = {.event = 0, .lun = UINT64_C(0x0005000000000000)};
    const struct iskra_pdu_async logout = {
        .event = 1, .vcode = 9, .param1 = 1, .param2 = 2, .param3 = 3};
    iskra_event_async(nexus, &scsi, data, sizeof(data));
    iskra_event_async(nexus, &scsi, data, 5); /* cut: no sense */
    iskra_event_async(nexus, &logout, NULL, 0);
    iskra_dispatch(ctx);
    assert_int_equal(got_cnt, 3);
    assert_int_equal(got[0].kind, ISKRA_EVENT_ASYNC_MESSAGE);
    assert_int_equal(got[0].lun, 5);
    assert_int_equal(got[0].sense_key, 6);
    assert_int_equal(got[0].asc, 0x3f);
    assert_int_equal(got[0].ascq, 0x0e);
    assert_int_equal(got[1].sense_key, 0);
    assert_int_equal(got[2].async_event, 1);
    assert_int_equal(got[2].async_vcode, 9);
    assert_int_equal(got[2].async_param[0], 1);
    assert_int_equal(got[2].async_param[2], 3);
    assert_int_equal(nexus->counts.async_messages, 3);
}

static void more_events_than_there_is_room_for_are_counted_in_the_next(void **state)
{
    for (unsigned i = 0; i < ISKRA_EVENTS_MAX + 5; i++)
        iskra_event_writes_lost(nexus, sdev, i + 1);
    iskra_dispatch(ctx);
    assert_int_equal(got_cnt, ISKRA_EVENTS_MAX);
    for (unsigned i = 0; i < ISKRA_EVENTS_MAX; i++) {
        assert_int_equal(got[i].write_cnt, i + 1);
        assert_int_equal(got[i].missed_cnt, 0);
    }
    iskra_event_writes_lost(nexus, sdev, 99);
    iskra_event_writes_lost(nexus, sdev, 100);
    iskra_dispatch(ctx);
    assert_int_equal(got_cnt, ISKRA_EVENTS_MAX + 2);
    assert_int_equal(got[ISKRA_EVENTS_MAX].missed_cnt, 5);
    assert_int_equal(got[ISKRA_EVENTS_MAX + 1].missed_cnt, 0);
}

static void nobody_who_listens_costs_no_memory(void **state)
{
    struct iskra *deaf;
    assert_int_equal(iskra_new(NULL, &deaf, NULL), 0);
    assert_null(deaf->events.ring);
    nexus->ctx = deaf;
    iskra_event_writes_lost(nexus, sdev, 1);
    assert_int_equal(iskra_dispatch(deaf), 0);
    iskra_free(deaf);
}

static void every_kind_has_a_name(void **state)
{
    for (int kind = ISKRA_EVENT_SESSION_UP; kind <= ISKRA_EVENT_ASYNC_MESSAGE; kind++)
        assert_string_not_equal(iskra_event_name((enum iskra_event_kind)kind), "?");
    for (int kind = ISKRA_EVENT_UNIT_ATTENTION; kind <= ISKRA_EVENT_SPACE_LOW; kind++)
        assert_string_not_equal(iskra_event_name((enum iskra_event_kind)kind), "?");
    assert_string_equal(iskra_event_name(ISKRA_EVENT_WRITES_LOST), "writes lost");
    assert_string_equal(iskra_event_name((enum iskra_event_kind)999), "?");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    setenv("ISKRA_INITIATOR_NAME", "iqn.2026-11.io.iskra.test:deaf", 1);
    const struct CMUnitTest tests[] = {
        CASE(an_event_is_told_by_the_loop_and_not_where_it_happens),
        CASE(a_unit_attention_becomes_the_event_of_its_kind),
        CASE(a_reset_that_is_met_while_a_lun_is_opened_is_no_news),
        CASE(lost_writes_are_counted),
        CASE(an_async_message_brings_its_numbers_and_its_sense),
        CASE(more_events_than_there_is_room_for_are_counted_in_the_next),
        CASE(nobody_who_listens_costs_no_memory),
        CASE(every_kind_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
