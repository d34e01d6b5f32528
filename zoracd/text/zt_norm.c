/* SPDX-License-Identifier: MIT */
/* The steps of zt_norm.h. Since normal forms cost much more than looking, only runs of characters
 * that can change at all are put through them. */
#include "zoracd/text/zt_norm.h"

#include <string.h>

#include <utf8proc.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "zoracd/text/zt_form.h"
#include "zoracd/text/zt_spm_norm.h"
#include "common/zc_utf8.h"

enum step_kind { STEP_FORM, STEP_PREPEND, STEP_REPLACE, STEP_STRIP, STEP_SPM };

struct zt_norm_step {
    enum step_kind kind;
    utf8proc_option_t form;
    struct zt_regex *pattern;
    char *content; /* of n_content bytes */
    size_t n_content;
    bool strip_left, strip_right;
    struct zt_spm_norm *spm;
};

/* ---- reading ------------------------------------------------------------------------------ */

static int read_content(struct zt_norm_step *s, const json_t *spec, const char *key,
                        struct zc_diag *dg)
{
    const json_t *v = json_object_get(spec, key);

    if (!json_is_string(v))
        return zc_diag(dg, ZC_EFORMAT, "normalizer: '%s' must be a string", key);
    s->n_content = json_string_length(v);
    s->content = zc_xstrndup(json_string_value(v), s->n_content);
    return ZC_OK;
}

static int read_replace(struct zt_norm_step *s, const json_t *spec, struct zc_diag *dg)
{
    const json_t *pattern = json_object_get(spec, "pattern");
    const json_t *literal = json_object_get(pattern, "String");
    const json_t *text = literal ? literal : json_object_get(pattern, "Regex");

    if (!json_is_string(text))
        return zc_diag(dg, ZC_EFORMAT, "normalizer: Replace without a pattern");
    s->kind = STEP_REPLACE;
    int r = read_content(s, spec, "content", dg);
    if (r < 0)
        return r;
    return zt_regex_new(&s->pattern, json_string_value(text), json_string_length(text),
                        literal != NULL, dg);
}

static int read_strip(struct zt_norm_step *s, const json_t *spec)
{
    s->kind = STEP_STRIP;
    s->strip_left = json_is_true(json_object_get(spec, "strip_left"));
    s->strip_right = json_is_true(json_object_get(spec, "strip_right"));
    return ZC_OK;
}

static int read_step(struct zt_norm *norm, const json_t *spec, const char *type, struct zc_diag *dg)
{
    static const struct {
        const char *name;
        utf8proc_option_t form;
    } forms[] = {
        {"NFC", UTF8PROC_COMPOSE},
        {"NFD", UTF8PROC_DECOMPOSE},
        {"NFKC", UTF8PROC_COMPOSE | UTF8PROC_COMPAT},
        {"NFKD", UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT},
    };

    if (norm->n_steps == ZT_NORM_MAX)
        return zc_diag(dg, ZC_ELIMIT, "normalizer: more than %d steps", ZT_NORM_MAX);
    struct zt_norm_step *s = &norm->steps[norm->n_steps++];
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (strcmp(type, forms[i].name) == 0) {
            s->kind = STEP_FORM;
            s->form = forms[i].form | UTF8PROC_STABLE;
            return ZC_OK;
        }
    }
    if (strcmp(type, "Prepend") == 0) {
        s->kind = STEP_PREPEND;
        return read_content(s, spec, "prepend", dg);
    }
    if (strcmp(type, "Replace") == 0)
        return read_replace(s, spec, dg);
    if (strcmp(type, "Strip") == 0)
        return read_strip(s, spec);
    return zc_diag(dg, ZC_EUNSUPPORTED, "normalizer '%s' is not supported", type);
}

