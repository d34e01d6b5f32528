/* SPDX-License-Identifier: MIT */
/* Unit tests of the book of pages: what is shared, what is given up first, what admission promises,
 * and long random histories with every invariant looked at after every step. */
#include <stdbool.h>
#include <string.h>

#include "common/zc_mem.h"
#include "tests/unit/t_unit.h"
#include "zoracd/engine/ze_kv.h"

#define MAX_IDS 512

static struct zc_diag dg;
static struct ze_kv *kv;

static void start(int pages)
{
    ck_assert_int_eq(ze_kv_new(&kv, pages), ZC_OK);
}

static void check(void)
{
    t_assert_err(ze_kv_check(kv, &dg), ZC_OK, &dg);
}

/* Everything must be back when a test ends. */
static void stop(void)
{
    check();
    ck_assert_int_eq(ze_kv_n_free(kv) + ze_kv_n_idle(kv), ze_kv_n_pages(kv));
    ck_assert_int_eq(ze_kv_n_promised(kv), 0);
    ze_kv_free(kv);
}

static void fill(int32_t *ids, int n, int32_t from)
{
    for (int i = 0; i < n; i++)
        ids[i] = from + i;
}

/* A chain over n ids with room for n + reserve. */
static int admit(struct ze_chain *c, uint64_t root, const int32_t *ids, int n, int reserve)
{
    ck_assert_int_eq(ze_kv_chain_init(kv, c, root, ze_kv_n_pages(kv)), ZC_OK);
    int r = ze_kv_admit(kv, c, ids, n - 1, (n + reserve + ZK_PAGE - 1) / ZK_PAGE);
    if (r < 0)
        ze_kv_chain_release(kv, c);
    return r;
}

/* As if all n ids had been computed. */
static void compute(struct ze_chain *c, const int32_t *ids, int n)
{
    ze_kv_take(kv, c, (n + ZK_PAGE - 1) / ZK_PAGE);
    ze_kv_learn(kv, c, ids, n / ZK_PAGE);
}

START_TEST(an_equal_prefix_is_shared)
{
    struct ze_chain a, b, c;
    int32_t ids[100];

    start(20);
    fill(ids, 100, 0);
    ck_assert_int_eq(admit(&a, 7, ids, 50, 10), ZC_OK);
    ck_assert_int_eq(a.n, 0);
    ck_assert_int_eq(a.promised, 4);
    compute(&a, ids, 50);
    ck_assert_int_eq(a.n, 4);
    ck_assert_int_eq(a.n_known, 3);
    check();

    ck_assert_int_eq(admit(&b, 7, ids, 100, 0), ZC_OK); /* while a lives */
    ck_assert_int_eq(b.n, 3);
    ck_assert_mem_eq(b.pages, a.pages, 3 * sizeof *b.pages);
    ck_assert_int_eq(admit(&c, 8, ids, 100, 0), ZC_OK); /* another root sees nothing */
    ck_assert_int_eq(c.n, 0);
    check();
    ze_kv_chain_release(kv, &a);
    ze_kv_chain_release(kv, &b);
    ze_kv_chain_release(kv, &c);
    ck_assert_int_eq(ze_kv_n_idle(kv), 3);

    ck_assert_int_eq(admit(&a, 7, ids, 48, 0), ZC_OK); /* after it; the last id is left over */
    ck_assert_int_eq(a.n, 2);
    ids[20] = -1; /* the second page differs */
    ck_assert_int_eq(admit(&b, 7, ids, 48, 0), ZC_OK);
    ck_assert_int_eq(b.n, 1);
    ze_kv_chain_release(kv, &a);
    ze_kv_chain_release(kv, &b);
    stop();
}
END_TEST

START_TEST(equal_pages_of_two_become_one)
{
    struct ze_chain a, b;
    int32_t ids[64];

    start(10);
    fill(ids, 64, 0);
    ck_assert_int_eq(admit(&a, 1, ids, 40, 0), ZC_OK);
    ck_assert_int_eq(admit(&b, 1, ids, 40, 0), ZC_OK);
    compute(&a, ids, 40);
    ck_assert_int_eq(ze_kv_n_free(kv), 7);
    compute(&b, ids, 40);
    check();
    ck_assert_int_eq(ze_kv_n_free(kv), 6); /* two of b's three pages came back */
    ck_assert_mem_eq(b.pages, a.pages, 2 * sizeof *b.pages);
    ck_assert_int_ne(b.pages[2], a.pages[2]);
    ze_kv_chain_release(kv, &a);
    ze_kv_chain_release(kv, &b);
    stop();
}
END_TEST

