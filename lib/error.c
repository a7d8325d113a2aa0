/* Filling a struct iskra_error, and making a peer's bytes fit to print. */
#include "error.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* The text is one line whatever was formatted into it; a stray newline or control byte of ours is
 * no exception. */
static void text_keep_one_line(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = ' ';
}

int iskra_vfail(struct iskra_error *err, enum iskra_code code, int sys_errno, const char *fmt,
                va_list ap)
{
    if (err && err->code == ISKRA_OK) {
        memset(err, 0, sizeof(*err));
        err->code = code;
        err->sys_errno = sys_errno;
        if (vsnprintf(err->text, sizeof(err->text), fmt, ap) < 0)
            err->text[0] = '\0';
        text_keep_one_line(err->text);
    }
    return -sys_errno;
}

int iskra_fail(struct iskra_error *err, enum iskra_code code, int sys_errno, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int rc = iskra_vfail(err, code, sys_errno, fmt, ap);
    va_end(ap);
    return rc;
}

const char *iskra_code_name(enum iskra_code code)
{
    static const char *const names[] = {
        [ISKRA_OK] = "ok",
        [ISKRA_E_USAGE] = "usage",
        [ISKRA_E_NOMEM] = "no memory",
        [ISKRA_E_SYSTEM] = "system",
        [ISKRA_E_CONNECT] = "connect",
        [ISKRA_E_TIMEOUT_LOGIN] = "login timeout",
        [ISKRA_E_LOGIN] = "login",
        [ISKRA_E_AUTH] = "authentication",
        [ISKRA_E_NEGOTIATION] = "negotiation",
        [ISKRA_E_PROTOCOL] = "protocol",
        [ISKRA_E_CONNECTION] = "connection",
        [ISKRA_E_NOT_FOUND] = "not found",
        [ISKRA_E_SCSI] = "scsi",
        [ISKRA_E_TIMEOUT_SCSI] = "scsi timeout",
        [ISKRA_E_CANCELED] = "canceled",
        [ISKRA_E_OUTCOME_UNKNOWN] = "outcome unknown",
        [ISKRA_E_RESPONSE] = "response",
        [ISKRA_E_OFFLINE] = "offline",
        [ISKRA_E_UNSUPPORTED] = "unsupported",
        [ISKRA_E_MISCOMPARE] = "miscompare",
    };
    unsigned i = (unsigned)code;
    return i < sizeof(names) / sizeof(names[0]) && names[i] ? names[i] : "?";
}

const char *iskra_conn_error_name(uint32_t conn_error)
{
    static const char *const names[] = {
        "DATASN",          "DATA_OFFSET",    "MAX_CMDSN",
        "EXP_CMDSN",       "BAD_OPCODE",     "DATALEN",
        "AHSLEN",          "PROTO",          "LUN",
        "BAD_ITT",         "FAILED",         "R2TSN",
        "SESSION_FAILED",  "HDR_DGST",       "DATA_DGST",
        "PARAM_NOT_FOUND", "NO_SCSI_CMD",    "INVALID_HOST",
        "XMIT_FAILED",     "TCP_CONN_CLOSE", "SCSI_EH_SESSION_RST",
        "NOP_TIMEDOUT",
    };
    uint32_t i = conn_error - ISKRA_CONN_DATASN; /* 0 and others below wrap to far above */
    return i < sizeof(names) / sizeof(names[0]) ? names[i] : "?";
}

/* Backslash is escaped too, so that the escaped form can be read back without doubt. */
static bool is_plain(uint8_t byte)
{
    return byte >= 0x20 && byte <= 0x7e && byte != '\\';
}

char *iskra_escape(char *dst, size_t dst_size, const void *bytes, size_t len)
{
    static const char hex[] = "0123456789abcdef";
    static const char mark[] = "...";
    const uint8_t *src = bytes;
    const size_t mark_len = sizeof(mark) - 1;

    if (dst_size == 0)
        return dst;
    size_t room = dst_size - 1; /* without the NUL */
    size_t out_len = 0;
    size_t cut_len = 0; /* the longest prefix of whole escapes that leaves room for the mark */
    for (size_t i = 0; i < len; i++) {
        size_t need = is_plain(src[i]) ? 1 : 4;
        if (need > room - out_len) {
            size_t dots = room - cut_len < mark_len ? room - cut_len : mark_len;
            memcpy(dst + cut_len, mark, dots);
            dst[cut_len + dots] = '\0';
            return dst;
        }
        if (need == 1) {
            dst[out_len] = (char)src[i];
        } else {
            dst[out_len] = '\\';
            dst[out_len + 1] = 'x';
            dst[out_len + 2] = hex[src[i] >> 4];
            dst[out_len + 3] = hex[src[i] & 15];
        }
        out_len += need;
        if (room >= mark_len && out_len <= room - mark_len)
            cut_len = out_len;
    }
    dst[out_len] = '\0';
    return dst;
}
