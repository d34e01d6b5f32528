/* SPDX-License-Identifier: MIT */
/* A socket's file outlives its daemon, so that its being there says nothing. The lock says it: it
 * is held by a running daemon and by nobody else. Only the holder of the lock replaces the file. */
#include "config.h"

#include "zoracd/serve/zs_listen.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "common/zc_sock.h"

static int make_folder(const char *path, struct zc_diag *dg)
{
    const char *slash = strrchr(path, '/');
    int r = ZC_OK;

    if (!slash || slash == path)
        return ZC_OK;
    char *dir = zc_xstrndup(path, (size_t)(slash - path));
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        r = zc_diag_sys(dg, "can't make the folder %s", dir);
    zc_free(dir);
    return r;
}

static int take_lock(const char *path, int *ret_fd, struct zc_diag *dg)
{
    char *lock = zc_xasprintf("%s.lock", path);
    int r = ZC_OK;
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        r = zc_diag_sys(dg, "can't open %s", lock);
    else if (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        r = zc_diag(dg, ZC_EBUSY, "a daemon is already running at %s", path);
    else
        *ret_fd = fd;
    if (r < 0 && fd >= 0)
        close(fd);
    zc_free(lock);
    return r;
}

/* Makes way for the socket: nothing is there, or a socket where nobody listens. */
static int remove_stale(const char *path, struct zc_diag *dg)
{
    struct stat st;
    int fd;

    if (lstat(path, &st) < 0)
        return errno == ENOENT ? ZC_OK : zc_diag_sys(dg, "can't look at %s", path);
    if (!S_ISSOCK(st.st_mode))
        return zc_diag(dg, ZC_EINVAL, "%s is there and is not a socket", path);
    int r = zc_sock_connect(path, &fd, dg);
    if (r == ZC_OK) {
        close(fd);
        return zc_diag(dg, ZC_EBUSY, "a daemon is already running at %s", path);
    }
    if (r != ZC_ENOTFOUND)
        return r;
    return unlink(path) < 0 ? zc_diag_sys(dg, "can't remove the stale socket %s", path) : ZC_OK;
}

int zs_listen_open(struct zs_listen *ret_l, const char *path, mode_t mode, struct zc_diag *dg)
{
    struct zs_listen l = {.fd = -1, .lock_fd = -1};
    struct stat st;

    int r = make_folder(path, dg);
    if (r == ZC_OK)
        r = take_lock(path, &l.lock_fd, dg);
    if (r == ZC_OK)
        r = remove_stale(path, dg);
    if (r == ZC_OK)
        r = zc_sock_listen(path, mode, &l.fd, dg);
    if (r == ZC_OK && lstat(path, &st) < 0)
        r = zc_diag_sys(dg, "can't look at %s", path);
    if (r < 0) {
        if (l.fd >= 0)
            close(l.fd);
        if (l.lock_fd >= 0)
            close(l.lock_fd);
        return r;
    }
    l.path = zc_xstrdup(path);
    l.dev = st.st_dev;
    l.ino = st.st_ino;
    *ret_l = l;
    return ZC_OK;
}

void zs_listen_close(struct zs_listen *l)
{
    struct stat st;

    if (!l->path)
        return;
    if (lstat(l->path, &st) == 0 && st.st_dev == l->dev && st.st_ino == l->ino)
        unlink(l->path);
    close(l->lock_fd);
    zc_free(l->path);
    l->path = NULL;
}
