/* SPDX-License-Identifier: MIT */
/* The loop. A turn is: libevent's callbacks, then everything packed is sent, then what was closed
 * is freed. The daemon's states are START -> LOADING -> SERVING -> STOPPING, and LOADING -> FAILED.
 */
#include "config.h"

#include "zoracd/serve/zs_front.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "common/zc_log.h"
#include "common/zc_mem.h"
#include "zoracd/serve/zs_cage.h"
#include "zoracd/serve/zs_internal.h"
#include "zoracd/serve/zs_sd.h"

#define TICK_US        250000    /* while something is to be told or waited for */
#define IDLE_TICK_US   1000000   /* otherwise: an idle daemon lets the machine sleep */
#define GRACE_US       2000000   /* after the deadline: for partial replies to leave */
#define STOP_EXTRA_US  30000000  /* for the end after the requests' own time */
#define LOAD_PAUSE_US  120000000 /* the longest that a load may stand still */
#define ACCEPTS        64        /* connections accepted in one turn */
#define OTHER_FILES    64        /* descriptors that are not for connections */
#define ACCEPT_BACKOFF 1         /* seconds without accepting when descriptors run out */

const char *zs_front_state_name(const struct zs_front *f)
{
    static const char *const names[ZS_N_STATES] = {"loading", "loading", "ready", "stopping",
                                                   "failed"};
    return names[f->state];
}

static void set_state(struct zs_front *f, enum zs_state to)
{
    static const bool legal[ZS_N_STATES][ZS_N_STATES] = {
        [ZS_START][ZS_LOADING] = true,    [ZS_LOADING][ZS_SERVING] = true,
        [ZS_LOADING][ZS_STOPPING] = true, [ZS_LOADING][ZS_FAILED] = true,
        [ZS_SERVING][ZS_STOPPING] = true,
    };
    ZC_BUG_ON(!legal[f->state][to]);
    f->state = to;
    zc_log(ZC_LOG_DEBUG, "state: %s", zs_front_state_name(f));
}

/* ---- accept ------------------------------------------------------------------------------- */

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval backoff = {.tv_sec = ACCEPT_BACKOFF};
    struct zs_front *f = arg;

    for (int i = 0; i < ACCEPTS; i++) {
        int c = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (c >= 0) {
            zs_conn_new(f, c);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno != EAGAIN) {
            zc_log(ZC_LOG_WARNING, "no connection accepted for %d s: %s", ACCEPT_BACKOFF,
                   strerror(errno));
            event_del(f->listen_ev);
            event_add(f->accept_timer, &backoff);
        }
        return;
    }
}

static void on_accept_again(evutil_socket_t fd, short what, void *arg)
{
    struct zs_front *f = arg;

    if (f->listen_ev)
        event_add(f->listen_ev, NULL);
}

static void stop_listening(struct zs_front *f)
{
    if (!f->listen_ev)
        return;
    event_del(f->accept_timer);
    event_free(f->listen_ev);
    f->listen_ev = NULL;
    close(f->listen_fd);
    f->listen_fd = -1;
}

/* ---- other threads ------------------------------------------------------------------------ */

static void on_text(evutil_socket_t fd, short what, void *arg)
{
    struct zs_front *f = arg;

    for (int i = 0; i < ZS_TEXT_THREADS; i++)
        zs_jobs_take_text(f, i);
}

static void on_events(evutil_socket_t fd, short what, void *arg)
{
    zs_jobs_take_events(arg);
}

static void on_gone(evutil_socket_t fd, short what, void *arg)
{
    zs_conn_close_gone(arg);
}

static struct event *watch(struct zs_front *f, int fd, event_callback_fn cb)
{
    struct event *ev = event_new(f->base, fd, EV_READ | EV_PERSIST, cb, f);

    if (ev && event_add(ev, NULL) < 0) {
        event_free(ev);
        ev = NULL;
    }
    return ev;
}

static int start_threads(struct zs_front *f, struct zc_diag *dg)
{
    int r = zs_text_start(&f->text, f->model, dg);
    if (r == ZC_OK)
        r = zs_sched_start(&f->sched, f->model, dg);
    if (r < 0)
        return r;
    f->sched_ev = watch(f, zs_sched_fd(f->sched), on_events);
    bool ok = f->sched_ev;
    for (int i = 0; i < ZS_TEXT_THREADS; i++) {
        f->text_ev[i] = watch(f, zs_text_fd(f->text, i), on_text);
        ok = ok && f->text_ev[i];
    }
    return ok ? ZC_OK : zc_diag(dg, ZC_ENOMEM, "no event");
}

