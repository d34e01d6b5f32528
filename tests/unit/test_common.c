/* SPDX-License-Identifier: MIT */
/* Unit tests of common/. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/zc_buf.h"
#include "common/zc_file.h"
#include "common/zc_log.h"
#include "common/zc_mem.h"
#include "common/zc_size.h"
#include "common/zc_utf8.h"
#include "tests/unit/t_unit.h"

START_TEST(diag_is_cut_at_a_whole_character)
{
    struct zc_diag dg;
    char text[600];

    for (int shift = 0; shift < 4; shift++) {
        memset(text, 'a', sizeof text);
        for (int i = 500 + shift; i + 3 < 596; i += 4)
            memcpy(text + i, "\xf0\x9f\x98\x80", 4);
        text[599] = '\0';
        ck_assert_int_eq(zc_diag(&dg, ZC_EFORMAT, "%s", text), ZC_EFORMAT);
        size_t n = strlen(dg.text);
        ck_assert_uint_lt(n, sizeof dg.text);
        ck_assert_int_eq((n - (500 + (size_t)shift)) % 4, 0);
    }
}
END_TEST

START_TEST(diag_replaces_control_characters)
{
    struct zc_diag dg;

    zc_diag(&dg, ZC_EFORMAT, "a\x1b[31m%s", "\n");
    ck_assert_str_eq(dg.text, "a?[31m?");
    zc_diag_prefix(&dg, ZC_EFORMAT, "file %d", 7);
    ck_assert_str_eq(dg.text, "file 7: a?[31m?");
    zc_diag(&dg, ZC_EFORMAT, "b\xc2\x9b%s\xc2\xa0", "31m"); /* C1, and the space after it */
    ck_assert_str_eq(dg.text, "b??31m\xc2\xa0");
}
END_TEST

START_TEST(error_names_go_both_ways)
{
    for (int e = ZC_ERR_MIN; e < 0; e++)
        ck_assert_int_eq(zc_err_from_name(zc_err_name(e)), e);
    ck_assert_str_eq(zc_err_name(ZC_ERR_MIN - 1), "unknown");
    ck_assert_int_eq(zc_err_from_name("no such"), ZC_EINTERNAL);
}
END_TEST

START_TEST(buffer_never_passes_its_maximum)
{
    struct zc_buf b;

    zc_buf_init(&b, 10);
    ck_assert_str_eq(zc_buf_str(&b), "");
    ck_assert_int_eq(zc_buf_adds(&b, "12345"), ZC_OK);
    ck_assert_int_eq(zc_buf_addf(&b, "%05d", 67890), ZC_OK);
    ck_assert_int_eq(zc_buf_addc(&b, 'x'), ZC_ELIMIT);
    ck_assert_int_eq(zc_buf_adds(&b, ""), ZC_ELIMIT); /* sticky */
    ck_assert_str_eq(zc_buf_str(&b), "1234567890");
    zc_buf_clear(&b);
    ck_assert_int_eq(zc_buf_adds(&b, "abc"), ZC_OK);
    zc_buf_drain(&b, 1);
    ck_assert_str_eq(zc_buf_str(&b), "bc");
    zc_buf_release(&b);
    ck_assert_ptr_null(b.data);
}
END_TEST

START_TEST(buffer_survives_failing_memory)
{
    struct zc_buf b;

    zc_buf_init(&b, 1 << 20);
    zc_buf_adds(&b, "kept");
    zc_mem_fail_at(1);
    ck_assert_int_eq(zc_buf_reserve(&b, 1000), ZC_ENOMEM);
    zc_mem_fail_at(0);
    ck_assert_str_eq(zc_buf_str(&b), "kept");
    zc_buf_release(&b);
}
END_TEST

START_TEST(sizes_from_outside_are_limited)
{
    void *p = NULL;

    ck_assert_int_eq(zc_try_malloc(&p, SIZE_MAX / 2, 3, SIZE_MAX), ZC_ELIMIT);
    ck_assert_int_eq(zc_try_malloc(&p, 11, 1, 10), ZC_ELIMIT);
    ck_assert_ptr_null(p);
    ck_assert_int_eq(zc_try_calloc(&p, 0, 8, 10), ZC_OK);
    ck_assert_ptr_nonnull(p);
    zc_free(p);
}
END_TEST

