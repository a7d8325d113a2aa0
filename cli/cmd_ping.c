/* iskra ping: round trips of NOP-Out and NOP-In, as ping(8) shows those of ICMP. */
#include "cli.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <iskra/session.h>

#include "json.h"

#define NS_PER_S       UINT64_C(1000000000)
#define NS_PER_MS      1e6
#define COUNT_MAX      1000000000u
#define INTERVAL_MAX_S 86400u
#define SIZE_MAX_B     8192u /* what one ping may carry at most */

struct pinger {
    const struct cli *cli;
    struct iskra_lun *lun;
    uint64_t cnt, size, interval_ns; /* cnt 0: until interrupted */
    unsigned char data[SIZE_MAX_B];
    uint64_t sent, answered, lost, differed;
    double min_ms, max_ms, mean_ms, square_sum; /* of what was answered; Welford's sums */
    struct iskra_error fatal;                   /* what ended the session; code 0: nothing has */
    struct json_object *list;
    int interrupt_fd, signo;
};

static double square_root(double square)
{
    double root = square > 1 ? square : 1;
    for (int i = 0; i < 64; i++) /* Newton: converges from above, long before that */
        root = (root + square / root) / 2;
    return square > 0 ? root : 0;
}

static void rtt_take(struct pinger *p, double ms)
{
    p->answered++;
    if (p->answered == 1 || ms < p->min_ms)
        p->min_ms = ms;
    if (ms > p->max_ms)
        p->max_ms = ms;
    double off = ms - p->mean_ms;
    p->mean_ms += off / (double)p->answered;
    p->square_sum += off * (ms - p->mean_ms);
}

static void answered_tell(struct pinger *p, uint64_t seq, double ms)
{
    if (p->list != NULL) {
        struct json_object *one = cli_json_object();
        cli_json_number(one, "seq", seq);
        cli_json_real(one, "ms", ms);
        cli_json_append(p->list, one);
    } else if (!p->cli->json && !p->cli->quiet) {
        cli_print("%llu bytes: seq=%llu time=%.3f ms\n", (unsigned long long)p->size,
                  (unsigned long long)seq, ms);
        cli_print_flush();
    }
}

static void failed_tell(struct pinger *p, uint64_t seq, const char *why)
{
    if (p->list != NULL) {
        struct json_object *one = cli_json_object();
        cli_json_number(one, "seq", seq);
        cli_json_text(one, "error", why);
        cli_json_append(p->list, one);
    } else if (!p->cli->json && !p->cli->quiet) {
        cli_print("seq=%llu: %s\n", (unsigned long long)seq, why);
        cli_print_flush();
    }
}

/* One ping is over. What only this ping met is counted; anything else is the session's end. */
static void outcome_take(struct pinger *p, uint64_t seq, int status, uint64_t rtt_ns,
                         const struct iskra_error *err)
{
    double ms = (double)rtt_ns / NS_PER_MS;
    if (status == 0) {
        rtt_take(p, ms);
        answered_tell(p, seq, ms);
        return;
    }
    failed_tell(p, seq, err->text);
    if (status == -EBADMSG)
        p->differed++;
    else
        p->lost++;
    if (status != -EBADMSG && status != -ETIMEDOUT && status != -EAGAIN && status != -EPROTO &&
        status != -EBUSY && p->fatal.code == ISKRA_OK)
        p->fatal = *err;
}

struct in_flight {
    struct pinger *pinger;
    uint64_t seq;
};

static void ping_done(void *arg, int status, uint64_t rtt_ns, const struct iskra_error *err)
{
    struct in_flight *one = arg;
    outcome_take(one->pinger, one->seq, status, rtt_ns, err);
    free(one);
}

static void ping_send(struct pinger *p)
{
    struct iskra_error err = {0};
    uint64_t seq = ++p->sent;
    struct in_flight *one = malloc(sizeof(*one));
    for (uint64_t i = 0; i < p->size; i++)
        p->data[i] = (unsigned char)(seq + i);
    int rc = -ENOMEM;
    if (one != NULL) {
        *one = (struct in_flight){.pinger = p, .seq = seq};
        rc = iskra_ping(p->lun, p->data, (uint32_t)p->size, 0, ping_done, one, &err);
    } else {
        err = (struct iskra_error){.code = ISKRA_E_NOMEM, .text = "no memory for a ping"};
    }
    if (rc == 0)
        return;
    free(one);
    outcome_take(p, seq, rc, 0, &err);
}

static uint64_t over_cnt(const struct pinger *p)
{
    return p->answered + p->lost + p->differed;
}

static void wait_until(struct pinger *p, uint64_t until_ns)
{
    uint64_t now_ns = cli_now_ns();
    int timeout_ms = until_ns <= now_ns ? 0 : (int)((until_ns - now_ns) / 1000000 + 1);
    struct pollfd fds[] = {
        {.fd = iskra_fd(p->cli->ctx), .events = POLLIN},
        {.fd = p->interrupt_fd, .events = POLLIN},
    };
    if (until_ns == UINT64_MAX)
        timeout_ms = -1;
    if (poll(fds, 2, timeout_ms) > 0 && fds[1].revents)
        p->signo = cli_interrupt_taken(p->interrupt_fd);
    (void)iskra_dispatch(p->cli->ctx); /* every ping's own outcome says what is wrong */
}

