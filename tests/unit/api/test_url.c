/* URLs and their keys, as people type them and as people mistype them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "api/url.h"

#define TARGET "iqn.2026-01.org.example:disk"

static struct iskra_url good(const char *text)
{
    struct iskra_url url;
    struct iskra_error err = {0};
    int rc = iskra_url_parse(text, &url, &err);
    if (rc)
        print_message("# %s: %s\n", text, err.text);
    assert_int_equal(rc, 0);
    return url;
}

static void bad(const char *text, const char *because)
{
    struct iskra_url url;
    struct iskra_error err = {0};
    int rc = iskra_url_parse(text, &url, &err);
    if (rc != -EINVAL || strstr(err.text, because) == NULL)
        print_message("# %s: %d, '%s'\n", text, rc, err.text);
    assert_int_equal(rc, -EINVAL);
    assert_int_equal(err.code, ISKRA_E_USAGE);
    assert_non_null(strstr(err.text, because));
}

static void every_part_is_found(void **state)
{
    struct iskra_url u =
        good("iscsi://host.example:4321/" TARGET "/7?header_digest=crc32c,none&timeout=1.5");
    assert_string_equal(u.host, "host.example");
    assert_int_equal(u.port, 4321);
    assert_string_equal(u.target, TARGET);
    assert_true(u.has_lun);
    assert_int_equal(u.lun, 7);
    assert_int_equal(u.settings.header_digest.cnt, 2);
    assert_int_equal(u.settings.header_digest.crc32c[0], 1);
    assert_int_equal(u.settings.header_digest.crc32c[1], 0);
    assert_int_equal(u.settings.command_timeout_ns, 1500000000);
}

static void defaults_are_open_iscsis(void **state)
{
    struct iskra_settings s = good("iscsi://h").settings;
    assert_int_equal(s.first_burst, 262144);
    assert_int_equal(s.max_burst, 16776192);
    assert_int_equal(s.max_recv, 262144);
    assert_int_equal(s.queue_depth, 32);
    assert_int_equal(s.cmds_max, 128);
    assert_int_equal(s.login_timeout_ns, 15000000000);
    assert_int_equal(s.replacement_timeout_ns, 120000000000);
    assert_int_equal(s.max_outstanding_r2t, 8);
}

static void a_bare_portal_is_a_url(void **state)
{
    assert_int_equal(good("127.0.0.1").port, 3260);
    assert_int_equal(good("127.0.0.1:99").port, 99);
    assert_string_equal(good("[::1]:99").host, "::1");
    assert_int_equal(good("[::1]:99").port, 99);
    assert_string_equal(good("10.0.0.1:3260,1").host, "10.0.0.1");
}

static void parts_may_be_left_out_from_the_end(void **state)
{
    assert_false(good("iscsi://h").has_target);
    assert_false(good("iscsi://h/").has_target);
    struct iskra_url u = good("iscsi://h/" TARGET);
    assert_true(u.has_target);
    assert_false(u.has_lun);
    assert_false(good("iscsi://h/" TARGET "/").has_lun);
    assert_int_equal(good("iscsi://h?timeout=3").settings.command_timeout_ns, 3000000000);
}

static void percent_escapes_are_decoded_in_every_part(void **state)
{
    assert_string_equal(good("iscsi://h%2eexample/iqn.2026-01%3aa").host, "h.example");
    assert_string_equal(good("iscsi://h/iqn.2026-01%3Aa").target, "iqn.2026-01:a");
    assert_int_equal(good("iscsi://h?%74imeout=%32").settings.command_timeout_ns, 2000000000);
}

static void broken_escapes_are_refused(void **state)
{
    bad("iscsi://h%", "two hex digits");
    bad("iscsi://h%4", "two hex digits");
    bad("iscsi://h%zz", "two hex digits");
    bad("iscsi://h/iqn.a%00b/0", "0x00");
    bad("iscsi://h/iqn.a%0ab/0", "0x0a");
}

static void hosts_and_ports_are_judged(void **state)
{
    bad("iscsi://", "no host");
    bad("iscsi:///" TARGET "/0", "no host");
    bad("iscsi://h:0/" TARGET "/0", "port '0'");
    bad("iscsi://h:65536/" TARGET "/0", "65536");
    bad("iscsi://h:x", "port 'x'");
    bad("iscsi://h:", "port ''");
    bad("iscsi://[::1", "without ']'");
    bad("iscsi://[::1]x", "not a port");
    bad("iscsi://h,70000", "70000");
    bad("nbd://h", "scheme");
    bad("", "no host");
}

static void target_names_are_judged(void **state)
{
    bad("iscsi://h/disk/0", "iqn., eui. or naa.");
    bad("iscsi://h//0", "empty target");
    bad("iscsi://h/iqn./0", "nothing after");
    bad("iscsi://h/iqn.a%2fb/0", "character");
    char long_name[300] = "iscsi://h/iqn.";
    memset(long_name + 14, 'a', 220);
    bad(long_name, "longer than 223 bytes");
}

static void luns_are_judged(void **state)
{
    assert_int_equal(good("iscsi://h/" TARGET "/16383").lun, 16383);
    bad("iscsi://h/" TARGET "/16384", "16384");
    bad("iscsi://h/" TARGET "/-1", "-1");
    bad("iscsi://h/" TARGET "/0/1", "0/1");
    bad("iscsi://h/" TARGET "/abc", "abc");
    bad("iscsi://h/" TARGET "/99999999999999999999", "0..16383");
}

static void option_values_are_judged_with_their_key(void **state)
{
    bad("h?bogus=1", "'bogus'");
    bad("h?timeout", "'timeout' has no value");
    bad("h?timeout=", "timeout=");
    bad("h?timeout=abc", "timeout=abc");
    bad("h?timeout=0", "timeout=0");
    bad("h?timeout=86401", "86401");
    bad("h?timeout=-1", "timeout=-1");
    bad("h?login_timeout=0", "login_timeout=0");
    bad("h?cmds_max=15", "16 to 4096");
    bad("h?cmds_max=4097", "16 to 4096");
    bad("h?queue_depth=0", "queue_depth=0");
    bad("h?max_recv=511", "512");
    bad("h?max_recv=16M", "16777215");
    bad("h?max_outstanding_r2t=65", "65");
    bad("h?immediate_data=maybe", "maybe");
    bad("h?header_digest=md5", "md5");
    bad("h?header_digest=crc32c,crc32c", "crc32c,crc32c");
    bad("h?header_digest=", "header_digest=");
    bad("h?header_digest=none,", "none,");
    bad("h?initiator_name=x", "initiator_name");
    bad("h?isid=123", "12 hex");
    bad("h?first_burst=1M&max_burst=512K", "first_burst=1048576");
    bad("h?replacement_timeout=-x", "for ever");
    bad("h?eh_deadline=off", "eh_deadline=off");
    bad("h?eh_deadline=86400.1", "eh_deadline=86400.1");
    bad("h?login_retries=-1", "login_retries=-1");
    bad("h?login_retries=10001", "0 to 10000");
    bad("h?flush_after_reset=maybe", "neither ignore nor error");
    bad("h?flush_after_reset=Error", "flush_after_reset=Error");
    bad("h?busy_poll_us=1.5", "busy_poll_us=1.5");
    bad("h?busy_poll_us=1000001", "0 to 1000000");
}

static void a_value_is_read_to_its_last_byte(void **state)
{
    static const char *const keys[] = {"timeout",       "cmds_max",          "queue_depth",
                                       "isid",          "header_digest",     "initial_r2t",
                                       "login_retries", "flush_after_reset", "busy_poll_us"};
    static const char *const values[] = {"",      "%20",  "1%20", "%201", "1x",     "0x",
                                         "1K1",   "1..5", "+1",   "1e3",  ".5",     "none,",
                                         ",none", "1,2",  "--1",  "NaN",  "error,", "%ff"};
    for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
        for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
            char text[80], because[40];
            snprintf(text, sizeof(text), "h?%s=%s", keys[k], values[v]);
            snprintf(because, sizeof(because), "%s=", keys[k]);
            bad(text, because);
        }
    }
}

static void a_key_is_given_once(void **state)
{
    bad("h?timeout=3&timeout=3", "'timeout' is given twice");
    bad("h?header_digest=none&cmds_max=16&header_digest=crc32c", "'header_digest' is given twice");
    bad("h?isid=800012345678&isi%64=800012345678", "'isid' is given twice");
    bad("h?user=a&user=b", "'user' is given twice");
    bad("a@h?user=b", "user=b: a user stands before the host");
}

static void keys_are_written_in_one_way(void **state)
{
    bad("h?Timeout=3", "unknown option 'Timeout'");
    bad("h?timeout%20=3", "unknown option 'timeout '");
    bad("h?=3", "unknown option ''");
    bad("h?time out=3", "byte 0x20");
}

static void good_option_values_land_where_they_belong(void **state)
{
    struct iskra_settings s =
        good("h?max_burst=64K&max_recv=1M&immediate_data=no&initial_r2t=Yes&isid=0x800012345678"
             "&replacement_timeout=-1&noop_interval=0&data_digest=CRC32C&initiator_name=iqn.2026-"
             "01.a:b")
            .settings;
    assert_int_equal(s.max_burst, 65536);
    assert_int_equal(s.first_burst, 65536);
    assert_int_equal(s.max_recv, 1048576);
    assert_int_equal(s.immediate_data, 0);
    assert_int_equal(s.initial_r2t, 1);
    assert_true(s.isid_given);
    static const uint8_t isid[6] = {0x80, 0, 0x12, 0x34, 0x56, 0x78};
    assert_memory_equal(s.isid, isid, 6);
    assert_int_equal(s.replacement_timeout_ns, -1);
    assert_int_equal(s.noop_interval_ns, 0);
    assert_int_equal(s.data_digest.crc32c[0], 1);
    assert_string_equal(s.initiator_name, "iqn.2026-01.a:b");
    assert_int_equal(s.eh_deadline_ns, -1);
    assert_int_equal(s.login_retries, 0);
    assert_int_equal(s.flush_after_reset_fails, 0);
    s = good("h?eh_deadline=0.5&login_retries=8&flush_after_reset=error&busy_poll_us=50").settings;
    assert_int_equal(s.eh_deadline_ns, 500000000);
    assert_int_equal(s.login_retries, 8);
    assert_int_equal(s.flush_after_reset_fails, 1);
    assert_int_equal(s.busy_poll_us, 50);
}

static void credentials_have_to_be_complete(void **state)
{
    bad("iscsi://user@h/" TARGET "/0", "no password");
    bad("iscsi://h/" TARGET "/0?auth=md5", "no user");
    bad("iscsi://h/" TARGET "/0?target_user=t", "no user");
    bad("iscsi://:secret@h/", "user name");
    bad("iscsi://u:p@h/?target_user=t", "no target password");
    bad("iscsi://u:p@h/?auth=md4", "auth=md4");
    bad("iscsi://u:p@h/?auth=md5,md5", "auth=md5,md5");
    bad("iscsi://u:p@h/?password_env=LIBISCSI_NOT_SET", "LIBISCSI_NOT_SET");
    bad("iscsi://u@h/?password_fd=x", "password_fd");
    bad("iscsi://u@h/?password_file=/nonexistent", "/nonexistent");
}

static void equal_secrets_both_ways_are_refused(void **state)
{
    bad("iscsi://u:sesame-sesame@h/?target_password=sesame-sesame", "are the same");
}

static void no_secret_is_in_an_error(void **state)
{
    static const char *const urls[] = {
        "iscsi://u:sesame%@h/",         "iscsi://u:sesame@h/?target_password=sesame",
        "iscsi://u:sesame@h:99999/",    "iscsi://u%sesame@/",
        "iscsi://u:sesame@h/?frob=1",   "iscsi://h/?target_password=sesame",
        "iscsi://u:sesame@h/?auth=x",   "iscsi://u%sesame@h/?password_env=PATH",
        "iscsi://u:sesame@h/?timeout=0"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct iskra_url url;
        struct iskra_error err = {0};
        assert_int_equal(iskra_url_parse(urls[i], &url, &err), -EINVAL);
        assert_null(strstr(err.text, "sesame"));
    }
}

static void a_password_may_be_in_the_url_both_ways(void **state)
{
    struct iskra_url u = good("iscsi://us%65r:p%40ss@h/?target_password=theirs&auth=sha-256,md5");
    assert_string_equal(u.settings.chap.user, "user");
    assert_string_equal(u.settings.chap.secret, "p@ss");
    assert_string_equal(u.settings.chap.target_secret, "theirs");
    assert_int_equal(u.settings.chap.alg_cnt, 2);
    assert_int_equal(u.settings.chap.algs[0], ISKRA_CHAP_SHA256);
    assert_true(u.password_in_url);
    setenv("ISKRA_TEST_PASSWORD", "from-env", 1);
    assert_string_equal(
        good("iscsi://h/?user=me&password_env=ISKRA_TEST_PASSWORD").settings.chap.secret,
        "from-env");
    unsetenv("ISKRA_TEST_PASSWORD");
    u = good("iscsi://user%40ss@h:99/");
    assert_string_equal(u.settings.chap.user, "user");
    assert_string_equal(u.settings.chap.secret, "40ss");
    assert_int_equal(u.port, 99);
}

static void the_environment_fills_in_what_the_url_lacks(void **state)
{
    setenv("LIBISCSI_CHAP_USERNAME", "env-user", 1);
    setenv("LIBISCSI_CHAP_PASSWORD", "env-pass", 1);
    setenv("LIBISCSI_CHAP_TARGET_USERNAME", "env-target", 1);
    setenv("LIBISCSI_CHAP_TARGET_PASSWORD", "env-theirs", 1);
    struct iskra_url u = good("iscsi://h/");
    struct iskra_url v = good("iscsi://me@h/");
    struct iskra_url w = good("iscsi://me:mine@h/");
    unsetenv("LIBISCSI_CHAP_USERNAME");
    unsetenv("LIBISCSI_CHAP_PASSWORD");
    unsetenv("LIBISCSI_CHAP_TARGET_USERNAME");
    unsetenv("LIBISCSI_CHAP_TARGET_PASSWORD");
    assert_string_equal(u.settings.chap.user, "env-user");
    assert_string_equal(u.settings.chap.secret, "env-pass");
    assert_string_equal(u.settings.chap.target_user, "env-target");
    assert_string_equal(u.settings.chap.target_secret, "env-theirs");
    assert_false(u.password_in_url);
    assert_string_equal(v.settings.chap.user, "me");
    assert_string_equal(v.settings.chap.secret, "env-pass");
    assert_string_equal(w.settings.chap.secret, "mine");
}

/* Writes `len` bytes to a file and asks for it as password_file. */
static int from_file(const char *content, size_t len, struct iskra_url *url)
{
    char path[] = "/tmp/iskra-secret-XXXXXX", text[128];
    struct iskra_error err = {0};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, len), (ssize_t)len);
    assert_int_equal(close(fd), 0);
    snprintf(text, sizeof(text), "iscsi://u@h/?password_file=%s", path);
    int rc = iskra_url_parse(text, url, &err);
    assert_int_equal(unlink(path), 0);
    assert_null(strstr(err.text, "sesame"));
    return rc;
}

