/* SPDX-License-Identifier: MIT */
/* Unix sockets of both programs. Says what failed and where; decides nothing about stale files. */
#include "config.h"

#include "common/zc_sock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/zc_err.h"

static int set_path(char ret[ZC_SOCK_MAX], const char *dir, const char *rest, struct zc_diag *dg)
{
    if (strlen(dir) + strlen(rest) >= ZC_SOCK_MAX)
        return zc_diag(dg, ZC_ELIMIT, "the socket path %s%s is longer than %zu bytes", dir, rest,
                       ZC_SOCK_MAX - 1);
    snprintf(ret, ZC_SOCK_MAX, "%s%s", dir, rest);
    return ZC_OK;
}

int zc_sock_user_path(char ret[ZC_SOCK_MAX], struct zc_diag *dg)
{
    char dir[64];
    const char *xdg = getenv("XDG_RUNTIME_DIR");

    if (!xdg || xdg[0] != '/') {
        snprintf(dir, sizeof dir, "/run/user/%ld", (long)geteuid());
        if (access(dir, X_OK) < 0)
            return zc_diag(dg, ZC_ENOTFOUND,
                           "XDG_RUNTIME_DIR is not set and %s is not there: "
                           "name a socket with -S or ZORAC_SOCKET",
                           dir);
        xdg = dir;
    }
    return set_path(ret, xdg, "/zorac/zoracd.sock", dg);
}

/* What was given, or the environment's; NULL if neither. */
static const char *explicit_path(const char *given)
{
    if (given)
        return given;
    const char *env = getenv("ZORAC_SOCKET");
    return env && *env ? env : NULL;
}

int zc_sock_daemon_path(char ret[ZC_SOCK_MAX], const char *given, struct zc_diag *dg)
{
    const char *path = explicit_path(given);

    if (!path && geteuid() == 0)
        path = ZC_SOCK_SYSTEM;
    if (path)
        return set_path(ret, path, "", dg);
    return zc_sock_user_path(ret, dg);
}

static int new_socket(const char *path, int flags, struct sockaddr_un *ret_addr, int *ret_fd,
                      struct zc_diag *dg)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int r = set_path(addr.sun_path, path, "", dg);

    if (r < 0)
        return r;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0)
        return zc_diag_sys(dg, "no socket");
    *ret_addr = addr;
    *ret_fd = fd;
    return ZC_OK;
}

int zc_sock_connect(const char *path, int *ret_fd, struct zc_diag *dg)
{
    struct sockaddr_un addr;
    int fd, r = new_socket(path, SOCK_NONBLOCK, &addr, &fd, dg);

    if (r < 0)
        return r;
    r = connect(fd, (struct sockaddr *)&addr, sizeof addr);
    if (r == 0)
        r = fcntl(fd, F_SETFL, 0);
    if (r == 0) {
        *ret_fd = fd;
        return ZC_OK;
    }
    int e = errno;
    close(fd);
    if (e == ENOENT || e == ECONNREFUSED || e == ENOTDIR)
        return zc_diag(dg, ZC_ENOTFOUND, "no daemon listens at %s", path);
    if (e == EACCES || e == EPERM)
        return zc_diag(dg, ZC_EPERM, "no permission to connect to %s", path);
    if (e == EAGAIN)
        return zc_diag(dg, ZC_EAGAIN, "too many clients wait at %s", path);
    errno = e;
    return zc_diag_sys(dg, "can't connect to %s", path);
}

/* The user's own daemon. A folder of somebody else's, left in the environment by su, may have
 * somebody else's daemon: ZC_EINVAL. */
static int connect_own(char ret_path[ZC_SOCK_MAX], int *ret_fd, struct zc_diag *dg)
{
    struct zc_peer peer = {.uid = (uid_t)-1};
    int fd, r = zc_sock_user_path(ret_path, dg);

    if (r == ZC_OK)
        r = zc_sock_connect(ret_path, &fd, dg);
    if (r < 0)
        return r;
    r = zc_sock_peer(fd, &peer, dg);
    if (r == ZC_OK && peer.uid != geteuid() && peer.uid != 0)
        r = zc_diag(dg, ZC_EINVAL,
                    "the daemon at %s is of another user (uid %u): -S if it is meant", ret_path,
                    (unsigned)peer.uid);
    if (r == ZC_OK)
        *ret_fd = fd;
    else
        close(fd);
    return r;
}

int zc_sock_find(const char *given, int *ret_fd, char ret_path[ZC_SOCK_MAX], struct zc_diag *dg)
{
    const char *path = explicit_path(given);
    char user[ZC_SOCK_MAX] = "";
    int r;

    if (!path) {
        r = connect_own(user, ret_fd, dg);
        if (r == ZC_OK || r == ZC_EAGAIN || r == ZC_EINVAL) {
            memcpy(ret_path, user, sizeof user);
            return r;
        }
        path = ZC_SOCK_SYSTEM;
    }
    r = set_path(ret_path, path, "", dg);
    if (r == ZC_OK)
        r = zc_sock_connect(ret_path, ret_fd, dg);
    if (r == ZC_ENOTFOUND)
        zc_diag(dg, r, "no daemon listens at %s%s%s", user, *user ? " or " : "", ret_path);
    return r;
}

int zc_sock_listen(const char *path, mode_t mode, int *ret_fd, struct zc_diag *dg)
{
    struct sockaddr_un addr;
    int fd, r = new_socket(path, SOCK_NONBLOCK, &addr, &fd, dg);

    if (r < 0)
        return r;
    /* fchmod before bind sets what bind gives the file, so that it never is open wider. */
    if (fchmod(fd, mode) < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0) {
        r = zc_diag_sys(dg, "can't bind %s", path);
    } else if (chmod(path, mode) < 0 || listen(fd, SOMAXCONN) < 0) {
        r = zc_diag_sys(dg, "can't listen at %s", path);
        unlink(path);
    } else {
        *ret_fd = fd;
        return ZC_OK;
    }
    close(fd);
    return r;
}

int zc_sock_peer(int fd, struct zc_peer *ret, struct zc_diag *dg)
{
    struct ucred cred;
    socklen_t len = sizeof cred;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
        return zc_diag_sys(dg, "can't read the peer's credentials");
    *ret = (struct zc_peer){.uid = cred.uid, .gid = cred.gid, .pid = cred.pid};
    return ZC_OK;
}
