/* The shape of another library's calls over iskra's:   libiscsi_shape iscsi://host/target/lun
 *
 * Programs written for libiscsi connect, log in, send tasks, and drive all that by asking which
 * events to poll for and handing in what poll returned. This shows that iskra's public interface
 * carries such a program: connect and login as separate steps, tasks with status, sense and data, a
 * descriptor that exists before there is a connection, cancelling one task, a logout that is waited
 * for. The names are this file's own. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iskra/scsi.h>
#include <iskra/session.h>

struct shape;
typedef void shape_fn(struct shape *s, int status, void *data, void *user);

enum shape_state {
    SHAPE_NEW,
    SHAPE_CONNECTED,
    SHAPE_LOGGED_IN,
};

/* One command, and what came back. */
struct shape_task {
    struct iskra_io io;
    struct iovec iov;
    struct shape *owner;
    shape_fn *fn;
    void *user;
    uint8_t cdb[16];
    uint8_t status; /* SCSI status */
    struct iskra_sense_info sense;
    uint8_t *datain;
    uint32_t datain_len;
};

struct shape {
    struct iskra *ctx;
    struct iskra_lun *lun;
    enum shape_state state;
    char *url;
    shape_fn *fn; /* of the step under way */
    void *user;
    char error[256];
};

static struct shape *shape_new(const char *initiator_name)
{
    struct iskra_options opts;
    struct shape *s = calloc(1, sizeof(*s));
    memset(&opts, 0, sizeof(opts));
    opts.size = sizeof(opts);
    opts.initiator_name = initiator_name;
    if (s != NULL && iskra_new(&opts, &s->ctx, NULL) < 0) {
        free(s);
        return NULL;
    }
    return s;
}

static void shape_free(struct shape *s)
{
    iskra_free(s->ctx);
    free(s->url);
    free(s);
}

static int shape_get_fd(struct shape *s)
{
    return iskra_fd(s->ctx);
}

/* The one descriptor says by readability whatever there is to do, writing and timers included. */
static int shape_which_events(struct shape *s)
{
    (void)s;
    return POLLIN;
}

static int shape_service(struct shape *s, int revents)
{
    return revents ? iskra_dispatch(s->ctx) : 0;
}

/* What such programs do between connect and login is set parameters. So "connected" is told when
 * the target has let somebody in, and the session that stays is made by the login. */
static void on_connected(void *arg, int status, const struct iskra_error *err)
{
    struct shape *s = arg;
    if (status == 0)
        s->state = SHAPE_CONNECTED;
    else
        snprintf(s->error, sizeof(s->error), "%s", err->text);
    s->fn(s, status, NULL, s->user);
}

static int shape_connect_async(struct shape *s, const char *url, shape_fn *fn, void *user)
{
    s->fn = fn;
    s->user = user;
    s->url = strdup(url);
    return s->url == NULL ? -ENOMEM : iskra_login(s->ctx, url, on_connected, s, NULL);
}

static void on_logged_in(void *arg, int status, struct iskra_lun *lun,
                         const struct iskra_error *err)
{
    struct shape *s = arg;
    s->lun = lun;
    if (status == 0)
        s->state = SHAPE_LOGGED_IN;
    else
        snprintf(s->error, sizeof(s->error), "%s", err->text);
    s->fn(s, status, NULL, s->user);
}

static int shape_login_async(struct shape *s, shape_fn *fn, void *user)
{
    if (s->state != SHAPE_CONNECTED)
        return -ENOTCONN;
    s->fn = fn;
    s->user = user;
    return iskra_open_raw(s->ctx, s->url, on_logged_in, s, NULL);
}

static void on_logged_out(void *arg)
{
    struct shape *s = arg;
    s->state = SHAPE_NEW;
    s->fn(s, 0, NULL, s->user);
}

static int shape_logout_async(struct shape *s, shape_fn *fn, void *user)
{
    s->fn = fn;
    s->user = user;
    iskra_close(s->lun, on_logged_out, s);
    s->lun = NULL;
    return 0;
}

static void task_free(struct shape_task *task)
{
    if (task != NULL)
        free(task->datain);
    free(task);
}

static void on_task(struct iskra_io *io)
{
    struct shape_task *task = io->user;
    task->datain_len = (uint32_t)(io->len - io->residual);
    task->status = io->error.scsi_status;
    memset(&task->sense, 0, sizeof(task->sense));
    (void)iskra_sense_parse(io->error.sense, io->error.sense_len, &task->sense);
    /* A status of the LUN is an answer; anything else is an error of the transport. */
    int status = io->status < 0 && io->error.code != ISKRA_E_SCSI ? io->status : task->status;
    if (io->status < 0)
        snprintf(task->owner->error, sizeof(task->owner->error), "%s", io->error.text);
    task->fn(task->owner, status, task, task->user);
}

