/* decide_disposition over all there is: every host byte with every status, every sense key with
 * every additional code, and the facts beside them, against tables written down anew from the
 * rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "iscsi/cmd.h"
#include "scsi/disposition.h"

/* What a rule comes to. */
enum rule {
    DONE,
    RETRY, /* counted, and within bounds */
    AGAIN, /* not counted: NEEDS_RETRY */
    REQUEUE,
    FAIL,
    BY_STATUS,
    BY_SENSE,
};
#define SAME (-1)
#define ANY  (-1)

struct expected {
    enum rule rule;
    int host; /* SAME: as it was */
};

struct byte_row {
    uint8_t byte;
    enum rule rule;
    int host;
};

static const struct byte_row host_rows[] = {
    {0x00, BY_STATUS, SAME}, /* OK */
    {0x01, DONE, SAME},      /* NO_CONNECT */
    {0x02, RETRY, SAME},     /* BUS_BUSY */
    {0x03, FAIL, SAME},      /* TIME_OUT */
    {0x04, DONE, SAME},      /* BAD_TARGET */
    {0x05, DONE, SAME},      /* ABORT */
    {0x06, RETRY, SAME},     /* PARITY */
    {0x07, RETRY, SAME},     /* ERROR */
    {0x08, DONE, SAME},      /* RESET */
    {0x0b, RETRY, SAME},     /* SOFT_ERROR */
    {0x0c, AGAIN, SAME},     /* IMM_RETRY */
    {0x0d, REQUEUE, SAME},   /* REQUEUE */
    {0x0e, RETRY, SAME},     /* TRANSPORT_DISRUPTED */
    {0x0f, DONE, SAME},      /* TRANSPORT_FAILFAST */
};

static const struct byte_row status_rows[] = {
    {0x00, DONE, SAME},    /* GOOD */
    {0x02, BY_SENSE, 0},   /* CHECK CONDITION */
    {0x04, DONE, SAME},    /* CONDITION MET */
    {0x08, REQUEUE, SAME}, /* BUSY */
    {0x10, DONE, SAME},    /* INTERMEDIATE */
    {0x14, DONE, SAME},    /* INTERMEDIATE, CONDITION MET */
    {0x18, DONE, 0x11},    /* RESERVATION CONFLICT: NEXUS_FAILURE */
    {0x22, DONE, SAME},    /* COMMAND TERMINATED */
    {0x28, REQUEUE, SAME}, /* TASK SET FULL */
    {0x30, DONE, SAME},    /* ACA ACTIVE */
    {0x40, RETRY, SAME},   /* TASK ABORTED */
};

/* The first that fits; TARGET_FAILURE is 10h, ALLOC_FAILURE 12h, MEDIUM_ERROR 13h. */
static const struct sense_row {
    int key, asc, ascq;
    enum rule rule;
    int host;
} sense_rows[] = {
    {0x2, 0x04, 0x01, RETRY, SAME}, /* becoming ready */
    {0x6, 0x04, 0x01, RETRY, SAME}, /* the same rule serves both keys */
    {0x3, 0x11, ANY, DONE, 0x13},   /* the block is lost */
    {0x3, 0x13, ANY, DONE, 0x13},   {0x3, 0x14, ANY, DONE, 0x13},  {0x3, ANY, ANY, RETRY, SAME},
    {0x4, ANY, ANY, DONE, 0x10},    {0x5, 0x20, ANY, DONE, 0x10},  {0x5, 0x21, ANY, DONE, 0x10},
    {0x5, 0x22, ANY, DONE, 0x10},   {0x5, 0x24, ANY, DONE, 0x10},  {0x5, 0x26, ANY, DONE, 0x10},
    {0x5, 0x27, ANY, DONE, 0x10},   {0x7, 0x27, 0x07, DONE, 0x12}, /* no space left */
    {0x7, ANY, ANY, DONE, 0x10},    {0x8, ANY, ANY, DONE, 0x10},   {0xa, ANY, ANY, DONE, 0x10},
    {0xb, 0x10, ANY, DONE, SAME}, /* protection */
    {0xb, ANY, ANY, RETRY, SAME},   {0xd, ANY, ANY, DONE, 0x10},   {0xe, ANY, ANY, DONE, 0x10},
    {ANY, ANY, ANY, DONE, SAME},
};

