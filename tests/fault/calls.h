/* The calls that the library makes of its surroundings, counted, and one of them refused: the n-th
 * of a kind, once or from then on. wrap.c stands in front of each. */
#ifndef ISKRA_TESTS_FAULT_CALLS_H
#define ISKRA_TESTS_FAULT_CALLS_H

#include <stdbool.h>

enum call_kind {
    CALL_ALLOC,
    CALL_RANDOM,
    CALL_SOCKET,
    CALL_CONNECT,
    CALL_CONNECT_RESULT,
    CALL_SOCKET_TYPE,
    CALL_PEER_NAME,
    CALL_SOCKET_FLAGS,
    CALL_SOCKET_OPTION,
    CALL_RECV,
    CALL_RECV_PEEK,
    CALL_SEND,
    CALL_WAIT,
    CALL_EPOLL_MAKE,
    CALL_EPOLL_ADD,
    CALL_EPOLL_WAIT,
    CALL_TIMER_MAKE,
    CALL_TIMER_SET,
    CALL_EVENT_MAKE,
    CALL_EVENT_READ,
    CALL_EVENT_WRITE,
    CALL_LOOK_UP,
    CALL_THREAD,
    CALL_MAP,
    CALL_FILE_OPEN,
    CALL_FILE_READ,
    CALL_FILE_WRITE,
    CALL_FOLDER,
    CALL_LOCK,
    CALL_HASH,
    CALL_RING_MAKE, /* these two by the io_uring driver only */
    CALL_RING_SUBMIT,
    CALL_KIND_CNT,
};
/* Stands for all of them: the n-th call, whatever it is, and all that follow. */
#define CALL_ANY CALL_KIND_CNT

struct call_traits {
    const char *name;
    int errors[3];      /* errno; for CALL_LOOK_UP what getaddrinfo() returns. 0: end of list */
    int passing;        /* an errno that only makes sense once (EINTR), or 0 */
    bool harmless_once; /* nothing may fail because of it */
    bool harmless;      /* not even if it is refused for good */
    const char *words;  /* what an error says of it besides the text of its errno, or NULL */
};
extern const struct call_traits call_traits[CALL_KIND_CNT];

/* What is refused. nth 0: nothing. */
struct call_plan {
    unsigned kind;    /* enum call_kind, or CALL_ANY */
    unsigned nth;     /* from 1 on */
    bool lasting;     /* and all later ones */
    unsigned variant; /* which of the errors that such a call may have; below: how many */
};
unsigned call_variant_cnt(unsigned kind, bool lasting);

/* Counting begins anew, from 1. */
void calls_begin(const struct call_plan *plan);
void calls_end(void);

/* From now on nothing is refused any more. */
void calls_heal(void);

/* Between these the program is the world outside, whose own calls are nobody's business. */
void calls_outside(void);
void calls_inside(void);
bool calls_are_inside(void); /* counting, and not outside */

/* One of the library's, now: is it refused? Then errno is set, and returned. 0: it is not. */
int calls_refuse(enum call_kind kind);

unsigned calls_cnt(enum call_kind kind); /* since calls_begin() */
unsigned calls_all_cnt(void);
unsigned calls_refused_cnt(void);
int calls_refused_error(void);           /* the last one's errno (or result of a look-up) */
enum call_kind calls_refused_kind(void); /* the first one's */

#endif
