/* SPDX-License-Identifier: MIT */
/* Reading what somebody else wrote: it may be huge, a pipe, or changing while we read; its size is
 * a hint. */
#include "config.h"

#include "common/zc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/zc_buf.h"
#include "common/zc_err.h"

static int read_open(int fd, struct zc_buf *b, const char *path, struct zc_diag *dg)
{
    char chunk[16384];
    ssize_t n;

    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return zc_diag_sys(dg, "%s: cannot read", path);
        if (zc_buf_add(b, chunk, (size_t)n) < 0)
            break;
    }
    if (zc_buf_error(b) == ZC_ELIMIT)
        return zc_diag(dg, ZC_ELIMIT, "%s: over the limit of %zu bytes", path, b->max);
    if (zc_buf_error(b) < 0)
        return zc_diag(dg, zc_buf_error(b), "%s: no memory to read it into", path);
    return ZC_OK;
}

/* What can be told before the first byte is read. A device is let through for /dev/null's sake. */
static int check_open(int fd, struct zc_buf *b, bool waits, const char *path, struct zc_diag *dg)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return zc_diag_sys(dg, "%s: cannot tell what it is", path);
    if (!waits && !S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
        return zc_diag(dg, ZC_EFORMAT, "%s: not a regular file", path);
    if (!S_ISREG(st.st_mode))
        return ZC_OK;
    if ((uintmax_t)st.st_size > b->max)
        return zc_diag(dg, ZC_ELIMIT, "%s: over the limit of %zu bytes", path, b->max);
    zc_buf_reserve(b, (size_t)st.st_size);
    return ZC_OK;
}

static int read_file(char **ret_bytes, size_t *ret_len, const char *path, size_t max, bool waits,
                     struct zc_diag *dg)
{
    struct zc_buf b;
    int fd = waits ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
                   : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT)
        return zc_diag(dg, ZC_ENOTFOUND, "%s: no such file", path);
    if (fd < 0)
        return zc_diag_sys(dg, "%s: cannot open", path);
    zc_buf_init(&b, max);
    int r = check_open(fd, &b, waits, path, dg);
    if (r == ZC_OK)
        r = read_open(fd, &b, path, dg);
    close(fd);
    if (r == ZC_OK)
        *ret_bytes = zc_buf_take(&b, ret_len);
    zc_buf_release(&b);
    return r;
}

int zc_file_read(char **ret_bytes, size_t *ret_len, const char *path, size_t max,
                 struct zc_diag *dg)
{
    return read_file(ret_bytes, ret_len, path, max, false, dg);
}

int zc_file_read_pipe(char **ret_bytes, size_t *ret_len, const char *path, size_t max,
                      struct zc_diag *dg)
{
    return read_file(ret_bytes, ret_len, path, max, true, dg);
}

int zc_file_flush_out(struct zc_diag *dg)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return ZC_OK;
    return zc_diag(dg, ZC_ESYS, "cannot write to standard output");
}

void zc_file_guard_std(void)
{
    int fd;

    /* The lowest number that is free is given out. */
    while ((fd = open("/dev/null", O_PATH)) >= 0 && fd <= STDERR_FILENO)
        ;
    if (fd >= 0)
        close(fd);
}
