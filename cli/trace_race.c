/* The clock of a race; see trace_race.h. */
#include "trace_race.h"

#include <poll.h>

#define OPCODE_COMMAND 0x01 /* RFC 7143 11.2.1.2 */
#define OPCODE_MASK    0x3f
#define ANSWER_TIME_MS 10000 /* a target that says nothing does not hold us for ever */

/* The deadline is rounded up by less than this. */
#define GRID_NS UINT64_C(2000000)

static const struct iskra_platform *real(void)
{
    return iskra_platform_posix();
}

static uint64_t now_ns(void *arg)
{
    struct cli_race *race = arg;
    if (race->state == CLI_RACE_EXPIRED) {
        struct pollfd fd = {.fd = race->fd, .events = POLLIN};
        race->state = CLI_RACE_OVER;
        (void)poll(&fd, 1, ANSWER_TIME_MS); /* without an answer the race is lost, that is all */
    }
    return real()->now_ns(real()->arg) + race->leap_ns;
}

static int wait_fds(void *arg, struct pollfd *fds, unsigned fd_cnt, int64_t timeout_ns)
{
    (void)arg;
    return real()->wait(real()->arg, fds, fd_cnt, timeout_ns);
}

static int random_bytes(void *arg, void *buf, size_t len)
{
    (void)arg;
    return real()->random(real()->arg, buf, len);
}

static int connect_start(void *arg, const struct sockaddr *addr, socklen_t addr_len)
{
    struct cli_race *race = arg;
    race->fd = real()->connect_start(real()->arg, addr, addr_len);
    return race->fd;
}

static int connect_finish(void *arg, int fd)
{
    (void)arg;
    return real()->connect_finish(real()->arg, fd);
}

static void close_fd(void *arg, int fd, int abortive)
{
    (void)arg;
    real()->close(real()->arg, fd, abortive);
}

static void *alloc(void *arg, size_t size)
{
    (void)arg;
    return real()->alloc(real()->arg, size);
}

static void free_memory(void *arg, void *p)
{
    (void)arg;
    real()->free(real()->arg, p);
}

void cli_race_init(struct cli_race *race)
{
    *race = (struct cli_race){
        .platform = {.size = sizeof(race->platform),
                     .arg = race,
                     .now_ns = now_ns,
                     .wait = wait_fds,
                     .random = random_bytes,
                     .connect_start = connect_start,
                     .connect_finish = connect_finish,
                     .close = close_fd,
                     .alloc = alloc,
                     .free = free_memory},
        .fd = -1,
    };
}

void cli_race_watch(struct cli_race *race, const struct iskra_trace_record *record)
{
    bool command =
        record->kind == ISKRA_TRACE_PDU_OUT && (record->what & OPCODE_MASK) == OPCODE_COMMAND;
    bool expired = record->kind == ISKRA_TRACE_LEAVE && record->what == ISKRA_STEP_CHECK_EXPIRED;
    if (race->state == CLI_RACE_ARMED && command) {
        race->leap_ns = CLI_RACE_TIMEOUT_NS + GRID_NS;
        race->state = CLI_RACE_LEAPT;
    } else if (race->state == CLI_RACE_LEAPT && expired) {
        race->state = CLI_RACE_EXPIRED;
    }
}
