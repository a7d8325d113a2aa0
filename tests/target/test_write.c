/* What commands do to the medium: each command on memory, a file, nothing, and a disk that may not
 * be written; and a file that fails. Built with pwrite(), fdatasync() and fallocate() replaced,
 * under the names they have with 64-bit offsets. */
#include "writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "wire/capacity.h"
#include "wire/sense.h"
#include "wire/vpd.h"

#define DISK_LEN ((uint64_t)1 << 20)
#define BLOCKS   (DISK_LEN / 512)
#define LUN(n)   ((uint64_t)(n) << 48)
#define RAM      LUN(0)
#define ON_FILE  LUN(1)
#define NOTHING  LUN(2)
#define SEALED   LUN(3)
#define HUGE_RAM LUN(4)
#define HUGE_LEN (UINT64_C(4) << 40)
#define LEN      8192u

#define BAD_FIELD    0x052400u
#define OUT_OF_RANGE 0x052100u
#define PROTECTED    0x072700u
#define MISCOMPARE   0x0e1d00u

static char path[] = "/tmp/iskra-target-XXXXXX";
static struct iskra_target *target;
static struct peer peer;
static uint8_t cdb[ISKRA_CDB_BHS_LEN], bytes[131072], old[131072];

static struct {
    int write_errno, write_fail_at; /* the n-th call from now on fails, 0 = none */
    size_t write_most;              /* 0 = all */
    int write_cnt, sync_cnt, sync_errno, punch_errno;
} disk;

ssize_t __real_pwrite64(int fd, const void *buf, size_t len, off_t pos);
ssize_t __wrap_pwrite64(int fd, const void *buf, size_t len, off_t pos);
ssize_t __wrap_pwrite64(int fd, const void *buf, size_t len, off_t pos)
{
    if (++disk.write_cnt == disk.write_fail_at) {
        errno = disk.write_errno;
        return disk.write_errno ? -1 : 0;
    }
    if (disk.write_most && len > disk.write_most)
        len = disk.write_most;
    return __real_pwrite64(fd, buf, len, pos);
}

int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    disk.sync_cnt++;
    errno = disk.sync_errno;
    return disk.sync_errno ? -1 : 0;
}

int __real_fallocate64(int fd, int mode, off_t pos, off_t len);
int __wrap_fallocate64(int fd, int mode, off_t pos, off_t len);
int __wrap_fallocate64(int fd, int mode, off_t pos, off_t len)
{
    errno = disk.punch_errno;
    return disk.punch_errno ? -1 : __real_fallocate64(fd, mode, pos, len);
}

