/* A session that was lost comes back (spec 3.15; decisions 21, 26, 28).
 *
 * Whatever ends the connection of a session that has been up leads here: the connection is stopped
 * for recovery, so that the class keeps the commands, and after a delay everything begins again
 * from `home`: look up, connect, log in with the same ISID and TSIH 0. Every failure on the way, of
 * any kind, is told and tried again, for ever; only close() ends it, and rivals.c's judgement that
 * somebody else uses the same name. */
#include <errno.h>
#include <string.h>

#include "control/delay.h"
#include "control/initiator_steps.h"
#include "error.h"
#include "planted.h"

#define NS_PER_S UINT64_C(1000000000)

/* RFC 7143 13.15: the range of DefaultTime2Wait. What a target may say elsewhere goes further;
 * nobody is kept away for most of a day by one number. */
#define TIME2WAIT_MAX_S 3600u

/* Decision 26: before commands may be repeated through another portal group or address. */
#define ELSEWHERE_WAIT_S 2u

/* A session that ends sooner than that after its login was of little use. */
#define SHORT_LIFE_NS (NS_PER_S / 2)

static uint64_t time2wait_ns(uint32_t time2wait_s)
{
    return (time2wait_s < TIME2WAIT_MAX_S ? time2wait_s : TIME2WAIT_MAX_S) * NS_PER_S;
}

/* ---- what is remembered of a session that is up ---- */

static uint64_t rx_pdus(struct iskra_initiator *ini)
{
    struct iskra_uevent ev = {.type = ISKRA_UEVENT_GET_STATS};
    return iskra_initiator_request(ini, &ev, NULL, NULL, 0, NULL) == 0 ? ev.r.stats.rx_pdus : 0;
}

void iskra_reopen_logged_in(struct iskra_initiator *ini)
{
    struct iskra_reopen *r = &ini->reopen;
    ini->results = ini->login->keys.results;
    r->last_tsih = ini->tsih;
    ini->tsih = ini->login->tsih;
    r->logged_in = true;
    r->sent_away = false;
    r->redirected = ini->redirect_cnt > 0;
    r->login_ns = ini->round->now_ns;
    r->rx_pdus = rx_pdus(ini);
    r->tpgt = ini->results.tpgt;
    memcpy(r->portal, ini->portal, sizeof(r->portal));
}

void iskra_reopen_told(struct iskra_initiator *ini)
{
    struct iskra_reopen *r = &ini->reopen;
    void (*tell)(void *owner) = r->begun ? ini->ops->reopened : ini->ops->up;
    r->begun = r->told = true;
    if (tell)
        tell(ini->owner);
}

void iskra_reopen_time2wait(struct iskra_initiator *ini, uint32_t time2wait_s)
{
    struct iskra_reopen *r = &ini->reopen;
    r->time2wait_ns = time2wait_ns(time2wait_s);
    r->sent_away = true;
}

/* ---- the loss ---- */

/* What was of use begins again at once; what ended as soon as it had begun comes back more and more
 * slowly, or both ends would be kept busy with logins. */
static void judge_life(struct iskra_initiator *ini, uint64_t life_ns, bool heard)
{
    struct iskra_reopen *r = &ini->reopen;
    if (life_ns >= SHORT_LIFE_NS)
        r->row = 0;
    else if (heard && r->row > 1)
        r->row = 1;
}

/* The session was in full feature phase until now. */
static void lost(struct iskra_initiator *ini)
{
    struct iskra_reopen *r = &ini->reopen;
    uint64_t now_ns = ini->round->now_ns, life_ns = now_ns - r->login_ns;
    bool heard = !r->sent_away && rx_pdus(ini) > r->rx_pdus;
    judge_life(ini, life_ns, heard);
    iskra_rivals_judge(ini, life_ns, heard);
    uint32_t least_s =
        ini->results.time2wait > ELSEWHERE_WAIT_S ? ini->results.time2wait : ELSEWHERE_WAIT_S;
    uint64_t elsewhere_ns = time2wait_ns(least_s);
    if (r->time2wait_ns > elsewhere_ns)
        elsewhere_ns = r->time2wait_ns;
    r->elsewhere_ns = now_ns + elsewhere_ns;
    r->not_before_ns = now_ns + r->time2wait_ns;
    r->time2wait_until_ns = r->not_before_ns;
    r->time2wait_ns = 0; /* used once */
    r->logged_in = false;
    if (r->told) {
        r->attempt = 0;
        r->lost_ns = now_ns;
    }
}

/* Every other try begins where the user said: where a target has moved to for good may go, too. */
static const struct iskra_target_address *place_of_try(const struct iskra_initiator *ini)
{
    return ini->reopen.attempt % 2 == 1 ? &ini->first : &ini->home;
}

/* What is left of the last try. */
static void forget_try(struct iskra_initiator *ini)
{
    bool had_conn = ini->bound;
    if (had_conn)
        iskra_initiator_set_state(ini, ISKRA_INITIATOR_CLEANUP_WAIT);
    iskra_initiator_stop(ini, ISKRA_STOP_RECOVER);
    iskra_initiator_set_state(ini, ISKRA_INITIATOR_XPT_WAIT);
    ini->asking = ini->logged_out = false;
    ini->where = *place_of_try(ini); /* of the next one */
    ini->redirect_cnt = 0;
    ini->reopen.holding = false;
}

