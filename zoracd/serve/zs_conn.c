/* SPDX-License-Identifier: MIT */
/* Connections: bytes in, cut into messages by the scanner when it is their user's turn; bytes out,
 * gathered during a turn and sent once at its end. A peer that does not read pauses its own work,
 * and is cut off when it takes nothing for a while. Nothing here frees a connection while a
 * callback may still be using it. */
#include "config.h"

#include "zoracd/serve/zs_internal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/zc_log.h"
#include "common/zc_mem.h"

#define READ_BYTES    65536 /* of one read; after work on as many a user waits for the next turn */
#define TURN_MESSAGES 64    /* messages of one connection in one turn */
#define KEEP_BYTES    16384 /* a drained buffer larger than this is given back */
#define LARGE_BYTES   1048576 /* after one like this the allocator is asked to give back, too */

static void on_read(evutil_socket_t fd, short what, void *arg);
static void on_write(evutil_socket_t fd, short what, void *arg);

/* ---- life --------------------------------------------------------------------------------- */

static void refuse(int fd, const char *why)
{
    struct zc_buf b;
    msgpack_packer pk;

    zc_buf_init(&b, 1024);
    zc_rpc_packer(&pk, &b);
    zc_rpc_error(&pk, -1, "limit", why, NULL);
    ssize_t n = send(fd, zc_buf_str(&b), b.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)n; /* a courtesy: the close says it too */
    zc_buf_release(&b);
    close(fd);
}

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The configuration's limits, which a reload may have changed, hold for the message that begins
 * now. A buffer that is over a lower one already keeps what it has. */
static void take_limits(struct zs_conn *c)
{
    const struct zs_limits *lim = &c->front->config->limits;
    struct zc_scan_limits s = {.bytes = lim->message_bytes,
                               .items = lim->message_items,
                               .str = lim->message_bytes,
                               .depth = ZC_SCAN_MAX_DEPTH};

    zc_scan_init(&c->scan, &s);
    c->in.max = max_size(lim->message_bytes + READ_BYTES, c->in.len);
    /* What may wait unsent, and what was sent of it and not yet moved out. */
    c->out.max = max_size(2 * lim->unsent_per_user_bytes, c->out.len);
}

void zs_conn_new(struct zs_front *f, int fd)
{
    struct zc_peer peer;
    struct zc_diag dg;

    if (zc_sock_peer(fd, &peer, &dg) < 0) {
        zc_log(ZC_LOG_WARNING, "connection refused: %s", dg.text);
        close(fd);
        return;
    }
    struct zs_user *u = zs_user_get(&f->users, peer.uid);
    const char *why = NULL;
    if (u->n_conns >= f->config->limits.connections_per_user)
        why = "this user has too many connections";
    else if (u->n_conns + f->n_conns >= f->max_conns)
        why = "no user has more connections than are free";
    if (why) {
        refuse(fd, why);
        zs_user_tidy(u);
        return;
    }
    struct zs_conn *c = zc_xcalloc(1, sizeof *c);
    *c = (struct zs_conn){.front = f,
                          .user = u,
                          .peer = peer,
                          .fd = fd,
                          .serial = ++f->n_accepted,
                          .sent_at = zs_now()};
    zc_buf_init(&c->in, 0);
    zc_buf_init(&c->out, 0);
    take_limits(c);
    c->read_ev = event_new(f->base, fd, EV_READ | EV_PERSIST, on_read, c);
    c->write_ev = event_new(f->base, fd, EV_WRITE, on_write, c);
    if (!c->read_ev || !c->write_ev || event_add(c->read_ev, NULL) < 0) {
        zc_log(ZC_LOG_ERROR, "connection refused: no event");
        if (c->read_ev)
            event_free(c->read_ev);
        if (c->write_ev)
            event_free(c->write_ev);
        close(fd);
        zc_free(c);
        zs_user_tidy(u);
        return;
    }
    u->n_conns++;
    f->n_conns++;
    TAILQ_INSERT_TAIL(&f->conns, c, link);
    zc_log(ZC_LOG_DEBUG, "connection %llu: uid %d, pid %d", (unsigned long long)c->serial,
           (int)peer.uid, (int)peer.pid);
}

static void set_state(struct zs_conn *c, enum zs_conn_state to)
{
    ZC_BUG_ON(to <= c->state);
    zc_log(ZC_LOG_DEBUG, "connection %llu: %s", (unsigned long long)c->serial,
           to == ZS_CONN_DRAINING ? "draining" : "closed");
    c->state = to;
}

