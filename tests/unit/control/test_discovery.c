/* control/discovery.h and address.h: SendTargets text in any piece size, and what hostile text
 * does. */
#include "control_test.h"

#include <stdlib.h>

#include "control/discovery.h"

struct seen {
    unsigned cnt, stop_after;
    char text[2048];
};

static int entry(void *arg, const struct iskra_target_entry *e)
{
    struct seen *seen = arg;
    seen->cnt++;
    size_t len = strlen(seen->text);
    if (len + 600 < sizeof(seen->text))
        (void)snprintf(seen->text + len, sizeof(seen->text) - len, "%s %s:%u,%u\n", e->target_name,
                       e->address->host, e->address->port, e->address->tpgt);
    return seen->stop_after != 0 && seen->cnt >= seen->stop_after;
}

static const struct iskra_target_address portal = {.host = "192.0.2.1", .port = 3260, .tpgt = 0};

static void begin(struct iskra_discovery *d, struct seen *seen)
{
    memset(seen, 0, sizeof(*seen));
    iskra_discovery_begin(d, &portal, 5, entry, seen);
    uint8_t hdr[ISKRA_BHS_LEN];
    const uint8_t *text;
    size_t len;
    iskra_discovery_request(d, hdr, &text, &len);
}

static int respond(struct iskra_discovery *d, bool last, const void *text, size_t len,
                   struct iskra_error *err)
{
    struct iskra_pdu_text_rsp rsp = {
        .final = last,
        .cont = !last,
        .data_len = (uint32_t)len,
        .ttt = last ? ISKRA_RESERVED_TAG : 0x1234,
        .stat_sn = 9,
    };
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_text_rsp_encode(&rsp, hdr);
    memset(err, 0, sizeof(*err));
    return iskra_discovery_response(d, hdr, text, len, err);
}

static int says(struct seen *seen, const char *text, struct iskra_error *err)
{
    struct iskra_discovery d;
    char buf[4096];
    size_t len = segment(buf, sizeof(buf), text);
    begin(&d, seen);
    return respond(&d, true, buf, len, err);
}

static void the_request_asks_for_all_targets(void **state)
{
    struct iskra_discovery d;
    struct seen seen = {0};
    uint8_t hdr[ISKRA_BHS_LEN];
    const uint8_t *text;
    size_t len;
    iskra_discovery_begin(&d, &portal, 5, entry, &seen);
    iskra_discovery_request(&d, hdr, &text, &len);
    struct iskra_pdu_text pdu;
    iskra_text_decode(hdr, &pdu);
    assert_int_equal(iskra_bhs_opcode(hdr), ISKRA_OP_TEXT);
    assert_true(pdu.final);
    assert_int_equal(pdu.ttt, ISKRA_RESERVED_TAG);
    assert_int_equal(pdu.exp_stat_sn, 5);
    assert_int_equal(len, 16);
    assert_memory_equal(text, "SendTargets=All", 16);
}

static void each_portal_of_each_target_is_given(void **state)
{
    struct seen seen;
    struct iskra_error err;
    assert_int_equal(says(&seen,
                          "TargetName=iqn.2026-01.a:1;TargetAddress=192.0.2.9:3261,2;TargetAddress="
                          "[2001:db8::1],3;"
                          "TargetName=eui.0123456789ABCDEF;TargetAddress=storage.example:860;",
                          &err),
                     ISKRA_DISCOVERY_DONE);
    assert_string_equal(seen.text, "iqn.2026-01.a:1 192.0.2.9:3261,2\n"
                                   "iqn.2026-01.a:1 2001:db8::1:3260,3\n"
                                   "eui.0123456789ABCDEF storage.example:860,0\n");
}

static void a_target_without_an_address_is_at_the_portal_asked(void **state)
{
    struct seen seen;
    struct iskra_error err;
    assert_int_equal(
        says(&seen,
             "TargetName=iqn.a:1;TargetName=iqn.a:2;TargetAddress=10.0.0.1;TargetName=iqn.a:3;",
             &err),
        ISKRA_DISCOVERY_DONE);
    assert_string_equal(
        seen.text, "iqn.a:1 192.0.2.1:3260,0\niqn.a:2 10.0.0.1:3260,0\niqn.a:3 192.0.2.1:3260,0\n");
}

static void no_targets_at_all_is_an_end_too(void **state)
{
    struct seen seen;
    struct iskra_error err;
    assert_int_equal(says(&seen, "", &err), ISKRA_DISCOVERY_DONE);
    assert_int_equal(seen.cnt, 0);
}