static void say_ready(struct zs_front *f)
{
    const struct zs_model *m = f->model;

    if (m->notice)
        zc_log(ZC_LOG_NOTICE, "%s", m->notice);
    zc_log(ZC_LOG_NOTICE, "ready after %.0f ms: %s on %s, %d tokens per request",
           (double)(zs_now() - f->started_at) / 1e3, m->name, ze_engine_device(m->engine),
           ze_engine_plan(m->engine)->context);
    zs_sd_notify("READY=1\nSTATUS=Serving %s", m->name);
}

/* The loader has ended. */
static void on_loaded(evutil_socket_t fd, short what, void *arg)
{
    struct zs_front *f = arg;
    struct zc_diag dg = {.text = ""};

    event_free(f->loader_ev);
    f->loader_ev = NULL;
    int r = zs_loader_join(f->loader, &f->model, &dg);
    f->loader = NULL;
    if (f->state == ZS_STOPPING)
        return;
    if (r == ZC_OK)
        r = start_threads(f, &dg);
    if (r < 0) {
        zc_log(ZC_LOG_ERROR, "%s", dg.text);
        zs_sd_notify("STATUS=%s", dg.text);
        set_state(f, ZS_FAILED);
        f->exit_status = r == ZC_EDEVICE ? ZS_EXIT_DEVICE : ZS_EXIT_FAILED;
    } else {
        set_state(f, ZS_SERVING);
        if (zs_cage_close(&dg) < 0) /* everything is open, every thread runs */
            zc_log(ZC_LOG_WARNING, "%s", dg.text);
        say_ready(f);
    }
    zs_jobs_release_waiting(f, r, &dg);
}

/* The next look at the clock. */
static void arm_tick(struct zs_front *f)
{
    zs_usec wait = f->state == ZS_SERVING ? IDLE_TICK_US : TICK_US;

    if (f->watchdog > 0 && wait > f->watchdog / 2) /* a beat is late after the whole of it */
        wait = f->watchdog / 2;
    const struct timeval tv = {.tv_sec = wait / 1000000, .tv_usec = wait % 1000000};
    event_add(f->tick, &tv);
}

/* ---- stopping ----------------------------------------------------------------------------- */

static void cancel_rest(struct zs_front *f)
{
    zs_jobs_cancel_all(f);
    f->jobs_were_canceled = true;
    f->stop_at = zs_now() + GRACE_US;
}

void zs_front_stop(struct zs_front *f, bool cancel_now)
{
    if (f->state == ZS_FAILED)
        return;
    if (f->state != ZS_STOPPING) {
        bool loading = f->state == ZS_LOADING;
        set_state(f, ZS_STOPPING);
        stop_listening(f);
        zs_sd_notify("STOPPING=1\nSTATUS=Finishing %zu requests\nEXTEND_TIMEOUT_USEC=%llu",
                     f->n_jobs,
                     (unsigned long long)(f->config->stop_timeout * 1000000 + STOP_EXTRA_US));
        f->stop_at = zs_now() + f->config->stop_timeout * 1000000;
        arm_tick(f);
        if (loading) {
            zs_loader_cancel(f->loader);
            f->load_stop_at = f->stop_at;
            cancel_now = true;
        } else if (f->n_jobs) {
            zc_log(ZC_LOG_NOTICE, "stopping: %zu requests have %zu s to finish", f->n_jobs,
                   f->config->stop_timeout);
        }
    }
    if (cancel_now && !f->jobs_were_canceled)
        cancel_rest(f);
    else if (cancel_now)
        f->load_stop_at = zs_now();
}

/* Whether everybody has got everything. */
static bool is_all_sent(const struct zs_front *f)
{
    const struct zs_conn *c;

    TAILQ_FOREACH(c, &f->conns, link)
    if (c->out.len > c->sent)
        return false;
    return f->n_jobs == 0 && !f->loader;
}

static void check_stopping(struct zs_front *f, zs_usec now)
{
    if (f->state == ZS_FAILED && f->stop_at == 0)
        f->stop_at = now + GRACE_US;
    if (f->state != ZS_STOPPING && f->state != ZS_FAILED)
        return;
    if (is_all_sent(f)) {
        f->done = true;
    } else if (now >= f->stop_at && f->state == ZS_STOPPING && !f->jobs_were_canceled) {
        zc_log(ZC_LOG_NOTICE, "stopping: %zu requests are canceled", f->n_jobs);
        cancel_rest(f);
    } else if (now >= f->stop_at && (!f->loader || now >= f->load_stop_at)) {
        f->hangs = f->loader;
        f->done = true;
    }
}

/* ---- signals and time --------------------------------------------------------------------- */

