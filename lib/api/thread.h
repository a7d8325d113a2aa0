/* A thread of the library's own that runs the loop of one initiator (decision 8), and the lock that
 * everybody takes then who enters the initiator. Only initiators that asked for it have one.
 *
 * The thread holds the lock while it dispatches, not while it waits. Who holds it may take it
 * again: callbacks run with it held, and call back. Whose turn is next is kept in order of asking,
 * so that a busy loop does not keep others out. */
#ifndef ISKRA_API_THREAD_H
#define ISKRA_API_THREAD_H

#include <stdbool.h>

#include <iskra/platform.h>

struct iskra_thread;
struct iskra_error;

/* Made without running anything: 0 or a negative errno with *err. */
int iskra_thread_new(const struct iskra_platform *pf, struct iskra_thread **ret_thread,
                     struct iskra_error *err);

/* run(arg) on the thread, with all signals blocked. 0 or a negative errno with *err. */
int iskra_thread_start(struct iskra_thread *thread, void (*run)(void *arg), void *arg,
                       struct iskra_error *err);

/* Waits until run() has returned, if it was started, and frees it. NULL is fine. */
void iskra_thread_free(struct iskra_thread *thread);

void iskra_thread_lock(struct iskra_thread *thread);
void iskra_thread_unlock(struct iskra_thread *thread);
bool iskra_thread_locked_twice(const struct iskra_thread *thread); /* by who calls, holding it */

/* Waits until *flag is set by somebody who holds the lock and then tells. The caller does not hold
 * it. */
void iskra_thread_wait(struct iskra_thread *thread, const bool *flag);
void iskra_thread_tell(struct iskra_thread *thread); /* with the lock held */

#endif
