/* SPDX-License-Identifier: MIT */
/* What CUDA's own headers give to host and device alike, on a machine that has none of them: vector
 * types, 16-bit and 8-bit floats with the functions that our kernels use, error codes and the part
 * of the runtime's interface that the back-end calls. Names and meanings are CUDA's; what is not
 * used is not here. Arithmetic rounds once, to nearest even, as the hardware does. */
#ifndef TESTS_CUDASIM_SIM_TYPES_H
#define TESTS_CUDASIM_SIM_TYPES_H

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

/* ---- vectors ----------------------------------------------------------------------------- */

struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
};
struct alignas(8) int2 {
    int x, y;
};
struct alignas(16) int4 {
    int x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
inline int2 make_int2(int x, int y)
{
    return {x, y};
}
inline int4 make_int4(int x, int y, int z, int w)
{
    return {x, y, z, w};
}
inline uint2 make_uint2(unsigned x, unsigned y)
{
    return {x, y};
}
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w)
{
    return {x, y, z, w};
}
inline float2 make_float2(float x, float y)
{
    return {x, y};
}
inline float4 make_float4(float x, float y, float z, float w)
{
    return {x, y, z, w};
}

/* ---- bits -------------------------------------------------------------------------------- */

namespace sim
{
template <class D, class S> inline D bits(S s)
{
    static_assert(sizeof(D) == sizeof(S), "bits of another size");
    D d;
    memcpy((void *)&d, &s, sizeof d);
    return d;
}

/* A finite double to the nearest number with `mant` bits of fraction, `bias` as exponent bias, ties
 * to even; overflow gives `inf`. One rounding. */
inline uint32_t narrow(double d, int mant, int bias, uint32_t inf)
{
    uint32_t sign = bits<uint64_t>(d) >> 63 ? 1u : 0u;
    double a = std::fabs(d);
    int e;
    if (a != 0 && !(a < 0x1p-1022)) {
        std::frexp(a, &e); /* a = m * 2^e, m in [1/2, 1) */
        e = e - 1 < 1 - bias ? 1 - bias : e - 1;
    } else {
        e = 1 - bias;
    }
    double q = std::nearbyint(std::ldexp(a, mant - e)); /* in units of the last place */
    if (q >= std::ldexp(1, mant + 1)) {
        q /= 2;
        e++;
    }
    uint32_t u = (uint32_t)q;
    uint32_t code = u < 1u << mant ? u : ((uint32_t)(e + bias) << mant | (u & ((1u << mant) - 1)));
    if (!(a <= 1.7e308) || code >= inf)
        code = inf;
    return code | sign << 31;
}
extern float half_values[65536]; /* of all codes */
} /* namespace sim */

/* ---- fp16 and bf16 ----------------------------------------------------------------------- */

struct alignas(2) __half {
    uint16_t u;
};
struct alignas(4) __half2 {
    __half x, y;
};
struct alignas(2) __nv_bfloat16 {
    uint16_t u;
};
struct alignas(4) __nv_bfloat162 {
    __nv_bfloat16 x, y;
};

inline float __half2float(__half h)
{
    return sim::half_values[h.u];
}
inline __half __double2half(double d)
{
    if (d != d)
        return {0x7fff};
    uint32_t n = sim::narrow(d, 10, 15, 0x7c00);
    return {(uint16_t)((n & 0x7fff) | n >> 16)};
}
inline __half __float2half_rn(float f)
{
    uint32_t u = sim::bits<uint32_t>(f), a = u & 0x7fffffff, sign = u >> 16 & 0x8000;
    if (a > 0x7f800000)
        return {0x7fff};
    if (a >= 0x477ff000) /* 65520 and more */
        return {(uint16_t)(sign | 0x7c00)};
    if (a < 0x38800000) /* denormal: the addition rounds */
        return {(uint16_t)(sign | (sim::bits<uint32_t>(sim::bits<float>(a) + 0.5f) - 0x3f000000))};
    return {(uint16_t)(sign | ((a - 0x38000000 + 0xfff + (a >> 13 & 1)) >> 13))};
}
inline __half __float2half(float f)
{
    return __float2half_rn(f);
}
inline float __bfloat162float(__nv_bfloat16 h)
{
    return sim::bits<float>((uint32_t)h.u << 16);
}
inline __nv_bfloat16 __float2bfloat16_rn(float f)
{
    uint32_t u = sim::bits<uint32_t>(f);
    if (f != f)
        return {0x7fff};
    return {(uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16)};
}
inline __nv_bfloat16 __float2bfloat16(float f)
{
    return __float2bfloat16_rn(f);
}
inline __half __ushort_as_half(unsigned short u)
{
    return {u};
}
inline unsigned short __half_as_ushort(__half h)
{
    return h.u;
}
inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short u)
{
    return {u};
}
inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 h)
{
    return h.u;
}
inline float2 __half22float2(__half2 h)
{
    return {__half2float(h.x), __half2float(h.y)};
}
inline float2 __bfloat1622float2(__nv_bfloat162 h)
{
    return {__bfloat162float(h.x), __bfloat162float(h.y)};
}
inline __half2 __floats2half2_rn(float x, float y)
{
    return {__float2half_rn(x), __float2half_rn(y)};
}
inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y)
{
    return {__float2bfloat16_rn(x), __float2bfloat16_rn(y)};
}
inline __half2 __half2half2(__half h)
{
    return {h, h};
}
inline __nv_bfloat162 __bfloat162bfloat162(__nv_bfloat16 h)
{
    return {h, h};
}
inline __half2 __halves2half2(__half x, __half y)
{
    return {x, y};
}
inline __half __low2half(__half2 h)
{
    return h.x;
}
inline __half __high2half(__half2 h)
{
    return h.y;
}

