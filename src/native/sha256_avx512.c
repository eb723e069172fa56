/* SHA-256 of sixteen strands side by side, by AVX-512. */
#include "native.h"

#include "sha256_lanes.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx512f,avx512bw")))
#define WORDS __m512i
#define PLUS _mm512_add_epi32
#define XOR(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0x96)
#define CHOOSE(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0xca)
#define MOST(a, b, c) _mm512_ternarylogic_epi32(a, b, c, 0xe8)
#define TURN _mm512_ror_epi32
#define SHIFT _mm512_srli_epi32
#define SPREAD _mm512_set1_epi32

TARGET static inline void
load_words(__m512i *words, const uint8_t *const *at, size_t offset)
{
    const __m512i swap = _mm512_set4_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203);
    __m512i row[16], pair[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++)
        row[i] = _mm512_shuffle_epi8(_mm512_loadu_si512(at[i] + offset), swap);
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
        __m512i a = _mm512_unpacklo_epi32(row[i], row[i + 1]), b = _mm512_unpackhi_epi32(row[i], row[i + 1]);
        __m512i c = _mm512_unpacklo_epi32(row[i + 2], row[i + 3]), d = _mm512_unpackhi_epi32(row[i + 2], row[i + 3]);
        pair[i] = _mm512_unpacklo_epi64(a, c);
        pair[i + 1] = _mm512_unpackhi_epi64(a, c);
        pair[i + 2] = _mm512_unpacklo_epi64(b, d);
        pair[i + 3] = _mm512_unpackhi_epi64(b, d);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        __m512i a = _mm512_shuffle_i32x4(pair[i], pair[4 + i], 0x88);
        __m512i b = _mm512_shuffle_i32x4(pair[i], pair[4 + i], 0xdd);
        __m512i c = _mm512_shuffle_i32x4(pair[8 + i], pair[12 + i], 0x88);
        __m512i d = _mm512_shuffle_i32x4(pair[8 + i], pair[12 + i], 0xdd);
        words[i] = _mm512_shuffle_i32x4(a, c, 0x88);
        words[8 + i] = _mm512_shuffle_i32x4(a, c, 0xdd);
        words[4 + i] = _mm512_shuffle_i32x4(b, d, 0x88);
        words[12 + i] = _mm512_shuffle_i32x4(b, d, 0xdd);
    }
}

#include "sha256_rows.h"

TARGET void
compress_avx512(lane_words *state, const uint8_t *const *at, size_t blocks, size_t busy)
{
    __m512i rows[8];
    (void)busy;
    for (int i = 0; i < 8; i++)
        rows[i] = _mm512_loadu_si512(state[i]);
    for (size_t offset = 0; offset < blocks * SHA256_BLOCK; offset += SHA256_BLOCK)
        compress_rows(rows, at, offset);
    for (int i = 0; i < 8; i++)
        _mm512_storeu_si512(state[i], rows[i]);
}

#endif
