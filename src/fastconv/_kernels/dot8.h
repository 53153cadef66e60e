/* Sums of products of bytes, four at a time: a 32-bit lane holds four bytes of x, unsigned, or of w, signed.

   dot8_mac(acc, w, x)   acc + w[0] x[0] + w[1] x[1] + w[2] x[2] + w[3] x[3] in each lane, modulo 2^32

   One instruction where there is VNNI; else the even and the odd bytes are multiplied as 16-bit integers. A compiler shares
   their unpacking between the products of a tile. The tiles of the module are those of gemm.h, with such lanes for elements
   of w and x, and 32-bit sums for c and y. */
#ifndef FASTCONV_DOT8_H
#define FASTCONV_DOT8_H
#include "simd.h"
#include "gemm.h"

#define FC_DOT8_TABLE "fastconv._kernels.dot8.v1"
typedef struct {
    int rows, vectors;
    fc_gemm_tile tile[FC_GEMM_ROWS][FC_GEMM_VECTORS];
} fc_dot8_table;

#if FC_VECTOR_BYTES == 64 && defined(__AVX512VNNI__)
FC_INLINE v_i32 dot8_mac(v_i32 acc, v_i32 w, v_i32 x) {
    return (v_i32)_mm512_dpbusd_epi32((__m512i)acc, (__m512i)x, (__m512i)w);
}
#else
#  if FC_VECTOR_BYTES == 64 && defined(__AVX512BW__)
#    define FC_DOT16(w, x) (v_i32)_mm512_madd_epi16((__m512i)(w), (__m512i)(x))
#  elif FC_VECTOR_BYTES == 32 && defined(__AVX2__)
#    define FC_DOT16(w, x) (v_i32)_mm256_madd_epi16((__m256i)(w), (__m256i)(x))
#  elif FC_VECTOR_BYTES == 16 && defined(__SSE2__)
#    define FC_DOT16(w, x) (v_i32)_mm_madd_epi16((__m128i)(w), (__m128i)(x))
#  endif
#  ifdef FC_DOT16
typedef int16_t fc_halves __attribute__((vector_size(FC_VECTOR_BYTES), may_alias));
FC_INLINE v_i32 dot8_mac(v_i32 acc, v_i32 w, v_i32 x) {
    fc_halves w_even = ((fc_halves)(v_i32)(w << 8)) >> 8, w_odd = (fc_halves)w >> 8;
    v_i32 x_even = x & 0x00ff00ffu, x_odd = (x >> 8) & 0x00ff00ffu;
    return acc + FC_DOT16(w_even, x_even) + FC_DOT16(w_odd, x_odd);
}
#  else
#    define FC_SIGNED(byte) ((((byte) & 255u) ^ 128u) - 128u)
FC_INLINE v_i32 dot8_mac(v_i32 acc, v_i32 w, v_i32 x) {
    acc = acc + FC_SIGNED(w) * (x & 255u) + FC_SIGNED(w >> 8) * ((x >> 8) & 255u);
    return acc + FC_SIGNED(w >> 16) * ((x >> 16) & 255u) + FC_SIGNED(w >> 24) * (x >> 24);
}
#  endif
#endif
#endif