static struct expected of_sense(const struct iskra_verdict_facts *f)
{
    const struct iskra_sense *s = &f->sense;
    if (!s->valid)
        return (struct expected){FAIL, SAME};
    if (s->deferred) { /* a flush is told what went wrong before it, but not of what is no loss */
        bool loss = s->key != 0 && s->key != 1 && s->key != 6;
        return (struct expected){f->makes_safe && loss ? DONE : RETRY, SAME};
    }
    if (s->filemark || s->eom || s->ili)
        return (struct expected){DONE, SAME};
    if (s->key == 2 || s->key == 6) {
        if (f->expecting_ua && !(s->asc == 0x28 && s->ascq == 0))
            return (struct expected){RETRY, SAME};
        if (f->expecting_lun_change && s->asc == 0x3f && s->ascq == 0x0e)
            return (struct expected){RETRY, SAME};
        if (f->allow_restart && s->asc == 0x04 && s->ascq == 0x02)
            return (struct expected){FAIL, SAME};
    }
    if (s->key == 4 && f->retry_hwerror)
        return (struct expected){REQUEUE, SAME};
    const struct sense_row *row = sense_rows;
    while ((row->key != ANY && row->key != s->key) || (row->asc != ANY && row->asc != s->asc) ||
           (row->ascq != ANY && row->ascq != s->ascq))
        row++; /* the last row fits all */
    return (struct expected){row->rule, row->host};
}

static struct expected of_byte(const struct byte_row *rows, unsigned cnt, uint8_t byte)
{
    for (unsigned i = 0; i < cnt; i++)
        if (rows[i].byte == byte)
            return (struct expected){rows[i].rule, rows[i].host};
    return (struct expected){FAIL, SAME};
}

static struct expected of_facts(const struct iskra_verdict_facts *f)
{
    if (!f->device_online)
        return (struct expected){DONE, SAME};
    struct expected e = of_byte(host_rows, sizeof(host_rows) / sizeof(host_rows[0]), f->host_byte);
    if (f->host_byte == 0x05 && f->abort_scheduled)
        e.host = 0x03;
    if (f->host_byte == 0x03 && (f->opcode == 0x00 || f->opcode == 0x12))
        e.rule = DONE;
    if (f->host_byte == 0x07 && f->status == 0x18)
        e.rule = BY_STATUS;
    if (e.rule == BY_STATUS)
        e = of_byte(status_rows, sizeof(status_rows) / sizeof(status_rows[0]), f->status);
    return e.rule == BY_SENSE ? of_sense(f) : e;
}

/* Whom an early error serves better than a retry. */
static bool no_retry(const struct iskra_verdict_facts *f)
{
    switch (f->host_byte) {
    case 0x02:
    case 0x06:
    case 0x0b:
        return f->failfast;
    case 0x07:
        return f->failfast && f->status != 0x18;
    default:
        return f->status == 0x02 && (f->failfast || f->passthrough);
    }
}

static bool as_expected(const struct iskra_verdict_facts *f, struct iskra_decision *want)
{
    struct expected e = of_facts(f);
    *want = (struct iskra_decision){.host_byte = e.host == SAME ? f->host_byte : (uint8_t)e.host,
                                    .retries = f->retries};
    switch (e.rule) {
    case RETRY:
        if (want->retries < 255)
            want->retries++;
        want->disposition = want->retries <= f->allowed && !no_retry(f)
                                ? ISKRA_DISPOSITION_NEEDS_RETRY
                                : ISKRA_DISPOSITION_SUCCESS;
        break;
    case AGAIN:
        want->disposition = ISKRA_DISPOSITION_NEEDS_RETRY;
        break;
    case REQUEUE:
        want->disposition = ISKRA_DISPOSITION_ADD_TO_MLQUEUE;
        break;
    case FAIL:
        want->disposition = ISKRA_DISPOSITION_FAILED;
        break;
    default:
        want->disposition = ISKRA_DISPOSITION_SUCCESS;
        break;
    }
    struct iskra_decision d = iskra_decide_disposition(f);
    return d.disposition == want->disposition && d.host_byte == want->host_byte &&
           d.retries == want->retries;
}

static void check(const struct iskra_verdict_facts *f)
{
    struct iskra_decision want;
    if (as_expected(f, &want))
        return;
    struct iskra_decision d = iskra_decide_disposition(f);
    fail_msg("host %02x status %02x opcode %02x sense %x/%02x/%02x (valid %d deferred %d) retries "
             "%u of %u: %s host %02x retries %u; wanted %s host %02x retries %u",
             f->host_byte, f->status, f->opcode, f->sense.key, f->sense.asc, f->sense.ascq,
             f->sense.valid, f->sense.deferred, f->retries, f->allowed,
             iskra_disposition_name(d.disposition), d.host_byte, d.retries,
             iskra_disposition_name(want.disposition), want.host_byte, want.retries);
}

