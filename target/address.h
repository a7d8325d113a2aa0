/* "ADDR:PORT" as text and as a socket address. */
#ifndef ISKRA_TARGET_ADDRESS_H
#define ISKRA_TARGET_ADDRESS_H

#include <sys/socket.h>

#include <iskra/error.h>

#define ADDRESS_TEXT_MAX 80u /* "[V6ADDR%SCOPE]:65535" and its NUL */

/* 0 or a negative errno, told in *err. */
int target_address_parse(const char *text, struct sockaddr_storage *ret_addr, socklen_t *ret_len,
                         struct iskra_error *err);

/* The local address of a socket. 0 or a negative errno. */
int target_address_local(int fd, char *ret_text);

#endif
