/* SPDX-License-Identifier: MIT */
/* The memory checker. Kernels are compiled with -fsanitize=thread, but its library is not linked:
 * the calls that the compiler plants before each load and store end here. For each byte of shared
 * and global memory: the last write and the last read, with their clocks. Found are races between
 * threads and between blocks, reads of what was never written, and addresses in no allocation. */
#include "sim_internal.h"
#include <dlfcn.h>
#include <link.h>
#include <algorithm>
#include <cstdarg>
#include <map>
#include <string>
#include <unordered_map>
namespace sim
{
struct Stamp {
    uint32_t blk, bar, wep;
    uint16_t tid;
    uint8_t kind, multi;
};
struct Shadow {
    Stamp w, r;
};
enum { NONE, PLAIN, ATOMIC, FLIGHT, HOST };
struct Alloc {
    char *p;
    size_t n;
    Shadow *sh;
    bool is_host; /* written by the host where no kernel wrote */
};
static std::map<char *, Alloc> g_alloc;
static Shadow g_smem[ARENA];
static uint32_t g_first_blk;
static const char *g_ctx, *g_ctx_end, *g_img, *g_img_end, *g_tls, *g_tls_end;
static Alloc *g_hit;
struct Rel {
    uint32_t blk, bar;
};
static std::unordered_map<const void *, std::vector<Rel>> g_rel; /* atomic address -> releases */
/* block -> the clock that the running block has seen of it */
static std::unordered_map<uint32_t, uint32_t> g_acq;
static uint32_t g_acq_blk;
static std::mutex g_mu; /* of the map: memory is taken on any thread */

void note_alloc(void *p, size_t n, bool is_host)
{
    std::lock_guard<std::mutex> g(g_mu);
    g_alloc[(char *)p] = Alloc{(char *)p, n, (Shadow *)calloc(n + 1, sizeof(Shadow)), is_host};
    g_hit = nullptr;
}

void note_free(void *p)
{
    std::lock_guard<std::mutex> g(g_mu);
    auto i = g_alloc.find((char *)p);
    if (i != g_alloc.end()) {
        free(i->second.sh);
        g_alloc.erase(i);
        g_hit = nullptr;
    }
}

static Alloc *find(const char *p)
{
    if (g_hit && p >= g_hit->p && p < g_hit->p + g_hit->n)
        return g_hit;
    auto i = g_alloc.upper_bound((char *)p);
    if (i == g_alloc.begin())
        return nullptr;
    --i;
    return p < i->second.p + i->second.n ? g_hit = &i->second : nullptr;
}

/* Kernels from this block on may still run when an early one starts: the latest that waited for
 * everything before it was started, and the early ones after it. */
static uint32_t g_flight;

void note_all_done()
{
    g_flight = next_block;
}

void note_host_write(void *p, size_t n)
{
    note_all_done(); /* a copy in the stream has its place between kernels */
    std::lock_guard<std::mutex> g(g_mu);
    Alloc *a = find((char *)p);
    if (!a || a->is_host)
        return;
    if (n >= a->n) { /* all of it: cheaper than byte by byte */
        free(a->sh);
        a->sh = (Shadow *)calloc(a->n + 1, sizeof(Shadow));
        a->is_host = true;
        return;
    }
    for (size_t i = 0; i < n; i++) {
        Shadow &s = a->sh[(char *)p - a->p + i];
        s = Shadow{};
        s.w.kind = HOST;
    }
}

/* This library's own code, constants and globals. */
static int img(dl_phdr_info *info, size_t, void *)
{
    const char *lo = nullptr, *hi = nullptr, *me = (const char *)(void *)&race_launch_begin;
    for (int k = 0; k < info->dlpi_phnum; k++)
        if (info->dlpi_phdr[k].p_type == PT_LOAD) {
            const char *at = (char *)info->dlpi_addr + info->dlpi_phdr[k].p_vaddr;
            const char *end = at + info->dlpi_phdr[k].p_memsz;
            lo = !lo || at < lo ? at : lo;
            hi = end > hi ? end : hi;
        }
    if (me < lo || me >= hi)
        return 0;
    g_img = lo;
    g_img_end = hi;
    for (int k = 0; k < info->dlpi_phnum; k++)
        if (info->dlpi_phdr[k].p_type == PT_TLS) {
            g_tls = (char *)info->dlpi_tls_data;
            g_tls_end = g_tls + info->dlpi_phdr[k].p_memsz;
        }
    return 1;
}

void race_launch_begin(const Desc &d, uint32_t first)
{
    dl_iterate_phdr(img, nullptr); /* each time: the engine's thread is not the first's */
    g_first_blk = first;
    if (!d.is_early)
        g_flight = first;
    g_ctx = (char *)d.ctx;
    g_ctx_end = g_ctx + d.ctx_size;
    g_rel.clear();
}

static std::string where(void *pc, Site s)
{
    char b[1200];
    Dl_info lib;
    if (!pc || !dladdr(pc, &lib)) {
        snprintf(b, sizeof b, "%s:%d", s.file ? s.file : "?", s.line);
        return b;
    }
    std::string r;
    snprintf(b, sizeof b, "addr2line -s -i -e %s 0x%lx", lib.dli_fname,
             (unsigned long)((const char *)pc - 1 - (const char *)lib.dli_fbase));
    if (FILE *f = popen(b, "r")) {
        while (fgets(b, sizeof b, f)) {
            b[strcspn(b, " \n")] = 0;
            if (!r.empty())
                r += " < ";
            r += b;
        }
        pclose(f);
    }
    return r;
}

static bool ordered(Worker *w, Thread *t, const Stamp &s, bool global)
{ /* s happened before now? */
    if (!s.blk)
        return true;
    if (s.blk != w->blk) {
        if (!global || s.blk < g_first_blk)
            return true;
        auto i = g_acq.find(s.blk);
        return i != g_acq.end() && s.bar <= i->second;
    }
    if (s.bar < w->epoch)
        return true;
    if (s.multi == 2)
        return false;
    bool same_warp = s.tid / 32u == t->tid / 32u;
    if (s.multi == 1)
        return same_warp && s.wep < t->warp->wep;
    return s.tid == t->tid || (same_warp && s.wep < t->warp->wep);
}
[[noreturn]] static void report(Worker *w, const char *kind, const char *mem, size_t off, size_t n,
                                const char *op, const Stamp *s, void *pc, Site site)
{
    std::string at = where(pc, site);
    (void)w;
    if (s) {
        if (s->blk == w->blk)
            fail("%s: %s of %zu bytes at %s+%zu (%s) against %s by thread %u", kind, op, n, mem,
                 off, at.c_str(),
                 s->kind == ATOMIC   ? "atomic"
                 : s->kind == FLIGHT ? "cp.async"
                                     : "access",
                 s->tid);
        fail("%s: %s of %zu bytes at %s+%zu (%s) against another block's access (its thread %u)",
             kind, op, n, mem, off, at.c_str(), s->tid);
    }
    fail("%s: %s of %zu bytes at %s+%zu (%s)", kind, op, n, mem, off, at.c_str());
}
static const char *opn(int k)
{
    return k == A_READ     ? "read"
           : k == A_WRITE  ? "write"
           : k == A_ATOMIC ? "atomic"
                           : "cp.async write";
}

void access(Worker *w, Thread *t, const void *vp, size_t n, int kind, void *pc, Site site)
{
    const char *p = (const char *)vp;
    if (p >= t->stack && p < t->stack + t->stack_sz)
        return;
    Shadow *sh;
    const char *mem = nullptr;
    size_t off;
    bool global = false, host = false;
    if (p >= w->arena && p < w->arena + ARENA) {
        const SmemVar *hit = nullptr;
        for (SmemVar &v : w->vars)
            if (p + n > v.p && p < v.p + v.size + 64) {
                hit = &v;
                break;
            }
        if (!hit)
            report(w, "shared memory out of bounds", "arena", (size_t)(p - w->arena), n, opn(kind),
                   nullptr, pc, site);
        if (p < hit->p || p + n > hit->p + hit->size)
            report(w, "shared memory out of bounds", hit->name, (size_t)(p - hit->p), n, opn(kind),
                   nullptr, pc, site);
        mem = hit->name;
        off = (size_t)(p - hit->p);
        sh = g_smem + (p - w->arena);
    } else if (Alloc *a = find(p)) {
        mem = "global memory";
        off = (size_t)(p - a->p);
        if (p + n > a->p + a->n)
            report(w, "global memory out of bounds", mem, off, n, opn(kind), nullptr, pc, site);
        sh = a->sh + off;
        host = a->is_host;
        global = true;
    } else {
        if (p >= g_ctx && p < g_ctx_end && kind == A_READ)
            return; /* kernel parameters */
        if (p >= g_img && p < g_img_end)
            return; /* __constant__, literals */
        if (p >= w->stacks && p < w->stacks + 1024 * (t->stack_sz + 4096))
            report(w, "access to another thread's local memory", "stack", 0, n, opn(kind), nullptr,
                   pc, site);
        if (p >= g_tls && p < g_tls_end)
            return; /* sim::cur, raw __shared__ */
        if (p >= (char *)w && p < (char *)(w + 1))
            return;
        for (Thread *x : w->th)
            if (p >= (char *)x && p < (char *)(x + 1))
                return; /* threadIdx & co */
        char b[32];
        snprintf(b, sizeof b, "%p", vp);
        report(w, "address is in no device allocation", b, 0, n, opn(kind), nullptr, pc, site);
    }
    if (global && w->l->d.is_early && !t->has_waited) {
        if (kind == A_WRITE || kind == A_ATOMIC)
            report(w, "before zkc_grid_wait()", mem, off, n, opn(kind), nullptr, pc, site);
        for (size_t i = 0; i < n; i++)
            if (sh[i].w.blk >= g_flight && sh[i].w.blk < g_first_blk)
                report(w, "before zkc_grid_wait(), of what a kernel before wrote", mem, off + i, n,
                       opn(kind), nullptr, pc, site);
    }
    if (g_acq_blk != w->blk) {
        g_acq_blk = w->blk;
        g_acq.clear();
    }
    uint8_t wkind = kind == A_ATOMIC ? ATOMIC : kind == A_INFLIGHT ? FLIGHT : PLAIN;
    Stamp now{w->blk, w->epoch, t->warp->wep, (uint16_t)t->tid, wkind, 0};
    for (size_t i = 0; i < n; i++) {
        Shadow &s = sh[i];
        if (kind == A_LAND) {
            s.w = now;
            continue;
        }
        if (s.w.kind == FLIGHT && s.w.blk == w->blk)
            report(w, "cp.async not waited for", mem, off + i, n, opn(kind), &s.w, pc, site);
        if (kind == A_READ || kind == A_ATOMIC)
            if (global ? s.w.kind == NONE && !host : s.w.blk != w->blk)
                report(w, "uninitialised read", mem, off + i, n, opn(kind), nullptr, pc, site);
        bool aa = kind == A_ATOMIC && s.w.kind == ATOMIC;
        if (!aa && s.w.blk && !ordered(w, t, s.w, global))
            report(w, "race", mem, off + i, n, opn(kind), &s.w, pc, site);
        if (kind == A_READ) {
            Stamp &r = s.r;
            if (r.blk != w->blk || ordered(w, t, r, global)) {
                r = now;
            } else if (r.tid != now.tid)
                r.multi = std::max<uint8_t>(r.multi, r.tid / 32 == now.tid / 32 ? 1 : 2);
        } else {
            if (s.r.blk && !ordered(w, t, s.r, global))
                report(w, "race", mem, off + i, n, opn(kind), &s.r, pc, site);
            s.w = now;
        }
    }
}
/* A load past coherence, of what nobody may write while the kernel runs. */
void check_nc(Worker *w, const void *p, size_t n, Site s)
{
    Alloc *a = find((const char *)p);
    for (size_t i = 0; a && i < n; i++)
        if (a->sh[(const char *)p - a->p + i].w.blk >= g_first_blk)
            report(w, "ld.global.nc of what this kernel writes", "global memory",
                   (size_t)((const char *)p - a->p) + i, n, "read", nullptr, nullptr, s);
}

static void acq_rel(Worker *w, Thread *t, const void *p, bool acquire, bool release)
{
    if (g_acq_blk != w->blk) {
        g_acq_blk = w->blk;
        g_acq.clear();
    }
    auto &v = g_rel[p];
    if (acquire)
        for (Rel &r : v) {
            uint32_t &c = g_acq[r.blk];
            c = std::max(c, r.bar);
        }
    if (release && w->fence_epoch) {
        for (Rel &r : v)
            if (r.blk == w->blk) {
                r.bar = std::max(r.bar, w->fence_epoch);
                return;
            }
        v.push_back({w->blk, w->fence_epoch});
    }
    (void)t;
}
/* Writes of the block up to here may be published by a later atomic. */
void fence()
{
    Worker *w = W;
    w->fence_epoch = w->epoch;
}
uint64_t atomic_load(const void *p, int n, bool acquire)
{
    Worker *w = W;
    uint64_t v = 0;
    if (acquire) {
        access(w, w->curt, p, (size_t)n, A_ATOMIC, __builtin_return_address(0), Site{});
        acq_rel(w, w->curt, p, true, false);
    }
    memcpy(&v, p, (size_t)n);
    return v;
}
void atomic_store(void *p, int n, uint64_t v, bool)
{
    Worker *w = W;
    access(w, w->curt, p, (size_t)n, A_ATOMIC, __builtin_return_address(0), Site{});
    acq_rel(w, w->curt, p, false, true);
    memcpy(p, &v, (size_t)n);
}
uint64_t cas(void *p, int n, uint64_t e, uint64_t d)
{
    Worker *w = W;
    access(w, w->curt, p, (size_t)n, A_ATOMIC, __builtin_return_address(0), Site{});
    acq_rel(w, w->curt, p, true, true);
    uint64_t v = 0;
    memcpy(&v, p, (size_t)n);
    if (v == e)
        memcpy(p, &d, (size_t)n);
    return v;
}
} /* namespace sim */

