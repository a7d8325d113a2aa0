/* Drawing a world from its seed: see faults.h. */
#include <stdarg.h>
#include <string.h>

#include "sim/faults.h"
#include "sim/sim.h"

static uint64_t one_of(struct sim_random *random, const uint64_t *values, unsigned cnt)
{
    return values[sim_random_below(random, cnt)];
}
#define ONE_OF(random, ...)                                                                        \
    one_of(random, (const uint64_t[]){__VA_ARGS__},                                                \
           sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

/* Some worlds are quiet, some have one kind of fault, some many. */
static uint32_t draw_kinds(struct sim_random *random)
{
    unsigned dice = (unsigned)sim_random_below(random, 100);
    uint32_t kinds = 0;
    unsigned rate = dice < 5 ? 0 : dice < 60 ? 1500 : dice < 90 ? 3500 : 7000;
    for (unsigned i = 0; i <= SIM_FAULT_REDIRECT; i++)
        kinds |= (uint32_t)sim_random_chance(random, rate) << i;
    if (sim_random_chance(random, 5000))
        kinds |= 1u << SIM_FAULT_PARTIAL;
    return kinds;
}

/* In some worlds nearly nothing is answered that error handling asks for, so that its ladder is
 * climbed to the top; in the others a command that is lost now and then is aborted, and that is
 * that. */
static void draw_deaf(struct sim_plan *plan, struct sim_random *random)
{
    plan->deaf = sim_random_chance(random, 2500);
    if (!plan->deaf)
        return;
    plan->kinds |= 1u << SIM_FAULT_SILENCE;
    plan->kinds |= (uint32_t)sim_random_chance(random, 6000) << SIM_FAULT_TMF_REFUSED;
    plan->kinds |= (uint32_t)sim_random_chance(random, 6000) << SIM_FAULT_TMF_SILENT;
    plan->kinds |= (uint32_t)sim_random_chance(random, 8000) << SIM_FAULT_MEMORY;
}

/* What came later has numbers of its own, so that worlds without it stay as they were. */
static void draw_later_kinds(struct sim_plan *plan, struct sim_random *random)
{
    for (unsigned i = SIM_FAULT_REFUSED; i < SIM_FAULT_CNT; i++)
        plan->kinds |= (uint32_t)sim_random_chance(random, 1000) << i;
    plan->spare = sim_random_chance(random, 3000) ? 5000 : 0;
    plan->early_status = sim_plan_has(plan, SIM_FAULT_REFUSED) && sim_random_chance(random, 7000);
}

/* Some worlds are there for one question: may a write that goes to another portal group, because
 * its connection was lost, meet its first copy, which is still on its way? */
static void draw_moves(struct sim_plan *plan, struct sim_random *random)
{
    if (!sim_random_chance(random, 1000))
        return;
    plan->moves = true;
    plan->deaf = false;
    plan->kinds = 1u << SIM_FAULT_REDIRECT | 1u << SIM_FAULT_LATE | 1u << SIM_FAULT_STALL;
}

/* Much is on its way when the answer comes. */
static void arrange_early_status(struct sim_plan *plan)
{
    if (!plan->early_status)
        return;
    plan->pipe_len = 1024;
    plan->immediate_data = plan->initial_r2t = false;
    plan->first_burst = plan->max_burst = 16384;
    plan->max_recv = 4096;
    plan->max_blocks = plan->block_cnt < 16 ? plan->block_cnt : 16;
    plan->write = 5000;
}

static void arrange_moves(struct sim_plan *plan)
{
    if (!plan->moves)
        return;
    plan->group_cnt = 2;
    plan->late = 9000;
    plan->late_ns = 3 * SIM_S;
    plan->latency_min_ns = 200 * SIM_US;
    plan->latency_max_ns = SIM_MS;
    plan->strike_ns = 20 * SIM_MS;
    plan->io_cnt = 1000;
    plan->depth = 16;
    plan->block_cnt = 16; /* a disk so small that a block is soon written again */
    plan->max_blocks = 4;
    plan->write = 7000;
    plan->think_ns = SIM_MS;
}

static void draw_network(struct sim_plan *plan, struct sim_random *random)
{
    plan->latency_min_ns = ONE_OF(random, SIM_US, 20 * SIM_US, 200 * SIM_US, 5 * SIM_MS);
    plan->latency_max_ns = plan->latency_min_ns * ONE_OF(random, 1, 2, 10);
    plan->connect_ns = ONE_OF(random, 10 * SIM_US, SIM_MS, 300 * SIM_MS);
    plan->partial = (unsigned)ONE_OF(random, 1000, 5000, 9000);
    plan->delay = (unsigned)ONE_OF(random, 20, 200, 1000);
    plan->delay_ns = ONE_OF(random, SIM_MS, 100 * SIM_MS, 3 * SIM_S, 20 * SIM_S);
    plan->hold = (unsigned)ONE_OF(random, 100, 1000, 5000);
    plan->hold_ns = ONE_OF(random, 100 * SIM_US, 50 * SIM_MS, 5 * SIM_S, 40 * SIM_S);
    plan->corrupt = (unsigned)ONE_OF(random, 5, 30, 200);
    plan->late = (unsigned)ONE_OF(random, 2000, 8000);
    plan->late_ns = ONE_OF(random, 10 * SIM_MS, 3 * SIM_S, 60 * SIM_S);
    plan->pipe_len = (uint32_t)ONE_OF(random, 1024, 4096, 16384, SIM_PIPE_LEN, SIM_PIPE_LEN);
    plan->strike_ns = ONE_OF(random, 20 * SIM_MS, 500 * SIM_MS, 3 * SIM_S, 20 * SIM_S);
    plan->away_ns = ONE_OF(random, 500 * SIM_MS, 5 * SIM_S, 40 * SIM_S, 200 * SIM_S);
}

static void draw_target(struct sim_plan *plan, struct sim_random *random)
{
    bool moves = sim_plan_has(plan, SIM_FAULT_REDIRECT);
    plan->group_cnt = moves ? (unsigned)sim_random_range(random, 1, SIM_GROUP_CNT) : 1;
    plan->block_len = (uint32_t)ONE_OF(random, 512, 512, 4096);
    plan->block_cnt = (uint32_t)(ONE_OF(random, 32, 128, 512) * 512 / plan->block_len + 8);
    plan->lun_cnt = (uint32_t)sim_random_range(random, 1, SIM_LUN_CNT);
    plan->max_recv = (uint32_t)ONE_OF(random, 512, 4096, 8192, 65536);
    plan->first_burst = (uint32_t)ONE_OF(random, 512, 4096, 16384);
    plan->max_burst = plan->first_burst * (uint32_t)ONE_OF(random, 1, 2, 8);
    plan->max_r2t = (uint32_t)ONE_OF(random, 1, 2, 8);
    plan->r2t_len = (uint32_t)ONE_OF(random, 0, 0, 516, 1000, 4096);
    plan->max_data_in = (uint32_t)ONE_OF(random, 512, 2048, 65536);
    plan->immediate_data = sim_random_chance(random, 7000);
    plan->initial_r2t = sim_random_chance(random, 3000);
    plan->separate_status = sim_random_chance(random, 3000);
    plan->cmd_window = (uint32_t)ONE_OF(random, 16, 64, 128);
    if (sim_plan_has(plan, SIM_FAULT_WINDOW))
        plan->cmd_window = (uint32_t)ONE_OF(random, 1, 2, 4);
    plan->service_ns = ONE_OF(random, SIM_US, 50 * SIM_US, 2 * SIM_MS);
}

__attribute__((format(printf, 3, 4))) static void
spec(struct sim_plan *plan, struct sim_random *random, const char *fmt, ...)
{
    if (plan->spec_cnt == SIM_SPEC_CNT)
        return;
    char *text = plan->specs[plan->spec_cnt++];
    va_list ap;
    va_start(ap, fmt);
    int len = vsnprintf(text, SIM_SPEC_LEN, fmt, ap);
    va_end(ap);
    unsigned first = (unsigned)sim_random_range(random, 1, 60);
    unsigned every = (unsigned)sim_random_range(random, 1, 80);
    unsigned most = (unsigned)sim_random_range(random, 1, 12);
    if (plan->deaf) { /* often, and for long */
        first = first / 8 + 1;
        every = every / 16 + 1;
        most *= 5;
    }
    snprintf(text + len, SIM_SPEC_LEN - (size_t)len, "#%u+%ux%u", first, every, most);
}

/* What goes wrong inside the target, in its own words. */
static void draw_specs(struct sim_plan *plan, struct sim_random *random)
{
    static const char *const lost[] = {
        "command(read)", "command(write)", "command",  "scsi-response",
        "r2t",           "data-in",        "data-out", "command(flush)"};
    static const char *const senses[] = {"06/29/00", "06/2a/01", "06/3f/0e", "06/29/02"};
    static const char *const aborted[] = {"sense=0b/47/00", "sense=02/04/01", "status=task-aborted",
                                          "sense=0b/00/00"};
    unsigned n = (unsigned)sim_random_range(random, 1, 3);
    for (unsigned i = 0; i < n && sim_plan_has(plan, SIM_FAULT_SILENCE); i++)
        spec(plan, random, "drop:%s", lost[sim_random_below(random, 8)]);
    if (sim_plan_has(plan, SIM_FAULT_BUSY)) {
        spec(plan, random, "status=busy:command");
        spec(plan, random, "status=task-set-full:command");
    }
    if (sim_plan_has(plan, SIM_FAULT_ATTENTION))
        spec(plan, random, "sense=%s:command", senses[sim_random_below(random, 4)]);
    if (sim_plan_has(plan, SIM_FAULT_ABORTED))
        spec(plan, random, "%s:command", aborted[sim_random_below(random, 4)]);
    if (sim_plan_has(plan, SIM_FAULT_WINDOW))
        spec(plan, random, "field=maxcmdsn-%u:scsi-response",
             (unsigned)sim_random_range(random, 1, 200));
    if (sim_plan_has(plan, SIM_FAULT_TMF_REFUSED))
        spec(plan, random, "field=response=%u:tmf-response",
             sim_random_chance(random, 5000) ? 5u : 255u);
    if (sim_plan_has(plan, SIM_FAULT_TMF_SILENT))
        spec(plan, random, "drop:%s", sim_random_chance(random, 5000) ? "tmf" : "tmf-response");
    if (sim_plan_has(plan, SIM_FAULT_LOGIN_REFUSED))
        spec(plan, random, "field=statusclass=3:login-response");
    if (sim_plan_has(plan, SIM_FAULT_LOGIN_SILENT))
        spec(plan, random, "drop:%s", sim_random_chance(random, 5000) ? "login" : "login-response");
    if (sim_plan_has(plan, SIM_FAULT_TARGET_CLOSE))
        spec(plan, random, "close:%s", sim_random_chance(random, 5000) ? "any-out" : "any-in");
}

/* After it a request ends with an error, while what it had to send may still be on its way. */
static void draw_refusals(struct sim_plan *plan, struct sim_random *random)
{
    if (!sim_plan_has(plan, SIM_FAULT_REFUSED))
        return;
    spec(plan, random, "sense=04/44/00:command(write)");
    spec(plan, random, "sense=03/0c/00:command(write)");
    spec(plan, random, "sense=07/27/00:command(write)");
    spec(plan, random, "sense=05/26/00:command(write)");
    spec(plan, random, "sense=04/44/00:command(read)");
}

enum sim_fault sim_fault_of_spec(const char *text)
{
    static const struct {
        const char *words;
        enum sim_fault kind;
    } kinds[] = {{"drop tmf", SIM_FAULT_TMF_SILENT},
                 {"drop login", SIM_FAULT_LOGIN_SILENT},
                 {"statusclass", SIM_FAULT_LOGIN_REFUSED},
                 {"response=", SIM_FAULT_TMF_REFUSED},
                 {"maxcmdsn", SIM_FAULT_WINDOW},
                 {"close", SIM_FAULT_TARGET_CLOSE},
                 {"status=task-aborted", SIM_FAULT_ABORTED},
                 {"status=", SIM_FAULT_BUSY},
                 {"sense=06", SIM_FAULT_ATTENTION},
                 {"sense=04", SIM_FAULT_REFUSED},
                 {"sense=03", SIM_FAULT_REFUSED},
                 {"sense=05", SIM_FAULT_REFUSED},
                 {"sense=07", SIM_FAULT_REFUSED},
                 {"sense=", SIM_FAULT_ABORTED}};
    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strstr(text, kinds[i].words))
            return kinds[i].kind;
    }
    return SIM_FAULT_SILENCE;
}

