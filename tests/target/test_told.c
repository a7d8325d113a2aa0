/* What the target tells of itself beyond INQUIRY: its commands (REPORT SUPPORTED OPERATION CODES),
 * its holes (GET LBA STATUS), and LUN numbers that do not begin at 0. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rig.h"
#include "wire/be.h"
#include "wire/extent.h"
#include "wire/luns.h"
#include "wire/sense.h"
#include "writer.h"

#define ILLEGAL    ISKRA_SENSE_ILLEGAL_REQUEST
#define HUGE_BYTES (UINT64_C(4) << 40) /* 2^33 blocks of 512 */
#define GRAIN      8u                  /* blocks of 512 in what a RAM disk gives back at once */

static void cdb_report(uint8_t options, uint8_t opcode, uint16_t action, uint32_t alloc_len)
{
    memset(cdb, 0, sizeof(cdb));
    cdb[0] = 0xa3;
    cdb[1] = 0x0c;
    cdb[2] = options;
    cdb[3] = opcode;
    iskra_put_be16(cdb + 4, action);
    iskra_put_be32(cdb + 6, alloc_len);
}

/* The CDB with only its operation code and service action; the answer's additional sense code. */
static uint8_t asc_of(uint8_t opcode, uint16_t action)
{
    struct outcome o;
    memset(cdb, 0, sizeof(cdb));
    cdb[0] = opcode;
    cdb[1] = (uint8_t)(opcode == 0x7f ? 0 : action);
    peer_command(&peer, 0, cdb, 512, true);
    peer_outcome(&peer, &o);
    uint8_t asc = o.status == ISKRA_STATUS_CHECK_CONDITION ? o.asc : 0;
    outcome_done(&o);
    return asc;
}

static void the_commands_it_lists_are_those_it_has(void **state)
{
    bool listed[256] = {false};
    struct outcome o;
    cdb_report(0, 0, 0, 4096);
    rig_good(0, 4096, &o);
    assert_int_equal(iskra_get_be32(o.bytes), o.len - 4);
    assert_int_equal(o.len % 8, 4);
    for (uint32_t at = 4; at < o.len; at += 8) {
        const uint8_t *desc = o.bytes + at;
        unsigned len = iskra_cdb_len(desc[0]);
        listed[desc[0]] = true;
        assert_int_equal(iskra_get_be16(desc + 6), len ? len : 32);
        assert_int_equal(desc[5], iskra_get_be16(desc + 2) ? 1 : 0);
    }
    for (unsigned opcode = 0; opcode < 256; opcode++) {
        uint16_t action = opcode == 0x9e ? 0x10 : opcode == 0xa3 ? 0x0c : 0;
        uint8_t asc = asc_of((uint8_t)opcode, action);
        /* A variable-length CDB as short as this one makes no sense whatever is listed. */
        if (opcode != 0x7f && (asc != 0x20) != listed[opcode])
            fail_msg("operation code %02x: listed %d, asc %02x", opcode, listed[opcode], asc);
    }
    outcome_done(&o);
}

static void each_listed_command_tells_its_cdb(void **state)
{
    struct outcome all, one;
    cdb_report(0, 0, 0, 4096);
    rig_good(0, 4096, &all);
    for (uint32_t at = 4; at < all.len; at += 8) {
        const uint8_t *desc = all.bytes + at;
        uint16_t len = iskra_get_be16(desc + 6), action = iskra_get_be16(desc + 2);
        bool has_action = desc[5] & 1;
        cdb_report(has_action ? 2 : 1, desc[0], action, 4096);
        rig_good(0, 4096, &one);
        assert_int_equal(one.bytes[1], 3);
        assert_int_equal(iskra_get_be16(one.bytes + 2), len);
        assert_int_equal(one.len, 4u + len);
        assert_int_equal(one.bytes[4], desc[0]);
        if (has_action && desc[0] != 0x7f)
            assert_int_equal(one.bytes[5], action);
        if (desc[0] == 0x7f)
            assert_int_equal(iskra_get_be16(one.bytes + 12), action);
        outcome_done(&one);
        cdb_report(has_action ? 1 : 2, desc[0], action, 4096); /* the wrong way of asking */
        peer_refused_with(&peer, 0, cdb, 4096, ILLEGAL, 0x24, 0);
        cdb_report(3, desc[0], action, 4096);
        rig_good(0, 4096, &one);
        assert_int_equal(one.bytes[1], 3);
        outcome_done(&one);
    }
    outcome_done(&all);
}

static void write_same_16_has_ndob_and_unmap(void **state)
{
    struct outcome o;
    cdb_report(1, 0x93, 0, 64);
    rig_good(0, 64, &o);
    assert_int_equal(o.len, 20);
    assert_int_equal(o.bytes[5] & 0x09, 0x09);
    outcome_done(&o);
}

