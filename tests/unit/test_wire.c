/* SPDX-License-Identifier: MIT */
/* Unit tests of the wire: the scanner, messages, the table's checks, JSON, sockets. */
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/zc_json.h"
#include "common/zc_mem.h"
#include "common/zc_rpc.h"
#include "common/zc_scan.h"
#include "common/zc_sock.h"
#include "common/zc_wire.h"
#include "tests/unit/t_unit.h"

static const struct zc_scan_limits small = {.bytes = 1000, .items = 100, .str = 200, .depth = 8};
static struct zc_diag dg;

/* Feeds all at once; gives the scanner's answer and, when whole, the length. */
static int scan(const void *p, size_t n, size_t *ret_len)
{
    struct zc_scan s;
    zc_scan_init(&s, &small);
    return zc_scan_feed(&s, p, n, ret_len, &dg);
}

/* One value of every msgpack type, in an array. */
static void pack_everything(struct zc_buf *b)
{
    msgpack_packer pk;
    char text[150];

    memset(text, 'x', sizeof text);
    zc_rpc_packer(&pk, b);
    msgpack_pack_array(&pk, 18);
    msgpack_pack_nil(&pk);
    msgpack_pack_true(&pk);
    msgpack_pack_int(&pk, 5);
    msgpack_pack_int(&pk, -5);
    msgpack_pack_uint64(&pk, UINT64_MAX);
    msgpack_pack_int64(&pk, INT64_MIN);
    msgpack_pack_int(&pk, 200);
    msgpack_pack_int(&pk, -200);
    msgpack_pack_int(&pk, 70000);
    msgpack_pack_float(&pk, 1.5f);
    msgpack_pack_double(&pk, 2.5);
    msgpack_pack_str_with_body(&pk, text, 5);
    msgpack_pack_str_with_body(&pk, text, 150);
    msgpack_pack_bin_with_body(&pk, text, 3);
    msgpack_pack_ext_with_body(&pk, text, 4, 1);
    msgpack_pack_ext_with_body(&pk, text, 7, 2);
    msgpack_pack_array(&pk, 0);
    msgpack_pack_map(&pk, 1);
    zc_rpc_put_str(&pk, "k");
    msgpack_pack_array(&pk, 1);
    msgpack_pack_map(&pk, 0);
    ck_assert_int_eq(zc_buf_error(b), ZC_OK);
}

START_TEST(scanner_finds_the_end_of_every_type)
{
    struct zc_buf b;
    size_t len = 0;

    zc_buf_init(&b, 4096);
    pack_everything(&b);
    size_t n = b.len;
    zc_buf_adds(&b, "rest of the stream");
    t_assert_err(scan(b.data, b.len, &len), ZC_OK, &dg);
    ck_assert_uint_eq(len, n);
    for (size_t cut = 0; cut < n; cut++)
        t_assert_err(scan(b.data, cut, &len), ZC_EAGAIN, &dg);
    zc_buf_release(&b);
}
END_TEST

START_TEST(scanner_goes_on_from_any_cut)
{
    struct zc_buf b;
    struct zc_scan s;
    size_t len = 0;

    zc_buf_init(&b, 4096);
    pack_everything(&b);
    for (size_t cut = 1; cut < b.len; cut++) {
        zc_scan_init(&s, &small);
        ck_assert_int_eq(zc_scan_feed(&s, b.data, cut, &len, &dg), ZC_EAGAIN);
        t_assert_err(zc_scan_feed(&s, b.data + cut, b.len - cut, &len, &dg), ZC_OK, &dg);
        ck_assert_uint_eq(len, b.len - cut);
        /* Ready for the next message. */
        ck_assert_int_eq(zc_scan_feed(&s, b.data, b.len, &len, &dg), ZC_OK);
        ck_assert_uint_eq(len, b.len);
    }
    zc_scan_init(&s, &small);
    for (size_t i = 0; i + 1 < b.len; i++)
        ck_assert_int_eq(zc_scan_feed(&s, b.data + i, 1, &len, &dg), ZC_EAGAIN);
    ck_assert_int_eq(zc_scan_feed(&s, b.data + b.len - 1, 1, &len, &dg), ZC_OK);
    zc_buf_release(&b);
}
END_TEST

