/* Ctrl-C for commands with something to tidy up: a descriptor in their loop instead of a handler.
 */
#include "cli.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void interrupt_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
}

int cli_interrupt_open(void)
{
    sigset_t set;
    interrupt_set(&set);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd >= 0)
        sigprocmask(SIG_BLOCK, &set, NULL);
    return fd;
}

int cli_interrupt_taken(int fd)
{
    struct signalfd_siginfo info;
    if (fd < 0 || read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return 0;
    /* From now on another Ctrl-C ends the program at once. */
    sigset_t set;
    interrupt_set(&set);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    return (int)info.ssi_signo;
}

void cli_interrupt_end(int fd, int signo)
{
    if (fd >= 0)
        close(fd);
    if (signo == 0)
        return;
    signal(signo, SIG_DFL);
    raise(signo);
}
