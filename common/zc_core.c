/* SPDX-License-Identifier: MIT */
/* The limit on core files, and core(5)'s filter of what is in them. */
#include "config.h"

#include "common/zc_core.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

void zc_core_forbid(void)
{
    static const struct rlimit none = {0, 0};
    int fd = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);

    setrlimit(RLIMIT_CORE, &none);
    if (fd < 0)
        return;
    ssize_t n = write(fd, "0", 1);
    (void)n; /* the limit above is what most systems heed */
    close(fd);
}
