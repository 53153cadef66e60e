/* Vector operations of the kernels for small integers (bytes.pyx.in), one set of names for every compiler and ISA.

   v_w               one vector of packed words (bytes.h), or of sums
   w_load, w_splat   unaligned; one 32-bit word everywhere
   F_mac(acc, z, w)  for each family F (b4 b2 h2): acc + the products of z's elements with w's
   F_join_T          packs F_JOIN elements of each row of the type T
   f32_of_T        as many elements of the type T as real numbers
   f32_nearest, f32_cut, f64_...   w_LANES real numbers, rounded to the nearest; times a factor, truncated
   s32_store, s16_store   four vectors of sums to y[c ...], as `store` says (bytes.h) */
#ifndef FASTCONV_BYTES_SIMD_H
#define FASTCONV_BYTES_SIMD_H
#include <math.h>
#include "simd.h"
#include "bytes.h"

#if FC_VECTOR_BYTES == 64 && defined(__AVX512BW__)
#  define FC_X86(op) _mm512_##op
typedef __m512i v_w;
FC_INLINE v_w w_load(const void *p) { v_w v = _mm512_loadu_si512(p); FC_KEEP(v); return v; }
FC_INLINE void w_put(void *p, v_w v) { _mm512_storeu_si512(p, v); }
FC_INLINE v_w fc_ordered(v_w v) {       /* after one pack of 2 vectors: their lanes of 64 bits in order */
    return _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), v);
}
FC_INLINE v_w fc_ordered4(v_w v) {      /* after two packs, of 4 vectors */
    return _mm512_permutexvar_epi32(_mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15), v);
}
FC_INLINE v_w fc_low(v_w lo, v_w hi) {  /* after unpack lo and hi: the first and the second half of their pairs */
    return _mm512_permutex2var_epi64(lo, _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), hi);
}
FC_INLINE v_w fc_high(v_w lo, v_w hi) {
    return _mm512_permutex2var_epi64(lo, _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15), hi);
}
FC_INLINE v_w fc_joined(__m256i a, __m256i b) { return _mm512_inserti64x4(_mm512_castsi256_si512(a), b, 1); }
#  define fc_of_u8(p) _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(p)))
#  define fc_of_i8(p) _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(p)))
#  define fc_of_u16(p) _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(p)))
#  define fc_of_i16(p) _mm512_cvtepi16_epi32(_mm256_loadu_si256((const __m256i *)(p)))
#  define fc_and _mm512_and_si512
#  define fc_or _mm512_or_si512
#  define fc_xor _mm512_xor_si512
#elif FC_VECTOR_BYTES == 32 && defined(__AVX2__)
#  define FC_X86(op) _mm256_##op
typedef __m256i v_w;
FC_INLINE v_w w_load(const void *p) { v_w v = _mm256_loadu_si256((const __m256i *)p); FC_KEEP(v); return v; }
FC_INLINE void w_put(void *p, v_w v) { _mm256_storeu_si256((__m256i *)p, v); }
FC_INLINE v_w fc_ordered(v_w v) { return _mm256_permute4x64_epi64(v, 0xd8); }
FC_INLINE v_w fc_ordered4(v_w v) {
    return _mm256_permutevar8x32_epi32(v, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}
FC_INLINE v_w fc_low(v_w lo, v_w hi) { return _mm256_permute2x128_si256(lo, hi, 0x20); }
FC_INLINE v_w fc_high(v_w lo, v_w hi) { return _mm256_permute2x128_si256(lo, hi, 0x31); }
FC_INLINE v_w fc_joined(__m128i a, __m128i b) { return _mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1); }
#  define fc_of_u8(p) _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(p)))
#  define fc_of_i8(p) _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(p)))
#  define fc_of_u16(p) _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(p)))
#  define fc_of_i16(p) _mm256_cvtepi16_epi32(_mm_loadu_si128((const __m128i *)(p)))
#  define fc_and _mm256_and_si256
#  define fc_or _mm256_or_si256
#  define fc_xor _mm256_xor_si256
#elif FC_VECTOR_BYTES == 16 && defined(__SSE4_1__)
#  define FC_X86(op) _mm_##op
typedef __m128i v_w;
FC_INLINE v_w w_load(const void *p) { v_w v = _mm_loadu_si128((const __m128i *)p); FC_KEEP(v); return v; }
FC_INLINE void w_put(void *p, v_w v) { _mm_storeu_si128((__m128i *)p, v); }
FC_INLINE v_w fc_ordered(v_w v) { return v; }
FC_INLINE v_w fc_ordered4(v_w v) { return v; }
FC_INLINE v_w fc_low(v_w lo, v_w hi) { (void)hi; return lo; }
FC_INLINE v_w fc_high(v_w lo, v_w hi) { (void)lo; return hi; }
FC_INLINE v_w fc_joined(__m128i a, __m128i b) { return _mm_unpacklo_epi64(a, b); }
FC_INLINE v_w fc_four_bytes(const void *p) { int32_t v; memcpy(&v, p, 4); return _mm_cvtsi32_si128(v); }
#  define fc_of_u8(p) _mm_cvtepu8_epi32(fc_four_bytes(p))
#  define fc_of_i8(p) _mm_cvtepi8_epi32(fc_four_bytes(p))
#  define fc_of_u16(p) _mm_cvtepu16_epi32(_mm_loadl_epi64((const __m128i *)(p)))
#  define fc_of_i16(p) _mm_cvtepi16_epi32(_mm_loadl_epi64((const __m128i *)(p)))
#  define fc_and _mm_and_si128
#  define fc_or _mm_or_si128
#  define fc_xor _mm_xor_si128
#endif

