/* The mailbox (see mailbox.h), and posting a function to it. Requests are io.c's. */
#include "api/mailbox.h"

#include <errno.h>

#include "api/api.h"

bool iskra_mailbox_push(struct iskra_mailbox *box, struct iskra_mail *mail,
                        void (*fn)(struct iskra_work *work))
{
    iskra_work_init(&mail->work, fn);
    struct iskra_mail *last = atomic_load_explicit(&box->last, memory_order_relaxed);
    do
        mail->next = last;
    while (!atomic_compare_exchange_weak_explicit(&box->last, &last, mail, memory_order_release,
                                                  memory_order_relaxed));
    return last == NULL;
}

void iskra_mailbox_take(struct iskra_mailbox *box, struct iskra_workq *q)
{
    /* Looked at every round, nearly always in vain: only a load then. */
    if (atomic_load_explicit(&box->last, memory_order_relaxed) == NULL)
        return;
    struct iskra_mail *mail = atomic_exchange_explicit(&box->last, NULL, memory_order_acquire);
    struct iskra_list taken; /* the last one comes first out of a stack */
    iskra_list_init(&taken);
    for (; mail != NULL; mail = mail->next)
        iskra_list_push_front(&taken, &mail->work.link);
    iskra_list_splice_back(&q->items, &taken);
}

/* ---- functions ---- */

_Static_assert(sizeof(struct iskra_mail) <= ISKRA_CALL_TAIL_LEN,
               "the tail of struct iskra_call is ABI");

static void call_work(struct iskra_work *work)
{
    struct iskra_mail *mail = iskra_container_of(work, struct iskra_mail, work);
    struct iskra_call *call = iskra_container_of((char *)mail, struct iskra_call, tail);
    call->fn(call); /* may free it, or post it again */
}

int iskra_post_call(struct iskra *ctx, struct iskra_call *call)
{
    if (call->fn == NULL)
        return -EINVAL;
    if (!iskra_api_own_process(ctx))
        return -EPERM;
    if (atomic_load_explicit(&ctx->ending, memory_order_relaxed))
        return -ECANCELED;
    struct iskra_mail *mail = (struct iskra_mail *)(void *)&call->tail;
    if (iskra_mailbox_push(&ctx->mailbox, mail, call_work))
        iskra_driver_wake(ctx->driver);
    return 0;
}