static void draw_url(struct sim_plan *plan, struct sim_random *random, unsigned handle,
                     const char *options)
{
    plan->handle_lun[handle] = (uint32_t)sim_random_below(random, plan->lun_cnt);
    snprintf(plan->urls[handle], SIM_URL_LEN, "iscsi://127.0.0.1:%u/" SIM_TARGET_NAME "/%u?%s",
             SIM_PORT, plan->handle_lun[handle], options);
}

static uint64_t draw_options(struct sim_random *random, bool digests, char *ret, size_t size)
{
    static const char *const lists[] = {"none", "crc32c", "none,crc32c", "crc32c,none"};
    const char *header = lists[sim_random_below(random, 4)];
    const char *data = lists[sim_random_below(random, 4)];
    long replacement = (long)ONE_OF(random, 0, 3, 20, 120, 121);
    uint64_t timeout = ONE_OF(random, 2, 5, 30), abort = ONE_OF(random, 1, 5, 15);
    uint64_t reset = ONE_OF(random, 1, 5, 30), login = ONE_OF(random, 1, 5, 15);
    uint64_t max_burst = ONE_OF(random, 4096, 65536, 1048576);
    snprintf(ret, size,
             "header_digest=%s&data_digest=%s&immediate_data=%s&initial_r2t=%s&max_burst=%u"
             "&first_burst=%u&max_recv=%u&max_outstanding_r2t=%u&cmds_max=%u&queue_depth=%u"
             "&timeout=%u&abort_timeout=%u&lu_reset_timeout=%u&tgt_reset_timeout=%u"
             "&login_timeout=%u&noop_interval=%u&noop_timeout=%u&replacement_timeout=%ld"
             "&login_retries=%u",
             digests ? "crc32c" : header, digests ? "crc32c" : data,
             sim_random_chance(random, 7000) ? "yes" : "no",
             sim_random_chance(random, 3000) ? "yes" : "no", (unsigned)max_burst,
             (unsigned)(max_burst / ONE_OF(random, 1, 2, 8)),
             (unsigned)ONE_OF(random, 512, 4096, 262144), (unsigned)ONE_OF(random, 1, 2, 8),
             (unsigned)ONE_OF(random, 16, 32, 128), (unsigned)ONE_OF(random, 1, 4, 32),
             (unsigned)timeout, (unsigned)abort, (unsigned)reset, (unsigned)reset, (unsigned)login,
             (unsigned)ONE_OF(random, 0, 1, 5), (unsigned)ONE_OF(random, 1, 5),
             replacement == 121 ? -1 : replacement, (unsigned)ONE_OF(random, 0, 2, 10));
    uint64_t away = replacement == 121 ? 0 : (uint64_t)replacement;
    /* A command's tries, each with the whole ladder behind it; then what is left of a session. */
    return (8 * timeout + 4 * (abort + 2 * reset + 30) + away + 4 * login + 120) * SIM_S;
}

