/* SPDX-License-Identifier: MIT */
/* PCRE2 behind two functions. The differences between Oniguruma (Ruby syntax, UTF-8) and PCRE2
 * that matter here: \s has U+180E in PCRE2 only; \w has marks and connectors in Oniguruma only; ^
 * and $ always match at lines in Oniguruma; \h is a hexadecimal digit there; classes nest and
 * intersect there. The first two are rewritten, the third is an option, the rest is refused. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "zoracd/text/zt_regex.h"

#include <pcre2.h>
#include <string.h>

#include "common/zc_buf.h"
#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/text/zt_utf8.h"

#define MAX_PATTERN  (64 * 1024)
#define MIN_STEPS    1000000           /* of one match, and so many more per byte of text: */
#define BYTE_STEPS   32                /* a class that runs to the end and back takes three */
#define MAX_HEAP_KIB (64 * 1024)       /* of a match without JIT */
#define MAX_STACK    (8 * 1024 * 1024) /* of a match with JIT */
#define SPACE        "\\t-\\r\\x{85}\\p{Z}"
#define WORD                                                                    \
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24B6}-\\x{24E9}\\x{1F130}-\\x{1F149}" \
    "\\x{1F150}-\\x{1F169}\\x{1F170}-\\x{1F189}"

struct zt_regex {
    pcre2_code *code;
    char *pattern; /* as in the file, for diagnostics */
};

/* ---- from Oniguruma to PCRE2 -------------------------------------------------------------- */

static int refuse(struct zc_diag *dg, const char *what)
{
    return zc_diag(dg, ZC_EUNSUPPORTED, "regular expression: %s", what);
}

/* The escape at p[0] = '\\'; how many bytes it took, or an error. */
static int put_escape(struct zc_buf *out, const char *p, size_t n, bool in_class,
                      struct zc_diag *dg)
{
    if (n < 2)
        return zc_diag(dg, ZC_EFORMAT, "regular expression: ends in a backslash");
    switch (p[1]) {
    case 's':
        zc_buf_adds(out, in_class ? SPACE : "[" SPACE "]");
        break;
    case 'w':
        zc_buf_adds(out, in_class ? WORD : "[" WORD "]");
        break;
    case 'S':
    case 'W':
        if (in_class)
            return refuse(dg, "\\S or \\W in a class");
        zc_buf_adds(out, p[1] == 'S' ? "[^" SPACE "]" : "[^" WORD "]");
        break;
    case 'b':
    case 'B':
        if (!in_class)
            return refuse(dg, "\\b or \\B");
        zc_buf_add(out, p, 2);
        break;
    case 'h':
    case 'H':
    case 'R':
    case 'X':
    case 'g':
    case 'k':
    case 'K':
    case 'y':
    case 'Y':
    case 'O':
    case 'N':
        return refuse(dg, "an escape that is not in tokenizers' patterns");
    default:
        zc_buf_add(out, p, 2);
    }
    return 2;
}

/* Writes the pattern in PCRE2's words. */
static int translate(struct zc_buf *out, const char *p, size_t n, struct zc_diag *dg)
{
    bool in_class = false;

    for (size_t i = 0; i < n;) {
        if (p[i] == '\\') {
            int r = put_escape(out, p + i, n - i, in_class, dg);
            if (r < 0)
                return r;
            i += (size_t)r;
            continue;
        }
        if (in_class && p[i] == '[')
            return refuse(dg, "a class in a class");
        if (in_class && p[i] == '&' && i + 1 < n && p[i + 1] == '&')
            return refuse(dg, "an intersection of classes");
        if (!in_class && p[i] == '[') {
            in_class = true;
            zc_buf_addc(out, p[i++]);
            if (i < n && p[i] == '^')
                zc_buf_addc(out, p[i++]);
            /* A bracket in the first place would be a literal in one and the end in the other. */
            if (i < n && p[i] == ']')
                return refuse(dg, "a class that begins with ]");
            continue;
        }
        if (p[i] == ']')
            in_class = false;
        zc_buf_addc(out, p[i++]);
    }
    return zc_buf_error(out);
}

/* ---- compiling ---------------------------------------------------------------------------- */

static int compile(struct zt_regex *re, const char *p, size_t n, uint32_t options,
                   struct zc_diag *dg)
{
    int e;
    PCRE2_SIZE at;
    PCRE2_UCHAR text[128];