static void a_command_it_does_not_have_is_told_as_such(void **state)
{
    struct outcome o;
    for (uint8_t options = 1; options <= 3; options++) {
        cdb_report(options, 0xc1, 0, 64);
        rig_good(0, 64, &o);
        assert_int_equal(o.len, 4);
        assert_int_equal(o.bytes[1], 1);
        assert_int_equal(iskra_get_be16(o.bytes + 2), 0);
        outcome_done(&o);
    }
    cdb_report(2, 0x9e, 0x1f, 64);
    rig_good(0, 64, &o);
    assert_int_equal(o.bytes[1], 1);
    outcome_done(&o);
    cdb_report(4, 0x00, 0, 64);
    peer_refused_with(&peer, 0, cdb, 64, ILLEGAL, 0x24, 0);
}

static void timeouts_are_told_when_asked_for(void **state)
{
    struct outcome o, with;
    cdb_report(0, 0, 0, 4096);
    rig_good(0, 4096, &o);
    cdb_report(0x80, 0, 0, 4096);
    rig_good(0, 4096, &with);
    assert_int_equal(with.len - 4, (o.len - 4) / 8 * 20);
    assert_int_equal(with.bytes[4 + 5] & 2, 2);
    assert_int_equal(iskra_get_be16(with.bytes + 4 + 8), 10);
    outcome_done(&o);
    outcome_done(&with);
    cdb_report(0x81, 0x12, 0, 4096);
    rig_good(0, 4096, &with);
    assert_int_equal(with.len, 4 + 6 + 12);
    assert_int_equal(with.bytes[1], 0x83);
    outcome_done(&with);
}

/* ---- holes ---- */

static int open_disks(void **state)
{
    static struct iskra_target_backend backends[3];
    struct iskra_target_options options;
    iskra_target_options_init(&options);
    backends[0] = (struct iskra_target_backend){.kind = ISKRA_TARGET_RAM, .size = HUGE_BYTES};
    backends[1] = (struct iskra_target_backend){.kind = ISKRA_TARGET_FILE, .path = rig_path};
    backends[2] = (struct iskra_target_backend){
        .kind = ISKRA_TARGET_RAM, .size = 100 * 65536, .block_len = 65536};
    options.backends = backends;
    options.backend_cnt = 3;
    rig_open(&options);
    peer_login(&peer, TEXT(NAMES "\0MaxRecvDataSegmentLength=262144"));
    return 0;
}

static uint64_t field(unsigned number)
{
    uint64_t lun;
    assert_int_equal(iskra_lun_encode(number, &lun), 0);
    return lun;
}

struct told {
    uint64_t lba, cnt;
    unsigned hole;
};

/* GET LBA STATUS at `lba` begins with these. */
static void told(unsigned lun, uint64_t lba, const struct told *want, uint32_t cnt)
{
    struct outcome o;
    uint32_t len = 8 + 16 * cnt;
    (void)iskra_cdb_get_lba_status(cdb, lba, len);
    rig_good(field(lun), len, &o);
    assert_int_equal(o.len, len);
    assert_int_equal(iskra_get_be32(o.bytes), len - 4);
    for (uint32_t i = 0; i < cnt; i++) {
        const uint8_t *desc = o.bytes + 8 + (size_t)i * 16;
        if (iskra_get_be64(desc) != want[i].lba || iskra_get_be32(desc + 8) != want[i].cnt ||
            desc[12] != want[i].hole)
            fail_msg("extent %u: %llu+%u state %u, wanted %llu+%llu state %u", i,
                     (unsigned long long)iskra_get_be64(desc), iskra_get_be32(desc + 8), desc[12],
                     (unsigned long long)want[i].lba, (unsigned long long)want[i].cnt,
                     want[i].hole);
    }
    outcome_done(&o);
}

static void put(unsigned lun, uint64_t lba, uint32_t block_len, uint32_t cnt)
{
    uint8_t *bytes = malloc((size_t)cnt * block_len);
    pattern_fill(bytes, (size_t)cnt * block_len, 7);
    (void)iskra_cdb_write16(cdb, lba, cnt, 0);
    write_good(&peer, field(lun), cdb, bytes, cnt * block_len);
    free(bytes);
}

static void unmap(unsigned lun, uint64_t lba, uint32_t cnt)
{
    uint8_t list[24];
    struct iskra_lba_extent extent = {.lba = lba, .block_cnt = cnt};
    assert_int_equal(iskra_unmap_encode(&extent, 1, list, sizeof(list)), sizeof(list));
    (void)iskra_cdb_unmap(cdb, sizeof(list), 0);
    write_good(&peer, field(lun), cdb, list, sizeof(list));
}

