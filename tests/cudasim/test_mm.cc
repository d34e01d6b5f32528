// SPDX-License-Identifier: MIT
/* Products of packed matrices (kernels/cuda/zkc_mm*.cu) against plain loops in double precision,
 * in the simulator or on a device. What is checked of every case: the error is within what fp32
 * sums of exact terms allow; nothing is written outside; a second run, and every number of rows,
 * gives the same bits; counters are left zero. `test_mm [quick]`. */
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "kernels/cuda/zkc_blas.cuh"
#include "kernels/cuda/zkc_mm_call.cuh"

static int failures, cases;
static uint64_t seed = 88172645463325252u;

static uint32_t rnd()
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32);
}

static float unit()
{
    return (float)(rnd() & 0xffffff) / 0x800000 - 1;
}

static uint16_t narrow(enum zk_type type, float f)
{
    return type == ZK_F16 ? zk_f32_to_f16(f) : zk_f32_to_bf16(f);
}

static float widen(enum zk_type type, uint16_t h)
{
    return type == ZK_F16 ? zk_f16_to_f32(h) : zk_bf16_to_f32(h);
}

/* ---- device memory ----------------------------------------------------------------------- */

template <class T> struct Dev {
    T *p = nullptr;
    size_t n;

    explicit Dev(const std::vector<T> &v) : n(v.size())
    {
        if (cudaMalloc((void **)&p, n * sizeof(T)) != cudaSuccess)
            abort();
        cudaMemcpy(p, v.data(), n * sizeof(T), cudaMemcpyHostToDevice);
    }
    Dev(const Dev &) = delete;
    ~Dev()
    {
        cudaFree(p);
    }
    std::vector<T> get() const
    {
        std::vector<T> v(n);
        cudaMemcpy(v.data(), p, n * sizeof(T), cudaMemcpyDeviceToHost);
        return v;
    }
};

/* ---- a matrix ---------------------------------------------------------------------------- */

struct Matrix {
    zk_mat_desc d;
    std::vector<uint8_t> q[2], zero[2];
    std::vector<uint8_t> scale[2], w[2];
    float table[16] = {};
    zk_canon part[2];
    int n_parts;
    zkc_mm_layout lo;
    std::vector<uint8_t> packed;

    Matrix(zk_form form, int n, int k, int group, zk_type type, bool zeros, bool pairs)
    {
        d = {};
        d.form = form;
        d.n = n;
        d.k = k;
        d.group = group;
        d.type = type;
        d.has_zero = zeros;
        d.join = pairs ? ZK_JOIN_PAIRS : ZK_JOIN_ROWS;
        n_parts = pairs || n > 40 ? 2 : 1;
        for (int i = 0; i < n_parts; i++)
            fill(i, pairs ? n / 2 : n_parts == 1 ? n : i == 0 ? n - 24 : 24);
        if (zkc_mm_layout_init(&lo, &d) < 0)
            abort();
        packed.resize(lo.bytes);
        zkc_mm_pack(&lo, part, packed.data());
    }

    void fill(int i, int n)
    {
        zk_canon &c = part[i];
        c = {};
        c.form = d.form;
        c.n = n;
        c.k = d.k;
        c.group = d.group;
        c.type = d.type;
        size_t groups = d.group > 0 && d.group < d.k ? (d.k + d.group - 1) / d.group : 1,
               size = zk_type_size(zk_form_is_coded(d.form) ? zk_scale_type(&d) : d.type);
        if (d.form == ZK_W16) {
            w[i].resize((size_t)n * d.k * 2);
            for (size_t j = 0; j < (size_t)n * d.k; j++)
                put(w[i], j, unit());
            c.w = w[i].data();
            return;
        }
        q[i].resize((size_t)n * (d.form == ZK_W4A || d.form == ZK_W4L ? (d.k + 1) / 2 : d.k));
        for (auto &b : q[i])
            b = (uint8_t)rnd();
        for (auto &b : q[i])
            if (d.form == ZK_W8F && (b & 0x7f) == 0x7f)
                b = 0; /* it was no number */
        for (float &t : table)
            t = i == 0 ? unit() * 2 : t;
        c.table = table;
        scale[i].resize(n * groups * size);
        for (size_t j = 0; j < n * groups; j++)
            put(scale[i], j, 0.01f + 0.01f * std::fabs(unit()));
        zero[i].resize(n * groups);
        for (auto &b : zero[i])
            b = (uint8_t)rnd() & (d.form == ZK_W4A ? 15 : 255);
        c.q = q[i].data();
        c.scale = scale[i].data();
        c.zero = d.has_zero ? zero[i].data() : nullptr;
    }

