/* SPDX-License-Identifier: MIT */
/* CUDA on a machine without a GPU: the same .cu files, compiled by an ordinary C++ compiler, run
 * with every CUDA thread as a fiber. Included through kernels/cuda/zkc_gpu.cuh only. It checks what
 * a GPU does not: barriers that part of a block misses, lanes that a warp instruction waits for in
 * vain, unaligned and out-of-range copies, shared memory that is read before it is written; built
 * with CUDASIM_RACE also races, reads of what nobody wrote, addresses in no allocation, and what an
 * early kernel touches before it has waited for those before it.
 *
 * Environment: CUDASIM_THREADS (processors to use), CUDASIM_SEED (not 0: a random schedule),
 * CUDASIM_SMEM (bytes of shared memory of a block), CUDASIM_STACK (bytes of a thread's stack),
 * CUDASIM_MMA=trunc (sums of a product cut off as a device's may be), CUDASIM_MEMORY (MiB of the
 * device), CUDASIM_DEVICES (how many, 0: none), CUDASIM_ABORT=1 (core
 * at the first error), CUDASIM_FAIL=no-driver|old-driver|busy|capture|cublas|lost:N (capture:
 * nothing can be recorded; cublas: it multiplies nothing; lost: from the Nth launch on). */
#ifndef TESTS_CUDASIM_CUDASIM_H
#define TESTS_CUDASIM_CUDASIM_H

#define __host__
#define __device__
#define __global__
#define __constant__
#define __grid_constant__
#define __launch_bounds__(...)
#define __forceinline__ inline

#include "sim_types.h"

#include <cstdio>
#include <tuple>
#include <utility>

namespace sim
{
/* ---- a thread and what it can ask of the simulator ---- */
struct Site {
    const char *file;
    int line;
    static constexpr Site here(const char *f = __builtin_FILE(), int l = __builtin_LINE())
    {
        return Site{f, l};
    }
};
struct View { /* what a kernel can see of its own thread */
    uint3 threadIdx_;
    uint3 blockIdx_;
    dim3 blockDim_, gridDim_;
    unsigned lane;
};
extern __thread View *cur;

[[noreturn]] void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void barrier(int id, int nthreads, bool wait, Site, const char *what);
int barrier_reduce(int pred, int op, Site); /* op 0 count, 1 and, 2 or */
void yield();
void fence();
void grid_wait();
void trap(Site);

/* Warp collectives: every lane parks with a pointer to its argument record; the */
/* last one to arrive runs `fn` over all records. Records live on fiber stacks. */
enum Kind : int { K_SYNCWARP, K_SHFL, K_VOTE, K_MATCH, K_REDUCE, K_LDMATRIX, K_MMA };
using CollFn = void (*)(void **arg, uint32_t arrived);
void collective(uint32_t mask, int kind, int sub, const char *what, bool need_all, Site, void *arg,
                CollFn fn);

void *smem_static(const void *key, size_t size, size_t align, const char *name, Site);
void *smem_dyn();

struct ShflArg {
    uint64_t v, out;
    int src;
};
void shfl_fn(void **a, uint32_t m);
struct VoteArg {
    uint64_t v;
    uint32_t out;
};
void vote_fn(void **a, uint32_t m);
void match_fn(void **a, uint32_t m);

/* Atomic compare-and-swap that never reports a race against another atomic. */
uint64_t cas(void *p, int size, uint64_t expect, uint64_t desire);
uint64_t atomic_load(const void *p, int size, bool acquire);
void atomic_store(void *p, int size, uint64_t v, bool release);

/* ---- launching ---- */
struct Desc {
    const char *name;
    dim3 grid, block;
    size_t smem;
    void (*invoke)(void *);
    void *ctx;
    size_t ctx_size;
    bool is_early; /* may start while the kernels before it still run */
};
cudaError_t launch(const Desc &, cudaStream_t);

template <class... P, class... A>
inline cudaError_t launch_args(const char *name, bool is_early, void (*k)(P...), dim3 g, dim3 b,
                               size_t smem, cudaStream_t stream, A &&...a)
{
    struct C {
        void (*k)(P...);
        std::tuple<P...> t;
    } c{k, std::tuple<P...>(static_cast<P>(std::forward<A>(a))...)};
    return launch(Desc{name, g, b, smem,
                       [](void *p) { std::apply(static_cast<C *>(p)->k, static_cast<C *>(p)->t); },
                       &c, sizeof c, is_early},
                  stream);
}
} /* namespace sim */

#define zkc_launch(...)           ::sim::launch_args(#__VA_ARGS__, false, __VA_ARGS__)
#define zkc_launch_early(cc, ...) ::sim::launch_args(#__VA_ARGS__, true, __VA_ARGS__)

