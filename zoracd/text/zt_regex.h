/* SPDX-License-Identifier: MIT */
/* The regular expressions of tokenizer.json: PCRE2 with UTF, UCP and JIT, under a limit. They are
 * written for Oniguruma, which the reference uses; what it understands in another way is put into
 * PCRE2's words or refused by name (zt_regex.c). Compiled once, const afterwards: any number of
 * threads may match, each with its own zt_regex_work. */
#ifndef ZORACD_TEXT_ZT_REGEX_H
#define ZORACD_TEXT_ZT_REGEX_H

#include <stdbool.h>
#include <stddef.h>

struct zc_diag;
struct zt_regex;

/* What one thread matches with; zeroed is empty. */
struct zt_regex_work {
    struct pcre2_real_match_data_8 *data;
    struct pcre2_real_match_context_8 *context;
    struct pcre2_real_jit_stack_8 *stack;
    size_t bytes;       /* of the texts that were searched so far */
    unsigned n_finds;   /* so often */
    long long began_ns; /* processor time of the thread at the first of them */
    long long limit_ns; /* what all of them may take; 0: 2 s, and 2 us for each byte */
};

/* literal: the pattern is a plain string. ZC_EFORMAT with PCRE2's words and place,
 * ZC_EUNSUPPORTED for Oniguruma's own constructs. */
int zt_regex_new(struct zt_regex **ret_re, const char *pattern, size_t len, bool literal,
                 struct zc_diag *dg);
void zt_regex_free(struct zt_regex *re);

/* Where a search through a text is. */
struct zt_regex_scan {
    const struct zt_regex *re;
    const char *p; /* n bytes of valid UTF-8 */
    size_t n;
    size_t from;       /* where the next match may begin */
    size_t start, end; /* the match */
    bool has_match;    /* there was one before */
};

/* The next match in a text, from left to right; an empty one at the end of the last is passed over.
 * scan begins as {.re, .p, .n}. 1 and scan->start, scan->end; 0 for none; ZC_ELIMIT if it takes too
 * many steps, or all with this work too much processor time: what PCRE2 does at a place without
 * going back it does not count, and a pattern may make it do so at every place. */
int zt_regex_next(struct zt_regex_scan *scan, struct zt_regex_work *w, struct zc_diag *dg);
void zt_regex_work_release(struct zt_regex_work *w);

#endif
