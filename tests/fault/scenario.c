/* The life of a LUN: see scenario.h. */
#include "fault/scenario.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <iskra/iskra.h>
#include <iskra/session.h>

#include "fault/world.h"

#define BLOCK_LEN   512u
#define LARGE_LEN   98304u /* more than a first burst: some of it is asked for */
#define SMALL_LEN   4096u
#define ROUNDS_MAX  200000u
#define STEP_MAX_NS UINT64_C(200000000000) /* far above every limit of the URL together */
#define REVIVE_NS   UINT64_C(20000000000)  /* several delays between tries, and a login */
#define LINE_CNT    40u

/* Limits are short, so that what fails for good is over soon. */
static const char keys[] = "login_retries=2&login_timeout=4&replacement_timeout=12&timeout=6&"
                           "abort_timeout=3&lu_reset_timeout=4&tgt_reset_timeout=4&cmds_max=16&"
                           "queue_depth=8&header_digest=crc32c&data_digest=crc32c";

static struct run {
    const struct call_plan *plan;
    struct scenario_result *result;
    struct iskra *ctx;
    struct iskra_lun *lun;
    const char *step;
    uint64_t step_begun_ns;
    unsigned step_rounds;
    /* What the medium holds, per block: a generation from the last one that is known to be there
     * to the last one that was sent. */
    uint8_t known, sent;
    bool told_in_log; /* the log has named what was refused */
    char lines[LINE_CNT][256];
    unsigned line_cnt;
} run;

static uint8_t large[LARGE_LEN], small[SMALL_LEN];

/* ---- words ---- */

