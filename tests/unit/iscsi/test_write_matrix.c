/* The write matrix: every combination of what can be negotiated about writes, at the sizes where
 * the sequences change, compared byte for byte with the generator. */
#include <stdio.h>

#include "write_rig.h"

static struct write_cmd cmd;

/* The rest of the data, by R2Ts of at most a burst, as many at a time as may be outstanding. */
static void solicit(struct rig *r, const struct gen_keys *keys, uint32_t at, uint32_t max_r2t)
{
    uint32_t len = cmd.gen.len;
    while (at < len) {
        struct gen_r2t r2ts[4];
        uint32_t cnt = 0;
        for (; cnt < max_r2t && at < len; cnt++) {
            uint32_t burst = len - at < keys->max_burst ? len - at : keys->max_burst;
            write_feed_r2t(r, &cmd, at, burst, &r2ts[cnt]);
            at += burst;
        }
        rig_run(r);
        for (uint32_t i = 0; i < cnt; i++)
            write_expect_answer(r, keys, &cmd, &r2ts[i]);
        assert_false(rig_sent_any(r));
    }
}

static void check_row(const struct gen_keys *keys, uint32_t max_r2t, uint32_t len)
{
    struct rig *r = write_rig(keys, max_r2t);
    write_init(r, &cmd, len, len);
    write_queue(r, &cmd);
    rig_run(r);
    uint32_t covered = write_expect_command(r, keys, &cmd);
    assert_false(rig_sent_any(r));
    solicit(r, keys, covered, max_r2t);
    write_finish(r, &cmd);
    rig_assert_no_conn_error(r);
    rig_free(r);
}

/* One less, equal, one more, twice. */
static unsigned sizes_around(const struct gen_keys *keys, uint32_t *sizes)
{
    const uint32_t edges[] = {keys->first_burst, keys->max_burst, keys->max_recv};
    unsigned cnt = 0;
    sizes[cnt++] = 1;
    for (unsigned i = 0; i < 3; i++) {
        sizes[cnt++] = edges[i] - 1;
        sizes[cnt++] = edges[i];
        sizes[cnt++] = edges[i] + 1;
        sizes[cnt++] = edges[i] * 2;
    }
    return cnt;
}

static unsigned check_lengths(struct gen_keys keys)
{
    uint32_t sizes[16];
    unsigned size_cnt = sizes_around(&keys, sizes), row_cnt = 0;
    for (unsigned combination = 0; combination < 32; combination++) {
        keys.immediate_data = combination & 1;
        keys.initial_r2t = combination & 2;
        keys.hdr_digest = combination & 4;
        keys.data_digest = combination & 8;
        for (unsigned i = 0; i < size_cnt; i++, row_cnt++)
            check_row(&keys, combination & 16 ? 4 : 1, sizes[i]);
    }
    return row_cnt;
}

static void acceptance_9_every_combination_gives_the_expected_bytes(void **state)
{
    (void)state;
    /* One PDU smaller than a burst; larger than any; all equal; a first burst as large as a burst.
     */
    static const struct gen_keys lengths[] = {
        {.max_recv = 1023, .first_burst = 2561, .max_burst = 6001},
        {.max_recv = 8000, .first_burst = 2048, .max_burst = 4096},
        {.max_recv = 512, .first_burst = 512, .max_burst = 512},
        {.max_recv = 700, .first_burst = 4000, .max_burst = 4000},
    };
    unsigned row_cnt = 0;
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
        row_cnt += check_lengths(lengths[i]);
    printf("# report: write matrix: %u of %u rows byte-exact\n", row_cnt, 4u * 32 * 13);
    assert_int_equal(row_cnt, 4 * 32 * 13);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acceptance_9_every_combination_gives_the_expected_bytes),
    };
    return cmocka_run_group_tests_name("write-matrix", tests, NULL, NULL);
}
