/* SPDX-License-Identifier: MIT */
/* What the files of the front thread share: the daemon's one struct, its connections, and the calls
 * between loop, connections, dispatch and commands. Front thread only. */
#ifndef ZORACD_SERVE_ZS_INTERNAL_H
#define ZORACD_SERVE_ZS_INTERNAL_H

#include <sys/queue.h>

#include <event2/event.h>
#include <msgpack.h>

#include "common/zc_buf.h"
#include "common/zc_rpc.h"
#include "common/zc_scan.h"
#include "common/zc_sock.h"
#include "common/zc_wire.h"
#include "zoracd/serve/zs_config.h"
#include "zoracd/serve/zs_front.h"
#include "zoracd/serve/zs_job.h"
#include "zoracd/serve/zs_load.h"
#include "zoracd/serve/zs_sched.h"
#include "zoracd/serve/zs_session.h"
#include "zoracd/serve/zs_text.h"
#include "zoracd/serve/zs_user.h"

/* OPEN -> DRAINING (what it owes is still sent, nothing is read) -> CLOSED (freed a turn later). */
enum zs_conn_state { ZS_CONN_OPEN, ZS_CONN_DRAINING, ZS_CONN_CLOSED };

struct zs_conn {
    TAILQ_ENTRY(zs_conn) link;
    TAILQ_ENTRY(zs_conn) dirty_link, ready_link;
    struct zs_front *front;
    struct zs_user *user;
    struct zc_peer peer;
    uint64_t serial; /* names it in the log */
    int fd;
    enum zs_conn_state state;
    struct event *read_ev, *write_ev;
    struct zc_buf in;  /* unread messages */
    size_t scanned;    /* bytes of in that scan has seen */
    size_t in_counted; /* of in, in the user's account */
    struct zc_scan scan;
    struct zc_buf out;
    size_t sent;        /* of out */
    size_t out_counted; /* of what is unsent, in the account of the user */
    zs_usec sent_at;    /* when the peer last took something, or owed nothing */
    bool is_dirty, is_ready, is_paused, half_closed;
    struct zs_job *jobs;
    size_t n_jobs;
};
TAILQ_HEAD(zs_conn_list, zs_conn);
TAILQ_HEAD(zs_dirty_list, zs_conn);
TAILQ_HEAD(zs_ready_list, zs_conn);

/* START -> LOADING -> SERVING -> STOPPING; LOADING -> FAILED. */
enum zs_state { ZS_START, ZS_LOADING, ZS_SERVING, ZS_STOPPING, ZS_FAILED, ZS_N_STATES };

struct zs_counters {
    uint64_t started, finished, canceled, failed, refused, deltas;
};

struct zs_front {
    struct event_base *base;
    struct zs_config *config;
    const struct zs_front_opts *opts;
    enum zs_state state;
    zs_usec started_at;
    struct zs_conn_list conns, closed;
    struct zs_dirty_list dirty;
    struct zs_ready_list ready; /* with unread messages; longest waiting first */
    uint64_t turn;
    size_t n_conns, max_conns; /* as descriptors allow */
    uint64_t n_accepted;
    struct zs_user_list users;
    struct zs_job *waiting, **waiting_end; /* for the model, by wait_next */
    size_t n_jobs;                         /* of all users, orphans included */
    struct zs_loader *loader;
    struct zs_model *model; /* NULL until it is loaded */
    struct zs_text *text;
    struct zs_sched *sched;
    bool ring_sched;  /* at the end of the turn */
    bool was_large;   /* a message was, since the allocator last gave memory back */
    zs_usec watchdog; /* how long systemd waits for a beat; 0: for ever */
    int listen_fd;
    int half_closed_fd; /* an epoll instance: peers that only read, and may go */
    struct event *gone_ev;
    struct event *listen_ev, *accept_timer, *tick, *loader_ev, *sched_ev;
    struct event *text_ev[ZS_TEXT_THREADS];
    struct event *signals[4];
    zs_usec stop_at;      /* deadline while STOPPING */
    zs_usec load_stop_at; /* and that of a load which was told to end */
    bool jobs_were_canceled;
    int exit_status;
    bool done;
    bool hangs; /* the load did not end */
    struct zs_counters count;
    uint64_t beat_steps; /* watchdog: the engine's step counter when it was last fed */
    uint64_t told_done;  /* bytes of the load that systemd knows of */
};

/* ---- zs_front.c ---------------------------------------------------------------------------- */

