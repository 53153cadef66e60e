/* Vector types and the few operations the kernels need, one set of names for every compiler and ISA.

   For each kernel dtype D (f32 f64 ld c64 c128 i16 i32 i64 i64n):
     e_D            one element in memory               D_LANES       elements in one vector
     v_D            one vector                          D_load, D_store   unaligned
     D_wa, D_wb     one tap, broadcast                  D_maca, D_macb    acc + tap * x
     D_join(a, b)   the result of the accumulators       D_add
     D_store_first(p, v, n)   the first n elements (f32, f64)
     D_even(a, b)   elements 0, 2, 4 ... of both (f32, f64);  D_zip_lo, D_zip_hi   a0 b0 a1 b1 ..., the first or second half
     D_between(lo, hi, r)   the vector r elements after lo; hi begins STEP bytes (a shuffle's reach) after it
     D_after(lo, hi, r)     the same where hi follows lo, r elements of 16 bytes at most (f32, f64)
   A dtype has one accumulator (wa, maca) or two (also wb, macb, join):
     complex: a = sum re(w) x, b = sum im(w) x on interleaved x;  y = a + i b
     i64:     a = sum lo(w) lo(x) (64-bit products), b = the two cross products, each modulo 2^32, side by side;
              y = a + 2^32 (b_lo + b_hi), modulo 2^64: two multiplications where a 64-bit one costs six
     i64n:    i64 whose values fit in 32 bits, signed: one 32 x 32 -> 64 bit product
   Integers are unsigned here: they wrap without undefined behaviour and have the bits of the signed ones.
   Without GNU vector extensions (or with FC_FORCE_SCALAR) a vector is one element. */
#ifndef FASTCONV_SIMD_H
#define FASTCONV_SIMD_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#  include <immintrin.h>
#elif defined(__aarch64__)
#  include <arm_neon.h>
#endif

#if (defined(__GNUC__) || defined(__clang__)) && !defined(FC_FORCE_SCALAR)
#  if !defined(FC_VECTOR_BYTES)             /* may be given, to run one ISA's tiles on another */
#    if defined(__AVX512F__)
#      define FC_VECTOR_BYTES 64
#    elif defined(__AVX__)
#      define FC_VECTOR_BYTES 32
#    else
#      define FC_VECTOR_BYTES 16
#    endif
#  endif
#  define FC_INLINE static inline __attribute__((always_inline, unused))
#  define fc_prefetch(p) __builtin_prefetch((p), 0, 3)
#  define fc_prefetch_to_write(p) __builtin_prefetch((p), 1, 3)
#else
#  define FC_VECTOR_BYTES 0
#  if defined(_MSC_VER)
#    define FC_INLINE static __forceinline
#  else
#    define FC_INLINE static inline
#  endif
#  define fc_prefetch(p) ((void)(p))
#  define fc_prefetch_to_write(p) ((void)(p))
#endif

/* GCC re-reads a load that has several uses as the memory operand of each: a line-crossing load is then paid
   several times. An empty asm keeps it in its register. Clang needs no such help, and spills if it gets it. */
#if FC_VECTOR_BYTES == 0 || defined(__clang__)
#  define FC_KEEP(x) ((void)0)
#elif FC_VECTOR_BYTES == 64 && defined(__AVX512F__)
#  define FC_KEEP(x) __asm__("" : "+v"(x))
#elif FC_VECTOR_BYTES <= 32 && defined(__x86_64__)
#  define FC_KEEP(x) __asm__("" : "+x"(x))
#elif FC_VECTOR_BYTES == 16 && defined(__aarch64__)
#  define FC_KEEP(x) __asm__("" : "+w"(x))
#else
#  define FC_KEEP(x) ((void)0)
#endif

/* A shuffle instead of one more line-crossing load. How far hi is from lo is direct.pyx.in's STEP. */
#if FC_VECTOR_BYTES == 64 && defined(__AVX512F__)
#  define fc_between(lo, hi, bytes) _mm512_alignr_epi32((__m512i)(hi), (__m512i)(lo), (bytes) / 4)
#elif FC_VECTOR_BYTES == 32 && defined(__AVX2__)
#  define fc_between(lo, hi, bytes) _mm256_alignr_epi8((__m256i)(hi), (__m256i)(lo), (bytes))
#elif FC_VECTOR_BYTES == 16 && defined(__SSSE3__)
#  define fc_between(lo, hi, bytes) _mm_alignr_epi8((__m128i)(hi), (__m128i)(lo), (bytes))
#elif FC_VECTOR_BYTES == 16 && defined(__aarch64__)
#  define fc_between(lo, hi, bytes) vextq_u8((uint8x16_t)(lo), (uint8x16_t)(hi), (bytes))
#endif

