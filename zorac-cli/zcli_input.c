/* SPDX-License-Identifier: MIT */
/* Where a prompt comes from. */
#include "zorac-cli/zcli_input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/zc_buf.h"
#include "common/zc_err.h"
#include "common/zc_utf8.h"

#define MAX_TURNS 1000000
#define MAX_INPUT ((size_t)8 << 20)

/* A pipe, a file, a socket: something that was put there for us to read. */
static bool has_stdin(void)
{
    struct stat st;

    if (fstat(STDIN_FILENO, &st) < 0)
        return false;
    return S_ISFIFO(st.st_mode) || S_ISREG(st.st_mode) || S_ISSOCK(st.st_mode);
}

static int read_stdin(struct zc_buf *b, struct zc_diag *dg)
{
    char bytes[65536];
    ssize_t n;

    while ((n = read(STDIN_FILENO, bytes, sizeof bytes)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return zc_diag_sys(dg, "cannot read standard input");
        if (zc_buf_add(b, bytes, (size_t)n) < 0)
            return zc_diag(dg, ZC_ELIMIT, "the prompt is over %zu MiB", MAX_INPUT >> 20);
    }
    return ZC_OK;
}

int zcli_input_turns(const char *text, int64_t *ret_turns, struct zc_diag *dg)
{
    char *end;
    long v = strtol(text, &end, 10);

    if (end == text || *end || v < 0 || v > MAX_TURNS)
        return zc_diag(dg, ZC_EINVAL, "how many turns is a number from 0 to %d, not '%s'",
                       MAX_TURNS, text);
    *ret_turns = v;
    return ZC_OK;
}

int zcli_input_read(int argc, char **argv, char **ret_text, struct zc_diag *dg)
{
    struct zc_buf b, piped;
    int r = ZC_OK;

    zc_buf_init(&b, MAX_INPUT);
    zc_buf_init(&piped, MAX_INPUT);
    for (int i = 0; i < argc; i++)
        if (zc_buf_addf(&b, "%s%s", i ? " " : "", argv[i]) < 0)
            r = zc_diag(dg, ZC_ELIMIT, "the prompt is over %zu MiB", MAX_INPUT >> 20);
    if (r == ZC_OK && has_stdin())
        r = read_stdin(&piped, dg);
    if (r == ZC_OK && piped.len) {
        if (b.len)
            zc_buf_adds(&b, "\n\n");
        if (zc_buf_add(&b, piped.data, piped.len) < 0)
            r = zc_diag(dg, ZC_ELIMIT, "the prompt is over %zu MiB", MAX_INPUT >> 20);
    }
    if (r == ZC_OK && b.len && (memchr(b.data, '\0', b.len) || !zc_utf8_is_valid(b.data, b.len)))
        r = zc_diag(dg, ZC_EFORMAT, "the prompt is not UTF-8 text");
    if (r == ZC_OK)
        *ret_text = argc || b.len ? zc_buf_take(&b, NULL) : NULL;
    zc_buf_release(&b);
    zc_buf_release(&piped);
    return r;
}
