/* Requests in a world in which nothing happens by chance, for whoever counts what they cost: the
 * library on the simulated transport, the embedded target at the other end. What the world and the
 * target do is an event of the virtual clock: sim_clock_run_next() is where the count has to pause
 * (guard.py does it); the rest of a turn is the library's.
 *
 * Each case runs until everything is warm, then some hundred requests are counted. Without valgrind
 * it only runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <valgrind/callgrind.h>

#include "sim/scene.h"

#define QD_MAX     128u
#define LEN_MAX    (128u * 1024)
#define WARM_UP    4u /* rounds of the whole depth */
#define MIN_COUNT  256u
#define DISK_LEN   (2u * 1024 * 1024)
#define TURN_NS    ((int64_t)(100 * SIM_MS))
#define DIGESTS    "&header_digest=crc32c&data_digest=crc32c"
#define NO_DIGESTS "&header_digest=none&data_digest=none"

#ifdef __clang__
#define COMPILER "clang " __clang_version__
#else
#define COMPILER "gcc " __VERSION__
#endif
#ifdef __x86_64__
#define MACHINE "x86_64"
#elif defined(__aarch64__)
#define MACHINE "aarch64"
#else
#define MACHINE "another machine"
#endif

struct load_case {
    const char *name;
    enum iskra_op op;
    uint32_t len, qd;
    bool digests;
};

static const struct load_case cases[] = {
    {"read-4k-qd1", ISKRA_READ, 4096, 1, false},
    {"read-4k-qd32", ISKRA_READ, 4096, 32, false},
    {"read-4k-qd128", ISKRA_READ, 4096, 128, false},
    {"read-4k-qd32-digests", ISKRA_READ, 4096, 32, true},
    {"read-128k-qd8", ISKRA_READ, 128 * 1024, 8, false},
    {"write-4k-qd1", ISKRA_WRITE, 4096, 1, false},
    {"write-4k-qd32", ISKRA_WRITE, 4096, 32, false},
    {"write-4k-qd128", ISKRA_WRITE, 4096, 128, false},
    {"write-4k-qd32-digests", ISKRA_WRITE, 4096, 32, true},
    {"write-128k-qd8", ISKRA_WRITE, 128 * 1024, 8, false},
};

struct load;

struct slot {
    struct iskra_io io;
    struct iovec iov;
    struct load *load;
};

struct load {
    struct scene *scene;
    const struct load_case *c;
    uint32_t next, out, done, submitted;
    bool ending;
    struct slot slots[QD_MAX];
};

static void submit(struct slot *slot)
{
    struct load *load = slot->load;
    uint32_t places = DISK_LEN / load->c->len;
    slot->io.offset = (uint64_t)(load->next++ * 7 % places) * load->c->len;
    load->submitted++;
    load->out++;
    assert_int_equal(iskra_submit(load->scene->lun, &slot->io), 0);
}

static void done(struct iskra_io *io)
{
    struct slot *slot = io->user;
    struct load *load = slot->load;
    assert_int_equal(io->status, 0);
    load->out--;
    load->done++;
    if (!load->ending)
        submit(slot);
}

static void run_until(const struct load *load, uint32_t done_cnt)
{
    uint64_t limit_ns = load->scene->sim.clock.now_ns + 60 * SIM_S;
    while (load->done < done_cnt && load->scene->sim.clock.now_ns < limit_ns)
        (void)iskra_run_once(load->scene->sim.ctx, TURN_NS);
    assert_true(load->done >= done_cnt);
}

static void begin(struct load *load)
{
    for (uint32_t i = 0; i < load->c->qd; i++) {
        struct slot *slot = &load->slots[i];
        slot->load = load;
        slot->iov = (struct iovec){calloc(1, load->c->len), load->c->len};
        assert_non_null(slot->iov.iov_base);
        slot->io = (struct iskra_io){
            .op = load->c->op,
            .len = load->c->len,
            .iov = &slot->iov,
            .iov_cnt = 1,
            .done = done,
            .user = slot,
        };
        submit(slot);
    }
}

static void end(struct load *load)
{
    load->ending = true;
    run_until(load, load->submitted);
    for (uint32_t i = 0; i < load->c->qd; i++)
        free(load->slots[i].iov.iov_base);
}

/* As large as the world allows, so that it is the library that is looked at. */
static struct scene *scene_for(const struct load_case *c)
{
    struct scene *scene = scene_new();
    scene->sim.plan.block_cnt = DISK_LEN / scene->sim.plan.block_len;
    scene->sim.plan.max_recv = scene->sim.plan.max_data_in = LEN_MAX;
    scene->sim.plan.first_burst = LEN_MAX;
    scene->sim.plan.cmd_window = 2 * QD_MAX;
    scene_open(scene, c->digests ? "cmds_max=256&queue_depth=128" DIGESTS
                                 : "cmds_max=256&queue_depth=128" NO_DIGESTS);
    return scene;
}

static void run_case(const struct load_case *c)
{
    struct load *load = calloc(1, sizeof(*load));
    assert_non_null(load);
    load->scene = scene_for(c);
    load->c = c;
    begin(load);
    run_until(load, WARM_UP * c->qd);
    uint32_t from = load->done;
    CALLGRIND_ZERO_STATS;
    CALLGRIND_TOGGLE_COLLECT;
    run_until(load, from + MIN_COUNT);
    CALLGRIND_TOGGLE_COLLECT;
    CALLGRIND_DUMP_STATS_AT(c->name);
    printf("%s %u\n", c->name, load->done - from);
    end(load);
    scene_free(load->scene);
    free(load);
}

static void all_cases(void **state)
{
    (void)state;
    printf("built: " COMPILER " for " MACHINE "\n");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        run_case(&cases[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_cases)};
    return cmocka_run_group_tests_name("guard-load", tests, NULL, NULL);
}
