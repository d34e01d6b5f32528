/* SPDX-License-Identifier: MIT */
/* Search for stop strings in a growing text. Lists are short and replies are looked at once per
 * token, from where the last look ended: the plain comparison is enough. */
#include "zoracd/serve/zs_stop.h"

#include <string.h>

int zs_stop_find(const struct zs_stop *stops, size_t n_stops, const char *text, size_t len,
                 size_t from, size_t *ret_safe)
{
    size_t safe = len, found_end = 0, found_at = 0;

    for (size_t pos = from; pos < len; pos++) {
        for (size_t i = 0; i < n_stops; i++) {
            size_t n = stops[i].len, have = len - pos;
            if (memcmp(text + pos, stops[i].text, n < have ? n : have) != 0)
                continue;
            if (n > have) {
                if (pos < safe)
                    safe = pos;
            } else if (found_end == 0 || pos + n < found_end) {
                /* Positions rise: of equal ends the first found is the longest. */
                found_end = pos + n;
                found_at = pos;
            }
        }
    }
    *ret_safe = found_end ? found_at : safe;
    return found_end ? 1 : 0;
}
