/* Beyond simd.h: transposes, and parts of vectors.

     D_transpose(r)           r[i][j] <-> r[j][i] of D_LANES vectors
     D_store_part(p, v, n)    the first n lanes, 0 < n <= D_LANES
     D_load_part(p, n)        the same; zero in the other lanes */
#ifndef FASTCONV_LANES_H
#define FASTCONV_LANES_H
#include "simd.h"

/* Each round of zips turns the bits of (row, lane) by one place; log2(lanes) rounds exchange the two. */
#define FC_TRANSPOSE(D)                                                                            \
    FC_INLINE void D##_transpose(v_##D *r) {                                                       \
        v_##D t[D##_LANES];                                                                        \
        for (int rounds = D##_LANES; rounds > 1; rounds /= 2) {                                    \
            for (int i = 0; i < D##_LANES / 2; i++) {                                              \
                t[2 * i] = D##_zip_lo(r[i], r[i + D##_LANES / 2]);                                \
                t[2 * i + 1] = D##_zip_hi(r[i], r[i + D##_LANES / 2]);                           \
            }                                                                                      \
            for (int i = 0; i < D##_LANES; i++) r[i] = t[i];                                       \
        }                                                                                          \
    }
FC_TRANSPOSE(f32)
FC_TRANSPOSE(f64)

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