static void memory_is_a_hole_until_it_is_written_and_again_when_unmapped(void **state)
{
    const uint64_t far = (UINT64_C(1) << 33) - 2 * GRAIN;
    put(0, far, 512, GRAIN);
    told(0, far, (struct told[]){{far, GRAIN, 0}, {far + GRAIN, GRAIN, 1}}, 2);
    put(0, 64 * GRAIN + 3, 512, 1); /* one block takes its grain */
    told(0, 64 * GRAIN - 1, (struct told[]){{64 * GRAIN - 1, 1, 1}, {64 * GRAIN, GRAIN, 0}}, 2);
    unmap(0, 64 * GRAIN, GRAIN - 1); /* and keeps it until all is given back */
    told(0, 64 * GRAIN, (struct told[]){{64 * GRAIN, GRAIN, 0}}, 1);
    unmap(0, 64 * GRAIN, GRAIN);
    struct told all = {10, 0, 1};
    struct outcome o;
    (void)iskra_cdb_get_lba_status(cdb, all.lba, 24);
    rig_good(0, 24, &o);
    assert_int_equal(o.bytes[8 + 12], 1);
    assert_true(iskra_get_be32(o.bytes + 16) > 64 * GRAIN);
    outcome_done(&o);
}

/* Not every file system can make holes, or tell them. */
static bool holes_here(void)
{
    int fd = open(rig_path, O_RDWR | O_CLOEXEC);
    bool here = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 65536) == 0 &&
                lseek(fd, 0, SEEK_DATA) == 65536;
    (void)close(fd);
    return here;
}

static void a_file_tells_what_its_file_system_knows(void **state)
{
    struct outcome o;
    if (!holes_here())
        skip();
    assert_int_equal(truncate(rig_path, 0), 0); /* all holes */
    assert_int_equal(truncate(rig_path, RIG_FILE_LEN), 0);
    told(1, 1, (struct told[]){{1, RIG_FILE_LEN / 512 - 1, 1}}, 1);
    put(1, 256, 512, 128); /* 64 KiB at 128 KiB */
    told(1, 0, (struct told[]){{0, 256, 1}, {256, 128, 0}, {384, RIG_FILE_LEN / 512 - 384, 1}}, 3);
    (void)iskra_cdb_get_lba_status(cdb, 300, 24);
    rig_good(field(1), 24, &o);
    assert_int_equal(iskra_get_be64(o.bytes + 8), 300);
    assert_int_equal(iskra_get_be32(o.bytes + 16), 84);
    outcome_done(&o);
    unmap(1, 256, 128);
    told(1, 0, (struct told[]){{0, RIG_FILE_LEN / 512, 1}}, 1);
}

static void blocks_larger_than_a_page_are_whole_holes_or_none(void **state)
{
    put(2, 5, 65536, 2);
    told(2, 0, (struct told[]){{0, 5, 1}, {5, 2, 0}, {7, 93, 1}}, 3);
    unmap(2, 6, 1);
    told(2, 4, (struct told[]){{4, 1, 1}, {5, 1, 0}, {6, 94, 1}}, 3);
}

/* More than fit an answer: it ends early, and goes on where it ended. */
static void many_extents_take_several_answers(void **state)
{
    struct outcome o;
    for (uint32_t i = 0; i < 100; i++)
        put(0, 2 * (uint64_t)i * GRAIN, 512, GRAIN);
    uint64_t lba = 0;
    for (uint32_t asked = 0; lba < 199 * GRAIN; asked++) {
        assert_true(asked < 10);
        (void)iskra_cdb_get_lba_status(cdb, lba, 65536);
        rig_good(0, 65536, &o);
        for (uint32_t at = 8; at < o.len && lba < 199 * GRAIN; at += 16) {
            assert_int_equal(iskra_get_be64(o.bytes + at), lba);
            assert_int_equal(o.bytes[at + 12], lba / GRAIN % 2);
            assert_int_equal(iskra_get_be32(o.bytes + at + 8), GRAIN);
            lba += GRAIN;
        }
        outcome_done(&o);
    }
}

