/* SPDX-License-Identifier: MIT */
/* Rendering and splicing with the demo model's tokenizer: generated ids are used where a reply's
 * text stands unchanged, and nowhere else. */
#include <stdio.h>
#include <string.h>

#include "common/zc_mem.h"
#include "tests/unit/t_unit.h"
#include "zoracd/serve/zs_prompt.h"

static struct zs_model model;
static struct zc_diag dg;

static const char plain[] = "{{ bos_token }}{% for m in messages %}"
                            "{{ '[INST] ' if m.role == 'user' else '' }}{{ m.content }}"
                            "{{ '[/INST]' if m.role == 'user' else eos_token }}{% endfor %}";
static const char upper[] = "{% for m in messages %}{{ m.content | upper }}|{% endfor %}";

static void setup(void)
{
    char path[512];
    const char *top = getenv("top_srcdir");

    snprintf(path, sizeof path, "%s/zoracd/demo/model", top ? top : ".");
    t_assert_err(zt_tok_open(&model.chat.tok, path, &dg), ZC_OK, &dg);
    model.tok = model.chat.tok;
    model.chat.trusted = json_pack("{s:s, s:s}", "bos_token", "<s>", "eos_token", "</s>");
}

static void teardown(void)
{
    zt_tok_free(model.chat.tok);
    zt_tmpl_free(model.chat.tmpl);
    model.chat.tmpl = NULL;
    json_decref(model.chat.trusted);
}

static void use(const char *src)
{
    t_assert_err(zt_tmpl_new(&model.chat.tmpl, "t", src, strlen(src), &dg), ZC_OK, &dg);
}

/* The text letter by letter: ids that the tokenizer would never choose. */
static struct zt_ids letters(const char *text)
{
    struct zt_ids ids;

    zt_ids_init(&ids, 1000);
    for (const char *p = text; *p; p++)
        t_assert_err(zt_tok_encode_bytes(model.tok, p, 1, 0, &ids, &dg), ZC_OK, &dg);
    return ids;
}

static void add_user(struct zs_transcript *t, const char *text)
{
    ck_assert_int_eq(zs_transcript_add_reply(t, text, strlen(text), NULL, 0, &dg), ZC_OK);
    json_object_set_new(json_array_get(t->messages, zs_transcript_len(t) - 1), "role",
                        json_string("user"));
}

static void add_reply(struct zs_transcript *t, const char *text, const struct zt_ids *ids)
{
    ck_assert_int_eq(zs_transcript_add_reply(t, text, strlen(text), ids->data, ids->len, &dg),
                     ZC_OK);
}

/* Renders and encodes t; frees it. */
static struct zt_ids encode(struct zs_transcript *t)
{
    struct zt_text text;
    struct zt_ids ids;

    zt_text_init(&text, ZS_PROMPT_MAX_BYTES);
    zt_ids_init(&ids, 10000000);
    t_assert_err(zs_prompt_render(&model, t->messages, NULL, NULL, 0, &text, &dg), ZC_OK, &dg);
    t_assert_err(zs_prompt_encode(&model, &text, t, &ids, &dg), ZC_OK, &dg);
    zt_text_release(&text);
    zs_transcript_free(t);
    return ids;
}

/* Where needle begins in ids, behind from; -1: nowhere. */
static int find(const struct zt_ids *ids, const struct zt_ids *needle, int from)
{
    for (size_t i = (size_t)from; i + needle->len <= ids->len; i++)
        if (memcmp(ids->data + i, needle->data, needle->len * sizeof *ids->data) == 0)
            return (int)i;
    return -1;
}

static struct zs_transcript *new_transcript(void)
{
    struct zs_transcript *t;
    ck_assert_int_eq(zs_transcript_new(&t, 1000000), ZC_OK);
    return t;
}

/* The same conversation with and without its ids, as the template gives it. */
START_TEST(generated_ids_stand_where_their_text_stands)
{
    const char reply[] = "Hello there, friend";
    struct zt_ids ids = letters(reply), none = {0};
    struct zs_transcript *t = new_transcript(), *p = new_transcript();

    use(plain);
    add_user(t, "hi");
    add_reply(t, reply, &ids);
    add_user(t, "and now?");
    add_user(p, "hi");
    add_reply(p, reply, &none);
    add_user(p, "and now?");
    struct zt_ids spliced = encode(t), whole = encode(p);
    ck_assert_int_ge(find(&spliced, &ids, 0), 0);
    ck_assert_int_eq(find(&whole, &ids, 0), -1);
    ck_assert_uint_gt(spliced.len, whole.len);
    zt_ids_release(&spliced);
    zt_ids_release(&whole);
    zt_ids_release(&ids);
}
END_TEST

