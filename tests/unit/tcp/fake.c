#include "fake.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"
#include "wire/crc32c.h"

static struct fake *fake_of(struct iskra_tcp_conn *conn)
{
    struct fake *f = iskra_container_of(conn, struct fake, conn);
    if (f->failure_cnt > 0)
        f->after_failure_cnt++;
    return f;
}

static struct fake_task *task_of(struct iskra_tcp_task *task)
{
    return iskra_container_of(task, struct fake_task, tcp);
}

static struct iskra_tcp_task *fake_itt_to_ctask(struct iskra_tcp_conn *conn, uint32_t itt)
{
    struct fake *f = fake_of(conn);
    for (unsigned i = 0; i < FAKE_TASK_CNT; i++)
        if (f->tasks[i].known && f->tasks[i].tcp.itt == itt)
            return &f->tasks[i].tcp;
    return NULL;
}

/* Tags of the fake's age begin with 1. */
static enum iskra_conn_error fake_verify_itt(struct iskra_tcp_conn *conn, uint32_t itt)
{
    (void)fake_of(conn);
    return itt == ISKRA_RESERVED_TAG || itt >> 28 == 1 ? ISKRA_CONN_OK : ISKRA_CONN_BAD_ITT;
}

static void fake_update_cmd_window(struct iskra_tcp_conn *conn, uint32_t exp_cmd_sn,
                                   uint32_t max_cmd_sn)
{
    struct fake *f = fake_of(conn);
    f->window_update_cnt++;
    f->exp_cmd_sn = exp_cmd_sn;
    f->max_cmd_sn = max_cmd_sn;
}

static enum iskra_conn_error fake_complete_pdu(struct iskra_tcp_conn *conn, const uint8_t *hdr,
                                               const uint8_t *data, uint32_t len)
{
    struct fake *f = fake_of(conn);
    assert((data == NULL) == (len == 0) && len <= ISKRA_CONN_BUF_LEN);
    f->complete_cnt++;
    memcpy(f->last_hdr, hdr, ISKRA_BHS_LEN);
    f->last_data_len = len;
    f->complete_crc = iskra_crc32c_update(f->complete_crc, hdr, ISKRA_BHS_LEN);
    if (len > 0) {
        memcpy(f->last_data, data, len);
        f->complete_crc = iskra_crc32c_update(f->complete_crc, data, len);
    }
    if (f->suspend_in_complete)
        iskra_tcp_recv_suspend(conn);
    return f->complete_error;
}

static void fake_r2t_queued(struct iskra_tcp_conn *conn, struct iskra_tcp_task *task)
{
    assert(task->r2t->queued_cnt > 0);
    fake_of(conn)->r2t_cnt++;
}

static bool fake_logged_in(struct iskra_tcp_conn *conn)
{
    return fake_of(conn)->logged_in;
}

static void fake_task_get(struct iskra_tcp_conn *conn, struct iskra_tcp_task *task)
{
    fake_of(conn)->get_cnt++;
    task_of(task)->ref_cnt++;
}

static void fake_task_put(struct iskra_tcp_conn *conn, struct iskra_tcp_task *task)
{
    struct fake *f = iskra_container_of(conn, struct fake, conn); /* legal after a failure */
    f->put_cnt++;
    assert(task_of(task)->ref_cnt > 0);
    task_of(task)->ref_cnt--;
}

static void fake_conn_failure(struct iskra_tcp_conn *conn, enum iskra_conn_error error)
{
    struct fake *f = fake_of(conn);
    f->failure_cnt++;
    f->failure = error;
}

static void fake_closed(struct iskra_tcp_conn *conn, int err)
{
    (void)err;
    fake_of(conn)->closed_cnt++;
}

static void fake_write_space(struct iskra_tcp_conn *conn)
{
    fake_of(conn)->write_space_cnt++;
}

static const struct iskra_tcp_ops fake_ops = {
    .verify_itt = fake_verify_itt,
    .itt_to_ctask = fake_itt_to_ctask,
    .update_cmd_window = fake_update_cmd_window,
    .complete_pdu = fake_complete_pdu,
    .r2t_queued = fake_r2t_queued,
    .logged_in = fake_logged_in,
    .task_get = fake_task_get,
    .task_put = fake_task_put,
    .conn_failure = fake_conn_failure,
    .closed = fake_closed,
    .write_space = fake_write_space,
};

static void *fake_alloc(void *arg, size_t size)
{
    struct fake *f = arg;
    if (f->allocs_left == 0)
        return NULL;
    f->allocs_left--;
    return calloc(1, size);
}

static void fake_free(void *arg, void *p)
{
    (void)arg;
    free(p);
}

void fake_init(struct fake *f)
{
    memset(f, 0, sizeof(*f));
    f->pf = (struct iskra_platform){
        .size = sizeof(f->pf), .arg = f, .alloc = fake_alloc, .free = fake_free};
    f->allocs_left = 1000;
    f->logged_in = true;
    f->complete_crc = ISKRA_CRC32C_INIT;
    int rc = iskra_trace_init(&f->trace, &f->pf, FAKE_RECORD_CNT);
    if (rc == 0)
        rc = iskra_tcp_conn_init(&f->conn, &fake_ops, &f->pf, &f->trace, 1, 16);
    if (rc != 0)
        abort();
    f->conn.port.ops->bound(&f->conn.port);
    f->conn.in.max_recv_data_len = 256 * 1024;
}

