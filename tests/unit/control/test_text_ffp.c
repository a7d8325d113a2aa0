/* Full feature phase conformance, byte by byte: Text Requests (items 18.1 to 18.5), as discovery
 * makes them. */
#include "control_test.h"

#include "control/discovery.h"

static int entry(void *arg, const struct iskra_target_entry *e)
{
    (void)e;
    ++*(unsigned *)arg;
    return 0;
}

static const struct iskra_target_address portal = {.host = "192.0.2.1", .port = 3260};

static void request(struct iskra_discovery *d, struct iskra_pdu_text *pdu, uint8_t *hdr,
                    const uint8_t **text, size_t *len)
{
    iskra_discovery_request(d, hdr, text, len);
    iskra_text_decode(hdr, pdu);
}

static int respond(struct iskra_discovery *d, const struct iskra_pdu_text *req, uint32_t ttt,
                   const char *text, struct iskra_error *err)
{
    char buf[256];
    size_t len = segment(buf, sizeof(buf), text);
    bool last = ttt == ISKRA_RESERVED_TAG;
    struct iskra_pdu_text_rsp rsp = {
        .final = last,
        .cont = !last,
        .data_len = (uint32_t)len,
        .itt = req->itt,
        .ttt = ttt,
        .stat_sn = req->exp_stat_sn,
    };
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_text_rsp_encode(&rsp, hdr);
    memset(err, 0, sizeof(*err));
    return iskra_discovery_response(d, hdr, (const uint8_t *)buf, len, err);
}

struct talk {
    struct iskra_discovery d;
    struct iskra_pdu_text pdu;
    uint8_t hdr[ISKRA_BHS_LEN];
    const uint8_t *text;
    size_t len;
    unsigned target_cnt;
    struct iskra_error err;
};

static void begin(struct talk *t)
{
    memset(t, 0, sizeof(*t));
    iskra_discovery_begin(&t->d, &portal, 5, entry, &t->target_cnt);
    request(&t->d, &t->pdu, t->hdr, &t->text, &t->len);
}

static void ffp_18_1_key_and_value_are_one_pair_that_ends_with_nul(void **state)
{
    struct talk t;
    begin(&t);
    assert_int_equal(t.len, 16);
    assert_memory_equal(t.text, "SendTargets=All\0", 16);
}

static void ffp_18_3_first_request_has_the_reserved_ttt(void **state)
{
    struct talk t;
    begin(&t);
    assert_int_equal(t.pdu.ttt, 0xffffffffu);
}

static void ffp_18_3_continuation_has_the_ttt_that_came_and_no_text(void **state)
{
    struct talk t;
    begin(&t);
    static const uint32_t ttts[] = {0, 0x12345678, 0xfffffffe};
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(respond(&t.d, &t.pdu, ttts[i], "TargetName=iqn.a:1;", &t.err),
                         ISKRA_DISCOVERY_SEND);
        request(&t.d, &t.pdu, t.hdr, &t.text, &t.len);
        assert_int_equal(t.pdu.ttt, ttts[i]);
        assert_int_equal(t.len, 0);
    }
}

static void ffp_18_4_other_fields_are_as_they_should_be(void **state)
{
    struct talk t;
    begin(&t);
    assert_int_equal(t.hdr[0] & 0x3f, 0x04);
    assert_int_equal(t.hdr[1], 0x80); /* F: nothing follows; C: 0 */
    assert_int_equal(t.hdr[2] | t.hdr[3] | t.hdr[4], 0);
    assert_int_equal(t.pdu.lun, 0);
    assert_int_equal(t.pdu.exp_stat_sn, 5);
    for (unsigned i = 32; i < ISKRA_BHS_LEN; i++)
        assert_int_equal(t.hdr[i], 0);
}

static void ffp_18_5_new_negotiation_begins_with_the_reserved_ttt_again(void **state)
{
    struct talk t;
    begin(&t);
    assert_int_equal(respond(&t.d, &t.pdu, 0x1234, "TargetName=iqn.a:1;", &t.err),
                     ISKRA_DISCOVERY_SEND);
    iskra_discovery_begin(&t.d, &portal, 9, entry, &t.target_cnt);
    request(&t.d, &t.pdu, t.hdr, &t.text, &t.len);
    assert_int_equal(t.pdu.ttt, 0xffffffffu);
    assert_memory_equal(t.text, "SendTargets=All\0", 16);
    assert_int_equal(respond(&t.d, &t.pdu, ISKRA_RESERVED_TAG, "TargetName=iqn.a:2;", &t.err),
                     ISKRA_DISCOVERY_DONE);
    assert_int_equal(t.target_cnt, 1); /* nothing of the one that was given up */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ffp_18_1_key_and_value_are_one_pair_that_ends_with_nul),
        cmocka_unit_test(ffp_18_3_first_request_has_the_reserved_ttt),
        cmocka_unit_test(ffp_18_3_continuation_has_the_ttt_that_came_and_no_text),
        cmocka_unit_test(ffp_18_4_other_fields_are_as_they_should_be),
        cmocka_unit_test(ffp_18_5_new_negotiation_begins_with_the_reserved_ttt_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
