/* Scripted worlds: see scene.h. */
#include "sim/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the world ---- */

static void plan_quiet(struct sim_plan *plan)
{
    *plan = (struct sim_plan){
        .latency_min_ns = SCENE_LATENCY_NS,
        .latency_max_ns = SCENE_LATENCY_NS,
        .connect_ns = SIM_US,
        .pipe_len = SIM_PIPE_LEN,
        .strike_ns = SIM_S,
        .service_ns = 1,
        .group_cnt = 1,
        .block_len = 512,
        .block_cnt = 4096,
        .lun_cnt = 2,
        .max_recv = 8192,
        .first_burst = 65536,
        .max_burst = 262144,
        .max_r2t = 1,
        .max_data_in = 65536,
        .immediate_data = true,
        .cmd_window = 64,
    };
}

struct scene *scene_new(void)
{
    struct scene *scene = calloc(1, sizeof(*scene));
    assert_non_null(scene);
    plan_quiet(&scene->sim.plan);
    scene->file = open_memstream(&scene->text, &scene->text_len);
    assert_non_null(scene->file);
    for (unsigned i = 0; i < SCENE_IO_CNT; i++) {
        scene->ios[i].scene = scene;
        scene->ios[i].memory = calloc(1, SCENE_MEMORY_LEN);
    }
    return scene;
}

void scene_fault(struct scene *scene, const char *spec)
{
    struct sim_plan *plan = &scene->sim.plan;
    assert_true(plan->spec_cnt < SIM_SPEC_CNT && strlen(spec) < SIM_SPEC_LEN);
    strcpy(plan->specs[plan->spec_cnt++], spec);
}

void scene_turn(struct scene *scene)
{
    (void)iskra_run_once(scene->sim.ctx, 0);
    if (scene->sim.record.failed)
        fail_msg("%s", scene->sim.record.failure);
}

void scene_run_to(struct scene *scene, uint64_t then_ns)
{
    struct sim *sim = &scene->sim;
    while (sim->clock.now_ns < then_ns) {
        (void)iskra_run_once(sim->ctx, (int64_t)(then_ns - sim->clock.now_ns));
        if (sim->record.failed)
            fail_msg("%s", sim->record.failure);
    }
    scene_turn(scene);
    scene_turn(scene);
}

static void run_until_over(struct scene *scene)
{
    uint64_t limit_ns = scene->sim.clock.now_ns + 60 * SIM_S;
    while (!scene->over && scene->sim.clock.now_ns < limit_ns)
        scene_run_to(scene, scene->sim.clock.now_ns + 100 * SIM_MS);
    assert_true(scene->over);
}

static void opened(void *arg, int status, struct iskra_lun *lun, const struct iskra_error *err)
{
    struct scene *scene = arg;
    scene->status = status;
    scene->lun = lun;
    scene->over = true;
    if (status < 0)
        print_message("# %s\n", err->text);
}

void scene_open(struct scene *scene, const char *keys)
{
    struct sim *sim = &scene->sim;
    struct iskra_error err = {0};
    char url[512];
    sim_record_init(&sim->record, &sim->clock, true, scene->file);
    assert_true(sim_world_make(sim));
    snprintf(url, sizeof(url), "iscsi://127.0.0.1:%u/" SIM_TARGET_NAME "/0?%s", SIM_PORT, keys);
    scene->over = false;
    assert_int_equal(iskra_open(sim->ctx, url, opened, scene, &err), 0);
    run_until_over(scene);
    assert_int_equal(scene->status, 0);
}

static void closed(void *arg)
{
    ((struct scene *)arg)->over = true;
}

void scene_free(struct scene *scene)
{
    struct sim *sim = &scene->sim;
    if (scene->lun) {
        scene->over = false;
        iskra_close(scene->lun, closed, scene);
        run_until_over(scene);
    }
    sim_world_unmake(sim);
    if (sim->record.failed)
        fail_msg("%s", sim->record.failure);
    sim_record_done(&sim->record);
    fclose(scene->file);
    free(scene->text);
    for (unsigned i = 0; i < SCENE_IO_CNT; i++)
        free(scene->ios[i].memory);
    free(scene);
}

/* ---- requests ---- */

static void io_done(struct iskra_io *io)
{
    struct scene_io *sio = io->user;
    sio->done_cnt++;
    sio->done_ns = sio->scene->sim.clock.now_ns;
}

