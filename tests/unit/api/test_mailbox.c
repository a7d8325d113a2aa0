/* The mailbox alone: threads that push as fast as they can, and one that takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>

#include <cmocka.h>

#include "api/mailbox.h"

#define SENDER_CNT 4
#define LETTER_CNT 20000

struct letter {
    struct iskra_mail mail;
    int sender, number;
};

struct sender {
    pthread_t id;
    struct iskra_mailbox *box;
    struct letter *letters;
    int woke_cnt;
};

static int next[SENDER_CNT], wrong_cnt;

static void opened(struct iskra_work *work)
{
    struct iskra_mail *mail = iskra_container_of(work, struct iskra_mail, work);
    struct letter *l = iskra_container_of(mail, struct letter, mail);
    wrong_cnt += l->number != next[l->sender]++;
}

static void *send_all(void *arg)
{
    struct sender *s = arg;
    for (int i = 0; i < LETTER_CNT; i++)
        s->woke_cnt += iskra_mailbox_push(s->box, &s->letters[i].mail, opened);
    return NULL;
}

static void every_letter_of_every_sender_comes_once_and_in_order(void **state)
{
    struct iskra_mailbox box = {NULL};
    struct iskra_workq q;
    struct sender senders[SENDER_CNT];
    int ran_cnt = 0, batch_cnt = 0, woke_cnt = 0;
    iskra_workq_init(&q);
    for (int i = 0; i < SENDER_CNT; i++) {
        senders[i] =
            (struct sender){.box = &box, .letters = calloc(LETTER_CNT, sizeof(struct letter))};
        for (int j = 0; j < LETTER_CNT; j++)
            senders[i].letters[j] = (struct letter){.sender = i, .number = j};
        assert_int_equal(pthread_create(&senders[i].id, NULL, send_all, &senders[i]), 0);
    }
    while (ran_cnt < SENDER_CNT * LETTER_CNT) {
        iskra_mailbox_take(&box, &q);
        int cnt = (int)iskra_workq_run(&q);
        ran_cnt += cnt;
        batch_cnt += cnt > 0;
        if (cnt == 0)
            sched_yield();
    }
    for (int i = 0; i < SENDER_CNT; i++) {
        pthread_join(senders[i].id, NULL);
        assert_int_equal(next[i], LETTER_CNT);
        woke_cnt += senders[i].woke_cnt;
        free(senders[i].letters);
    }
    assert_int_equal(ran_cnt, SENDER_CNT * LETTER_CNT);
    assert_int_equal(wrong_cnt, 0);
    assert_int_equal(woke_cnt, batch_cnt); /* one wake-up for what was taken at once */
}

static void only_who_finds_it_empty_wakes(void **state)
{
    struct iskra_mailbox box = {NULL};
    struct iskra_workq q;
    struct letter l[3] = {
        {.number = LETTER_CNT}, {.number = LETTER_CNT + 1}, {.number = LETTER_CNT + 2}};
    iskra_workq_init(&q);
    next[0] = LETTER_CNT;
    wrong_cnt = 0;
    assert_true(iskra_mailbox_push(&box, &l[0].mail, opened));
    assert_false(iskra_mailbox_push(&box, &l[1].mail, opened));
    iskra_mailbox_take(&box, &q);
    assert_true(iskra_mailbox_push(&box, &l[2].mail, opened)); /* though the others have not run */
    iskra_mailbox_take(&box, &q);
    iskra_mailbox_take(&box, &q); /* nothing */
    assert_int_equal(iskra_workq_run(&q), 3);
    assert_int_equal(wrong_cnt, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_letter_of_every_sender_comes_once_and_in_order),
        cmocka_unit_test(only_who_finds_it_empty_wakes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
