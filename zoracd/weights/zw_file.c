/* SPDX-License-Identifier: MIT */
/* Opening and reading of model files. */
#include "config.h"

#include "zoracd/weights/zw_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"

int zw_file_open(int *ret_fd, uint64_t *ret_size, const char *dir, const char *name,
                 struct zc_diag *dg)
{
    struct stat st;
    int r = ZC_OK;
    char *path = zc_xasprintf("%s/%s", dir, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        r = zc_diag(dg, ZC_ENOTFOUND, "%s: no such file", path);
    else if (fd < 0)
        r = zc_diag_sys(dg, "%s: open", path);
    else if (fstat(fd, &st) < 0)
        r = zc_diag_sys(dg, "%s: fstat", path);
    else if (!S_ISREG(st.st_mode))
        r = zc_diag(dg, ZC_EFORMAT, "%s: not a regular file", path);
    zc_free(path);
    if (r < 0) {
        if (fd >= 0)
            close(fd);
        return r;
    }
    *ret_fd = fd;
    *ret_size = (uint64_t)st.st_size;
    return ZC_OK;
}

int zw_file_read(int fd, uint64_t off, void *dst, size_t n, struct zc_diag *dg)
{
    char *p = dst;

    while (n > 0) {
        ssize_t got = pread(fd, p, n, (off_t)off);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return zc_diag_sys(dg, "read at byte %llu", (unsigned long long)off);
        if (got == 0)
            return zc_diag(dg, ZC_EFORMAT, "ends at byte %llu, %zu bytes before it should",
                           (unsigned long long)off, n);
        p += got;
        off += (uint64_t)got;
        n -= (size_t)got;
    }
    return ZC_OK;
}
