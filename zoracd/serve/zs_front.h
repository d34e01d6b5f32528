/* SPDX-License-Identifier: MIT */
/* The front thread: the event loop with its connections, timers and signals, and the order in which
 * the other threads start and stop. It never blocks. */
#ifndef ZORACD_SERVE_ZS_FRONT_H
#define ZORACD_SERVE_ZS_FRONT_H

#include <stdbool.h>

#include "zoracd/serve/zs_config.h"
#include "zoracd/serve/zs_model.h"

struct zc_diag;

enum zs_exit {
    ZS_EXIT_OK = 0,
    ZS_EXIT_FAILED = 1,
    ZS_EXIT_USAGE = 2,
    ZS_EXIT_RUNNING = 3, /* another daemon listens at the socket */
    ZS_EXIT_DEVICE = 4,  /* the device was lost: start again */
};

/* The signals that zs_front_run handles wait until it is ready for them: SIGHUP would end the
 * process before. First in main; hold false: they do again what they do by themselves. */
void zs_front_hold_signals(bool hold);

struct zs_front_opts {
    struct zs_config *config; /* SIGHUP changes it */
    const struct zs_model_opts *model;
    int listen_fd; /* non-blocking; closed by the callee */
    /* Reads the configuration anew for SIGHUP. */
    int (*reread)(struct zs_config *ret_c, void *arg, struct zc_diag *dg);
    void *reread_arg;
};

/* Serves until it is told to stop; returns the process's exit status. What went wrong is logged.
 * *ret_hangs: a load did not end when it should have. Its thread is still there and uses what opts
 * points to: nothing of it may be freed, and the process must end by _exit. */
int zs_front_run(bool *ret_hangs, const struct zs_front_opts *opts);

#endif
