/* SPDX-License-Identifier: MIT */
/* The daemon's place in the file system: its socket, and the lock that says whose it is. Main. */
#ifndef ZORACD_SERVE_ZS_LISTEN_H
#define ZORACD_SERVE_ZS_LISTEN_H

#include <sys/types.h>

struct zc_diag;

struct zs_listen {
    int fd;      /* listening, non-blocking; handed to the front */
    int lock_fd; /* held until the process ends; -1 with systemd's socket */
    char *path;  /* NULL with systemd's socket */
    dev_t dev;   /* of the socket's file */
    ino_t ino;
};

/* Listens at path, in a folder that is made if only its last part is missing. A socket that a dead
 * daemon left is replaced. ZC_EBUSY: a daemon listens there. */
int zs_listen_open(struct zs_listen *ret_l, const char *path, mode_t mode, struct zc_diag *dg);
/* Takes the socket's file away if it still is ours, and the lock. Not fd. */
void zs_listen_close(struct zs_listen *l);

#endif