    void put(std::vector<uint8_t> &v, size_t i, float f)
    {
        const bool is_float = zk_form_is_coded(d.form) && zk_scale_type(&d) == ZK_F32;
        uint16_t h = is_float ? 0 : narrow(d.type, f);
        if (is_float)
            memcpy(&v[i * 4], &f, 4);
        else
            memcpy(&v[i * 2], &h, 2);
    }

    double at(int i, int j) const
    {
        int row;
        const zk_canon *c = zk_parts_row(part, i, &row);
        return (double)zk_canon_at(c, row, j);
    }

    /* As products take it: the table of W4L rounded. */
    double taken(int i, int j)
    {
        float exact[16];
        memcpy(exact, table, sizeof table);
        for (float &t : table)
            t = widen(d.type, narrow(d.type, t));
        const double v = at(i, j);
        memcpy(table, exact, sizeof table);
        return v;
    }
};

/* ---- checks ------------------------------------------------------------------------------ */

static void report(bool ok, const Matrix &m, zk_type type, int rows, const char *what, double worst)
{
    cases++;
    if (ok)
        return;
    failures++;
    printf("FAIL form %d type %d n %d k %d group %d zero %d join %d act %d rows %d: %s %g\n",
           m.d.form, m.d.type, m.d.n, m.d.k, m.d.group, m.d.has_zero, m.d.join, type, rows, what,
           worst);
}