const char *zs_front_state_name(const struct zs_front *f);
/* Ends the daemon: running requests may finish until the deadline, or are canceled at once. */
void zs_front_stop(struct zs_front *f, bool cancel_now);
/* Rereads the configuration. */
void zs_front_reload(struct zs_front *f);

/* ---- zs_conn.c ----------------------------------------------------------------------------- */

/* Takes over an accepted descriptor. */
void zs_conn_new(struct zs_front *f, int fd);
/* Where answers are packed; zs_conn_wrote afterwards. */
struct zc_buf *zs_conn_out(struct zs_conn *c);
/* Something was packed: it is sent when the turn ends. */
void zs_conn_wrote(struct zs_conn *c);
/* Dispatches what was read, as much for each user: many connections are no more turns. */
void zs_conn_take_turns(struct zs_front *f);
/* Sends what is packed on every dirty connection, and gives credit back to jobs. */
void zs_conn_flush_all(struct zs_front *f);
/* The peer is gone, or is cut off: its jobs are canceled. Freed at the end of the turn. */
void zs_conn_close(struct zs_conn *c);
/* Reads nothing more, sends what is owed, then closes. */
void zs_conn_drain(struct zs_conn *c);
void zs_conn_free_closed(struct zs_front *f);
/* Closes those that had half closed, and now have gone. */
void zs_conn_close_gone(struct zs_front *f);
/* At every tick: a stalled peer is cut off. */
void zs_conn_check(struct zs_conn *c, zs_usec now);

/* ---- zs_dispatch.c ------------------------------------------------------------------------- */

/* One whole message of a connection. */
void zs_dispatch(struct zs_conn *c, const char *msg, size_t n);
/* Whether the peer may see and do what is all users': root, and the daemon's own user. */
bool zs_dispatch_is_owner(const struct zs_conn *c);
/* Answers a request with an error. data: NULL for none. */
void zs_respond_error(struct zs_conn *c, int64_t id, int err, const struct zc_diag *dg,
                      const struct zc_buf *data);

/* Handles a checked request: answers it, or makes a job. An error is answered by the dispatcher. */
typedef int zs_handler(struct zs_conn *c, int64_t id, const struct zc_wire_args *args,
                       struct zc_diag *dg);
zs_handler zs_cmd_hello, zs_cmd_generate, zs_cmd_cancel, zs_cmd_session_open, zs_cmd_session_list,
    zs_cmd_session_fork, zs_cmd_session_truncate, zs_cmd_session_close, zs_cmd_tokenize,
    zs_cmd_detokenize, zs_cmd_render, zs_cmd_status, zs_cmd_stats, zs_cmd_shutdown;

/* ---- zs_jobs.c: the front's side of jobs --------------------------------------------------- */

/* A job of this connection and id, which no other has, counted; ZC_ELIMIT, ZC_EBUSY. */
int zs_jobs_new(struct zs_conn *c, int64_t id, enum zc_method method, struct zs_job **ret_job,
                struct zc_diag *dg);
/* Books what a filled job holds; ZC_ELIMIT if the user's requests hold too much. */
int zs_jobs_charge(struct zs_job *job, const struct zs_limits *lim, struct zc_diag *dg);
/* Sends it on its way; it is answered whatever happens. */
void zs_jobs_submit(struct zs_front *f, struct zs_job *job);
/* Uncounts and frees a job that was never submitted, or that a stopped thread gave back. */
void zs_jobs_drop(struct zs_job *job, void *front);
struct zs_job *zs_jobs_find(const struct zs_conn *c, int64_t id);
void zs_jobs_cancel(struct zs_front *f, struct zs_job *job);
/* Cancels every job of every connection, and those that wait for the model. */
void zs_jobs_cancel_all(struct zs_front *f);
/* The client is gone: its jobs go on as orphans until they come back. */
void zs_jobs_orphan(struct zs_conn *c);
/* The model is there, or will never be: what waited for it goes on or fails. */
void zs_jobs_release_waiting(struct zs_front *f, int err, const struct zc_diag *dg);
/* Tells those who wait for the model how far it is. */
void zs_jobs_tell_loading(struct zs_front *f);
/* Takes what the threads brought back. */
void zs_jobs_take_text(struct zs_front *f, int i);
void zs_jobs_take_events(struct zs_front *f);
/* Gives the credit back that a connection's jobs are owed. */
void zs_jobs_give_credit(struct zs_conn *c);

#endif
