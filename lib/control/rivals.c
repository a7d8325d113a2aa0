/* Does somebody else log in with our name and ISID? (decision 21)
 *
 * RFC 7143 6.3.5: such a login throws our session out, as ours throws out theirs, and two
 * initiators that both come back at once would go on for ever, each with a disk that goes away all
 * the time. Three losses in a row that look like it are the end.
 *
 * The difficulty is that a cable, a proxy or a target that ends every connection must never be
 * taken for a rival: those have to be survived, however often they do it. What a rival does and
 * they do not is to log in between two logins of ours. Most targets number their sessions (TSIH),
 * so:
 *
 * - the TSIH of a login is the one after that of our login before: nobody was there, whatever it
 *   looks like. A line that is cut every second always shows this, and so does a target that
 *   answers every command with a close.
 * - it has gone one further: exactly one other login. If then our session is closed within half a
 *   second, as long as a rival takes to come back, that is a sign.
 * - the number tells nothing (it starts again with every target process, or stays the same): a sign
 *   is only a session that the target closes within 30 s without having said a single word.
 *
 * A try that fails in between clears the count: a target that was restarted refuses connections for
 * a moment, a rival never makes it do so. */
#include <errno.h>

#include "control/initiator_steps.h"
#include "error.h"

#define NS_PER_S      UINT64_C(1000000000)
#define GOOD_LOGIN_NS (30 * NS_PER_S)
#define RIVAL_LIFE_NS (NS_PER_S / 2)

static bool looks_like_a_rival(const struct iskra_initiator *ini, uint64_t life_ns, bool heard)
{
    uint16_t step = (uint16_t)(ini->tsih - ini->reopen.last_tsih);
    if (ini->why.conn_error != ISKRA_CONN_TCP_CONN_CLOSE || step == 1)
        return false;
    if (step == 2 && life_ns < RIVAL_LIFE_NS)
        return true;
    return !heard && life_ns < GOOD_LOGIN_NS;
}

void iskra_rivals_judge(struct iskra_initiator *ini, uint64_t life_ns, bool heard)
{
    struct iskra_reopen *r = &ini->reopen;
    if (looks_like_a_rival(ini, life_ns, heard))
        r->rival_cnt++;
    else
        r->rival_cnt = 0;
}

void iskra_rivals_tell(struct iskra_initiator *ini)
{
    struct iskra_error last = ini->why;
    ini->why = (struct iskra_error){0};
    (void)iskra_fail(&ini->why, ISKRA_E_CONNECTION, EADDRINUSE,
                     "another initiator uses this name and ISID: %u sessions in a row were closed "
                     "by the target right after the login, the last one: %.100s",
                     ISKRA_RIVALS_MAX, last.text);
    ini->why.conn_error = last.conn_error;
}
