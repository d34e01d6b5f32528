/* SPDX-License-Identifier: MIT */
/* A pre-tokenizer is a list of small steps: split at a pattern, rewrite. A piece runs through all
 * steps before the next one is cut (depth first), so that no list of pieces is ever kept. */
#include "zoracd/text/zt_pre.h"

#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "common/zc_utf8.h"

/* The pattern of ByteLevel itself (GPT-2's), and those that stand for the reference's predicates.
 */
#define GPT2                  \
    "'s|'t|'re|'ve|'m|'ll|'d" \
    "| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define PUNCTUATION "[\\p{P}$+<=>^`|~]"

enum step_kind {
    STEP_SPLIT,     /* at a pattern */
    STEP_BYTES,     /* bytes to characters of the byte-level alphabet */
    STEP_SPACE,     /* a space in front unless there is one */
    STEP_METASPACE, /* spaces to the replacement, one in front as scheme says */
};

enum behavior {
    REMOVED,
    ISOLATED,
    MERGED_WITH_PREVIOUS,
    MERGED_WITH_NEXT,
    CONTIGUOUS,
    N_BEHAVIORS
};
static const char *const behavior_names[N_BEHAVIORS] = {"Removed", "Isolated", "MergedWithPrevious",
                                                        "MergedWithNext", "Contiguous"};

enum scheme { SCHEME_ALWAYS, SCHEME_FIRST, SCHEME_NEVER, N_SCHEMES };
static const char *const scheme_names[N_SCHEMES] = {"always", "first", "never"};

struct zt_pre_step {
    enum step_kind kind;
    struct zt_regex *pattern;
    enum behavior behavior;
    bool invert; /* what does not match is what is cut out */
    enum scheme scheme;
    char replacement[8];
};

/* ---- the byte-level alphabet -------------------------------------------------------------- */

unsigned zt_pre_char_of_byte(unsigned char byte)
{
    /* Printable Latin-1 stands for itself; the other 68 bytes follow from U+0100 on. */
    if (byte <= 0x20)
        return 0x100u + byte;
    if (byte >= 0x7f && byte <= 0xa0)
        return 0x121u + (byte - 0x7fu);
    return byte == 0xad ? 0x143 : byte;
}

int zt_pre_byte_of_char(unsigned cp)
{
    if (cp >= 0x100 && cp <= 0x120)
        return (int)cp - 0x100;
    if (cp >= 0x121 && cp <= 0x142)
        return (int)cp - 0x121 + 0x7f;
    if (cp == 0x143)
        return 0xad;
    return (cp > 0x20 && cp < 0x7f) || (cp > 0xa0 && cp <= 0xff && cp != 0xad) ? (int)cp : -1;
}

/* ---- reading ------------------------------------------------------------------------------ */

/* The next step; NULL when there are too many. */
static struct zt_pre_step *add_step(struct zt_pre *pre, enum step_kind kind, struct zc_diag *dg)
{
    if (pre->n_steps == ZT_PRE_MAX) {
        zc_diag(dg, ZC_ELIMIT, "pre_tokenizer: more than %d steps", ZT_PRE_MAX);
        return NULL;
    }
    pre->steps[pre->n_steps].kind = kind;
    return &pre->steps[pre->n_steps++];
}

static int add_split(struct zt_pre *pre, const char *pattern, size_t n, bool literal,
                     enum behavior behavior, bool invert, struct zc_diag *dg)
{
    struct zt_pre_step *s = add_step(pre, STEP_SPLIT, dg);

    if (!s)
        return ZC_ELIMIT;
    s->behavior = behavior;
    s->invert = invert;
    return zt_regex_new(&s->pattern, pattern, n, literal, dg);
}

static int add_plain_split(struct zt_pre *pre, const char *pattern, enum behavior behavior,
                           struct zc_diag *dg)
{
    return add_split(pre, pattern, strlen(pattern), false, behavior, false, dg);
}

/* Which of n names a member has: its index; fallback if it is missing, -1 if it is unknown. */
static int read_name(const json_t *spec, const char *key, const char *const *names, int n,
                     int fallback)
{
    const json_t *v = json_object_get(spec, key);
    const char *text = json_string_value(v);

    if (!v)
        return fallback;
    for (int i = 0; text && i < n; i++) {
        if (strcmp(text, names[i]) == 0)
            return i;
    }
    return -1;
}

static int read_byte_level(struct zt_pre *pre, const json_t *spec, struct zc_diag *dg)
{
    int r = ZC_OK;

    if (!json_is_false(json_object_get(spec, "add_prefix_space")) && !add_step(pre, STEP_SPACE, dg))
        return ZC_ELIMIT;
    if (!json_is_false(json_object_get(spec, "use_regex")))
        r = add_plain_split(pre, GPT2, ISOLATED, dg);
    if (r < 0)
        return r;
    return add_step(pre, STEP_BYTES, dg) ? ZC_OK : ZC_ELIMIT;
}

static int read_split(struct zt_pre *pre, const json_t *spec, struct zc_diag *dg)
{
    const json_t *pattern = json_object_get(spec, "pattern");
    const json_t *literal = json_object_get(pattern, "String");
    const json_t *text = literal ? literal : json_object_get(pattern, "Regex");
    int behavior = read_name(spec, "behavior", behavior_names, N_BEHAVIORS, -1);

    if (!json_is_string(text) || behavior < 0)
        return zc_diag(dg, ZC_EFORMAT, "pre_tokenizer: Split without a %s",
                       behavior < 0 ? "known behavior" : "pattern");
    return add_split(pre, json_string_value(text), json_string_length(text), literal != NULL,
                     (enum behavior)behavior, json_is_true(json_object_get(spec, "invert")), dg);
}

static int read_metaspace(struct zt_pre *pre, const json_t *spec, struct zc_diag *dg)
{
    const char *rep = json_string_value(json_object_get(spec, "replacement"));
    int scheme = read_name(spec, "prepend_scheme", scheme_names, N_SCHEMES, SCHEME_ALWAYS);

    if (scheme < 0 || !rep || strlen(rep) == 0 ||
        zc_utf8_step(rep, strlen(rep)) != (int)strlen(rep))
        return zc_diag(dg, ZC_EFORMAT, "pre_tokenizer: Metaspace without a %s",
                       scheme < 0 ? "known prepend_scheme" : "replacement of one character");
    if (json_is_false(json_object_get(spec, "add_prefix_space"))) {
        if (json_object_get(spec, "prepend_scheme") && scheme != SCHEME_NEVER)
            return zc_diag(dg, ZC_EFORMAT,
                           "pre_tokenizer: Metaspace: add_prefix_space contradicts prepend_scheme");
        scheme = SCHEME_NEVER;
    }
    struct zt_pre_step *s = add_step(pre, STEP_METASPACE, dg);
    if (!s)
        return ZC_ELIMIT;
    s->scheme = (enum scheme)scheme;
    memcpy(s->replacement, rep, strlen(rep));
    if (json_is_false(json_object_get(spec, "split")))
        return ZC_OK;
    return add_split(pre, rep, strlen(rep), true, MERGED_WITH_NEXT, false, dg);
}

static int read_step(struct zt_pre *pre, const json_t *spec, const char *type, struct zc_diag *dg)
{
    if (strcmp(type, "ByteLevel") == 0)
        return read_byte_level(pre, spec, dg);
    if (strcmp(type, "Split") == 0)
        return read_split(pre, spec, dg);
    if (strcmp(type, "Metaspace") == 0)
        return read_metaspace(pre, spec, dg);
    if (strcmp(type, "Digits") == 0)
        return add_plain_split(
            pre, "\\p{N}",
            json_is_true(json_object_get(spec, "individual_digits")) ? ISOLATED : CONTIGUOUS, dg);
    if (strcmp(type, "Punctuation") == 0) {
        int behavior = read_name(spec, "behavior", behavior_names, N_BEHAVIORS, ISOLATED);
        if (behavior < 0)
            return zc_diag(dg, ZC_EFORMAT, "pre_tokenizer: Punctuation with an unknown behavior");
        return add_plain_split(pre, PUNCTUATION, (enum behavior)behavior, dg);
    }
    if (strcmp(type, "WhitespaceSplit") == 0)
        return add_plain_split(pre, "\\s", REMOVED, dg);
    return zc_diag(dg, ZC_EUNSUPPORTED, "pre_tokenizer '%s' is not supported", type);
}

static int read_spec(struct zt_pre *pre, const json_t *spec, int depth, struct zc_diag *dg)
{
    const char *type = json_string_value(json_object_get(spec, "type"));
    const json_t *list = json_object_get(spec, "pretokenizers"), *one;
    size_t i;

    if (json_is_null(spec) || !spec)
        return ZC_OK;
    if (!type || depth > 8)
        return zc_diag(dg, ZC_EFORMAT, "pre_tokenizer: %s", type ? "nested too deep" : "no type");
    if (strcmp(type, "Sequence") != 0)
        return read_step(pre, spec, type, dg);
    if (!json_is_array(list))
        return zc_diag(dg, ZC_EFORMAT, "pre_tokenizer: Sequence without 'pretokenizers'");
    json_array_foreach (list, i, one) {
        int r = read_spec(pre, one, depth + 1, dg);
        if (r < 0)
            return r;
    }
    return ZC_OK;
}

int zt_pre_init(struct zt_pre *pre, const json_t *spec, struct zc_diag *dg)
{
    *pre = (struct zt_pre){.steps = zc_xcalloc(ZT_PRE_MAX, sizeof(struct zt_pre_step))};
    return read_spec(pre, spec, 0, dg);
}

int zt_pre_init_pattern(struct zt_pre *pre, const char *pattern, size_t len, struct zc_diag *dg)
{
    *pre = (struct zt_pre){.steps = zc_xcalloc(ZT_PRE_MAX, sizeof(struct zt_pre_step))};
    int r = add_split(pre, pattern, len, false, ISOLATED, false, dg);
    if (r < 0)
        return r;
    return add_step(pre, STEP_BYTES, dg) ? ZC_OK : ZC_ELIMIT;
}

bool zt_pre_has_first(const struct zt_pre *pre)
{
    bool has = false;

    for (size_t i = 0; i < pre->n_steps; i++)
        has |= pre->steps[i].kind == STEP_METASPACE && pre->steps[i].scheme == SCHEME_FIRST;
    return has;
}

void zt_pre_release(struct zt_pre *pre)
{
    for (size_t i = 0; i < pre->n_steps; i++)
        zt_regex_free(pre->steps[i].pattern);
    zc_free(pre->steps);
    *pre = (struct zt_pre){0};
}

void zt_pre_work_init(struct zt_pre_work *w, struct zt_regex_work *regex, size_t max)
{
    w->regex = regex;
    for (size_t i = 0; i < ZT_PRE_MAX; i++)
        zc_buf_init(&w->bufs[i], max);
}

void zt_pre_work_release(struct zt_pre_work *w)
{
    for (size_t i = 0; i < ZT_PRE_MAX; i++)
        zc_buf_release(&w->bufs[i]);
}

/* ---- running ------------------------------------------------------------------------------ */

struct run {
    const struct zt_pre *pre;
    struct zt_pre_work *w;
    zt_pre_fn fn;
    void *arg;
    struct zc_diag *dg;
};

static int run_from(const struct run *run, size_t i, const char *p, size_t n, bool at_start);

/* The pieces of one split on their way to the next step: what the pattern cuts apart, put together
 * again as the behavior says. */
struct splitter {
    const struct run *run;
    size_t next; /* step */
    const char *p;
    enum behavior behavior;
    bool at_start;
    bool has_held; /* start .. end is held back */
    size_t start, end;
    bool was_match; /* the part before, false at the beginning */
};

static int emit(struct splitter *s, size_t start, size_t end)
{
    if (start == end)
        return ZC_OK;
    return run_from(s->run, s->next, s->p + start, end - start, s->at_start && start == 0);
}

/* Gives out what is held back. */
static int let_go(struct splitter *s)
{
    bool had_held = s->has_held;

    s->has_held = false;
    return had_held ? emit(s, s->start, s->end) : ZC_OK;
}

/* Whether a part belongs to the one that is held back. */
static bool is_joined(const struct splitter *s, bool is_match)
{
    switch (s->behavior) {
    case CONTIGUOUS:
        return s->has_held && is_match == s->was_match;
    case MERGED_WITH_PREVIOUS:
        return s->has_held && is_match && !s->was_match;
    case MERGED_WITH_NEXT:
        return s->has_held && !is_match && s->was_match;
    default:
        return false;
    }
}

/* The next part of the text: a match, which may be empty, or what is between two. */
static int part(struct splitter *s, size_t start, size_t end, bool is_match)
{
    bool joins = is_joined(s, is_match);

    s->was_match = is_match;
    if (s->behavior == REMOVED)
        return is_match ? ZC_OK : emit(s, start, end);
    if (s->behavior == ISOLATED)
        return emit(s, start, end);
    int r = joins ? ZC_OK : let_go(s);
    if (!joins)
        s->start = start;
    s->has_held = true;
    s->end = end;
    return r;
}

static int run_split(const struct run *run, size_t i, const char *p, size_t n, bool at_start)
{
    const struct zt_pre_step *step = &run->pre->steps[i];
    struct splitter s = {
        .run = run, .next = i + 1, .p = p, .behavior = step->behavior, .at_start = at_start};
    struct zt_regex_scan scan = {.re = step->pattern, .p = p, .n = n};
    size_t done = 0;
    int r;

    while ((r = zt_regex_next(&scan, run->w->regex, run->dg)) > 0) {
        if (done < scan.start && (r = part(&s, done, scan.start, step->invert)) < 0)
            return r;
        if ((r = part(&s, scan.start, scan.end, !step->invert)) < 0)
            return r;
        done = scan.end;
    }
    if (r >= 0 && done < n)
        r = part(&s, done, n, step->invert);
    return r < 0 ? r : let_go(&s);
}

static int run_bytes(struct zc_buf *out, const char *p, size_t n)
{
    int r = zc_buf_reserve(out, 2 * n);
    if (r < 0)
        return r;
    char *d = out->data;
    for (size_t i = 0; i < n; i++) {
        unsigned cp = zt_pre_char_of_byte((unsigned char)p[i]);
        if (cp < 0x80) {
            *d++ = (char)cp;
        } else {
            *d++ = (char)(0xc0 | cp >> 6);
            *d++ = (char)(0x80 | (cp & 0x3f));
        }
    }
    *d = '\0';
    out->len = (size_t)(d - out->data);
    return ZC_OK;
}

static int run_metaspace(const struct zt_pre_step *s, struct zc_buf *out, const char *p, size_t n,
                         bool at_start)
{
    size_t len = strlen(s->replacement);
    bool has_one = p[0] == ' ' || (n >= len && memcmp(p, s->replacement, len) == 0);

    if (!has_one && (s->scheme == SCHEME_ALWAYS || (s->scheme == SCHEME_FIRST && at_start)))
        zc_buf_add(out, s->replacement, len);
    while (n > 0) {
        const char *space = memchr(p, ' ', n);
        size_t run = space ? (size_t)(space - p) : n;
        zc_buf_add(out, p, run);
        p += run;
        n -= run;
        if (space) {
            zc_buf_add(out, s->replacement, len);
            p++;
            n--;
        }
    }
    return zc_buf_error(out);
}

/* Hands a piece to step i, or to the caller after the last. */
static int run_from(const struct run *run, size_t i, const char *p, size_t n, bool at_start)
{
    if (i == run->pre->n_steps)
        return run->fn(run->arg, p, n);
    const struct zt_pre_step *s = &run->pre->steps[i];
    if (s->kind == STEP_SPLIT)
        return run_split(run, i, p, n, at_start);
    if (s->kind == STEP_SPACE && p[0] == ' ')
        return run_from(run, i + 1, p, n, at_start);
    struct zc_buf *out = &run->w->bufs[i];
    int r;
    zc_buf_clear(out);
    if (s->kind == STEP_BYTES) {
        r = run_bytes(out, p, n);
    } else if (s->kind == STEP_METASPACE) {
        r = run_metaspace(s, out, p, n, at_start);
    } else {
        zc_buf_addc(out, ' ');
        r = zc_buf_add(out, p, n);
    }
    if (r < 0)
        return zc_diag(run->dg, r, "no room for the text between two steps");
    return run_from(run, i + 1, out->data, out->len, at_start);
}

int zt_pre_run(const struct zt_pre *pre, struct zt_pre_work *w, const char *p, size_t n,
               bool at_start, zt_pre_fn fn, void *arg, struct zc_diag *dg)
{
    struct run run = {pre, w, fn, arg, dg};

    return n == 0 ? ZC_OK : run_from(&run, 0, p, n, at_start);
}