namespace sim
{
/* The double sum with the lost part folded into its last bit (round to odd), so that narrowing it
 * rounds as if the sum had been exact. */
inline double add_odd(double a, double b)
{
    double s = a + b;
    if (!std::isfinite(s))
        return s;
    double t = s - a, e = (a - (s - t)) + (b - t);
    uint64_t u = bits<uint64_t>(s);
    if (e != 0 && !(u & 1))
        u += (e > 0) == (s > 0) ? 1 : -1;
    return bits<double>(u);
}
/* A double to bf16 with one rounding. */
inline __nv_bfloat16 to_bf16(double d)
{
    if (d != d)
        return {0x7fff};
    uint32_t n = narrow(d, 7, 127, 0x7f80);
    return {(uint16_t)((n & 0x7fff) | n >> 16)};
}
} /* namespace sim */

/* Products of 11-bit and of 8-bit significands are exact in double; sums may not be. */
#define SIM_ARITH(NAME, EXPR)                                                    \
    inline __half __h##NAME(__half p, __half q)                                  \
    {                                                                            \
        double a = (double)__half2float(p), b = (double)__half2float(q);         \
        return __double2half(EXPR);                                              \
    }                                                                            \
    inline __half2 __h##NAME##2(__half2 p, __half2 q)                            \
    {                                                                            \
        return {__h##NAME(p.x, q.x), __h##NAME(p.y, q.y)};                       \
    }                                                                            \
    inline __nv_bfloat16 __h##NAME(__nv_bfloat16 p, __nv_bfloat16 q)             \
    {                                                                            \
        double a = (double)__bfloat162float(p), b = (double)__bfloat162float(q); \
        return sim::to_bf16(EXPR);                                               \
    }                                                                            \
    inline __nv_bfloat162 __h##NAME##2(__nv_bfloat162 p, __nv_bfloat162 q)       \
    {                                                                            \
        return {__h##NAME(p.x, q.x), __h##NAME(p.y, q.y)};                       \
    }
SIM_ARITH(add, sim::add_odd(a, b))
SIM_ARITH(sub, sim::add_odd(a, -b))
SIM_ARITH(mul, a *b)
#undef SIM_ARITH

inline __half __hfma(__half a, __half b, __half c)
{
    double p = (double)__half2float(a) * (double)__half2float(b);
    return __double2half(sim::add_odd(p, (double)__half2float(c)));
}
inline __half2 __hfma2(__half2 a, __half2 b, __half2 c)
{
    return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)};
}
inline __nv_bfloat16 __hfma(__nv_bfloat16 a, __nv_bfloat16 b, __nv_bfloat16 c)
{
    double p = (double)__bfloat162float(a) * (double)__bfloat162float(b);
    return sim::to_bf16(sim::add_odd(p, (double)__bfloat162float(c)));
}
inline __nv_bfloat162 __hfma2(__nv_bfloat162 a, __nv_bfloat162 b, __nv_bfloat162 c)
{
    return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)};
}

/* ---- the runtime's interface ------------------------------------------------------------- */