static void draw_load(struct sim_plan *plan, struct sim_random *random)
{
    char options[SIM_URL_LEN - 64];
    bool digests = sim_plan_has(plan, SIM_FAULT_CORRUPT);
    plan->handle_cnt = (unsigned)sim_random_range(random, 1, SIM_HANDLE_CNT);
    for (unsigned i = 0; i < plan->handle_cnt; i++) {
        /* Some share a session, some have one of their own. */
        if (i == 0 || sim_random_chance(random, 3000)) {
            uint64_t bound_ns = draw_options(random, digests, options, sizeof(options));
            if (bound_ns > plan->bound_ns)
                plan->bound_ns = bound_ns;
        }
        draw_url(plan, random, i, options);
    }
    plan->bound_ns *= 2; /* twice in a row: once for the load, once for looking at all of it */
    plan->io_cnt = (unsigned)sim_random_range(random, 200, 300);
    plan->depth = (unsigned)ONE_OF(random, 1, 4, 16, SIM_SLOT_CNT);
    plan->max_blocks = (uint32_t)ONE_OF(random, 1, 4, 16, 32);
    if (plan->max_blocks > plan->block_cnt)
        plan->max_blocks = plan->block_cnt;
    plan->cancel = (unsigned)ONE_OF(random, 0, 0, 200, 2000);
    plan->detach = (unsigned)ONE_OF(random, 0, 0, 200, 1000);
    plan->reopen = (unsigned)ONE_OF(random, 0, 0, 100, 500);
    plan->flush = (unsigned)ONE_OF(random, 0, 300, 1500);
    plan->fua = (unsigned)ONE_OF(random, 0, 1000, 5000);
    plan->zero = (unsigned)ONE_OF(random, 0, 300, 1500);
    plan->compare = (unsigned)ONE_OF(random, 0, 500, 1500);
    plan->raw = (unsigned)ONE_OF(random, 0, 500, 1500);
    plan->write = (unsigned)ONE_OF(random, 1000, 3000, 5000);
    plan->think_ns = ONE_OF(random, 10 * SIM_US, SIM_MS, 50 * SIM_MS, SIM_S);
}

