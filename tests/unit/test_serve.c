/* SPDX-License-Identifier: MIT */
/* Unit tests of the daemon's parts that need no model: mailbox, stop texts, parameters,
 * configuration, transcripts, sessions. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "common/zc_json.h"
#include "common/zc_mem.h"
#include "common/zc_rpc.h"
#include "tests/unit/t_unit.h"
#include "zoracd/serve/zs_config.h"
#include "zoracd/serve/zs_mailbox.h"
#include "zoracd/serve/zs_params.h"
#include "zoracd/serve/zs_session.h"

static struct zc_diag dg;

/* ---- mailbox ------------------------------------------------------------------------------ */

START_TEST(mailbox_is_bounded_and_in_order)
{
    struct zs_mailbox *mb;
    int v = 0;

    t_assert_err(zs_mailbox_new(&mb, 4, sizeof v, &dg), ZC_OK, &dg);
    ck_assert_int_eq(zs_mailbox_pop(mb, &v), 0);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 4; i++)
            ck_assert_int_eq(zs_mailbox_push(mb, &i), ZC_OK);
        ck_assert_int_eq(zs_mailbox_push(mb, &v), ZC_EBUSY);
        for (int i = 0; i < 4; i++)
            ck_assert(zs_mailbox_pop(mb, &v) == 1 && v == i);
    }
    zs_mailbox_free(mb);
    zs_mailbox_free(NULL);
}
END_TEST

enum { N_ITEMS = 200000 };

static void *produce(void *arg)
{
    struct zs_mailbox *mb = arg;

    for (int i = 0; i < N_ITEMS;) {
        if (zs_mailbox_push(mb, &i) == ZC_OK && i++ % 3 == 0)
            zs_mailbox_ring(mb);
        else if (i % 1000 == 0)
            zs_mailbox_ring(mb);
    }
    zs_mailbox_ring(mb);
    return NULL;
}

/* The consumer sleeps whenever the ring is empty: a lost bell would leave it there. */
START_TEST(mailbox_loses_no_item_and_no_bell)
{
    struct zs_mailbox *mb;
    pthread_t thread;
    int v, want = 0;

    t_assert_err(zs_mailbox_new(&mb, 64, sizeof v, &dg), ZC_OK, &dg);
    ck_assert_int_eq(pthread_create(&thread, NULL, produce, mb), 0);
    while (want < N_ITEMS) {
        while (zs_mailbox_pop(mb, &v))
            ck_assert_int_eq(v, want++);
        if (want < N_ITEMS)
            zs_mailbox_wait(mb, 20000);
    }
    pthread_join(thread, NULL);
    zs_mailbox_free(mb);
}
END_TEST

/* ---- stop texts --------------------------------------------------------------------------- */

/* Feeds text in pieces of `step` bytes; gives where it was cut, or its length. */
static size_t cut(const struct zs_stop *stops, size_t n, const char *text, size_t len, size_t step)
{
    struct zs_stop_state st = {0};
    size_t safe = 0, shown = 0;

    for (size_t have = step; have < len + step; have += step) {
        size_t end = have < len ? have : len;
        int found = zs_stop_find(stops, n, &st, text, end, &safe);
        ck_assert_uint_le(safe, end);
        ck_assert_msg(safe >= shown, "text that was shown is taken back");
        shown = safe;
        if (found)
            return safe;
    }
    return len;
}

/* The same in the plainest way. */
static size_t plain_cut(const struct zs_stop *stops, size_t n, const char *text, size_t len)
{
    for (size_t end = 1; end <= len; end++)
        for (size_t at = 0; at < end; at++)
            for (size_t i = 0; i < n; i++)
                if (stops[i].len == end - at && memcmp(text + at, stops[i].text, end - at) == 0)
                    return at;
    return len;
}