START_TEST(a_tail_is_handed_on)
{
    struct ze_chain a, b, c;
    int32_t ids[100], other[100];

    start(12);
    fill(ids, 100, 0);
    ck_assert_int_eq(admit(&a, 1, ids, 40, 0), ZC_OK);
    compute(&a, ids, 40);
    int32_t tail = a.pages[2];
    ze_kv_leave_tail(kv, &a, ids, 40);
    ze_kv_chain_release(kv, &a);
    check();
    ck_assert_int_eq(ze_kv_n_idle(kv), 3);

    ck_assert_int_eq(admit(&b, 2, ids, 60, 0), ZC_OK); /* another root */
    ck_assert_int_eq(b.n_found, 0);
    ze_kv_chain_release(kv, &b);
    ck_assert_int_eq(admit(&b, 1, ids, 60, 0), ZC_OK);
    ck_assert_int_eq(b.n_found, 40);
    ck_assert_int_eq(b.pages[2], tail);
    check();
    ck_assert_int_eq(admit(&c, 1, ids, 60, 0), ZC_OK); /* it is b's alone now */
    ck_assert_int_eq(c.n_found, 32);
    compute(&b, ids, 60);
    ze_kv_leave_tail(kv, &b, ids, 60);
    ze_kv_chain_release(kv, &b);
    ze_kv_chain_release(kv, &c);
    check();

    memcpy(other, ids, sizeof ids);
    other[53] = -1; /* goes on differently in the middle of the tail: what is common is of use */
    ck_assert_int_eq(admit(&a, 1, other, 70, 0), ZC_OK);
    ck_assert_int_eq(a.n_found, 53);
    ze_kv_chain_release(kv, &a);
    ck_assert_int_eq(admit(&a, 1, ids, 48, 0), ZC_OK); /* the last id is left over */
    ck_assert_int_eq(a.n_found, 32);
    compute(&a, ids, 45);
    ze_kv_leave_tail(kv, &a, ids, 45);
    ze_kv_chain_release(kv, &a);
    ck_assert_int_eq(admit(&a, 1, ids, 45, 0), ZC_OK); /* of a tail, too */
    ck_assert_int_eq(a.n_found, 44);
    ze_kv_chain_release(kv, &a);
    stop();
}
END_TEST

/* Many short texts of one root: what has to be looked through stays short, the newest are found. */
START_TEST(tails_after_one_page_are_few)
{
    struct ze_chain a;
    int32_t ids[8];

    start(400);
    fill(ids, 8, 0);
    for (int i = 0; i < 300; i++) {
        ids[0] = 1000 + i;
        ck_assert_int_eq(admit(&a, 1, ids, 8, 0), ZC_OK);
        compute(&a, ids, 8);
        ze_kv_leave_tail(kv, &a, ids, 8);
        ze_kv_chain_release(kv, &a);
        check();
        ck_assert_int_le(ze_kv_n_idle(kv), 64);
    }
    ck_assert_int_eq(admit(&a, 1, ids, 8, 0), ZC_OK);
    ck_assert_int_eq(a.n_found, 7);
    ze_kv_chain_release(kv, &a);
    stop();
}
END_TEST

START_TEST(what_was_left_longest_ago_goes_first)
{
    struct ze_chain a, b, c;
    int32_t ids[3][64];

    start(6);
    for (int i = 0; i < 3; i++)
        fill(ids[i], 64, 1000 * i);
    ck_assert_int_eq(admit(&a, 1, ids[0], 32, 0), ZC_OK);
    compute(&a, ids[0], 32);
    ck_assert_int_eq(admit(&b, 1, ids[1], 32, 0), ZC_OK);
    compute(&b, ids[1], 32);
    ze_kv_chain_release(kv, &a);
    ze_kv_chain_release(kv, &b);
    ck_assert_int_eq(ze_kv_n_idle(kv), 4);
    ck_assert_int_eq(admit(&c, 1, ids[2], 48, 0), ZC_OK); /* two free, then a's last page */
    compute(&c, ids[2], 48);
    check();
    ck_assert_int_eq(admit(&a, 1, ids[0], 33, 0), ZC_OK);
    ck_assert_int_eq(a.n, 1);
    ze_kv_chain_release(kv, &a);
    ck_assert_int_eq(admit(&b, 1, ids[1], 33, 0), ZC_OK);
    ck_assert_int_eq(b.n, 2);
    ze_kv_chain_release(kv, &b);
    ze_kv_chain_release(kv, &c);
    stop();
}
END_TEST