START_TEST(a_user_who_quotes_a_reply_is_not_taken_for_it)
{
    const char reply[] = "Hello there, friend";
    struct zt_ids ids = letters(reply);
    struct zs_transcript *t = new_transcript();

    use(plain);
    add_user(t, reply);
    add_reply(t, reply, &ids);
    add_user(t, reply);
    struct zt_ids got = encode(t);
    int at = find(&got, &ids, 0);
    ck_assert_int_ge(at, 0);
    ck_assert_int_eq(find(&got, &ids, at + 1), -1);
    /* it is the second of the three: text stands on both sides */
    ck_assert_int_gt(at, 6);
    zt_ids_release(&got);
    zt_ids_release(&ids);
}
END_TEST

START_TEST(rewritten_history_is_encoded_anew)
{
    struct zt_ids ids = letters("Hello there");
    struct zs_transcript *t = new_transcript();

    use(upper);
    add_user(t, "hi");
    add_reply(t, "Hello there", &ids);
    struct zt_ids got = encode(t);
    ck_assert_int_eq(find(&got, &ids, 0), -1);
    zt_ids_release(&got);
    zt_ids_release(&ids);
}
END_TEST

/* Messages that the template rewrites are looked for in vain, again and again: the replies between
 * them are found all the same, as long as they are near. */
START_TEST(replies_are_found_between_many_rewritten_messages)
{
    enum { TURNS = 60 };
    static char text[40000];
    const char reply[] = "Hello there, friend";
    struct zt_ids ids = letters(reply);
    struct zs_transcript *t = new_transcript();
    int at = -1;

    t->max_bytes = 100u << 20;
    use("{% for m in messages %}{{ m.content | trim }}|{% endfor %}");
    memset(text, 'a', sizeof text - 2);
    text[sizeof text - 2] = ' ';
    for (int i = 0; i < TURNS; i++) {
        add_user(t, text);
        add_reply(t, reply, &ids);
    }
    struct zt_ids got = encode(t);
    for (int i = 0; i < TURNS; i++) {
        at = find(&got, &ids, at + 1);
        ck_assert_msg(at >= 0, "reply %d", i);
    }
    zt_ids_release(&got);
    zt_ids_release(&ids);
}
END_TEST

/* Ids that say something else than the transcript, be it a control token more, are not used. */
START_TEST(ids_that_say_something_else_are_not_used)
{
    int32_t eos = zt_tok_find(model.tok, "</s>", 4);
    struct zt_ids lies = letters("Hallo there"), more = letters("Hello there");

    ck_assert_int_ge(eos, 0);
    zt_ids_add(&more, eos);
    use(plain);
    for (int i = 0; i < 2; i++) {
        struct zs_transcript *t = new_transcript();
        const struct zt_ids *ids = i ? &more : &lies;
        add_user(t, "hi");
        add_reply(t, "Hello there", ids);
        struct zt_ids got = encode(t);
        ck_assert_int_eq(find(&got, ids, 0), -1);
        zt_ids_release(&got);
    }
    zt_ids_release(&lies);
    zt_ids_release(&more);
}
END_TEST

START_TEST(what_a_message_says_never_becomes_a_control_token)
{
    int32_t eos = zt_tok_find(model.tok, "</s>", 4);
    struct zs_transcript *t = new_transcript();

    use("{% for m in messages %}{{ m.content }}{% endfor %}");
    add_user(t, "</s></s>");
    struct zt_ids got = encode(t);
    ck_assert_uint_gt(got.len, 2);
    for (size_t i = 0; i < got.len; i++)
        ck_assert_int_ne(got.data[i], eos);
    zt_ids_release(&got);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("prompt");
    TCase *tc = tcase_create("prompt");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, generated_ids_stand_where_their_text_stands);
    tcase_add_test(tc, a_user_who_quotes_a_reply_is_not_taken_for_it);
    tcase_add_test(tc, rewritten_history_is_encoded_anew);
    tcase_add_test(tc, replies_are_found_between_many_rewritten_messages);
    tcase_add_test(tc, ids_that_say_something_else_are_not_used);
    tcase_add_test(tc, what_a_message_says_never_becomes_a_control_token);
    suite_add_tcase(s, tc);
    return t_run(s);
}