#ifdef FC_X86
enum { w_LANES = sizeof(v_w) / 4, h2_JOIN = w_LANES, b2_JOIN = sizeof(v_w), b4_JOIN = 64 };

FC_INLINE v_w w_splat(const int32_t *w) { return FC_X86(set1_epi32)(*w); }
FC_INLINE v_w b2_mac(v_w acc, v_w z, v_w w) { return FC_X86(add_epi16)(acc, FC_X86(maddubs_epi16)(z, w)); }
FC_INLINE v_w h2_mac(v_w acc, v_w z, v_w w) {
#  if FC_VECTOR_BYTES == 64 && defined(__AVX512VNNI__)
    return _mm512_dpwssd_epi32(acc, z, w);
#  else
    return FC_X86(add_epi32)(acc, FC_X86(madd_epi16)(z, w));
#  endif
}

FC_INLINE void b2_join_u8(char *z, const char *a, const char *b) {
    v_w x = w_load(a), y = w_load(b), lo = FC_X86(unpacklo_epi8)(x, y), hi = FC_X86(unpackhi_epi8)(x, y);
    w_put(z, fc_low(lo, hi));
    w_put(z + sizeof(v_w), fc_high(lo, hi));
}
FC_INLINE void h2_join_u8(char *z, const char *a, const char *b) {
    w_put(z, fc_or(fc_of_u8(a), FC_X86(slli_epi32)(fc_of_u8(b), 16)));
}
FC_INLINE void h2_join_i8(char *z, const char *a, const char *b) {
    v_w low = FC_X86(set1_epi32)(0xffff);
    w_put(z, fc_or(fc_and(fc_of_i8(a), low), FC_X86(slli_epi32)(fc_of_i8(b), 16)));
}
FC_INLINE void h2_join_i16(char *z, const char *a, const char *b) {
    w_put(z, fc_or(fc_of_u16(a), FC_X86(slli_epi32)(fc_of_u16(b), 16)));
}
FC_INLINE void h2_join_u16(char *z, const char *a, const char *b) {
    v_w half = FC_X86(set1_epi32)((int)0x80008000u);
    w_put(z, fc_xor(half, fc_or(fc_of_u16(a), FC_X86(slli_epi32)(fc_of_u16(b), 16))));
}