START_TEST(admission_counts_every_page_once)
{
    struct ze_chain a, b, c;
    int32_t ids[MAX_IDS];

    start(10);
    fill(ids, MAX_IDS, 0);
    ck_assert_int_eq(admit(&a, 1, ids, 100, 61), ZC_ELIMIT); /* 11 pages: never */
    ck_assert_int_eq(admit(&a, 1, ids, 100, 60), ZC_OK);     /* 10: all of them */
    ck_assert_int_eq(ze_kv_n_promised(kv), 10);
    ck_assert_int_eq(admit(&b, 2, ids, 1, 0), ZC_EBUSY);
    check();
    compute(&a, ids, 33); /* three pages taken: still all are spoken for */
    ck_assert_int_eq(admit(&b, 2, ids, 1, 0), ZC_EBUSY);
    ck_assert_int_eq(admit(&b, 1, ids, 33, 0), ZC_EBUSY); /* two shared, a third is not to be had */
    check();
    ze_kv_chain_release(kv, &a);
    ck_assert_int_eq(ze_kv_n_idle(kv), 2);

    ck_assert_int_eq(admit(&b, 2, ids, 16, 112), ZC_OK);  /* 8 of 10 */
    ck_assert_int_eq(admit(&c, 1, ids, 33, 0), ZC_EBUSY); /* holds 2 idle, wants a third: 11 */
    check();
    ck_assert_int_eq(ze_kv_n_idle(kv), 2);
    ck_assert_int_eq(admit(&c, 1, ids, 32, 0), ZC_OK); /* holds 1 idle, wants one more */
    ck_assert_int_eq(ze_kv_promise(kv, &c, 2), ZC_OK); /* has it already */
    ck_assert_int_eq(ze_kv_promise(kv, &c, 3), ZC_EBUSY);
    ck_assert_int_eq(ze_kv_promise(kv, &c, 11), ZC_ELIMIT);
    compute(&b, ids, 128); /* what was promised can be taken */
    compute(&c, ids, 32);
    check();
    ck_assert_int_eq(ze_kv_n_promised(kv), 0);
    ze_kv_chain_release(kv, &b);
    ck_assert_int_eq(ze_kv_promise(kv, &c, 3), ZC_OK);
    ze_kv_chain_release(kv, &c);
    stop();
}
END_TEST

/* ---- random histories ---------------------------------------------------------------------- */

#define N_CHAINS 6
#define N_PAGES  24

static uint64_t state;
static int rnd(int n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (int)((state >> 33) % (uint64_t)n);
}

/* A live sequence as the engine has it, and what it wrote into its pages. */
struct seq {
    bool is_live;
    struct ze_chain c;
    int32_t ids[MAX_IDS];
    int n, max, computed;
};

static struct seq seqs[N_CHAINS];
static int tails; /* found */
/* What stands in each page: the ids that were written, and what came before (a sum over it). */
static struct {
    uint64_t before;
    int32_t ids[ZK_PAGE];
} memory[N_PAGES];

static uint64_t sum_before(const struct seq *s, int page)
{
    uint64_t h = s->c.root + 1;
    for (int i = 0; i < page * ZK_PAGE; i++)
        h = h * 31 + (uint64_t)s->ids[i];
    return h;
}

/* What attention would read must be what this sequence would have written. Asserts once: Check
 * writes a file for each. */
static void check_memory(const struct seq *s)
{
    uint64_t before = sum_before(s, 0);
    int wrong = 0;

    for (int i = 0; i < s->computed; i++) {
        int32_t page = s->c.pages[i / ZK_PAGE];
        if (i % ZK_PAGE == 0)
            wrong += memory[page].before != before;
        wrong += memory[page].ids[i % ZK_PAGE] != s->ids[i];
        before = before * 31 + (uint64_t)s->ids[i];
    }
    if (wrong > 0)
        ck_abort_msg("%d of %d tokens are not this sequence's", wrong, s->computed);
}

