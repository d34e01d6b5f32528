/* SPDX-License-Identifier: MIT */
/* Search for stop strings in a growing text, by Knuth, Morris and Pratt: what of a stop has been
 * matched is kept, and where the next byte does not go on with it, the longest shorter beginning is
 * tried that the text still ends with. */
#include "zoracd/serve/zs_stop.h"

#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"

/* How much of s the text ends with after one more byte, when it was `matched` before. */
static size_t advance(const struct zs_stop *s, size_t matched, char byte)
{
    while (matched > 0 && (matched == s->len || s->text[matched] != byte))
        matched = s->back[matched - 1];
    return s->text[matched] == byte ? matched + 1 : 0;
}

int zs_stop_init(struct zs_stop *s, const char *text, size_t len)
{
    void *copy, *back = NULL;

    ZC_BUG_ON(len == 0 || len > ZS_STOP_MAX_BYTES);
    int r = zc_try_malloc(&copy, len, 1, ZS_STOP_MAX_BYTES);
    if (r < 0)
        return r;
    r = zc_try_calloc(&back, len, sizeof *s->back, ZS_STOP_MAX_BYTES * sizeof *s->back);
    if (r < 0) {
        zc_free(copy);
        return r;
    }
    memcpy(copy, text, len);
    *s = (struct zs_stop){copy, len, back};
    for (size_t i = 1; i < len; i++)
        s->back[i] = (uint16_t)advance(s, s->back[i - 1], text[i]);
    return ZC_OK;
}

void zs_stop_release(struct zs_stop *s)
{
    zc_free(s->text);
    zc_free(s->back);
    *s = (struct zs_stop){0};
}

int zs_stop_find(const struct zs_stop *stops, size_t n_stops, struct zs_stop_state *st,
                 const char *text, size_t len, size_t *ret_safe)
{
    size_t longest = 0;

    for (size_t i = 0; i < n_stops; i++)
        longest = st->matched[i] > longest ? st->matched[i] : longest;
    for (; st->seen < len; st->seen++) {
        size_t found = 0;
        longest = 0;
        for (size_t i = 0; i < n_stops; i++) {
            size_t m = advance(&stops[i], st->matched[i], text[st->seen]);
            st->matched[i] = (uint16_t)m;
            longest = m > longest ? m : longest;
            if (m == stops[i].len && m > found)
                found = m;
        }
        if (found) {
            *ret_safe = ++st->seen - found;
            return 1;
        }
    }
    *ret_safe = len - longest;
    return 0;
}