/* A part in two pieces. */
static int repack(zkc_dev *dev, const Matrix &m, uint8_t *dst, int i, int first)
{
    const size_t n = (size_t)m.part[i].n;
    const std::vector<uint8_t> &codes = m.d.form == ZK_W16 ? m.w[i] : m.q[i];
    std::vector<uint8_t> none(1, 0);
    Dev<uint8_t> q(codes), s(m.scale[i].empty() ? none : m.scale[i]),
        z(m.d.has_zero ? m.zero[i] : none);
    const size_t cut = n / 3, qn = codes.size() / n, sn = m.scale[i].size() / n;
    const size_t zn = m.zero[i].size() / n;
    for (int piece = 0; piece < 2; piece++) {
        const size_t at = piece ? cut : 0;
        zkc_mm_rows rows = {first + (int)at, (int)(piece ? n - cut : cut), q.p + at * qn,
                            s.p + at * sn, m.d.has_zero ? z.p + at * zn : nullptr};
        int r = rows.n ? zkc_mm_repack(dev, &m.lo, m.d.group, dst, &rows) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

/* Packed and read back: the canonical values, exactly. */
static void check_pack(const Matrix &m)
{
    std::vector<float> row(m.d.k);
    bool ok = true;
    for (int i = 0; i < m.d.n; i++) {
        size_t panel = (size_t)(zkc_mm_row(&m.lo, i) / m.lo.panel) * m.lo.panel_bytes;
        zkc_mm_unpack_row(&m.lo, m.packed.data() + panel, m.table, i, row.data());
        for (int j = 0; j < m.d.k; j++)
            ok = ok && (double)row[j] == m.at(i, j);
    }
    report(ok, m, ZK_F16, 0, "read back", 0);
    zkc_dev dev = {};
    Dev<uint8_t> dst(std::vector<uint8_t>(m.lo.bytes, 0));
    int r = 0, first = 0;
    for (int i = 0; i < m.n_parts && r == 0; first += m.part[i++].n)
        r = repack(&dev, m, dst.p, i, first);
    std::vector<uint8_t> got =
        r == 0 && cudaDeviceSynchronize() == cudaSuccess ? dst.get() : std::vector<uint8_t>();
    if (!got.empty() && m.d.form == ZK_W4L)
        zkc_mm_pack_table(&m.lo, m.table, got.data() + m.lo.table);
    report(got == m.packed, m, ZK_F16, 0, "packed on the device differs", r);
}

struct Result {
    std::vector<float> y;
    std::vector<uint16_t> act;
};

enum { GUARD = 64, SMS = 3 };

/* Negative controls: the first code is another one; the first two lanes' codes are exchanged. */
enum Fault { NONE, CODE, ORDER };

enum Way { DECODE, TILE, BLAS };

struct Run {
    bool bias, add;
    int stride; /* added to ldy */
    Fault fault;
    Way way;
};

static std::vector<uint8_t> broken(const Matrix &m, Fault fault)
{
    std::vector<uint8_t> v = m.packed;
    if (fault == CODE)
        v[m.d.form == ZK_W16 ? 1 : 0] ^= m.d.form == ZK_W16 ? 0x40 : 8;
    else
        std::swap_ranges(v.begin(), v.begin() + 16, v.begin() + 16);
    return v;
}

static bool launch(Result &out, const Matrix &m, zk_type type, const std::vector<uint16_t> &x,
                   int ldx, int rows, const std::vector<float> &bias, const Run &run,
                   const std::vector<int32_t> &inverse)
{
    const bool pairs = m.d.join == ZK_JOIN_PAIRS;
    const int half = m.d.n / 2, ldy = m.d.n + run.stride, lda = (half + 127) / 128 * 128;
    Dev<uint8_t> w(run.fault == NONE ? m.packed : broken(m, run.fault));
    Dev<uint16_t> dx(x);
    Dev<float> db(bias);
    std::vector<float> y0((size_t)rows * ldy + 2 * GUARD, 0.5f);
    std::vector<uint16_t> a0((size_t)rows * lda + 2 * GUARD, 0x1234);
    Dev<float> y(y0);
    Dev<uint16_t> act(a0);
    Dev<int32_t> inv(inverse);
    Dev<uint32_t> status(std::vector<uint32_t>(ZKC_N_STATUS, 0));
    Dev<uint32_t> locks(std::vector<uint32_t>(ZKC_N_LOCKS, 0));
    /* for cuBLAS so little that it takes several slices, for many rows that they take turns */
    size_t work_bytes = zkc_mm_work_bytes(SMS);
    if (run.way == BLAS)
        work_bytes = (m.d.k > 1000 ? pairs ? 400 : 200 : 120) * 1024;
    else if (run.way == DECODE && rows == 70)
        work_bytes = 800 * 1024;
    Dev<float> work(std::vector<float>(work_bytes / 4, NAN));

    zkc_dev dev = {};
    dev.sms = SMS;
    /* rings of two, three and four stages; a matrix always has the same */
    dev.smem_max = (m.d.k % 3 == 0 ? 99 : m.d.k % 3 == 1 ? 120 : 163) * 1024;
    dev.work = work.p;
    dev.work_bytes = work_bytes;
    dev.locks = locks.p;
    dev.status = status.p;
    zkc_mm_call c = {};
    c.lo = &m.lo;
    c.w = w.p;
    c.type = type;
    c.x = dx.p;
    c.rows = rows;
    c.bias = run.bias ? db.p : nullptr;
    c.y = pairs ? nullptr : y.p + GUARD;
    c.ldy = ldy;
    c.add = run.add;
    c.act = act.p + GUARD;
    c.act_kind = type == ZK_F16 ? ZK_ACT_F16 : ZK_ACT_BF16;
    c.inverse = inverse.size() > 1 ? inv.p : nullptr;
    if (run.way == BLAS)
        zkc_blas_open(&dev);
    int e = run.way == TILE   ? zkc_mm_tile(&dev, &c)
            : run.way == BLAS ? zkc_mm_blas(&dev, &c)
                              : zkc_mm_decode(&dev, &c);
    zkc_blas_close(&dev);
    if (e == 0)
        e = (int)cudaDeviceSynchronize();
    if (e != 0) {
        printf("launch: %s\n", cudaGetErrorString(cudaGetLastError()));
        return false;
    }
    for (uint32_t v : locks.get())
        if (v != 0)
            return false;
    out.y = y.get();
    out.act = act.get();
    for (size_t i = 0; i < GUARD; i++)
        if (out.y[i] != 0.5f || out.y[out.y.size() - 1 - i] != 0.5f || out.act[i] != 0x1234 ||
            out.act[out.act.size() - 1 - i] != 0x1234)
            return false;
    return status.get() == std::vector<uint32_t>(ZKC_N_STATUS, 0);
}

/* The worst error of all outputs, in units of what is allowed. */
static double compare(Matrix &m, zk_type type, const std::vector<uint16_t> &x, int ldx, int rows,
                      const std::vector<float> &bias, const Run &run,
                      const std::vector<int32_t> &inverse, const Result &got)
{
    const bool pairs = m.d.join == ZK_JOIN_PAIRS;
    const int half = m.d.n / 2, ldy = m.d.n + run.stride, lda = (half + 127) / 128 * 128;
    double worst = 0;
    std::vector<double> sum((size_t)rows * m.d.n), mag(sum.size());
    for (int i = 0; i < m.d.n; i++)
        for (int j = 0; j < m.d.k; j++) {
            double w = m.d.form == ZK_W4L ? m.taken(i, j) : m.at(i, j);
            if (run.way == BLAS && m.d.form != ZK_W16)
                w = (double)widen(type, narrow(type, (float)w));
            for (int r = 0; r < rows; r++) {
                double v = w * (double)widen(type, x[(size_t)r * ldx + j]);
                sum[(size_t)r * m.d.n + i] += v;
                mag[(size_t)r * m.d.n + i] += std::fabs(v);
            }
        }
    const double eps = 0x1p-24, chain = 8 + m.d.k / (run.way == BLAS ? 1.0 : 32.0);
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < m.d.n; i++) {
            size_t at = (size_t)r * m.d.n + i;
            double v = sum[at] + (run.bias ? (double)bias[i] : 0), allowed;
            if (!pairs) {
                v += run.add ? 0.5 : 0;
                allowed = eps * chain * (mag[at] + 2);
                worst = std::fmax(worst, std::fabs(v - (double)got.y[GUARD + (size_t)r * ldy + i]) /
                                             allowed);
                if (std::isnan(got.y[GUARD + (size_t)r * ldy + i]))
                    return INFINITY;
            } else if (i < half) {
                double up = sum[at + half] + (run.bias ? (double)bias[half + i] : 0);
                double ref = v / (1 + std::exp(-v)) * up;
                allowed = eps * chain * (mag[at] + mag[at + half] + 2) *
                              (std::fabs(up) + std::fabs(v) + 1) +
                          std::fabs(ref) * (type == ZK_F16 ? 0x1p-11 : 0x1p-8) * 1.01 + 0x1p-24;
                int to = inverse.size() > 1 ? inverse[i] : i;
                double g = (double)widen(type, got.act[GUARD + (size_t)r * lda + to]);
                worst = std::fmax(worst, std::fabs(ref - g) / allowed);
                if (std::isnan(g))
                    return INFINITY;
            }
        }
    for (int r = 0; pairs && r < rows; r++)
        for (int i = half; i < lda; i++)
            if (got.act[GUARD + (size_t)r * lda + i] != 0)
                return INFINITY;
    for (int r = 0; !pairs && r < rows; r++)
        for (int i = m.d.n; i < ldy; i++)
            if (got.y[GUARD + (size_t)r * ldy + i] != 0.5f)
                return INFINITY;
    return worst;
}

static void check(Matrix &m, zk_type type, int rows, const Run &run, bool permuted)
{
    const int ldx = (m.d.k + 127) / 128 * 128;
    std::vector<uint16_t> x((size_t)rows * ldx, 0);
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < m.d.k; j++)
            x[(size_t)r * ldx + j] = narrow(type, unit());
    std::vector<float> bias(m.d.n);
    for (float &b : bias)
        b = unit();
    std::vector<int32_t> inverse(1, 0);
    if (permuted) {
        inverse.resize(m.d.n / 2);
        for (size_t i = 0; i < inverse.size(); i++)
            inverse[i] = (int32_t)i;
        for (size_t i = inverse.size(); i-- > 1;)
            std::swap(inverse[i], inverse[rnd() % (i + 1)]);
    }
    Result all, again, one;
    if (!launch(all, m, type, x, ldx, rows, bias, run, inverse)) {
        report(false, m, type, rows, "launch, guards or counters", 0);
        return;
    }
    double worst = compare(m, type, x, ldx, rows, bias, run, inverse, all);
    if (run.fault != NONE) {
        report(worst > 1, m, type, rows, "a fault went unnoticed", worst);
        return;
    }
    report(worst <= 1, m, type, rows, "error over the bound, times", worst);
    bool same = launch(again, m, type, x, ldx, rows, bias, run, inverse) &&
                again.y.size() == all.y.size() &&
                memcmp(again.y.data(), all.y.data(), all.y.size() * 4) == 0 && again.act == all.act;
    report(same, m, type, rows, "a second run differs", 0);
    if (run.way != DECODE)
        return;
    /* the last row alone */
    std::vector<uint16_t> last(x.end() - ldx, x.end());
    same = launch(one, m, type, last, ldx, 1, bias, run, inverse);
    const size_t ldy = m.d.n + run.stride, lda = (m.d.n / 2 + 127) / 128 * 128;
    same = same && memcmp(&one.y[GUARD], &all.y[GUARD + (rows - 1) * ldy], ldy * 4) == 0 &&
           memcmp(&one.act[GUARD], &all.act[GUARD + (rows - 1) * lda], lda * 2) == 0;
    report(same, m, type, rows, "a row alone differs", 0);
}