void zs_conn_close(struct zs_conn *c)
{
    struct zs_front *f = c->front;

    if (c->state == ZS_CONN_CLOSED)
        return;
    set_state(c, ZS_CONN_CLOSED);
    zs_jobs_orphan(c);
    event_free(c->read_ev);
    event_free(c->write_ev);
    if (c->half_closed) /* closing takes it out only if no other descriptor is the same socket */
        epoll_ctl(f->half_closed_fd, EPOLL_CTL_DEL, c->fd, NULL);
    close(c->fd);
    c->user->unsent_bytes -= c->out_counted;
    c->out_counted = 0;
    if (c->is_dirty)
        TAILQ_REMOVE(&f->dirty, c, dirty_link);
    if (c->is_ready)
        TAILQ_REMOVE(&f->ready, c, ready_link);
    c->is_dirty = c->is_ready = false;
    TAILQ_REMOVE(&f->conns, c, link);
    TAILQ_INSERT_TAIL(&f->closed, c, link);
    f->n_conns--;
}

void zs_conn_free_closed(struct zs_front *f)
{
    struct zs_conn *c;

    while ((c = TAILQ_FIRST(&f->closed))) {
        TAILQ_REMOVE(&f->closed, c, link);
        c->user->input_bytes -= c->in_counted;
        c->user->n_conns--;
        zs_user_tidy(c->user);
        zc_buf_release(&c->in);
        zc_buf_release(&c->out);
        zc_free(c);
    }
}

void zs_conn_drain(struct zs_conn *c)
{
    if (c->state != ZS_CONN_OPEN)
        return;
    set_state(c, ZS_CONN_DRAINING);
    event_del(c->read_ev);
    zs_conn_wrote(c);
}

/* ---- out ---------------------------------------------------------------------------------- */

struct zc_buf *zs_conn_out(struct zs_conn *c)
{
    return &c->out;
}

void zs_conn_wrote(struct zs_conn *c)
{
    if (c->is_dirty || c->state == ZS_CONN_CLOSED)
        return;
    c->is_dirty = true;
    TAILQ_INSERT_TAIL(&c->front->dirty, c, dirty_link);
}

static size_t unsent(const struct zs_conn *c)
{
    return c->out.len - c->sent;
}

/* Books what is unsent. */
static void count_unsent(struct zs_conn *c)
{
    c->user->unsent_bytes += unsent(c);
    c->user->unsent_bytes -= c->out_counted;
    c->out_counted = unsent(c);
}

/* Everything is sent: a buffer that was large goes back. */
static void reset_out(struct zs_conn *c)
{
    c->sent = 0;
    c->front->was_large |= c->out.cap > LARGE_BYTES;
    if (c->out.cap > KEEP_BYTES)
        zc_buf_release(&c->out);
    else
        zc_buf_clear(&c->out);
}

/* Whole or partial messages are there that nobody has looked at yet. */
static bool has_unread(const struct zs_conn *c)
{
    return c->scanned < c->in.len;
}

/* What is unread is looked at when it is the user's turn. */
static void make_ready(struct zs_conn *c)
{
    if (c->is_ready)
        return;
    c->is_ready = true;
    TAILQ_INSERT_TAIL(&c->front->ready, c, ready_link);
}

/* Above the mark nothing more is read and the jobs rest; below it both go on. */
static void apply_mark(struct zs_conn *c)
{
    bool over = unsent(c) > c->front->config->limits.unsent_bytes;

    if (over != c->is_paused && c->state == ZS_CONN_OPEN && !c->half_closed) {
        c->is_paused = over;
        if (over)
            event_del(c->read_ev);
        else
            event_add(c->read_ev, NULL);
    }
    if (over)
        return;
    zs_jobs_give_credit(c);
    if (c->state == ZS_CONN_OPEN && has_unread(c))
        make_ready(c);
}

/* Nothing is owed and nothing more will come. */
static bool is_finished(const struct zs_conn *c)
{
    if (unsent(c) || c->n_jobs)
        return false;
    return c->state == ZS_CONN_DRAINING || (c->half_closed && !has_unread(c));
}

static void cut_off(struct zs_conn *c)
{
    zc_log(ZC_LOG_WARNING, "connection %llu of uid %d: cut off with %zu unsent bytes",
           (unsigned long long)c->serial, (int)c->peer.uid, unsent(c));
    zs_conn_close(c);
}

