/* SPDX-License-Identifier: MIT */
/* Unix sockets: where they are, both ends, who is at the other one. Every descriptor is O_CLOEXEC.
 * Any thread. */
#ifndef COMMON_ZC_SOCK_H
#define COMMON_ZC_SOCK_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/un.h>

struct zc_diag;

#define ZC_SOCK_SYSTEM "/run/zoracd/zoracd.sock"
#define ZC_SOCK_MAX    sizeof(((struct sockaddr_un *)0)->sun_path)

/* The user's own socket, $XDG_RUNTIME_DIR/zorac/zoracd.sock; without XDG_RUNTIME_DIR the same under
 * /run/user/UID if that exists. ZC_ENOTFOUND says that neither is there, ZC_ELIMIT that the path is
 * too long for a socket. */
int zc_sock_user_path(char ret[ZC_SOCK_MAX], struct zc_diag *dg);

/* Where a daemon listens: given (may be NULL), else ZORAC_SOCKET, else the system's for root, else
 * the user's. */
int zc_sock_daemon_path(char ret[ZC_SOCK_MAX], const char *given, struct zc_diag *dg);

/* A blocking connection to the socket at path. ZC_ENOTFOUND: nobody listens there (no file, or
 * refused); ZC_EPERM: not allowed; ZC_EAGAIN: too many wait to be let in, try later (never waits
 * itself). */
int zc_sock_connect(const char *path, int *ret_fd, struct zc_diag *dg);

/* Where a client goes: given (may be NULL), else ZORAC_SOCKET, else the user's daemon, else the
 * system's. ret_path gets the socket that answered, or that was tried last; dg names all that were
 * tried. ZC_EINVAL: where the user's should be, another user's daemon listens. */
int zc_sock_find(const char *given, int *ret_fd, char ret_path[ZC_SOCK_MAX], struct zc_diag *dg);

/* A non-blocking listening socket at path, which must not exist, with the mode of its file. */
int zc_sock_listen(const char *path, mode_t mode, int *ret_fd, struct zc_diag *dg);

struct zc_peer {
    uid_t uid;
    gid_t gid;
    pid_t pid;
};
/* Who was at the other end when the connection was made. */
int zc_sock_peer(int fd, struct zc_peer *ret, struct zc_diag *dg);

#endif
