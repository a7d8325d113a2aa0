/* A target: its options, its LUNs, its lists. */
#include "target/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "wire/luns.h"

void iskra_target_options_init(struct iskra_target_options *options)
{
    *options = (struct iskra_target_options){
        .size = sizeof(*options),
        .name = "iqn.2026-11.org.iskra:target",
        .portal_group = 1,
        .block_len = 512,
        .max_recv = 262144,
        .first_burst = 262144,
        .max_burst = 1048576,
        .max_outstanding_r2t = 64,
        .immediate_data = true,
        .header_digest = true,
        .data_digest = true,
        .max_data_in = 262144,
        .cmd_window = 128,
        .max_sessions = 1024,
        .max_conns = 2048,
        .login_timeout_ns = UINT64_C(15000000000),
        .chap_discovery = true,
        .chap_algorithms = ISKRA_TARGET_CHAP_ALL,
        .chap_challenge_len = 32,
        .random = iskra_target_random,
    };
}

static int in_range(const char *what, uint64_t value, uint64_t min, uint64_t max,
                    struct iskra_error *err)
{
    if (value >= min && value <= max)
        return 0;
    return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "%s is %ju, allowed are %ju to %ju", what,
                      (uintmax_t)value, (uintmax_t)min, (uintmax_t)max);
}

static int options_judge(const struct iskra_target_options *o, struct iskra_error *err)
{
    int rc = in_range("size of the options", o->size, sizeof(*o), sizeof(*o), err);
    if (rc == 0)
        rc = in_range("length of the target's name", o->name ? strlen(o->name) : 0, 1,
                      ISKRA_TARGET_NAME_MAX, err);
    if (rc == 0)
        rc = in_range("number of backends", o->backend_cnt, 1, ISKRA_TARGET_LUN_MAX, err);
    if (rc == 0)
        rc = in_range("number of LUNs", o->lun_cnt ? o->lun_cnt : o->backend_cnt, o->backend_cnt,
                      ISKRA_TARGET_LUN_MAX, err);
    if (rc == 0)
        rc = in_range("number of the last LUN",
                      (uint64_t)o->first_lun + (o->lun_cnt ? o->lun_cnt : o->backend_cnt) - 1, 0,
                      ISKRA_TARGET_LUN_MAX - 1, err);
    if (rc == 0)
        rc = in_range("max_recv", o->max_recv, 512, 262144, err);
    if (rc == 0)
        rc = in_range("first_burst", o->first_burst, 512, ISKRA_DSL_MAX, err);
    if (rc == 0)
        rc = in_range("max_burst", o->max_burst, o->first_burst, ISKRA_DSL_MAX, err);
    if (rc == 0)
        rc = in_range("max_outstanding_r2t", o->max_outstanding_r2t, 1, 65535, err);
    if (rc == 0)
        rc = in_range("max_data_in", o->max_data_in, 512, 262144, err);
    if (rc == 0)
        rc = in_range("cmd_window", o->cmd_window, 1, 4096, err);
    if (rc == 0)
        rc = in_range("max_sessions", o->max_sessions, 1, TSIH_CNT - 1, err);
    if (rc == 0)
        rc = in_range("number of portals", o->portal_cnt, 0, ISKRA_TARGET_PORTAL_MAX, err);
    return rc;
}

static int luns_open(struct iskra_target *target, const struct iskra_target_options *options,
                     struct iskra_error *err)
{
    uint32_t cnt = options->lun_cnt ? options->lun_cnt : options->backend_cnt;
    target->luns = calloc(cnt, sizeof(*target->luns));
    if (!target->luns)
        return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for %u LUNs", cnt);
    for (; target->lun_cnt < cnt; target->lun_cnt++) {
        uint32_t i =
            target->lun_cnt < options->backend_cnt ? target->lun_cnt : options->backend_cnt - 1;
        int rc = target_lun_open(&target->luns[target->lun_cnt], &options->backends[i],
                                 options->block_len, options->first_lun + target->lun_cnt,
                                 target->name, err);
        if (rc < 0) {
            target_lun_close(&target->luns[target->lun_cnt]);
            return rc;
        }
    }
    return 0;
}

static int memory_take(struct iskra_target *target, const struct iskra_target_options *options,
                       struct iskra_error *err)
{
    for (unsigned i = 0; i < options->portal_cnt; i++) {
        target->portals[i] = strdup(options->portals[i]);
        if (!target->portals[i])
            return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for portal %u", i);
    }
    /* Never written, so all of it is the one page of zeros that the system has, and stays in the
     * cache. */
    void *zeros = mmap(NULL, options->max_data_in, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    target->zeros = zeros == MAP_FAILED ? NULL : zeros;
    target->scratch_len = ISKRA_LUNS_HEADER_LEN + 8 * (size_t)target->lun_cnt;
    if (target->scratch_len < 4096)
        target->scratch_len = 4096;
    target->scratch = malloc(target->scratch_len);
    if (!target->zeros || !target->scratch)
        return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for a target");
    return 0;
}

int iskra_target_new(const struct iskra_target_options *options, struct iskra_target **ret_target,
                     struct iskra_error *err)
{
    int rc = options_judge(options, err);
    if (rc < 0)
        return rc;
    struct iskra_target *target = calloc(1, sizeof(*target));
    if (!target)
        return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for a target");
    target->options = *options;
    memcpy(target->name, options->name, strlen(options->name) + 1); /* length judged above */
    iskra_list_init(&target->conns);
    iskra_list_init(&target->sessions);
    rc = target_chap_setup_init(&target->chap, options, err);
    if (rc == 0)
        rc = target_faults_init(&target->faults, options, err);
    if (rc == 0)
        rc = luns_open(target, options, err);
    if (rc == 0)
        rc = memory_take(target, options, err);
    if (rc < 0) {
        iskra_target_free(target);
        return rc;
    }
    target->options.name = NULL;
    target->options.backends = NULL;
    target->options.portals = NULL;
    target->options.faults = NULL;
    target->options.user = target->options.password = NULL;
    target->options.mutual_user = target->options.mutual_password = NULL;
    *ret_target = target;
    return 0;
}

void iskra_target_free(struct iskra_target *target)
{
    if (!target)
        return;
    for (uint32_t i = 0; i < target->lun_cnt; i++)
        target_lun_close(&target->luns[i]);
    target_chap_setup_done(&target->chap);
    target_faults_done(&target->faults);
    for (unsigned i = 0; i < ISKRA_TARGET_PORTAL_MAX; i++)
        free(target->portals[i]);
    if (target->zeros)
        (void)munmap((void *)(uintptr_t)target->zeros, target->options.max_data_in);
    free(target->scratch);
    free(target->luns);
    free(target);
}

void iskra_target_faults_enable(struct iskra_target *target, bool enabled)
{
    target->faults.off = !enabled;
}

void iskra_target_stats(const struct iskra_target *target, struct iskra_target_stats *ret)
{
    *ret = target->stats;
}

bool iskra_target_roused(struct iskra_target *target)
{
    bool roused = target->roused;
    target->roused = false;
    return roused;
}