/* Matrices packed by several threads at once through a ring of a few rows a slot, on a device that
 * begins nothing before it is waited for (the stream is that of CUDASIM_LATE): the bytes are those
 * of the host. Twice, with an end of the ring between. */
static void check_ring()
{
    setenv("CUDASIM_LATE", "1", 1);
    zkc_dev dev = {};
    cudaStreamCreateWithFlags(&dev.stream, cudaStreamNonBlocking);
    unsetenv("CUDASIM_LATE");
    Dev<uint8_t> work(std::vector<uint8_t>(4 * 4096, 0));
    dev.work = work.p;
    dev.work_bytes = work.n;
    pthread_mutex_init(&dev.pack_lock, NULL);
    pthread_cond_init(&dev.pack_free, NULL);
    for (int turn = 0; turn < 2; turn++) {
        std::vector<std::thread> threads;
        int results[6];
        const Matrix m[6] = {{ZK_W4A, 100, 640, 128, ZK_BF16, true, true},
                             {ZK_W4L, 70, 300, 32, ZK_F16, false, false},
                             {ZK_W8A, 90, 512, 128, ZK_BF16, true, false},
                             {ZK_W16, 33, 700, 0, ZK_BF16, false, false},
                             {ZK_W16, 64, 128, 0, ZK_F16, false, true},
                             {ZK_W8A, 41, 960, 96, ZK_F32, false, false}};
        std::vector<uint8_t> bytes[6];
        std::vector<zk_mat> packed(6);
        for (int i = 0; i < 6; i++) {
            packed[i].d = m[i].d;
            if (cudaMalloc(&packed[i].data, m[i].lo.bytes) != cudaSuccess)
                abort();
        }
        for (int i = 0; i < 6; i++)
            threads.emplace_back([&, i] {
                results[i] = zkc_mm.pack(&dev, &packed[i], m[i].part, m[i].n_parts, NULL);
            });
        for (auto &t : threads)
            t.join();
        for (int i = 0; i < 6; i++) {
            bytes[i].resize(m[i].lo.bytes);
            cudaMemcpy(bytes[i].data(), packed[i].data, m[i].lo.bytes, cudaMemcpyDeviceToHost);
            report(results[i] == 0 && bytes[i] == m[i].packed, m[i], ZK_F16, 0,
                   "packed through the ring differs", results[i]);
            cudaFree(packed[i].data);
        }
        zkc_ring_close(&dev);
    }
    cudaStreamDestroy(dev.stream);
}

