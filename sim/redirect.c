/* Redirects: see redirect.h. */
#include "sim/redirect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"

static struct sim_peer *peer_of(struct sim_pdu *pdu)
{
    return iskra_container_of(pdu, struct sim_peer, pdu);
}

static void header(struct sim_pdu *pdu) {}

static void piece(struct sim_pdu *pdu, enum sim_pdu_part part, const uint8_t *bytes, size_t at,
                  size_t len)
{
}

/* The whole Login Request is there. */
static void end(struct sim_pdu *pdu)
{
    struct sim_peer *peer = peer_of(pdu);
    struct sim *sim = peer->sim;
    struct iskra_pdu_login req;
    uint8_t answer[ISKRA_BHS_LEN + 64] = {0};
    if (peer->answered || iskra_bhs_opcode(pdu->bhs) != ISKRA_OP_LOGIN)
        return;
    iskra_login_decode(pdu->bhs, &req);
    unsigned group = (unsigned)sim_random_below(&sim->target_random, sim->plan.group_cnt);
    int len = snprintf((char *)answer + ISKRA_BHS_LEN, 64, "TargetAddress=127.0.0.1:%u,%u",
                       SIM_PORT + 1 + group, group + 1) +
              1;
    struct iskra_pdu_login_rsp rsp = {
        .csg = req.csg,
        .data_len = (uint32_t)len,
        .itt = req.itt,
        .stat_sn = req.exp_stat_sn,
        .exp_cmd_sn = req.cmd_sn,
        .max_cmd_sn = req.cmd_sn,
        .status_class = 1,
        .status_detail = sim_random_chance(&sim->target_random, 8000) ? 1 : 2,
    };
    memcpy(rsp.isid, req.isid, sizeof(rsp.isid));
    iskra_login_rsp_encode(&rsp, answer);
    size_t total = ISKRA_BHS_LEN + (size_t)len + iskra_pad_len((uint32_t)len);
    sim_pipe_write(&peer->conn->down, answer, total);
    peer->answered = true;
    sim_fault_note(sim, SIM_FAULT_REDIRECT, group, rsp.status_detail);
}

static const struct sim_pdu_ops ops = {header, piece, end};

void sim_redirect_init(struct sim_peer *peer)
{
    sim_pdu_init(&peer->pdu, &ops);
}

void sim_redirect_pump(void *arg)
{
    struct sim_peer *peer = arg;
    struct sim_conn *conn = peer->conn;
    uint8_t bytes[4096];
    for (size_t len; (len = sim_pipe_readable(&conn->up)) > 0;) {
        len = len < sizeof(bytes) ? len : sizeof(bytes);
        sim_pipe_read(&conn->up, bytes, len);
        sim_pdu_feed(&peer->pdu, bytes, len);
    }
    if (peer->answered || sim_pipe_at_end(&conn->up)) {
        free(peer);
        sim_conn_peer_gone(conn, false);
    }
}
