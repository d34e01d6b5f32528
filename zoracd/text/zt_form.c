/* SPDX-License-Identifier: MIT */
/* Unicode's normal forms in linear time. What a character is made of, and what two compose to, is
 * utf8proc's; marks are put into order here, since utf8proc changes neighbours until nothing is to
 * change, the square of what one character may carry. */
#include "zoracd/text/zt_form.h"

#include <string.h>

#include "common/zc_err.h"
#include "common/zc_mem.h"
#include "common/zc_utf8.h"

#define MAX_BYTES ((size_t)4 << 30)
#define N_CLASSES 256

/* What the normal forms of Unicode 14 change or move and those of Unicode 9, which the reference's
 * tables are of, do not: marks, compatibility characters, one that is
 * composed, and what it is composed with. */
static const uint32_t newer[][2] = {
    {0x7fd, 0x7fd},     {0x898, 0x89f},     {0x8ca, 0x8d3},     {0x9fe, 0x9fe},
    {0xc3c, 0xc3c},     {0xd3b, 0xd3c},     {0xeba, 0xeba},     {0x1715, 0x1715},
    {0x1abf, 0x1ace},   {0x1df6, 0x1dfa},   {0x32ff, 0x32ff},   {0xa7f2, 0xa7f4},
    {0xa82c, 0xa82c},   {0xab69, 0xab69},   {0x10781, 0x10785}, {0x10787, 0x107b0},
    {0x107b2, 0x107ba}, {0x10d24, 0x10d27}, {0x10eab, 0x10eac}, {0x10f46, 0x10f50},
    {0x10f82, 0x10f85}, {0x11070, 0x11070}, {0x1133b, 0x1133b}, {0x1145e, 0x1145e},
    {0x11839, 0x1183a}, {0x11930, 0x11930}, {0x11938, 0x11938}, {0x1193d, 0x1193e},
    {0x11943, 0x11943}, {0x119e0, 0x119e0}, {0x11a34, 0x11a34}, {0x11a47, 0x11a47},
    {0x11a99, 0x11a99}, {0x11d42, 0x11d42}, {0x11d44, 0x11d45}, {0x11d97, 0x11d97},
    {0x16ff0, 0x16ff1}, {0x1e130, 0x1e136}, {0x1e2ae, 0x1e2ae}, {0x1e2ec, 0x1e2ef},
    {0x1f16c, 0x1f16c}, {0x1fbf0, 0x1fbf9}};

static bool is_newer(uint32_t c)
{
    size_t lo = 0, hi = sizeof newer / sizeof *newer;

    if (c < newer[0][0])
        return false;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (newer[mid][1] < c)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < sizeof newer / sizeof *newer && newer[lo][0] <= c;
}

/* Characters of n bytes, decomposed, into cp (NULL: they are only counted), which has room. */
static size_t decompose(int32_t *cp, size_t room, const char *p, size_t n, utf8proc_option_t form)
{
    size_t count = 0;
    uint32_t c;
    int boundary;

    for (size_t i = 0; i < n;) {
        i += (size_t)zc_utf8_get(p + i, &c);
        count += (size_t)utf8proc_decompose_char((utf8proc_int32_t)c, cp ? cp + count : NULL,
                                                 (utf8proc_ssize_t)(cp ? room - count : 0), form,
                                                 &boundary);
    }
    return count;
}

static unsigned class_of(int32_t cp)
{
    return (unsigned)utf8proc_get_property(cp)->combining_class;
}

/* Sorts n marks by their class; those of one class stay as they are. */
static void sort_marks(int32_t *cp, size_t n, int32_t *tmp)
{
    size_t place[N_CLASSES + 1] = {0};
    bool is_sorted = true;

    for (size_t i = 1; i < n && is_sorted; i++)
        is_sorted = class_of(cp[i - 1]) <= class_of(cp[i]);
    if (is_sorted)
        return;
    for (size_t i = 0; i < n; i++)
        place[class_of(cp[i]) % N_CLASSES + 1]++;
    for (size_t k = 1; k < N_CLASSES; k++)
        place[k] += place[k - 1];
    for (size_t i = 0; i < n; i++)
        tmp[place[class_of(cp[i]) % N_CLASSES]++] = cp[i];
    memcpy(cp, tmp, n * sizeof *cp);
}

/* Every run of marks; a character of class 0 begins anew. */
static void order_marks(int32_t *cp, size_t n, int32_t *tmp)
{
    size_t start = 0;

    for (size_t i = 0; i <= n; i++) {
        if (i < n && class_of(cp[i]) > 0)
            continue;
        sort_marks(cp + start, i - start, tmp);
        start = i + 1;
    }
}

/* Text without any of the newer characters. */
static int run_known(utf8proc_option_t form, const char *p, size_t n, struct zc_buf *out)
{
    char utf8[4];
    void *room;
    size_t count = decompose(NULL, 0, p, n, form);

    if (count == 0)
        return ZC_OK;
    int r = zc_try_malloc(&room, 2 * count, sizeof(int32_t), MAX_BYTES);
    if (r < 0)
        return r;
    int32_t *cp = room;
    decompose(cp, count, p, n, form);
    order_marks(cp, count, cp + count);
    utf8proc_ssize_t left = utf8proc_normalize_utf32(cp, (utf8proc_ssize_t)count, form);
    for (utf8proc_ssize_t i = 0; i < left; i++)
        zc_buf_add(out, utf8, (size_t)zc_utf8_put(utf8, (uint32_t)cp[i]));
    zc_free(room);
    return left < 0 ? ZC_EINTERNAL : zc_buf_error(out);
}

/* A newer character is what the reference takes it for: one that stands for itself. */
int zt_form_run(utf8proc_option_t form, const char *p, size_t n, struct zc_buf *out)
{
    size_t done = 0;
    uint32_t c;
    int r = ZC_OK;

    for (size_t i = 0, len; i < n && r >= 0; i += len) {
        len = (size_t)zc_utf8_get(p + i, &c);
        if (!is_newer(c))
            continue;
        r = run_known(form, p + done, i - done, out);
        zc_buf_add(out, p + i, len);
        done = i + len;
    }
    return r < 0 ? r : run_known(form, p + done, n - done, out);
}