int main(int argc, char **argv)
{
    const bool quick = argc > 1 && strcmp(argv[1], "quick") == 0;
    struct Shape {
        int n, k, group;
    };
    static const Shape shapes[] = {{64, 128, 128}, {1, 32, 32},    {100, 160, 32},
                                   {130, 320, 64}, {70, 300, 128}, {33, 129, 1000},
                                   {257, 512, 96}, {40, 2100, 64}, {1100, 640, 128}};
    static const int rows[] = {1, 2, 8, 9, 16, 17, 32, 40, 64, 70};
    int turn = 0;
    check_ring();
    for (const Shape &s : shapes)
        for (int form : {ZK_W4A, ZK_W8A, ZK_W4L, ZK_W8F, ZK_W16})
            for (int zeros = 0; zeros < (form <= ZK_W8A ? 2 : 1); zeros++)
                for (int pairs = 0; pairs < 2; pairs++) {
                    turn++;
                    if (quick && (turn % 4 != 0 || s.n > 1000))
                        continue;
                    const zk_type type = turn % 3 ? ZK_BF16 : ZK_F16;
                    const zk_type stored = form <= ZK_W8A && turn % 5 == 0 ? ZK_F32 : type;
                    Matrix m((zk_form)form, pairs ? s.n + s.n % 2 : s.n, s.k,
                             form == ZK_W16 ? 0 : s.group, stored, zeros, pairs);
                    check_pack(m);
                    int some = rows[turn % 10];
                    if (s.n > 1000 && some > 16)
                        some = 16;
                    check(m, type, some, {turn % 2 == 0, turn % 3 == 0, turn % 4, NONE, DECODE},
                          pairs && turn % 4 < 2);
                    if (s.n < 1000)
                        check(m, type, 3 + 43 * (turn % 4),
                              {turn % 3 == 0, turn % 2 == 0, turn % 4, NONE, TILE},
                              pairs && turn % 3 == 0);
                    if (s.n < 1000)
                        check(m, type, 1 + 7 * (turn % 5),
                              {turn % 2 == 0, turn % 3 == 0, turn % 3, NONE, BLAS},
                              pairs && turn % 3 == 1);
                    if (turn % 4 == 1)
                        check(m, type, 2, {false, false, 0, turn % 8 == 1 ? CODE : ORDER, DECODE},
                              false);
                }
    printf("test_mm: %d checks, %d failed\n", cases, failures);
    return failures != 0;
}
