/* SPDX-License-Identifier: MIT */
/* PCRE2 behind two functions. The differences between Oniguruma (Ruby syntax, UTF-8) and PCRE2
 * that matter here: \s has U+180E in PCRE2 only; \w has marks and connectors in Oniguruma only; ^
 * and $ always match at lines in Oniguruma; \h is a hexadecimal digit there; classes nest and
 * intersect there. The first two are rewritten, the third is an option, the rest is refused. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "zoracd/text/zt_regex.h"

#include <pcre2.h>
#include <string.h>
#include <time.h>

#include "common/zc_buf.h"
#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "common/zc_utf8.h"

#define MAX_PATTERN  (64 * 1024)
#define MIN_STEPS    1000000           /* of one match, and so many more per byte of text: */
#define BYTE_STEPS   32                /* a class that runs to the end and back takes three */
#define MAX_HEAP_KIB (64 * 1024)       /* of a match without JIT */
#define MAX_STACK    (8 * 1024 * 1024) /* of a match with JIT */
#define MIN_NS       2000000000LL
#define BYTE_NS      2000
#define STEP_NS      10000000LL /* between two looks at the clock, about */
#define FIRST_PLACES 64         /* bytes where a match may begin, until the clock is looked at */
#define CLOCK_FINDS  256        /* matches, likewise */
#define SPACE        "\\t-\\r\\x{85}\\p{Z}"
/* Letters, marks, digits, connectors; superscripts and fractions of Latin-1; circled letters. */
#define WORD                                                                \
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}" \
    "\\x{24B6}-\\x{24E9}\\x{1F130}-\\x{1F149}\\x{1F150}-\\x{1F169}\\x{1F170}-\\x{1F189}"

/* What Unicode 15.0 to 16.0 added as symbols, most of it emoji: the reference knows them, and PCRE2
 * only if it is new enough. */
#define NEWER_SM "\\x{10D8E}\\x{10D8F}"
#define NEWER_SO                                                                \
    "\\x{2427}-\\x{2429}\\x{2FFC}-\\x{2FFF}\\x{31E4}-\\x{31E5}\\x{31EF}"        \
    "\\x{1CC00}-\\x{1CCEF}\\x{1CD00}-\\x{1CEB3}\\x{1F6DC}\\x{1F774}-\\x{1F776}" \
    "\\x{1F77B}-\\x{1F77F}\\x{1F7D9}\\x{1F8B2}-\\x{1F8BB}\\x{1F8C0}-\\x{1F8C1}" \
    "\\x{1FA75}-\\x{1FA77}\\x{1FA87}-\\x{1FA89}\\x{1FA8F}\\x{1FAAD}-\\x{1FAAF}" \
    "\\x{1FABB}-\\x{1FABF}\\x{1FAC6}\\x{1FACE}-\\x{1FACF}\\x{1FADA}-\\x{1FADC}" \
    "\\x{1FADF}\\x{1FAE8}-\\x{1FAE9}\\x{1FAF7}-\\x{1FAF8}\\x{1FBCB}-\\x{1FBEF}"

struct zt_regex {
    pcre2_code *code;
    char *pattern; /* as in the file, for diagnostics */
    bool has_jit;
};

/* ---- from Oniguruma to PCRE2 -------------------------------------------------------------- */

static int refuse(struct zc_diag *dg, const char *what)
{
    return zc_diag(dg, ZC_EUNSUPPORTED, "regular expression: %s", what);
}

/* An escape that means the same in both: two bytes, or up to the brace of \\x{...}. */
static int put_plain(struct zc_buf *out, const char *p, size_t n)
{
    const char *brace = p[1] == 'x' && n > 2 && p[2] == '{' ? memchr(p, '}', n) : NULL;
    size_t len = brace ? (size_t)(brace + 1 - p) : 2;

    zc_buf_add(out, p, len);
    return (int)len;
}

/* The symbols \\p{S}, \\p{Sm}, \\p{So}, or all but them, with the newer ones; in a class only what
 * is not negated. How many bytes it took, 0: it is none of these. */