static struct scene_io *submit(struct scene *scene, unsigned number, enum iskra_op op, uint64_t lba,
                               uint32_t block_cnt)
{
    struct scene_io *sio = &scene->ios[number];
    uint32_t block_len = scene->sim.plan.block_len, len = block_cnt * block_len;
    assert_true(number < SCENE_IO_CNT && len <= SCENE_MEMORY_LEN);
    sio->done_cnt = 0;
    sio->iov = (struct iovec){sio->memory, len};
    sio->io = (struct iskra_io){
        .op = op,
        .offset = lba * block_len,
        .len = len,
        .iov = &sio->iov,
        .iov_cnt = 1,
        .done = io_done,
        .user = sio,
    };
    assert_int_equal(iskra_submit(scene->lun, &sio->io), 0);
    scene_turn(scene);
    return sio;
}

struct scene_io *scene_read(struct scene *scene, unsigned number, uint64_t lba, uint32_t block_cnt)
{
    return submit(scene, number, ISKRA_READ, lba, block_cnt);
}

struct scene_io *scene_write(struct scene *scene, unsigned number, uint64_t lba, uint32_t block_cnt)
{
    return submit(scene, number, ISKRA_WRITE, lba, block_cnt);
}

void scene_assert_done(const struct scene_io *sio, int status)
{
    assert_int_equal(sio->done_cnt, 1);
    if (sio->io.status != status)
        print_message("# %s\n", sio->io.error.text);
    assert_int_equal(sio->io.status, status);
}

/* ---- the link ---- */

struct sim_conn *scene_conn(struct scene *scene)
{
    ISKRA_LIST_FOREACH(l, &scene->sim.network.conns)
    {
        struct sim_conn *conn = iskra_container_of(l, struct sim_conn, link);
        if (conn->phase <= SIM_CONN_OPEN)
            return conn;
    }
    return NULL;
}

void scene_link(struct scene *scene, bool works)
{
    struct sim_conn *conn = scene_conn(scene);
    scene->sim.network.down = !works;
    if (conn)
        sim_conn_stall(conn, true, true, works ? 0 : SIM_NEVER);
}

void scene_drop(struct scene *scene)
{
    struct sim_conn *conn = scene_conn(scene);
    assert_non_null(conn);
    sim_conn_reset(conn);
}

/* ---- what has happened ---- */

/* The n-th line that begins so, or NULL. */
static const char *find(struct scene *scene, const char *begin, unsigned n)
{
    fflush(scene->file);
    const char *line = scene->text;
    size_t len = strlen(begin);
    while (line && *line) {
        const char *what = strchr(line + strspn(line, " "), ' ');
        if (what && strncmp(what + 1, begin, len) == 0 && n-- == 0)
            return line;
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    return NULL;
}

uint64_t scene_when(struct scene *scene, const char *begin, unsigned n)
{
    const char *line = find(scene, begin, n);
    unsigned long long s, ns;
    if (!line || sscanf(line, "%llu.%llu", &s, &ns) != 2)
        return SCENE_NONE;
    return s * SIM_S + ns;
}

bool scene_is_before(struct scene *scene, const char *begin, unsigned n, const char *other,
                     unsigned m)
{
    const char *first = find(scene, begin, n), *second = find(scene, other, m);
    assert_true(first && second);
    return first < second;
}

unsigned scene_count(struct scene *scene, const char *begin)
{
    unsigned cnt = 0;
    while (find(scene, begin, cnt))
        cnt++;
    return cnt;
}

void scene_write_log(struct scene *scene, FILE *to)
{
    for (unsigned i = 0; i < scene_count(scene, "session "); i++) {
        uint64_t ns = scene_when(scene, "session ", i);
        fprintf(to, "%3llu.%06llu %s\n", (unsigned long long)(ns / SIM_S),
                (unsigned long long)(ns % SIM_S / SIM_US), scene_line(scene, "session ", i));
    }
}

const char *scene_line(struct scene *scene, const char *begin, unsigned n)
{
    static char text[SIM_LINE_LEN];
    const char *line = find(scene, begin, n);
    text[0] = '\0';
    if (line) {
        line = strchr(line + strspn(line, " "), ' ') + 1;
        snprintf(text, sizeof(text), "%.*s", (int)strcspn(line, "\n"), line);
    }
    return text;
}
