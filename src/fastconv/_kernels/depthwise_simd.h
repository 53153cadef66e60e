/* Beyond lanes.h: loads and stores of some lanes, where the processor has such; FC_MASKS tells.

     D_window(w, count)       w: for spans of [0, count)
     D_span(w, first)         the lanes i with 0 <= first + i < count
     D_load_in(p, k)          lanes of k from p[i], zero in others, which are not read; without FC_MASKS: all lanes
     fc_bits(first, end)      bits first, ..., end - 1 of those from 0 to 31

   With FC_HALVES, of two rows in the halves of a vector, whose lanes k are the same and all in the lower half:
     D_load_halves(p, q, k), D_wa_halves(p, q), D_store_halves(p, q, k, v) */
#ifndef FASTCONV_DEPTHWISE_SIMD_H
#define FASTCONV_DEPTHWISE_SIMD_H
#include "lanes.h"

FC_INLINE ptrdiff_t fc_clamp(ptrdiff_t n, ptrdiff_t least, ptrdiff_t most) { return n < least ? least : n > most ? most : n; }

FC_INLINE uint32_t fc_bits(ptrdiff_t first, ptrdiff_t end) {
    return (uint32_t)((1ull << fc_clamp(end, 0, 32)) - 1) & (uint32_t)(~0ull << fc_clamp(first, 0, 32));
}

/* Between the first and the last L of more than 2 L elements a span is that of any other place between: `count` need not be
   more than 2 L, and a span is a part of L zeros, `count` ones, zeros. */
#define FC_PLACE(w, first, L) (fc_clamp((first) > (L) ? ((first) - (w)->beyond > (L) ? (first) - (w)->beyond : (L)) : (first), -(L), 2 * (L)) + (L))

#if FC_VECTOR_BYTES == 64 && defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#  define FC_MASKS 1
#  define FC_MASKED(D, mask, S, half, insert, extract, cast)                                       \
    typedef mask k_##D;                                                                            \
    typedef struct { ptrdiff_t beyond; uint64_t ones; } D##_windows;                               \
    FC_INLINE void D##_window(D##_windows *w, ptrdiff_t count) {                                   \
        w->beyond = count > 2 * D##_LANES ? count - 2 * D##_LANES : 0;                             \
        w->ones = ((1ull << (count - w->beyond)) - 1) << D##_LANES;                                \
    }                                                                                              \
    FC_INLINE k_##D D##_span(const D##_windows *w, ptrdiff_t first) {                              \
        return (mask)(w->ones >> FC_PLACE(w, first, D##_LANES));                                   \
    }                                                                                              \
    FC_INLINE v_##D D##_load_in(const e_##D *p, k_##D k) { return (v_##D)_mm512_maskz_loadu_##S(k, p); } \
    FC_INLINE v_##D D##_load_halves(const e_##D *p, const e_##D *q, k_##D k) {                     \
        return (v_##D)insert(cast(_mm256_maskz_loadu_##S((__mmask8)k, p)), _mm256_maskz_loadu_##S((__mmask8)k, q), 1); \
    }                                                                                              \
    FC_INLINE v_##D D##_wa_halves(const e_##D *p, const e_##D *q) {                                \
        return (v_##D)insert(cast(_mm256_set1_##S(*p)), _mm256_set1_##S(*q), 1);                   \
    }                                                                                              \
    FC_INLINE void D##_store_halves(e_##D *p, e_##D *q, k_##D k, v_##D v) {                        \
        _mm256_mask_storeu_##S(p, (__mmask8)k, extract((half)v, 0));                               \
        _mm256_mask_storeu_##S(q, (__mmask8)k, extract((half)v, 1));                               \
    }
FC_MASKED(f32, __mmask16, ps, __m512, _mm512_insertf32x8, _mm512_extractf32x8_ps, _mm512_castps256_ps512)
FC_MASKED(f64, __mmask8, pd, __m512d, _mm512_insertf64x4, _mm512_extractf64x4_pd, _mm512_castpd256_pd512)
#elif FC_VECTOR_BYTES == 32 && defined(__AVX2__)
#  define FC_MASKS 1
#  define FC_MASKED(D, lane, S)                                                                    \
    typedef __m256i k_##D;                                                                         \
    typedef struct { ptrdiff_t beyond; lane ones[4 * D##_LANES]; } D##_windows;                    \
    FC_INLINE void D##_window(D##_windows *w, ptrdiff_t count) {                                   \
        w->beyond = count > 2 * D##_LANES ? count - 2 * D##_LANES : 0;                             \
        for (int i = 0; i < 4 * D##_LANES; i++)                                                    \
            w->ones[i] = -(i >= D##_LANES && i < D##_LANES + count - w->beyond);                   \
    }                                                                                              \
    FC_INLINE k_##D D##_span(const D##_windows *w, ptrdiff_t first) {                              \
        return _mm256_loadu_si256((const __m256i *)(w->ones + FC_PLACE(w, first, D##_LANES)));     \
    }                                                                                              \
    FC_INLINE v_##D D##_load_in(const e_##D *p, k_##D k) { return (v_##D)_mm256_maskload_##S(p, k); }
FC_MASKED(f32, int32_t, ps)
FC_MASKED(f64, int64_t, pd)
#else
#  define FC_MASKS 0
#  define FC_MASKED(D)                                                                             \
    typedef int k_##D;                                                                             \
    typedef int D##_windows;                                                                       \
    FC_INLINE void D##_window(D##_windows *w, ptrdiff_t count) { (void)count; *w = 0; }            \
    FC_INLINE k_##D D##_span(const D##_windows *w, ptrdiff_t first) { (void)first; return *w; }    \
    FC_INLINE v_##D D##_load_in(const e_##D *p, k_##D k) { (void)k; return D##_load(p); }
FC_MASKED(f32)
FC_MASKED(f64)
#endif
#endif
