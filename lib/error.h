/* The one way an error's story is told. First wins: a struct that already holds an error keeps it.
 */
#ifndef ISKRA_LIB_ERROR_H
#define ISKRA_LIB_ERROR_H

#include <stdarg.h>
#include <stddef.h>

#include <iskra/error.h>

/* Fills *err (if not NULL and still ISKRA_OK) and returns -sys_errno, for `return iskra_fail(...)`.
 * sys_errno is positive. */
int iskra_fail(struct iskra_error *err, enum iskra_code code, int sys_errno, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
int iskra_vfail(struct iskra_error *err, enum iskra_code code, int sys_errno, const char *fmt,
                va_list ap) __attribute__((format(printf, 4, 0)));

/* Writes bytes that came from a peer into dst (NUL-terminated, at most dst_size): printable ASCII
 * as it is, backslash and everything else as \xNN, "..." where cut short. Returns dst. */
char *iskra_escape(char *dst, size_t dst_size, const void *bytes, size_t len);

#endif
