/* SPDX-License-Identifier: MIT */
/* Bytes from a socket. First byte: 0, the scanner, cut in two at the second byte: cutting changes
 * nothing, and what it lets through msgpack-c takes whole; 1, the daemon's dispatcher: whatever is
 * asked, each answer is one whole message, and nothing is left when the client is gone; 2, the
 * daemon's configuration file. */
#include <sys/socket.h>
#include <unistd.h>

#include "common/zc_log.h"
#include "zoracd/serve/zs_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct zc_scan_limits lim = {.bytes = 65536, .items = 4096, .str = 65536, .depth = 32};

static void fuzz_scanner(const char *p, size_t n, size_t cut)
{
    struct zc_scan a, b;
    size_t used_a = 0, used_b = 0;

    zc_scan_init(&a, &lim);
    zc_scan_init(&b, &lim);
    int ra = zc_scan_feed(&a, p, n, &used_a, NULL);
    int rb = zc_scan_feed(&b, p, cut, &used_b, NULL);
    if (rb == ZC_EAGAIN && (rb = zc_scan_feed(&b, p + cut, n - cut, &used_b, NULL)) == ZC_OK)
        used_b += cut;
    ZC_BUG_ON(ra != rb || used_a != used_b);
    if (ra == ZC_OK) {
        msgpack_unpacked u;
        size_t off = 0;
        msgpack_unpacked_init(&u);
        ZC_BUG_ON(msgpack_unpack_next(&u, p, used_a, &off) != MSGPACK_UNPACK_SUCCESS);
        ZC_BUG_ON(off != used_a);
        msgpack_unpacked_destroy(&u);
    }
}

static void check_answers(const struct zc_buf *b)
{
    struct zc_scan s;
    size_t used;

    zc_scan_init(&s, &(struct zc_scan_limits){1 << 26, 1 << 22, 1 << 26, ZC_SCAN_MAX_DEPTH});
    for (size_t at = 0; at < b->len; at += used)
        ZC_BUG_ON(zc_scan_feed(&s, b->data + at, b->len - at, &used, NULL) < 0);
}

static void no_tick(evutil_socket_t fd, short what, void *arg)
{
}

/* A front without threads: jobs wait for a model that never comes. */
static void fuzz_dispatch(const char *p, size_t n)
{
    struct zs_config config;
    struct zs_front f = {.config = &config, .state = ZS_SERVING, .listen_fd = -1};
    struct zc_scan s;
    size_t used;
    int fds[2];

    zs_config_init(&config);
    f.waiting_end = &f.waiting;
    TAILQ_INIT(&f.conns);
    TAILQ_INIT(&f.closed);
    TAILQ_INIT(&f.dirty);
    f.base = event_base_new();
    f.tick = evtimer_new(f.base, no_tick, NULL);
    ZC_BUG_ON(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0);
    zs_conn_new(&f, fds[0]);
    struct zs_conn *c = TAILQ_FIRST(&f.conns);
    zc_scan_init(&s, &lim);
    for (size_t at = 0; at < n && zc_scan_feed(&s, p + at, n - at, &used, NULL) == 0; at += used)
        zs_dispatch(c, p + at, used);
    struct zc_diag dg = {"no model"};
    zs_jobs_release_waiting(&f, ZC_ECANCELED, &dg);
    check_answers(&c->out);
    zs_conn_close(c);
    zs_conn_free_closed(&f);
    ZC_BUG_ON(f.n_jobs || f.n_conns);
    while (!LIST_EMPTY(&f.users))
        zs_user_free(LIST_FIRST(&f.users));
    event_free(f.tick);
    event_base_free(f.base);
    close(fds[1]);
    zs_config_release(&config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *p = (const char *)data;
    struct zs_config c;
    struct zc_diag dg = {""};

    zc_log_set_level(ZC_LOG_ERROR);
    if (size > 2 && p[0] == 0)
        fuzz_scanner(p + 2, size - 2, data[1] < size - 2 ? data[1] : size - 2);
    if (size > 1 && p[0] == 1)
        fuzz_dispatch(p + 1, size - 1);
    if (size > 1 && p[0] == 2) {
        zs_config_init(&c);
        ZC_BUG_ON(zs_config_parse(&c, "f", p + 1, size - 1, &dg) < 0 && !dg.text[0]);
        zs_config_release(&c);
    }
    return 0;
}