START_TEST(stop_texts_cut_alike_however_the_text_comes)
{
    static const struct {
        const char *stops[2], *text;
        size_t at;
    } cases[] = {
        {{"END"}, "the END of it", 4},
        {{"END"}, "EEND", 1},
        {{"END"}, "EN and EN", 9},
        {{"aab"}, "aaab", 1},
        {{"abcd", "b"}, "xabcd", 2},
        {{"aab", "b"}, "xaab", 1},
        {{"\xe2\x82\xac"}, "1 \xe2\x82\xac", 2},
        {{"\xe2\x82\xac"}, "1 \xe2\x82\xad", 5},
        {{"abab", "bb"}, "xabababb", 1},
        {{"aabaaa"}, "aabaabaaa", 3},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct zs_stop stops[2];
        size_t n = cases[i].stops[1] ? 2 : 1, len = strlen(cases[i].text);
        for (size_t k = 0; k < n; k++)
            ck_assert_int_eq(zs_stop_init(&stops[k], cases[i].stops[k], strlen(cases[i].stops[k])),
                             ZC_OK);
        ck_assert_uint_eq(plain_cut(stops, n, cases[i].text, len), cases[i].at);
        for (size_t step = 1; step < 14; step++)
            ck_assert_msg(cut(stops, n, cases[i].text, len, step) == cases[i].at,
                          "case %zu in pieces of %zu: %zu", i, step,
                          cut(stops, n, cases[i].text, len, step));
        for (size_t k = 0; k < n; k++)
            zs_stop_release(&stops[k]);
    }
}
END_TEST

/* Texts of two letters, in which beginnings of stops overlap in every way. */
START_TEST(stop_texts_are_found_as_the_plain_search_finds_them)
{
    unsigned seed = 1;
    char text[40];

    for (int round = 0; round < 20000; round++) {
        struct zs_stop stops[3];
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = (seed = seed * 1664525 + 1013904223) >> 30 ? 'a' : 'b';
        for (size_t k = 0; k < 3; k++) {
            size_t len = 3 + (seed = seed * 1664525 + 1013904223) % 7;
            char stop[16];
            for (size_t i = 0; i < len; i++)
                stop[i] = (seed = seed * 1664525 + 1013904223) >> 30 ? 'a' : 'b';
            ck_assert_int_eq(zs_stop_init(&stops[k], stop, len), ZC_OK);
        }
        size_t want = plain_cut(stops, 3, text, sizeof text);
        ck_assert_uint_eq(cut(stops, 3, text, sizeof text, 1 + (size_t)round % 5), want);
        for (size_t k = 0; k < 3; k++)
            zs_stop_release(&stops[k]);
    }
}
END_TEST

/* As many and as long as they may be, in a text that is always nearly one of them: a search that
 * looked again at what it has seen would be at it for minutes. */
START_TEST(stop_texts_cost_the_same_whatever_the_text)
{
    enum { LEN = 100000 };
    struct zs_stop stops[ZS_STOP_MAX_TEXTS];
    char text[ZS_STOP_MAX_BYTES];
    char *reply = zc_xmalloc(LEN);

    memset(text, 'a', sizeof text);
    memset(reply, 'a', LEN);
    text[sizeof text - 1] = 'b';
    for (size_t i = 0; i < ZS_STOP_MAX_TEXTS; i++)
        ck_assert_int_eq(zs_stop_init(&stops[i], text, sizeof text), ZC_OK);
    ck_assert_uint_eq(cut(stops, ZS_STOP_MAX_TEXTS, reply, LEN, 1), LEN);
    for (size_t i = 0; i < ZS_STOP_MAX_TEXTS; i++)
        zs_stop_release(&stops[i]);
    zc_free(reply);
}
END_TEST

/* ---- parameters --------------------------------------------------------------------------- */

static msgpack_unpacked unpacked;
static struct zc_buf packed;
static long fail_at; /* the allocation of zs_params_read that fails, then what is left of it */

/* Params of generate from JSON; release them afterwards. */
static int read_params(struct zs_params *p, const char *json)
{
    struct zc_wire_args args;
    msgpack_packer pk;
    size_t off = 0;
    json_t *v = json_loads(json, 0, NULL);

    ck_assert_ptr_nonnull(v);
    zc_buf_init(&packed, 1 << 16);
    zc_rpc_packer(&pk, &packed);
    zc_json_pack(&pk, v, NULL);
    json_decref(v);
    msgpack_unpacked_init(&unpacked);
    msgpack_unpack_next(&unpacked, packed.data, packed.len, &off);
    t_assert_err(zc_wire_check(&args, ZC_M_GENERATE, &unpacked.data, &dg), ZC_OK, &dg);
    zc_mem_fail_at(fail_at);
    int r = zs_params_read(p, &args, &dg);
    fail_at = zc_mem_fail_at(0);
    return r;
}

