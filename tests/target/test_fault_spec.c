/* The grammar of faults: what it accepts and as what, what it refuses and with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "target/fault_spec.h"
#include "target/target.h"
#include "wire/bhs.h"
#include "wire/cdb.h"

static struct fault_spec parsed(const char *text)
{
    struct fault_spec spec;
    struct iskra_error err = {0};
    if (target_fault_parse(text, &spec, &err) < 0)
        fail_msg("%s: %s", text, err.text);
    return spec;
}

static void an_action_and_a_pdu_are_enough(void **state)
{
    struct fault_spec spec = parsed("drop:data-in");
    assert_int_equal(spec.action, FAULT_DROP);
    assert_int_equal(spec.pdu.opcodes, FAULT_BIT(ISKRA_OP_DATA_IN));
    assert_int_equal(spec.first, 1);
    assert_int_equal(spec.every, 1);
    assert_true(spec.most == UINT64_MAX);
    assert_false(spec.of_command);
    assert_false(spec.each_conn);
    assert_int_equal(spec.conn, 0);
}

static void counts_are_first_every_and_most(void **state)
{
    static const struct {
        const char *text;
        uint64_t first, every, most;
    } rows[] = {
        {"drop:r2t#3", 3, 0, UINT64_MAX},   {"drop:r2t#3+", 3, 1, UINT64_MAX},
        {"drop:r2t#3+4", 3, 4, UINT64_MAX}, {"drop:r2t#3+x2", 3, 1, 2},
        {"drop:r2t#1+4x5@conn", 1, 4, 5},   {"drop:r2t#4294967295", UINT32_MAX, 0, UINT64_MAX},
    };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fault_spec spec = parsed(rows[i].text);
        if (spec.first != rows[i].first || spec.every != rows[i].every || spec.most != rows[i].most)
            fail_msg("%s: first %ju, every %ju, most %ju", rows[i].text, (uintmax_t)spec.first,
                     (uintmax_t)spec.every, (uintmax_t)spec.most);
    }
}

static void times_have_units(void **state)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } rows[] = {
        {"delay=2s:any", 2000000000},
        {"delay=2:any", 2000000000},
        {"delay=1.5s:any", 1500000000},
        {"delay=500ms:any", 500000000},
        {"delay=20us:any", 20000},
        {"delay=2m:any", UINT64_C(120000000000)},
        {"stall:any", UINT64_MAX},
        {"stall=0.001:any", 1000000},
        {"delay=86400s:any", FAULT_TIME_MAX_NS},
    };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fault_spec spec = parsed(rows[i].text);
        if (spec.time_ns != rows[i].ns)
            fail_msg("%s: %ju ns", rows[i].text, (uintmax_t)spec.time_ns);
    }
}

static void fields_are_set_or_moved(void **state)
{
    struct fault_spec spec = parsed("field=maxcmdsn-1:scsi-response#4");
    assert_string_equal(spec.field->name, "maxcmdsn");
    assert_int_equal(spec.operation, FAULT_SUBTRACT);
    assert_int_equal(spec.value, 1);
    spec = parsed("field=itt=0xffffffff:data-in");
    assert_int_equal(spec.operation, FAULT_SET);
    assert_int_equal(spec.value, 0xffffffff);
    spec = parsed("field=offset+512:any-out");
    assert_int_equal(spec.operation, FAULT_ADD);
    assert_int_equal(spec.pdu.opcodes, FAULT_BIT(ISKRA_OP_DATA_IN) | FAULT_BIT(ISKRA_OP_R2T));
    spec = parsed("field=lun=0xffffffffffffffff:command");
    assert_true(spec.value == UINT64_MAX);
}

static void answers_are_status_or_sense(void **state)
{
    assert_int_equal(parsed("status=task-set-full:command").status, ISKRA_STATUS_TASK_SET_FULL);
    struct fault_spec spec = parsed("sense=0b/47/5:command(write)");
    assert_int_equal(spec.key << 16 | spec.asc << 8 | spec.ascq, 0x0b4705);
    assert_true(target_fault_command_is(&spec.command, ISKRA_SCSI_WRITE_10, 0));
    assert_false(target_fault_command_is(&spec.command, ISKRA_SCSI_READ_10, 0));
}

static void commands_are_words_or_operation_codes(void **state)
{
    struct fault_spec spec = parsed("drop:command(0x9e)#1");
    assert_true(target_fault_command_is(&spec.command, 0x9e, 0x10));
    assert_true(target_fault_command_is(&spec.command, 0x9e, 0x12));
    spec = parsed("drop:data-in(read-capacity-16)#1");
    assert_true(target_fault_command_is(&spec.command, 0x9e, 0x10));
    assert_false(target_fault_command_is(&spec.command, 0x9e, 0x12));
}

static void scopes_are_all_each_or_one(void **state)
{
    assert_true(parsed("close:any@conn").each_conn);
    assert_int_equal(parsed("close:any#3@conn=2").conn, 2);
}

static void a_bad_word_is_named_with_what_is_allowed(void **state)
{
    static const struct {
        const char *text, *word, *allowed;
    } rows[] = {
        {"", "no action ''", "drop, delay"},
        {"jump:data-in", "'jump'", "stall"},
        {"drop", "no PDU behind 'drop'", "ACTION:PDU"},
        {"drop:", "no PDU ''", "data-in"},
        {"drop:data-inn", "'data-inn'", "scsi-response"},
        {"drop=1:data-in", "'1'", "none"},
        {"close=:data-in", "''", "none"},
        {"delay:data-in", "no time ''", "500ms"},
        {"delay=x:data-in", "'x'", "500ms"},
        {"delay=0:data-in", "'0'", "500ms"},
        {"delay=1.:data-in", "'1.'", "500ms"},
        {"delay=1.2.3s:data-in", "'1.2.3s'", "500ms"},
        {"delay=86401s:data-in", "'86401s'", "a day"},
        {"delay=99999999999999999999s:data-in", "'99999999999999999999s'", "a day"},
        {"stall=1h:data-in", "'1h'", "2m"},
        {"corrupt:data-in", "''", "header"},
        {"corrupt=tail:data-in", "'tail'", "data-digest"},
        {"corrupt=data:r2t", "never has 'data'", "another"},
        {"corrupt=digest:login", "never has 'digest'", "another"},
        {"status=sleepy:command", "'sleepy'", "busy"},
        {"lose=1:command", "'1'", "none"},
        {"lose:data-out", "'data-out'", "command"},
        {"lose:any", "'any'", "command"},
        {"lose:command(read)", "'read'", "write, write-same"},
        {"lose:command(0x28)", "'0x28'", "unmap"},
        {"status=busy:scsi-response", "'scsi-response'", "command"},
        {"status=busy:any", "'any'", "command"},
        {"sense=3/11:command", "'3/11'", "KEY/ASC/ASCQ"},
        {"sense=10/0/0:command", "'10/0/0'", "KEY/ASC/ASCQ"},
        {"sense=3/100/0:command", "'3/100/0'", "KEY/ASC/ASCQ"},
        {"sense=3/11/0/0:command", "'3/11/0/0'", "KEY/ASC/ASCQ"},
        {"field=r2tsn=1:data-in", "'r2tsn'", "datasn"},
        {"field=dsl=1:command", "'dsl'", "cmdsn"},
        {"field=itt:data-in", "'itt'", "FIELD=N"},
        {"field=itt=:data-in", "''", "0xffffffff"},
        {"field=itt=0x:data-in", "'0x'", "0xffffffff"},
        {"field=itt=4294967296:data-in", "'4294967296'", "0xffffffff"},
        {"field=opcode=0x40:data-in", "'0x40'", "0x3f"},
        {"drop:command(reed)", "'reed'", "read, write"},
        {"drop:command(read", "no ) behind 'read'", "(COMMAND)"},
        {"drop:command(0x100)", "'0x100'", "inquiry"},
        {"drop:nop-out(read)", "'nop-out'", "data-out"},
        {"drop:command(read)x", "'x'", "@conn"},
        {"drop:data-in#", "''", "#N"},
        {"drop:data-in#0", "'0'", "#N"},
        {"drop:data-in#x", "'x'", "#N"},
        {"drop:data-in#1+0", "'1+0'", "#N"},
        {"drop:data-in#1x2", "'1x2'", "#N"},
        {"drop:data-in#1+x0", "'1+x0'", "#N"},
        {"drop:data-in#1+x", "'1+x'", "#N"},
        {"drop:data-in#4294967296", "'4294967296'", "#N"},
        {"drop:data-in@", "'@'", "@conn"},
        {"drop:data-in@con", "'@con'", "@conn"},
        {"drop:data-in@conn=0", "'@conn=0'", "@conn"},
        {"drop:data-in@conn=x", "'@conn=x'", "@conn"},
        {"dr\033p:data-in", "'dr\\x1bp'", "drop"},
    };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fault_spec spec = {.first = 77};
        struct iskra_error err = {0};
        int rc = target_fault_parse(rows[i].text, &spec, &err);
        if (rc >= 0 || err.code != ISKRA_E_USAGE || spec.first != 77 ||
            !strstr(err.text, rows[i].word) || !strstr(err.text, rows[i].allowed) ||
            strchr(err.text, '\n'))
            fail_msg("%s: %d, \"%s\"", rows[i].text, rc, err.text);
    }
}

static void a_word_without_end_is_cut(void **state)
{
    char text[2000];
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    struct fault_spec spec;
    struct iskra_error err = {0};
    assert_true(target_fault_parse(text, &spec, &err) < 0);
    assert_non_null(strstr(err.text, "1999 bytes"));
    text[100] = '\0';
    err = (struct iskra_error){0};
    assert_true(target_fault_parse(text, &spec, &err) < 0);
    assert_non_null(strstr(err.text, "allowed: drop"));
}

/* Whatever bytes come, the answer is a fault or a refusal. */
static void cut_and_changed_specs_are_judged(void **state)
{
    static const char *const good[] = {"sense=0b/47/00:command(read-capacity-16)#12+3x4@conn=5",
                                       "field=maxcmdsn-0x1f:any-out#3@conn",
                                       "delay=1.25ms:data-in(0x28)#1+x2"};
    for (unsigned g = 0; g < 3; g++)
        for (size_t i = 0; i < strlen(good[g]); i++)
            for (int c = 0; c < 256; c++) {
                char text[64];
                (void)snprintf(text, sizeof(text), "%s", good[g]);
                text[i] = (char)c;
                struct fault_spec spec;
                struct iskra_error err = {0};
                int rc = target_fault_parse(text, &spec, &err);
                assert_int_equal(rc < 0, err.code == ISKRA_E_USAGE);
            }
}