static int setup(void **state)
{
    const struct iskra_target_backend backends[] = {
        {.kind = ISKRA_TARGET_RAM, .size = DISK_LEN},
        {.kind = ISKRA_TARGET_FILE, .path = path},
        {.kind = ISKRA_TARGET_NULL, .size = DISK_LEN},
        {.kind = ISKRA_TARGET_RAM, .size = DISK_LEN, .read_only = true},
        {.kind = ISKRA_TARGET_RAM, .size = HUGE_LEN},
    };
    struct iskra_target_options options;
    strcpy(path + sizeof(path) - 7, "XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0 || ftruncate(fd, (off_t)DISK_LEN) < 0 || close(fd) < 0)
        return -1;
    iskra_target_options_init(&options);
    options.backends = backends;
    options.backend_cnt = 5;
    target = peer_target(&options);
    peer_open(&peer, target);
    peer_login(&peer, TEXT(NAMES "\0MaxOutstandingR2T=8"));
    memset(cdb, 0, sizeof(cdb));
    memset(&disk, 0, sizeof(disk));
    pattern_fill(bytes, sizeof(bytes), 7);
    memset(old, 0, sizeof(old));
    return 0;
}

static int teardown(void **state)
{
    peer_close(&peer);
    iskra_target_free(target);
    return unlink(path);
}

static void without_data(uint64_t lun, uint32_t sense)
{
    peer_command(&peer, lun, cdb, 0, false);
    ends_with(&peer, sense);
}

/* Commands of 16 blocks at LBA 3 that look like a WRITE; these have no builder of their own. */
static const uint8_t write_opcodes[] = {0x0a, 0x2a, 0xaa, 0x8a, 0x2e, 0xae, 0x8e};

static void make(uint8_t opcode)
{
    memset(cdb, 0, sizeof(cdb));
    cdb[0] = opcode;
    switch (opcode >> 5) {
    case 0:
        cdb[3] = 3;
        cdb[4] = 16;
        break;
    case 1:
        cdb[5] = 3;
        cdb[8] = 16;
        break;
    case 5:
        cdb[5] = 3;
        cdb[9] = 16;
        break;
    default:
        cdb[9] = 3;
        cdb[13] = 16;
        break;
    }
}

static void every_write_reaches_memory_and_file(void **state)
{
    for (uint32_t i = 0; i < sizeof(write_opcodes); i++) {
        make(write_opcodes[i]);
        pattern_fill(bytes, LEN, i);
        write_good(&peer, RAM, cdb, bytes, LEN);
        blocks_are(&peer, RAM, 3, bytes, LEN);
        write_good(&peer, ON_FILE, cdb, bytes, LEN);
        blocks_are(&peer, ON_FILE, 3, bytes, LEN);
    }
    blocks_are(&peer, RAM, 0, old, 3 * 512); /* and nothing else */
    blocks_are(&peer, RAM, 19, old, 512);
}

static void writes_to_nothing_are_forgotten(void **state)
{
    make(0x2a);
    write_good(&peer, NOTHING, cdb, bytes, LEN);
    blocks_are(&peer, NOTHING, 3, old, LEN);
}

static void every_change_of_a_sealed_disk_is_refused(void **state)
{
    for (uint32_t i = 0; i < sizeof(write_opcodes); i++) {
        make(write_opcodes[i]);
        write_fails(&peer, SEALED, cdb, bytes, LEN, PROTECTED);
    }
    (void)iskra_cdb_write_same10(cdb, 3, 1, 0);
    write_fails(&peer, SEALED, cdb, bytes, 512, PROTECTED);
    (void)iskra_cdb_unmap(cdb, 24, 0);
    write_fails(&peer, SEALED, cdb, bytes, 24, PROTECTED);
    (void)iskra_cdb_compare_and_write(cdb, 0, 1, 0);
    write_fails(&peer, SEALED, cdb, bytes, 1024, PROTECTED);
    blocks_are(&peer, SEALED, 0, old, LEN);
    make(0x2f); /* a VERIFY changes nothing */
    cdb[1] = 0x02;
    write_good(&peer, SEALED, cdb, old, LEN);
}

static void writes_beyond_the_end_are_refused(void **state)
{
    (void)iskra_cdb_write16(cdb, BLOCKS - 15, 16, 0);
    write_fails(&peer, RAM, cdb, bytes, LEN, OUT_OF_RANGE);
    (void)iskra_cdb_write16(cdb, UINT64_MAX, 16, 0);
    write_fails(&peer, RAM, cdb, bytes, LEN, OUT_OF_RANGE);
    (void)iskra_cdb_write16(cdb, BLOCKS - 16, 16, 0);
    write_good(&peer, RAM, cdb, bytes, LEN);
}

static void a_write_of_no_blocks_is_good(void **state)
{
    (void)iskra_cdb_write10(cdb, 3, 0, 0);
    without_data(RAM, 0);
}

static void protection_information_is_refused(void **state)
{
    make(0x2a);
    cdb[1] = 0x20; /* WRPROTECT 1 */
    write_fails(&peer, RAM, cdb, bytes, LEN, BAD_FIELD);
}

static void only_fua_and_verification_flush_a_file(void **state)
{
    make(0x2a);
    write_good(&peer, ON_FILE, cdb, bytes, LEN);
    assert_int_equal(disk.sync_cnt, 0);
    cdb[1] = 0x10; /* DPO */
    write_good(&peer, ON_FILE, cdb, bytes, LEN);
    assert_int_equal(disk.sync_cnt, 0);
    cdb[1] = 0x08; /* FUA */
    write_good(&peer, ON_FILE, cdb, bytes, LEN);
    assert_int_equal(disk.sync_cnt, 1);
    make(0x2e);
    write_good(&peer, ON_FILE, cdb, bytes, LEN);
    assert_int_equal(disk.sync_cnt, 2);
    (void)iskra_cdb_synchronize_cache16(cdb, 0, 0, 0);
    without_data(ON_FILE, 0);
    assert_int_equal(disk.sync_cnt, 3);
}

static void a_flush_that_fails_is_told(void **state)
{
    disk.sync_errno = EIO;
    make(0x2a);
    cdb[1] = 0x08;
    write_fails(&peer, ON_FILE, cdb, bytes, LEN, 0x030c00);
    (void)iskra_cdb_synchronize_cache10(cdb, 0, 0, 0);
    without_data(ON_FILE, 0x030c00);
}

static void short_writes_of_a_file_go_on(void **state)
{
    disk.write_most = 700;
    make(0x8a);
    write_good(&peer, ON_FILE, cdb, bytes, LEN);
    assert_in_range(disk.write_cnt, LEN / 700, LEN);
    blocks_are(&peer, ON_FILE, 3, bytes, LEN);
}

static void an_interrupted_write_is_repeated(void **state)
{
    disk.write_fail_at = 1;
    disk.write_errno = EINTR;
    make(0x8a);
    write_good(&peer, ON_FILE, cdb, bytes, LEN);
    blocks_are(&peer, ON_FILE, 3, bytes, LEN);
}

static void a_full_file_system_is_told_as_such(void **state)
{
    make(0x8a);
    disk.write_fail_at = 2; /* the second Data-Out; the rest of them is dropped */
    disk.write_errno = ENOSPC;
    write_fails(&peer, ON_FILE, cdb, bytes, LEN, 0x072707);
    disk.write_fail_at = disk.write_cnt + 1;
    disk.write_errno = EIO;
    write_fails(&peer, ON_FILE, cdb, bytes, LEN, 0x030c00);
    disk.write_fail_at = disk.write_cnt + 1;
    disk.write_errno = 0; /* nothing written, no reason */
    write_fails(&peer, ON_FILE, cdb, bytes, LEN, 0x030c00);
    write_good(&peer, ON_FILE, cdb, bytes, LEN);
}

static void a_verify_without_data_looks_at_the_range_only(void **state)
{
    make(0x2f);
    without_data(RAM, 0);
    make(0x8f);
    without_data(ON_FILE, 0);
    cdb[2] = 1;
    without_data(RAM, OUT_OF_RANGE);
}

static void a_verify_with_data_compares_them(void **state)
{
    static const uint8_t opcodes[] = {0x2f, 0xaf, 0x8f};
    make(0x2a);
    write_good(&peer, RAM, cdb, bytes, LEN);
    for (size_t i = 0; i < sizeof(opcodes); i++) {
        make(opcodes[i]);
        cdb[1] = 0x02; /* BYTCHK 1 */
        write_good(&peer, RAM, cdb, bytes, LEN);
    }
    struct outcome o;
    bytes[5000] ^= 1;
    write_whole(&peer, RAM, cdb, bytes, LEN, &o);
    assert_int_equal(o.key << 16 | o.asc << 8 | o.ascq, MISCOMPARE);
    assert_true(o.information_valid);
    assert_int_equal(o.information, 5000);
    outcome_done(&o);
    cdb[1] = 0x06; /* BYTCHK 3 */
    write_fails(&peer, RAM, cdb, bytes, 512, BAD_FIELD);
}

static void write_same_repeats_a_block(void **state)
{
    for (uint32_t i = 1; i < 256; i++)
        memcpy(bytes + (size_t)i * 512, bytes, 512);
    for (uint64_t lun = RAM; lun <= ON_FILE; lun += LUN(1)) {
        (void)iskra_cdb_write_same16(cdb, 3, 600, 0); /* more than the place for it */
        write_good(&peer, lun, cdb, bytes, 512);
        blocks_are(&peer, lun, 2, old, 512);
        blocks_are(&peer, lun, 3, bytes, sizeof(bytes));
        blocks_are(&peer, lun, 603 - 256, bytes, sizeof(bytes));
        blocks_are(&peer, lun, 603, old, 512);
        (void)iskra_cdb_write_same10(cdb, 700, 2, ISKRA_CDB_UNMAP); /* not zeros: written */
        write_good(&peer, lun, cdb, bytes, 512);
        blocks_are(&peer, lun, 700, bytes, 1024);
    }
}

static void write_same_of_zeros_makes_zeros(void **state)
{
    static const uint32_t flags[] = {0, ISKRA_CDB_UNMAP, ISKRA_CDB_NDOB,
                                     ISKRA_CDB_NDOB | ISKRA_CDB_UNMAP};
    for (uint64_t lun = RAM; lun <= ON_FILE; lun += LUN(1))
        for (int i = 0; i < 8; i++) {
            disk.punch_errno = i < 4 ? 0 : EOPNOTSUPP; /* a file system that cannot do it */
            make(0x2a);
            write_good(&peer, lun, cdb, bytes, LEN);
            (void)iskra_cdb_write_same16(cdb, 4, 14, flags[i % 4]);
            if (flags[i % 4] & ISKRA_CDB_NDOB)
                without_data(lun, 0);
            else
                write_good(&peer, lun, cdb, old, 512);
            blocks_are(&peer, lun, 3, bytes, 512);
            blocks_are(&peer, lun, 4, old, (size_t)14 * 512);
            blocks_are(&peer, lun, 18, bytes + (size_t)15 * 512, 512);
        }
}

static void write_same_has_limits(void **state)
{
    (void)iskra_cdb_write_same16(cdb, 0, 0, 0); /* "to the end" */
    write_fails(&peer, RAM, cdb, bytes, 512, BAD_FIELD);
    (void)iskra_cdb_write_same16(cdb, 0, 131073, 0); /* 64 MiB and a block */
    write_fails(&peer, HUGE_RAM, cdb, bytes, 512, BAD_FIELD);
    (void)iskra_cdb_write_same16(cdb, 0, 1, ISKRA_CDB_ANCHOR | ISKRA_CDB_UNMAP);
    write_fails(&peer, RAM, cdb, bytes, 512, BAD_FIELD);
    (void)iskra_cdb_write_same16(cdb, 0, 1, 0); /* half a block */
    write_fails(&peer, RAM, cdb, bytes, 256, BAD_FIELD);
    (void)iskra_cdb_write_same16(cdb, BLOCKS, 1, 0);
    write_fails(&peer, RAM, cdb, bytes, 512, OUT_OF_RANGE);
}

struct range {
    uint64_t lba;
    uint32_t cnt;
};

static void unmap(uint64_t lun, const struct range *ranges, uint32_t cnt, uint32_t sense)
{
    static uint8_t list[8 + 16 * 300];
    uint32_t len = 8 + 16 * cnt;
    memset(list, 0, sizeof(list));
    iskra_put_be16(list, (uint16_t)(len - 2));
    iskra_put_be16(list + 2, (uint16_t)(len - 8));
    for (uint32_t i = 0; i < cnt; i++) {
        iskra_put_be64(list + 8 + (size_t)16 * i, ranges[i].lba);
        iskra_put_be32(list + 16 + (size_t)16 * i, ranges[i].cnt);
    }
    (void)iskra_cdb_unmap(cdb, (uint16_t)len, 0);
    write_fails(&peer, lun, cdb, list, len, sense);
}

static void unmapped_blocks_read_as_zeros(void **state)
{
    const struct range ranges[] = {{2, 1}, {5, 0}, {8, 24}, {40, 1}};
    for (uint64_t lun = RAM; lun <= ON_FILE; lun += LUN(1)) {
        (void)iskra_cdb_write10(cdb, 0, 64, 0);
        write_good(&peer, lun, cdb, bytes, 64 * 512);
        unmap(lun, ranges, 4, 0);
        blocks_are(&peer, lun, 0, bytes, 1024);
        blocks_are(&peer, lun, 2, old, 512);
        blocks_are(&peer, lun, 3, bytes + 3 * 512, 5 * 512);
        blocks_are(&peer, lun, 8, old, 24 * 512);
        blocks_are(&peer, lun, 32, bytes + 32 * 512, 8 * 512);
        blocks_are(&peer, lun, 40, old, 512);
        blocks_are(&peer, lun, 41, bytes + 41 * 512, 23 * 512);
    }
}

static void an_unmap_with_a_bad_range_does_nothing(void **state)
{
    const struct range ranges[] = {{0, 8}, {BLOCKS - 1, 2}};
    (void)iskra_cdb_write10(cdb, 0, 8, 0);
    write_good(&peer, RAM, cdb, bytes, 4096);
    unmap(RAM, ranges, 2, OUT_OF_RANGE);
    blocks_are(&peer, RAM, 0, bytes, 4096);
}

static void a_file_system_without_holes_keeps_the_blocks(void **state)
{
    const struct range range = {3, 16};
    make(0x2a);
    write_good(&peer, ON_FILE, cdb, bytes, LEN);
    disk.punch_errno = EOPNOTSUPP;
    unmap(ON_FILE, &range, 1, 0);
    blocks_are(&peer, ON_FILE, 3, bytes, LEN);
    disk.punch_errno = EIO;
    unmap(ON_FILE, &range, 1, 0x030c00);
}

static void unmap_has_limits(void **state)
{
    static struct range ranges[257];
    unmap(RAM, ranges, 256, 0);
    unmap(RAM, ranges, 257, 0x052600);
    unmap(RAM, ranges, 0, 0);
    (void)iskra_cdb_unmap(cdb, 7, 0);
    write_fails(&peer, RAM, cdb, old, 7, 0x051a00);
    (void)iskra_cdb_unmap(cdb, 0, 0);
    without_data(RAM, 0);
    (void)iskra_cdb_unmap(cdb, 24, ISKRA_CDB_ANCHOR);
    write_fails(&peer, RAM, cdb, old, 24, BAD_FIELD);
}

/* The list claims more than it has. */
static void an_unmap_list_is_not_read_beyond_its_end(void **state)
{
    uint8_t list[24] = {0xff, 0xff, 0xff, 0xff};
    iskra_put_be32(list + 16, 8);
    (void)iskra_cdb_write10(cdb, 0, 16, 0);
    write_good(&peer, RAM, cdb, bytes, LEN);
    (void)iskra_cdb_unmap(cdb, 24, 0);
    write_good(&peer, RAM, cdb, list, 24);
    blocks_are(&peer, RAM, 0, old, 4096);
    blocks_are(&peer, RAM, 8, bytes + 4096, 4096);
}

static void compare_and_write_writes_what_compares(void **state)
{
    for (uint64_t lun = RAM; lun <= ON_FILE; lun += LUN(1)) {
        make(0x2a);
        write_good(&peer, lun, cdb, bytes, LEN);
        (void)iskra_cdb_compare_and_write(cdb, 3, 8, ISKRA_CDB_FUA);
        write_good(&peer, lun, cdb, bytes, 2 * 4096); /* the second half becomes the first */
        blocks_are(&peer, lun, 3, bytes + 4096, 4096);
    }
    assert_int_equal(disk.sync_cnt, 1);
}

static void a_miscompare_tells_where_and_writes_nothing(void **state)
{
    struct outcome o;
    make(0x2a);
    write_good(&peer, RAM, cdb, bytes, LEN);
    memcpy(old, bytes, LEN);
    bytes[4095] ^= 0x80;
    (void)iskra_cdb_compare_and_write(cdb, 3, 8, 0);
    write_whole(&peer, RAM, cdb, bytes, 2 * 4096, &o);
    assert_int_equal(o.key << 16 | o.asc << 8 | o.ascq, MISCOMPARE);
    assert_int_equal(o.information, 4095);
    assert_int_equal(o.residual, 0);
    outcome_done(&o);
    blocks_are(&peer, RAM, 3, old, LEN);
}

static void compare_and_write_has_limits(void **state)
{
    (void)iskra_cdb_compare_and_write(cdb, 3, 0, 0);
    without_data(RAM, 0);
    write_fails(&peer, RAM, cdb, bytes, 1024, BAD_FIELD); /* of none, yet with data */
    (void)iskra_cdb_compare_and_write(cdb, 3, 128, 0);
    write_good(&peer, RAM, cdb, old, 131072);
    (void)iskra_cdb_compare_and_write(cdb, 3, 129, 0);
    write_fails(&peer, RAM, cdb, old, 131072, BAD_FIELD);
    (void)iskra_cdb_compare_and_write(cdb, 3, 2, 0); /* half of the data missing */
    write_fails(&peer, RAM, cdb, old, 1024, BAD_FIELD);
    (void)iskra_cdb_compare_and_write(cdb, BLOCKS, 1, 0);
    write_fails(&peer, RAM, cdb, old, 1024, OUT_OF_RANGE);
}

static void memory_of_terabytes_costs_what_is_written(void **state)
{
    uint64_t last = HUGE_LEN / 512 - 16;
    const struct range all = {0, UINT32_MAX};
    (void)iskra_cdb_write16(cdb, last, 16, 0);
    write_good(&peer, HUGE_RAM, cdb, bytes, LEN);
    blocks_are(&peer, HUGE_RAM, last, bytes, LEN);
    blocks_are(&peer, HUGE_RAM, last / 2, old, LEN);
    (void)iskra_cdb_write16(cdb, 0, 16, 0);
    write_good(&peer, HUGE_RAM, cdb, bytes, LEN);
    unmap(HUGE_RAM, &all, 1, 0);
    blocks_are(&peer, HUGE_RAM, 0, old, LEN);
    blocks_are(&peer, HUGE_RAM, last, bytes, LEN);
}

static void pages_tell_what_there_is(void **state)
{
    struct outcome o;
    struct iskra_block_limits limits;
    struct iskra_provisioning thin;
    struct iskra_capacity capacity;
    (void)iskra_cdb_inquiry_vpd(cdb, ISKRA_VPD_BLOCK_LIMITS, 255);
    peer_command(&peer, RAM, cdb, 255, true);
    peer_outcome(&peer, &o);
    assert_int_equal(iskra_vpd_block_limits_decode(o.bytes, o.len, &limits), 0);
    assert_true(limits.wsnz);
    assert_int_equal(limits.max_compare_and_write_blocks, 128);
    assert_int_equal(limits.max_unmap_descriptor_cnt, 256);
    assert_int_equal(limits.max_unmap_blocks, UINT32_MAX);
    assert_int_equal(limits.max_write_same_blocks, 131072);
    outcome_done(&o);
    (void)iskra_cdb_inquiry_vpd(cdb, ISKRA_VPD_PROVISIONING, 255);
    peer_command(&peer, RAM, cdb, 255, true);
    peer_outcome(&peer, &o);
    assert_int_equal(iskra_vpd_provisioning_decode(o.bytes, o.len, &thin), 0);
    assert_true(thin.lbpu && thin.lbpws && thin.lbpws10);
    assert_int_equal(thin.lbprz, 1);
    outcome_done(&o);
    (void)iskra_cdb_read_capacity16(cdb, 32);
    peer_command(&peer, RAM, cdb, 32, true);
    peer_outcome(&peer, &o);
    assert_int_equal(iskra_capacity16_decode(o.bytes, o.len, &capacity), 0);
    assert_true(capacity.lbpme && capacity.lbprz);
    outcome_done(&o);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_write_reaches_memory_and_file),
        T(writes_to_nothing_are_forgotten),
        T(every_change_of_a_sealed_disk_is_refused),
        T(writes_beyond_the_end_are_refused),
        T(a_write_of_no_blocks_is_good),
        T(protection_information_is_refused),
        T(only_fua_and_verification_flush_a_file),
        T(a_flush_that_fails_is_told),
        T(short_writes_of_a_file_go_on),
        T(an_interrupted_write_is_repeated),
        T(a_full_file_system_is_told_as_such),
        T(a_verify_without_data_looks_at_the_range_only),
        T(a_verify_with_data_compares_them),
        T(write_same_repeats_a_block),
        T(write_same_of_zeros_makes_zeros),
        T(write_same_has_limits),
        T(unmapped_blocks_read_as_zeros),
        T(an_unmap_with_a_bad_range_does_nothing),
        T(a_file_system_without_holes_keeps_the_blocks),
        T(unmap_has_limits),
        T(an_unmap_list_is_not_read_beyond_its_end),
        T(compare_and_write_writes_what_compares),
        T(a_miscompare_tells_where_and_writes_nothing),
        T(compare_and_write_has_limits),
        T(memory_of_terabytes_costs_what_is_written),
        T(pages_tell_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
