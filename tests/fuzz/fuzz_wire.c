/* SPDX-License-Identifier: MIT */
/* The daemon's dispatcher: whatever a client asks, each answer is one whole message, and nothing is
 * left when the client is gone. */
#include <sys/socket.h>
#include <unistd.h>

#include "common/zc_log.h"
#include "zoracd/serve/zs_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct zc_scan_limits lim = {65536, 4096, 65536, ZC_SCAN_MAX_DEPTH};
    const char *p = (const char *)data;
    struct zs_config config;
    struct zs_front f = {.config = &config, .state = ZS_SERVING, .listen_fd = -1, .max_conns = 8};
    struct zc_scan s;
    size_t used;
    int fds[2];

    zc_log_set_level(ZC_LOG_ERROR);
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
    for (size_t at = 0; at < size && zc_scan_feed(&s, p + at, size - at, &used, NULL) == ZC_OK;
         at += used)
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
    return 0;
}
