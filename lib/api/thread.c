/* The library's own thread and its lock: see thread.h. What the thread does is loop.c's. */
#include "api/thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "error.h"

struct iskra_thread {
    const struct iskra_platform *pf;
    pthread_mutex_t turn; /* held while waiting for `lock`: who has it is next */
    pthread_mutex_t lock;
    pthread_cond_t told;
    unsigned waiting_cnt;   /* in iskra_thread_wait() */
    _Atomic(void *) holder; /* who holds `lock` (self()), NULL: nobody */
    unsigned depth;         /* how often it has taken it */
    bool started;
    pthread_t id;
    void (*run)(void *arg);
    void *arg;
};

/* An address that is another one in every thread. */
static void *self(void)
{
    static _Thread_local char mark;
    return &mark;
}

/* Only the caller itself could have stored its own mark. */
static bool held_by_caller(const struct iskra_thread *t)
{
    return atomic_load_explicit(&t->holder, memory_order_relaxed) == self();
}

static void set_holder(struct iskra_thread *t, void *holder)
{
    atomic_store_explicit(&t->holder, holder, memory_order_relaxed);
}

void iskra_thread_lock(struct iskra_thread *t)
{
    if (held_by_caller(t)) {
        t->depth++;
        return;
    }
    (void)pthread_mutex_lock(&t->turn); /* neither is ever taken twice by one thread */
    (void)pthread_mutex_lock(&t->lock);
    (void)pthread_mutex_unlock(&t->turn);
    set_holder(t, self());
    t->depth = 1;
}

void iskra_thread_unlock(struct iskra_thread *t)
{
    if (--t->depth > 0)
        return;
    set_holder(t, NULL);
    (void)pthread_mutex_unlock(&t->lock);
}

bool iskra_thread_locked_twice(const struct iskra_thread *t)
{
    return t->depth > 1;
}

void iskra_thread_wait(struct iskra_thread *t, const bool *flag)
{
    iskra_thread_lock(t);
    t->waiting_cnt++;
    while (!*flag) {
        set_holder(t, NULL);
        (void)pthread_cond_wait(&t->told, &t->lock);
        set_holder(t, self());
        t->depth = 1;
    }
    t->waiting_cnt--;
    iskra_thread_unlock(t);
}

void iskra_thread_tell(struct iskra_thread *t)
{
    if (t->waiting_cnt > 0)
        (void)pthread_cond_broadcast(&t->told);
}

int iskra_thread_new(const struct iskra_platform *pf, struct iskra_thread **ret_thread,
                     struct iskra_error *err)
{
    struct iskra_thread *t = pf->alloc(pf->arg, sizeof(*t));
    if (t == NULL)
        return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for a thread");
    t->pf = pf;
    /* With default attributes these cannot fail. */
    (void)pthread_mutex_init(&t->turn, NULL);
    (void)pthread_mutex_init(&t->lock, NULL);
    (void)pthread_cond_init(&t->told, NULL);
    *ret_thread = t;
    return 0;
}

static void *thread_main(void *arg)
{
    struct iskra_thread *t = arg;
    t->run(t->arg);
    return NULL;
}

int iskra_thread_start(struct iskra_thread *t, void (*run)(void *arg), void *arg,
                       struct iskra_error *err)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    t->run = run;
    t->arg = arg;
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* the new thread inherits it */
    int rc = pthread_create(&t->id, NULL, thread_main, t);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return iskra_fail(err, ISKRA_E_SYSTEM, rc, "no thread for the loop: %s", strerror(rc));
    (void)pthread_setname_np(t->id, "iskra"); /* for who looks at the process from outside */
    t->started = true;
    return 0;
}

void iskra_thread_free(struct iskra_thread *t)
{
    if (t == NULL)
        return;
    if (t->started)
        (void)pthread_join(t->id, NULL);
    (void)pthread_cond_destroy(&t->told);
    (void)pthread_mutex_destroy(&t->lock);
    (void)pthread_mutex_destroy(&t->turn);
    t->pf->free(t->pf->arg, t);
}
