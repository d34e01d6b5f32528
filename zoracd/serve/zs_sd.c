/* SPDX-License-Identifier: MIT */
/* Readiness, status, watchdog and socket activation through libsystemd. */
#include "config.h"

#include "zoracd/serve/zs_sd.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "common/zc_err.h"

/* Which of n sockets: the one of our name, or the only one. -1: none of them. */
static int choose(char *const *names, int n)
{
    for (int i = 0; names && i < n; i++)
        if (strcmp(names[i], ZS_SD_NAME) == 0)
            return i;
    return n == 1 ? 0 : -1;
}

int zs_sd_listen_fd(int *ret_fd, struct zc_diag *dg)
{
    char **names = NULL;
    int n = sd_listen_fds_with_names(1, &names);

    if (n <= 0)
        return 0;
    int at = choose(names, n), fd = SD_LISTEN_FDS_START + at;
    for (int i = 0; i < n; i++) {
        free(names[i]);
        if (i != at)
            close(SD_LISTEN_FDS_START + i);
    }
    free(names);
    if (at < 0)
        return zc_diag(
            dg, ZC_EINVAL,
            "systemd passed %d sockets, and none is named " ZS_SD_NAME " (FileDescriptorName=)", n);
    if (sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) <= 0)
        return zc_diag(dg, ZC_EINVAL, "what systemd passed is no listening Unix stream socket");
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

uint64_t zs_sd_watchdog_us(void)
{
    uint64_t us;
    return sd_watchdog_enabled(0, &us) > 0 ? us : 0;
}

bool zs_sd_is_journal(void)
{
    unsigned long long dev, ino;
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;

    return stream && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}
