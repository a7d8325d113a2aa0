/* An initiator's life: made, opened, closed, freed. What happens in between is in
 * initiator_events.c and the files of its steps. */
#include "control/initiator.h"

#include <errno.h>
#include <string.h>

#include "control/initiator_steps.h"
#include "error.h"
#include "trace.h"

#define NS_PER_S 1000000000ull

void iskra_initiator_config_default(struct iskra_initiator_config *cfg, bool discovery)
{
    *cfg = (struct iskra_initiator_config){
        .port = ISKRA_ISCSI_PORT,
        .login_timeout_ns = 15 * NS_PER_S,
        .logout_timeout_ns = 15 * NS_PER_S,
        .cmds_max = 128,
        .queue_depth = 32,
        .ping_timeout_ns = 5 * NS_PER_S,
        .recv_timeout_ns = 5 * NS_PER_S,
        .abort_timeout_ns = 15 * NS_PER_S,
        .lu_reset_timeout_ns = 30 * NS_PER_S,
        .tgt_reset_timeout_ns = 30 * NS_PER_S,
        .replacement_timeout_ns = 120 * NS_PER_S,
        .fast_abort = true,
    };
    iskra_key_offer_default(&cfg->offer, discovery);
}

/* Copies a string to *p and moves on; NULL stays NULL. */
static const char *keep(char **p, const char *s)
{
    if (!s)
        return NULL;
    size_t len = strlen(s) + 1;
    char *copy = memcpy(*p, s, len);
    *p += len;
    return copy;
}

static size_t room_for(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

static int copy_config(struct iskra_initiator *ini, const struct iskra_initiator_config *cfg,
                       struct iskra_error *err)
{
    const struct iskra_platform *pf = ini->round->pf;
    if (!cfg->initiator_name || !cfg->host)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "an initiator name and a host are needed");
    size_t host_len = strlen(cfg->host);
    if (host_len == 0 || host_len > ISKRA_HOST_TEXT_MAX || cfg->port == 0)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "host of %zu bytes, port %u", host_len,
                          cfg->port);
    char *p = pf->alloc(pf->arg, room_for(cfg->initiator_name) + room_for(cfg->initiator_alias) +
                                     room_for(cfg->target_name) + room_for(cfg->host));
    if (!p)
        return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for an initiator");
    ini->strings = p;
    ini->cfg = *cfg;
    ini->cfg.initiator_name = keep(&p, cfg->initiator_name);
    ini->cfg.initiator_alias = keep(&p, cfg->initiator_alias);
    ini->cfg.target_name = keep(&p, cfg->target_name);
    ini->cfg.host = keep(&p, cfg->host);
    ini->cfg.offer.discovery = cfg->target_name == NULL;
    memcpy(ini->where.host, cfg->host, host_len + 1);
    ini->where.port = cfg->port;
    ini->first = ini->home = ini->where;
    return 0;
}

/* RFC 7143 11.12.5: type 10b, random. Drawn once and kept, so that a later login of the same object
 * replaces its own session and nobody else's. */
static int draw_isid(struct iskra_initiator *ini, struct iskra_error *err)
{
    const struct iskra_platform *pf = ini->round->pf;
    uint8_t *isid = ini->cfg.isid;
    if (ini->cfg.isid_given)
        return 0;
    isid[0] = 0x80;
    int ret = pf->random(pf->arg, isid + 1, ISKRA_ISID_LEN - 1);
    return ret < 0 ? iskra_fail(err, ISKRA_E_SYSTEM, -ret, "no random bytes: %s", strerror(-ret))
                   : 0;
}

int iskra_initiator_borrow_text(struct iskra_initiator *ini, struct iskra_error *err)
{
    struct iskra_login *l = ini->login;
    if (l->text == NULL)
        l->text = iskra_spare_take(&ini->round->login_texts, ini->round->pf, sizeof(*l->text));
    return l->text != NULL
               ? 0
               : iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for the text of a login");
}

void iskra_initiator_return_text(struct iskra_initiator *ini)
{
    struct iskra_login *l = ini->login;
    if (l->text == NULL)
        return;
    iskra_spare_give(&ini->round->login_texts, ini->round->pf, l->text);
    l->text = NULL;
}