/* The answer waits behind a read that nobody takes; meanwhile all extents become one. */
static void an_answer_keeps_its_length_when_the_holes_change(void **state)
{
    struct outcome o;
    for (uint32_t i = 0; i < 4; i++)
        put(2, 2 * i, 65536, 1);
    peer.hold = true;
    for (uint32_t i = 0; i < 3; i++) {
        (void)iskra_cdb_read16(cdb, 0, 2048, 0);
        peer_command(&peer, 0, cdb, 2048 * 512, true);
    }
    (void)iskra_cdb_get_lba_status(cdb, 0, 8 + 16 * 7);
    peer_command(&peer, field(2), cdb, 8 + 16 * 7, true);
    uint8_t list[24];
    struct iskra_lba_extent extent = {.lba = 0, .block_cnt = 8};
    (void)iskra_unmap_encode(&extent, 1, list, sizeof(list));
    (void)iskra_cdb_unmap(cdb, sizeof(list), 0);
    (void)write_send(&peer, field(2), cdb, sizeof(list), list, sizeof(list), true);
    peer.hold = false;
    peer_drain(&peer);
    for (uint32_t i = 0; i < 3; i++) {
        peer_outcome(&peer, &o);
        assert_int_equal(o.status, 0);
        outcome_done(&o);
    }
    peer_outcome(&peer, &o);
    assert_int_equal(o.status, 0);
    assert_int_equal(o.len, 8 + 16 * 7);
    uint64_t lba = 0;
    for (uint32_t at = 8; at < o.len; at += 16) {
        assert_int_equal(iskra_get_be64(o.bytes + at), lba);
        assert_int_equal(o.bytes[at + 12], 1);
        lba += iskra_get_be32(o.bytes + at + 8);
    }
    assert_int_equal(lba, 100);
    outcome_done(&o);
    ends_with(&peer, 0);
}

/* ---- LUN numbers ---- */

static int open_from_300(void **state)
{
    struct iskra_target_options options;
    iskra_target_options_init(&options);
    options.first_lun = 300;
    return rig_disks_open(&options, TEXT(NAMES "\0MaxRecvDataSegmentLength=65536"));
}

static void lun_numbers_may_begin_anywhere(void **state)
{
    struct outcome o;
    (void)iskra_cdb_report_luns(cdb, 0, 64);
    rig_good(0, 64, &o); /* on a LUN that is not there */
    assert_int_equal(o.len, 8 + 3 * 8);
    for (unsigned i = 0; i < 3; i++)
        assert_true(iskra_get_be64(o.bytes + 8 + 8 * (size_t)i) == field(300 + i));
    outcome_done(&o);
    static const unsigned absent[] = {0, 2, 299, 303, 16383};
    for (unsigned i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        (void)iskra_cdb_test_unit_ready(cdb);
        peer_refused_with(&peer, field(absent[i]), cdb, 0, ILLEGAL, 0x25, 0);
        (void)iskra_cdb_inquiry(cdb, 36);
        rig_good(field(absent[i]), 36, &o);
        assert_int_equal(o.bytes[0], 0x7f);
        outcome_done(&o);
    }
    for (unsigned i = 300; i < 303; i++) {
        (void)iskra_cdb_test_unit_ready(cdb);
        rig_good(field(i), 0, &o);
        outcome_done(&o);
    }
    blocks_are(&peer, field(301), 5, rig_image + 5 * 512, 512);
}

static void lun_numbers_have_an_end(void **state)
{
    static const struct iskra_target_backend backend = {.kind = ISKRA_TARGET_NULL, .size = 4096};
    struct iskra_target_options options;
    struct iskra_error err = {0};
    struct iskra_target *none = NULL;
    iskra_target_options_init(&options);
    options.backends = &backend;
    options.backend_cnt = 1;
    options.lun_cnt = 2;
    options.first_lun = ISKRA_TARGET_LUN_MAX - 1;
    assert_true(iskra_target_new(&options, &none, &err) < 0);
    assert_non_null(strstr(err.text, "16384"));
    options.first_lun = UINT32_MAX;
    assert_true(iskra_target_new(&options, &none, &err) < 0);
    options.first_lun = ISKRA_TARGET_LUN_MAX - 2;
    assert_int_equal(iskra_target_new(&options, &none, &err), 0);
    iskra_target_free(none);
}

#define T(name)        cmocka_unit_test_setup_teardown(name, rig_disks_setup, rig_teardown)
#define T_HOLES(name)  cmocka_unit_test_setup_teardown(name, open_disks, rig_teardown)
#define T_NUMBER(name) cmocka_unit_test_setup_teardown(name, open_from_300, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_commands_it_lists_are_those_it_has),
        T(each_listed_command_tells_its_cdb),
        T(write_same_16_has_ndob_and_unmap),
        T(a_command_it_does_not_have_is_told_as_such),
        T(timeouts_are_told_when_asked_for),
        T_NUMBER(lun_numbers_may_begin_anywhere),
        cmocka_unit_test(lun_numbers_have_an_end),
        T_HOLES(memory_is_a_hole_until_it_is_written_and_again_when_unmapped),
        T_HOLES(blocks_larger_than_a_page_are_whole_holes_or_none),
        T_HOLES(many_extents_take_several_answers),
        T_HOLES(an_answer_keeps_its_length_when_the_holes_change),
        T_HOLES(a_file_tells_what_its_file_system_knows), /* last: it changes the file */
    };
    return cmocka_run_group_tests_name("told", tests, rig_disks_make, rig_disks_remove);
}