using namespace sim;
static inline void hook(void *p, size_t n, int k, void *pc)
{
    if (!cur)
        return; /* host code */
    Worker *w = W;
    access(w, w->curt, p, n, k, pc, Site{});
}
static inline bool is_local(void *p)
{
    return p >= W->curt->stack && p < W->curt->stack + W->curt->stack_sz;
}
/* A thread's own stack is this compiler's affair: it may join what the code stores apart. */
static inline void aligned(void *p, size_t n, void *pc)
{
    if (cur && ((uintptr_t)p & (n - 1)) && !is_local(p))
        fail("misaligned access of %zu bytes at %p (%s)", n, p, where(pc, Site{}).c_str());
}
extern "C" {
/* -fsanitize=alignment: what the compiler may do with an access of 8 or 16 bytes, a device does. */
struct Misaligned {
    const char *file;
    uint32_t line, column;
};
void __ubsan_handle_type_mismatch_v1(Misaligned *at, void *p)
{
    if (cur && !is_local(p))
        fail("misaligned access at %p (%s:%u)", p, at->file, at->line);
}
void __ubsan_handle_type_mismatch_v1_abort(Misaligned *at, void *p)
{
    __ubsan_handle_type_mismatch_v1(at, p);
}
#define H(N)                                              \
    void __tsan_read##N(void *p)                          \
    {                                                     \
        aligned(p, N, __builtin_return_address(0));       \
        hook(p, N, A_READ, __builtin_return_address(0));  \
    }                                                     \
    void __tsan_write##N(void *p)                         \
    {                                                     \
        aligned(p, N, __builtin_return_address(0));       \
        hook(p, N, A_WRITE, __builtin_return_address(0)); \
    }                                                     \
    void __tsan_volatile_read##N(void *p)                 \
    {                                                     \
        hook(p, N, A_READ, __builtin_return_address(0));  \
    }                                                     \
    void __tsan_volatile_write##N(void *p)                \
    {                                                     \
        hook(p, N, A_WRITE, __builtin_return_address(0)); \
    }                                                     \
    void __tsan_unaligned_read##N(void *p)                \
    {                                                     \
        hook(p, N, A_READ, __builtin_return_address(0));  \
    }                                                     \
    void __tsan_unaligned_write##N(void *p)               \
    {                                                     \
        hook(p, N, A_WRITE, __builtin_return_address(0)); \
    }
H(1) H(2) H(4) H(8) H(16) void __tsan_read_range(void *p, long n)
{
    hook(p, (size_t)n, A_READ, __builtin_return_address(0));
}
void __tsan_write_range(void *p, long n)
{
    hook(p, (size_t)n, A_WRITE, __builtin_return_address(0));
}
void __tsan_init()
{
}
void __tsan_func_entry(void *)
{
}
void __tsan_func_exit()
{
}
void __tsan_vptr_update(void **, void *)
{
}
void __tsan_vptr_read(void **)
{
}
/* Of the host's own threads: a kernel's atomics are the simulator's functions. */
int __tsan_atomic32_load(const int *p, int)
{
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}
int __tsan_atomic32_compare_exchange_strong(int *p, int *expected, int value, int, int)
{
    return __atomic_compare_exchange_n(p, expected, value, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}
}