int iskra_initiator_new(struct iskra_round *round, const struct iskra_initiator_config *cfg,
                        const struct iskra_initiator_ops *ops, void *owner,
                        struct iskra_initiator **ret_ini, struct iskra_error *err)
{
    const struct iskra_platform *pf = round->pf;
    struct iskra_initiator *ini = pf->alloc(pf->arg, sizeof(*ini));
    if (!ini)
        return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for an initiator");
    iskra_trace_param_names(iskra_param_names, ISKRA_PARAM_CNT);
    iskra_trace_state_names(ISKRA_MACHINE_CONN, iskra_initiator_state_names,
                            ISKRA_INITIATOR_STATE_CNT);
    ini->round = round;
    ini->ops = ops;
    ini->owner = owner;
    ini->fd = -1;
    iskra_work_init(&ini->work, iskra_initiator_run_next);

    int ret = copy_config(ini, cfg, err);
    if (ret == 0)
        ret = draw_isid(ini, err);
    if (ret < 0)
        goto out;
    ini->login = pf->alloc(pf->arg, sizeof(*ini->login));
    ini->discovery = cfg->target_name ? NULL : pf->alloc(pf->arg, sizeof(*ini->discovery));
    if (!ini->login || (!cfg->target_name && !ini->discovery) ||
        iskra_timer_init(&ini->timer, &round->timers, iskra_initiator_timed_out) < 0) {
        ret = iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for a login");
        goto out;
    }
    *ret_ini = ini;
    return 0;
out:
    iskra_initiator_free(ini);
    return ret;
}

void iskra_initiator_free(struct iskra_initiator *ini)
{
    if (!ini)
        return;
    const struct iskra_platform *pf = ini->round->pf;
    iskra_work_cancel(&ini->work);
    iskra_initiator_drop(ini, true);
    iskra_timer_done(&ini->timer);
    pf->free(pf->arg, ini->discovery);
    pf->free(pf->arg, ini->login);
    pf->free(pf->arg, ini->strings);
    pf->free(pf->arg, ini);
}

struct iskra_event_sink iskra_initiator_sink(struct iskra_initiator *ini)
{
    return (struct iskra_event_sink){.event = iskra_initiator_event, .arg = ini};
}

void iskra_initiator_attach(struct iskra_initiator *ini, const struct iskra_if_ops *if_ops,
                            void *if_handle)
{
    ini->if_ops = if_ops;
    ini->if_handle = if_handle;
}

int iskra_initiator_open(struct iskra_initiator *ini, struct iskra_error *err)
{
    if (ini->opened || !ini->if_ops)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "an initiator is opened once, with a class attached");
    int ret = iskra_initiator_connect(ini, err);
    if (ret < 0)
        return ret;
    ini->opened = true;
    iskra_initiator_set_state(ini, ISKRA_INITIATOR_XPT_WAIT);
    return 0;
}

void iskra_initiator_close(struct iskra_initiator *ini)
{
    if (ini->closing)
        return;
    ini->closing = true;
    if (ini->next == ISKRA_NEXT_UP)
        ini->next = ISKRA_NEXT_NONE; /* too late to be told */
    if (ini->state == ISKRA_INITIATOR_LOGGED_IN && ini->next != ISKRA_NEXT_END &&
        iskra_initiator_logout(ini, ISKRA_INITIATOR_IN_LOGOUT, NULL) == 0)
        return;
    if (ini->state == ISKRA_INITIATOR_LOGOUT_REQUESTED || ini->state == ISKRA_INITIATOR_IN_LOGOUT)
        return; /* one is under way */
    iskra_initiator_schedule(ini, ISKRA_NEXT_END);
}

enum iskra_initiator_state iskra_initiator_state(const struct iskra_initiator *ini)
{
    return ini->state;
}

const struct iskra_key_results *iskra_initiator_keys(const struct iskra_initiator *ini)
{
    return &ini->results;
}

const struct iskra_target_address *iskra_initiator_home(const struct iskra_initiator *ini)
{
    return &ini->home;
}

const char *iskra_initiator_portal(const struct iskra_initiator *ini)
{
    return ini->portal;
}

const uint8_t *iskra_initiator_isid(const struct iskra_initiator *ini)
{
    return ini->cfg.isid;
}

uint16_t iskra_initiator_tsih(const struct iskra_initiator *ini)
{
    return ini->tsih;
}

uint32_t iskra_initiator_sid(const struct iskra_initiator *ini)
{
    return ini->sid;
}

const struct iskra_error *iskra_initiator_why(const struct iskra_initiator *ini)
{
    return &ini->why;
}
