/* Sessions: who is logged in, and what a second login of the same initiator port means. */
#include "target/conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct target_session *session_at(struct iskra_list *link)
{
    return iskra_container_of(link, struct target_session, link);
}

/* RFC 7143 6.3.5: a session is InitiatorName + ISID + target portal group (there is one). A
 * discovery session is no reason to end a normal one: initiators use one ISID for both. */
static struct target_session *session_find(struct iskra_target *target,
                                           const struct iskra_target_conn *conn)
{
    ISKRA_LIST_FOREACH(link, &target->sessions)
    {
        struct target_session *session = session_at(link);
        if (session->discovery == conn->keys.discovery &&
            memcmp(session->isid, conn->isid, ISKRA_ISID_LEN) == 0 &&
            strcmp(session->initiator_name, conn->keys.initiator_name) == 0)
            return session;
    }
    return NULL;
}

static bool tsih_used(struct iskra_target *target, uint16_t tsih)
{
    ISKRA_LIST_FOREACH(link, &target->sessions)
    {
        if (session_at(link)->tsih == tsih)
            return true;
    }
    return false;
}

/* There are fewer sessions than numbers (options_judge), so this ends. */
static uint16_t tsih_new(struct iskra_target *target)
{
    do
        target->last_tsih++;
    while (target->last_tsih == 0 || tsih_used(target, target->last_tsih));
    return target->last_tsih;
}

/* What a login that names an existing session may do at MaxConnections=1: take the place of its
 * connection, which has the same CID (6.3.4). */
static enum login_status reinstate_judge(const struct iskra_target_conn *conn,
                                         const struct target_session *old)
{
    if (conn->tsih == 0)
        return LOGIN_OK;
    if (!old || old->tsih != conn->tsih)
        return LOGIN_NO_SESSION;
    return old->conn->cid == conn->cid ? LOGIN_OK : LOGIN_TOO_MANY;
}

static void tell(const struct iskra_target_options *options, const struct target_session *session)
{
    if (!options->login_told)
        return;
    char text[ISKRA_TARGET_NAME_MAX + 64], isid[2 * ISKRA_ISID_LEN + 1];
    for (unsigned i = 0; i < ISKRA_ISID_LEN; i++)
        (void)snprintf(isid + (size_t)2 * i, 3, "%02x", session->isid[i]);
    (void)snprintf(text, sizeof(text), "%s of %s, ISID %s, TSIH %u",
                   session->discovery ? "discovery" : "login", session->initiator_name, isid,
                   session->tsih);
    options->login_told(options->login_told_arg, text);
}

enum login_status target_session_begin(struct iskra_target_conn *conn)
{
    struct iskra_target *target = conn->target;
    struct target_session *old = session_find(target, conn);
    enum login_status status = reinstate_judge(conn, old);
    if (status != LOGIN_OK)
        return status;
    if (!old && target->stats.session_cnt >= target->options.max_sessions)
        return LOGIN_TOO_MANY;
    struct target_session *session = calloc(1, sizeof(*session) + target->lun_cnt);
    if (!session)
        return LOGIN_NO_RESOURCES;

    if (old) {
        struct iskra_target_conn *old_conn = old->conn;
        old_conn->now_ns = conn->now_ns;
        (void)iskra_fail(&old_conn->err, ISKRA_E_CONNECTION, ECONNRESET,
                         "the same initiator port logged in again");
        target_conn_drop(old_conn); /* ends the old session */
    }
    session->conn = conn;
    memcpy(session->initiator_name, conn->keys.initiator_name, sizeof(session->initiator_name));
    memcpy(session->isid, conn->isid, ISKRA_ISID_LEN);
    session->discovery = conn->keys.discovery;
    session->tsih = conn->tsih ? conn->tsih : tsih_new(target);
    iskra_list_push_back(&target->sessions, &session->link);
    conn->session = session;
    target->stats.session_cnt++;
    target->stats.login_cnt++;
    tell(&target->options, session);
    return LOGIN_OK;
}

void target_session_end(struct iskra_target_conn *conn)
{
    struct target_session *session = conn->session;
    if (!session)
        return;
    conn->session = NULL;
    iskra_list_remove(&session->link);
    conn->target->stats.session_cnt--;
    free(session);
}