FC_INLINE v_f32 f32_of_u8(const char *x) { return (v_f32)FC_X86(cvtepi32_ps)(fc_of_u8(x)); }
FC_INLINE v_f32 f32_of_i8(const char *x) { return (v_f32)FC_X86(cvtepi32_ps)(fc_of_i8(x)); }
FC_INLINE v_f32 f32_of_u16(const char *x) { return (v_f32)FC_X86(cvtepi32_ps)(fc_of_u16(x)); }
FC_INLINE v_f32 f32_of_i16(const char *x) { return (v_f32)FC_X86(cvtepi32_ps)(fc_of_i16(x)); }
FC_INLINE v_w f32_nearest(const float *x) { return FC_X86(cvtps_epi32)(FC_X86(loadu_ps)(x)); }
FC_INLINE v_w f32_cut(const float *x, float factor) {
    return FC_X86(cvttps_epi32)(FC_X86(mul_ps)(FC_X86(loadu_ps)(x), FC_X86(set1_ps)(factor)));
}
FC_INLINE v_w f64_nearest(const double *x) {
    return fc_joined(FC_X86(cvtpd_epi32)(FC_X86(loadu_pd)(x)), FC_X86(cvtpd_epi32)(FC_X86(loadu_pd)(x + w_LANES / 2)));
}
FC_INLINE v_w f64_cut(const double *x, double factor) {
    return fc_joined(FC_X86(cvttpd_epi32)(FC_X86(mul_pd)(FC_X86(loadu_pd)(x), FC_X86(set1_pd)(factor))),
                     FC_X86(cvttpd_epi32)(FC_X86(mul_pd)(FC_X86(loadu_pd)(x + w_LANES / 2), FC_X86(set1_pd)(factor))));
}

FC_INLINE void s32_store(char *y, ptrdiff_t c, v_w a, v_w b, v_w d, v_w e, int store) {
    v_w low;
    if (store == FC_TO_LOW32) {
        char *to = y + 4 * c;
        w_put(to, a);
        w_put(to + sizeof(v_w), b);
        w_put(to + 2 * sizeof(v_w), d);
        w_put(to + 3 * sizeof(v_w), e);
        return;
    }
    if (store == FC_TO_LOW16 || store == FC_TO_LOW8) {
        low = FC_X86(set1_epi32)(store == FC_TO_LOW8 ? 0xff : 0xffff);
        a = fc_and(a, low);
        b = fc_and(b, low);
        d = fc_and(d, low);
        e = fc_and(e, low);
    }
    if (store == FC_TO_I16) {
        w_put(y + 2 * c, fc_ordered(FC_X86(packs_epi32)(a, b)));
        w_put(y + 2 * c + sizeof(v_w), fc_ordered(FC_X86(packs_epi32)(d, e)));
    } else if (store == FC_TO_U16 || store == FC_TO_LOW16) {
        w_put(y + 2 * c, fc_ordered(FC_X86(packus_epi32)(a, b)));
        w_put(y + 2 * c + sizeof(v_w), fc_ordered(FC_X86(packus_epi32)(d, e)));
    } else {
        a = FC_X86(packs_epi32)(a, b);
        d = FC_X86(packs_epi32)(d, e);
        w_put(y + c, fc_ordered4(store == FC_TO_I8 ? FC_X86(packs_epi16)(a, d) : FC_X86(packus_epi16)(a, d)));
    }
}

FC_INLINE void s16_pair(char *y, v_w a, v_w b, int store) {
    v_w low;
    if (store == FC_TO_I8) {
        a = FC_X86(packs_epi16)(a, b);
    } else {
        low = FC_X86(set1_epi16)(0xff);
        if (store == FC_TO_LOW8) {
            a = fc_and(a, low);
            b = fc_and(b, low);
        }
        a = FC_X86(packus_epi16)(a, b);
    }
    w_put(y, fc_ordered(a));
}
FC_INLINE void s16_store(char *y, ptrdiff_t c, v_w a, v_w b, v_w d, v_w e, int store) {
    if (store == FC_TO_LOW16 || store == FC_TO_I16 || store == FC_TO_U16) {
        char *to = y + 2 * c;
        if (store == FC_TO_U16) {
            v_w zero = FC_X86(set1_epi16)(0);
            a = FC_X86(max_epi16)(a, zero);
            b = FC_X86(max_epi16)(b, zero);
            d = FC_X86(max_epi16)(d, zero);
            e = FC_X86(max_epi16)(e, zero);
        }
        w_put(to, a);
        w_put(to + sizeof(v_w), b);
        w_put(to + 2 * sizeof(v_w), d);
        w_put(to + 3 * sizeof(v_w), e);
    } else {
        s16_pair(y + c, a, b, store);
        s16_pair(y + c + sizeof(v_w), d, e, store);
    }
}

