/* SPDX-License-Identifier: MIT */
/* Readiness, status, watchdog and socket activation through libsystemd. */
#include "config.h"

#include "zoracd/serve/zs_sd.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "common/zc_err.h"

int zs_sd_listen_fd(int *ret_fd, struct zc_diag *dg)
{
    int n = sd_listen_fds(1);

    if (n <= 0)
        return 0;
    int fd = SD_LISTEN_FDS_START;
    if (n > 1 || sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) <= 0)
        return zc_diag(dg, ZC_EINVAL,
                       "systemd passed %d sockets; exactly one listening Unix stream socket is "
                       "expected",
                       n);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    *ret_fd = fd;
    return 1;
}

void zs_sd_notify(const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    sd_notify(0, text);
}