static int put_symbols(struct zc_buf *out, const char *p, const char *name, size_t len,
                       bool in_class)
{
    bool is_all = len == 1 && *name == 'S', is_so = len == 2 && memcmp(name, "So", 2) == 0;
    bool is_sm = len == 2 && memcmp(name, "Sm", 2) == 0, negated = (p[1] == 'P') != (p[3] == '^');

    if ((!is_all && !is_so && !is_sm) || (in_class && negated))
        return 0;
    const char *open = in_class ? "" : negated ? "[^" : "[";
    zc_buf_addf(out, "%s%s%s\\p{%.*s}%s", open, is_so ? "" : NEWER_SM, is_sm ? "" : NEWER_SO,
                (int)len, name, in_class ? "" : "]");
    return (int)(name + len + 1 - p);
}

/* \\p{...} or \\P{...}. A general category of one or two letters is the same in both; the name of a
 * script is that script here, and in PCRE2 everything that is also used with it. */
static int put_property(struct zc_buf *out, const char *p, size_t n, bool in_class,
                        struct zc_diag *dg)
{
    static const char *const scripts[] = {
        "Han",    "Hiragana", "Katakana", "Hangul",     "Latin",   "Cyrillic", "Greek", "Arabic",
        "Hebrew", "Thai",     "Lao",      "Devanagari", "Bengali", "Tamil",    "Khmer", "Myanmar"};
    const char *brace = n > 2 && p[2] == '{' ? memchr(p, '}', n) : NULL;

    if (!brace)
        return refuse(dg, "\\p without a brace");
    size_t negated = p[3] == '^', len = (size_t)(brace - p) - 3 - negated;
    const char *name = p + 3 + negated;
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        if (len == strlen(scripts[i]) && memcmp(name, scripts[i], len) == 0) {
            zc_buf_addf(out, "%.2s{%ssc:%s}", p, negated ? "^" : "", scripts[i]);
            return (int)(brace + 1 - p);
        }
    }
    if (len < 1 || len > 2 || name[len - 1] == '&')
        return refuse(dg, "a property that is no general category of one or two letters and no "
                          "script of tokenizers' patterns");
    int r = put_symbols(out, p, name, len, in_class);
    if (r > 0)
        return r;
    zc_buf_add(out, p, (size_t)(brace + 1 - p));
    return (int)(brace + 1 - p);
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
    case 'p':
    case 'P':
        return put_property(out, p, n, in_class, dg);
    case 'E':
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
    case 'Q':
        return refuse(dg, "an escape that is not in tokenizers' patterns");
    default:
        return put_plain(out, p, n);
    }
    return 2;
}

/* What begins at p outside of a class, is no escape, and means something else in PCRE2. */
static const char *other_meaning(const char *p, size_t n)
{
    if (n > 1 && p[0] == '}' && p[1] == '+')
        return "{n,m}+, which is possessive in one and repeated in the other";
    if (n > 2 && p[0] == '(' && p[1] == '?') {
        for (size_t i = 2; i < n && strchr("imsx-", p[i]) && p[i]; i++) {
            if (p[i] == 'm' || p[i] == 's')
                return "the option m or s";
        }
    }
    return NULL;
}

/* Begins a class at p[0] = '['; how many bytes it took. */
static int put_class(struct zc_buf *out, const char *p, size_t n, struct zc_diag *dg)
{
    size_t len = n > 1 && p[1] == '^' ? 2 : 1;

    /* A bracket in the first place is a literal in one and the end in the other. */
    if (len < n && p[len] == ']')
        return refuse(dg, "a class that begins with ]");
    zc_buf_add(out, p, len);
    return (int)len;
}

/* Whether a pattern that ignores case may have what is one character in the other case (ss and the
 * sharp s, ligatures): those are the same in Oniguruma only. */
static bool folds_many(const char *p, size_t n)
{
    static const char *const many[] = {"ss", "ff", "fi", "fl", "st"};
    bool ignores = false, has_many = false;

    for (size_t i = 0; i + 1 < n; i++) {
        ignores |= i + 2 < n && memcmp(p + i, "(?i", 3) == 0;
        has_many |= (p[i] & 0x80) != 0;
        for (size_t k = 0; k < sizeof many / sizeof *many; k++)
            has_many |= (p[i] | 0x20) == many[k][0] && (p[i + 1] | 0x20) == many[k][1];
    }
    return ignores && has_many;
}

