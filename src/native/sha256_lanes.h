/* SHA-256 of several strands side by side: what the kinds of processors do, one file each. */
#ifndef SMC_SHA256_LANES_H
#define SMC_SHA256_LANES_H

#include "sha256.h"

#define MOST_LANES 16

/* The eight words of each lane's hash so far: word i of all lanes is one row. */
typedef uint32_t lane_words[MOST_LANES];

extern const uint32_t sha256_rounds[64]; /* the constants of FIPS 180-4, at a multiple of 16 bytes */

/* Take the next `blocks` blocks from `at` of each lane into its state. `busy`, at most the lanes of the kind, are of
   interest; `at` of all lanes of the kind can be read. What the processor cannot do must not be called. */
typedef void compress_blocks(lane_words *state, const uint8_t *const *at, size_t blocks, size_t busy);

#if defined(__x86_64__)
compress_blocks compress_avx512, compress_avx2, compress_shani;
#endif

#endif