static void every_word_of_the_help_is_known(void **state)
{
    const char *help = iskra_target_fault_help();
    const char *pdus = strstr(help, "\nPDU ");
    assert_non_null(pdus);
    char words[600];
    (void)snprintf(words, sizeof(words), "%.*s", (int)strcspn(pdus + 5, "\n"), pdus + 5);
    unsigned cnt = 0;
    for (char *word = strtok(words, ", "); word; word = strtok(NULL, ", ")) {
        char text[64];
        (void)snprintf(text, sizeof(text), "drop:%s", word);
        (void)parsed(text);
        cnt++;
    }
    assert_int_equal(cnt, 21);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_action_and_a_pdu_are_enough),
        cmocka_unit_test(counts_are_first_every_and_most),
        cmocka_unit_test(times_have_units),
        cmocka_unit_test(fields_are_set_or_moved),
        cmocka_unit_test(answers_are_status_or_sense),
        cmocka_unit_test(commands_are_words_or_operation_codes),
        cmocka_unit_test(scopes_are_all_each_or_one),
        cmocka_unit_test(a_bad_word_is_named_with_what_is_allowed),
        cmocka_unit_test(a_word_without_end_is_cut),
        cmocka_unit_test(cut_and_changed_specs_are_judged),
        cmocka_unit_test(every_word_of_the_help_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