void sim_plan_draw(struct sim_plan *plan, uint64_t seed)
{
    struct sim_random random, later;
    memset(plan, 0, sizeof(*plan));
    plan->seed = seed;
    sim_random_init(&random, seed, 1);
    sim_random_init(&later, seed, 9);
    plan->kinds = draw_kinds(&random);
    struct sim_random other;
    sim_random_init(&other, seed, 7);
    draw_deaf(plan, &other);
    draw_later_kinds(plan, &later);
    draw_moves(plan, &later);
    draw_network(plan, &random);
    if (plan->deaf) /* the ladder takes its time */
        plan->strike_ns = ONE_OF(&other, 200 * SIM_MS, SIM_S, 5 * SIM_S);
    draw_target(plan, &random);
    draw_specs(plan, &random);
    draw_refusals(plan, &random);
    draw_load(plan, &random);
    arrange_early_status(plan);
    arrange_moves(plan);
}

#define PRINT(field) fprintf(to, "  " #field " %llu\n", (unsigned long long)plan->field)

void sim_plan_print(const struct sim_plan *plan, FILE *to)
{
    fprintf(to, "seed %llu\n  faults:", (unsigned long long)plan->seed);
    for (unsigned i = 0; i < SIM_FAULT_CNT; i++) {
        if (plan->kinds >> i & 1)
            fprintf(to, " %s", sim_fault_names[i]);
    }
    fprintf(to, "\n");
    PRINT(latency_min_ns), PRINT(latency_max_ns), PRINT(connect_ns), PRINT(pipe_len);
    PRINT(partial), PRINT(delay), PRINT(delay_ns), PRINT(hold), PRINT(hold_ns), PRINT(corrupt);
    PRINT(late), PRINT(late_ns), PRINT(strike_ns), PRINT(away_ns);
    PRINT(moves), PRINT(group_cnt), PRINT(block_len), PRINT(block_cnt), PRINT(lun_cnt),
        PRINT(max_recv);
    PRINT(first_burst), PRINT(max_burst), PRINT(max_r2t), PRINT(r2t_len), PRINT(max_data_in);
    PRINT(immediate_data), PRINT(initial_r2t), PRINT(separate_status), PRINT(early_status),
        PRINT(cmd_window);
    PRINT(service_ns), PRINT(io_cnt), PRINT(depth), PRINT(max_blocks), PRINT(cancel);
    PRINT(detach), PRINT(reopen), PRINT(flush), PRINT(fua), PRINT(zero), PRINT(compare);
    PRINT(raw), PRINT(spare), PRINT(write), PRINT(think_ns), PRINT(bound_ns), PRINT(deaf);
    for (unsigned i = 0; i < plan->spec_cnt; i++)
        fprintf(to, "  --fault %s\n", plan->specs[i]);
    for (unsigned i = 0; i < plan->handle_cnt; i++)
        fprintf(to, "  %s\n", plan->urls[i]);
}