/* Where a user lets too much wait, the connection goes for which the most does: it need not be the
 * one that has just grown. */
static void cut_greedy(struct zs_front *f, const struct zs_user *u)
{
    while (u->unsent_bytes > f->config->limits.unsent_per_user_bytes) {
        struct zs_conn *c, *most = NULL;
        TAILQ_FOREACH(c, &f->conns, link)
        if (c->user == u && (!most || c->out_counted > most->out_counted))
            most = c;
        cut_off(most);
    }
}

/* Sends what can be sent now. */
static void flush(struct zs_conn *c)
{
    if (zc_buf_error(&c->out) < 0) {
        cut_off(c);
        return;
    }
    while (unsent(c)) {
        ssize_t n = send(c->fd, c->out.data + c->sent, unsent(c), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN) {
            zs_conn_close(c);
            return;
        }
        if (n < 0)
            break;
        c->sent += (size_t)n;
        c->sent_at = zs_now();
    }
    if (unsent(c)) {
        event_add(c->write_ev, NULL);
        /* What was sent is given up now and then, not at every send: it moves the rest. */
        if (c->sent > unsent(c)) {
            zc_buf_drain(&c->out, c->sent);
            c->sent = 0;
        }
    } else {
        reset_out(c);
        c->sent_at = zs_now();
        if (is_finished(c)) {
            zs_conn_close(c);
            return;
        }
    }
    count_unsent(c);
    cut_greedy(c->front, c->user);
    if (c->state != ZS_CONN_CLOSED)
        apply_mark(c);
}

void zs_conn_flush_all(struct zs_front *f)
{
    struct zs_conn *c;

    while ((c = TAILQ_FIRST(&f->dirty))) {
        TAILQ_REMOVE(&f->dirty, c, dirty_link);
        c->is_dirty = false;
        flush(c);
    }
}

static void on_write(evutil_socket_t fd, short what, void *arg)
{
    zs_conn_wrote(arg);
}

/* ---- in ----------------------------------------------------------------------------------- */

/* Books the bytes that wait in c->in; ZC_ELIMIT if the user has too many of them. */
static int count_input(struct zs_conn *c)
{
    c->user->input_bytes += c->in.len;
    c->user->input_bytes -= c->in_counted;
    c->in_counted = c->in.len;
    return c->user->input_bytes > c->front->config->limits.input_per_user_bytes ? ZC_ELIMIT : ZC_OK;
}

/* The stream can't be trusted any more: say why, send it, close. */
static void bad(struct zs_conn *c, int err, const struct zc_diag *dg)
{
    zc_log(ZC_LOG_INFO, "connection %llu: closed: %s", (unsigned long long)c->serial, dg->text);
    c->front->count.refused++;
    zs_respond_error(c, -1, err, dg, NULL);
    zs_jobs_orphan(c);
    zs_conn_drain(c);
}

/* Whether the byte is an array's first. To msgpack any text is a row of small numbers: whoever
 * sends that is told once, and not with every byte. */
static bool begins_message(char byte)
{
    unsigned char b = (unsigned char)byte;
    return (b & 0xf0) == 0x90 || b == 0xdc || b == 0xdd;
}

