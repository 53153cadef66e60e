/* Quotients of 16-bit sums by vectors of products, which compilers do not find: the operations beside simd.h's. */
#ifndef FASTCONV_BOX_SIMD_H
#define FASTCONV_BOX_SIMD_H
#include "simd.h"

/* The high halves of 16 x 16 -> 32 bit products, and n >> shift. */
#if FC_VECTOR_BYTES == 64 && defined(__AVX512BW__)
FC_INLINE v_i16 i16_high(v_i16 a, v_i16 b) { return (v_i16)_mm512_mulhi_epu16((__m512i)a, (__m512i)b); }
#elif FC_VECTOR_BYTES == 32 && defined(__AVX2__)
FC_INLINE v_i16 i16_high(v_i16 a, v_i16 b) { return (v_i16)_mm256_mulhi_epu16((__m256i)a, (__m256i)b); }
#elif FC_VECTOR_BYTES == 16 && defined(__SSE2__)
FC_INLINE v_i16 i16_high(v_i16 a, v_i16 b) { return (v_i16)_mm_mulhi_epu16((__m128i)a, (__m128i)b); }
#elif FC_VECTOR_BYTES
FC_INLINE v_i16 i16_high(v_i16 a, v_i16 b) {
    for (int i = 0; i < i16_LANES; i++) a[i] = (uint16_t)((uint32_t)a[i] * b[i] >> 16);
    return a;
}
#else
FC_INLINE v_i16 i16_high(v_i16 a, v_i16 b) { return (v_i16)((uint32_t)a * b >> 16); }
#endif

/* s / k of a vector of sums: (s + half) factor >> 16 + shift; less 1 for a tie with an odd quotient, if even. */
#if FC_VECTOR_BYTES
typedef uint8_t v_u8 __attribute__((vector_size(FC_VECTOR_BYTES / 2)));
typedef uint8_t u_u8 __attribute__((vector_size(FC_VECTOR_BYTES / 2), may_alias, aligned(1)));
FC_INLINE void u8_store(uint8_t *p, v_i16 v) { *(u_u8 *)p = (u_u8)__builtin_convertvector(v, v_u8); }
FC_INLINE void i16_store_sums(uint16_t *p, v_i16 v) { i16_store(p, v); }
FC_INLINE v_i16 i16_quotient(v_i16 s, uint16_t half, uint16_t factor, int shift, uint16_t k, uint16_t even) {
    v_i16 t = s + i16_splat(half), q = i16_high(t, i16_splat(factor)) >> shift;
    if (even) q -= (v_i16)(q * i16_splat(k) == t) & q & 1;
    return q;
}
#else
FC_INLINE void u8_store(uint8_t *p, v_i16 v) { *p = (uint8_t)v; }
FC_INLINE void i16_store_sums(uint16_t *p, v_i16 v) { *p = v; }
FC_INLINE v_i16 i16_quotient(v_i16 s, uint16_t half, uint16_t factor, int shift, uint16_t k, uint16_t even) {
    v_i16 t = (v_i16)(s + half), q = (v_i16)(i16_high(t, factor) >> shift);
    return (v_i16)(even && (v_i16)(q * k) == t && q & 1 ? q - 1 : q);
}
#endif
#endif
