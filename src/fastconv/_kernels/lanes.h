/* What kernels do across the lanes of vectors, and with a part of one; beyond simd.h.

     D_zip_low, D_zip_high    a0 b0 a1 b1 ... of the lower or the upper halves of a and b
     D_even(a, b)             every other lane of a, then of b, from the first on
     D_transpose(r)           r[i][j] <-> r[j][i] of D_LANES vectors
     D_store_part(p, v, n)    the first n lanes, 0 < n <= D_LANES
     D_load_part(p, n)        the same; zero in the other lanes */
#ifndef FASTCONV_LANES_H
#define FASTCONV_LANES_H
#include "simd.h"

#if FC_VECTOR_BYTES
#  if defined(__clang__)
#    define FC_SHUFFLE(mask, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#  else
#    define FC_SHUFFLE(mask, a, b, ...) __builtin_shuffle(a, b, (mask){__VA_ARGS__})
#  endif
typedef int32_t v_mask32 __attribute__((vector_size(FC_VECTOR_BYTES)));
typedef int64_t v_mask64 __attribute__((vector_size(FC_VECTOR_BYTES)));
#  if FC_VECTOR_BYTES == 64
#    define FC_LOW32 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#    define FC_EVEN32 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#    define FC_HIGH32 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#    define FC_LOW64 0, 8, 1, 9, 2, 10, 3, 11
#    define FC_EVEN64 0, 2, 4, 6, 8, 10, 12, 14
#    define FC_HIGH64 4, 12, 5, 13, 6, 14, 7, 15
#  elif FC_VECTOR_BYTES == 32
#    define FC_LOW32 0, 8, 1, 9, 2, 10, 3, 11
#    define FC_EVEN32 0, 2, 4, 6, 8, 10, 12, 14
#    define FC_HIGH32 4, 12, 5, 13, 6, 14, 7, 15
#    define FC_LOW64 0, 4, 1, 5
#    define FC_EVEN64 0, 2, 4, 6
#    define FC_HIGH64 2, 6, 3, 7
#  else
#    define FC_LOW32 0, 4, 1, 5
#    define FC_EVEN32 0, 2, 4, 6
#    define FC_HIGH32 2, 6, 3, 7
#    define FC_LOW64 0, 2
#    define FC_EVEN64 0, 2
#    define FC_HIGH64 1, 3
#  endif
#  define FC_ZIP(D, bits)                                                                          \
    FC_INLINE v_##D D##_zip_low(v_##D a, v_##D b) { return FC_SHUFFLE(v_mask##bits, a, b, FC_LOW##bits); }   \
    FC_INLINE v_##D D##_zip_high(v_##D a, v_##D b) { return FC_SHUFFLE(v_mask##bits, a, b, FC_HIGH##bits); } \
    FC_INLINE v_##D D##_even(v_##D a, v_##D b) { return FC_SHUFFLE(v_mask##bits, a, b, FC_EVEN##bits); }
#else
#  define FC_ZIP(D, bits)                                                                          \
    FC_INLINE v_##D D##_zip_low(v_##D a, v_##D b) { (void)b; return a; }                           \
    FC_INLINE v_##D D##_zip_high(v_##D a, v_##D b) { (void)a; return b; }                          \
    FC_INLINE v_##D D##_even(v_##D a, v_##D b) { (void)b; return a; }
#endif

/* Each round of zips turns the bits of (row, lane) by one place; log2(lanes) rounds exchange the two. */
#define FC_LANES(D, bits)                                                                          \
    FC_ZIP(D, bits)                                                                                \
    FC_INLINE void D##_transpose(v_##D *r) {                                                       \
        v_##D t[D##_LANES];                                                                        \
        for (int rounds = D##_LANES; rounds > 1; rounds /= 2) {                                    \
            for (int i = 0; i < D##_LANES / 2; i++) {                                              \
                t[2 * i] = D##_zip_low(r[i], r[i + D##_LANES / 2]);                                \
                t[2 * i + 1] = D##_zip_high(r[i], r[i + D##_LANES / 2]);                           \
            }                                                                                      \
            for (int i = 0; i < D##_LANES; i++) r[i] = t[i];                                       \
        }                                                                                          \
    }
FC_LANES(f32, 32)
FC_LANES(f64, 64)

#if FC_VECTOR_BYTES == 64 && defined(__AVX512F__)
FC_INLINE void f32_store_part(e_f32 *p, v_f32 v, ptrdiff_t n) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)v);
}
FC_INLINE v_f32 f32_load_part(const e_f32 *p, ptrdiff_t n) {
    return (v_f32)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
}
FC_INLINE void f64_store_part(e_f64 *p, v_f64 v, ptrdiff_t n) {
    _mm512_mask_storeu_pd(p, (__mmask8)((1u << n) - 1), (__m512d)v);
}
FC_INLINE v_f64 f64_load_part(const e_f64 *p, ptrdiff_t n) {
    return (v_f64)_mm512_maskz_loadu_pd((__mmask8)((1u << n) - 1), p);
}
#else
#  define FC_PARTS(D)                                                                              \
    FC_INLINE void D##_store_part(e_##D *p, v_##D v, ptrdiff_t n) {                                \
        e_##D line[D##_LANES];                                                                     \
        D##_store(line, v);                                                                        \
        for (ptrdiff_t i = 0; i < n; i++) p[i] = line[i];                                          \
    }                                                                                              \
    FC_INLINE v_##D D##_load_part(const e_##D *p, ptrdiff_t n) {                                   \
        e_##D line[D##_LANES] = {0};                                                               \
        for (ptrdiff_t i = 0; i < n; i++) line[i] = p[i];                                          \
        return D##_load(line);                                                                     \
    }
FC_PARTS(f32)
FC_PARTS(f64)
#endif
#endif