static void release_params(struct zs_params *p)
{
    zs_params_release(p);
    msgpack_unpacked_destroy(&unpacked);
    zc_buf_release(&packed);
}

static struct ze_config some_config(void)
{
    struct ze_config c = {.V = 100};
    c.gen.temperature = c.gen.top_p = c.gen.min_p = c.gen.typical_p = -1;
    c.gen.repetition_penalty = -1;
    c.gen.top_k = c.gen.do_sample = -1;
    return c;
}

START_TEST(parameters_come_from_request_then_model_then_us)
{
    struct ze_config config = some_config();
    struct zs_params p;

    t_assert_err(read_params(&p, "{}"), ZC_OK, &dg);
    t_assert_err(zs_params_resolve(&p, &config, &dg), ZC_OK, &dg);
    ck_assert(fabsf(p.s.temperature - 0.7f) < 1e-6f && p.s.top_k == 0 && p.n == 1 && p.stream);
    release_params(&p);

    config.gen.temperature = 0.3;
    config.gen.top_k = 50;
    t_assert_err(read_params(&p, "{\"top_k\": 7}"), ZC_OK, &dg);
    t_assert_err(zs_params_resolve(&p, &config, &dg), ZC_OK, &dg);
    ck_assert(fabsf(p.s.temperature - 0.3f) < 1e-6f && p.s.top_k == 7);
    release_params(&p);

    config.gen.do_sample = 0;
    t_assert_err(read_params(&p, "{}"), ZC_OK, &dg);
    t_assert_err(zs_params_resolve(&p, &config, &dg), ZC_OK, &dg);
    ck_assert(p.s.temperature == 0 && p.s.top_k == 50);
    release_params(&p);

    t_assert_err(read_params(&p, "{\"temperature\": 2, \"seed\": 9, \"stop\": [\"a\", \"bc\"]}"),
                 ZC_OK, &dg);
    t_assert_err(zs_params_resolve(&p, &config, &dg), ZC_OK, &dg);
    ck_assert(p.s.temperature == 2 && p.s.seed == 9 && p.n_stops == 2 && p.stops[1].len == 2);
    release_params(&p);
}
END_TEST

START_TEST(parameters_without_memory_are_an_error)
{
    struct zs_params p;
    int n = 0, r;

    do {
        fail_at = ++n;
        r = read_params(&p, "{\"stop\": [\"a\", \"bc\"], \"logit_bias\": {\"7\": 1}}");
        release_params(&p);
    } while (r == ZC_ENOMEM);
    ck_assert_int_eq(r, ZC_OK);
    ck_assert_int_eq(n, 6); /* two for each stop, one for logit_bias: each has failed */
    fail_at = 0;
}
END_TEST

START_TEST(parameters_that_make_no_sense_are_named)
{
    struct ze_config config = some_config();
    struct zs_params p;

    t_assert_err(read_params(&p, "{\"stop\": [\"a\", \"\"]}"), ZC_EINVAL, &dg);
    ck_assert_str_eq(dg.text, "stop must not have an empty text");
    release_params(&p);
    char *json = zc_xasprintf("{\"stop\": \"%01025d\"}", 0);
    t_assert_err(read_params(&p, json), ZC_ELIMIT, &dg);
    ck_assert_str_eq(dg.text, "stop has a text of 1025 bytes, the limit is 1024");
    zc_free(json);
    release_params(&p);
    t_assert_err(read_params(&p, "{\"logit_bias\": {\"100\": 1}}"), ZC_OK, &dg);
    t_assert_err(zs_params_resolve(&p, &config, &dg), ZC_EINVAL, &dg);
    ck_assert_ptr_nonnull(strstr(dg.text, "logit_bias"));
    release_params(&p);
}
END_TEST

/* ---- configuration ------------------------------------------------------------------------ */

START_TEST(configuration_is_read_line_by_line)
{
    static const char text[] = "# a comment\nmodel = /m\ncontext = 4096\nmemory-limit = 6GiB\n"
                               "exact = yes\nlog-level = debug\nlimit-sessions-per-user = 5\n";
    struct zs_config c;

    zs_config_init(&c);
    t_assert_err(zs_config_parse(&c, "f", text, strlen(text), &dg), ZC_OK, &dg);
    ck_assert_str_eq(c.model, "/m");
    ck_assert(c.context == 4096 && c.memory_limit == 6ull << 30 && c.exact);
    ck_assert(c.log_level == ZC_LOG_DEBUG && c.limits.sessions_per_user == 5);
    t_assert_err(zs_config_check(&c, &dg), ZC_OK, &dg);
    zs_config_release(&c);
}
END_TEST