static void a_password_file_is_its_first_line(void **state)
{
    struct iskra_url url;
    assert_int_equal(from_file("sesame\nmore", 11, &url), 0);
    assert_string_equal(url.settings.chap.secret, "sesame");
    assert_int_equal(from_file("sesame\r\n", 8, &url), 0);
    assert_string_equal(url.settings.chap.secret, "sesame");
    assert_false(url.password_in_url);
    assert_int_equal(from_file("", 0, &url), -EINVAL);
    assert_int_equal(from_file("\nsesame", 7, &url), -EINVAL);
    assert_int_equal(from_file("sesame\0more\n", 12, &url), -EINVAL);
    char longest[257];
    memset(longest, 'x', sizeof(longest));
    longest[255] = '\n';
    assert_int_equal(from_file(longest, 256, &url), 0);
    longest[255] = 'x';
    assert_int_equal(from_file(longest, 256, &url), -EINVAL);
    assert_int_equal(from_file(longest, 257, &url), -EINVAL);
}

static void a_descriptor_is_read_too(void **state)
{
    int fds[2];
    char text[64];
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "sesame\n", 7), 7);
    assert_int_equal(close(fds[1]), 0);
    snprintf(text, sizeof(text), "iscsi://u@h/?password_fd=%d", fds[0]);
    struct iskra_url url = good(text);
    assert_string_equal(url.settings.chap.secret, "sesame");
    bad(text, text + strlen("iscsi://u@h/?")); /* names the descriptor; a pipe gives it once */
    assert_int_equal(close(fds[0]), 0);
}