#define threadIdx (::sim::cur->threadIdx_)
#define blockIdx  (::sim::cur->blockIdx_)
#define blockDim  (::sim::cur->blockDim_)
#define gridDim   (::sim::cur->gridDim_)
constexpr int warpSize = 32;

#define ZKC_SHARED(T, name, ...)                                                                   \
    static char name##_smem_key;                                                                   \
    typedef T name##_smem_t __VA_ARGS__;                                                           \
    name##_smem_t &name = *static_cast<name##_smem_t *>(                                           \
        ::sim::smem_static(&name##_smem_key, sizeof(name##_smem_t), alignof(name##_smem_t), #name, \
                           ::sim::Site{__FILE__, __LINE__}))
#define ZKC_SHARED_DYN(T, name) T *const name = static_cast<T *>(::sim::smem_dyn())

/* ---- barriers and warp collectives ---- */
#define SIM_SITE ::sim::Site site = ::sim::Site::here()
inline void __syncthreads(SIM_SITE)
{
    sim::barrier(0, 0, true, site, "__syncthreads");
}
inline int __syncthreads_or(int p, SIM_SITE)
{
    return sim::barrier_reduce(p, 2, site);
}
inline void __syncwarp(unsigned m = 0xffffffffu, SIM_SITE)
{
    sim::collective(m, sim::K_SYNCWARP, 0, "__syncwarp", false, site, nullptr, nullptr);
}
namespace sim
{
template <class T> inline T shfl(unsigned m, T v, int src, int sub, const char *what, Site s)
{
    static_assert(sizeof(T) <= 8, "shuffle of a type wider than 8 bytes");
    ShflArg a{0, 0, src};
    memcpy(&a.v, &v, sizeof v);
    collective(m, K_SHFL, sub, what, false, s, &a, shfl_fn);
    T r;
    memcpy((void *)&r, &a.out, sizeof r);
    return r;
}
} /* namespace sim */
template <class T> inline T __shfl_sync(unsigned m, T v, int src, int w = 32, SIM_SITE)
{
    int l = sim::cur->lane;
    return sim::shfl(m, v, (l & ~(w - 1)) | (src & (w - 1)), 0, "__shfl_sync", site);
}
template <class T> inline T __shfl_up_sync(unsigned m, T v, unsigned d, int w = 32, SIM_SITE)
{
    int l = sim::cur->lane, s = l - (int)d;
    return sim::shfl(m, v, s < (l & ~(w - 1)) ? l : s, 1, "__shfl_up_sync", site);
}
template <class T> inline T __shfl_down_sync(unsigned m, T v, unsigned d, int w = 32, SIM_SITE)
{
    int l = sim::cur->lane, s = l + (int)d;
    return sim::shfl(m, v, s > (l | (w - 1)) ? l : s, 2, "__shfl_down_sync", site);
}
template <class T> inline T __shfl_xor_sync(unsigned m, T v, int x, int w = 32, SIM_SITE)
{
    int l = sim::cur->lane, s = l ^ x;
    return sim::shfl(m, v, s > (l | (w - 1)) ? l : s, 3, "__shfl_xor_sync", site);
}
inline unsigned __ballot_sync(unsigned m, int p, SIM_SITE)
{
    sim::VoteArg a{(uint64_t)(p != 0), 0};
    sim::collective(m, sim::K_VOTE, 0, "__ballot_sync", false, site, &a, sim::vote_fn);
    return a.out;
}
inline int __any_sync(unsigned m, int p, SIM_SITE)
{
    sim::VoteArg a{(uint64_t)(p != 0), 0};
    sim::collective(m, sim::K_VOTE, 1, "__any_sync", false, site, &a, sim::vote_fn);
    return a.out != 0;
}
inline int __all_sync(unsigned m, int p, SIM_SITE)
{
    sim::VoteArg a{(uint64_t)(p == 0), 0};
    sim::collective(m, sim::K_VOTE, 2, "__all_sync", false, site, &a, sim::vote_fn);
    return a.out == 0;
}
template <class T> inline unsigned __match_any_sync(unsigned m, T v, SIM_SITE)
{
    sim::VoteArg a{0, 0};
    memcpy(&a.v, &v, sizeof v);
    sim::collective(m, sim::K_MATCH, 0, "__match_any_sync", false, site, &a, sim::match_fn);
    return a.out;
}
#define SIM_REDUX(NAME, OP)                                                 \
    template <class T> inline T NAME(unsigned m, T v, SIM_SITE)             \
    {                                                                       \
        struct A {                                                          \
            T v, out;                                                       \
        } a{v, v};                                                          \
        sim::collective(m, sim::K_REDUCE, __LINE__, #NAME, false, site, &a, \
                        [](void **p, uint32_t mm) {                         \
                            bool first = true;                              \
                            T r{};                                          \
                            for (int i = 0; i < 32; i++)                    \
                                if (mm >> i & 1) {                          \
                                    T x = static_cast<A *>(p[i])->v;        \
                                    if (first)                              \
                                        r = x;                              \
                                    else                                    \
                                        r = (OP);                           \
                                    first = false;                          \
                                }                                           \
                            for (int i = 0; i < 32; i++)                    \
                                if (mm >> i & 1)                            \
                                    static_cast<A *>(p[i])->out = r;        \
                        });                                                 \
        return a.out;                                                       \
    }