START_TEST(sizes_have_units)
{
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {{"0", 0},
                {"17", 17},
                {"6GiB", 6ull << 30},
                {"6g", 6ull << 30},
                {"3KIB", 3072},
                {"5M", 5ull << 20},
                {"18446744073709551615", UINT64_MAX}};
    static const char *const bad[] = {"",      "G",   "-1",    "1QB",
                                      "6 GiB", "6GB", "6GiBs", "18446744073709551616",
                                      " 1",    "0x1", "1.5G",  "99999999TiB"};
    uint64_t n;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_int_eq(zc_size_parse(good[i].text, &n), ZC_OK);
        ck_assert_uint_eq(n, good[i].bytes);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(zc_size_parse(bad[i], &n) == ZC_EINVAL, "%s", bad[i]);
}
END_TEST

START_TEST(utf8_takes_what_the_standard_allows)
{
    static const struct {
        const char *p;
        size_t n;
        int want;
    } rows[] = {
        {"a", 1, 1},
        {"\xc2\x80", 2, 2},
        {"\xe0\xa0\x80", 3, 3},
        {"\xef\xbf\xbf", 3, 3},
        {"\xf4\x8f\xbf\xbf", 4, 4},
        {"\xc1\xbf", 2, -1},         /* overlong */
        {"\xe0\x9f\xbf", 3, -1},     /* overlong */
        {"\xed\xa0\x80", 3, -1},     /* surrogate */
        {"\xf4\x90\x80\x80", 4, -1}, /* over U+10FFFF */
        {"\x80", 1, -1},
        {"\xff", 1, -1},
        {"\xf0\x9f\x98", 3, 0},
        {"\xf0\x9f", 2, 0},
        {"\xf0\x9f\x41", 3, -2},
        {"\xe2", 1, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_int_eq(zc_utf8_step(rows[i].p, rows[i].n), rows[i].want);
        ck_assert_int_eq(zc_utf8_is_valid(rows[i].p, rows[i].n), rows[i].want > 0);
    }
    ck_assert(zc_utf8_is_valid("", 0));
}
END_TEST

/* The journal's native protocol: a line is one datagram, and nothing in a value begins a field. */
START_TEST(a_line_of_the_journal_is_one_datagram)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char got[2048];
    struct zc_log_about about = {.uid = 7, .request = 5, .session = "a\nPRIORITY=0"};

    snprintf(addr.sun_path, sizeof addr.sun_path, "/tmp/zorac-log-%ld", (long)getpid());
    unlink(addr.sun_path);
    ck_assert_int_eq(zc_log_to_journal(addr.sun_path), ZC_ESYS);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    ck_assert_int_eq(zc_log_to_journal(addr.sun_path), ZC_OK);
    zc_log_about(ZC_LOG_WARNING, &about, "two\nlines");
    zc_log(ZC_LOG_DEBUG, "not at this level");
    about.request = -1;
    about.session = NULL;
    zc_log_about(ZC_LOG_NOTICE, &about, "no request");
    ssize_t n = recv(fd, got, sizeof got - 1, 0);
    ck_assert_int_gt(n, 0);
    got[n] = '\0';
    ck_assert_str_eq(got, "PRIORITY=4\nSYSLOG_IDENTIFIER=zoracd\nMESSAGE=two?lines\n"
                          "ZORAC_UID=7\nZORAC_REQUEST=5\nZORAC_SESSION=a?PRIORITY=0\n");
    n = recv(fd, got, sizeof got - 1, 0);
    ck_assert_int_gt(n, 0);
    got[n] = '\0';
    ck_assert_str_eq(got,
                     "PRIORITY=5\nSYSLOG_IDENTIFIER=zoracd\nMESSAGE=no request\nZORAC_UID=7\n");
    ck_assert_int_eq(zc_log_to_journal(NULL), ZC_OK);
    zc_log(ZC_LOG_ERROR, "this line belongs here: to standard error again");
    ck_assert_int_lt(recv(fd, got, sizeof got, 0), 0);
    close(fd);
    unlink(addr.sun_path);
}
END_TEST

