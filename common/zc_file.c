/* SPDX-License-Identifier: MIT */
/* Reading a file that somebody else wrote: it may be a pipe, huge, or changing. */
#include "common/zc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"

static int read_bytes(int fd, char *p, size_t n, const char *path, struct zc_diag *dg)
{
    for (size_t got = 0; got < n;) {
        ssize_t r = read(fd, p + got, n - got);
        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return zc_diag_sys(dg, "%s: cannot read", path);
        if (r == 0)
            return zc_diag(dg, ZC_EFORMAT, "%s: became shorter while it was read", path);
        got += (size_t)r;
    }
    p[n] = '\0';
    return ZC_OK;
}

static int read_open(int fd, char **ret_bytes, size_t *ret_len, const char *path, size_t max,
                     struct zc_diag *dg)
{
    struct stat st;
    void *mem;
    int r;

    if (fstat(fd, &st) < 0)
        return zc_diag_sys(dg, "%s: cannot stat", path);
    if (!S_ISREG(st.st_mode))
        return zc_diag(dg, ZC_EFORMAT, "%s: not a regular file", path);
    if ((uintmax_t)st.st_size > max)
        return zc_diag(dg, ZC_ELIMIT, "%s: %jd bytes, over the limit of %zu", path,
                       (intmax_t)st.st_size, max);
    size_t n = (size_t)st.st_size;
    if ((r = zc_try_malloc(&mem, n + 1, 1, SIZE_MAX)) < 0)
        return zc_diag(dg, r, "%s: no memory for %zu bytes", path, n);
    if ((r = read_bytes(fd, mem, n, path, dg)) < 0) {
        zc_free(mem);
        return r;
    }
    *ret_bytes = mem;
    *ret_len = n;
    return ZC_OK;
}

int zc_file_read(char **ret_bytes, size_t *ret_len, const char *path, size_t max,
                 struct zc_diag *dg)
{
    /* O_NONBLOCK: a pipe without a writer must not hold us; it is refused a moment later */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT)
        return zc_diag(dg, ZC_ENOTFOUND, "%s: no such file", path);
    if (fd < 0)
        return zc_diag_sys(dg, "%s: cannot open", path);
    int r = read_open(fd, ret_bytes, ret_len, path, max, dg);
    close(fd);
    return r;
}
