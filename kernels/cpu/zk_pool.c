/* SPDX-License-Identifier: MIT */
/* The worker threads of the CPU back-end. All of them do a part of each piece of work; between
 * two pieces they spin for a while, since a step is hundreds of pieces a few microseconds apart,
 * then sleep on a futex, since an idle daemon uses no processor.
 *
 * The word `round` counts pieces of work: a worker that sees it change has one to do. The word
 * `left` counts the workers that have not finished. Both are futexes. */
#include "kernels/cpu/zk_cpu.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/zc_mem.h"

#define MAX_THREADS 1024
#define SPIN_NS     200000 /* awake for so long after the last piece of work */

struct zk_pool {
    int threads;
    int started;
    pthread_t *ids;
    zk_task_fn fn;
    void *arg;
    _Alignas(64) atomic_uint round;
    atomic_uint sleepers;
    atomic_bool quit;
    _Alignas(64) atomic_uint left;
    atomic_bool caller_sleeps;
};

struct worker {
    struct zk_pool *pool;
    int th;
};

static void futex_wait(atomic_uint *word, unsigned value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1 << 30, NULL, NULL, 0);
}

static int64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

/* Waits until *word is (want = true) or is not value; false if it took longer than SPIN_NS. */
static bool spin(atomic_uint *word, unsigned value, bool want)
{
    int64_t end = 0;
    for (unsigned i = 0;; i++) {
        if ((atomic_load_explicit(word, memory_order_acquire) == value) == want)
            return true;
        relax();
        if (i % 64 != 63)
            continue;
        int64_t now = now_ns();
        if (end == 0)
            end = now + SPIN_NS;
        else if (now > end)
            return false;
    }
}

static void *worker_main(void *arg)
{
    struct worker w = *(struct worker *)arg;
    struct zk_pool *p = w.pool;
    unsigned seen = 0;

    zc_free(arg);
    for (;;) {
        if (!spin(&p->round, seen, false)) {
            atomic_fetch_add(&p->sleepers, 1);
            while (atomic_load(&p->round) == seen)
                futex_wait(&p->round, seen);
            atomic_fetch_sub(&p->sleepers, 1);
        }
        seen++;
        if (atomic_load_explicit(&p->quit, memory_order_relaxed))
            return NULL;
        p->fn(p->arg, w.th, p->threads);
        if (atomic_fetch_sub(&p->left, 1) == 1 && atomic_load(&p->caller_sleeps))
            futex_wake(&p->left);
    }
}

static void next_round(struct zk_pool *p)
{
    atomic_fetch_add(&p->round, 1);
    if (atomic_load(&p->sleepers) > 0)
        futex_wake(&p->round);
}

void zk_pool_run(struct zk_pool *p, zk_task_fn fn, void *arg)
{
    if (p->threads == 1) {
        fn(arg, 0, 1);
        return;
    }
    p->fn = fn;
    p->arg = arg;
    atomic_store_explicit(&p->left, (unsigned)p->started, memory_order_relaxed);
    next_round(p);
    fn(arg, 0, p->threads);
    if (spin(&p->left, 0, true))
        return;
    atomic_store(&p->caller_sleeps, true);
    for (unsigned left; (left = atomic_load(&p->left)) != 0;)
        futex_wait(&p->left, left);
    atomic_store(&p->caller_sleeps, false);
}

/* Starts a worker with every signal blocked: signals are the daemon's other threads' business. */
static int start_worker(struct zk_pool *p, struct zc_diag *dg)
{
    sigset_t all, old;
    struct worker *w = zc_xmalloc(sizeof *w);
    *w = (struct worker){p, p->started + 1};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int e = pthread_create(&p->ids[p->started], NULL, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (e != 0) {
        zc_free(w);
        errno = e;
        return zc_diag_sys(dg, "thread %d of the CPU back-end", p->started + 1);
    }
    p->started++;
    return ZC_OK;
}

int zk_pool_new(struct zk_pool **ret_pool, int threads, struct zc_diag *dg)
{
    int r = ZC_OK;

    if (threads < 1 || threads > MAX_THREADS)
        return zc_diag(dg, ZC_EINVAL, "%d threads: must be 1 to %d", threads, MAX_THREADS);
    struct zk_pool *p = aligned_alloc(64, (sizeof *p + 63) / 64 * 64);
    if (p == NULL)
        return zc_diag(dg, ZC_ENOMEM, "no memory for a pool of threads");
    memset(p, 0, sizeof *p);
    p->threads = threads;
    p->ids = zc_xcalloc((size_t)threads, sizeof p->ids[0]);
    while (r == ZC_OK && p->started < threads - 1)
        r = start_worker(p, dg);
    if (r < 0) {
        zk_pool_free(p);
        return r;
    }
    *ret_pool = p;
    return ZC_OK;
}

void zk_pool_free(struct zk_pool *p)
{
    if (p == NULL)
        return;
    atomic_store(&p->quit, true);
    next_round(p);
    for (int i = 0; i < p->started; i++)
        pthread_join(p->ids[i], NULL);
    zc_free(p->ids);
    free(p);
}
