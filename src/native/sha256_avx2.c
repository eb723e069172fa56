/* SHA-256 of eight strands side by side, by AVX2. */
#include "native.h"

#include "sha256_lanes.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("avx2")))
#define WORDS __m256i
#define PLUS _mm256_add_epi32
#define XOR(a, b, c) _mm256_xor_si256(_mm256_xor_si256(a, b), c)
#define CHOOSE(a, b, c) _mm256_xor_si256(c, _mm256_and_si256(a, _mm256_xor_si256(b, c)))
#define MOST(a, b, c) _mm256_or_si256(_mm256_and_si256(a, b), _mm256_and_si256(c, _mm256_or_si256(a, b)))
#define TURN(a, bits) _mm256_or_si256(_mm256_srli_epi32(a, bits), _mm256_slli_epi32(a, 32 - (bits)))
#define SHIFT _mm256_srli_epi32
#define SPREAD _mm256_set1_epi32

TARGET static inline void
load_half(__m256i *words, const uint8_t *const *at, size_t offset)
{
    const __m256i swap = _mm256_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203, 0x0c0d0e0f, 0x08090a0b,
                                          0x04050607, 0x00010203);
    __m256i row[8], pair[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        row[i] = _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)(at[i] + offset)), swap);
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        __m256i a = _mm256_unpacklo_epi32(row[i], row[i + 1]), b = _mm256_unpackhi_epi32(row[i], row[i + 1]);
        __m256i c = _mm256_unpacklo_epi32(row[i + 2], row[i + 3]), d = _mm256_unpackhi_epi32(row[i + 2], row[i + 3]);
        pair[i] = _mm256_unpacklo_epi64(a, c);
        pair[i + 1] = _mm256_unpackhi_epi64(a, c);
        pair[i + 2] = _mm256_unpacklo_epi64(b, d);
        pair[i + 3] = _mm256_unpackhi_epi64(b, d);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        words[i] = _mm256_permute2x128_si256(pair[i], pair[4 + i], 0x20);
        words[4 + i] = _mm256_permute2x128_si256(pair[i], pair[4 + i], 0x31);
    }
}

TARGET static inline void
load_words(__m256i *words, const uint8_t *const *at, size_t offset)
{
    load_half(words, at, offset);
    load_half(words + 8, at, offset + SHA256_BLOCK / 2);
}

#include "sha256_rows.h"

TARGET void
compress_avx2(lane_words *state, const uint8_t *const *at, size_t blocks, size_t busy)
{
    __m256i rows[8];
    (void)busy;
    for (int i = 0; i < 8; i++)
        rows[i] = _mm256_loadu_si256((const __m256i *)state[i]);
    for (size_t offset = 0; offset < blocks * SHA256_BLOCK; offset += SHA256_BLOCK)
        compress_rows(rows, at, offset);
    for (int i = 0; i < 8; i++)
        _mm256_storeu_si256((__m256i *)state[i], rows[i]);
}

#endif