static struct shape_task *shape_command_async(struct shape *s, const uint8_t *cdb, unsigned cdb_len,
                                              uint32_t in_len, shape_fn *fn, void *user)
{
    struct shape_task *task = calloc(1, sizeof(*task));
    if (task == NULL || cdb_len > sizeof(task->cdb) ||
        (task->datain = malloc(in_len + 1)) == NULL) {
        task_free(task);
        return NULL;
    }
    memcpy(task->cdb, cdb, cdb_len);
    task->owner = s;
    task->fn = fn;
    task->user = user;
    task->iov.iov_base = task->datain;
    task->iov.iov_len = in_len;
    task->io.op = ISKRA_RAW;
    task->io.cdb = task->cdb;
    task->io.cdb_len = cdb_len;
    task->io.iov = &task->iov;
    task->io.iov_cnt = in_len > 0;
    task->io.len = in_len;
    task->io.done = on_task;
    task->io.user = task;
    if (iskra_submit(s->lun, &task->io) < 0) {
        snprintf(s->error, sizeof(s->error), "%s", task->io.error.text);
        task_free(task);
        return NULL;
    }
    return task;
}

static struct shape_task *shape_read16_async(struct shape *s, uint64_t lba, uint32_t block_cnt,
                                             uint32_t block_len, shape_fn *fn, void *user)
{
    uint8_t cdb[16] = {0x88};
    for (int i = 0; i < 8; i++)
        cdb[2 + i] = (uint8_t)(lba >> (56 - 8 * i));
    for (int i = 0; i < 4; i++)
        cdb[10 + i] = (uint8_t)(block_cnt >> (24 - 8 * i));
    return shape_command_async(s, cdb, sizeof(cdb), block_cnt * block_len, fn, user);
}

/* Local and at once: the target's answer, if it still comes, goes nowhere. */
static int shape_task_cancel(struct shape_task *task)
{
    return iskra_detach(&task->io);
}

/* ---- a program of that shape ---- */

#define TASK_CNT 8

struct program {
    int finished, failed, out_cnt;
    uint32_t block_len;
    unsigned long long sum;
};

static void end(struct shape *s, int status, void *data, void *user)
{
    struct program *p = user;
    (void)s;
    (void)status;
    (void)data;
    p->finished = 1;
}

static void quit(struct shape *s, struct program *p)
{
    p->failed = 1;
    if (s->lun != NULL)
        shape_logout_async(s, end, p);
    else
        p->finished = 1;
}

static void blocks_read(struct shape *s, int status, void *data, void *user)
{
    struct program *p = user;
    struct shape_task *task = data;
    for (uint32_t i = 0; status == 0 && i < task->datain_len; i++)
        p->sum += task->datain[i];
    p->failed |= status != 0;
    task_free(task);
    if (--p->out_cnt == 0)
        shape_logout_async(s, end, p);
}

static void read_blocks(struct shape *s, struct program *p)
{
    struct shape_task *unwanted = shape_read16_async(s, 0, 1, p->block_len, blocks_read, p);
    for (unsigned i = 0; i < TASK_CNT; i++)
        p->out_cnt += shape_read16_async(s, i, 1, p->block_len, blocks_read, p) != NULL;
    if (unwanted == NULL || p->out_cnt < TASK_CNT || shape_task_cancel(unwanted) < 0)
        p->failed = 1;
    else
        task_free(unwanted);
    if (p->out_cnt == 0)
        quit(s, p);
}

static void capacity_read(struct shape *s, int status, void *data, void *user)
{
    static const uint8_t cdb[16] = {0x9e, 0x10, [13] = 32};
    struct program *p = user;
    struct shape_task *task = data;
    struct iskra_capacity_info capacity;
    int attention = task != NULL && status == ISKRA_STATUS_CHECK_CONDITION &&
                    task->sense.key == ISKRA_SENSE_UNIT_ATTENTION;
    if (status == 0 && task != NULL &&
        iskra_capacity_parse(task->datain, task->datain_len, &capacity) == 0) {
        p->block_len = capacity.block_len;
        read_blocks(s, p);
    } else if ((task != NULL && !attention) ||
               shape_command_async(s, cdb, 16, 32, capacity_read, p) == NULL) {
        quit(s, p);
    }
    task_free(task);
}

static void logged_in(struct shape *s, int status, void *data, void *user)
{
    if (status == 0)
        capacity_read(s, 0, data, user); /* no task yet: sends the first */
    else
        quit(s, user);
}

static void connected(struct shape *s, int status, void *data, void *user)
{
    (void)data;
    if (status < 0 || shape_login_async(s, logged_in, user) < 0)
        quit(s, user);
}

int main(int argc, char **argv)
{
    struct program p = {0};
    struct shape *s = argc == 2 ? shape_new(NULL) : NULL;
    if (s == NULL)
        return 2;
    if (shape_connect_async(s, argv[1], connected, &p) < 0)
        p.finished = p.failed = 1;
    while (!p.finished) {
        struct pollfd fd = {.fd = shape_get_fd(s), .events = (short)shape_which_events(s)};
        if ((poll(&fd, 1, -1) < 0 && errno != EINTR) || shape_service(s, fd.revents) < 0)
            break;
    }
    if (p.failed)
        fprintf(stderr, "failed: %s\n", s->error);
    else
        printf("%d blocks of %u bytes, sum %llu\n", TASK_CNT, p.block_len, p.sum);
    shape_free(s);
    return p.failed;
}
