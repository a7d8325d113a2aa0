/* Operations of all kinds at random on the LUN of a URL, many in flight, against a shadow copy that
 * begins as what is there; the shadow goes to standard output in the end. Arguments: URL, how many
 * operations, seed. */
#include <stdio.h>
#include <stdlib.h>

#include <iskra/iskra.h>

#include "stack/mixer.h"

static int run(struct iskra *ctx, struct iskra_lun *lun, const struct mixer_plan *plan)
{
    struct iskra_error err = {0};
    struct mixer_tally tally;
    struct iskra_lun_info info;
    const char *why;
    iskra_lun_info(lun, &info);
    uint8_t *shadow = mixer_run(ctx, lun, plan, &tally, &why);
    if (shadow == NULL) {
        fprintf(stderr, "seed %u, %u operations: %s\n", plan->seed, plan->op_cnt, why);
        return 1;
    }
    for (unsigned op = 0; op <= ISKRA_RAW; op++)
        if (tally.ops[op] != 0)
            fprintf(stderr, "operation %u: %u times\n", op, tally.ops[op]);
    fprintf(stderr, "at most %u in flight\n", tally.peak_cnt);
    size_t len = info.block_cnt * info.block_len;
    int failed = fwrite(shadow, 1, len, stdout) != len || fflush(stdout) != 0;
    free(shadow);
    if (iskra_flush_sync(lun, &err) != 0 || iskra_close_sync(lun) != 0) {
        fprintf(stderr, "flush: %s\n", err.text);
        failed = 1;
    }
    return failed;
}

int main(int argc, char **argv)
{
    struct iskra_error err = {0};
    struct iskra *ctx = NULL;
    struct iskra_lun *lun = NULL;
    if (argc != 4)
        return 2;
    struct mixer_plan plan = {.op_cnt = (unsigned)strtoul(argv[2], NULL, 0),
                              .seed = (uint32_t)strtoul(argv[3], NULL, 0),
                              .in_flight = 24,
                              .may_lack_compare = true};
    int failed = 1;
    if (iskra_new(NULL, &ctx, &err) != 0 || iskra_open_sync(ctx, argv[1], &lun, &err) != 0)
        fprintf(stderr, "open: %s\n", err.text);
    else
        failed = run(ctx, lun, &plan);
    iskra_free(ctx);
    return failed;
}