START_TEST(scanner_refuses_what_is_announced_over_the_limits)
{
    size_t len;

    t_assert_err(scan("\xdb\xff\xff\xff\xff", 5, &len), ZC_ELIMIT, &dg);
    t_assert_err(scan("\xc6\x00\x00\x01\x00", 5, &len), ZC_ELIMIT, &dg);
    t_assert_err(scan("\xdd\xff\xff\xff\xff", 5, &len), ZC_ELIMIT, &dg);
    t_assert_err(scan("\xdf\xff\xff\xff\xff", 5, &len), ZC_ELIMIT, &dg);
    t_assert_err(scan("\xdc\x00\x65", 3, &len), ZC_ELIMIT, &dg); /* 101 values */
    t_assert_err(scan("\x91\x91\x91\x91\x91\x91\x91\x91\x91", 9, &len), ZC_ELIMIT, &dg);
    t_assert_err(scan("\x91\x91\x91\x91\x91\x91\x91\x90", 8, &len), ZC_OK, &dg);
    t_assert_err(scan("\xc1", 1, &len), ZC_EFORMAT, &dg);
    ck_assert(strstr(dg.text, "0xc1") != NULL);

    char big[1100];
    memset(big, 'x', sizeof big);
    /* Six strings of 199 bytes: each is allowed, their sum is over 1000 bytes. */
    size_t at = 0;
    big[at++] = '\x96';
    for (int i = 0; i < 5; i++, at += 199) {
        big[at++] = '\xd9';
        big[at++] = '\xc7';
    }
    t_assert_err(scan(big, at, &len), ZC_ELIMIT, &dg);
}
END_TEST

/* Whatever the scanner lets through, msgpack-c must take whole; and it must end. */
START_TEST(scanner_agrees_with_msgpack_on_flipped_bits)
{
    struct zc_buf b;
    int whole = 0;

    zc_buf_init(&b, 4096);
    pack_everything(&b);
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        size_t len = 0, off = 0;
        b.data[bit / 8] ^= (char)(1 << bit % 8);
        if (scan(b.data, b.len, &len) == ZC_OK) {
            msgpack_unpacked u;
            msgpack_unpacked_init(&u);
            ck_assert_int_eq(msgpack_unpack_next(&u, b.data, len, &off), MSGPACK_UNPACK_SUCCESS);
            ck_assert_uint_eq(off, len);
            msgpack_unpacked_destroy(&u);
            whole++;
        }
        b.data[bit / 8] ^= (char)(1 << bit % 8);
    }
    ck_assert_int_gt(whole, 100);
    zc_buf_release(&b);
}
END_TEST

/* ---- messages ----------------------------------------------------------------------------- */