/* Dispatches the whole messages in c->in, a bounded number of them. */
static void take_messages(struct zs_conn *c)
{
    struct zc_diag dg;
    size_t start = 0, seen = c->scanned, used;
    int n = 0, r = ZC_OK;

    /* A short message may be much work: its handler has charged for that. */
    while (c->state == ZS_CONN_OPEN && c->scanned < c->in.len && n < TURN_MESSAGES &&
           c->user->taken < READ_BYTES && unsent(c) <= c->front->config->limits.unsent_bytes) {
        if (c->scanned == start)
            take_limits(c);
        if (c->scanned == start && !begins_message(c->in.data[start])) {
            bad(c, ZC_EFORMAT,
                (zc_diag(&dg, 0, "byte 0x%02x begins no message, which is a msgpack array",
                         (unsigned char)c->in.data[start]),
                 &dg));
            break;
        }
        r = zc_scan_feed(&c->scan, c->in.data + c->scanned, c->in.len - c->scanned, &used, &dg);
        if (r == ZC_EAGAIN) {
            c->scanned = c->in.len;
            break;
        }
        if (r < 0) {
            bad(c, r, &dg);
            break;
        }
        c->scanned += used;
        zs_dispatch(c, c->in.data + start, c->scanned - start);
        start = c->scanned;
        n++;
    }
    bool goes_on = n == TURN_MESSAGES || c->user->taken >= READ_BYTES;
    /* Work is what was looked at, and each message as a whole. */
    zs_user_charge(c->user, max_size(c->scanned - seen, start));
    zc_buf_drain(&c->in, start);
    c->scanned -= start;
    c->front->was_large |= c->in.cap > LARGE_BYTES;
    if (c->in.len == 0 && c->in.cap > KEEP_BYTES)
        zc_buf_release(&c->in);
    if (count_input(c) < 0 && c->state == ZS_CONN_OPEN)
        bad(c, ZC_ELIMIT,
            (zc_diag(&dg, ZC_ELIMIT, "this user's unfinished messages are over %zu bytes",
                     c->front->config->limits.input_per_user_bytes),
             &dg));
    /* More whole messages may be there: nothing on the socket would say so. */
    if (c->state == ZS_CONN_OPEN && has_unread(c) && goes_on)
        make_ready(c);
    else if (c->half_closed)
        zs_conn_wrote(c);
}

void zs_conn_take_turns(struct zs_front *f)
{
    struct zs_conn *next, *last = TAILQ_LAST(&f->ready, zs_ready_list);

    f->turn++;
    for (struct zs_conn *c = TAILQ_FIRST(&f->ready); c; c = next) {
        struct zs_user *u = c->user;
        /* The rule that this walk stands on: what is dispatched closes no other connection. */
        ZC_BUG_ON(!c->is_ready);
        /* What is put behind the last one meanwhile is for the next turn. */
        next = c == last ? NULL : TAILQ_NEXT(c, ready_link);
        if (u->turn != f->turn) {
            u->turn = f->turn;
            u->taken = 0;
        }
        if (u->taken >= READ_BYTES)
            continue;
        TAILQ_REMOVE(&f->ready, c, ready_link);
        c->is_ready = false;
        take_messages(c);
    }
}

/* Whether the peer has closed both directions, and not only its own. */
static bool is_hung_up(int fd)
{
    struct pollfd p = {.fd = fd};
    return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

/* The peer sends nothing more. One that has only shut down its sending side still reads: it gets
 * its answers, while the system watches whether it goes. The loop could not: to it both are the end
 * of what can be read. */
static void on_end(struct zs_conn *c)
{
    struct epoll_event only_hang_up = {.data.ptr = c};

    if (is_hung_up(c->fd) ||
        epoll_ctl(c->front->half_closed_fd, EPOLL_CTL_ADD, c->fd, &only_hang_up) < 0) {
        zs_conn_close(c);
        return;
    }
    c->half_closed = true;
    event_del(c->read_ev);
    zs_conn_wrote(c);
}

void zs_conn_close_gone(struct zs_front *f)
{
    struct epoll_event gone[16];

    int n = epoll_wait(f->half_closed_fd, gone, sizeof gone / sizeof *gone, 0);
    for (int i = 0; i < n; i++)
        zs_conn_close(gone[i].data.ptr);
}

static void on_read(evutil_socket_t fd, short what, void *arg)
{
    static char chunk[READ_BYTES]; /* the front is one thread */
    struct zs_conn *c = arg;

    if (c->is_ready) /* it has brought enough; the descriptor stays readable */
        return;
    ssize_t n = recv(fd, chunk, sizeof chunk, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        zs_conn_close(c);
        return;
    }
    if (n == 0) {
        on_end(c);
        return;
    }
    int r = zc_buf_add(&c->in, chunk, (size_t)n);
    if (r < 0) {
        struct zc_diag dg;
        bad(c, r, (zc_diag(&dg, r, "no room for a message"), &dg));
        return;
    }
    make_ready(c);
}

/* ---- time --------------------------------------------------------------------------------- */

void zs_conn_check(struct zs_conn *c, zs_usec now)
{
    if (unsent(c) && now - c->sent_at > c->front->config->stall_timeout * 1000000) {
        zc_log(ZC_LOG_NOTICE, "connection %llu of uid %d cut off: it has read nothing for %zu s",
               (unsigned long long)c->serial, (int)c->peer.uid, c->front->config->stall_timeout);
        zs_conn_close(c);
    }
}
