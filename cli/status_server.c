/* The status socket; see status_server.h. */
#include "status_server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "json.h"
#include "runtime_dir.h"
#include "status_doc.h"

#define BACKLOG        16
#define ANSWER_TIME_MS 5000 /* for the loop to answer, and again for the asker to take it */

struct cli_status_server {
    struct iskra *ctx;
    struct iskra_call call;
    /* The loop has `call`, and `doc` with it; else the thread has. An asker who went away leaves a
     * question behind that the next one gets the answer to. */
    atomic_bool asked;
    struct cli_status_doc doc;
    int listen_fd, stop_fd, answer_fd;
    pthread_t thread;
    bool running;
    char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
};

/* ---- in the loop ---- */

static int session_take(void *arg, const struct iskra_session_status *status)
{
    struct cli_status_doc *doc = arg;
    if (doc->session_cnt == CLI_STATUS_SESSIONS_MAX)
        return 1;
    cli_status_session_take(&doc->sessions[doc->session_cnt++], status);
    return 0;
}

static void signal_fd(int fd)
{
    const uint64_t one = 1;
    if (write(fd, &one, sizeof(one)) != (ssize_t)sizeof(one))
        return; /* it is set already */
}

static void loop_answers(struct iskra_call *call)
{
    struct cli_status_server *server = call->user;
    server->doc.session_cnt = 0;
    (void)iskra_sessions(server->ctx, session_take, &server->doc); /* more than fit: the first */
    atomic_store(&server->asked, false);
    signal_fd(server->answer_fd);
}

/* ---- in the thread ---- */

/* Waits until fd is ready for events. False: the program ends, the asker is gone, or time is up. */
static bool wait_for(const struct cli_status_server *server, int asker_fd, int fd, short events)
{
    struct pollfd fds[] = {
        {.fd = server->stop_fd, .events = POLLIN},
        {.fd = asker_fd, .events = 0}, /* only that it is gone */
        {.fd = fd, .events = events},
    };
    int rc = poll(fds, 3, ANSWER_TIME_MS);
    return rc > 0 && fds[0].revents == 0 && fds[1].revents == 0 && (fds[2].revents & events) != 0;
}

static bool is_own_user(int fd)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == 0 &&
           (cred.uid == geteuid() || cred.uid == 0);
}

static bool ask_loop(struct cli_status_server *server, int fd)
{
    uint64_t cnt;
    if (!atomic_load(&server->asked)) {
        (void)read(server->answer_fd, &cnt, sizeof(cnt)); /* of a question nobody waited for */
        atomic_store(&server->asked, true);
        if (iskra_post_call(server->ctx, &server->call) != 0) {
            atomic_store(&server->asked, false);
            return false;
        }
    }
    while (atomic_load(&server->asked))
        if (!wait_for(server, fd, server->answer_fd, POLLIN))
            return false;
    return true;
}

static void send_all(const struct cli_status_server *server, int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return;
        if (n > 0) {
            text += n;
            len -= (size_t)n;
        } else if (!wait_for(server, fd, fd, POLLOUT)) {
            return;
        }
    }
}

static void serve(struct cli_status_server *server, int fd)
{
    if (!is_own_user(fd) || !ask_loop(server, fd))
        return;
    struct json_object *root = cli_status_doc_json(&server->doc);
    size_t len;
    const char *text = cli_json_line(root, &len);
    if (text != NULL)
        send_all(server, fd, text, len);
    cli_json_free(root);
}

static void *thread_main(void *arg)
{
    struct cli_status_server *server = arg;
    struct pollfd fds[] = {
        {.fd = server->stop_fd, .events = POLLIN},
        {.fd = server->listen_fd, .events = POLLIN},
    };
    while (poll(fds, 2, -1) >= 0 || errno == EINTR) {
        if (fds[0].revents)
            break;
        int fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
            break; /* no descriptors, perhaps: not worth a loop that spins */
        if (fd >= 0) {
            serve(server, fd);
            close(fd);
        }
    }
    return NULL;
}

/* ---- beginning and end ---- */

/* Under another name first: whoever finds PID.sock and is refused may take it for a dead one. */
static int listen_at(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int len = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s.new", path);
    if (len < 0 || (size_t)len >= sizeof(addr.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    (void)unlink(addr.sun_path); /* of a process that had our number and died right there */
    if (bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0) {
        if (chmod(addr.sun_path, 0600) == 0 && listen(fd, BACKLOG) == 0 &&
            rename(addr.sun_path, path) == 0)
            return fd;
        int saved = errno;
        (void)unlink(addr.sun_path);
        errno = saved;
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static bool open_all(struct cli_status_server *server)
{
    char dir[CLI_RUNTIME_DIR_LEN];
    if (!cli_runtime_dir(dir))
        return false;
    int len = snprintf(server->path, sizeof(server->path), "%s/%ld.sock", dir, (long)getpid());
    if (len < 0 || (size_t)len >= sizeof(server->path)) {
        server->path[0] = '\0';
        errno = ENAMETOOLONG;
        return false;
    }
    server->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    server->answer_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (server->stop_fd < 0 || server->answer_fd < 0)
        return false;
    server->listen_fd = listen_at(server->path);
    return server->listen_fd >= 0;
}

/* No signal is taken by the thread: they are the command's. */
static bool start(struct cli_status_server *server)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&server->thread, NULL, thread_main, server);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = rc;
    server->running = rc == 0;
    return server->running;
}

struct cli_status_server *cli_status_server_new(struct iskra *ctx, const char *command)
{
    errno = ENOSYS;
    if (!cli_json_available())
        return NULL;
    struct cli_status_server *server = calloc(1, sizeof(*server));
    if (server == NULL)
        return NULL;
    server->ctx = ctx;
    server->call.fn = loop_answers;
    server->call.user = server;
    server->listen_fd = server->stop_fd = server->answer_fd = -1;
    snprintf(server->doc.command, sizeof(server->doc.command), "%s", command);
    if (open_all(server) && start(server))
        return server;
    int saved = errno;
    cli_status_server_stop(server);
    cli_status_server_free(server);
    errno = saved;
    return NULL;
}

void cli_status_server_stop(struct cli_status_server *server)
{
    if (server == NULL)
        return;
    if (server->listen_fd >= 0)
        (void)unlink(server->path);
    if (!server->running)
        return;
    signal_fd(server->stop_fd);
    pthread_join(server->thread, NULL);
    server->running = false;
}

void cli_status_server_free(struct cli_status_server *server)
{
    if (server == NULL)
        return;
    const int fds[] = {server->listen_fd, server->stop_fd, server->answer_fd};
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(server);
}
