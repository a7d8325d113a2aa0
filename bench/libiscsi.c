/* A client on libiscsi, in the same loop as the others: its asynchronous interface with scatter
 * lists, so that nothing is copied or allocated for it here; poll() between turns, but at small
 * depths commands that answers have led to are sent at once, without one. --digests: headers only,
 * this interface knows no others. */
#include "measure.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>

/* Up to this depth sending without a poll took 4 % less CPU per read, at 128 no less. */
#define AT_ONCE_QD_MAX 32u

struct client;

struct slot {
    struct scsi_iovec iov;
    struct client *c;
    uint64_t since_ns;
};

struct client {
    struct bench *b;
    struct iscsi_context *iscsi;
    struct slot *slots;
    uint32_t out_cnt;
    bool sends_at_once;
};

static void next(struct slot *s);

static void done(struct iscsi_context *iscsi, int status, void *data, void *arg)
{
    struct slot *s = arg;
    struct client *c = s->c;
    struct scsi_task *task = data;
    if (status != SCSI_STATUS_GOOD)
        bench_die_of(c->b, "request", iscsi_get_error(iscsi));
    if (task->residual_status != SCSI_RESIDUAL_NO_RESIDUAL)
        bench_die_of(c->b, "request", "not as long as asked for");
    scsi_free_scsi_task(task);
    c->out_cnt--;
    bench_see(c->b);
    if (bench_ended(c->b, s->since_ns))
        next(s);
}

static void next(struct slot *s)
{
    struct client *c = s->c;
    struct bench *b = c->b;
    s->since_ns = b->now_ns;
    uint32_t lba = (uint32_t)(bench_place(b) / b->sector_len);
    struct scsi_task *task =
        b->write ? iscsi_write10_iov_task(c->iscsi, (int)b->lun, lba, NULL, b->block_len,
                                          (int)b->sector_len, 0, 0, 0, 0, 0, done, s, &s->iov, 1)
                 : iscsi_read10_iov_task(c->iscsi, (int)b->lun, lba, b->block_len,
                                         (int)b->sector_len, 0, 0, 0, 0, 0, done, s, &s->iov, 1);
    if (task == NULL)
        bench_die_of(b, "submit", iscsi_get_error(c->iscsi));
    c->out_cnt++;
}

static void turn(struct client *c)
{
    struct pollfd pfd = {.fd = iscsi_get_fd(c->iscsi),
                         .events = (short)iscsi_which_events(c->iscsi)};
    bench_turn(c->b);
    if (c->b->spin)
        pfd.revents = pfd.events;
    else if (poll(&pfd, 1, 5000) < 0)
        bench_die("poll");
    if (iscsi_service(c->iscsi, pfd.revents) < 0)
        bench_die_of(c->b, "service", iscsi_get_error(c->iscsi));
    if (c->sends_at_once && iscsi_which_events(c->iscsi) & POLLOUT &&
        iscsi_service(c->iscsi, POLLOUT) < 0)
        bench_die_of(c->b, "service", iscsi_get_error(c->iscsi));
}

static void round_run(void *arg)
{
    struct client *c = arg;
    bench_begin(c->b);
    for (uint32_t i = 0; i < c->b->qd; i++)
        next(&c->slots[i]);
    while (!c->b->over)
        turn(c);
    bench_report(c->b);
    while (c->out_cnt > 0)
        turn(c);
}

static void log_in(struct client *c)
{
    struct bench *b = c->b;
    char portal[128];
    snprintf(portal, sizeof(portal), "%s:%u", b->host, b->port);
    c->iscsi = iscsi_create_context("iqn.2026-11.io.iskra:bench-libiscsi");
    if (c->iscsi == NULL)
        bench_die_of(b, "context", "no memory");
    iscsi_set_targetname(c->iscsi, b->target);
    iscsi_set_session_type(c->iscsi, ISCSI_SESSION_NORMAL);
    iscsi_set_header_digest(c->iscsi,
                            b->digests ? ISCSI_HEADER_DIGEST_CRC32C : ISCSI_HEADER_DIGEST_NONE);
    iscsi_set_immediate_data(c->iscsi, ISCSI_IMMEDIATE_DATA_YES);
    iscsi_set_initial_r2t(c->iscsi, ISCSI_INITIAL_R2T_NO);
    if (iscsi_full_connect_sync(c->iscsi, portal, (int)b->lun) != 0)
        bench_die_of(b, "login", iscsi_get_error(c->iscsi));
}

int main(int argc, char **argv)
{
    struct bench b = {.name = "libiscsi"};
    struct client c = {.b = &b};
    bench_options(&b, argc, argv);
    c.sends_at_once = b.qd <= AT_ONCE_QD_MAX;
    if (b.target == NULL || b.port == 0 || b.session_cnt != 1) {
        fprintf(stderr, "libiscsi: needs --port and --target; one session\n");
        return 2;
    }
    log_in(&c);
    bench_pin(b.cpu);
    c.slots = calloc(b.qd, sizeof(*c.slots));
    for (uint32_t i = 0; i < b.qd; i++) {
        c.slots[i].c = &c;
        c.slots[i].iov = (struct scsi_iovec){bench_payload(b.block_len), b.block_len};
    }
    bench_rounds(&b, round_run, &c);
    iscsi_logout_sync(c.iscsi);
    iscsi_destroy_context(c.iscsi);
    for (uint32_t i = 0; i < b.qd; i++)
        free(c.slots[i].iov.iov_base);
    free(c.slots);
    return 0;
}
