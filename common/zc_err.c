/* SPDX-License-Identifier: MIT */
/* Error names, diagnostics, and the end of a process that has found a bug in itself. Any thread. */
#include "common/zc_err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
    [-ZC_OK] = "ok",
    [-ZC_EINTERNAL] = "internal",
    [-ZC_ENOMEM] = "no_memory",
    [-ZC_EDEVMEM] = "no_device_memory",
    [-ZC_EDEVICE] = "device",
    [-ZC_EINVAL] = "invalid",
    [-ZC_EFORMAT] = "format",
    [-ZC_EAGAIN] = "incomplete",
    [-ZC_ELIMIT] = "limit",
    [-ZC_EBUSY] = "busy",
    [-ZC_ECANCELED] = "canceled",
    [-ZC_EUNSUPPORTED] = "unsupported",
    [-ZC_ESYS] = "system",
    [-ZC_ENOTFOUND] = "not_found",
    [-ZC_EPERM] = "permission",
    [-ZC_EVERSION] = "version",
};
_Static_assert(sizeof names / sizeof *names == -ZC_ERR_MIN + 1, "a name for every error");

const char *zc_err_name(int err)
{
    if (err > 0 || err < ZC_ERR_MIN)
        return "unknown";
    return names[-err];
}

int zc_err_from_name(const char *name)
{
    for (int i = 0; i <= -ZC_ERR_MIN; i++)
        if (strcmp(names[i], name) == 0)
            return -i;
    return ZC_EINTERNAL;
}

/* Names and values from files end up in diagnostics: a terminal must not obey them. */
size_t zc_diag_clean(char *s)
{
    size_t n = 0;

    for (; *s; s++) {
        unsigned char c = (unsigned char)s[0], next = (unsigned char)s[1];
        bool is_c1 = c == 0xc2 && next >= 0x80 && next < 0xa0;
        if (c >= 0x20 && c != 0x7f && !is_c1)
            continue;
        n++;
        *s = '?';
        if (is_c1)
            *++s = '?';
    }
    return n;
}

/* A cut in the middle of a UTF-8 character would make the whole sentence invalid on the wire. */
static void trim_utf8_tail(char *s)
{
    size_t n = strlen(s);
    size_t i = n;

    while (i > 0 && n - i < 4 && ((unsigned char)s[i - 1] & 0xc0) == 0x80)
        i--;
    if (i == 0)
        return;
    unsigned char lead = (unsigned char)s[i - 1];
    size_t want = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (n - (i - 1) < want)
        s[i - 1] = '\0';
}

int zc_diag(struct zc_diag *dg, int err, const char *fmt, ...)
{
    if (dg) {
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(dg->text, sizeof dg->text, fmt, ap);
        va_end(ap);
        zc_diag_clean(dg->text);
        trim_utf8_tail(dg->text);
    }
    return err;
}

int zc_diag_sys(struct zc_diag *dg, const char *fmt, ...)
{
    int saved = errno;

    if (dg) {
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(dg->text, sizeof dg->text, fmt, ap);
        va_end(ap);
        if (n >= 0 && (size_t)n < sizeof dg->text)
            snprintf(dg->text + n, sizeof dg->text - (size_t)n, ": %s", strerror(saved));
        zc_diag_clean(dg->text);
        trim_utf8_tail(dg->text);
    }
    errno = saved;
    return ZC_ESYS;
}

int zc_diag_prefix(struct zc_diag *dg, int err, const char *fmt, ...)
{
    if (dg) {
        struct zc_diag old = *dg;
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(dg->text, sizeof dg->text, fmt, ap);
        va_end(ap);
        if (n >= 0 && (size_t)n < sizeof dg->text)
            snprintf(dg->text + n, sizeof dg->text - (size_t)n, ": %s", old.text);
        zc_diag_clean(dg->text);
        trim_utf8_tail(dg->text);
    }
    return err;
}

void zc_bug(const char *file, int line, const char *cond)
{
    fprintf(stderr, "zorac: bug: %s:%d: %s\n", file, line, cond);
    abort();
}