static void on_terminate(evutil_socket_t sig, short what, void *arg)
{
    struct zs_front *f = arg;

    zc_log(ZC_LOG_NOTICE, "signal %d: %s", (int)sig,
           f->state == ZS_STOPPING ? "stopping now" : "stopping");
    zs_front_stop(f, f->state == ZS_STOPPING);
}

static void on_hangup(evutil_socket_t sig, short what, void *arg)
{
    zs_front_reload(arg);
}

void zs_front_reload(struct zs_front *f)
{
    struct zs_config fresh;
    struct zc_diag dg;
    struct zc_buf ignored;

    zc_buf_init(&ignored, 1024);
    if (f->opts->reread(&fresh, f->opts->reread_arg, &dg) < 0) {
        zc_log(ZC_LOG_ERROR, "configuration not reread: %s", dg.text);
        return;
    }
    zs_config_reload(f->config, &fresh, &ignored);
    zc_log_set_level((enum zc_log_level)f->config->log_level);
    zc_log(ZC_LOG_NOTICE, "configuration reread%s%s",
           ignored.len ? "; only a restart changes " : "", zc_buf_str(&ignored));
    zs_config_release(&fresh);
    zc_buf_release(&ignored);
}

/* How far the load is, once for each new percent. The time for it is extended while it moves: a
 * load from a slow disk may take long, one that hangs may not. */
static void tell_loading(struct zs_front *f)
{
    uint64_t done, total;

    zs_loader_progress(f->loader, &done, &total);
    zs_sd_notify("WATCHDOG=1");
    if (total == 0 || done == f->told_done)
        return;
    zs_sd_notify("EXTEND_TIMEOUT_USEC=%d\nSTATUS=Loading the model: %d %% of %.1f GB",
                 LOAD_PAUSE_US, (int)(100 * done / total), (double)total / 1e9);
    f->told_done = done;
}

/* systemd's watchdog is fed while the engine moves or has nothing to do. */
static void feed_watchdog(struct zs_front *f)
{
    struct zs_sched_stats st;

    if (f->state == ZS_LOADING) {
        tell_loading(f);
        return;
    }
    if (!f->sched)
        return;
    zs_sched_stats(f->sched, &st);
    if (st.is_idle || st.steps != f->beat_steps)
        zs_sd_notify("WATCHDOG=1");
    f->beat_steps = st.steps;
    if (st.device_lost) {
        f->exit_status = ZS_EXIT_DEVICE;
        zs_front_stop(f, true);
    }
}

/* What large messages took stays with the allocator, some tens of megabytes of it, in pieces
 * between what is still used: it goes back to the system when nobody waits for anything. */
static void give_memory_back(struct zs_front *f)
{
    if (!f->was_large || f->n_jobs > 0)
        return;
#ifdef __GLIBC__
    malloc_trim(0);
#endif
    f->was_large = false;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct zs_front *f = arg;
    struct zs_conn *c, *next;
    zs_usec now = zs_now();

    for (c = TAILQ_FIRST(&f->conns); c; c = next) {
        next = TAILQ_NEXT(c, link);
        zs_conn_check(c, now);
    }
    zs_jobs_tell_loading(f);
    feed_watchdog(f);
    give_memory_back(f);
    arm_tick(f);
}

/* ---- the loop ----------------------------------------------------------------------------- */

static const struct {
    int signal;
    event_callback_fn cb;
} signals[] = {{SIGTERM, on_terminate}, {SIGINT, on_terminate}, {SIGHUP, on_hangup}};
#define N_SIGNALS (sizeof signals / sizeof *signals)

void zs_front_hold_signals(bool hold)
{
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < N_SIGNALS; i++)
        sigaddset(&set, signals[i].signal);
    sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

/* Every descriptor that the system lets us have, less what files, the model and a GPU need. */
static size_t most_connections(void)
{
    struct rlimit lim = {0};

    getrlimit(RLIMIT_NOFILE, &lim);
    lim.rlim_cur = lim.rlim_max;
    setrlimit(RLIMIT_NOFILE, &lim); /* if not, what there was before */
    getrlimit(RLIMIT_NOFILE, &lim);
    return lim.rlim_cur > 2 * OTHER_FILES ? (size_t)lim.rlim_cur - OTHER_FILES : OTHER_FILES / 2;
}