#  if FC_VECTOR_BYTES == 64 && defined(__AVX512VNNI__)
FC_INLINE v_w b4_mac(v_w acc, v_w z, v_w w) { return _mm512_dpbusd_epi32(acc, z, w); }
FC_INLINE void b4_join_u8(char *z, const char *a, const char *b, const char *c, const char *d) {
    v_w p = w_load(a), q = w_load(b), r = w_load(c), s = w_load(d), even, odd, t, u;
    v_w ab = _mm512_unpacklo_epi8(p, q), cd = _mm512_unpacklo_epi8(r, s);
    v_w ab_high = _mm512_unpackhi_epi8(p, q), cd_high = _mm512_unpackhi_epi8(r, s);
    p = _mm512_unpacklo_epi16(ab, cd);                  /* lane k of p, q, r, s: words 16 k, 16 k + 4, + 8, + 12 */
    q = _mm512_unpackhi_epi16(ab, cd);
    r = _mm512_unpacklo_epi16(ab_high, cd_high);
    s = _mm512_unpackhi_epi16(ab_high, cd_high);
    even = _mm512_shuffle_i32x4(p, q, 0x88), odd = _mm512_shuffle_i32x4(p, q, 0xdd);
    t = _mm512_shuffle_i32x4(r, s, 0x88), u = _mm512_shuffle_i32x4(r, s, 0xdd);
    w_put(z, _mm512_shuffle_i32x4(even, t, 0x88));
    w_put(z + 64, _mm512_shuffle_i32x4(odd, u, 0x88));
    w_put(z + 128, _mm512_shuffle_i32x4(even, t, 0xdd));
    w_put(z + 192, _mm512_shuffle_i32x4(odd, u, 0xdd));
}
#  endif

#else /* words in 32-bit lanes of whatever vectors there are, else one word */

#  if FC_VECTOR_BYTES
typedef int32_t v_w __attribute__((vector_size(FC_VECTOR_BYTES), may_alias));
typedef uint32_t v_wu __attribute__((vector_size(FC_VECTOR_BYTES), may_alias));
#  else
typedef int32_t v_w;
typedef uint32_t v_wu;
#  endif
enum { w_LANES = sizeof(v_w) / 4, h2_JOIN = w_LANES, b2_JOIN = 2 * w_LANES };