static uint64_t next_delay_ns(struct iskra_initiator *ini)
{
    struct iskra_reopen *r = &ini->reopen;
    const struct iskra_platform *pf = ini->round->pf;
    uint64_t now_ns = ini->round->now_ns;
    uint8_t random = 0;
    (void)pf->random(pf->arg, &random, sizeof(random)); /* else without jitter */
    if (r->row < UINT8_MAX)
        r->row++;
    uint64_t delay_ns = iskra_retry_delay_ns(r->row, random);
    if (r->not_before_ns > now_ns + delay_ns)
        delay_ns = r->not_before_ns - now_ns;
    r->not_before_ns = 0;
    return delay_ns;
}

bool iskra_reopen_possible(const struct iskra_initiator *ini)
{
    return ini->reopen.begun && !ini->reopen.never;
}

/* The callback is the last thing: it may free the initiator. */
void iskra_reopen_later(struct iskra_initiator *ini)
{
    struct iskra_reopen *r = &ini->reopen;
    if (r->logged_in)
        lost(ini);
    else
        r->rival_cnt = 0; /* a portal that does not let us in is no rival's doing */
    if (r->rival_cnt == ISKRA_RIVALS_MAX) {
        iskra_rivals_tell(ini);
        r->never = true;
        iskra_initiator_schedule(ini, ISKRA_NEXT_END);
        return;
    }
    struct iskra_error why = ini->why;
    forget_try(ini);
    r->error = why;
    r->waiting = true;
    bool was_up = r->told;
    r->told = false;
    uint64_t delay_ns = next_delay_ns(ini);
    r->next_ns = ini->round->now_ns + delay_ns;
    iskra_timer_arm(&ini->timer, r->next_ns);
    if (was_up && ini->ops->lost)
        ini->ops->lost(ini->owner, &why);
    else if (!was_up && ini->ops->retry)
        ini->ops->retry(ini->owner, r->attempt, delay_ns, &why);
}

/* ---- the next try ---- */

static void try_now(struct iskra_initiator *ini)
{
    struct iskra_reopen *r = &ini->reopen;
    struct iskra_error err = {0};
    r->waiting = false;
    r->attempt++;
    ini->why = (struct iskra_error){0};
    if (iskra_initiator_connect(ini, &err) < 0)
        iskra_initiator_end(ini, &err);
}

bool iskra_reopen_timed_out(struct iskra_initiator *ini)
{
    struct iskra_reopen *r = &ini->reopen;
    if (r->waiting) {
        try_now(ini);
        return true;
    }
    if (!r->holding)
        return false;
    r->holding = false;
    iskra_initiator_connect_go_on(ini);
    return true;
}

/* ---- decision 26: not too early elsewhere ---- */

static bool too_early(const struct iskra_initiator *ini)
{
    if (ISKRA_PLANTED(RETRY_TOO_EARLY))
        return false;
    return ini->reopen.begun && ini->round->now_ns < ini->reopen.elsewhere_ns;
}

/* Where the way to a session that had been redirected is only asked for, no command will be sent;
 * if one would after all, iskra_reopen_too_early() is still to come. */
bool iskra_reopen_hold(struct iskra_initiator *ini, const struct iskra_address *addr)
{
    struct iskra_reopen *r = &ini->reopen;
    char text[ISKRA_ADDRESS_TEXT];
    (void)iskra_address_format(addr, text, sizeof(text));
    if (!too_early(ini) || strcmp(text, r->portal) == 0 ||
        (r->redirected && ini->redirect_cnt == 0))
        return false;
    r->holding = true;
    iskra_timer_arm(&ini->timer, r->elsewhere_ns);
    return true;
}

int iskra_reopen_too_early(struct iskra_initiator *ini, struct iskra_error *err)
{
    struct iskra_reopen *r = &ini->reopen;
    uint32_t tpgt = ini->login->keys.results.tpgt;
    if (!too_early(ini) || (tpgt == r->tpgt && strcmp(ini->portal, r->portal) == 0))
        return 0;
    r->not_before_ns = r->elsewhere_ns;
    return iskra_fail(err, ISKRA_E_CONNECTION, EAGAIN,
                      "%s, portal group %u, in place of %s, portal group %u: commands may be "
                      "repeated there after %.1f s",
                      ini->portal, tpgt, r->portal, r->tpgt,
                      (double)(r->elsewhere_ns - ini->round->now_ns) / (double)NS_PER_S);
}

/* ---- what is going on ---- */

static uint64_t until(const struct iskra_initiator *ini, uint64_t then_ns)
{
    return then_ns > ini->round->now_ns ? then_ns - ini->round->now_ns : 0;
}

void iskra_initiator_status(const struct iskra_initiator *ini,
                            struct iskra_initiator_status *ret_status)
{
    const struct iskra_reopen *r = &ini->reopen;
    struct iskra_initiator_status *st = ret_status;
    *st = (struct iskra_initiator_status){.state = ini->state, .error = r->error};
    if (ini->why.code != ISKRA_OK)
        st->error = ini->why;
    st->reopening = r->begun && !r->told && !r->never && !ini->closing;
    if (!st->reopening)
        return;
    st->attempt = r->attempt;
    st->away_ns = ini->round->now_ns - r->lost_ns;
    if (r->holding)
        st->next_ns = until(ini, r->elsewhere_ns);
    if (!r->waiting)
        return;
    st->next_ns = until(ini, r->next_ns);
    st->time2wait_ns = until(ini, r->time2wait_until_ns);
}