/* Aligned stores past the caches, and what makes them visible to other threads. */
#if FC_VECTOR_BYTES == 64 && defined(__AVX512F__)
#  define f32_stream(p, v) _mm512_stream_ps((float *)(p), (__m512)(v))
#elif FC_VECTOR_BYTES == 32 && defined(__AVX2__)
#  define f32_stream(p, v) _mm256_stream_ps((float *)(p), (__m256)(v))
#elif FC_VECTOR_BYTES == 16 && defined(__x86_64__)
#  define f32_stream(p, v) _mm_stream_ps((float *)(p), (__m128)(v))
#else
#  define f32_stream(p, v) f32_store((p), (v))
#endif
#if FC_VECTOR_BYTES && defined(__x86_64__)
#  define fc_fence() _mm_sfence()
#else
#  define fc_fence() ((void)0)
#endif

typedef float e_f32;
typedef double e_f64;
typedef long double e_ld;
typedef uint16_t e_i16;
typedef uint32_t e_i32;
typedef uint64_t e_i64, e_i64n;
typedef struct { float re, im; } e_c64;
typedef struct { double re, im; } e_c128;

/* One lane and one accumulator: y = acc + w x in the type `wide`, which C does not promote to a signed one. */
#define FC_SCALAR(D, wide)                                                                     \
    typedef e_##D v_##D;                                                                       \
    enum { D##_LANES = 1 };                                                                    \
    FC_INLINE v_##D D##_zero(void) { return 0; }                                               \
    FC_INLINE v_##D D##_load(const e_##D *p) { return *p; }                                    \
    FC_INLINE void D##_store(e_##D *p, v_##D v) { *p = v; }                                    \
    FC_INLINE v_##D D##_add(v_##D a, v_##D b) { return (v_##D)(a + b); }                        \
    FC_INLINE v_##D D##_wa(const e_##D *p) { return *p; }                                      \
    FC_INLINE v_##D D##_maca(v_##D acc, v_##D w, v_##D x) { return (v_##D)(acc + (wide)w * (wide)x); }

FC_SCALAR(ld, long double)

/* Do n values all fit in 32 bits, signed? */
FC_INLINE int i64_narrow(const e_i64 *x, ptrdiff_t n) {
    uint64_t wide = 0;
    for (ptrdiff_t i = 0; i < n; i++) wide |= (x[i] + 0x80000000u) >> 32;
    return wide == 0;
}

#if FC_VECTOR_BYTES

#define FC_VECTOR(D, lane, elements)                                                           \
    typedef lane v_##D __attribute__((vector_size(FC_VECTOR_BYTES), may_alias));               \
    typedef lane u_##D __attribute__((vector_size(FC_VECTOR_BYTES), may_alias, aligned(1)));   \
    enum { D##_LANES = elements };                                                             \
    FC_INLINE v_##D D##_zero(void) { return (v_##D){0}; }                                      \
    FC_INLINE v_##D D##_load(const e_##D *p) { v_##D v = *(const u_##D *)p; FC_KEEP(v); return v; } \
    FC_INLINE void D##_store(e_##D *p, v_##D v) { *(u_##D *)p = v; }                           \
    FC_INLINE v_##D D##_add(v_##D a, v_##D b) { return a + b; }                                 \
    FC_INLINE v_##D D##_splat(lane s) { return s - (v_##D){0}; }   /* s - 0 keeps -0 and NaN */ \
    FC_INLINE v_##D D##_mul_add(v_##D acc, v_##D w, v_##D x) { return acc + w * x; }

#define FC_ONE(D, lane)                                                                        \
    FC_VECTOR(D, lane, FC_VECTOR_BYTES / sizeof(e_##D))                                        \
    FC_INLINE v_##D D##_wa(const e_##D *p) { return D##_splat(*p); }                           \
    FC_INLINE v_##D D##_maca(v_##D acc, v_##D w, v_##D x) { return D##_mul_add(acc, w, x); }

FC_ONE(f32, float)
FC_ONE(f64, double)
FC_ONE(i16, uint16_t)
FC_ONE(i32, uint32_t)

/* Every other element of two vectors, from the first on. */
#define FC_EVENS_2 0, 2
#define FC_EVENS_4 FC_EVENS_2, 4, 6
#define FC_EVENS_8 FC_EVENS_4, 8, 10, 12, 14
#define FC_EVENS_16 FC_EVENS_8, 16, 18, 20, 22, 24, 26, 28, 30
#if FC_VECTOR_BYTES == 64
#  define FC_EVENS_F32 FC_EVENS_16
#  define FC_EVENS_F64 FC_EVENS_8
#elif FC_VECTOR_BYTES == 32
#  define FC_EVENS_F32 FC_EVENS_8
#  define FC_EVENS_F64 FC_EVENS_4
#else
#  define FC_EVENS_F32 FC_EVENS_4
#  define FC_EVENS_F64 FC_EVENS_2
#endif
/* The first n elements, 0 <= n <= lanes. */
#if FC_VECTOR_BYTES == 64 && defined(__AVX512F__)
#  define f32_store_first(p, v, n) _mm512_mask_storeu_ps((p), (__mmask16)((1u << (n)) - 1), (__m512)(v))
#  define f64_store_first(p, v, n) _mm512_mask_storeu_pd((p), (__mmask8)((1u << (n)) - 1), (__m512d)(v))
#else
FC_INLINE void f32_store_first(e_f32 *p, v_f32 v, ptrdiff_t n) { memcpy(p, &v, n * sizeof(e_f32)); }
FC_INLINE void f64_store_first(e_f64 *p, v_f64 v, ptrdiff_t n) { memcpy(p, &v, n * sizeof(e_f64)); }
#endif
#if defined(__has_builtin)
#  if __has_builtin(__builtin_shufflevector)
#    define fc_shuffle __builtin_shufflevector
#  endif
#endif
#ifndef fc_shuffle                /* GCC before 12 */
#  define fc_shuffle(a, b, ...)                                                                \
    ({ const int at_[] = {__VA_ARGS__}; enum { n_ = sizeof(at_) / sizeof(at_[0]) }; __typeof__(a) v_; \
       for (int i_ = 0; i_ < n_; i_++) v_[i_] = at_[i_] < n_ ? (a)[at_[i_]] : (b)[at_[i_] - n_]; v_; })
#endif
#define FC_ZIP(i, n) i, n + i
#define FC_ZIP_2(i, n) FC_ZIP(i, n), FC_ZIP(i + 1, n)
#define FC_ZIP_4(i, n) FC_ZIP_2(i, n), FC_ZIP_2(i + 2, n)
#define FC_ZIP_8(i, n) FC_ZIP_4(i, n), FC_ZIP_4(i + 4, n)
#if FC_VECTOR_BYTES == 64
#  define FC_ZIP_F32(half) FC_ZIP_8(8 * half, 16)
#  define FC_ZIP_F64(half) FC_ZIP_4(4 * half, 8)
#elif FC_VECTOR_BYTES == 32
#  define FC_ZIP_F32(half) FC_ZIP_4(4 * half, 8)
#  define FC_ZIP_F64(half) FC_ZIP_2(2 * half, 4)
#else
#  define FC_ZIP_F32(half) FC_ZIP_2(2 * half, 4)
#  define FC_ZIP_F64(half) FC_ZIP(half, 2)
#endif
FC_INLINE v_f32 f32_even(v_f32 a, v_f32 b) { return fc_shuffle(a, b, FC_EVENS_F32); }
FC_INLINE v_f64 f64_even(v_f64 a, v_f64 b) { return fc_shuffle(a, b, FC_EVENS_F64); }
FC_INLINE v_f32 f32_zip_lo(v_f32 a, v_f32 b) { return fc_shuffle(a, b, FC_ZIP_F32(0)); }
FC_INLINE v_f32 f32_zip_hi(v_f32 a, v_f32 b) { return fc_shuffle(a, b, FC_ZIP_F32(1)); }
FC_INLINE v_f64 f64_zip_lo(v_f64 a, v_f64 b) { return fc_shuffle(a, b, FC_ZIP_F64(0)); }
FC_INLINE v_f64 f64_zip_hi(v_f64 a, v_f64 b) { return fc_shuffle(a, b, FC_ZIP_F64(1)); }

#define FC_COMPLEX(D, lane)                                                                    \
    FC_VECTOR(D, lane, FC_VECTOR_BYTES / sizeof(e_##D))                                        \
    FC_INLINE v_##D D##_wa(const e_##D *p) { return D##_splat(p->re); }                        \
    FC_INLINE v_##D D##_wb(const e_##D *p) { return D##_splat(p->im); }                        \
    FC_INLINE v_##D D##_maca(v_##D acc, v_##D w, v_##D x) { return D##_mul_add(acc, w, x); }   \
    FC_INLINE v_##D D##_macb(v_##D acc, v_##D w, v_##D x) { return D##_mul_add(acc, w, x); }   \
    FC_INLINE v_##D D##_join(v_##D a, v_##D b) {                                               \
        for (int i = 0; i < 2 * D##_LANES; i += 2) {                                           \
            lane im = b[i + 1];                                                                \
            b[i + 1] = b[i];                                                                   \
            b[i] = -im;                                                                        \
        }                                                                                      \
        return a + b;                                                                          \
    }

FC_COMPLEX(c64, float)
FC_COMPLEX(c128, double)

FC_VECTOR(i64, uint64_t, FC_VECTOR_BYTES / 8)
typedef uint32_t v_i64_halves __attribute__((vector_size(FC_VECTOR_BYTES), may_alias));
FC_INLINE v_i64 i64_wa(const e_i64 *p) { return i64_splat(*p); }
FC_INLINE v_i64 i64_wb(const e_i64 *p) { return i64_splat(*p << 32 | *p >> 32); }
#if defined(__x86_64__)
/* 32 x 32 -> 64 bit products of the low halves, which the vector extensions cannot say. */
FC_INLINE v_i64 i64_low_product(v_i64 w, v_i64 x) {
#  if FC_VECTOR_BYTES == 64 && defined(__AVX512F__)
    return (v_i64)_mm512_mul_epu32((__m512i)w, (__m512i)x);
#  elif FC_VECTOR_BYTES == 32 && defined(__AVX2__)
    return (v_i64)_mm256_mul_epu32((__m256i)w, (__m256i)x);
#  elif FC_VECTOR_BYTES == 16
    return (v_i64)_mm_mul_epu32((__m128i)w, (__m128i)x);
#  else
    return (w & 0xffffffffu) * (x & 0xffffffffu);
#  endif
}
#else
FC_INLINE v_i64 i64_low_product(v_i64 w, v_i64 x) { return (w & 0xffffffffu) * (x & 0xffffffffu); }
#endif
FC_INLINE v_i64 i64_maca(v_i64 acc, v_i64 w, v_i64 x) { return acc + i64_low_product(w, x); }
FC_INLINE v_i64 i64_macb(v_i64 acc, v_i64 w, v_i64 x) {
    return (v_i64)((v_i64_halves)acc + (v_i64_halves)w * (v_i64_halves)x);
}
FC_INLINE v_i64 i64_join(v_i64 a, v_i64 b) { return a + (b << 32) + (b & ~(uint64_t)0xffffffffu); }

FC_VECTOR(i64n, uint64_t, FC_VECTOR_BYTES / 8)
FC_INLINE v_i64n i64n_wa(const e_i64n *p) { return i64n_splat(*p); }
FC_INLINE v_i64n i64n_maca(v_i64n acc, v_i64n w, v_i64n x) {
#if FC_VECTOR_BYTES == 64 && defined(__AVX512F__)
    return acc + (v_i64n)_mm512_mul_epi32((__m512i)w, (__m512i)x);
#elif FC_VECTOR_BYTES == 32 && defined(__AVX2__)
    return acc + (v_i64n)_mm256_mul_epi32((__m256i)w, (__m256i)x);
#elif FC_VECTOR_BYTES == 16 && defined(__SSE4_1__)
    return acc + (v_i64n)_mm_mul_epi32((__m128i)w, (__m128i)x);
#else
    return acc + w * x;
#endif
}

#ifdef fc_between
#  define FC_BETWEEN(D, lo, hi, r) ((v_##D)fc_between(lo, hi, (r) * (int)sizeof(e_##D)))
#else
#  define FC_BETWEEN(D, lo, hi, r)                                                             \
    ({ v_##D pair_[2] = {lo, hi}, v_; memcpy(&v_, (char *)pair_ + (r) * sizeof(e_##D), sizeof(v_)); v_; })
#endif
#if FC_VECTOR_BYTES == 32 && defined(__AVX2__)
#  define FC_AFTER(D, lo, hi, r) FC_BETWEEN(D, lo, _mm256_permute2x128_si256((__m256i)(lo), (__m256i)(hi), 0x21), r)
#elif FC_VECTOR_BYTES == 16 && defined(fc_between)
#  define FC_AFTER(D, lo, hi, r) ((r) == D##_LANES ? (hi) : FC_BETWEEN(D, lo, hi, (r) % D##_LANES))
#else
#  define FC_AFTER(D, lo, hi, r) FC_BETWEEN(D, lo, hi, r)
#endif
#define f32_after(lo, hi, r) FC_AFTER(f32, lo, hi, r)
#define f64_after(lo, hi, r) FC_AFTER(f64, lo, hi, r)
#define f32_between(lo, hi, r) FC_BETWEEN(f32, lo, hi, r)
#define f64_between(lo, hi, r) FC_BETWEEN(f64, lo, hi, r)
#define c64_between(lo, hi, r) FC_BETWEEN(c64, lo, hi, r)
#define c128_between(lo, hi, r) FC_BETWEEN(c128, lo, hi, r)
#define i16_between(lo, hi, r) FC_BETWEEN(i16, lo, hi, r)
#define i32_between(lo, hi, r) FC_BETWEEN(i32, lo, hi, r)
#define i64_between(lo, hi, r) FC_BETWEEN(i64, lo, hi, r)
#define i64n_between(lo, hi, r) FC_BETWEEN(i64n, lo, hi, r)

#else /* one element a vector */

FC_SCALAR(f32, float)
FC_SCALAR(f64, double)
FC_INLINE void f32_store_first(e_f32 *p, v_f32 v, ptrdiff_t n) { if (n > 0) *p = v; }
FC_INLINE void f64_store_first(e_f64 *p, v_f64 v, ptrdiff_t n) { if (n > 0) *p = v; }
FC_INLINE v_f32 f32_even(v_f32 a, v_f32 b) { (void)b; return a; }
FC_INLINE v_f64 f64_even(v_f64 a, v_f64 b) { (void)b; return a; }
FC_INLINE v_f32 f32_zip_lo(v_f32 a, v_f32 b) { (void)b; return a; }
FC_INLINE v_f32 f32_zip_hi(v_f32 a, v_f32 b) { (void)a; return b; }
FC_INLINE v_f64 f64_zip_lo(v_f64 a, v_f64 b) { (void)b; return a; }
FC_INLINE v_f64 f64_zip_hi(v_f64 a, v_f64 b) { (void)a; return b; }
FC_SCALAR(i16, uint32_t)
FC_SCALAR(i32, uint32_t)
FC_SCALAR(i64, uint64_t)
FC_SCALAR(i64n, uint64_t)
FC_INLINE v_i64 i64_wb(const e_i64 *p) { (void)p; return 0; }
FC_INLINE v_i64 i64_macb(v_i64 acc, v_i64 w, v_i64 x) { (void)w; (void)x; return acc; }
FC_INLINE v_i64 i64_join(v_i64 a, v_i64 b) { (void)b; return a; }

#define FC_COMPLEX(D, lane)                                                                    \
    typedef e_##D v_##D;                                                                       \
    enum { D##_LANES = 1 };                                                                    \
    FC_INLINE v_##D D##_zero(void) { v_##D v = {0, 0}; return v; }                             \
    FC_INLINE v_##D D##_load(const e_##D *p) { return *p; }                                    \
    FC_INLINE void D##_store(e_##D *p, v_##D v) { *p = v; }                                    \
    FC_INLINE v_##D D##_add(v_##D a, v_##D b) { a.re += b.re; a.im += b.im; return a; }        \
    FC_INLINE v_##D D##_wa(const e_##D *p) { v_##D v; v.re = v.im = p->re; return v; }         \
    FC_INLINE v_##D D##_wb(const e_##D *p) { v_##D v; v.re = v.im = p->im; return v; }         \
    FC_INLINE v_##D D##_maca(v_##D acc, v_##D w, v_##D x) { acc.re += w.re * x.re; acc.im += w.im * x.im; return acc; } \
    FC_INLINE v_##D D##_macb(v_##D acc, v_##D w, v_##D x) { return D##_maca(acc, w, x); }      \
    FC_INLINE v_##D D##_join(v_##D a, v_##D b) { a.re -= b.im; a.im += b.re; return a; }

FC_COMPLEX(c64, float)
FC_COMPLEX(c128, double)

#endif
#endif