static void each_host_byte_with_each_status(void **state)
{
    static const uint8_t opcodes[] = {0x00, 0x12, 0x28};
    (void)state;
    for (unsigned i = 0; i < 65536; i++)
        for (unsigned flags = 0; flags < 16; flags++)
            for (unsigned j = 0; j < sizeof(opcodes); j++) {
                struct iskra_verdict_facts f = {.host_byte = (uint8_t)(i >> 8),
                                                .status = (uint8_t)i,
                                                .opcode = opcodes[j],
                                                .device_online = flags & 1,
                                                .abort_scheduled = flags & 2,
                                                .passthrough = flags & 4,
                                                .failfast = flags & 8,
                                                .allowed = 5};
                check(&f);
            }
}

static void each_of_them_around_the_last_retry(void **state)
{
    static const uint8_t counts[][2] = {{4, 5}, {5, 5}, {0, 0}, {254, 255}, {255, 255}};
    (void)state;
    for (unsigned i = 0; i < 65536; i++)
        for (unsigned j = 0; j < sizeof(counts) / sizeof(counts[0]); j++) {
            struct iskra_verdict_facts f = {.host_byte = (uint8_t)(i >> 8),
                                            .status = (uint8_t)i,
                                            .opcode = 0x28,
                                            .device_online = true,
                                            .retries = counts[j][0],
                                            .allowed = counts[j][1]};
            check(&f);
        }
}

static struct iskra_verdict_facts sense_facts(unsigned key, unsigned asc, unsigned ascq)
{
    return (struct iskra_verdict_facts){
        .status = 0x02,
        .opcode = 0x28,
        .device_online = true,
        .allowed = 5,
        .sense = {.valid = true, .key = (uint8_t)key, .asc = (uint8_t)asc, .ascq = (uint8_t)ascq}};
}

static void each_sense_key_with_each_additional_code(void **state)
{
    (void)state;
    for (unsigned key = 0; key < 16; key++)
        for (unsigned code = 0; code < 65536; code++) {
            struct iskra_verdict_facts f = sense_facts(key, code >> 8, code & 0xff);
            check(&f);
            f.retries = 5;
            check(&f);
        }
}

/* The qualifiers that some rule names. */
static void each_sense_with_all_that_may_be_known_beside_it(void **state)
{
    static const uint8_t ascqs[] = {0x00, 0x01, 0x02, 0x07, 0x0e};
    (void)state;
    for (unsigned i = 0; i < 16 * 256 * sizeof(ascqs); i++)
        for (unsigned flags = 0; flags < 256; flags++) {
            struct iskra_verdict_facts f = sense_facts(i & 15, i >> 4 & 255, ascqs[i >> 12]);
            f.sense.deferred = flags & 1;
            f.sense.eom = (flags & 6) == 4; /* each of the three alone, or none */
            f.sense.ili = (flags & 6) == 6;
            f.sense.filemark = (flags & 6) == 2;
            f.expecting_ua = flags & 8;
            f.expecting_lun_change = flags & 16;
            f.allow_restart = flags & 32;
            f.retry_hwerror = flags & 64;
            f.makes_safe = flags & 128;
            check(&f);
        }
}

static void what_is_told_beside_the_disposition(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 65536; i++) {
        struct iskra_verdict_facts f = {.host_byte = (uint8_t)(i >> 8),
                                        .status = (uint8_t)i,
                                        .opcode = 0x28,
                                        .device_online = true,
                                        .allowed = 5,
                                        .sense = {.valid = true, .key = 6, .asc = 0x29}};
        struct iskra_decision d = iskra_decide_disposition(&f);
        bool looked_at = f.host_byte == 0;
        assert_int_equal(d.queue_full, looked_at && f.status == 0x28);
        assert_int_equal(d.queue_good, looked_at && f.status == 0x00);
        assert_int_equal(d.unit_attention, looked_at && f.status == 0x02);
        assert_false(d.expected_ua_seen);
    }
    for (unsigned key = 0; key < 16; key++)
        for (unsigned code = 0; code < 65536; code++) {
            struct iskra_verdict_facts f = sense_facts(key, code >> 8, code & 0xff);
            f.expecting_ua = true;
            struct iskra_decision d = iskra_decide_disposition(&f);
            assert_int_equal(d.unit_attention, key == 6);
            assert_int_equal(d.expected_ua_seen, (key == 2 || key == 6) && code != 0x2800);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_host_byte_with_each_status),
        cmocka_unit_test(each_of_them_around_the_last_retry),
        cmocka_unit_test(each_sense_key_with_each_additional_code),
        cmocka_unit_test(each_sense_with_all_that_may_be_known_beside_it),
        cmocka_unit_test(what_is_told_beside_the_disposition),
    };
    return cmocka_run_group_tests_name("scsi disposition, all of it", tests, NULL, NULL);
}