static void begin(struct seq *s)
{
    int n = 1 + rnd(120), reserve = rnd(60), changed = rnd(4) ? MAX_IDS : rnd(n);

    for (int i = 0; i < n; i++)
        s->ids[i] = i < changed ? i : i + 1 + rnd(2);
    int before = ze_kv_n_free(kv) + ze_kv_n_idle(kv) - ze_kv_n_promised(kv);
    int r = admit(&s->c, (uint64_t)rnd(2), s->ids, n, reserve);
    if (r == ZC_OK) {
        s->is_live = true;
        s->n = n;
        s->max = n + reserve;
        s->computed = s->c.n_found;
        tails += s->computed % ZK_PAGE > 0;
        ck_assert_int_lt(s->computed, n);
        check_memory(s);
    } else {
        ck_assert_int_eq(r, ZC_EBUSY);
        ck_assert_int_gt((n + reserve + ZK_PAGE - 1) / ZK_PAGE, before - N_PAGES / 2);
    }
}

static void advance(struct seq *s)
{
    int rows = 1 + rnd(40);

    if (s->computed == s->n) {
        if (s->n == s->max)
            return;
        s->ids[s->n++] = rnd(3);
    }
    rows = rows < s->n - s->computed ? rows : s->n - s->computed;
    ze_kv_take(kv, &s->c, (s->computed + rows + ZK_PAGE - 1) / ZK_PAGE);
    for (int i = s->computed; i < s->computed + rows; i++) {
        int32_t page = s->c.pages[i / ZK_PAGE];
        memory[page].ids[i % ZK_PAGE] = s->ids[i];
        memory[page].before = sum_before(s, i / ZK_PAGE);
    }
    s->computed += rows;
    ze_kv_learn(kv, &s->c, s->ids, s->computed / ZK_PAGE);
}

START_TEST(random_histories_keep_every_invariant)
{
    int shared = 0;

    state = (uint64_t)_i * 977 + 5;
    start(N_PAGES);
    for (int step = 0; step < 3000; step++) {
        struct seq *s = &seqs[rnd(N_CHAINS)];
        if (!s->is_live) {
            begin(s);
            shared += s->is_live && s->computed > 0;
        } else if (rnd(12) == 0) {
            if (rnd(4) > 0)
                ze_kv_leave_tail(kv, &s->c, s->ids, s->computed);
            ze_kv_chain_release(kv, &s->c);
            s->is_live = false;
        } else if (rnd(10) == 0) {
            int want = s->max + rnd(40);
            if (ze_kv_promise(kv, &s->c, (want + ZK_PAGE - 1) / ZK_PAGE) == ZC_OK &&
                want <= MAX_IDS)
                s->max = want;
        } else {
            advance(s);
        }
        if (ze_kv_check(kv, &dg) < 0)
            ck_abort_msg("step %d: %s", step, dg.text);
        for (int i = 0; i < N_CHAINS; i++)
            if (seqs[i].is_live)
                check_memory(&seqs[i]);
    }
    ck_assert_int_gt(shared, 10);
    ck_assert_int_gt(tails, 3);
    for (int i = 0; i < N_CHAINS; i++)
        if (seqs[i].is_live)
            ze_kv_chain_release(kv, &seqs[i].c);
    stop();
}
END_TEST

START_TEST(failing_memory_and_absurd_sizes_are_errors)
{
    struct ze_chain c;

    for (long n = 1; n <= 2; n++) {
        zc_mem_fail_at(n);
        ck_assert_int_eq(ze_kv_new(&kv, 8), ZC_ENOMEM);
        zc_mem_fail_at(0);
    }
    ck_assert_int_eq(ze_kv_new(&kv, 0), ZC_ELIMIT);
    ck_assert_int_eq(ze_kv_new(&kv, 1 << 30), ZC_ELIMIT);
    start(8);
    zc_mem_fail_at(1);
    ck_assert_int_eq(ze_kv_chain_init(kv, &c, 0, 8), ZC_ENOMEM);
    zc_mem_fail_at(0);
    ck_assert_int_eq(ze_kv_chain_init(kv, &c, 0, 9), ZC_ELIMIT);
    stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("engine kv");
    TCase *t = tcase_create("kv");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, an_equal_prefix_is_shared);
    tcase_add_test(t, equal_pages_of_two_become_one);
    tcase_add_test(t, a_tail_is_handed_on);
    tcase_add_test(t, tails_after_one_page_are_few);
    tcase_add_test(t, what_was_left_longest_ago_goes_first);
    tcase_add_test(t, admission_counts_every_page_once);
    tcase_add_loop_test(t, random_histories_keep_every_invariant, 0, 20);
    tcase_add_test(t, failing_memory_and_absurd_sizes_are_errors);
    suite_add_tcase(s, t);
    return t_run(s);
}
