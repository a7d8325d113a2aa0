/* Which call is refused, and with what. */
#include "fault/calls.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>

const struct call_traits call_traits[CALL_KIND_CNT] = {
    [CALL_ALLOC] = {"alloc", {ENOMEM}, 0, false, false, "memory"},
    [CALL_RANDOM] = {"random", {ENOSYS, EIO}, EINTR, false, false, "random"},
    [CALL_SOCKET] = {"socket", {EMFILE, ENOBUFS}, 0, false, false, NULL},
    [CALL_CONNECT] = {"connect", {ENETUNREACH, ECONNREFUSED}, 0, true, false, NULL},
    [CALL_CONNECT_RESULT] = {"connect result", {ETIMEDOUT, ENOBUFS}, 0, true, false, NULL},
    [CALL_SOCKET_TYPE] = {"socket type", {ENOBUFS}, 0, true, false, NULL},
    [CALL_PEER_NAME] = {"peer name", {ENOTCONN, ENOBUFS}, 0, true, false, "the peer closed"},
    [CALL_SOCKET_FLAGS] = {"socket flags", {EIO}, 0, false, false, NULL},
    [CALL_SOCKET_OPTION] = {"socket option", {ENOPROTOOPT}, 0, true, true, NULL},
    [CALL_RECV] = {"recv", {ECONNRESET, ENOMEM}, EINTR, false, false, NULL},
    [CALL_RECV_PEEK] = {"recv peek", {ECONNRESET}, EINTR, true, true, NULL},
    [CALL_SEND] = {"send", {EPIPE, ENOBUFS}, EINTR, false, false, NULL},
    [CALL_WAIT] = {"wait", {ENOMEM}, EINTR, true, true, NULL},
    [CALL_EPOLL_MAKE] = {"epoll make", {EMFILE}, 0, false, false, NULL},
    [CALL_EPOLL_ADD] = {"epoll add", {ENOSPC, ENOMEM}, 0, false, false, NULL},
    [CALL_EPOLL_WAIT] = {"epoll wait", {EIO}, EINTR, true, false, "look-up"},
    [CALL_TIMER_MAKE] = {"timer make", {EMFILE}, 0, false, false, NULL},
    [CALL_TIMER_SET] = {"timer set", {EINVAL}, 0, true, true, NULL},
    [CALL_EVENT_MAKE] = {"event make", {EMFILE}, 0, false, false, NULL},
    [CALL_EVENT_READ] = {"event read", {EIO}, EINTR, true, false, "look-up"},
    [CALL_EVENT_WRITE] = {"event write", {EIO}, EINTR, true, false, "look-up"},
    [CALL_LOOK_UP] = {"look-up", {EAI_AGAIN, EAI_MEMORY, EAI_FAIL}, 0, true, false, "host"},
    [CALL_THREAD] = {"thread", {EAGAIN}, 0, false, false, NULL},
    [CALL_MAP] = {"map", {ENOMEM}, 0, false, false, "memory"},
    [CALL_FILE_OPEN] = {"file open", {EMFILE, EACCES}, 0, false, false, NULL},
    [CALL_FILE_READ] = {"file read", {EIO}, EINTR, false, false, NULL},
    [CALL_FILE_WRITE] = {"file write", {ENOSPC}, 0, true, true, NULL},
    [CALL_FOLDER] = {"folder", {EACCES}, 0, true, true, NULL},
    [CALL_LOCK] = {"lock", {ENOLCK}, 0, true, true, NULL},
    [CALL_HASH] = {"hash", {EIO}, 0, false, false, "CHAP"},
    [CALL_RING_MAKE] = {"ring make", {EPERM, ENOMEM}, 0, true, true, NULL},
    [CALL_RING_SUBMIT] = {"ring submit", {EAGAIN}, EINTR, true, true, NULL},
};

unsigned call_variant_cnt(unsigned kind, bool lasting)
{
    unsigned cnt = 0;
    if (kind == CALL_ANY)
        return 1;
    while (cnt < 3 && call_traits[kind].errors[cnt] != 0)
        cnt++;
    return cnt + (call_traits[kind].passing != 0 && !lasting);
}

static struct {
    struct call_plan plan;
    bool counting;
    unsigned outside;
    unsigned cnt[CALL_KIND_CNT], all_cnt;
    unsigned refused_cnt;
    int refused_error;
    enum call_kind refused_kind;
} calls;

void calls_begin(const struct call_plan *plan)
{
    memset(&calls, 0, sizeof(calls));
    calls.plan = *plan;
    calls.counting = true;
}

void calls_end(void)
{
    calls.counting = false;
}

void calls_heal(void)
{
    calls.plan.nth = 0;
}

void calls_outside(void)
{
    calls.outside++;
}

void calls_inside(void)
{
    calls.outside--;
}

bool calls_are_inside(void)
{
    return calls.counting && calls.outside == 0;
}

/* Calls that follow for good have their errors in turn. */
static int error_of(enum call_kind kind, unsigned n)
{
    const struct call_traits *t = &call_traits[kind];
    unsigned cnt = call_variant_cnt(kind, calls.plan.lasting);
    unsigned i = (calls.plan.variant + n - calls.plan.nth) % cnt;
    return i < 3 && t->errors[i] != 0 ? t->errors[i] : t->passing;
}

int calls_refuse(enum call_kind kind)
{
    const struct call_plan *plan = &calls.plan;
    if (!calls_are_inside())
        return 0;
    unsigned n = ++calls.cnt[kind], all = ++calls.all_cnt;
    if (plan->nth == 0 || (plan->kind != CALL_ANY && plan->kind != (unsigned)kind))
        return 0;
    unsigned at = plan->kind == CALL_ANY ? all : n;
    if (at < plan->nth || (at > plan->nth && !plan->lasting))
        return 0;
    if (calls.refused_cnt++ == 0)
        calls.refused_kind = kind;
    errno = calls.refused_error = error_of(kind, at);
    return calls.refused_error;
}

unsigned calls_cnt(enum call_kind kind)
{
    return calls.cnt[kind];
}

unsigned calls_all_cnt(void)
{
    return calls.all_cnt;
}

unsigned calls_refused_cnt(void)
{
    return calls.refused_cnt;
}

int calls_refused_error(void)
{
    return calls.refused_error;
}

enum call_kind calls_refused_kind(void)
{
    return calls.refused_kind;
}
