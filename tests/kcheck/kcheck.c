/* SPDX-License-Identifier: MIT */
/* The runner: options, seed, guarded memory, crashes, comparisons. */
#include "tests/kcheck/kcheck.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE   4096
#define CANARY 0xa5

struct kc_level kc_levels[4];
int kc_n_levels;
struct zk_dev *kc_ref[2];
bool kc_bench, kc_cuda;
enum zk_act_kind kc_kinds[ZK_N_ACT_KINDS] = {ZK_ACT_F32, ZK_ACT_Q8};
int kc_n_kinds = 2;

static uint64_t rng;
static double limit = INFINITY;
static struct zk_dev *gpu; /* that host memory is made known to, or NULL */
static int n_cases, n_failed;
static char reason[512];
static const char *test_name;

/* ---- random numbers ---------------------------------------------------------------------- */

/* splitmix64 */
uint64_t kc_rand(void)
{
    uint64_t z = (rng += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

int kc_int(int lo, int hi)
{
    return lo + (int)(kc_rand() % (uint64_t)(hi - lo + 1));
}

float kc_unit(void)
{
    return (float)((double)(kc_rand() >> 11) * 0x1p-52 - 1.0);
}

const char *kc_fill_name(enum kc_fill fill)
{
    static const char *const names[] = {"random", "tiny",     "huge", "zeros",
                                        "spike",  "denormal", "equal"};
    return names[fill];
}

void kc_fill(float *x, size_t n, enum kc_fill fill)
{
    static const float scale[] = {1, 1e-18f, 1e14f, 0, 1e-3f, 1e-40f, 0};
    for (size_t i = 0; i < n; i++)
        x[i] = fill == KC_EQUAL ? 0.7f : fill == KC_ZEROS ? 0 : kc_unit() * scale[fill];
    if (fill == KC_SPIKE && n > 0)
        x[kc_rand() % n] = 1000;
}

/* ---- memory ------------------------------------------------------------------------------ */

static struct buf {
    uint8_t *map;
    size_t mapped; /* with the guard page; 0: from malloc */
    uint8_t *data;
    bool is_pinned;
} * bufs;
static size_t n_bufs, cap_bufs;

static struct buf *new_buf(void)
{
    if (n_bufs == cap_bufs) {
        cap_bufs = cap_bufs ? 2 * cap_bufs : 64;
        bufs = realloc(bufs, cap_bufs * sizeof *bufs);
    }
    bufs[n_bufs].is_pinned = false;
    return &bufs[n_bufs++];
}

static void make_known(struct buf *b, size_t bytes)
{
    struct zc_diag dg = {""};
    if (gpu == NULL)
        return;
    if (gpu->ops->pin(gpu, b->map, bytes, &dg) < 0) {
        fprintf(stderr, "kcheck: %s\n", dg.text);
        exit(EXIT_FAILURE);
    }
    b->is_pinned = true;
}

void *kc_buf(size_t bytes)
{
    struct buf *b = new_buf();
    size_t body = (bytes + PAGE) / PAGE * PAGE;
    b->mapped = body + PAGE;
    b->map = mmap(NULL, b->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (b->map == MAP_FAILED) {
        fprintf(stderr, "kcheck: no memory for %zu bytes\n", bytes);
        exit(EXIT_FAILURE);
    }
    mprotect(b->map + body, PAGE, PROT_NONE);
    b->data = b->map + body - bytes;
    memset(b->map, CANARY, (size_t)(b->data - b->map));
    make_known(b, body);
    return b->data;
}

void *kc_mem(size_t bytes)
{
    struct buf *b = new_buf();
    size_t pages = (bytes + PAGE) / PAGE * PAGE; /* whole ones, where the device is told */
    *b = (struct buf){.map = gpu ? aligned_alloc(PAGE, pages) : calloc(bytes ? bytes : 1, 1)};
    if (b->map == NULL)
        exit(EXIT_FAILURE);
    if (gpu != NULL) {
        memset(b->map, 0, pages);
        make_known(b, pages);
    }
    return b->map;
}

bool kc_release(void)
{
    bool ok = true;
    kc_settle();
    for (size_t i = 0; i < n_bufs; i++) {
        struct buf *b = &bufs[i];
        if (b->is_pinned)
            gpu->ops->unpin(gpu, b->map);
        if (b->mapped == 0) {
            free(b->map);
            continue;
        }
        for (uint8_t *p = b->map; p < b->data && ok; p++)
            ok = *p == CANARY;
        munmap(b->map, b->mapped);
    }
    n_bufs = 0;
    if (!ok) {
        printf("FAIL %s: wrote before the beginning of a buffer\n", test_name);
        n_failed++;
    }
    return ok;
}

/* ---- running ----------------------------------------------------------------------------- */

static sigjmp_buf jump;
static volatile sig_atomic_t guarded;

static void on_crash(int sig)
{
    if (guarded && !kc_cuda) { /* the simulator can't be left in the middle of a kernel */
        guarded = 0;
        siglongjmp(jump, sig);
    }
    static const char text[] = "FAIL: crash outside a case or in a worker thread\n";
    ssize_t unused = write(STDOUT_FILENO, text, sizeof text - 1);
    (void)unused;
    _exit(EXIT_FAILURE);
}

bool kc_fail(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(reason, sizeof reason, fmt, ap);
    va_end(ap);
    return false;
}

void kc_settle(void)
{
    struct zc_diag dg;
    for (int i = 0; kc_cuda && i < kc_n_levels; i++)
        for (int exact = 0; exact < 2; exact++) {
            int r = kc_levels[i].dev[exact]->ops->sync(kc_levels[i].dev[exact], &dg);
            if (r == ZC_EDEVICE || r == ZC_EINTERNAL) {
                printf("FAIL %s: %s\n", test_name, dg.text);
                exit(EXIT_FAILURE);
            }
        }
}

int kc_result(struct zk_dev *dev, int r)
{
    int later = dev->ops->sync(dev, NULL);
    return r < 0 ? r : later;
}

bool kc_is_over(double work)
{
    return work > limit;
}

struct zk_dev *kc_with_threads(const struct kc_level *lv, int threads, bool exact)
{
    struct zk_cpu_opts o = {.caps = lv->caps, .threads = threads, .exact = exact};
    struct zk_cuda_opts c = {.exact = exact};
    struct zk_dev *dev = NULL;
    if ((kc_cuda ? zk_cuda_open(&dev, &c, NULL) : zk_cpu_open(&dev, &o, NULL)) < 0)
        kc_fail("no device with %d threads", threads);
    return dev;
}

bool kc_run(const struct kc_level *lv, const char *what, bool (*fn)(void *), void *arg)
{
    volatile bool ok = false;
    reason[0] = '\0';
    n_cases++;
    int sig = sigsetjmp(jump, 1);
    if (sig == 0) {
        guarded = 1;
        ok = fn(arg);
    } else {
        kc_fail("crash: %s", strsignal(sig));
    }
    guarded = 0;
    if (!ok) {
        n_failed++;
        printf("FAIL %s, %s, %s: %s\n", test_name, lv->name, what, reason);
    }
    return ok;
}

/* ---- comparing --------------------------------------------------------------------------- */

bool kc_equal(const float *y, const float *want, size_t n)
{
    kc_settle();
    for (size_t i = 0; i < n; i++)
        if (memcmp(&y[i], &want[i], sizeof y[i]) != 0)
            return kc_fail("element %zu is %.9g (%a), not %.9g (%a)", i, (double)y[i], (double)y[i],
                           (double)want[i], (double)want[i]);
    return true;
}

bool kc_within(const float *y, const double *want, const double *bound, size_t n)
{
    kc_settle();
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)y[i] - want[i]) <= bound[i]))
            return kc_fail("element %zu is %.9g, not %.9g: off by %.3g, allowed %.3g", i,
                           (double)y[i], want[i], fabs((double)y[i] - want[i]), bound[i]);
    return true;
}