static void text_may_be_cut_at_every_byte(void **state)
{
    static const char text[] =
        "TargetName=iqn.a:1;TargetAddress=10.0.0.1:1,1;;TargetName=iqn.a:2;X-k=v;";
    char buf[128];
    size_t len = segment(buf, sizeof(buf), text);
    for (size_t cut = 0; cut <= len; cut++) {
        struct iskra_discovery d;
        struct seen seen;
        struct iskra_error err;
        begin(&d, &seen);
        assert_int_equal(respond(&d, false, buf, cut, &err), ISKRA_DISCOVERY_SEND);
        uint8_t hdr[ISKRA_BHS_LEN];
        const uint8_t *out;
        size_t out_len;
        iskra_discovery_request(&d, hdr, &out, &out_len);
        struct iskra_pdu_text pdu;
        iskra_text_decode(hdr, &pdu);
        assert_int_equal(pdu.ttt, 0x1234);
        assert_int_equal(pdu.exp_stat_sn, 10);
        assert_int_equal(out_len, 0);
        assert_int_equal(respond(&d, true, buf + cut, len - cut, &err), ISKRA_DISCOVERY_DONE);
        assert_string_equal(seen.text, "iqn.a:1 10.0.0.1:1,1\niqn.a:2 192.0.2.1:3260,0\n");
    }
}

static void text_may_come_in_single_bytes(void **state)
{
    static const char text[] = "TargetName=iqn.a:1;TargetAddress=10.0.0.1:1,1;";
    char buf[128];
    size_t len = segment(buf, sizeof(buf), text);
    struct iskra_discovery d;
    struct seen seen;
    struct iskra_error err;
    begin(&d, &seen);
    for (size_t i = 0; i < len; i++)
        assert_int_equal(respond(&d, i + 1 == len, buf + i, 1, &err),
                         i + 1 == len ? ISKRA_DISCOVERY_DONE : ISKRA_DISCOVERY_SEND);
    assert_string_equal(seen.text, "iqn.a:1 10.0.0.1:1,1\n");
}

static void ten_thousand_targets_need_no_more_memory(void **state)
{
    struct iskra_discovery d;
    struct seen seen;
    struct iskra_error err;
    begin(&d, &seen);
    for (unsigned i = 0; i < 10000; i++) {
        char buf[128];
        int len =
            snprintf(buf, sizeof(buf),
                     "TargetName=iqn.2026-01.org.example:%u%cTargetAddress=10.0.0.1:3260,1", i, 0);
        assert_int_equal(respond(&d, i == 9999, buf, (size_t)len + 1, &err),
                         i == 9999 ? ISKRA_DISCOVERY_DONE : ISKRA_DISCOVERY_SEND);
    }
    assert_int_equal(seen.cnt, 10000);
}

static void more_than_16_mib_of_text_is_refused(void **state)
{
    struct iskra_discovery d;
    struct seen seen;
    struct iskra_error err;
    static char zeros[8192];
    begin(&d, &seen);
    for (unsigned i = 0; i < ISKRA_DISCOVERY_TEXT_MAX / sizeof(zeros); i++)
        assert_int_equal(respond(&d, false, zeros, sizeof(zeros), &err), ISKRA_DISCOVERY_SEND);
    assert_int_equal(respond(&d, false, zeros, 1, &err), -EMSGSIZE);
    assert_int_equal(err.code, ISKRA_E_PROTOCOL);
}

static void continuation_without_text_for_ever_ends(void **state)
{
    struct iskra_discovery d;
    struct seen seen;
    struct iskra_error err;
    begin(&d, &seen);
    for (unsigned i = 0; i < ISKRA_DISCOVERY_EMPTY_MAX; i++)
        assert_int_equal(respond(&d, false, "", 0, &err), ISKRA_DISCOVERY_SEND);
    assert_true(respond(&d, false, "", 0, &err) < 0);
    assert_int_equal(err.code, ISKRA_E_PROTOCOL);
}

static void hostile_names_are_left_out(void **state)
{
    struct seen seen;
    struct iskra_error err;
    assert_int_equal(
        says(&seen,
             "TargetName=../../etc/passwd;TargetAddress=10.0.0.1;TargetName=iqn.a\nb:1;"
             "TargetName=iqn.a/../b;TargetName=iqn.\033[2J;TargetName=iqn.\xc2\x9b"
             "2J;TargetName=;TargetName=iqn.;TargetName=iqn.good;",
             &err),
        ISKRA_DISCOVERY_DONE);
    assert_string_equal(seen.text, "iqn.good 192.0.2.1:3260,0\n");
}

static void nothing_but_hostile_names_is_an_error(void **state)
{
    struct seen seen;
    struct iskra_error err;
    assert_true(says(&seen, "TargetName=../a;TargetName=b;", &err) < 0);
    assert_int_equal(err.code, ISKRA_E_PROTOCOL);
    assert_non_null(strstr(err.text, "2 names"));
}

static void a_name_has_at_most_223_bytes(void **state)
{
    char name[300] = "iqn.";
    memset(name + 4, 'a', sizeof(name) - 4);
    assert_true(iskra_iscsi_name_ok((struct iskra_slice){name, 223}));
    assert_false(iskra_iscsi_name_ok((struct iskra_slice){name, 224}));
}