static void remember(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void remember(const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(run.lines[run.line_cnt++ % LINE_CNT], sizeof(run.lines[0]), format, ap);
    va_end(ap);
}

void scenario_print_story(void)
{
    unsigned i = run.line_cnt > LINE_CNT ? run.line_cnt - LINE_CNT : 0;
    for (; i < run.line_cnt; i++)
        fprintf(stderr, "    %s\n", run.lines[i % LINE_CNT]);
}

static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void complain(const char *format, ...)
{
    struct scenario_result *r = run.result;
    va_list ap;
    if (r->complaint[0] != '\0')
        return; /* the first one counts */
    int n = snprintf(r->complaint, sizeof(r->complaint), "%s: ", run.step);
    va_start(ap, format);
    vsnprintf(r->complaint + n, sizeof(r->complaint) - (size_t)n, format, ap);
    va_end(ap);
}

static void log_line(void *arg, enum iskra_log_level level, const char *line)
{
    remember("%9.3f s log %u: %s", (double)world_now_ns() / 1e9, level, line);
    if (calls_refused_cnt() > 0 && strstr(line, strerror(calls_refused_error())) != NULL)
        run.told_in_log = true;
}

/* Something did not go well, and says why. */
static void failed(int status, const struct iskra_error *err)
{
    struct scenario_result *r = run.result;
    remember("%9.3f s %s: %d, code %u: %s", (double)world_now_ns() / 1e9, run.step, status,
             err->code, err->text);
    if (status >= 0 || err->code == ISKRA_OK || err->text[0] == '\0')
        complain("fails with status %d, code %d and the words \"%s\"", status, (int)err->code,
                 err->text);
    if (calls_refused_cnt() == 0)
        complain("fails although nothing was refused: %s", err->text);
    if (r->failed_cnt++ == 0)
        snprintf(r->first_text, sizeof(r->first_text), "%s", err->text);
}

/* ---- steps ---- */

static void begin_step(const char *name)
{
    run.step = name;
    run.step_begun_ns = world_now_ns();
    run.step_rounds = 0;
}

/* One round of the loop; false: this takes too long. */
static bool go_on(void)
{
    (void)iskra_run_once(run.ctx, 1000000000);
    if (world_complaint() != NULL)
        complain("%s", world_complaint());
    if (++run.step_rounds > ROUNDS_MAX)
        complain("%u rounds of the loop", run.step_rounds);
    if (world_now_ns() - run.step_begun_ns > STEP_MAX_NS)
        complain("no end after %.0f s", (double)(world_now_ns() - run.step_begun_ns) / 1e9);
    return run.result->complaint[0] == '\0';
}

/* A callback of the library that runs once. */
struct told {
    unsigned cnt;
    int status;
    struct iskra_lun *lun;
    struct iskra_error err;
};

static void tell(struct told *told, int status, const struct iskra_error *err)
{
    told->cnt++;
    told->status = status;
    if (status)
        told->err = *err;
}

/* rc: what the call itself said. True: all is well. */
static bool wait_for(struct told *told, int rc, const struct iskra_error *err)
{
    if (rc == 0) {
        while (told->cnt == 0 && go_on())
            ;
        for (int i = 0; i < 3 && go_on();) /* a second time would be told soon */
            i++;
        if (told->cnt > 1)
            complain("is told %u times", told->cnt);
        rc = told->status;
        err = &told->err;
    } else if (told->cnt > 0) {
        complain("is refused, and told all the same");
    }
    if (rc)
        failed(rc, err);
    return rc == 0;
}

/* What was refused once may be refused here; then the same must go well. */
static bool perform(const char *name, bool (*step)(void))
{
    for (int i = 0; i < 2 && run.result->complaint[0] == '\0'; i++) {
        begin_step(name);
        if (step())
            return true;
        if (run.plan->lasting)
            break;
        for (int round = 0; run.ctx != NULL && round < 20 && go_on();) /* the session comes back */
            round++;
    }
    if (!run.plan->lasting)
        complain("fails twice: %s", run.result->first_text);
    return false;
}

/* ---- the initiator and the LUN ---- */

static bool make(void)
{
    const struct iskra_options options = {.size = sizeof(options), .log = log_line};
    struct iskra_error err = {0};
    int rc = iskra_new(&options, &run.ctx, &err);
    if (rc)
        failed(rc, &err);
    return rc == 0;
}

static void opened(void *arg, int status, struct iskra_lun *lun, const struct iskra_error *err)
{
    struct told *told = arg;
    tell(told, status, err);
    told->lun = lun;
}

static const char *url(const char *path)
{
    static char text[1024];
    snprintf(text, sizeof(text), "iscsi://" WORLD_USER "@" WORLD_HOST "%s?password_file=%s&%s%s",
             path, world_file("password"), keys, path[0] ? "&isid=80a1b2c3d4e5" : "");
    return text;
}

static bool open_lun(void)
{
    struct told told = {0};
    struct iskra_error err = {0};
    int rc = iskra_open(run.ctx, url("/" WORLD_TARGET "/0"), opened, &told, &err);
    bool well = wait_for(&told, rc, &err);
    if (well && told.lun == NULL)
        complain("is open without a LUN");
    run.lun = told.lun;
    return well;
}

static void closed(void *arg)
{
    ((struct told *)arg)->cnt++;
}

static void close_lun(void)
{
    struct told told = {0};
    begin_step("close");
    iskra_close(run.lun, closed, &told);
    (void)wait_for(&told, 0, NULL);
    run.lun = NULL;
}

/* ---- requests ---- */

struct request {
    struct iskra_io io; /* first */
    struct iovec iov;
    struct told told;
};

static void request_done(struct iskra_io *io)
{
    struct request *rq = (struct request *)io;
    tell(&rq->told, io->status, &io->error);
}

static int submit(struct request *rq, enum iskra_op op, void *buf, uint32_t len, uint64_t offset)
{
    memset(rq, 0, sizeof(*rq));
    rq->iov = (struct iovec){buf, len};
    rq->io.op = op;
    rq->io.offset = offset;
    rq->io.len = len;
    rq->io.iov = &rq->iov;
    rq->io.iov_cnt = op == ISKRA_FLUSH ? 0 : 1;
    rq->io.done = request_done;
    return iskra_submit(run.lun, &rq->io);
}

static bool request_wait(struct request *rq, int rc)
{
    bool well = wait_for(&rq->told, rc, &rq->io.error);
    run.result->io_failed_cnt += !well;
    return well;
}

static void fill_block(uint8_t *block, uint32_t at, uint8_t generation)
{
    for (uint32_t i = 0; i < BLOCK_LEN; i++)
        block[i] = generation == 0 ? 0 : (uint8_t)(generation * 31u + at / BLOCK_LEN + i % 7u);
}

static void fill(uint8_t *buf, uint32_t len, uint8_t generation)
{
    for (uint32_t at = 0; at < len; at += BLOCK_LEN)
        fill_block(buf + at, at, generation);
}

static void begin_to_write(void)
{
    run.sent++;
    fill(large, sizeof(large), run.sent);
    fill(small, sizeof(small), run.sent);
}

static bool write_both(void)
{
    struct request a, b;
    begin_to_write();
    int a_rc = submit(&a, ISKRA_WRITE, large, sizeof(large), 0);
    int b_rc = submit(&b, ISKRA_WRITE, small, sizeof(small), sizeof(large));
    bool well = request_wait(&a, a_rc);
    well &= request_wait(&b, b_rc);
    if (well)
        run.known = run.sent;
    return well;
}

static bool flush(void)
{
    struct request rq;
    return request_wait(&rq, submit(&rq, ISKRA_FLUSH, NULL, 0, 0));
}

static bool block_is_possible(const uint8_t *block, uint32_t at)
{
    uint8_t expected[BLOCK_LEN];
    for (unsigned generation = run.known; generation <= run.sent; generation++) {
        fill_block(expected, at, (uint8_t)generation);
        if (memcmp(block, expected, BLOCK_LEN) == 0)
            return true;
    }
    return false;
}

static void judge(const uint8_t *buf, uint32_t len)
{
    for (uint32_t at = 0; at < len; at += BLOCK_LEN) {
        if (!block_is_possible(buf + at, at))
            complain("block %u of %u is nothing that was written", at / BLOCK_LEN, len / BLOCK_LEN);
    }
}

static bool read_both(void)
{
    struct request a, b;
    memset(large, 0xee, sizeof(large));
    memset(small, 0xee, sizeof(small));
    int a_rc = submit(&a, ISKRA_READ, large, sizeof(large), 0);
    int b_rc = submit(&b, ISKRA_READ, small, sizeof(small), sizeof(large));
    bool a_well = request_wait(&a, a_rc), b_well = request_wait(&b, b_rc);
    if (a_well)
        judge(large, sizeof(large));
    if (b_well)
        judge(small, sizeof(small));
    return a_well && b_well;
}

/* The target goes away in the middle of it. */
static bool write_and_lose(void)
{
    struct request rq;
    begin_to_write();
    int rc = submit(&rq, ISKRA_WRITE, large, sizeof(large), 0);
    (void)go_on();
    world_cut();
    bool well = request_wait(&rq, rc);
    struct request other;
    bool other_well =
        request_wait(&other, submit(&other, ISKRA_WRITE, small, sizeof(small), sizeof(large)));
    if (well && other_well)
        run.known = run.sent;
    return well && other_well;
}

/* Taken back while its data is on the way: the memory is ours at once. */
static bool take_back(void)
{
    struct request rq;
    struct iskra_error err = {.code = ISKRA_E_NOMEM, .text = "no memory to detach"};
    int rc = submit(&rq, ISKRA_READ, large, sizeof(large), 0);
    if (rc)
        return request_wait(&rq, rc);
    rc = iskra_detach(&rq.io);
    if (rc == 0 || rc == -EALREADY) {
        memset(large, 0, sizeof(large));
        for (int i = 0; i < 20 && go_on();)
            i++;
        if (rq.told.cnt > (unsigned)(rc != 0))
            complain("a request that was taken back is told of");
        return true;
    }
    if (rc == -ENOMEM)
        failed(rc, &err);
    else
        complain("iskra_detach: %d", rc);
    (void)request_wait(&rq, 0);
    return false;
}

/* ---- the rest ---- */

static void was_reset(void *arg, int status, const struct iskra_error *err)
{
    tell(arg, status, err);
}

static bool reset(void)
{
    struct told told = {0};
    struct iskra_error err = {0};
    int rc = iskra_reset(run.lun, ISKRA_RESET_LUN, was_reset, &told, &err);
    return wait_for(&told, rc, &err);
}

static void answered(void *arg, int status, uint64_t rtt_ns, const struct iskra_error *err)
{
    tell(arg, status, err);
}

static bool ping(void)
{
    struct told told = {0};
    struct iskra_error err = {0};
    int rc = iskra_ping(run.lun, "are you there", 13, 0, answered, &told, &err);
    return wait_for(&told, rc, &err);
}

static int found_portal(void *arg, const struct iskra_portal_entry *e)
{
    return 0;
}

static int found_lun(void *arg, const struct iskra_lun_info *info)
{
    return 0;
}

static void looked(void *arg, int status, const struct iskra_error *err)
{
    tell(arg, status, err);
}

static bool discover(void)
{
    struct told told = {0};
    struct iskra_error err = {0};
    int rc = iskra_discover(run.ctx, url(""), found_portal, looked, &told, &err);
    return wait_for(&told, rc, &err);
}

static bool list_luns(void)
{
    struct told told = {0};
    struct iskra_error err = {0};
    int rc = iskra_luns(run.ctx, url("/" WORLD_TARGET "/0"), found_lun, looked, &told, &err);
    return wait_for(&told, rc, &err);
}

/* The library's promise: nothing is allocated between submit and done. */
static void perform_without_memory(const char *name, bool (*step)(void))
{
    unsigned cnt = calls_cnt(CALL_ALLOC);
    (void)perform(name, step);
    if (calls_refused_cnt() == 0 && calls_cnt(CALL_ALLOC) != cnt)
        complain("asks for memory");
}

/* What was refused for good is not refused any more: a LUN that is still open works again. */
static void revive(void)
{
    if (!run.plan->lasting || calls_refused_cnt() == 0)
        return;
    calls_heal();
    begin_step("revive");
    while (world_now_ns() - run.step_begun_ns < REVIVE_NS && go_on())
        ;
    if (!read_both())
        complain("nothing is refused any more, and it fails all the same");
}

/* Stops where something fails for good. */
static void live(void)
{
    if (!perform("new", make))
        return;
    (void)perform("discover", discover);
    if (!perform("open", open_lun))
        return;
    perform_without_memory("write", write_both);
    perform_without_memory("flush", flush);
    perform_without_memory("read", read_both);
    (void)perform("write and lose", write_and_lose);
    (void)perform("read again", read_both);
    (void)perform("reset", reset);
    (void)perform("take back", take_back);
    (void)perform("ping", ping);
    (void)perform("list", list_luns);
    (void)perform("read at last", read_both);
    revive();
    close_lun();
}

/* One fault costs one call at most, and no request: what is on the wire is done again. */
static void judge_cost(const struct scenario_result *r)
{
    const struct call_traits *t = &call_traits[calls_refused_kind()];
    bool lasting = run.plan->lasting;
    run.step = "at the end";
    if (run.plan->kind != CALL_ANY && (lasting ? t->harmless : t->harmless_once) &&
        r->failed_cnt > 0)
        complain("a refused %s is no reason to fail: %s", t->name, r->first_text);
    if (!lasting && r->io_failed_cnt > 0)
        complain("%u requests failed: %s", r->io_failed_cnt, r->first_text);
    if (!lasting && r->failed_cnt > 1)
        complain("%u calls failed for one that was refused: %s", r->failed_cnt, r->first_text);
}

/* Whoever reads the first error learns what was refused. */
static void judge_words(const struct scenario_result *r)
{
    const struct call_traits *t = &call_traits[calls_refused_kind()];
    if (r->failed_cnt == 0 || run.plan->kind == CALL_ANY)
        return;
    /* What fails then fails for its time limit; that the loop is blind is told beside it. */
    if (run.plan->kind == CALL_EPOLL_WAIT && run.told_in_log)
        return;
    for (int i = 0; i < 3; i++) {
        if (t->errors[i] != 0 && strstr(r->first_text, strerror(t->errors[i])) != NULL)
            return;
    }
    if (t->words == NULL || strstr(r->first_text, t->words) == NULL)
        complain("a refused %s is told in the words \"%s\"", t->name, r->first_text);
}

static void judge_rest(void)
{
    run.step = "after the end";
    if (wrap_memory_cnt() != 0)
        complain("%d pieces of memory are still held", wrap_memory_cnt());
    if (wrap_descriptor_cnt() != 0)
        complain("%d descriptors are still open", wrap_descriptor_cnt());
}

void scenario_run(const struct call_plan *plan, struct scenario_result *ret)
{
    memset(&run, 0, sizeof(run));
    memset(ret, 0, sizeof(*ret));
    run.plan = plan;
    run.result = ret;
    run.step = "";
    world_begin();
    wrap_begin();
    calls_begin(plan);
    uint64_t begun_ns = world_now_ns();
    live();
    run.step = "free";
    iskra_free(run.ctx);
    ret->took_ns = world_now_ns() - begun_ns;
    ret->refused_cnt = calls_refused_cnt();
    judge_cost(ret);
    judge_words(ret);
    judge_rest();
    calls_end();
    world_end();
}