enum cudaError_t {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInvalidConfiguration = 9,
    cudaErrorInsufficientDriver = 35,
    cudaErrorDevicesUnavailable = 46,
    cudaErrorNoDevice = 100,
    cudaErrorNoKernelImageForDevice = 209,
    cudaErrorInvalidDevice = 101,
    cudaErrorNotReady = 600,
    cudaErrorLaunchFailure = 719,
    cudaErrorStreamCaptureUnsupported = 900,
    cudaErrorStreamCaptureInvalidated = 901,
    cudaErrorHostMemoryAlreadyRegistered = 712,
    cudaErrorUnknown = 999,
};
enum cudaMemcpyKind {
    cudaMemcpyHostToHost,
    cudaMemcpyHostToDevice,
    cudaMemcpyDeviceToHost,
    cudaMemcpyDeviceToDevice,
    cudaMemcpyDefault,
};
enum cudaDeviceAttr {
    cudaDevAttrComputeCapabilityMajor = 75,
    cudaDevAttrComputeCapabilityMinor = 76,
    cudaDevAttrMultiProcessorCount = 16,
    cudaDevAttrMaxSharedMemoryPerBlockOptin = 97,
    cudaDevAttrL2CacheSize = 38,
    cudaDevAttrComputeMode = 20,
};
enum cudaStreamCaptureMode { cudaStreamCaptureModeThreadLocal = 1 };
struct cudaUUID_t {
    char bytes[16];
};
enum { cudaComputeModeDefault = 0, cudaComputeModeProhibited = 2 };
struct cudaDeviceProp {
    char name[256];
    cudaUUID_t uuid;
    size_t totalGlobalMem;
    int major, minor;
};
#define cudaStreamNonBlocking          1u
#define cudaHostRegisterMapped         2u
#define cudaHostRegisterPortable       1u
#define cudaHostAllocDefault           0u
#define cudaHostAllocPortable          1u
#define cudaHostAllocMapped            2u
#define cudaDeviceScheduleSpin         1u
#define cudaDeviceScheduleBlockingSync 4u
#define cudaEventDefault               0u
#define cudaEventDisableTiming         2u

typedef struct sim_stream *cudaStream_t;
typedef struct sim_event *cudaEvent_t;
typedef struct sim_graph *cudaGraph_t;
typedef struct sim_graph *cudaGraphExec_t;

cudaError_t cudaGetDeviceCount(int *n);
cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int device);
cudaError_t cudaDeviceGetAttribute(int *v, cudaDeviceAttr a, int device);
cudaError_t cudaDeviceGetPCIBusId(char *text, int size, int device);
cudaError_t cudaDriverGetVersion(int *v);
cudaError_t cudaRuntimeGetVersion(int *v);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaSetDeviceFlags(unsigned flags);
cudaError_t cudaDeviceSynchronize(void);
cudaError_t cudaDeviceReset(void);
cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total);
cudaError_t cudaMalloc(void **p, size_t n);
cudaError_t cudaFree(void *p);
cudaError_t cudaHostAlloc(void **p, size_t n, unsigned flags);
cudaError_t cudaFreeHost(void *p);
cudaError_t cudaHostRegister(void *p, size_t n, unsigned flags);
cudaError_t cudaHostUnregister(void *p);
cudaError_t cudaMemcpy(void *d, const void *s, size_t n, cudaMemcpyKind k);
cudaError_t cudaMemcpyAsync(void *d, const void *s, size_t n, cudaMemcpyKind k, cudaStream_t st);
cudaError_t cudaMemset(void *d, int v, size_t n);
cudaError_t cudaMemsetAsync(void *d, int v, size_t n, cudaStream_t st);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t s);
cudaError_t cudaStreamSynchronize(cudaStream_t s);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t e);
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s);
cudaError_t cudaEventSynchronize(cudaEvent_t e);
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t a, cudaEvent_t b);
cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode m);
cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *g);
cudaError_t cudaGraphInstantiate(cudaGraphExec_t *e, cudaGraph_t g, unsigned long long flags);
cudaError_t cudaGraphLaunch(cudaGraphExec_t e, cudaStream_t s);
cudaError_t cudaGraphDestroy(cudaGraph_t g);
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t e);
cudaError_t cudaGetLastError(void);
cudaError_t cudaPeekAtLastError(void);
const char *cudaGetErrorString(cudaError_t e);
const char *cudaGetErrorName(cudaError_t e);

#endif