static void hostile_addresses_are_left_out(void **state)
{
    struct seen seen;
    struct iskra_error err;
    assert_int_equal(
        says(
            &seen,
            "TargetName=iqn.a;TargetAddress=10.0.0.1:0;TargetAddress=10.0.0.2:99999;TargetAddress=;"
            "TargetAddress=10.0.0.3,65536;TargetAddress=2001:db8::1;TargetAddress=[::1;"
            "TargetAddress=http://x/;TargetAddress=[::1]x;TargetAddress=:3260;TargetAddress=a b;"
            "TargetAddress=10.0.0.4:0x10;TargetAddress=10.0.0.5:3261,65535;",
            &err),
        ISKRA_DISCOVERY_DONE);
    assert_string_equal(seen.text, "iqn.a 10.0.0.5:3261,65535\n");
}

static void a_pair_of_more_than_512_bytes_is_refused(void **state)
{
    struct seen seen;
    struct iskra_error err;
    char text[700];
    memset(text, 'a', sizeof(text));
    text[0] = 'X';
    text[1] = '=';
    text[600] = '\0';
    assert_true(says(&seen, text, &err) < 0);
    assert_int_equal(err.code, ISKRA_E_PROTOCOL);
}

static void text_that_ends_inside_a_pair_is_refused(void **state)
{
    struct seen seen;
    struct iskra_error err;
    assert_true(says(&seen, "TargetName=iqn.a;TargetAddr", &err) < 0);
    assert_non_null(strstr(err.text, "ends inside"));
}

static void an_address_before_any_name_is_refused(void **state)
{
    struct seen seen;
    struct iskra_error err;
    assert_true(says(&seen, "TargetAddress=10.0.0.1;", &err) < 0);
    assert_int_equal(err.code, ISKRA_E_PROTOCOL);
}

static void a_target_that_rejects_the_question_is_told(void **state)
{
    struct seen seen;
    struct iskra_error err;
    assert_true(says(&seen, "SendTargets=Reject;", &err) < 0);
    assert_int_equal(err.code, ISKRA_E_NEGOTIATION);
}

static void no_end_and_no_way_to_go_on_is_refused(void **state)
{
    struct iskra_discovery d;
    struct seen seen;
    struct iskra_error err = {0};
    begin(&d, &seen);
    struct iskra_pdu_text_rsp rsp = {.final = false, .ttt = ISKRA_RESERVED_TAG};
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_text_rsp_encode(&rsp, hdr);
    assert_true(iskra_discovery_response(&d, hdr, NULL, 0, &err) < 0);
    rsp = (struct iskra_pdu_text_rsp){.final = true, .cont = true, .ttt = 1};
    iskra_text_rsp_encode(&rsp, hdr);
    memset(&err, 0, sizeof(err));
    assert_true(iskra_discovery_response(&d, hdr, NULL, 0, &err) < 0);
    assert_int_equal(err.code, ISKRA_E_PROTOCOL);
}

static void the_caller_may_stop_early(void **state)
{
    struct iskra_discovery d;
    struct seen seen;
    struct iskra_error err;
    static const char text[] = "TargetName=iqn.a\0TargetAddress=10.0.0.1\0TargetAddress=10.0.0.2";
    begin(&d, &seen);
    seen.stop_after = 1;
    assert_int_equal(respond(&d, true, text, sizeof(text), &err), -ECANCELED);
    assert_int_equal(seen.cnt, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_request_asks_for_all_targets),
        cmocka_unit_test(each_portal_of_each_target_is_given),
        cmocka_unit_test(a_target_without_an_address_is_at_the_portal_asked),
        cmocka_unit_test(no_targets_at_all_is_an_end_too),
        cmocka_unit_test(text_may_be_cut_at_every_byte),
        cmocka_unit_test(text_may_come_in_single_bytes),
        cmocka_unit_test(ten_thousand_targets_need_no_more_memory),
        cmocka_unit_test(more_than_16_mib_of_text_is_refused),
        cmocka_unit_test(continuation_without_text_for_ever_ends),
        cmocka_unit_test(hostile_names_are_left_out),
        cmocka_unit_test(nothing_but_hostile_names_is_an_error),
        cmocka_unit_test(a_name_has_at_most_223_bytes),
        cmocka_unit_test(hostile_addresses_are_left_out),
        cmocka_unit_test(a_pair_of_more_than_512_bytes_is_refused),
        cmocka_unit_test(text_that_ends_inside_a_pair_is_refused),
        cmocka_unit_test(an_address_before_any_name_is_refused),
        cmocka_unit_test(a_target_that_rejects_the_question_is_told),
        cmocka_unit_test(no_end_and_no_way_to_go_on_is_refused),
        cmocka_unit_test(the_caller_may_stop_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