void fake_reset(struct fake *f)
{
    iskra_tcp_conn_reset(&f->conn);
    f->conn.port.ops->bound(&f->conn.port);
}

void fake_done(struct fake *f)
{
    iskra_tcp_conn_done(&f->conn);
    for (unsigned i = 0; i < FAKE_TASK_CNT; i++) {
        assert(f->tasks[i].ref_cnt == 0);
        free(f->tasks[i].memory);
    }
    iskra_trace_done(&f->trace);
}

/* Random cuts; equal ones make empty entries. */
static void memory_cut(struct fake_task *task, uint32_t iov_cnt, uint32_t seed)
{
    uint32_t at = 0, len = task->tcp.transfer_len;
    for (uint32_t i = 0; i < iov_cnt; i++) {
        uint32_t left = len - at;
        uint32_t n = i + 1 == iov_cnt || left == 0 ? left : rand_next(&seed) % (left + 1);
        if (iov_cnt > 3 && i % 3 == 2 && i + 1 < iov_cnt)
            n = 0;
        task->iov[i] = (struct iovec){.iov_base = task->memory + at, .iov_len = n};
        at += n;
    }
}

struct fake_task *fake_task_add(struct fake *f, enum iskra_data_dir dir, uint32_t transfer_len,
                                uint32_t iov_cnt, uint32_t seed)
{
    unsigned i = 0;
    while (i < FAKE_TASK_CNT && f->tasks[i].known)
        i++;
    assert(i < FAKE_TASK_CNT && iov_cnt <= FAKE_IOV_CNT);
    struct fake_task *task = &f->tasks[i];
    *task = (struct fake_task){.known = true};
    task->memory = malloc(transfer_len + 1);
    if (!task->memory)
        abort();
    task->tcp.itt = 0x10000000u + i;
    task->tcp.dir = dir;
    task->tcp.transfer_len = transfer_len;
    memory_cut(task, iov_cnt, seed);
    task->iov_cnt = iov_cnt;
    fake_task_restart(task);
    return task;
}

void fake_task_restart(struct fake_task *task)
{
    memset(task->memory, 0xee, task->tcp.transfer_len);
    iskra_sg_cursor_init(&task->tcp.sg, task->iov, task->iov_cnt, 0);
    iskra_r2t_queue_init(&task->r2ts, task->r2t_memory, FAKE_R2T_CNT);
    task->tcp.r2t = task->tcp.dir == ISKRA_DIR_WRITE ? &task->r2ts : NULL;
    task->tcp.running = true;
    task->tcp.exp_data_sn = task->tcp.recv_len = 0;
    task->tcp.last_xfer = 0;
}

unsigned fake_pdu_in_cnt(const struct fake *f)
{
    unsigned cnt = 0;
    for (uint32_t i = 0; i < f->trace.head; i++)
        cnt += f->trace.ring[i].kind == ISKRA_TRACE_PDU_IN;
    return cnt;
}

const struct iskra_trace_record *fake_pdu_in(const struct fake *f, unsigned i)
{
    for (uint32_t at = 0; at < f->trace.head; at++)
        if (f->trace.ring[at].kind == ISKRA_TRACE_PDU_IN && i-- == 0)
            return &f->trace.ring[at];
    return NULL;
}

/* Spreads bytes over the window as readv() does. */
static void window_fill(const struct iovec *iov, int cnt, const uint8_t *bytes, size_t n)
{
    for (int i = 0; i < cnt && n > 0; i++) {
        size_t here_len = iov[i].iov_len < n ? iov[i].iov_len : n;
        memcpy(iov[i].iov_base, bytes, here_len);
        bytes += here_len;
        n -= here_len;
    }
}

int port_feed(struct iskra_port *port, uint8_t *staging, size_t staging_len, const uint8_t *bytes,
              size_t len, struct chunks *chunks, size_t *ret_used)
{
    size_t at = 0;
    int rc = 0;
    while (at < len && rc == 0) {
        struct iovec iov[8];
        int cnt = port->ops->recv_window(port, staging, staging_len, iov, 8);
        if (cnt == 0)
            break;
        size_t n = chunks_next(chunks), window_len = 0;
        for (int i = 0; i < cnt; i++)
            window_len += iov[i].iov_len;
        if (n > window_len)
            n = window_len;
        if (n > len - at)
            n = len - at;
        window_fill(iov, cnt, bytes + at, n);
        at += n;
        rc = port->ops->recv(port, n);
    }
    *ret_used = at;
    return rc;
}

int fake_feed(struct fake *f, const uint8_t *bytes, size_t len, struct chunks *chunks,
              size_t *ret_used)
{
    return port_feed(&f->conn.port, f->staging, sizeof(f->staging), bytes, len, chunks, ret_used);
}

void fake_feed_all(struct fake *f, const struct stream *s)
{
    struct chunks whole = {.fixed = SIZE_MAX};
    size_t used;
    int rc = fake_feed(f, s->bytes, s->len, &whole, &used);
    if (rc != 0 || used != s->len || f->failure_cnt != 0)
        abort();
}

size_t chunks_next(struct chunks *chunks)
{
    return chunks->fixed > 0 ? chunks->fixed : 1 + rand_next(&chunks->seed) % chunks->max;
}

uint32_t rand_next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    uint32_t x = *seed;
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    return x;
}

void rand_fill(uint32_t *seed, uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++)
        buf[i] = (uint8_t)rand_next(seed);
}
