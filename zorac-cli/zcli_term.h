/* SPDX-License-Identifier: MIT */
/* What is written to standard output. On a terminal, text that came from a model or a file can't
 * command it: control characters are shown as U+FFFD. Into a pipe the bytes go unchanged. */
#ifndef ZORAC_CLI_ZCLI_TERM_H
#define ZORAC_CLI_ZCLI_TERM_H

#include <stdbool.h>
#include <stddef.h>

struct zc_diag;

/* Looks at standard output once; plain: no colours even on a terminal. */
void zcli_term_init(bool plain);
bool zcli_term_is_tty(void);

/* Writes a piece of a reply: whole UTF-8 characters. Unbuffered. ZC_ECANCELED: a caught Ctrl-C came
 * while nobody read; ZC_ESYS: it cannot be written. */
int zcli_term_text(const char *p, size_t n, struct zc_diag *dg);
/* Writes a line and its end. As above. */
int zcli_term_line(const char *s, struct zc_diag *dg);
/* Ends the line if the last text did not. */
void zcli_term_end_line(void);
/* Escape sequences, "" where they are not wanted. */
const char *zcli_term_bold(void);
const char *zcli_term_dim(void);
const char *zcli_term_reset(void);

/* Whether a write failed because standard output's reader has gone (head, a pager). */
bool zcli_term_has_lost_reader(void);

/* A message to standard error: "zorac: ..." and a newline. None once the reader has gone: what
 * follows from that is no news. */
void zcli_term_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