#define THIRD     "a third of a line that is longer than what is taken of a line ... "
#define LONG_LINE THIRD THIRD THIRD

START_TEST(configuration_names_file_line_and_key)
{
    static const struct {
        const char *text, *says;
    } bad[] = {
        {"a = 1\n", "f:1: unknown key 'a'"},
        {"\n\ncontext = 1x\n", "f:3: context is a number from 0 to"},
        {"context = -1\n", "f:1: context"},
        {"context = 99999999999999999999\n", "f:1: context"},
        {"memory-limit = 1QB\n", "f:1: memory-limit is a size"},
        {"memory-limit = 99999999TiB\n", "f:1: memory-limit"},
        {"memory-limit = 6 iB\n", "f:1: memory-limit is a size"},
        {"\n# " LONG_LINE " model = /m\n", "f:2: a line of more than 198 bytes"},
        {"exact = 2\n", "f:1: exact is yes or no"},
        {"model =\n", "f:1: model needs a value"},
        {"log-level = x\nlog-level = y\n", "f:1: log-level is one of"},
        {"context = 5\ncontext = 5\n", "f:2: context is there twice"},
        {"[a]\nmodel = x\n", "f:1: there are no sections, but this line begins one: [a]"},
        {"\n \t[b]", "f:2: there are no sections"},
        {"\xef\xbb\xbf[c]\n", "f:1: there are no sections"},
        {"what\n", "f:1: not 'key = value'"},
        {"socket-mode = 888\n", "f:1: socket-mode is an octal number"},
        {"limit-unsent-bytes = 1\n", "f:1: limit-unsent-bytes is a number from 4096"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct zs_config c;
        zs_config_init(&c);
        t_assert_err(zs_config_parse(&c, "f", bad[i].text, strlen(bad[i].text), &dg), ZC_EINVAL,
                     &dg);
        ck_assert_msg(strncmp(dg.text, bad[i].says, strlen(bad[i].says)) == 0, "%s: %s",
                      bad[i].text, dg.text);
        zs_config_release(&c);
    }
}
END_TEST

START_TEST(configuration_survives_every_cut_and_flipped_bit)
{
    char text[] = "model = /m\ncontext = 4096\n[x]\nmemory-limit = 6GiB\n";

    for (size_t bit = 0; bit < 8 * (sizeof text - 1); bit++) {
        struct zs_config c;
        text[bit / 8] ^= (char)(1 << bit % 8);
        zs_config_init(&c);
        int r = zs_config_parse(&c, "f", text, sizeof text - 1 - bit % 7, &dg);
        ck_assert(r == ZC_OK || r == ZC_EINVAL);
        zs_config_release(&c);
        text[bit / 8] ^= (char)(1 << bit % 8);
    }
}
END_TEST

START_TEST(reload_takes_what_is_live_and_names_the_rest)
{
    struct zs_config a, b;
    struct zc_buf ignored;

    zs_config_init(&a);
    zs_config_init(&b);
    b.stop_timeout = 3;
    b.context = 77;
    b.model = zc_xstrdup("/other");
    zc_buf_init(&ignored, 100);
    zs_config_reload(&a, &b, &ignored);
    ck_assert(a.stop_timeout == 3 && a.context == 0 && !a.model);
    ck_assert_str_eq(zc_buf_str(&ignored), "model, context");
    zc_buf_release(&ignored);
    zs_config_release(&a);
    zs_config_release(&b);
}
END_TEST

/* The options of a command line given as words. */
static int read_options(struct zs_config *c, struct zs_cmdline *line, const char *words)
{
    static char text[256];
    char *argv[16];
    int argc = 0;

    snprintf(text, sizeof text, "zoracd %s", words);
    for (char *w = strtok(text, " "); w; w = strtok(NULL, " "))
        argv[argc++] = w;
    argv[argc] = NULL;
    return zs_config_options(c, line, argc, argv, &dg);
}

START_TEST(options_are_checked)
{
    struct zs_cmdline line;
    struct zs_config c;

    zs_config_init(&c);
    t_assert_err(read_options(&c, &line, "-m /m --context=9 --exact --check -c f --"), ZC_OK, &dg);
    ck_assert(line.check && !line.help && c.exact && c.context == 9);
    ck_assert_str_eq(line.file, "f");
    t_assert_err(read_options(&c, &line, "--context x"), ZC_EINVAL, &dg);
    t_assert_err(read_options(&c, &line, "-- --exact"), ZC_EINVAL, &dg);
    c.backend[0] = 'x';
    t_assert_err(zs_config_check(&c, &dg), ZC_EINVAL, &dg);
    zs_config_release(&c);
}
END_TEST

/* ---- transcripts and sessions ------------------------------------------------------------- */

/* A message of 5 letters with 3 ids: about 720 bytes. */
static struct zs_transcript *some_transcript(int n, size_t max)
{
    struct zs_transcript *t;

    ck_assert_int_eq(zs_transcript_new(&t, max), ZC_OK);
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(zs_transcript_add_reply(t, "hello", 5, (int32_t[]){1, 2, 3}, 3, NULL),
                         ZC_OK);
    return t;
}

START_TEST(transcript_without_memory_stays_as_it_is)
{
    struct zs_transcript *t = some_transcript(8, 100000); /* the ninth needs more room */
    static const int32_t ids[] = {1, 2, 3};
    size_t bytes = t->bytes;

    for (long n = 1; n <= 2; n++) {
        zc_mem_fail_at(n);
        ck_assert_int_eq(zs_transcript_add_reply(t, "hello", 5, ids, 3, &dg), ZC_ENOMEM);
        zc_mem_fail_at(0);
        ck_assert_uint_eq(zs_transcript_len(t), 8);
        ck_assert_uint_eq(t->bytes, bytes);
    }
    ck_assert_int_eq(zs_transcript_add_reply(t, "hello", 5, ids, 3, &dg), ZC_OK);
    zs_transcript_free(t);
}
END_TEST

START_TEST(transcript_counts_its_bytes)
{
    struct zs_transcript *t = some_transcript(3, 10000), *copy;

    ck_assert_uint_eq(zs_transcript_len(t), 3);
    size_t each = t->bytes / 3;
    ck_assert_uint_gt(each, 20);
    zs_transcript_truncate(t, 1);
    ck_assert_uint_eq(t->bytes, each);
    ck_assert_int_eq(zs_transcript_copy(&copy, t), ZC_OK);
    ck_assert(json_equal(t->messages, copy->messages) && copy->bytes == each);
    ck_assert(copy->reply[0].n == 3 && copy->reply[0].ids[2] == 3);
    /* a reply is kept in any case, what follows it is not */
    t->max_bytes = each + 10;
    ck_assert_int_eq(zs_transcript_add_reply(t, "hello", 5, NULL, 0, &dg), ZC_OK);
    ck_assert_uint_eq(zs_transcript_len(t), 2);
    zs_transcript_free(copy);
    ck_assert_int_eq(zs_transcript_copy(&copy, t), ZC_OK);
    zs_transcript_truncate(t, 0);
    ck_assert_uint_eq(t->bytes, 0);
    zs_transcript_free(t);
    zs_transcript_free(copy);
    zs_transcript_free(NULL);
}
END_TEST

/* ---- what jansson takes, as an allocator counts it: 16 bytes at a time, each with 8 before it --
 */

static size_t taken;

static size_t rounded(size_t n)
{
    return n + 8 < 32 ? 32 : (n + 8 + 15) / 16 * 16;
}

static void *counted_malloc(size_t n)
{
    size_t *p = malloc(n + 16);

    ck_assert_ptr_nonnull(p);
    *p = rounded(n);
    taken += *p;
    return p + 2;
}

static void counted_free(void *at)
{
    size_t *p = at;

    if (!p)
        return;
    taken -= p[-2];
    free(p - 2);
}

/* Checks the account of n times the value, in an array or under keys of that many letters. */
static void check_account(size_t n, const char *value, int letters)
{
    size_t before = taken;
    json_t *v = letters ? json_object() : json_array();

    for (size_t i = 0; i < n; i++) {
        char key[128];
        json_t *item = json_loads(value, JSON_DECODE_ANY, NULL);
        snprintf(key, sizeof key, "%0*zu", letters, i);
        ck_assert_int_eq(
            letters ? json_object_set_new(v, key, item) : json_array_append_new(v, item), 0);
    }
    size_t all = taken - before, booked = zs_json_bytes(v);
    ck_assert_msg(all <= booked && booked < 2 * all + 64, "%zu times %s (%d): %zu booked of %zu", n,
                  value, letters, booked, all);
    json_decref(v);
    ck_assert_uint_eq(taken, before);
}

START_TEST(what_a_value_takes_is_booked)
{
    static const char *const values[] = {
        "{}",   "[]",        "0",    "1.5",
        "\"\"", "{\"a\":0}", "[[]]", "\"a text of a few more bytes than fit\"",
        "null"};
    json_malloc_t old_malloc;
    json_free_t old_free;

    json_get_alloc_funcs(&old_malloc, &old_free);
    json_set_alloc_funcs(counted_malloc, counted_free);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        for (size_t n = 0; n < 70; n++)
            for (int letters = 0; letters <= 100; letters += 20)
                check_account(n, values[i], letters);
    check_account(100000, "{}", 0);
    check_account(65537, "0", 7);
    json_set_alloc_funcs(old_malloc, old_free);
}
END_TEST

START_TEST(sessions_are_forgotten_the_longest_idle_first)
{
    struct zs_user_list users = LIST_HEAD_INITIALIZER(users);
    struct zs_user *u = zs_user_get(&users, 7);
    struct zs_limits lim = {.sessions_per_user = 3, .transcripts_per_user_bytes = 100000};
    struct zs_session *s[5], *found;
    char name[4];

    ck_assert_ptr_eq(u, zs_user_get(&users, 7));
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "s%d", i);
        t_assert_err(zs_session_put(u, &lim, name, 2, some_transcript(1, 10000), &s[i], &dg), ZC_OK,
                     &dg);
    }
    struct zs_transcript *lent = zs_session_lend(s[0]);
    t_assert_err(zs_session_check_idle(s[0], &dg), ZC_EBUSY, &dg);
    t_assert_err(zs_session_put(u, &lim, "s3", 2, some_transcript(1, 10000), &s[3], &dg), ZC_OK,
                 &dg);
    t_assert_err(zs_session_find(u, "s0", 2, &found, &dg), ZC_OK, &dg); /* busy: kept */
    t_assert_err(zs_session_find(u, "s1", 2, &found, &dg), ZC_ENOTFOUND, &dg);
    zs_session_return(s[0], lent, &lim);
    ck_assert_uint_eq(u->n_sessions, 3);
    ck_assert_uint_eq(u->transcript_bytes, 3 * s[0]->bytes);

    /* a session that takes its own place needs no other's */
    lim.transcripts_per_user_bytes = u->transcript_bytes;
    t_assert_err(zs_session_put(u, &lim, "s3", 2, some_transcript(1, 10000), &s[3], &dg), ZC_OK,
                 &dg);
    ck_assert_uint_eq(u->n_sessions, 3);
    lim.transcripts_per_user_bytes = 100000;

    /* a name again replaces what was there; without a name one is made up */
    t_assert_err(zs_session_put(u, &lim, "s0", 2, some_transcript(2, 10000), &found, &dg), ZC_OK,
                 &dg);
    ck_assert(found == s[0] && found->n_messages == 2);
    t_assert_err(zs_session_put(u, &lim, NULL, 0, some_transcript(0, 10000), &found, &dg), ZC_OK,
                 &dg);
    ck_assert_uint_gt(strlen(found->name), 8);
    ck_assert_uint_eq(u->n_sessions, 3);

    struct zs_transcript *t = some_transcript(0, 10000);
    t_assert_err(zs_session_put(u, &lim, "a\nb", 3, t, &found, &dg), ZC_EINVAL, &dg);
    t_assert_err(zs_session_put(u, &lim, "\xff", 1, t, &found, &dg), ZC_EINVAL, &dg);
    zs_transcript_free(t);

    /* bytes of all: the others go until it fits */
    lim.transcripts_per_user_bytes = 9 * s[0]->bytes / 4;
    t_assert_err(zs_session_put(u, &lim, "big", 3, some_transcript(4, 10000), &found, &dg), ZC_OK,
                 &dg);
    ck_assert_uint_eq(u->n_sessions, 2); /* an empty one costs nothing */
    zs_user_free(u);
    ck_assert(LIST_EMPTY(&users));
}
END_TEST

