/* The asking side of the status sockets; see status_client.h. */
#include "status_client.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli.h"
#include "runtime_dir.h"

#define PROCESSES_MAX 256u
#define ROOM_FIRST    (64u * 1024u)
#define NS_PER_MS     UINT64_C(1000000)

struct asked {
    long pid;
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
    enum cli_status_answer answer;
    int fd; /* -1: no more is expected */
    char *text;
    size_t len, room;
};

struct asking {
    struct asked list[PROCESSES_MAX];
    unsigned cnt;
};

/* "123.sock", and no other way of writing it: 123. Else 0. */
static long pid_of(const char *name)
{
    char *end;
    long pid = name[0] >= '1' && name[0] <= '9' ? strtol(name, &end, 10) : 0;
    return pid > 0 && pid < INT32_MAX && strcmp(end, ".sock") == 0 ? pid : 0;
}

/* Who connects is answered by a process that lives; one that is refused was left behind. */
static void begin(struct asked *a)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", a->path);
    a->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (a->fd < 0)
        return;
    if (connect(a->fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0)
        return;
    bool dead = errno == ECONNREFUSED;
    if (dead)
        (void)unlink(a->path);
    if (dead || errno == ENOENT)
        a->answer = CLI_STATUS_GONE;
    close(a->fd);
    a->fd = -1;
}

/* Two of the directories may be one. */
static bool is_asked(const struct asking *asking, long pid)
{
    for (unsigned i = 0; i < asking->cnt; i++)
        if (asking->list[i].pid == pid && asking->list[i].answer != CLI_STATUS_GONE)
            return true;
    return false;
}

/* False: a socket's path is no longer than this, so there is none. */
static bool path_join(char *path, size_t size, const char *dir, const char *name)
{
    size_t dir_len = strlen(dir), name_len = strlen(name);
    if (dir_len + 1 + name_len >= size)
        return false;
    memcpy(path, dir, dir_len);
    path[dir_len] = '/';
    memcpy(path + dir_len + 1, name, name_len + 1);
    return true;
}

static void directory_take(struct asking *asking, const char *dir)
{
    DIR *d = opendir(dir);
    if (d == NULL)
        return;
    for (struct dirent *e; (e = readdir(d)) != NULL && asking->cnt < PROCESSES_MAX;) {
        struct asked *a = &asking->list[asking->cnt];
        long pid = pid_of(e->d_name);
        if (pid == 0 || is_asked(asking, pid) ||
            !path_join(a->path, sizeof(a->path), dir, e->d_name))
            continue;
        a->pid = pid;
        a->answer = CLI_STATUS_SILENT;
        begin(a);
        asking->cnt++;
    }
    closedir(d);
}

static void finish(struct asked *a, enum cli_status_answer answer)
{
    close(a->fd);
    a->fd = -1;
    a->answer = answer;
}

static bool room_make(struct asked *a)
{
    if (a->len < a->room)
        return true;
    size_t room = a->room ? 2 * a->room : ROOM_FIRST;
    char *text = room <= CLI_STATUS_DOC_LEN_MAX ? realloc(a->text, room) : NULL;
    if (text == NULL)
        return false;
    a->text = text;
    a->room = room;
    return true;
}

static void take(struct asked *a)
{
    if (!room_make(a)) {
        finish(a, CLI_STATUS_GARBLED);
        return;
    }
    ssize_t n = recv(a->fd, a->text + a->len, a->room - a->len, MSG_DONTWAIT);
    if (n > 0)
        a->len += (size_t)n;
    else if (n == 0) /* a process that ends hangs up without a word */
        finish(a, a->len > 0 ? CLI_STATUS_ANSWERED : CLI_STATUS_GONE);
    else if (errno != EAGAIN && errno != EINTR)
        finish(a, CLI_STATUS_GONE);
}

/* All of them have the same second. */
static void collect(struct asking *asking)
{
    struct pollfd fds[PROCESSES_MAX];
    uint64_t end_ns = cli_now_ns() + CLI_STATUS_WAIT_MS * NS_PER_MS;
    for (;;) {
        unsigned open_cnt = 0;
        for (unsigned i = 0; i < asking->cnt; i++) {
            fds[i] = (struct pollfd){.fd = asking->list[i].fd, .events = POLLIN};
            open_cnt += asking->list[i].fd >= 0;
        }
        uint64_t now_ns = cli_now_ns();
        if (open_cnt == 0 || now_ns >= end_ns)
            break;
        if (poll(fds, asking->cnt, (int)((end_ns - now_ns) / NS_PER_MS) + 1) <= 0)
            continue;
        for (unsigned i = 0; i < asking->cnt; i++)
            if (fds[i].revents)
                take(&asking->list[i]);
    }
    for (unsigned i = 0; i < asking->cnt; i++)
        if (asking->list[i].fd >= 0)
            finish(&asking->list[i], CLI_STATUS_SILENT);
}

static bool keep(struct cli_status_processes *processes, const struct asked *a)
{
    if (a->answer == CLI_STATUS_GONE)
        return true;
    struct cli_status_process *process = &processes->list[processes->cnt++];
    *process = (struct cli_status_process){.pid = a->pid, .answer = a->answer};
    if (a->answer != CLI_STATUS_ANSWERED)
        return true;
    process->doc = malloc(sizeof(*process->doc));
    if (process->doc == NULL)
        return false;
    if (!cli_status_doc_parse(a->text, a->len, process->doc)) {
        free(process->doc);
        process->doc = NULL;
        process->answer = CLI_STATUS_GARBLED;
    }
    return true;
}

static int by_pid(const void *a, const void *b)
{
    const struct cli_status_process *one = a, *other = b;
    return (one->pid > other->pid) - (one->pid < other->pid);
}

bool cli_status_ask(struct cli_status_processes *ret)
{
    *ret = (struct cli_status_processes){0};
    struct asking *asking = calloc(1, sizeof(*asking));
    ret->list = calloc(PROCESSES_MAX, sizeof(*ret->list));
    bool good = asking != NULL && ret->list != NULL;
    for (unsigned n = 0; n < CLI_RUNTIME_DIR_CNT && good; n++) {
        char dir[CLI_RUNTIME_DIR_LEN];
        if (cli_runtime_dir_at(n, dir))
            directory_take(asking, dir);
    }
    if (good)
        collect(asking);
    for (unsigned i = 0; asking != NULL && i < asking->cnt; i++) {
        good = good && keep(ret, &asking->list[i]);
        free(asking->list[i].text);
    }
    if (good)
        qsort(ret->list, ret->cnt, sizeof(*ret->list), by_pid);
    free(asking);
    return good;
}

void cli_status_processes_free(struct cli_status_processes *processes)
{
    for (unsigned i = 0; i < processes->cnt; i++)
        free(processes->list[i].doc);
    free(processes->list);
}