START_TEST(a_file_is_read_whole_or_not_at_all)
{
    char dir[T_DIR], path[T_DIR + 8], pipe_path[T_DIR + 8];
    struct zc_diag dg;
    char *bytes = NULL;
    size_t n = 0;

    t_dir(dir);
    snprintf(path, sizeof path, "%s/f", dir);
    snprintf(pipe_path, sizeof pipe_path, "%s/p", dir);
    t_assert_err(zc_file_read(&bytes, &n, path, 10, &dg), ZC_ENOTFOUND, &dg);
    t_assert_err(zc_file_read(&bytes, &n, dir, 10, &dg), ZC_EFORMAT, &dg);
    ck_assert_ptr_nonnull(strstr(dg.text, dir));

    FILE *f = fopen(path, "w");
    fputs("0123456789", f);
    fclose(f);
    t_assert_err(zc_file_read(&bytes, &n, path, 9, &dg), ZC_ELIMIT, &dg);
    zc_mem_fail_at(1); /* too large by its size: told before there is memory for it */
    t_assert_err(zc_file_read(&bytes, &n, path, 9, &dg), ZC_ELIMIT, &dg);
    zc_mem_fail_at(1);
    t_assert_err(zc_file_read(&bytes, &n, path, 10, &dg), ZC_ENOMEM, &dg);
    zc_mem_fail_at(0);
    ck_assert_ptr_null(bytes);
    t_assert_err(zc_file_read(&bytes, &n, path, 10, &dg), ZC_OK, &dg);
    ck_assert_uint_eq(n, 10);
    ck_assert_str_eq(bytes, "0123456789");
    zc_free(bytes);
    fclose(fopen(path, "w"));
    t_assert_err(zc_file_read(&bytes, &n, path, 0, &dg), ZC_OK, &dg);
    ck_assert_uint_eq(n, 0);
    ck_assert_str_eq(bytes, "");
    zc_free(bytes);

    t_assert_err(zc_file_read(&bytes, &n, "/dev/null", 0, &dg), ZC_OK, &dg);
    ck_assert_uint_eq(n, 0);
    zc_free(bytes);

    ck_assert_int_eq(mkfifo(pipe_path, 0600), 0); /* nobody writes: opening it must not wait */
    bytes = NULL;
    t_assert_err(zc_file_read(&bytes, &n, pipe_path, 10, &dg), ZC_EFORMAT, &dg);
    ck_assert_ptr_nonnull(strstr(dg.text, pipe_path));
    if (fork() == 0) {
        f = fopen(pipe_path, "w");
        for (int i = 0; i < 20000; i++)
            fputs("12345", f);
        fclose(f);
        _exit(0);
    }
    t_assert_err(zc_file_read_pipe(&bytes, &n, pipe_path, 100000, &dg), ZC_OK, &dg);
    ck_assert_uint_eq(n, 100000);
    zc_free(bytes);
    unlink(path);
    unlink(pipe_path);
    rmdir(dir);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("common");
    TCase *tc = tcase_create("common");

    tcase_add_test(tc, diag_is_cut_at_a_whole_character);
    tcase_add_test(tc, diag_replaces_control_characters);
    tcase_add_test(tc, error_names_go_both_ways);
    tcase_add_test(tc, buffer_never_passes_its_maximum);
    tcase_add_test(tc, buffer_survives_failing_memory);
    tcase_add_test(tc, sizes_from_outside_are_limited);
    tcase_add_test(tc, sizes_have_units);
    tcase_add_test(tc, utf8_takes_what_the_standard_allows);
    tcase_add_test(tc, a_file_is_read_whole_or_not_at_all);
    tcase_add_test(tc, a_line_of_the_journal_is_one_datagram);
    suite_add_tcase(s, tc);
    return t_run(s);
}