START_TEST(messages_go_both_ways)
{
    struct zc_buf b;
    msgpack_packer pk;
    struct zc_rpc m;
    size_t n;

    zc_buf_init(&b, 4096);
    zc_rpc_packer(&pk, &b);
    zc_rpc_request(&pk, INT64_MAX, "status", 1);
    zc_rpc_kv_num(&pk, "x", 0.5);
    t_assert_err(zc_rpc_read(&m, b.data, b.len, &dg), ZC_OK, &dg);
    ck_assert_int_eq(m.type, ZC_RPC_REQUEST);
    ck_assert_int_eq(m.id, INT64_MAX);
    ck_assert(m.method_len == 6 && memcmp(m.method, "status", 6) == 0);
    ck_assert(zc_rpc_get_num(m.params, "x", 0) == 0.5);
    zc_rpc_release(&m);

    zc_buf_clear(&b);
    zc_rpc_result(&pk, 7, 3);
    zc_rpc_kv_str(&pk, "text", "hi");
    zc_rpc_kv_str(&pk, "nothing", NULL);
    zc_rpc_kv_bool(&pk, "yes", true);
    t_assert_err(zc_rpc_read(&m, b.data, b.len, &dg), ZC_OK, &dg);
    ck_assert(m.type == ZC_RPC_RESPONSE && m.id == 7 && !m.error && m.result);
    ck_assert(zc_rpc_get_str(m.result, "text", &n) && n == 2);
    const msgpack_object *yes = zc_rpc_get(m.result, "yes");
    ck_assert(!zc_rpc_get(m.result, "nothing") && yes && yes->via.boolean);
    zc_rpc_release(&m);

    struct zc_buf data;
    zc_buf_init(&data, 10);
    zc_buf_addc(&data, 5);
    zc_buf_clear(&b);
    zc_rpc_error(&pk, -1, "limit", "too much", &data);
    t_assert_err(zc_rpc_read(&m, b.data, b.len, &dg), ZC_OK, &dg);
    ck_assert(m.type == ZC_RPC_RESPONSE && m.id == -1 && m.error && !m.result);
    ck_assert(zc_rpc_is_str(zc_rpc_get(m.error, "code"), "limit"));
    ck_assert_int_eq(zc_rpc_get_int(m.error, "data", 0), 5);
    zc_rpc_release(&m);

    zc_buf_clear(&b);
    zc_rpc_event(&pk, "delta", 3, 1);
    zc_rpc_kv_int(&pk, "choice", 2);
    t_assert_err(zc_rpc_read(&m, b.data, b.len, &dg), ZC_OK, &dg);
    ck_assert(m.type == ZC_RPC_NOTIFICATION && zc_rpc_get_int(m.params, "id", 0) == 3);
    ck_assert_int_eq(zc_rpc_get_int(m.params, "choice", 0), 2);
    zc_rpc_release(&m);
    zc_buf_release(&data);
    zc_buf_release(&b);
}
END_TEST

START_TEST(malformed_messages_say_what_they_are)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *says;
        int64_t id;
    } cases[] = {
        {"\x05", 1, "array", -1},
        {"\x90", 1, "array", -1},
        {"\x94\x03\x01\xa1x\x90", 6, "type is not", -1},
        {"\x93\x00\x01\xa1x", 5, "4 elements", -1},
        {"\x94\x00\xff\xa1x\x90", 6, "id is not", -1},
        {"\x94\x00\x07\x05\x90", 5, "method is not", 7},
        {"\x94\x00\x07\xa1x\x05", 6, "parameters", 7},
        {"\x94\x00\x07\xa1x\x91\x05", 7, "not a map", 7},
        {"\x94\x00\x07\xa1x\x92\x80\x80", 8, "one map", 7},
        {"\x90\x90", 2, "not one msgpack value", -1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct zc_rpc m;
        t_assert_err(zc_rpc_read(&m, cases[i].bytes, cases[i].n, &dg), ZC_EFORMAT, &dg);
        ck_assert_msg(strstr(dg.text, cases[i].says) != NULL, "case %zu: %s", i, dg.text);
        ck_assert_int_eq(m.id, cases[i].id);
        zc_rpc_release(&m);
    }
}
END_TEST

/* ---- the table ---------------------------------------------------------------------------- */

/* Checks params, given as JSON, for a method given by name. */
static int check_json(const char *method, const char *json)
{
    enum zc_method m;
    struct zc_wire_args args;
    struct zc_buf b;
    msgpack_packer pk;
    msgpack_unpacked u;
    size_t off = 0;
    json_t *v = json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

    ck_assert_ptr_nonnull(v);
    ck_assert_int_eq(zc_wire_find(method, strlen(method), &m), ZC_OK);
    zc_buf_init(&b, 1 << 20);
    zc_rpc_packer(&pk, &b);
    ck_assert_int_eq(zc_json_pack(&pk, v, &dg), ZC_OK);
    msgpack_unpacked_init(&u);
    ck_assert_int_eq(msgpack_unpack_next(&u, b.data, b.len, &off), MSGPACK_UNPACK_SUCCESS);
    dg.text[0] = '\0';
    int r = zc_wire_check(&args, m, &u.data, &dg);
    msgpack_unpacked_destroy(&u);
    zc_buf_release(&b);
    json_decref(v);
    return r;
}