SIM_REDUX(__reduce_add_sync, r + x)
SIM_REDUX(__reduce_min_sync, x < r ? x : r)
SIM_REDUX(__reduce_max_sync, x > r ? x : r)
SIM_REDUX(__reduce_or_sync, r | x)
inline void __threadfence()
{
    sim::fence();
}
inline void __nanosleep(unsigned)
{
    sim::yield();
}
inline void __trap(SIM_SITE)
{
    sim::trap(site);
}
/* __activemask() is deliberately absent: its value is unspecified under divergence. */

/* ---- atomics ---- */
namespace sim
{
template <class T, class F> inline T rmw(T *p, F f)
{
    static_assert(sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8, "atomic width");
    uint64_t o = atomic_load(p, sizeof(T), false);
    for (;;) {
        T ov, nv;
        memcpy((void *)&ov, &o, sizeof(T));
        nv = f(ov);
        uint64_t n = 0;
        memcpy(&n, &nv, sizeof(T));
        uint64_t r = cas(p, sizeof(T), o, n);
        if (r == o)
            return ov;
        o = r;
    }
}
} /* namespace sim */
#define SIM_ATOMIC(NAME, T, EXPR)                           \
    inline T NAME(T *p, T v)                                \
    {                                                       \
        return sim::rmw(p, [=](T o) -> T { return EXPR; }); \
    }
SIM_ATOMIC(atomicAdd, int, (int)((unsigned)o + (unsigned)v))
SIM_ATOMIC(atomicAdd, unsigned, o + v)
SIM_ATOMIC(atomicAdd, unsigned long long, o + v)
SIM_ATOMIC(atomicAdd, float, o + v)
SIM_ATOMIC(atomicExch, int, ((void)o, v))
SIM_ATOMIC(atomicExch, unsigned, ((void)o, v))
SIM_ATOMIC(atomicExch, unsigned long long, ((void)o, v))
SIM_ATOMIC(atomicExch, float, ((void)o, v))
SIM_ATOMIC(atomicMax, int, o > v ? o : v)
SIM_ATOMIC(atomicMax, unsigned, o > v ? o : v)
SIM_ATOMIC(atomicMin, int, o < v ? o : v)
SIM_ATOMIC(atomicMin, unsigned, o < v ? o : v)
SIM_ATOMIC(atomicAnd, unsigned, o &v)
SIM_ATOMIC(atomicOr, unsigned, o | v)
#define SIM_CAS(T)                                      \
    inline T atomicCAS(T *p, T e, T d)                  \
    {                                                   \
        uint64_t a = 0, b = 0;                          \
        memcpy(&a, &e, sizeof(T));                      \
        memcpy(&b, &d, sizeof(T));                      \
        a = sim::cas(p, sizeof(T), a, b);               \
        T r;                                            \
        memcpy(&r, &a, sizeof(T));                      \
        if (!(r == e))                                  \
            sim::yield(); /* lost: let the owner run */ \
        return r;                                       \
    }
SIM_CAS(int)
SIM_CAS(unsigned)
SIM_CAS(unsigned long long)
SIM_CAS(unsigned short)