static int read_spec(struct zt_norm *norm, const json_t *spec, int depth, struct zc_diag *dg)
{
    const char *type = json_string_value(json_object_get(spec, "type"));
    const json_t *list = json_object_get(spec, "normalizers"), *one;
    size_t i;

    if (json_is_null(spec) || !spec)
        return ZC_OK;
    if (!type || depth > 8)
        return zc_diag(dg, ZC_EFORMAT, "normalizer: %s", type ? "nested too deep" : "no type");
    if (strcmp(type, "Sequence") != 0)
        return read_step(norm, spec, type, dg);
    if (!json_is_array(list))
        return zc_diag(dg, ZC_EFORMAT, "normalizer: Sequence without 'normalizers'");
    json_array_foreach (list, i, one) {
        int r = read_spec(norm, one, depth + 1, dg);
        if (r < 0)
            return r;
    }
    return ZC_OK;
}

int zt_norm_init(struct zt_norm *norm, const json_t *spec, struct zc_diag *dg)
{
    *norm = (struct zt_norm){.steps = zc_xcalloc(ZT_NORM_MAX, sizeof(struct zt_norm_step))};
    return read_spec(norm, spec, 0, dg);
}

void zt_norm_init_spm(struct zt_norm *norm, struct zt_spm_norm *spm)
{
    *norm = (struct zt_norm){.steps = zc_xcalloc(1, sizeof *norm->steps), .n_steps = 1};
    norm->steps->kind = STEP_SPM;
    norm->steps->spm = zc_xmalloc(sizeof *spm);
    *norm->steps->spm = *spm;
    *spm = (struct zt_spm_norm){0};
}

void zt_norm_release(struct zt_norm *norm)
{
    for (size_t i = 0; i < norm->n_steps; i++) {
        zt_regex_free(norm->steps[i].pattern);
        zc_free(norm->steps[i].content);
        if (norm->steps[i].spm)
            zt_spm_norm_release(norm->steps[i].spm);
        zc_free(norm->steps[i].spm);
    }
    zc_free(norm->steps);
    *norm = (struct zt_norm){0};
}

bool zt_norm_can_cut_start(const struct zt_norm *norm)
{
    bool can = false;

    for (size_t i = 0; i < norm->n_steps; i++) {
        const struct zt_norm_step *s = &norm->steps[i];
        can |= (s->kind == STEP_STRIP && s->strip_left) ||
               (s->kind == STEP_REPLACE && s->n_content == 0);
    }
    return can;
}

/* ---- running ------------------------------------------------------------------------------ */

/* Whether the form leaves the character alone, and it neither joins the one before it nor changes
 * its place: what needs no work unless a mark follows. For NFC these are the stable characters that
 * are common in text, composed ones included; for the other forms only what has no decomposition.
 */
static bool is_inert(uint32_t cp, utf8proc_option_t form)
{
    if (cp < 0x80 || (cp >= 0x3400 && cp <= 0x4dbf) || (cp >= 0x4e00 && cp <= 0x9fff) ||
        (cp >= 0x1f300 && cp <= 0x1faff) || cp == 0x3001 || cp == 0x3002)
        return true;
    if (form != (UTF8PROC_COMPOSE | UTF8PROC_STABLE))
        return false;
    return cp < 0x300 || (cp >= 0x400 && cp <= 0x482) || (cp >= 0x2002 && cp <= 0x20cf) ||
           (cp >= 0x3003 && cp <= 0x3029) || (cp >= 0x3041 && cp <= 0x3096) ||
           (cp >= 0x30a1 && cp <= 0x30ff) || (cp >= 0xac00 && cp <= 0xd7a3) ||
           (cp >= 0xff01 && cp <= 0xffdc);
}

static int form_run(const struct zt_norm_step *s, struct zt_text *out, const struct zt_text *in,
                    size_t off, size_t len)
{
    struct zc_buf form;

    zc_buf_init(&form, out->buf.max);
    int r = zt_form_run(s->form, in->buf.data + off, len, &form);
    if (r >= 0)
        r = form.len == len && memcmp(form.data, in->buf.data + off, len) == 0
                ? zt_text_copy(out, in, off, len)
                : zt_text_add(out, zc_buf_str(&form), form.len, zt_text_is_trusted(in, off, len));
    zc_buf_release(&form);
    return r;
}

/* Copies what is inert; hands a run of the rest, with the character before it (which a mark may
 * join), to zt_form. */