static void a_wiped_url_holds_no_secret(void **state)
{
    static const struct iskra_chap_config nothing;
    struct iskra_url url = good("iscsi://u:sesame@h/?target_password=theirs");
    iskra_url_wipe(&url);
    assert_memory_equal(&url.settings.chap, &nothing, sizeof(nothing));
}

static void an_endless_url_is_refused(void **state)
{
    char *text = malloc(70000);
    memset(text, 'a', 69999);
    text[69999] = '\0';
    bad(text, "longer than 8192");
    memcpy(text, "iscsi://", 8);
    text[400] = '\0';
    bad(text, "host is longer than 255");
    free(text);
}

static void random_bytes_never_crash(void **state)
{
    uint32_t seed = 1;
    static const char alphabet[] = "iscsi:/[]?&=%@,.0123456789abcdefn-+\x01\xff";
    for (int i = 0; i < 20000; i++) {
        char text[64] = "iscsi://";
        size_t len = 8;
        for (; len < 63; len++) {
            seed = seed * 1664525u + 1013904223u;
            text[len] = alphabet[(seed >> 16) % (sizeof(alphabet))];
        }
        text[63] = '\0';
        char *exact = strdup(text + (seed >> 30) * 4);
        struct iskra_url url;
        struct iskra_error err = {0};
        int rc = iskra_url_parse(exact, &url, &err);
        assert_true(rc == 0 || (rc == -EINVAL && err.text[0] != '\0'));
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_is_found),
        cmocka_unit_test(defaults_are_open_iscsis),
        cmocka_unit_test(a_bare_portal_is_a_url),
        cmocka_unit_test(parts_may_be_left_out_from_the_end),
        cmocka_unit_test(percent_escapes_are_decoded_in_every_part),
        cmocka_unit_test(broken_escapes_are_refused),
        cmocka_unit_test(hosts_and_ports_are_judged),
        cmocka_unit_test(target_names_are_judged),
        cmocka_unit_test(luns_are_judged),
        cmocka_unit_test(option_values_are_judged_with_their_key),
        cmocka_unit_test(a_value_is_read_to_its_last_byte),
        cmocka_unit_test(a_key_is_given_once),
        cmocka_unit_test(keys_are_written_in_one_way),
        cmocka_unit_test(good_option_values_land_where_they_belong),
        cmocka_unit_test(credentials_have_to_be_complete),
        cmocka_unit_test(equal_secrets_both_ways_are_refused),
        cmocka_unit_test(no_secret_is_in_an_error),
        cmocka_unit_test(a_password_may_be_in_the_url_both_ways),
        cmocka_unit_test(the_environment_fills_in_what_the_url_lacks),
        cmocka_unit_test(a_password_file_is_its_first_line),
        cmocka_unit_test(a_descriptor_is_read_too),
        cmocka_unit_test(a_wiped_url_holds_no_secret),
        cmocka_unit_test(an_endless_url_is_refused),
        cmocka_unit_test(random_bytes_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
