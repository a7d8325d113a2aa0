/* Discovery as a session: Text Requests out, Text Responses in, then the logout. What the text says
 * is discovery.c's. */
#include <errno.h>
#include <string.h>

#include "control/initiator_steps.h"
#include "error.h"

static int entry(void *arg, const struct iskra_target_entry *target)
{
    struct iskra_initiator *ini = arg;
    return ini->ops->target ? ini->ops->target(ini->owner, target) : 0;
}

/* Each answer has the login timeout. */
static int ask(struct iskra_initiator *ini, struct iskra_error *err)
{
    struct iskra_uevent ev = {.type = ISKRA_UEVENT_SEND_PDU};
    uint8_t hdr[ISKRA_BHS_LEN];
    const uint8_t *text;
    size_t len;
    iskra_discovery_request(ini->discovery, hdr, &text, &len);
    uint64_t answer_ns = ini->round->now_ns + ini->cfg.login_timeout_ns;
    iskra_timer_arm(&ini->timer, answer_ns < ini->deadline_ns ? answer_ns : ini->deadline_ns);
    int ret = iskra_initiator_request(ini, &ev, hdr, text, len, err);
    ini->asking = ret == 0;
    return ret;
}

/* A target without an address is where we are connected: the portal's text without its port. */
static struct iskra_target_address here(const struct iskra_initiator *ini)
{
    struct iskra_target_address address = ini->where;
    struct iskra_target_address portal;
    struct iskra_slice text = {ini->portal, strlen(ini->portal)};
    if (iskra_target_address_parse(text, &portal) == 0)
        address = portal;
    address.tpgt = (uint16_t)ini->login->keys.results.tpgt;
    return address;
}

int iskra_initiator_send_targets(struct iskra_initiator *ini, struct iskra_error *err)
{
    struct iskra_target_address portal = here(ini);
    ini->deadline_ns = ini->round->now_ns + ISKRA_DISCOVERY_TIMEOUTS * ini->cfg.login_timeout_ns;
    iskra_discovery_begin(ini->discovery, &portal, ini->login->exp_stat_sn, entry, ini);
    return ask(ini, err);
}

int iskra_initiator_text_received(struct iskra_initiator *ini, const uint8_t *hdr,
                                  const uint8_t *data, size_t len, struct iskra_error *err)
{
    ini->asking = false;
    int ret = iskra_discovery_response(ini->discovery, hdr, data, len, err);
    if (ret == ISKRA_DISCOVERY_SEND)
        return ask(ini, err);
    if (ret < 0 && ret != -ECANCELED)
        return ret;
    iskra_initiator_close(ini); /* enough, or everything */
    return 0;
}
