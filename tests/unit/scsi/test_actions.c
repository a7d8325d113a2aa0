/* What a read that went wrong is worth, code by code: tried again at once, later, or failed. */
#include <errno.h>

#include "unit/scsi/scsi_rig.h"

enum seen {
    FAILED,
    AT_ONCE, /* or at the next look at the queue */
    LATER,
};

/* One read, answered with this; what becomes of it. It is answered well in the end. */
static enum seen fate(struct rig *r, uint32_t result, uint8_t key, uint8_t asc, uint8_t ascq)
{
    struct rig_io *io = rig_io(r, 0);
    enum seen seen = FAILED;
    r->sent_cnt = 0;
    io->iov = (struct iovec){.iov_base = r->data, .iov_len = 512};
    assert_int_equal(iskra_scsi_submit_read(&io->sreq, &io->iov, 1, 0, 512), 0);
    rig_work(r);
    assert_int_equal(r->sent_cnt, 1);
    if (result == ISKRA_STATUS_CHECK_CONDITION)
        rig_answer_sense(r, 0, key, asc, ascq);
    else
        rig_answer(r, 0, result, 512);
    if (io->done_cnt == 0) {
        seen = r->sent_cnt > 1 ? AT_ONCE : LATER;
        rig_advance_to(r, r->round.now_ns + 20 * RIG_MS);
        assert_int_equal(r->sent_cnt, 2);
        rig_answer_good(r, 1);
        assert_int_equal(io->sreq.status, 0);
    } else {
        assert_true(io->sreq.status < 0);
        rig_advance_to(r, r->round.now_ns + 20 * RIG_MS);
        assert_int_equal(r->sent_cnt, 1);
    }
    assert_int_equal(io->done_cnt, 1);
    return seen;
}

static void a_unit_that_is_not_ready_is_waited_for_if_it_will_be(void **state)
{
    struct rig *r = *state;
    for (unsigned asc = 0; asc < 256; asc++)
        for (unsigned ascq = 0; ascq < 256; ascq++) {
            bool will_be = asc == 4 && (ascq == 1 || (ascq >= 4 && ascq <= 0x0a) || ascq == 0x11 ||
                                        ascq == 0x14);
            enum seen seen = fate(r, ISKRA_STATUS_CHECK_CONDITION, ISKRA_SENSE_NOT_READY,
                                  (uint8_t)asc, (uint8_t)ascq);
            if ((seen != FAILED) != will_be)
                fail_msg("NOT READY %02x/%02x: %d", asc, ascq, (int)seen);
        }
}

static void each_unit_attention_is_passed_over(void **state)
{
    struct rig *r = *state;
    for (unsigned asc = 0; asc < 256; asc++)
        assert_int_not_equal(fate(r, ISKRA_STATUS_CHECK_CONDITION, ISKRA_SENSE_UNIT_ATTENTION,
                                  (uint8_t)asc, (uint8_t)(asc & 15)),
                             FAILED);
}

/* What nobody understands (ffh, 10h, 77h) is tried again after a reset. */
static void each_status_and_host_byte_has_its_fate(void **state)
{
    static const struct {
        uint8_t host, status;
        bool again;
    } rows[] = {{0x00, 0x08, true},  {0x00, 0x28, true},  {0x00, 0x40, true},  {0x00, 0x18, false},
                {0x00, 0x30, false}, {0x00, 0x22, false}, {0x00, 0xff, true},  {0x01, 0, false},
                {0x02, 0, true},     {0x03, 0, true},     {0x04, 0, false},    {0x05, 0, false},
                {0x06, 0, true},     {0x07, 0, true},     {0x07, 0x18, false}, {0x08, 0, true},
                {0x0b, 0, true},     {0x0c, 0, true},     {0x0d, 0, true},     {0x0e, 0, true},
                {0x0f, 0, false},    {0x10, 0, true},     {0x77, 0, true}};
    struct rig *r = *state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum seen seen = fate(r, ISKRA_RESULT(rows[i].host, rows[i].status), 0, 0, 0);
        if ((seen != FAILED) != rows[i].again)
            fail_msg("host byte %02x, status %02x: %d", rows[i].host, rows[i].status, (int)seen);
    }
}

/* One that resets for ever is given up after as many retries as are allowed. */
static void a_reset_is_survived_as_often_as_allowed(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(io->done_cnt, 0);
        assert_int_equal(r->sent_cnt, i + 1);
        rig_answer(r, i, ISKRA_RESULT(ISKRA_DID_RESET, 0), 512);
        rig_advance_to(r, r->round.now_ns + 20 * RIG_MS);
    }
    assert_int_equal(io->done_cnt, 1);
    assert_true(io->sreq.status < 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_unit_that_is_not_ready_is_waited_for_if_it_will_be),
        T(each_unit_attention_is_passed_over),
        T(each_status_and_host_byte_has_its_fate),
        T(a_reset_is_survived_as_often_as_allowed),
    };
    return cmocka_run_group_tests_name("scsi actions", tests, NULL, NULL);
}
