/* The default platform table. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <iskra/platform.h>

#include "transport/loopback.h"

static int listener_open(struct sockaddr_in *addr)
{
    socklen_t len = sizeof(*addr);
    *addr = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)addr, sizeof(*addr)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)addr, &len), 0);
    return fd;
}

static int connect_to(const struct iskra_platform *pf, const struct sockaddr_in *addr, int *ret_fd)
{
    *ret_fd = -1;
    int fd = pf->connect_start(pf->arg, (const struct sockaddr *)addr, sizeof(*addr));
    if (fd < 0)
        return fd;
    *ret_fd = fd;
    struct pollfd pfd = {.fd = fd, .events = POLLOUT};
    assert_int_equal(pf->wait(pf->arg, &pfd, 1, 10000000000ll), 1);
    return pf->connect_finish(pf->arg, fd);
}

static void a_connection_is_non_blocking_and_not_inherited(void **state)
{
    const struct iskra_platform *pf = iskra_platform_posix();
    struct sockaddr_in addr;
    int listener = listener_open(&addr), fd;
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(connect_to(pf, &addr, &fd), 0);
    assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    pf->close(pf->arg, fd, 0);
    (void)close(listener);
}

static void a_connection_over_loopback_is_not_paced(void **state)
{
    const struct iskra_platform *pf = iskra_platform_posix();
    struct sockaddr_in addr;
    char control[16] = "";
    socklen_t len = sizeof(control) - 1;
    int listener = listener_open(&addr), fd;
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(connect_to(pf, &addr, &fd), 0);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, control, &len), 0);
    assert_string_equal(control, "reno");
    pf->close(pf->arg, fd, 0);
    (void)close(listener);
}

static void loopback_is_known_by_its_address(void **state)
{
    static const struct {
        const char *text;
        bool is_loopback;
    } rows[] = {
        {"127.0.0.1", true},
        {"127.255.3.4", true},
        {"::1", true},
        {"::ffff:127.0.0.1", true},
        {"128.0.0.1", false},
        {"10.127.0.1", false},
        {"::2", false},
        {"::", false},
        {"::ffff:10.0.0.1", false},
        {"fe80::1", false},
        {"0.0.0.0", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct sockaddr_in in = {.sin_family = AF_INET};
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
        bool v4 = inet_pton(AF_INET, rows[i].text, &in.sin_addr) == 1;
        assert_true(v4 || inet_pton(AF_INET6, rows[i].text, &in6.sin6_addr) == 1);
        const struct sockaddr *addr = v4 ? (struct sockaddr *)&in : (struct sockaddr *)&in6;
        assert_int_equal(iskra_addr_is_loopback(addr), rows[i].is_loopback);
    }
}

static void a_refused_connection_is_told(void **state)
{
    const struct iskra_platform *pf = iskra_platform_posix();
    struct sockaddr_in addr;
    int bound = listener_open(&addr), fd; /* bound, but nobody listens */
    assert_int_equal(connect_to(pf, &addr, &fd), -ECONNREFUSED);
    if (fd >= 0)
        pf->close(pf->arg, fd, 1);
    (void)close(bound);
}

static void an_abortive_close_resets(void **state)
{
    const struct iskra_platform *pf = iskra_platform_posix();
    struct sockaddr_in addr;
    char byte;
    int listener = listener_open(&addr), fd;
    assert_int_equal(listen(listener, 2), 0);
    assert_int_equal(connect_to(pf, &addr, &fd), 0);
    int peer = accept(listener, NULL, NULL);
    pf->close(pf->arg, fd, 1);
    assert_int_equal(read(peer, &byte, 1), -1);
    assert_int_equal(errno, ECONNRESET);
    (void)close(peer);
    assert_int_equal(connect_to(pf, &addr, &fd), 0);
    peer = accept(listener, NULL, NULL);
    pf->close(pf->arg, fd, 0);
    assert_int_equal(read(peer, &byte, 1), 0);
    (void)close(peer);
    (void)close(listener);
}

static void time_does_not_go_back_and_waiting_takes_some(void **state)
{
    const struct iskra_platform *pf = iskra_platform_posix();
    uint64_t before_ns = pf->now_ns(pf->arg);
    assert_int_equal(pf->wait(pf->arg, NULL, 0, 2000000), 0);
    assert_true(pf->now_ns(pf->arg) >= before_ns + 2000000);
}

static void memory_comes_zeroed_and_random_bytes_differ(void **state)
{
    const struct iskra_platform *pf = iskra_platform_posix();
    static const uint8_t zeros[64];
    uint8_t a[64] = {0}, b[64] = {0};
    uint8_t *p = pf->alloc(pf->arg, sizeof(zeros));
    assert_non_null(p);
    assert_memory_equal(p, zeros, sizeof(zeros));
    pf->free(pf->arg, p);
    assert_int_equal(pf->random(pf->arg, a, sizeof(a)), 0);
    assert_int_equal(pf->random(pf->arg, b, sizeof(b)), 0);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_int_equal(pf->size, sizeof(*pf));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_connection_is_non_blocking_and_not_inherited),
        cmocka_unit_test(a_connection_over_loopback_is_not_paced),
        cmocka_unit_test(loopback_is_known_by_its_address),
        cmocka_unit_test(a_refused_connection_is_told),
        cmocka_unit_test(an_abortive_close_resets),
        cmocka_unit_test(time_does_not_go_back_and_waiting_takes_some),
        cmocka_unit_test(memory_comes_zeroed_and_random_bytes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
