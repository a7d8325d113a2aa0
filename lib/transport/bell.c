/* Deadline and wake-up of a loop as descriptors: see bell.h. */
#include "transport/bell.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "timer.h"

int iskra_bell_init(struct iskra_bell *bell, const struct iskra_platform *pf)
{
    bell->pf = pf;
    bell->deadline_ns = ISKRA_NEVER;
    atomic_init(&bell->woken, false);
    bell->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    bell->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return bell->timer_fd < 0 || bell->wake_fd < 0 ? -errno : 0;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

void iskra_bell_done(struct iskra_bell *bell)
{
    close_fd(bell->timer_fd);
    close_fd(bell->wake_fd);
}

/* Relative, because the platform's clock need not be the kernel's. */
void iskra_bell_set_deadline(struct iskra_bell *bell, uint64_t deadline_ns)
{
    if (deadline_ns == bell->deadline_ns)
        return;
    bell->deadline_ns = deadline_ns;
    struct itimerspec its = {0};
    if (deadline_ns != ISKRA_NEVER) {
        const struct iskra_platform *pf = bell->pf;
        uint64_t now_ns = pf->now_ns(pf->arg);
        uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 1; /* 0 would disarm */
        its.it_value.tv_sec = (time_t)(left_ns / 1000000000u);
        its.it_value.tv_nsec = (long)(left_ns % 1000000000u);
    }
    (void)timerfd_settime(bell->timer_fd, 0, &its, NULL); /* the values are in range */
}

void iskra_bell_ring(struct iskra_bell *bell)
{
    uint64_t one = 1;
    if (!atomic_exchange(&bell->woken, true))
        (void)!write(bell->wake_fd, &one, sizeof(one)); /* it cannot overflow: one write per read */
}

void iskra_bell_timer_served(struct iskra_bell *bell)
{
    uint64_t count;
    (void)!read(bell->timer_fd, &count, sizeof(count));
    bell->deadline_ns = ISKRA_NEVER; /* run out: to be set again even to the same value */
}

/* First the flag would lose a wake between the two: it would write, and the read swallow it. */
void iskra_bell_wake_served(struct iskra_bell *bell)
{
    uint64_t count;
    (void)!read(bell->wake_fd, &count, sizeof(count));
    (void)atomic_exchange(&bell->woken, false);
}
