/* An initiator between two fakes: a class that records requests, and a world (clock, connections)
 * that does what a test says. */
#ifndef FAKE_CLASS_H
#define FAKE_CLASS_H

#include "control_test.h"

#include "control/initiator.h"

#define FAKE_FD 1000 /* the first of the connections */

struct fake {
    struct iskra_round round;
    struct iskra_platform pf;
    struct iskra_round_ops round_ops;
    struct iskra_initiator_config cfg;
    struct iskra_initiator *ini;
    struct iskra_error err;

    /* The world. */
    unsigned alloc_fails_at, alloc_cnt; /* the n-th from now; 0: none */
    int connect_start_error;            /* of every connect_start */
    int finish_error[8];                /* of the n-th connection */
    unsigned connect_cnt, close_cnt, open_fds;
    int last_abortive;
    char connected_to[8][64], last_connected_to[64];
    struct iskra_watch *watch; /* the one there is */

    /* The class. */
    char log[8192];     /* "CREATE_SESSION CREATE_CONN ..." */
    const char *refuse; /* this request is refused */
    int64_t params[ISKRA_PARAM_CNT];
    bool param_set[ISKRA_PARAM_CNT];
    uint32_t sid;                   /* counts */
    unsigned session_cnt, conn_cnt; /* there now */
    uint8_t hdr[ISKRA_BHS_LEN];     /* of the last SEND_PDU */
    char text[8193];
    size_t text_len;
    unsigned pdu_cnt;
    bool bound, terminated;                 /* the connection */
    struct iskra_error stopped;             /* what the last STOP_CONN told */
    uint64_t rx_pdus;                       /* counted so far */
    const struct iskra_error *lost_at_once; /* a CONN_ERROR in the round of the next PDU */
    uint16_t tsih;                          /* of the next login; 0: 77 */

    /* The layer above. */
    unsigned up_cnt, down_cnt, closed_cnt, target_cnt;
    unsigned lost_cnt, retry_cnt, reopened_cnt;
    unsigned attempt, delay_ms; /* of the last retry() */
    struct iskra_error why;
    char noted[200]; /* the last line for operators */
    char targets[1024];
    bool free_in_callback, close_in_up;
    unsigned stop_after; /* targets */
};

struct fake *fake_new(const char *host, bool discovery);
void fake_free(struct fake *f);

void fake_make(struct fake *f); /* the initiator, from f->cfg */
void fake_open(struct fake *f);
void fake_run(struct fake *f); /* work, until there is none */
void fake_later(struct fake *f, uint64_t ms);
void fake_connected(struct fake *f); /* the connection in progress ends, well or not */

void fake_event(struct fake *f, const uint8_t *hdr, const char *text); /* RECV_PDU */
void fake_conn_error(struct fake *f, const struct iskra_error *why);

/* Login Responses as they should be. */
void fake_login_response(struct fake *f, const char *text);
void fake_login_status(struct fake *f, uint8_t status_class, uint8_t detail, const char *text);
void fake_to_login(struct fake *f); /* open, connected: the first Login Request is out */
void fake_to_full_feature(struct fake *f);
void fake_logout_response(struct fake *f);
void fake_async(struct fake *f, uint8_t event);
void fake_async_of(struct fake *f, const struct iskra_pdu_async *pdu, const char *text);
void fake_text_response(struct fake *f, bool last, const char *text);

uint8_t fake_opcode(const struct fake *f); /* of the last PDU sent */

#endif