static int make_events(struct zs_front *f, struct zc_diag *dg)
{
    bool ok = true;

    f->max_conns = most_connections();
    f->base = event_base_new();
    if (!f->base)
        return zc_diag(dg, ZC_ENOMEM, "no event loop");
    for (size_t i = 0; i < N_SIGNALS; i++) {
        f->signals[i] = evsignal_new(f->base, signals[i].signal, signals[i].cb, f);
        ok = ok && f->signals[i] && event_add(f->signals[i], NULL) == 0;
    }
    zs_front_hold_signals(false);
    f->accept_timer = evtimer_new(f->base, on_accept_again, f);
    f->tick = evtimer_new(f->base, on_tick, f);
    ok = ok && f->accept_timer && f->tick;
    f->listen_ev = watch(f, f->listen_fd, on_accept);
    f->loader_ev = watch(f, zs_loader_fd(f->loader), on_loaded);
    f->half_closed_fd = epoll_create1(EPOLL_CLOEXEC);
    if (f->half_closed_fd < 0)
        return zc_diag_sys(dg, "no epoll instance");
    f->gone_ev = watch(f, f->half_closed_fd, on_gone);
    return ok && f->listen_ev && f->loader_ev && f->gone_ev ? ZC_OK
                                                            : zc_diag(dg, ZC_ENOMEM, "no event");
}

static void free_event(struct event *ev)
{
    if (ev)
        event_free(ev);
}

/* The other way round: threads first, so that their jobs come home, then who waited for them. */
static void shut_down(struct zs_front *f)
{
    struct zs_conn *c;
    struct zs_user *u;

    if (f->loader) {
        zs_loader_cancel(f->loader);
        zs_loader_join(f->loader, &f->model, NULL);
    }
    zs_text_stop(f->text, zs_jobs_drop, f);
    zs_sched_stop(f->sched, zs_jobs_drop, f);
    zs_jobs_cancel_all(f);
    while ((c = TAILQ_FIRST(&f->conns)))
        zs_conn_close(c);
    zs_conn_free_closed(f);
    while ((u = LIST_FIRST(&f->users)))
        zs_user_free(u);
    zs_model_free(f->model);
    stop_listening(f);
    free_event(f->gone_ev);
    if (f->half_closed_fd >= 0)
        close(f->half_closed_fd);
    free_event(f->loader_ev);
    free_event(f->sched_ev);
    free_event(f->accept_timer);
    free_event(f->tick);
    for (int i = 0; i < ZS_TEXT_THREADS; i++)
        free_event(f->text_ev[i]);
    zs_front_hold_signals(true); /* freeing them restores what they do by themselves: to kill */
    for (size_t i = 0; i < sizeof f->signals / sizeof *f->signals; i++)
        free_event(f->signals[i]);
    if (f->base)
        event_base_free(f->base);
}

static void end_turn(struct zs_front *f)
{
    zs_conn_take_turns(f);
    zs_conn_flush_all(f);
    zs_conn_free_closed(f);
    if (f->ring_sched && f->sched)
        zs_sched_ring(f->sched);
    f->ring_sched = false;
    check_stopping(f, zs_now());
}

int zs_front_run(bool *ret_hangs, const struct zs_front_opts *opts)
{
    struct zc_diag dg;
    struct zs_front *f = zc_xcalloc(1, sizeof *f);

    f->opts = opts;
    f->config = opts->config;
    f->listen_fd = opts->listen_fd;
    f->half_closed_fd = -1;
    f->started_at = zs_now();
    f->watchdog = zs_sd_watchdog_us();
    f->waiting_end = &f->waiting;
    TAILQ_INIT(&f->conns);
    TAILQ_INIT(&f->closed);
    TAILQ_INIT(&f->dirty);
    TAILQ_INIT(&f->ready);
    LIST_INIT(&f->users);
    zs_sd_notify("EXTEND_TIMEOUT_USEC=%d\nSTATUS=Loading the model", LOAD_PAUSE_US);
    int r = zs_loader_start(&f->loader, opts->model, &dg);
    if (r == ZC_OK)
        r = make_events(f, &dg);
    if (r < 0) {
        zc_log(ZC_LOG_ERROR, "%s", dg.text);
        f->exit_status = ZS_EXIT_FAILED;
        f->done = true;
    } else {
        set_state(f, ZS_LOADING);
        arm_tick(f);
    }
    while (!f->done) {
        int now = TAILQ_EMPTY(&f->ready) ? 0 : EVLOOP_NONBLOCK;
        ZC_BUG_ON(event_base_loop(f->base, EVLOOP_ONCE | now) < 0);
        end_turn(f);
    }
    int status = f->exit_status;
    *ret_hangs = f->hangs;
    if (f->hangs) {
        zc_log(ZC_LOG_WARNING, "loading the model does not end: left behind");
        return status;
    }
    shut_down(f);
    zc_free(f);
    return status;
}
