/* SPDX-License-Identifier: MIT */
/* Every instruction that our kernels use and CUDA C++ has no name for. On a device it is inline
 * PTX; in the simulator a call with the same meaning. Kernels contain no assembly themselves.
 * Fragments (m16n8k16, 16-bit operands; lane = 4 g + q): a[i] is row g + 8 (i & 1), columns
 * 2 q + 8 (i >> 1) and the next; b[i] is column g, rows 2 q + 8 i and the next; c[i] is row
 * g + 8 (i >> 1), column 2 q + (i & 1). */
#ifndef KERNELS_CUDA_ZKC_PTX_CUH
#define KERNELS_CUDA_ZKC_PTX_CUH

#include "kernels/cuda/zkc_gpu.cuh"

#ifdef CUDASIM
#define ZKC_DEV   inline
#define ZKC_SITE  , ::sim::Site site = ::sim::Site::here()
#define ZKC_SITE0 ::sim::Site site = ::sim::Site::here()
#else
#define ZKC_DEV __device__ __forceinline__
#define ZKC_SITE
#define ZKC_SITE0
typedef uint32_t zkc_smem; /* byte address inside shared memory; arithmetic allowed */
#endif

ZKC_DEV zkc_smem zkc_smem_addr(const void *p)
{
#ifdef CUDASIM
    return (zkc_smem)p;
#else
    return (uint32_t)__cvta_generic_to_shared(p);
#endif
}

/* ---- asynchronous copies ----------------------------------------------------------------- */

/* Copies 16 bytes past L1; the bytes from src_bytes on are written as zero. */
ZKC_DEV void zkc_cp_async16(zkc_smem dst, const void *src, int src_bytes = 16 ZKC_SITE)
{
#ifdef CUDASIM
    simptx::cp_async(dst, src, 16, src_bytes, site);
#else
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(dst), "l"(src),
                 "r"(src_bytes)
                 : "memory");
#endif
}

/* What the L2 cache is to do with lines that are read once: give them up before any other. */
typedef uint64_t zkc_policy;
ZKC_DEV zkc_policy zkc_policy_once()
{
    zkc_policy p = 0;
#ifndef CUDASIM
    asm("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;\n" : "=l"(p));
#endif
    return p;
}

/* Copies 16 bytes past L1, with a policy for L2, if they are wanted. */
ZKC_DEV void zkc_cp_async16_as(zkc_smem dst, const void *src, bool is_wanted,
                               zkc_policy policy ZKC_SITE)
{
#ifdef CUDASIM
    (void)policy;
    if (is_wanted)
        simptx::cp_async(dst, src, 16, 16, site);
#else
    asm volatile("{.reg .pred p; setp.ne.b32 p, %2, 0;\n"
                 "@p cp.async.cg.shared.global.L2::cache_hint [%0], [%1], 16, %3;}\n" ::"r"(dst),
                 "l"(src), "r"((int)is_wanted), "l"(policy)
                 : "memory");
#endif
}

ZKC_DEV void zkc_cp_async_commit()
{
#ifdef CUDASIM
    simptx::cp_commit();
#else
    asm volatile("cp.async.commit_group;\n" ::: "memory");
#endif
}

/* Waits until all but the latest N groups of this thread have landed. */
template <int N> ZKC_DEV void zkc_cp_async_wait(ZKC_SITE0)
{
#ifdef CUDASIM
    simptx::cp_wait(N, site);
#else
    asm volatile("cp.async.wait_group %0;\n" ::"n"(N) : "memory");
#endif
}

/* ---- matrix fragments -------------------------------------------------------------------- */

/* Four 8x8 matrices of 16 bits: lane 8 i + j gives the address of row j of matrix i. */
ZKC_DEV void zkc_ldmatrix_x4(uint32_t (&r)[4], zkc_smem row ZKC_SITE)
{
#ifdef CUDASIM
    simptx::ldmatrix(r, row, 4, false, site);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(row)
                 : "memory");
#endif
}

ZKC_DEV void zkc_ldmatrix_x4_trans(uint32_t (&r)[4], zkc_smem row ZKC_SITE)
{
#ifdef CUDASIM
    simptx::ldmatrix(r, row, 4, true, site);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(row)
                 : "memory");
#endif
}

ZKC_DEV void zkc_ldmatrix_x2(uint32_t (&r)[2], zkc_smem row ZKC_SITE)
{
#ifdef CUDASIM
    simptx::ldmatrix(r, row, 2, false, site);
#else
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];\n"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(row)
                 : "memory");
#endif
}

/* d = a b + c, fp32 accumulators; d and c may be the same. */
ZKC_DEV void zkc_mma_f16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                         const float (&c)[4] ZKC_SITE)
{
#ifdef CUDASIM
    simptx::mma(d, a, b, c, simptx::F16, site);
#else
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, "
                 "{%4,%5,%6,%7}, {%8,%9}, {%10,%11,%12,%13};\n"
                 : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c[0]),
                   "f"(c[1]), "f"(c[2]), "f"(c[3]));
