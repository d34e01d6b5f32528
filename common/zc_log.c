/* SPDX-License-Identifier: MIT */
/* One write(2) or send(2) per line, so that lines of several threads never mix. */
#include "config.h"

#include "common/zc_log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/zc_err.h"

static const char *const names[ZC_LOG_N_LEVELS] = {"error", "warning", "notice", "info", "debug"};
/* sd-daemon's priorities: 3 error, 4 warning, 5 notice, 6 info, 7 debug. */
static const char *const prefixes[ZC_LOG_N_LEVELS] = {"<3>", "<4>", "<5>", "<6>", "<7>"};

static _Atomic int current_level = ZC_LOG_NOTICE;
static int journal_fd = -1;
static bool has_prefix;

void zc_log_set_level(enum zc_log_level level)
{
    atomic_store(&current_level, (int)level);
}

bool zc_log_is_on(enum zc_log_level level)
{
    return (int)level <= atomic_load(&current_level);
}

int zc_log_level_from_name(const char *name, enum zc_log_level *ret_level)
{
    for (int i = 0; i < ZC_LOG_N_LEVELS; i++) {
        if (strcmp(names[i], name) == 0) {
            *ret_level = (enum zc_log_level)i;
            return ZC_OK;
        }
    }
    return ZC_EINVAL;
}

const char *zc_log_level_name(enum zc_log_level level)
{
    return names[level];
}

void zc_log_prefix(bool on)
{
    has_prefix = on;
}

int zc_log_to_journal(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    if (!path) {
        if (journal_fd >= 0)
            close(journal_fd);
        journal_fd = -1;
        return ZC_OK;
    }
    if (strlen(path) >= sizeof addr.sun_path)
        return ZC_ESYS;
    memcpy(addr.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return ZC_ESYS;
    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) < 0) {
        close(fd);
        return ZC_ESYS;
    }
    journal_fd = fd;
    return ZC_OK;
}

/* https://systemd.io/JOURNAL_NATIVE_PROTOCOL: lines of FIELD=value in one datagram; a control
 * character would end a field early. */
static int send_journal(enum zc_log_level level, const struct zc_log_about *about, const char *text)
{
    char line[1536], session[512];
    int n = snprintf(line, sizeof line, "PRIORITY=%c\nSYSLOG_IDENTIFIER=zoracd\nMESSAGE=%s\n",
                     prefixes[level][1], text);

    if (about)
        n += snprintf(line + n, sizeof line - (size_t)n, "ZORAC_UID=%u\n", about->uid);
    if (about && about->request >= 0)
        n += snprintf(line + n, sizeof line - (size_t)n, "ZORAC_REQUEST=%lld\n", about->request);
    if (about && about->session) {
        snprintf(session, sizeof session, "%s", about->session);
        zc_diag_clean(session);
        n += snprintf(line + n, sizeof line - (size_t)n, "ZORAC_SESSION=%.300s\n", session);
    }
    return send(journal_fd, line, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? ZC_ESYS : ZC_OK;
}

static void send_line(enum zc_log_level level, const struct zc_log_about *about, const char *fmt,
                      va_list ap)
{
    char text[1000], line[1024];

    if (vsnprintf(text, sizeof text, fmt, ap) < 0)
        return;
    zc_diag_clean(text);
    if (journal_fd >= 0 && send_journal(level, about, text) == ZC_OK)
        return;
    int n = snprintf(line, sizeof line, "%szoracd: %s\n", has_prefix ? prefixes[level] : "", text);
    ssize_t w = write(STDERR_FILENO, line, (size_t)n);
    (void)w; /* nowhere left to say it */
}

void zc_log(enum zc_log_level level, const char *fmt, ...)
{
    va_list ap;

    if (!zc_log_is_on(level))
        return;
    va_start(ap, fmt);
    send_line(level, NULL, fmt, ap);
    va_end(ap);
}

void zc_log_about(enum zc_log_level level, const struct zc_log_about *about, const char *fmt, ...)
{
    va_list ap;

    if (!zc_log_is_on(level))
        return;
    va_start(ap, fmt);
    send_line(level, about, fmt, ap);
    va_end(ap);
}