START_TEST(no_user_takes_the_last_places)
{
    struct zs_user_list users = LIST_HEAD_INITIALIZER(users);
    struct zs_limits lim = {.requests_per_user = 256};
    size_t all = 0, before = ZS_MAX_JOBS;
    int r;

    /* each in turn takes all that it gets */
    for (uid_t uid = 1; uid <= 7; uid++) {
        struct zs_user *u = zs_user_get(&users, uid);
        while ((r = zs_user_check_jobs(u, all, &lim, &dg)) == ZC_OK)
            u->n_jobs++, all++;
        ck_assert_int_eq(r, uid == 1 ? ZC_ELIMIT : ZC_EBUSY);
        ck_assert_uint_ge(u->n_jobs, before / 2);
        before = u->n_jobs;
    }
    ck_assert_uint_lt(all, ZS_MAX_JOBS);
    while (!LIST_EMPTY(&users))
        zs_user_free(LIST_FIRST(&users));
}
END_TEST

START_TEST(messages_are_appended_all_or_none)
{
    struct zc_buf b;
    msgpack_packer pk;
    msgpack_unpacked u;
    size_t off = 0;

    zc_buf_init(&b, 1000);
    zc_rpc_packer(&pk, &b);
    msgpack_pack_array(&pk, 2);
    for (int i = 0; i < 2; i++) {
        msgpack_pack_map(&pk, 2);
        zc_rpc_kv_str(&pk, "role", "user");
        zc_rpc_kv_str(&pk, "content", i ? "x" : "y");
    }
    msgpack_unpacked_init(&u);
    ck_assert_int_eq(msgpack_unpack_next(&u, b.data, b.len, &off), MSGPACK_UNPACK_SUCCESS);
    struct zs_transcript *t = some_transcript(1, 3000);
    size_t before = t->bytes;
    /* the second message is over the limit: neither stays */
    t_assert_err(zs_transcript_append(t, &u.data, &dg), ZC_OK, &dg);
    zs_transcript_truncate(t, 1);
    t->max_bytes = before * 2;
    t_assert_err(zs_transcript_append(t, &u.data, &dg), ZC_ELIMIT, &dg);
    ck_assert(zs_transcript_len(t) == 1 && t->bytes == before);
    zs_transcript_free(t);
    msgpack_unpacked_destroy(&u);
    zc_buf_release(&b);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("serve");
    TCase *tc = tcase_create("mailbox");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, mailbox_is_bounded_and_in_order);
    tcase_add_test(tc, mailbox_loses_no_item_and_no_bell);
    suite_add_tcase(s, tc);
    tc = tcase_create("stop");
    tcase_add_test(tc, stop_texts_cut_alike_however_the_text_comes);
    tcase_add_test(tc, stop_texts_are_found_as_the_plain_search_finds_them);
    tcase_add_test(tc, stop_texts_cost_the_same_whatever_the_text);
    suite_add_tcase(s, tc);
    tc = tcase_create("params");
    tcase_add_test(tc, parameters_come_from_request_then_model_then_us);
    tcase_add_test(tc, parameters_without_memory_are_an_error);
    tcase_add_test(tc, parameters_that_make_no_sense_are_named);
    suite_add_tcase(s, tc);
    tc = tcase_create("config");
    tcase_add_test(tc, configuration_is_read_line_by_line);
    tcase_add_test(tc, configuration_names_file_line_and_key);
    tcase_add_test(tc, configuration_survives_every_cut_and_flipped_bit);
    tcase_add_test(tc, reload_takes_what_is_live_and_names_the_rest);
    tcase_add_test(tc, options_are_checked);
    suite_add_tcase(s, tc);
    tc = tcase_create("sessions");
    tcase_add_test(tc, transcript_counts_its_bytes);
    tcase_add_test(tc, what_a_value_takes_is_booked);
    tcase_add_test(tc, transcript_without_memory_stays_as_it_is);
    tcase_add_test(tc, sessions_are_forgotten_the_longest_idle_first);
    tcase_add_test(tc, no_user_takes_the_last_places);
    tcase_add_test(tc, messages_are_appended_all_or_none);
    suite_add_tcase(s, tc);
    return t_run(s);
}
