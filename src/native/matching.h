/* Where the blocks of an older content are in a newer one that comes piece by piece. */
#ifndef SMC_MATCHING_H
#define SMC_MATCHING_H

#include <stddef.h>
#include <stdint.h>

struct copy {
    uint64_t start, length, from; /* in the piece; in the older content */
};

struct matching {
    uint8_t *records; /* of the blocks of the older content */
    uint32_t *heads;  /* by sum: the first block */
    uint32_t *next;   /* by block: another one of the same place in `heads` */
    uint64_t *filter; /* two bits for each sum that there is, in one word */
    uint64_t size;    /* of the older content */
    uint64_t seed, weight;
    uint32_t count, whole, block; /* blocks, those that are not cut at the end, bytes of one */
    uint32_t mask;                /* of the places in `heads` */
    int narrow;                   /* bits that a mixed sum is shifted by to be a word of the filter */

    uint64_t position; /* of the next piece in the newer content */
    int64_t shift;     /* the older offset less the newer one, of the last copy */
    uint32_t expected; /* the block that would go on from the last copy */
    uint64_t carried;  /* bytes of the next piece that belong to a block found already */
    uint64_t carried_from;
};

/* Takes a copy of the records. 0, EINVAL when they are not those of such a content, or ENOMEM; free it in any case. */
int begin_matching(struct matching *matching, const uint8_t *records, size_t length, uint64_t size, uint64_t block,
                   uint64_t seed);

void free_matching(struct matching *matching);

/* The most copies that a piece of that size can have. */
size_t most_copies(const struct matching *matching, size_t piece);

/* The copies of the first `piece` of `total` bytes, in order; returns their number. */
size_t match(struct matching *matching, const uint8_t *data, size_t piece, size_t total, struct copy *copies);

/* The next piece is at `position` of the newer content, and nothing is carried over to it. */
void seek_matching(struct matching *matching, uint64_t position);

#endif