static void pings_run(struct pinger *p)
{
    uint64_t next_ns = cli_now_ns();
    while (!p->signo && p->fatal.code == ISKRA_OK && !cli_output_error()) {
        bool more = p->cnt == 0 || p->sent < p->cnt;
        if (!more && over_cnt(p) == p->sent)
            return;
        bool idle = over_cnt(p) == p->sent; /* without an interval the answer is waited for */
        if (more && (p->interval_ns > 0 ? cli_now_ns() >= next_ns : idle)) {
            ping_send(p);
            next_ns += p->interval_ns;
            continue;
        }
        wait_until(p, more && p->interval_ns > 0 ? next_ns : UINT64_MAX);
    }
}

static void summary_json(const struct pinger *p, const struct iskra_session_info *info,
                         double mdev_ms)
{
    struct json_object *root = cli_json_object();
    cli_json_text(root, "target", info->target_name);
    cli_json_text(root, "portal", info->portal_address);
    cli_json_number(root, "bytes", p->size);
    cli_json_number(root, "sent", over_cnt(p));
    cli_json_number(root, "received", p->answered + p->differed);
    cli_json_number(root, "lost", p->lost);
    cli_json_number(root, "different", p->differed);
    if (p->answered > 0) {
        cli_json_real(root, "min_ms", p->min_ms);
        cli_json_real(root, "avg_ms", p->mean_ms);
        cli_json_real(root, "max_ms", p->max_ms);
        cli_json_real(root, "mdev_ms", mdev_ms);
    }
    if (p->list != NULL)
        cli_json_put(root, "pings", p->list);
    cli_json_print(root);
}

/* Pings that were still waited for when Ctrl-C came are neither lost nor answered. */
static void summary_print(const struct pinger *p, const struct iskra_session_info *info)
{
    double mdev_ms = p->answered ? square_root(p->square_sum / (double)p->answered) : 0;
    if (p->cli->json) {
        summary_json(p, info, mdev_ms);
        return;
    }
    uint64_t sent = over_cnt(p);
    cli_print("%s at %s: %llu sent, %llu received, %.0f%% lost\n", info->target_name,
              info->portal_address, (unsigned long long)sent,
              (unsigned long long)(p->answered + p->differed),
              sent ? 100.0 * (double)p->lost / (double)sent : 0.0);
    if (p->answered > 0)
        cli_print("min/avg/max/mdev = %.3f/%.3f/%.3f/%.3f ms\n", p->min_ms, p->mean_ms, p->max_ms,
                  mdev_ms);
}

static int exit_code_of(const struct pinger *p)
{
    if (p->fatal.code != ISKRA_OK)
        return cli_fail(p->cli, -EIO, &p->fatal);
    if (p->differed > 0)
        return CLI_OTHER;
    return p->lost > 0 ? CLI_TIMEOUT_SCSI : CLI_OK;
}

static int args_take(const struct cli *cli, struct pinger *p)
{
    int exit_code = CLI_OK;
    for (unsigned i = 0; i < cli->given_cnt && !exit_code; i++) {
        const struct cli_given *given = &cli->given[i];
        if (given->id == 'c')
            exit_code = cli_number_option(cli, "count", given->value, COUNT_MAX, &p->cnt);
        else if (given->id == 's')
            exit_code = cli_number_option(cli, "size", given->value, SIZE_MAX_B, &p->size);
        else
            exit_code =
                cli_seconds_option(cli, "interval", given->value, INTERVAL_MAX_S, &p->interval_ns);
    }
    return exit_code;
}

static int ping_run(struct cli *cli)
{
    static struct pinger p; /* its data is large */
    p = (struct pinger){.cli = cli, .cnt = 4, .size = 56, .interval_ns = NS_PER_S};
    struct iskra_error err = {0};
    struct iskra_session_info info;
    int exit_code = args_take(cli, &p);
    if (exit_code || (exit_code = cli_initiator_new(cli, NULL)))
        return exit_code;
    int rc = iskra_open_sync(cli->ctx, cli->args[0], &p.lun, &err);
    if (rc)
        return cli_fail(cli, rc, &err);
    iskra_session_info(p.lun, &info);
    if (cli->json && !cli->quiet)
        p.list = cli_json_array();
    p.interrupt_fd = cli_interrupt_open();
    pings_run(&p);
    summary_print(&p, &info);
    exit_code = exit_code_of(&p);
    p.list = NULL; /* printed and freed; nothing is told of pings that end with the session */
    cli->quiet = true;
    (void)iskra_close_sync(p.lun); /* everything was said already */
    cli_initiator_free(cli);
    cli_interrupt_end(p.interrupt_fd, 0);
    return exit_code;
}

static const struct cli_option options[] = {
    {"count", "NUMBER", 'c', "how many; 0: until interrupted [4]"},
    {"interval", "SECONDS", 'i', "between two; 0: each after the answer [1]"},
    {"size", "BYTES", 's', "of data, which the target sends back [56]"},
    {0},
};

const struct cli_command cli_cmd_ping = {
    .name = "ping",
    .args = "URL",
    .summary = "measures how long a target takes to answer",
    .details = "Each ping is waited for as long as noop_timeout of the URL says.\n",
    .arg_min = 1,
    .arg_max = 1,
    .options = options,
    .run = ping_run,
};
