/* The target and its peer, and the steps up to the challenge. */
#include "chap_peer.h"

#include <stdio.h>

struct chap_peer chap;
static uint8_t next_random;

static int count_up(void *arg, void *buf, size_t len)
{
    uint8_t *p = buf;
    for (size_t i = 0; i < len; i++)
        p[i] = next_random++;
    return 0;
}

int chap_setup(void **state)
{
    iskra_target_options_init(&chap.options);
    chap.options.user = USER;
    chap.options.password = SECRET;
    chap.options.mutual_user = MUTUAL_USER;
    chap.options.mutual_password = MUTUAL;
    chap.options.random = count_up;
    chap.target = NULL;
    return 0;
}

void chap_begin(void)
{
    next_random = 1;
    chap.target = peer_target(&chap.options);
    peer_open(&chap.peer, chap.target);
}

void chap_end(void)
{
    if (chap.target != NULL)
        peer_close(&chap.peer);
    iskra_target_free(chap.target);
    chap.target = NULL;
}

int chap_teardown(void **state)
{
    chap_end();
    return 0;
}

void chap_say(uint8_t csg, uint8_t nsg, bool transit, const char *text, uint32_t len)
{
    peer_login_send(&chap.peer, csg, nsg, transit, text, len);
}

void chap_expect(bool transit)
{
    peer_login_expect(&chap.peer, &chap.rsp, &chap.answer);
    assert_int_equal(chap.rsp.status_class << 8 | chap.rsp.status_detail, 0);
    assert_int_equal(chap.rsp.transit, transit);
}

void chap_refused(uint16_t status)
{
    peer_login_refused(&chap.peer, status);
}

void chap_method_agree(void)
{
    chap_say(0, 1, false, TEXT(NAMES "\0AuthMethod=CHAP,None"));
    chap_expect(false);
    assert_string_equal(answer_value(&chap.answer, "AuthMethod"), "CHAP");
}

void chap_challenge_get(const char *chap_a)
{
    chap_method_agree();
    char text[64];
    int len = snprintf(text, sizeof(text), "CHAP_A=%s", chap_a);
    chap_say(0, 1, false, text, (uint32_t)len + 1);
    chap_expect(false);
}