static int run_form(const struct zt_norm_step *s, struct zt_text *out, const struct zt_text *in)
{
    const char *p = in->buf.data;
    size_t n = in->buf.len, copied = 0;
    uint32_t cp;
    int r = ZC_OK;

    for (size_t i = 0, before = 0; i < n && r >= 0;) {
        size_t start = i;
        i += (size_t)zc_utf8_get(p + i, &cp);
        if (is_inert(cp, s->form)) {
            before = start;
            continue;
        }
        size_t end = i;
        while (end < n) {
            size_t len = (size_t)zc_utf8_get(p + end, &cp);
            if (is_inert(cp, s->form))
                break;
            end += len;
        }
        if ((r = zt_text_copy(out, in, copied, before - copied)) >= 0)
            r = form_run(s, out, in, before, end - before);
        copied = before = i = end;
    }
    return r < 0 ? r : zt_text_copy(out, in, copied, n - copied);
}

static int run_prepend(const struct zt_norm_step *s, struct zt_text *out, const struct zt_text *in)
{
    if (in->buf.len == 0)
        return ZC_OK;
    int r = zt_text_add(out, s->content, s->n_content, zt_text_is_trusted(in, 0, 1));
    return r < 0 ? r : zt_text_copy(out, in, 0, in->buf.len);
}

static int run_replace(const struct zt_norm_step *s, struct zt_regex_work *w, struct zt_text *out,
                       const struct zt_text *in, struct zc_diag *dg)
{
    struct zt_regex_scan scan = {.re = s->pattern, .p = in->buf.data, .n = in->buf.len};
    size_t copied = 0;
    int r = ZC_OK;

    while (r >= 0 && scan.n > 0 && (r = zt_regex_next(&scan, w, dg)) > 0) {
        bool trusted = zt_text_is_trusted(in, scan.start, scan.end - scan.start);
        if ((r = zt_text_copy(out, in, copied, scan.start - copied)) >= 0)
            r = zt_text_add(out, s->content, s->n_content, trusted);
        copied = scan.end;
    }
    return r < 0 ? r : zt_text_copy(out, in, copied, in->buf.len - copied);
}

static int run_strip(const struct zt_norm_step *s, struct zt_text *out, const struct zt_text *in)
{
    size_t start = 0, end = in->buf.len;
    uint32_t cp;

    while (s->strip_left && start < end) {
        size_t len = (size_t)zc_utf8_get(in->buf.data + start, &cp);
        if (!zc_utf8_is_space(cp))
            break;
        start += len;
    }
    while (s->strip_right && start < end) {
        size_t at = end - 1;
        while ((in->buf.data[at] & 0xc0) == 0x80)
            at--;
        zc_utf8_get(in->buf.data + at, &cp);
        if (!zc_utf8_is_space(cp))
            break;
        end = at;
    }
    return zt_text_copy(out, in, start, end - start);
}

static int run_step(const struct zt_norm_step *s, struct zt_regex_work *w, struct zt_text *out,
                    const struct zt_text *in, struct zc_diag *dg)
{
    switch (s->kind) {
    case STEP_FORM:
        return run_form(s, out, in);
    case STEP_PREPEND:
        return run_prepend(s, out, in);
    case STEP_REPLACE:
        return run_replace(s, w, out, in, dg);
    case STEP_STRIP:
        return run_strip(s, out, in);
    case STEP_SPM:
        return zt_spm_norm_run(s->spm, in, out);
    }
    return ZC_EINTERNAL;
}

int zt_norm_run(const struct zt_norm *norm, struct zt_regex_work *w, const struct zt_text *text,
                size_t off, size_t len, struct zt_text *out, struct zt_text *tmp,
                struct zc_diag *dg)
{
    zt_text_clear(out);
    int r = zt_text_copy(out, text, off, len);
    for (size_t i = 0; i < norm->n_steps && r >= 0; i++) {
        zt_text_clear(tmp);
        r = run_step(&norm->steps[i], w, tmp, out, dg);
        struct zt_text swap = *out;
        *out = *tmp;
        *tmp = swap;
    }
    return r < 0 ? zc_diag(dg, r, "no room for the normalized text") : ZC_OK;
}