    pcre2_compile_context *cc = pcre2_compile_context_create(NULL);
    if (!cc)
        return zc_diag(dg, ZC_ENOMEM, "no memory for a regular expression");
    pcre2_set_newline(cc, PCRE2_NEWLINE_LF);
    re->code = pcre2_compile((PCRE2_SPTR)p, n, options, &e, &at, cc);
    pcre2_compile_context_free(cc);
    if (!re->code) {
        pcre2_get_error_message(e, text, sizeof text);
        return zc_diag(dg, ZC_EFORMAT, "regular expression '%.80s': at %zu: %s", re->pattern,
                       (size_t)at, (const char *)text);
    }
    /* Without JIT (not built in, or memory may not be executable) the interpreter does it. */
    (void)pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE);
    return ZC_OK;
}

int zt_regex_new(struct zt_regex **ret_re, const char *pattern, size_t len, bool literal,
                 struct zc_diag *dg)
{
    struct zc_buf text;
    int r;

    if (len > MAX_PATTERN)
        return zc_diag(dg, ZC_ELIMIT, "regular expression: %zu bytes, at most %d are allowed", len,
                       MAX_PATTERN);
    zc_buf_init(&text, (size_t)MAX_PATTERN * 128);
    struct zt_regex *re = zc_xcalloc(1, sizeof *re);
    re->pattern = zc_xstrndup(pattern, len);
    if (literal)
        r = compile(re, pattern, len, PCRE2_UTF | PCRE2_LITERAL, dg);
    else if ((r = translate(&text, pattern, len, dg)) >= 0)
        r = compile(re, zc_buf_str(&text), text.len,
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, dg);
    zc_buf_release(&text);
    if (r < 0) {
        zt_regex_free(re);
        return r;
    }
    *ret_re = re;
    return ZC_OK;
}

void zt_regex_free(struct zt_regex *re)
{
    if (!re)
        return;
    pcre2_code_free(re->code);
    zc_free(re->pattern);
    zc_free(re);
}

/* ---- matching ----------------------------------------------------------------------------- */

static int prepare(struct zt_regex_work *w, struct zc_diag *dg)
{
    if (w->data)
        return ZC_OK;
    w->context = pcre2_match_context_create(NULL);
    w->data = pcre2_match_data_create(1, NULL);
    w->stack = pcre2_jit_stack_create(32 * 1024, MAX_STACK, NULL);
    if (!w->context || !w->data) {
        zt_regex_work_release(w);
        return zc_diag(dg, ZC_ENOMEM, "no memory for matching");
    }
    pcre2_set_heap_limit(w->context, MAX_HEAP_KIB);
    if (w->stack)
        pcre2_jit_stack_assign(w->context, NULL, w->stack);
    return ZC_OK;
}

/* One match at or after scan->from: 1, 0 or an error. */
static int find(const struct zt_regex_scan *scan, struct zt_regex_work *w, size_t *ret_start,
                size_t *ret_end, struct zc_diag *dg)
{
    const struct zt_regex *re = scan->re;
    size_t steps = MIN_STEPS + BYTE_STEPS * (scan->n - scan->from);
    PCRE2_UCHAR text[128];

    pcre2_set_match_limit(w->context, steps < UINT32_MAX ? (uint32_t)steps : UINT32_MAX);
    int r = pcre2_match(re->code, (PCRE2_SPTR)scan->p, scan->n, scan->from, PCRE2_NO_UTF_CHECK,
                        w->data, w->context);
    if (r == PCRE2_ERROR_NOMATCH)
        return 0;
    if (r < 0) {
        pcre2_get_error_message(r, text, sizeof text);
        return zc_diag(dg, ZC_ELIMIT, "regular expression '%.80s': %s at byte %zu of a text",
                       re->pattern, (const char *)text, scan->from);
    }
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(w->data);
    *ret_start = at[0];
    *ret_end = at[1];
    return 1;
}

int zt_regex_next(struct zt_regex_scan *scan, struct zt_regex_work *w, struct zc_diag *dg)
{
    size_t start = 0, end = 0;

    int r = prepare(w, dg);
    while (r >= 0 && scan->from <= scan->n) {
        if ((r = find(scan, w, &start, &end, dg)) <= 0)
            return r;
        if (start < end || !scan->has_match || end != scan->end) {
            scan->has_match = true;
            scan->start = start;
            scan->end = scan->from = end;
            return 1;
        }
        scan->from += scan->from < scan->n
                          ? (size_t)zt_utf8_step(scan->p + scan->from, scan->n - scan->from)
                          : 1;
    }
    return r < 0 ? r : 0;
}

void zt_regex_work_release(struct zt_regex_work *w)
{
    pcre2_match_data_free(w->data);
    pcre2_match_context_free(w->context);
    pcre2_jit_stack_free(w->stack);
    *w = (struct zt_regex_work){0};
}
