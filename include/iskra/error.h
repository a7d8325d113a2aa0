/* What went wrong: plain data, filled once, at the place where the fault was found.
 *
 * A call that takes a struct iskra_error writes it only when it fails; it may be NULL. Nothing in
 * it needs freeing and it may be copied. `text` is one line without a newline, safe for a terminal:
 * bytes that came from a target are escaped before they get there. */
#ifndef ISKRA_ERROR_H
#define ISKRA_ERROR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define ISKRA_PUBLIC __attribute__((visibility("default")))
#else
#define ISKRA_PUBLIC
#endif

/* Stable: numbers never change meaning; new ones are appended. */
enum iskra_code {
    ISKRA_OK = 0,
    ISKRA_E_USAGE = 1,            /* an argument, URL or option is wrong */
    ISKRA_E_NOMEM = 2,            /* no memory */
    ISKRA_E_SYSTEM = 3,           /* a system call failed; see sys_errno */
    ISKRA_E_CONNECT = 4,          /* no TCP connection: refused, unreachable, name not found */
    ISKRA_E_TIMEOUT_LOGIN = 5,    /* connect, login or discovery took too long */
    ISKRA_E_LOGIN = 6,            /* the target refused the login; see login_class, login_detail */
    ISKRA_E_AUTH = 7,             /* authentication failed, in either direction */
    ISKRA_E_NEGOTIATION = 8,      /* a key's value cannot be accepted */
    ISKRA_E_PROTOCOL = 9,         /* the target broke RFC 7143; see conn_error */
    ISKRA_E_CONNECTION = 10,      /* the connection was lost; see conn_error */
    ISKRA_E_NOT_FOUND = 11,       /* no such target, LUN, or nothing at all */
    ISKRA_E_SCSI = 12,            /* the LUN answered with an error; see scsi_status, sense */
    ISKRA_E_TIMEOUT_SCSI = 13,    /* a SCSI command or task management request timed out */
    ISKRA_E_CANCELED = 14,        /* cancelled by the caller, or its LUN was closed */
    ISKRA_E_OUTCOME_UNKNOWN = 15, /* may or may not have been executed */
    ISKRA_E_RESPONSE = 16,        /* a SCSI answer that makes no sense (lengths, block size, ...) */
    ISKRA_E_OFFLINE = 17,         /* the device is offline */
    ISKRA_E_UNSUPPORTED = 18,     /* the LUN has no such operation */
    ISKRA_E_MISCOMPARE = 19, /* compare and write: what is there differs; nothing was written */
};

/* Why a connection failed: the codes the kernel's control interface uses. */
enum iskra_conn_error {
    ISKRA_CONN_OK = 0,
    ISKRA_CONN_DATASN = 1001,
    ISKRA_CONN_DATA_OFFSET = 1002,
    ISKRA_CONN_MAX_CMDSN = 1003,
    ISKRA_CONN_EXP_CMDSN = 1004,
    ISKRA_CONN_BAD_OPCODE = 1005,
    ISKRA_CONN_DATALEN = 1006,
    ISKRA_CONN_AHSLEN = 1007,
    ISKRA_CONN_PROTO = 1008,
    ISKRA_CONN_LUN = 1009,
    ISKRA_CONN_BAD_ITT = 1010,
    ISKRA_CONN_FAILED = 1011,
    ISKRA_CONN_R2TSN = 1012,
    ISKRA_CONN_SESSION_FAILED = 1013,
    ISKRA_CONN_HDR_DGST = 1014,
    ISKRA_CONN_DATA_DGST = 1015,
    ISKRA_CONN_PARAM_NOT_FOUND = 1016,
    ISKRA_CONN_NO_SCSI_CMD = 1017,
    ISKRA_CONN_INVALID_HOST = 1018,
    ISKRA_CONN_XMIT_FAILED = 1019,
    ISKRA_CONN_TCP_CONN_CLOSE = 1020,
    ISKRA_CONN_SCSI_EH_SESSION_RST = 1021,
    ISKRA_CONN_NOP_TIMEDOUT = 1022,
};

#define ISKRA_SENSE_LEN_MAX 96

struct iskra_error {
    enum iskra_code code;
    int sys_errno;        /* positive errno that fits best; 0 if none does */
    uint32_t conn_error;  /* enum iskra_conn_error; 0 if not a connection error */
    uint8_t login_class;  /* RFC 7143 11.13.5 Status-Class */
    uint8_t login_detail; /* RFC 7143 11.13.5 Status-Detail */
    uint8_t scsi_status;  /* SAM status byte, valid with ISKRA_E_SCSI */
    uint8_t sense_len;    /* bytes valid in sense; 0 if there is none */
    uint8_t sense[ISKRA_SENSE_LEN_MAX];
    char text[256]; /* one line, NUL-terminated */
    uint32_t reserved[4];
};

/* A short name for the code: "protocol", "connect", ... Static storage; "?" for an unknown one. */
ISKRA_PUBLIC const char *iskra_code_name(enum iskra_code code);

/* "DATASN", "HDR_DGST", ... for 1001..1022; "?" otherwise. Static storage. */
ISKRA_PUBLIC const char *iskra_conn_error_name(uint32_t conn_error);

#ifdef __cplusplus
}
#endif
#endif