/* Writes the pattern in PCRE2's words. */
static int translate(struct zc_buf *out, const char *p, size_t n, struct zc_diag *dg)
{
    bool in_class = false;
    const char *other;

    if (folds_many(p, n))
        return refuse(dg, "(?i) over letters that are one character in the other case");
    for (size_t i = 0; i < n;) {
        int r = 1;
        if (p[i] == '\\') {
            r = put_escape(out, p + i, n - i, in_class, dg);
        } else if (in_class && (p[i] == '[' || (p[i] == '&' && i + 1 < n && p[i + 1] == '&'))) {
            r = refuse(dg, p[i] == '[' ? "a class in a class" : "an intersection of classes");
        } else if (!in_class && p[i] == '[') {
            in_class = true;
            r = put_class(out, p + i, n - i, dg);
        } else if (!in_class && p[i] == '{' && i + 2 < n && p[i + 1] == ',' && p[i + 2] >= '0' &&
                   p[i + 2] <= '9') {
            zc_buf_adds(out, "{0"); /* {,n}, which is literal in PCRE2 before 10.43 */
        } else if (!in_class && (other = other_meaning(p + i, n - i)) != NULL) {
            r = refuse(dg, other);
        } else {
            in_class = in_class && p[i] != ']';
            zc_buf_addc(out, p[i]);
        }
        if (r < 0)
            return r;
        i += (size_t)r;
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
    re->has_jit = pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE) == 0;
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
        r = compile(re, pattern, len, PCRE2_UTF | PCRE2_LITERAL | PCRE2_USE_OFFSET_LIMIT, dg);
    else if ((r = translate(&text, pattern, len, dg)) >= 0)
        r = compile(re, zc_buf_str(&text), text.len,
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C |
                        PCRE2_USE_OFFSET_LIMIT,
                    dg);
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

/* Processor time since the first search of this work. */
static long long used_ns(struct zt_regex_work *w)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    long long now = (long long)t.tv_sec * 1000000000 + t.tv_nsec;
    if (w->began_ns == 0)
        w->began_ns = now;
    return now - w->began_ns;
}

static bool is_too_long(const struct zt_regex_work *w, long long ns)
{
    return ns > (w->limit_ns ? w->limit_ns : MIN_NS + BYTE_NS * (long long)w->bytes);
}

/* Text is checked long before: with JIT straight into the code, which is much of a short match. */
static int match_at(const struct zt_regex_scan *scan, struct zt_regex_work *w, size_t at)
{
    return (scan->re->has_jit ? pcre2_jit_match : pcre2_match)(
        scan->re->code, (PCRE2_SPTR)scan->p, scan->n, at, PCRE2_NO_UTF_CHECK, w->data, w->context);
}

/* Matches from the places after scan->from, a few at first and then more and more of them, with a
 * look at the clock between. PCRE2's result. */
static int match_from(const struct zt_regex_scan *scan, struct zt_regex_work *w)
{
    size_t at = scan->from, places = FIRST_PLACES;
    long long before = 0;

    for (;;) {
        bool is_rest = places >= scan->n - at;
        pcre2_set_offset_limit(w->context, is_rest ? PCRE2_UNSET : at + places - 1);
        int r = match_at(scan, w, at);
        if (r != PCRE2_ERROR_NOMATCH || is_rest)
            return r;
        long long used = used_ns(w);
        if (is_too_long(w, used))
            return PCRE2_ERROR_MATCHLIMIT;
        at += places;
        while (at < scan->n && (scan->p[at] & 0xc0) == 0x80)
            at++;
        places *= used - before < STEP_NS ? 2 : 1;
        before = used;
    }
}

/* One match at or after scan->from: 1, 0 or an error. */
static int find(const struct zt_regex_scan *scan, struct zt_regex_work *w, size_t *ret_start,
                size_t *ret_end, struct zc_diag *dg)
{
    const struct zt_regex *re = scan->re;
    size_t steps = MIN_STEPS + BYTE_STEPS * (scan->n - scan->from);
    PCRE2_UCHAR text[128];

    bool is_slow = w->n_finds++ % CLOCK_FINDS == 0 && is_too_long(w, used_ns(w));
    pcre2_set_match_limit(w->context, steps < UINT32_MAX ? (uint32_t)steps : UINT32_MAX);
    int r = is_slow ? PCRE2_ERROR_MATCHLIMIT : match_from(scan, w);
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
    if (scan->from == 0)
        w->bytes += scan->n;
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
                          ? (size_t)zc_utf8_step(scan->p + scan->from, scan->n - scan->from)
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
