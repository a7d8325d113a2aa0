/* Mail from other threads: a stack that any thread may push on, and that the loop's thread takes as
 * a whole.
 *
 * Pushing is one compare-and-exchange; only who finds the mailbox empty wakes the loop, which costs
 * a system call. Nothing is allocated: a mail is embedded in what is posted, lent until its work
 * runs. The loop takes the mail of a round after it has served its descriptors (so that a wake-up
 * which comes later is seen by the next wait) and makes it deferred work, in the order of posting.
 */
#ifndef ISKRA_API_MAILBOX_H
#define ISKRA_API_MAILBOX_H

#include <stdatomic.h>
#include <stdbool.h>

#include "work.h"

struct iskra_mail {
    struct iskra_mail *next; /* posted before this one; NULL: the first */
    struct iskra_work work;
};

struct iskra_mailbox {
    _Atomic(struct iskra_mail *) last;
};

/* Any thread. fn will run once, as work of the loop. True: the mailbox was empty, so that the loop
 * has to be woken. */
bool iskra_mailbox_push(struct iskra_mailbox *box, struct iskra_mail *mail,
                        void (*fn)(struct iskra_work *work));

/* The loop's thread: makes what has come work of `q`. */
void iskra_mailbox_take(struct iskra_mailbox *box, struct iskra_workq *q);

#endif