/* ---- integer, bit and float intrinsics ---- */
template <class T> inline T __ldg(const T *p)
{
    return *p;
}
template <class T> inline T __ldcs(const T *p)
{
    return *p;
}
template <class T> inline T __ldcg(const T *p)
{
    return *p;
}
template <class T> inline T __ldca(const T *p)
{
    return *p;
}
template <class T> inline void __stcs(T *p, T v)
{
    *p = v;
}
template <class T> inline void __stcg(T *p, T v)
{
    *p = v;
}
inline int __popc(unsigned x)
{
    return __builtin_popcount(x);
}
inline int __clz(int x)
{
    return x ? __builtin_clz((unsigned)x) : 32;
}
inline int __ffs(int x)
{
    return __builtin_ffs(x);
}
inline unsigned sim_prmt(unsigned a, unsigned b, unsigned sel)
{
    uint64_t v = (uint64_t)b << 32 | a;
    unsigned r = 0;
    for (int i = 0; i < 4; i++) {
        unsigned s = sel >> (4 * i) & 15u, byte = (unsigned)(v >> (8 * (s & 7))) & 255u;
        if (s & 8)
            byte = byte & 128 ? 255u : 0u; /* replicate sign */
        r |= byte << (8 * i);
    }
    return r;
}
inline unsigned __byte_perm(unsigned a, unsigned b, unsigned s)
{
    return sim_prmt(a, b, s & 0x7777u);
}
inline int __dp4a(int a, int b, int c)
{
    for (int i = 0; i < 4; i++)
        c = (int)((unsigned)c + (unsigned)((int)(int8_t)(a >> 8 * i) * (int)(int8_t)(b >> 8 * i)));
    return c;
}
inline unsigned __dp4a(unsigned a, unsigned b, unsigned c)
{
    for (int i = 0; i < 4; i++)
        c += (a >> 8 * i & 255u) * (b >> 8 * i & 255u);
    return c;
}
inline unsigned __umulhi(unsigned a, unsigned b)
{
    return (unsigned)((uint64_t)a * b >> 32);
}
inline int __float_as_int(float f)
{
    return sim::bits<int>(f);
}
inline unsigned __float_as_uint(float f)
{
    return sim::bits<unsigned>(f);
}
inline float __int_as_float(int i)
{
    return sim::bits<float>(i);
}
inline float __uint_as_float(unsigned i)
{
    return sim::bits<float>(i);
}
inline float __saturatef(float x)
{
    return x > 0.f ? (x < 1.f ? x : 1.f) : 0.f;
}
inline float __fmaf_rn(float a, float b, float c)
{
    return fmaf(a, b, c);
}
inline float __fadd_rn(float a, float b)
{
    return a + b;
}
inline float __fsub_rn(float a, float b)
{
    return a - b;
}
inline float __fmul_rn(float a, float b)
{
    return a * b;
}
inline float __fdiv_rn(float a, float b)
{
    return a / b;
}
inline float __frcp_rn(float a)
{
    return 1.f / a;
}
inline float __fsqrt_rn(float a)
{
    return sqrtf(a);
}
inline float __frsqrt_rn(float a)
{
    return (float)(1.0 / sqrt((double)a));
}
inline float rsqrtf(float a)
{
    return (float)(1.0 / sqrt((double)a));
}
inline float __fdividef(float a, float b)
{
    return a / b;
}
inline float __expf(float a)
{
    return expf(a);
}
inline float __logf(float a)
{
    return logf(a);
}
inline float __log2f(float a)
{
    return log2f(a);
}
inline float __sinf(float a)
{
    return sinf(a);
}
inline float __cosf(float a)
{
    return cosf(a);
}
inline int __float2int_rn(float f)
{
    return f != f              ? 0
           : f >= 2147483648.f ? INT32_MAX
           : f < -2147483648.f ? INT32_MIN
                               : (int)nearbyintf(f);
}
inline int __float2int_rz(float f)
{
    return f != f ? 0 : f >= 2147483648.f ? INT32_MAX : f < -2147483648.f ? INT32_MIN : (int)f;
}
#define SIM_MINMAX(T)                \
    inline constexpr T min(T a, T b) \
    {                                \
        return b < a ? b : a;        \
    }                                \
    inline constexpr T max(T a, T b) \
    {                                \
        return a < b ? b : a;        \
    }
SIM_MINMAX(int)
SIM_MINMAX(unsigned)
SIM_MINMAX(long)
SIM_MINMAX(unsigned long)
#undef SIM_MINMAX
inline float min(float a, float b)
{
    return fminf(a, b);
}
inline float max(float a, float b)
{
    return fmaxf(a, b);
}
inline double min(double a, double b)
{
    return fmin(a, b);
}
inline double max(double a, double b)
{
    return fmax(a, b);
}
inline unsigned min(int a, unsigned b)
{
    return min((unsigned)a, b);
}
inline unsigned max(int a, unsigned b)
{
    return max((unsigned)a, b);
}
inline unsigned min(unsigned a, int b)
{
    return min(a, (unsigned)b);
}
inline unsigned max(unsigned a, int b)
{
    return max(a, (unsigned)b);
}

/* ---- the instructions of kernels/cuda/zkc_ptx.cuh ----------------------------------------- */

typedef uintptr_t zkc_smem; /* byte address inside shared memory; arithmetic allowed */
namespace simptx
{
using sim::Site;
void cp_async(zkc_smem dst, const void *src, int size, int src_size, Site);
void cp_commit();
uint4 ld_nc16(const void *p, Site);
void cp_wait(int n, Site); /* n < 0: all */
void ldmatrix(uint32_t *r, zkc_smem row, int num, bool trans, Site);
enum Type { F16, BF16 };
/* m16n8k16, fp32 accumulators */
void mma(float *d, const uint32_t *a, const uint32_t *b, const float *c, Type, Site);
} /* namespace simptx */

#endif
