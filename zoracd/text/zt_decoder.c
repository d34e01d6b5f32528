/* SPDX-License-Identifier: MIT */
/* Reads the decoder's description and refuses what a stream could not follow. */
#include "zoracd/text/zt_decoder.h"

#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "common/zc_utf8.h"

/* The order in which a sequence may have its steps. */
enum place { AT_REPLACE, AT_FALLBACK, AT_FUSE, AT_STRIP, AT_END };

static int add_replace(struct zt_decoder *d, const char *from, const char *to, struct zc_diag *dg)
{
    if (d->n_replaces == ZT_DECODER_REPLACES)
        return zc_diag(dg, ZC_ELIMIT, "decoder: more than %d Replace", ZT_DECODER_REPLACES);
    d->replaces[d->n_replaces].from = zc_xstrdup(from);
    d->replaces[d->n_replaces++].to = zc_xstrdup(to);
    return ZC_OK;
}

static int read_replace(struct zt_decoder *d, const json_t *spec, struct zc_diag *dg)
{
    const json_t *pattern = json_object_get(spec, "pattern");
    const char *from = json_string_value(json_object_get(pattern, "String"));
    const char *to = json_string_value(json_object_get(spec, "content"));

    if (json_object_get(pattern, "Regex"))
        return zc_diag(dg, ZC_EUNSUPPORTED, "decoder: Replace of a Regex is not supported");
    if (!from || !to || !*from)
        return zc_diag(dg, ZC_EFORMAT, "decoder: Replace without pattern and content");
    return add_replace(d, from, to, dg);
}

static int read_strip(struct zt_decoder *d, const json_t *spec, struct zc_diag *dg)
{
    const char *content = json_string_value(json_object_get(spec, "content"));
    json_int_t start = json_integer_value(json_object_get(spec, "start"));

    if (!content || !*content || zc_utf8_step(content, strlen(content)) != (int)strlen(content))
        return zc_diag(dg, ZC_EFORMAT, "decoder: Strip without a character");
    if (start < 0 || start > 1000000)
        return zc_diag(dg, ZC_ELIMIT, "decoder: Strip of %lld characters", (long long)start);
    if (json_integer_value(json_object_get(spec, "stop")) != 0)
        return zc_diag(dg, ZC_EUNSUPPORTED, "decoder: Strip at the end is not supported");
    memcpy(d->strip, content, strlen(content) + 1);
    d->strip_left = (unsigned)start;
    return ZC_OK;
}

/* One step of a sequence, or the only one; *place is what may still come. */
static int read_step(struct zt_decoder *d, const json_t *spec, enum place *place,
                     struct zc_diag *dg)
{
    const char *type = json_string_value(json_object_get(spec, "type"));
    static const char *const names[AT_END] = {"Replace", "ByteFallback", "Fuse", "Strip"};
    int at = 0;

    while (type && at < AT_END && strcmp(type, names[at]) != 0)
        at++;
    if (!type)
        return zc_diag(dg, ZC_EFORMAT, "decoder: no type");
    if (at == AT_END)
        return zc_diag(dg, ZC_EUNSUPPORTED, "decoder '%s' is not supported%s", type,
                       *place == AT_REPLACE ? "" : " in this sequence");
    /* Without Fuse in front, Strip would strip every token. */
    if (at < (int)*place || (at == AT_STRIP && *place != AT_STRIP))
        return zc_diag(dg, ZC_EUNSUPPORTED, "decoder: '%s' in this place is not supported", type);
    *place = at == AT_REPLACE ? AT_REPLACE : (enum place)(at + 1);
    d->byte_fallback |= at == AT_FALLBACK;
    return at == AT_REPLACE ? read_replace(d, spec, dg)
           : at == AT_STRIP ? read_strip(d, spec, dg)
                            : ZC_OK;
}

static int read_metaspace(struct zt_decoder *d, const json_t *spec, struct zc_diag *dg)
{
    const char *rep = json_string_value(json_object_get(spec, "replacement"));
    const char *scheme = json_string_value(json_object_get(spec, "prepend_scheme"));

    if (!rep || !*rep)
        return zc_diag(dg, ZC_EFORMAT, "decoder: Metaspace without a replacement");
    d->kind = ZT_DECODER_META;
    d->drops_first = !json_is_false(json_object_get(spec, "add_prefix_space")) &&
                     !(scheme && strcmp(scheme, "never") == 0);
    return add_replace(d, rep, " ", dg);
}

int zt_decoder_init(struct zt_decoder *d, const json_t *spec, struct zc_diag *dg)
{
    const json_t *list = json_object_get(spec, "decoders"), *one;
    const char *type = json_string_value(json_object_get(spec, "type"));
    enum place place = AT_REPLACE;
    size_t i;
    int r = ZC_OK;

    *d = (struct zt_decoder){.kind = ZT_DECODER_NONE};
    if (!spec || json_is_null(spec))
        return ZC_OK;
    if (type && strcmp(type, "Sequence") == 0 && json_array_size(list) == 1) {
        spec = json_array_get(list, 0);
        type = json_string_value(json_object_get(spec, "type"));
    }
    if (type && strcmp(type, "Metaspace") == 0)
        return read_metaspace(d, spec, dg);
    d->kind = type && strcmp(type, "ByteLevel") == 0 ? ZT_DECODER_BYTES : ZT_DECODER_STEPS;
    if (d->kind == ZT_DECODER_BYTES)
        return ZC_OK;
    if (!type || strcmp(type, "Sequence") != 0)
        return read_step(d, spec, &place, dg);
    if (!json_is_array(list))
        return zc_diag(dg, ZC_EFORMAT, "decoder: Sequence without 'decoders'");
    json_array_foreach (list, i, one) {
        if ((r = read_step(d, one, &place, dg)) < 0)
            break;
    }
    return r;
}

void zt_decoder_release(struct zt_decoder *d)
{
    for (size_t i = 0; i < d->n_replaces; i++) {
        zc_free(d->replaces[i].from);
        zc_free(d->replaces[i].to);
    }
    zc_free(d->unknown);
    *d = (struct zt_decoder){.kind = ZT_DECODER_NONE};
}