START_TEST(requests_that_are_right_pass)
{
    static const char *const good[] = {
        "{}",
        "{\"prompt\": \"a\", \"temperature\": 0, \"top_p\": 1, \"seed\": 9223372036854775807}",
        "{\"prompt\": [1, 2, 3], \"stop\": \"x\", \"n\": 16, \"max_tokens\": null}",
        "{\"messages\": [{\"role\": \"user\", \"content\": [1]}], \"stop\": [\"a\", \"b\"]}",
        "{\"logit_bias\": {\"12\": -100, \"0\": 1.5}, \"stream\": false}",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        t_assert_err(check_json("generate", good[i]), ZC_OK, &dg);
    t_assert_err(check_json("cancel", "{\"id\": 0}"), ZC_OK, &dg);
}
END_TEST

START_TEST(too_many_messages_are_over_a_limit)
{
    struct zc_buf json;

    zc_buf_init(&json, 1 << 20);
    for (int i = 0; i <= 4096; i++)
        zc_buf_addf(&json, "%s{\"role\":\"user\"}", i ? "," : "{\"messages\":[");
    zc_buf_adds(&json, "]}");
    t_assert_err(check_json("session.open", zc_buf_str(&json)), ZC_ELIMIT, &dg);
    ck_assert_str_eq(dg.text, "messages has 4097 elements, the limit is 4096");
    zc_buf_release(&json);
}
END_TEST

START_TEST(requests_that_are_wrong_name_the_key)
{
    static const struct {
        const char *method, *json, *says;
    } bad[] = {
        {"generate", "{\"temprature\": 1}", "generate has no parameter 'temprature'"},
        {"generate", "{\"temperature\": \"x\"}", "temperature must be a number"},
        {"generate", "{\"temperature\": 100.5}", "temperature must be from 0 to 100"},
        {"generate", "{\"top_k\": 1.5}", "top_k must be an integer"},
        {"generate", "{\"max_tokens\": 0}", "max_tokens must be from 1 to 16777216"},
        {"generate", "{\"seed\": -1}", "seed must be from 0 to"},
        {"generate", "{\"prompt\": [1, -2]}", "prompt[1] is not a token id"},
        {"generate", "{\"prompt\": {}}", "prompt must be a string or array of token ids"},
        {"generate", "{\"messages\": [{}]}", "messages[0] has no role"},
        {"generate", "{\"messages\": [{\"role\": 1}]}", "messages[0] has no role"},
        {"generate", "{\"messages\": 5}", "messages must be an array of message maps"},
        {"generate", "{\"stop\": [\"a\", 1]}", "stop[1] is not a string"},
        {"generate", "{\"session\": \"\"}", "session must not be empty"},
        {"generate", "{\"presence_penalty\": 2.1}", "presence_penalty must be from -2 to 2"},
        {"generate", "{\"logit_bias\": {\"x\": 1}}", "logit_bias has a key"},
        {"generate", "{\"logit_bias\": {\"3\": true}}", "logit_bias of token 3"},
        {"generate", "{\"stream\": 1}", "stream must be a boolean"},
        {"generate", "{\"tools\": [1]}", "tools[0] is not a map"},
        {"cancel", "{}", "cancel needs id"},
        {"cancel", "{\"id\": null}", "cancel needs id"},
        {"status", "{\"x\": 1}", "status has no parameter 'x'"},
        {"hello", "{\"session\": \"x\"}", "hello has no parameter 'session'"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        t_assert_err(check_json(bad[i].method, bad[i].json), ZC_EINVAL, &dg);
        ck_assert_msg(strstr(dg.text, bad[i].says) != NULL, "%s: %s", bad[i].json, dg.text);
    }
}
END_TEST

/* What JSON can't say: a key or a token that is there twice, strings that are no text. */
START_TEST(requests_that_are_no_json_are_refused)
{
#define BYTES(s) s, sizeof s - 1
    static const struct {
        enum zc_method method;
        const char *bytes;
        size_t n;
        const char *says;
    } bad[] = {
        {ZC_M_CANCEL, BYTES("\x82\xa2id\x01\xa2id\x02"), "id is there twice"},
        {ZC_M_GENERATE, BYTES("\x81\xaalogit_bias\x83\x07\x01\x08\x01\xa1\x37\x02"),
         "logit_bias has token 7 twice"},
        {ZC_M_GENERATE, BYTES("\x81\xaalogit_bias\x82\x07\x01\x07\x01"),
         "logit_bias has token 7 twice"},
        {ZC_M_GENERATE, BYTES("\x81\xaalogit_bias\x82\xa1\x37\x01\xa2\x30\x37\x01"),
         "logit_bias has token 7 twice"},
        {ZC_M_HELLO,
         BYTES("\x81\xa6"
               "client\xa1\xff"),
         "client is not UTF-8"},
        {ZC_M_GENERATE, BYTES("\x81\xa6prompt\xa2\xc3("), "prompt is not UTF-8"},
        {ZC_M_GENERATE, BYTES("\x81\xa4stop\xa1\x80"), "stop is not UTF-8"},
        {ZC_M_GENERATE, BYTES("\x81\xa4stop\x92\xa1x\xa1\x80"), "stop[1] is not UTF-8"},
    };
#undef BYTES
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct zc_wire_args args;
        msgpack_unpacked u;
        size_t off = 0;

        msgpack_unpacked_init(&u);
        ck_assert_int_eq(msgpack_unpack_next(&u, bad[i].bytes, bad[i].n, &off),
                         MSGPACK_UNPACK_SUCCESS);
        t_assert_err(zc_wire_check(&args, bad[i].method, &u.data, &dg), ZC_EINVAL, &dg);
        ck_assert_str_eq(dg.text, bad[i].says);
        msgpack_unpacked_destroy(&u);
    }
}
END_TEST

/* ---- JSON --------------------------------------------------------------------------------- */

START_TEST(json_comes_back_as_it_went)
{
    struct zc_buf b;
    msgpack_packer pk;
    msgpack_unpacked u;
    size_t off = 0;
    json_t *back = NULL;
    json_t *v = json_loads("{\"a\": [1, -2, 2.5, true, false, null, \"x\\u0000y\"], \"b\": {}}",
                           JSON_ALLOW_NUL, NULL);

    zc_buf_init(&b, 4096);
    zc_rpc_packer(&pk, &b);
    t_assert_err(zc_json_pack(&pk, v, &dg), ZC_OK, &dg);
    msgpack_unpacked_init(&u);
    ck_assert_int_eq(msgpack_unpack_next(&u, b.data, b.len, &off), MSGPACK_UNPACK_SUCCESS);
    t_assert_err(zc_json_unpack(&back, &u.data, "v", &dg), ZC_OK, &dg);
    ck_assert_int_eq(json_equal(v, back), 1);
    json_decref(v);
    json_decref(back);
    msgpack_unpacked_destroy(&u);
    zc_buf_release(&b);
}
END_TEST

START_TEST(json_faults_are_told_with_their_place)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *says;
    } cases[] = {
        {"\x91\x81\xa1k\xa1\xff", 6, "v[0].k: a string that is not UTF-8"},
        {"\x91\xc4\x01x", 4, "v[0]: binary"},
        {"\x81\x01\x02", 3, "v: a key that is not a string"},
        {"\x82\xa1k\x01\xa1k\x02", 7, "v.k: is there twice"},
        {"\xcb\x7f\xf8\0\0\0\0\0\0", 9, "v: a number that is not finite"},
        {"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9, "v: an integer of more than 63 bits"},
        {"\x81\xa1\xff\x02", 4, "not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        msgpack_unpacked u;
        json_t *v = NULL;
        size_t off = 0;
        msgpack_unpacked_init(&u);
        ck_assert_int_eq(msgpack_unpack_next(&u, cases[i].bytes, cases[i].n, &off),
                         MSGPACK_UNPACK_SUCCESS);
        t_assert_err(zc_json_unpack(&v, &u.data, "v", &dg), ZC_EFORMAT, &dg);
        ck_assert_msg(strstr(dg.text, cases[i].says) != NULL, "case %zu: %s", i, dg.text);
        msgpack_unpacked_destroy(&u);
    }
}
END_TEST

/* ---- sockets ------------------------------------------------------------------------------ */

START_TEST(socket_listens_connects_and_tells_the_peer)
{
    char dir[T_DIR], path[T_DIR + 8], found[ZC_SOCK_MAX];
    int lfd = -1, cfd = -1;
    struct zc_peer peer;
    struct stat st;

    t_dir(dir);
    snprintf(path, sizeof path, "%s/s", dir);
    t_assert_err(zc_sock_connect(path, &cfd, &dg), ZC_ENOTFOUND, &dg);
    if (access("/run/zoracd", F_OK) < 0) { /* both places where it looks are named */
        unsetenv("ZORAC_SOCKET");
        setenv("XDG_RUNTIME_DIR", dir, 1);
        t_assert_err(zc_sock_find(NULL, &cfd, found, &dg), ZC_ENOTFOUND, &dg);
        ck_assert(strstr(dg.text, dir) && strstr(dg.text, " or /run/zoracd/"));
    }
    t_assert_err(zc_sock_listen(path, 0600, &lfd, &dg), ZC_OK, &dg);
    ck_assert(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    setenv("ZORAC_SOCKET", path, 1);
    t_assert_err(zc_sock_find(NULL, &cfd, found, &dg), ZC_OK, &dg);
    ck_assert_str_eq(found, path);
    int afd = accept(lfd, NULL, NULL);
    ck_assert_int_ge(afd, 0);
    t_assert_err(zc_sock_peer(afd, &peer, &dg), ZC_OK, &dg);
    ck_assert(peer.uid == geteuid() && peer.pid == getpid());
    close(afd);
    close(cfd);
    close(lfd);
    t_assert_err(zc_sock_connect(path, &cfd, &dg), ZC_ENOTFOUND, &dg);
    unlink(path);
    rmdir(dir);
}
END_TEST

START_TEST(socket_paths_follow_the_environment)
{
    char path[ZC_SOCK_MAX], longer[200];

    unsetenv("ZORAC_SOCKET");
    setenv("XDG_RUNTIME_DIR", "/run/user/1", 1);
    t_assert_err(zc_sock_user_path(path, &dg), ZC_OK, &dg);
    ck_assert_str_eq(path, "/run/user/1/zorac/zoracd.sock");
    t_assert_err(zc_sock_daemon_path(path, "/x", &dg), ZC_OK, &dg);
    ck_assert_str_eq(path, "/x");
    setenv("ZORAC_SOCKET", "/y", 1);
    t_assert_err(zc_sock_daemon_path(path, NULL, &dg), ZC_OK, &dg);
    ck_assert_str_eq(path, "/y");
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    t_assert_err(zc_sock_daemon_path(path, longer, &dg), ZC_ELIMIT, &dg);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("wire");
    TCase *tc = tcase_create("scan");
    tcase_add_test(tc, scanner_finds_the_end_of_every_type);
    tcase_add_test(tc, scanner_goes_on_from_any_cut);
    tcase_add_test(tc, scanner_refuses_what_is_announced_over_the_limits);
    tcase_add_test(tc, scanner_agrees_with_msgpack_on_flipped_bits);
    suite_add_tcase(s, tc);
    tc = tcase_create("rpc");
    tcase_add_test(tc, messages_go_both_ways);
    tcase_add_test(tc, malformed_messages_say_what_they_are);
    suite_add_tcase(s, tc);
    tc = tcase_create("table");
    tcase_add_test(tc, requests_that_are_right_pass);
    tcase_add_test(tc, requests_that_are_wrong_name_the_key);
    tcase_add_test(tc, too_many_messages_are_over_a_limit);
    tcase_add_test(tc, requests_that_are_no_json_are_refused);
    suite_add_tcase(s, tc);
    tc = tcase_create("json");
    tcase_add_test(tc, json_comes_back_as_it_went);
    tcase_add_test(tc, json_faults_are_told_with_their_place);
    suite_add_tcase(s, tc);
    tc = tcase_create("sock");
    tcase_add_test(tc, socket_listens_connects_and_tells_the_peer);
    tcase_add_test(tc, socket_paths_follow_the_environment);
    suite_add_tcase(s, tc);
    return t_run(s);
}
