/* SPDX-License-Identifier: MIT */
/* Matching of modules; regular expressions by PCRE2, with limits, since they come with the model.
 */
#include "config.h"

#include "zoracd/weights/zw_match.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"

#define MAX_PATTERNS   65536
#define MAX_REGEXES    256
#define MAX_PATTERN    1024  /* bytes */
#define MATCH_STEPS    10000 /* of one regular expression on one path */
#define MATCH_HEAP_KIB 1024

struct zw_pattern {
    char *text;
    pcre2_code *re; /* NULL: an exact name */
};

static int compile(struct zw_pattern *p, const char *regex, struct zc_diag *dg)
{
    PCRE2_SIZE at;
    int code;

    p->re = pcre2_compile((PCRE2_SPTR)regex, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_ANCHORED,
                          &code, &at, NULL);
    if (p->re)
        return ZC_OK;
    PCRE2_UCHAR text[128];
    pcre2_get_error_message(code, text, sizeof text);
    return zc_diag(dg, ZC_EFORMAT, "\"%s\", character %zu: %s", p->text, (size_t)at + 3,
                   (const char *)text);
}

int zw_match_init(struct zw_match *m, const json_t *list, const char *key, struct zc_diag *dg)
{
    const size_t n = json_array_size(list);
    size_t n_regexes = 0;
    void *mem = NULL;
    int r;

    memset(m, 0, sizeof *m);
    if (!list || json_is_null(list))
        return ZC_OK;
    if (!json_is_array(list))
        return zc_diag(dg, ZC_EFORMAT, "%s is not a list", key);
    if ((r = zc_try_calloc(&mem, n, sizeof *m->patterns, MAX_PATTERNS * sizeof *m->patterns)) < 0)
        return zc_diag(dg, r, "%s has %zu entries: too many", key, n);
    m->patterns = mem;
    for (size_t i = 0; i < n; i++) {
        const char *s = json_string_value(json_array_get(list, i));
        if (!s || strlen(s) > MAX_PATTERN) {
            r = zc_diag(dg, ZC_EFORMAT, "%s[%zu] is no string of at most %d bytes", key, i,
                        MAX_PATTERN);
            break;
        }
        struct zw_pattern *p = &m->patterns[m->n++];
        p->text = zc_xstrdup(s);
        if (strncmp(s, "re:", 3))
            continue;
        if (++n_regexes > MAX_REGEXES)
            r = zc_diag(dg, ZC_ELIMIT, "more than %d regular expressions", MAX_REGEXES);
        else
            r = compile(p, s + 3, dg);
        if (r < 0) {
            zc_diag_prefix(dg, r, "%s[%zu]", key, i);
            break;
        }
    }
    if (r < 0)
        zw_match_release(m);
    return r;
}

void zw_match_release(struct zw_match *m)
{
    for (size_t i = 0; i < m->n; i++) {
        zc_free(m->patterns[i].text);
        pcre2_code_free(m->patterns[i].re);
    }
    zc_free(m->patterns);
    memset(m, 0, sizeof *m);
}

/* 1, 0, or an error. */
static int match_regex(const struct zw_pattern *p, const char *module, struct zc_diag *dg)
{
    pcre2_match_context *ctx = pcre2_match_context_create(NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    int code = PCRE2_ERROR_NOMEMORY;

    if (ctx && data) {
        pcre2_set_match_limit(ctx, MATCH_STEPS);
        pcre2_set_heap_limit(ctx, MATCH_HEAP_KIB);
        code = pcre2_match(p->re, (PCRE2_SPTR)module, PCRE2_ZERO_TERMINATED, 0, 0, data, ctx);
    }
    pcre2_match_data_free(data);
    pcre2_match_context_free(ctx);
    if (code >= 0)
        return 1;
    if (code == PCRE2_ERROR_NOMATCH)
        return 0;
    return zc_diag(dg, code == PCRE2_ERROR_NOMEMORY ? ZC_ENOMEM : ZC_ELIMIT,
                   "\"%s\" takes too long on module %s", p->text, module);
}

int zw_match_path(bool *ret_hit, const struct zw_match *m, const char *module, struct zc_diag *dg)
{
    int hit = 0;

    for (size_t i = 0; i < m->n && hit == 0; i++)
        hit = m->patterns[i].re ? match_regex(&m->patterns[i], module, dg)
                                : !strcmp(m->patterns[i].text, module);
    if (hit < 0)
        return hit;
    *ret_hit = hit;
    return ZC_OK;
}

bool zw_match_has_class(const struct zw_match *m, const char *class_name)
{
    for (size_t i = 0; i < m->n; i++)
        if (!m->patterns[i].re && !strcmp(m->patterns[i].text, class_name))
            return true;
    return false;
}

/* Whether s is at p in module, from one dot to another. */
static bool is_component(const char *module, const char *p, size_t n)
{
    return (p == module || p[-1] == '.') && (p[n] == '\0' || p[n] == '.');
}

bool zw_match_has_component(const struct zw_match *m, const char *module)
{
    for (size_t i = 0; i < m->n; i++) {
        const char *text = m->patterns[i].text, *p = module;
        const size_t n = strlen(text);
        for (; n > 0 && (p = strstr(p, text)); p++)
            if (is_component(module, p, n))
                return true;
    }
    return false;
}

bool zw_match_has_part(const struct zw_match *m, const char *module)
{
    for (size_t i = 0; i < m->n; i++)
        if (strstr(module, m->patterns[i].text))
            return true;
    return false;
}
