/* SPDX-License-Identifier: MIT */
/* Standard output and error of the client. */
#include "zorac-cli/zcli_term.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/zc_buf.h"
#include "common/zc_err.h"
#include "zorac-cli/zcli_conn.h"

static bool tty, colours, line_open, reader_lost;

void zcli_term_init(bool plain)
{
    const char *term = getenv("TERM");
    const char *no_color = getenv("NO_COLOR");

    tty = isatty(STDOUT_FILENO);
    colours =
        tty && !plain && term && *term && strcmp(term, "dumb") != 0 && !(no_color && *no_color);
}

bool zcli_term_has_lost_reader(void)
{
    return reader_lost;
}

bool zcli_term_is_tty(void)
{
    return tty;
}

/* In parts that fit once the system says that there is room: Ctrl-C must be noticed, and write
 * would wait for room for all. */
static int write_all(const char *p, size_t n, struct zc_diag *dg)
{
    int r = ZC_OK;

    while (r == ZC_OK && n > 0) {
        if ((r = zcli_conn_wait(STDOUT_FILENO, POLLOUT, dg)) < 0)
            break;
        ssize_t w = write(STDOUT_FILENO, p, n < PIPE_BUF ? n : PIPE_BUF);
        if (w >= 0) {
            p += w;
            n -= (size_t)w;
        } else if (errno != EINTR && errno != EAGAIN) {
            reader_lost = errno == EPIPE;
            r = zc_diag_sys(dg, "cannot write to standard output");
        }
    }
    return r;
}

/* Whether the character at p is one that a terminal obeys: C0 but newline and tab, DEL, and C1,
 * which UTF-8 writes as C2 80 .. C2 9F. Its length in ret_len. */
static bool is_control(const unsigned char *p, size_t n, size_t *ret_len)
{
    *ret_len = 1;
    if (p[0] == 0xc2 && n > 1 && p[1] >= 0x80 && p[1] < 0xa0) {
        *ret_len = 2;
        return true;
    }
    return (p[0] < 0x20 && p[0] != '\n' && p[0] != '\t') || p[0] == 0x7f;
}

/* On a terminal without what it would obey. */
static int write_clean(const char *p, size_t n, struct zc_diag *dg)
{
    struct zc_buf b;

    if (!tty)
        return write_all(p, n, dg);
    zc_buf_init(&b, 4 * n);
    for (size_t i = 0, len; i < n; i += len) {
        if (is_control((const unsigned char *)p + i, n - i, &len))
            zc_buf_adds(&b, "\xef\xbf\xbd");
        else
            zc_buf_add(&b, p + i, len);
    }
    int r = write_all(zc_buf_str(&b), b.len, dg);
    zc_buf_release(&b);
    return r;
}

int zcli_term_text(const char *p, size_t n, struct zc_diag *dg)
{
    if (n == 0)
        return ZC_OK;
    int r = write_clean(p, n, dg);
    line_open = r == ZC_OK && p[n - 1] != '\n';
    return r;
}

int zcli_term_line(const char *s, struct zc_diag *dg)
{
    int r = write_clean(s, strlen(s), dg);

    return r < 0 ? r : write_all("\n", 1, dg);
}

void zcli_term_end_line(void)
{
    if (line_open)
        write_all("\n", 1, NULL);
    line_open = false;
}

const char *zcli_term_bold(void)
{
    return colours ? "\033[1m" : "";
}

const char *zcli_term_dim(void)
{
    return colours ? "\033[2m" : "";
}

const char *zcli_term_reset(void)
{
    return colours ? "\033[0m" : "";
}

void zcli_term_error(const char *fmt, ...)
{
    struct zc_diag dg;
    char text[sizeof dg.text];
    va_list ap;

    if (reader_lost)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    zc_diag(&dg, 0, "%s", text); /* without control characters */
    fprintf(stderr, "zorac: %s\n", dg.text);
}
