/* Two sessions between a Linux initiator and tgt, as captured on the wire: the target's bytes
 * through the receive engine, read whole, in pieces of every size from 1 to 199, and in 200 random
 * splits. Each time the PDU-level trace is the committed list, and what was read is what had been
 * written.
 *
 * With ISKRA_GOLDEN_WRITE set the lists are written anew instead of compared; look at the
 * difference before you commit it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "capture.h"
#include "replay.h"

#define TARGET_PORT    3261
#define FIXED_MAX      199u
#define RANDOM_CNT     200u
#define LINE_LEN_MAX   128
#define GOLDEN_LEN_MAX (64 * 1024)

static const char *golden_dir;

/* The records of a run as text, one line each; NUL-terminated. */
static void records_format(const struct replay *r, char *text)
{
    size_t len = 0;
    for (uint32_t i = 0; i < r->trace.head; i++) {
        char line[LINE_LEN_MAX];
        int n = snprintf(text + len, GOLDEN_LEN_MAX - len, "%s\n",
                         iskra_trace_format(&r->trace.ring[i], line, sizeof(line)));
        assert_true(n > 0 && len + (size_t)n < GOLDEN_LEN_MAX);
        len += (size_t)n;
    }
}

static void golden_read(const char *name, char *text)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%s", golden_dir, name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("%s: %s", path, strerror(errno));
    size_t len = fread(text, 1, GOLDEN_LEN_MAX - 1, file);
    text[len] = '\0';
    (void)fclose(file);
}

static void golden_write(const char *name, const char *text)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%s", golden_dir, name);
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0)
        fail_msg("%s: %s", path, strerror(errno));
}

static struct replay *replay_of_stream(const struct capture_stream *stream, bool digests)
{
    struct replay *r = malloc(sizeof(*r));
    assert_non_null(r);
    const struct capture_half *half = stream->half;
    replay_init(r, (struct replay_bytes){half[FROM_INITIATOR].bytes, half[FROM_INITIATOR].len},
                (struct replay_bytes){half[FROM_TARGET].bytes, half[FROM_TARGET].len}, digests);
    return r;
}

/* One run in these pieces must give the golden list and the right data. */
static void check_run(struct replay *r, const struct capture_half *target, struct chunks chunks,
                      const char *golden)
{
    static char text[GOLDEN_LEN_MAX];
    int rc = replay_run(r, target->bytes, target->len, chunks);
    if (rc != 0)
        fail_msg("%s (chunks of %zu, seed %u)", r->conn.error.text, chunks.fixed, chunks.seed);
    assert_int_equal(r->failure_cnt, 0);
    records_format(r, text);
    assert_string_equal(text, golden);
    assert_true(replay_memory_matches(r));
    for (unsigned i = 0; i < r->cmd_cnt; i++)
        assert_int_equal(r->cmds[i].ref_cnt, 0);
}

static void check_every_split(struct replay *r, const struct capture_half *target, const char *name)
{
    static char golden[GOLDEN_LEN_MAX];
    if (getenv("ISKRA_GOLDEN_WRITE")) {
        (void)replay_run(r, target->bytes, target->len, (struct chunks){.fixed = SIZE_MAX});
        records_format(r, golden);
        golden_write(name, golden);
    }
    golden_read(name, golden);
    check_run(r, target, (struct chunks){.fixed = SIZE_MAX}, golden);
    for (size_t size = 1; size <= FIXED_MAX; size++)
        check_run(r, target, (struct chunks){.fixed = size}, golden);
    for (uint32_t seed = 1; seed <= RANDOM_CNT; seed++) {
        size_t max = (size_t)1 << (1 + seed % 17); /* from single bytes to more than a window */
        check_run(r, target, (struct chunks){.max = max, .seed = seed}, golden);
    }
}

/* Everything there is to check of one of the two streams of a file. Of the blocks that the session
 * itself had written before, so many bytes were read as they had been written, and so many were
 * not. */
static void check_stream(const char *file, unsigned stream, bool digests, const char *golden,
                         unsigned pdu_cnt, size_t same_as_disk_len, size_t other_than_disk_len)
{
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/%s", golden_dir, file);
    struct capture capture;
    capture_read(&capture, path, TARGET_PORT);
    assert_int_equal(capture.stream_cnt, 2);
    struct replay *r = replay_of_stream(&capture.streams[stream], digests);
    check_every_split(r, &capture.streams[stream].half[FROM_TARGET], golden);
    assert_int_equal(r->trace.head, pdu_cnt);
    size_t same_len, other_len;
    replay_compare_with_disk(r, &same_len, &other_len);
    assert_int_equal(same_len, same_as_disk_len);
    assert_int_equal(other_len, other_than_disk_len);
    replay_done(r);
    free(r);
    capture_done(&capture);
}

/* Two writes of 64 KiB, then two reads of the same blocks. In this capture both reads carry what
 * had been written to the second 64 KiB, so that the first agrees with the disk in 248 bytes, by
 * chance; without digests nothing in it tells why. */
static void the_plain_session_is_the_same_under_every_split(void **state)
{
    (void)state;
    check_stream("linux-plain.pcapng", 1, false, "plain-session.pdus", 113, 65784, 65288);
}

static void the_session_with_digests_is_the_same_under_every_split(void **state)
{
    (void)state;
    check_stream("linux-digest.pcapng", 1, true, "digest-session.pdus", 114, 131072, 0);
}

static void the_discoveries_are_the_same_under_every_split(void **state)
{
    (void)state;
    check_stream("linux-plain.pcapng", 0, false, "plain-discovery.pdus", 2, 0, 0);
    check_stream("linux-digest.pcapng", 0, false, "digest-discovery.pdus", 2, 0, 0);
}

/* Without this the test above could pass on a session whose digests nobody looks at. */
static void a_bit_wrong_anywhere_in_the_digest_session_is_found(void **state)
{
    (void)state;
    char path[4096];
    (void)snprintf(path, sizeof(path), "%s/linux-digest.pcapng", golden_dir);
    struct capture capture;
    capture_read(&capture, path, TARGET_PORT);
    struct replay *r = replay_of_stream(&capture.streams[1], true);
    struct capture_half *target = &capture.streams[1].half[FROM_TARGET];
    uint32_t seed = 1;
    size_t login_len = 4096; /* more than the login, which has no digests */
    for (unsigned i = 0; i < 300; i++) {
        size_t at = login_len + rand_next(&seed) % (target->len - login_len);
        uint8_t bit = (uint8_t)(1u << rand_next(&seed) % 8);
        target->bytes[at] ^= bit;
        int rc = replay_run(r, target->bytes, target->len, (struct chunks){.fixed = SIZE_MAX});
        assert_int_not_equal(rc, 0);
        target->bytes[at] ^= bit;
    }
    replay_done(r);
    free(r);
    capture_done(&capture);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plain_session_is_the_same_under_every_split),
        cmocka_unit_test(the_session_with_digests_is_the_same_under_every_split),
        cmocka_unit_test(the_discoveries_are_the_same_under_every_split),
        cmocka_unit_test(a_bit_wrong_anywhere_in_the_digest_session_is_found),
    };
    if (argc != 2) {
        fprintf(stderr, "usage: %s DIRECTORY (of the captures)\n", argv[0]);
        return 2;
    }
    golden_dir = argv[1];
    return cmocka_run_group_tests_name("captures", tests, NULL, NULL);
}