double kc_nmse(const float *y, const float *want, size_t n)
{
    double err = 0, sum = 0;
    kc_settle();
    for (size_t i = 0; i < n; i++) {
        double d = (double)y[i] - (double)want[i];
        err += d * d;
        sum += (double)want[i] * (double)want[i];
    }
    return sum > 0 ? err / sum : err;
}

double kc_time(void (*fn)(void *), void *arg)
{
    double best = 1e30;
    for (int i = 0; i < 9; i++) {
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        fn(arg);
        clock_gettime(CLOCK_MONOTONIC, &b);
        double s = (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9;
        best = s < best ? s : best;
    }
    return best;
}

/* ---- prepared activations ---------------------------------------------------------------- */

struct zk_act kc_act(struct zk_dev *dev, enum zk_act_kind kind, int rows, int k)
{
    return (struct zk_act){
        .kind = kind, .k = k, .data = kc_buf(dev->ops->act_bytes(dev, kind, rows, k))};
}

int kc_read_act(struct zk_dev *dev, float *y, const struct zk_act *act)
{
    int k = act->k, r;
    bool q8 = act->kind == ZK_ACT_Q8, is_half = !q8 && act->kind != ZK_ACT_F32;
    struct zk_canon c = {.form = q8        ? ZK_W4A
                                 : is_half ? ZK_W16
                                           : ZK_W32,
                         .n = k,
                         .k = k,
                         .group = k};
    float *scale = kc_mem((size_t)k * sizeof *scale), *w = kc_mem((size_t)k * (size_t)k * 4);
    uint8_t *q = kc_mem((size_t)k * (size_t)((k + 1) / 2)), *zero = kc_mem((size_t)k);
    for (int i = 0; i < k; i++) {
        scale[i] = 1;
        if (is_half)
            ((uint16_t *)w)[(size_t)i * (size_t)k + (size_t)i] =
                act->kind == ZK_ACT_F16 ? zk_f32_to_f16(1) : zk_f32_to_bf16(1);
        else
            w[(size_t)i * (size_t)k + (size_t)i] = 1;
        q[(size_t)i * (size_t)((k + 1) / 2) + (size_t)i / 2] = i % 2 ? 16 : 1;
    }
    c.q = q, c.zero = q8 ? zero : NULL, c.scale = scale, c.w = w;
    c.type = !is_half ? ZK_F32 : act->kind == ZK_ACT_F16 ? ZK_F16 : ZK_BF16;
    struct zk_mat m = {
        .d = {c.form, k, k, k, c.type, .has_zero = q8, .has_perm = false, ZK_JOIN_ROWS}};
    m.bytes = dev->ops->mat_bytes(dev, &m.d);
    m.data = kc_mem(m.bytes + 64);
    m.data = (void *)(((uintptr_t)m.data + 63) & ~(uintptr_t)63);
    if ((r = dev->ops->mat_pack(dev, &m, &c, 1, NULL)) < 0)
        return r;
    m.act = act->kind; /* an exact device reads its Q8 activations too */
    return dev->ops->matmul(dev, y, k, act, &m, NULL, act->rows, false);
}

/* ---- main -------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*fn)(void);
} tests[] = {
    {"pack", kc_test_pack},       {"matmul", kc_test_matmul}, {"onehot", kc_test_onehot},
    {"control", kc_test_control}, {"rows", kc_test_rows},     {"swiglu", kc_test_swiglu},
    {"rope", kc_test_rope},       {"attn", kc_test_attn},     {"limit", kc_test_limit},
    {"batch", kc_test_batch},     {"chunks", kc_test_chunks},
};

/* Exits with 77, the reason printed, where there is no device. */
static void open_cuda(void)
{
    static const enum zk_act_kind kinds[] = {ZK_ACT_F32, ZK_ACT_F16, ZK_ACT_BF16};
    struct kc_level *lv = &kc_levels[kc_n_levels++];
    lv->name = "cuda";
    for (int exact = 0; exact < 2; exact++) {
        struct zk_cuda_opts o = {.exact = exact};
        struct zc_diag dg = {""};
        int r = zk_cuda_open(&lv->dev[exact], &o, &dg);
        if (r == ZC_OK)
            continue;
        printf("%s\n", dg.text);
        exit(r == ZC_ENOTFOUND ? 77 : EXIT_FAILURE);
    }
    gpu = lv->dev[0];
    printf("%s\n", gpu->label);
    kc_n_kinds = 3;
    memcpy(kc_kinds, kinds, sizeof kinds);
}

static void open_levels(unsigned mask)
{
    static const unsigned caps[] = {ZK_CAP_PORTABLE, ZK_CAP_PORTABLE | ZK_CAP_AVX2, ZK_CAP_ALL};
    static const unsigned needs[] = {ZK_CAP_PORTABLE, ZK_CAP_AVX2, ZK_CAP_AVX512};
    unsigned have = zk_caps_detect() & mask;
    for (int exact = 0; exact < 2; exact++)
        zk_ref_open(&kc_ref[exact],
                    exact     ? ZK_REF_EXACT
                    : kc_cuda ? ZK_REF_HALF
                              : ZK_REF_INT8,
                    NULL);
    if (kc_cuda) {
        open_cuda();
        return;
    }
    for (int i = 0; i < 3; i++) {
        if (!(have & needs[i]))
            continue;
        struct kc_level *lv = &kc_levels[kc_n_levels++];
        lv->caps = caps[i];
        lv->name = zk_caps_name(have & caps[i]);
        for (int exact = 0; exact < 2; exact++) {
            struct zk_cpu_opts o = {.caps = caps[i], .threads = 1, .exact = exact};
            struct zc_diag dg = {""};
            if (zk_cpu_open(&lv->dev[exact], &o, &dg) < 0) {
                printf("FAIL open %s: %s\n", lv->name, dg.text);
                exit(EXIT_FAILURE);
            }
        }
    }
}

static int usage(void)
{
    fprintf(
        stderr,
        "usage: kcheck [--seed=N] [--test=NAME] [--caps=LIST | --cuda] [--limit=N] [--bench]\n");
    return 2;
}

int main(int argc, char **argv)
{
    const char *only = NULL;
    unsigned mask = ZK_CAP_ALL;
    uint64_t seed = (uint64_t)time(NULL);
    struct zc_diag dg;

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--seed=", 7) == 0)
            seed = strtoull(argv[i] + 7, NULL, 0);
        else if (strncmp(argv[i], "--test=", 7) == 0)
            only = argv[i] + 7;
        else if (strncmp(argv[i], "--caps=", 7) == 0 &&
                 zk_caps_parse(argv[i] + 7, &mask, &dg) == ZC_OK)
            continue;
        else if (strcmp(argv[i], "--cuda") == 0)
            kc_cuda = true;
        else if (strncmp(argv[i], "--limit=", 8) == 0)
            limit = strtod(argv[i] + 8, NULL);
        else if (strcmp(argv[i], "--bench") == 0)
            kc_bench = true;
        else
            return usage();
    }
    printf("kcheck --seed=%llu\n", (unsigned long long)seed);
    struct sigaction sa = {.sa_handler = on_crash, .sa_flags = SA_NODEFER};
    for (int i = 0; i < 4; i++)
        sigaction((int[]){SIGSEGV, SIGBUS, SIGFPE, SIGILL}[i], &sa, NULL);
    open_levels(mask);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        if (only != NULL && strcmp(only, tests[i].name) != 0)
            continue;
        int before = n_cases;
        test_name = tests[i].name;
        rng = seed; /* so that one test alone sees what it saw among all */
        tests[i].fn();
        kc_release();
        printf("%-8s %d cases\n", test_name, n_cases - before);
        fflush(stdout);
    }
    if (kc_bench)
        kc_test_bench();
    for (int i = 0; i < kc_n_levels; i++)
        for (int exact = 0; exact < 2; exact++)
            kc_levels[i].dev[exact]->ops->close(kc_levels[i].dev[exact]);
    for (int exact = 0; exact < 2; exact++)
        kc_ref[exact]->ops->close(kc_ref[exact]);
    free(bufs);
    printf("%d cases, %d failed, levels:", n_cases, n_failed);
    for (int i = 0; i < kc_n_levels; i++)
        printf(" %s", kc_levels[i].name);
    printf("\n");
    return n_cases > 0 && n_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
