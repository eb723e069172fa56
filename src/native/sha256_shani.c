/* SHA-256 of up to four strands side by side, by the SHA extensions: one alone waits for its own last round. */
#include "native.h"

#include "sha256_lanes.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET __attribute__((target("sha,sse4.1,ssse3")))
#define EACH_TIME __attribute__((always_inline)) /* so that the number of lanes is known to the compiler */

/* The instructions want the state as (a b e f) and (c d g h), the first word uppermost. */
struct halves {
    __m128i abef, cdgh;
};

TARGET EACH_TIME static inline void
compress_block(struct halves *state, const uint8_t *const *at, size_t offset, const int lanes)
{
    const __m128i swap = _mm_set_epi32(0x0c0d0e0f, 0x08090a0b, 0x04050607, 0x00010203);
    __m128i w[SHANI_LANES][4];
    struct halves before[SHANI_LANES];
#pragma GCC unroll 4
    for (int lane = 0; lane < lanes; lane++) {
        before[lane] = state[lane];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            w[lane][i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(at[lane] + offset + 16 * i)), swap);
    }
#pragma GCC unroll 16
    for (int round = 0; round < 16; round++)
#pragma GCC unroll 4
        for (int lane = 0; lane < lanes; lane++) {
            __m128i *this = &w[lane][round & 3], next = w[lane][(round + 1) & 3], last = w[lane][(round + 3) & 3];
            __m128i sum = _mm_add_epi32(*this, _mm_load_si128((const __m128i *)(sha256_rounds + 4 * round)));
            struct halves *s = &state[lane];
            s->cdgh = _mm_sha256rnds2_epu32(s->cdgh, s->abef, sum);
            s->abef = _mm_sha256rnds2_epu32(s->abef, s->cdgh, _mm_shuffle_epi32(sum, 0x0e));
            if (round < 12) {
                __m128i middle = _mm_alignr_epi8(last, w[lane][(round + 2) & 3], 4);
                *this = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(*this, next), middle), last);
            }
        }
#pragma GCC unroll 4
    for (int lane = 0; lane < lanes; lane++) {
        state[lane].abef = _mm_add_epi32(state[lane].abef, before[lane].abef);
        state[lane].cdgh = _mm_add_epi32(state[lane].cdgh, before[lane].cdgh);
    }
}

TARGET EACH_TIME static inline void
compress_lanes(lane_words *words, const uint8_t *const *at, size_t blocks, const int lanes)
{
    struct halves state[SHANI_LANES];
#pragma GCC unroll 4
    for (int i = 0; i < lanes; i++) {
        state[i].abef = _mm_set_epi32((int)words[0][i], (int)words[1][i], (int)words[4][i], (int)words[5][i]);
        state[i].cdgh = _mm_set_epi32((int)words[2][i], (int)words[3][i], (int)words[6][i], (int)words[7][i]);
    }
    for (size_t offset = 0; offset < blocks * SHA256_BLOCK; offset += SHA256_BLOCK)
        compress_block(state, at, offset, lanes);
#pragma GCC unroll 4
    for (int lane = 0; lane < lanes; lane++) {
        static const int places[8] = {5, 4, 1, 0, 7, 6, 3, 2}; /* of the words: f e b a, h g d c */
        uint32_t parts[8];
        _mm_storeu_si128((__m128i *)parts, state[lane].abef);
        _mm_storeu_si128((__m128i *)(parts + 4), state[lane].cdgh);
        for (int i = 0; i < 8; i++)
            words[places[i]][lane] = parts[i];
    }
}

TARGET void
compress_shani(lane_words *state, const uint8_t *const *at, size_t blocks, size_t busy)
{
    switch (busy) {
    case 1:
        compress_lanes(state, at, blocks, 1);
        break;
    case 2:
        compress_lanes(state, at, blocks, 2);
        break;
    case 3:
        compress_lanes(state, at, blocks, 3);
        break;
    default:
        compress_lanes(state, at, blocks, 4);
    }
}

#endif