FC_INLINE v_w w_load(const void *p) { v_w v; memcpy(&v, p, sizeof(v)); return v; }
FC_INLINE void w_put(void *p, v_w v) { memcpy(p, &v, sizeof(v)); }
FC_INLINE v_w w_splat(const int32_t *w) {
    int32_t words[w_LANES];
    for (int i = 0; i < w_LANES; i++) words[i] = *w;
    return w_load(words);
}
FC_INLINE v_w h2_mac(v_w acc, v_w z, v_w w) {           /* unsigned: it wraps; the low halves, signed, are shifted there */
    v_wu low = (v_wu)((v_w)((v_wu)z << 16) >> 16) * (v_wu)((v_w)((v_wu)w << 16) >> 16);
    return (v_w)((v_wu)acc + low + (v_wu)(z >> 16) * (v_wu)(w >> 16));
}
FC_INLINE v_w b2_mac(v_w acc, v_w z, v_w w) {           /* two words: each of two bytes */
    v_wu zu = (v_wu)z, wu = (v_wu)w;
    v_wu low = (zu & 0xff) * (v_wu)((v_w)(wu << 24) >> 24) + (zu >> 8 & 0xff) * (v_wu)((v_w)(wu << 16) >> 24);
    v_wu high = (zu >> 16 & 0xff) * (v_wu)((v_w)(wu << 8) >> 24) + (zu >> 24) * (v_wu)(w >> 24);
    return (v_w)((((v_wu)acc + low) & 0xffff) | (((v_wu)acc >> 16) + high) << 16);
}
FC_INLINE void b2_join_u8(char *z, const char *a, const char *b) {
    for (int i = 0; i < b2_JOIN; i++) {
        uint16_t word = (uint16_t)((uint8_t)a[i] | (uint8_t)b[i] << 8);
        memcpy(z + 2 * i, &word, 2);
    }
}
#  define FC_JOIN(T, type, flip)                                                               \
    FC_INLINE void h2_join_##T(char *z, const char *a, const char *b) {                        \
        for (int i = 0; i < h2_JOIN; i++) {                                                    \
            type p, q;                                                                         \
            uint32_t word;                                                                     \
            memcpy(&p, a + i * sizeof(p), sizeof(p));                                          \
            memcpy(&q, b + i * sizeof(q), sizeof(q));                                          \
            word = ((uint32_t)p & 0xffff) | (uint32_t)q << 16;                                 \
            word ^= flip;                                                                      \
            memcpy(z + 4 * i, &word, 4);                                                       \
        }                                                                                      \
    }
FC_JOIN(u8, uint8_t, 0)
FC_JOIN(i8, int8_t, 0)
FC_JOIN(i16, int16_t, 0)
FC_JOIN(u16, uint16_t, 0x80008000u)

#  define FC_WHOLE(D, type, rounded)                                                           \
    FC_INLINE v_w D##_nearest(const type *x) {                                                 \
        int32_t words[w_LANES];                                                                \
        for (int i = 0; i < w_LANES; i++) words[i] = (int32_t)rounded(x[i]);                   \
        return w_load(words);                                                                  \
    }                                                                                          \
    FC_INLINE v_w D##_cut(const type *x, type factor) {                                        \
        int32_t words[w_LANES];                                                                \
        for (int i = 0; i < w_LANES; i++) words[i] = (int32_t)(x[i] * factor);                 \
        return w_load(words);                                                                  \
    }
FC_WHOLE(f32, float, rintf)
FC_WHOLE(f64, double, rint)

FC_INLINE void fc_put(char *y, ptrdiff_t c, int32_t s, int store) {
    int low = store == FC_TO_U8 || store == FC_TO_U16 ? 0 : store == FC_TO_I8 ? -128 : -32768;
    int high = store == FC_TO_U8 ? 255 : store == FC_TO_I8 ? 127 : store == FC_TO_U16 ? 65535 : 32767;
    if (store < FC_TO_LOW8) s = s < low ? low : s > high ? high : s;
    if (store == FC_TO_LOW32) {
        memcpy(y + 4 * c, &s, 4);
    } else if (store == FC_TO_U8 || store == FC_TO_I8 || store == FC_TO_LOW8) {
        y[c] = (char)s;
    } else {
        uint16_t half = (uint16_t)s;
        memcpy(y + 2 * c, &half, 2);
    }
}
FC_INLINE void s32_store(char *y, ptrdiff_t c, v_w a, v_w b, v_w d, v_w e, int store) {
    v_w sums[4] = {a, b, d, e};
    int32_t s;
    for (int i = 0; i < 4 * w_LANES; i++) {
        memcpy(&s, (char *)sums + 4 * i, 4);
        fc_put(y, c + i, s, store);
    }
}
FC_INLINE void s16_store(char *y, ptrdiff_t c, v_w a, v_w b, v_w d, v_w e, int store) {
    v_w sums[4] = {a, b, d, e};
    int16_t s;
    for (int i = 0; i < 8 * w_LANES; i++) {
        memcpy(&s, (char *)sums + 2 * i, 2);
        fc_put(y, c + i, s, store);
    }
}
#endif
#endif