#endif
}

ZKC_DEV void zkc_mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                          const float (&c)[4] ZKC_SITE)
{
#ifdef CUDASIM
    simptx::mma(d, a, b, c, simptx::BF16, site);
#else
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, "
                 "{%4,%5,%6,%7}, {%8,%9}, {%10,%11,%12,%13};\n"
                 : "=f"(d[0]), "=f"(d[1]), "=f"(d[2]), "=f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]), "f"(c[0]),
                   "f"(c[1]), "f"(c[2]), "f"(c[3]));
#endif
}

/* ---- bits and numbers -------------------------------------------------------------------- */

/* Any function of three bits, bit by bit: LUT is the function of 0xf0, 0xcc, 0xaa. */
template <int LUT> ZKC_DEV uint32_t zkc_lop3(uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t r;
#ifdef CUDASIM
    r = 0;
    for (int i = 0; i < 8; i++)
        if (LUT >> i & 1)
            r |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
#else
    asm("lop3.b32 %0, %1, %2, %3, %4;\n" : "=r"(r) : "r"(a), "r"(b), "r"(c), "n"(LUT));
#endif
    return r;
}

/* Byte i of the result is the byte of b:a (a low) that the lower three bits of nibble i of sel
 * name; with the fourth, 8 times that byte's highest bit. */
ZKC_DEV uint32_t zkc_prmt(uint32_t a, uint32_t b, uint32_t sel)
{
#ifdef CUDASIM
    return sim_prmt(a, b, sel);
#else
    uint32_t r;
    asm("prmt.b32 %0, %1, %2, %3;\n" : "=r"(r) : "r"(a), "r"(b), "r"(sel));
    return r;
#endif
}

/* v, but the compiler does not know: so what is made of it is made here, and does not lie in
 * registers from the beginning of the kernel on. */
ZKC_DEV int zkc_here(int v)
{
#ifndef CUDASIM
    asm volatile("" : "+r"(v));
#endif
    return v;
}

/* 2^x within 2 units of the last place; denormals are zero. */
ZKC_DEV float zkc_ex2(float x)
{
#ifdef CUDASIM
    return exp2f(x);
#else
    float r;
    asm("ex2.approx.ftz.f32 %0, %1;\n" : "=f"(r) : "f"(x));
    return r;
#endif
}

/* ---- memory and barriers ----------------------------------------------------------------- */

/* 16 bytes that nobody writes during the kernel and that are needed once: past L1. */
ZKC_DEV uint4 zkc_ld_stream16(const void *p ZKC_SITE)
{
#ifdef CUDASIM
    return simptx::ld_nc16(p, site);
#else
    uint4 v;
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0,%1,%2,%3}, [%4];\n"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(p));
    return v;
#endif
}

ZKC_DEV uint32_t zkc_ld_acquire(const uint32_t *p)
{
#ifdef CUDASIM
    ::sim::yield(); /* so that a loop that waits lets the others run */
    return (uint32_t)::sim::atomic_load(p, 4, true);
#else
    uint32_t v;
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];\n" : "=r"(v) : "l"(p) : "memory");
    return v;
#endif
}

ZKC_DEV void zkc_st_release(uint32_t *p, uint32_t v)
{
#ifdef CUDASIM
    ::sim::fence();
    ::sim::atomic_store(p, 4, v, true);
#else
    asm volatile("st.release.gpu.global.u32 [%0], %1;\n" ::"l"(p), "r"(v) : "memory");
#endif
}

/* Adds to a counter and gives what it was. What the thread wrote or saw (through __syncwarp, what
 * its warp wrote) is there for whoever sees the sum through this. */
ZKC_DEV uint32_t zkc_atom_add(uint32_t *p, uint32_t v)
{
#ifdef CUDASIM
    ::sim::fence();
    return atomicAdd(p, v);
#else
    uint32_t was;
    asm volatile("atom.acq_rel.gpu.global.add.u32 %0, [%1], %2;\n"
                 : "=r"(was)
                 : "l"(p), "r"(v)
                 : "memory");
    return was;
#endif
}

/* Barriers 1 to 15 among n threads, a multiple of 32. */
ZKC_DEV void zkc_bar_sync(int id, int n ZKC_SITE)
{
#ifdef CUDASIM
    ::sim::barrier(id, n, true, site, "bar.sync");
#else
    asm volatile("bar.sync %0, %1;\n" ::"r"(id), "r"(n) : "memory");
#endif
}

/* Programmatic dependent launch (sm_90 and later; nothing before). The trigger: the kernel after
 * this may start, as soon as all blocks have said so and it finds room. The wait: until all kernels
 * before have ended and what they wrote can be read; the one before waited for those before it. So
 * a trigger first thing is right, and lets a kernel that waits take its place in good time. */
ZKC_DEV void zkc_grid_wait()
{
#ifdef CUDASIM
    ::sim::grid_wait();
#elif __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

ZKC_DEV void zkc_grid_trigger()
{
#if !defined(CUDASIM) && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

#endif
