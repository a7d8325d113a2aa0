/* Names of the control interface's messages. */
#include "control/event.h"

const char *iskra_uevent_name(enum iskra_uevent_type type)
{
    switch (type) {
    case ISKRA_UEVENT_CREATE_SESSION:
    case ISKRA_KEVENT_CREATE_SESSION:
        return "CREATE_SESSION";
    case ISKRA_UEVENT_DESTROY_SESSION:
    case ISKRA_KEVENT_DESTROY_SESSION:
        return "DESTROY_SESSION";
    case ISKRA_UEVENT_CREATE_CONN:
        return "CREATE_CONN";
    case ISKRA_UEVENT_DESTROY_CONN:
        return "DESTROY_CONN";
    case ISKRA_UEVENT_BIND_CONN:
        return "BIND_CONN";
    case ISKRA_UEVENT_SET_PARAM:
        return "SET_PARAM";
    case ISKRA_UEVENT_START_CONN:
        return "START_CONN";
    case ISKRA_UEVENT_STOP_CONN:
        return "STOP_CONN";
    case ISKRA_UEVENT_SEND_PDU:
        return "SEND_PDU";
    case ISKRA_UEVENT_GET_STATS:
        return "GET_STATS";
    case ISKRA_KEVENT_RECV_PDU:
        return "RECV_PDU";
    case ISKRA_KEVENT_CONN_ERROR:
        return "CONN_ERROR";
    case ISKRA_KEVENT_IF_ERROR:
        return "IF_ERROR";
    }
    return "?";
}
