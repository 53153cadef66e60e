/* The arithmetic limits of one core: multiply-adds per second on values held in registers, for every vector width.
   machine.py compiles this file, loads it and calls it between the timings of the kernels.

   Each loop advances 14 independent accumulators by a = a * m + b: enough for two fused multiply-adds of 4 cycles
   (or a product and a sum of 3 each) per cycle, and with m and b just the 16 registers of SSE and AVX. */

#include <time.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#define EACH(S) S(a0) S(a1) S(a2) S(a3) S(a4) S(a5) S(a6) S(a7) S(a8) S(a9) S(a10) S(a11) S(a12) S(a13)
#define DECLARE(a) V a = start;
#define KEEP(a) __asm__ volatile("" : : "m"(a));

/* The best rate of `rounds` runs of n turns. COST: steps that make one multiply-add. */
#define PEAK(NAME, TARGET, T, BYTES, STEP, COST)                                  \
    TARGET double NAME(long n, int rounds) {                                      \
        typedef T V __attribute__((vector_size(BYTES)));                          \
        volatile T half = (T)0.5, one = (T)1;                                     \
        V start = {0}, m = start + half, b = start + one;                         \
        double best = 0.0;                                                        \
        for (int r = 0; r < rounds; r++) {                                        \
            EACH(DECLARE)                                                         \
            double t = now();                                                     \
            for (long i = 0; i < n; i++) { EACH(STEP) }                           \
            t = now() - t;                                                        \
            EACH(KEEP)                                                            \
            double rate = 14.0 / (COST) * (double)n * (BYTES / sizeof(T)) / t;    \
            if (rate > best) best = rate;                                         \
        }                                                                         \
        return best;                                                              \
    }

#define PLAIN(a) a = a * m + b;

#define FAMILY(ISA, TARGET, BYTES)                                 \
    PEAK(peak_##ISA##_f32, TARGET, float, BYTES, PLAIN, 1)         \
    PEAK(peak_##ISA##_f64, TARGET, double, BYTES, PLAIN, 1)        \
    PEAK(peak_##ISA##_i16, TARGET, unsigned short, BYTES, PLAIN, 1) \
    PEAK(peak_##ISA##_i32, TARGET, unsigned int, BYTES, PLAIN, 1)

/* Without a 64-bit product, a 64-bit multiply-add is three 32 x 32 -> 64 bit ones (low·low and the two cross terms). */
#define WIDEN_V2(a) a = (V)_mm_mul_epu32((__m128i)a, (__m128i)m) + b;
#define WIDEN_V3(a) a = (V)_mm256_mul_epu32((__m256i)a, (__m256i)m) + b;

#if defined(__x86_64__)
#define V2 __attribute__((target("sse4.2")))
#define V3 __attribute__((target("avx2,fma")))
#define V4 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
FAMILY(x86_v2, V2, 16)
FAMILY(x86_v3, V3, 32)
FAMILY(x86_v4, V4, 64)
PEAK(peak_x86_v2_i64, V2, unsigned long long, 16, WIDEN_V2, 3)
PEAK(peak_x86_v3_i64, V3, unsigned long long, 32, WIDEN_V3, 3)
PEAK(peak_x86_v4_i64, V4, unsigned long long, 64, PLAIN, 1)
#endif
FAMILY(baseline, , 16)
PEAK(peak_baseline_i64, , unsigned long long, 16, PLAIN, 1)

/* Whether this CPU runs the functions named peak_x86_v<level>_*. */
int has_x86_level(int level) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (level == 2) return __builtin_cpu_supports("sse4.2");
    if (level == 3) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (level == 4)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
#endif
    (void)level;
    return 0;
}

/* memcpy as a plain loop; a rest below 64 bytes is left out. */
void copy_vectors(unsigned char *restrict target, const unsigned char *restrict source, long n) {
    typedef unsigned char V __attribute__((vector_size(16), aligned(1)));
    for (long i = 0; i + 64 <= n; i += 64)
        for (long j = i; j < i + 64; j += 16) {
            *(V *)(target + j) = *(const V *)(source + j);
            __asm__ volatile("" ::: "memory"); /* or the compiler calls memcpy */
        }
}
