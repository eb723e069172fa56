/* Where the blocks of an older content are in a newer one: expected ones first, then by a rolled sum.

   After a copy the block that follows in the older content is tried by its strong hash alone. Only where it is not,
   the sum rolls on byte by byte, until it is that of a block whose strong hash is right too. */
#include "matching.h"

#include "blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
#define MOST_BLOCKS (1u << 28)
#define LONGEST_CHAIN 8 /* blocks with sums of the same place; more come only from those who want to stall us */
#define BITS_PER_BLOCK 16 /* at least; it is 16 to 32. More do not fit the second cache, and fewer let too much pass */
/* Hashing in vain may cost so many bytes for each of a piece, and some blocks; then the rest of the piece is new.
   Rolled sums meet by chance much less often: only contents made for it get there. */
#define PATIENCE 8

/* Two bits of the same word: 0.5 to 1.7% of all sums pass by chance, and it costs one access to memory. */
static inline uint64_t
bits_of(uint64_t mixed)
{
    return (uint64_t)1 << (mixed >> (64 - SUM_BITS) & 63) | (uint64_t)1 << (mixed >> (70 - SUM_BITS) & 63);
}

static inline int
passes(const uint64_t *filter, uint64_t mixed, int narrow)
{
    uint64_t word = filter[mixed >> narrow];
    return (int)((word >> (mixed >> (64 - SUM_BITS) & 63)) & (word >> (mixed >> (70 - SUM_BITS) & 63)) & 1);
}

/* The value of the window after this one. */
static inline uint64_t
rolled(uint64_t value, const uint8_t *window, size_t block, uint64_t weight)
{
    return value * BASE + (window[block] - window[0] * weight);
}

static void add(struct matching *m, uint32_t block);
static uint64_t length_of(const struct matching *m, uint32_t block);
static size_t roll(struct matching *m, const uint8_t *data, size_t at, size_t end, size_t total, uint64_t *patience,
                   uint32_t *found);
static const uint8_t *candidate(const struct matching *m, const uint8_t *window, const uint8_t *last, uint64_t *value);
static uint32_t look_up(const struct matching *m, uint64_t sum, const uint8_t *window, uint64_t *patience);
static uint32_t nearest(const struct matching *m, uint32_t block, uint64_t newer);

int
begin_matching(struct matching *m, const uint8_t *records, size_t length, uint64_t size, uint64_t block,
               uint64_t seed)
{
    memset(m, 0, sizeof *m);
    if (block < LEAST_BLOCK || block > MOST_BLOCK)
        return EINVAL;
    uint64_t count = size / block + (size % block != 0);
    if (count >= MOST_BLOCKS || length != count * RECORD)
        return EINVAL;
    int bits = 10;
    while ((uint64_t)1 << bits < 2 * count)
        bits++;
    size_t places = (size_t)1 << bits, words = places / 2 * BITS_PER_BLOCK / 64;
    m->records = malloc(length ? length : 1);
    m->heads = malloc(places * sizeof *m->heads);
    m->next = malloc((count + 1) * sizeof *m->next);
    m->filter = calloc(words, sizeof *m->filter);
    if (!m->records || !m->heads || !m->next || !m->filter)
        return ENOMEM;
    memcpy(m->records, records, length);
    memset(m->heads, 0xff, places * sizeof *m->heads);
    m->size = size;
    m->seed = seed;
    m->weight = weight((size_t)block);
    m->count = (uint32_t)count;
    m->whole = (uint32_t)(size / block); /* a shorter last one is found only where it is expected */
    m->block = (uint32_t)block;
    m->mask = (uint32_t)places - 1;
    m->narrow = 64 - __builtin_ctzll(words);
    for (uint32_t i = 0; i < m->whole; i++)
        add(m, i);
    return 0;
}

void
free_matching(struct matching *m)
{
    free(m->records);
    free(m->heads);
    free(m->next);
    free(m->filter);
    memset(m, 0, sizeof *m);
}

/* A copy has a block, but for the rest of one that is carried in, one that is cut by the end of the piece, and the
   short last block, which can come again only after another copy. */
size_t
most_copies(const struct matching *m, size_t piece)
{
    return 2 * (piece / (m->block ? m->block : LEAST_BLOCK)) + 4;
}

size_t
match(struct matching *m, const uint8_t *data, size_t piece, size_t total, struct copy *copies)
{
    size_t count = 0, at = 0;
    uint64_t patience = PATIENCE * ((uint64_t)piece + 16 * (uint64_t)m->block);
    if (m->carried) {
        uint64_t length = m->carried < piece ? m->carried : piece;
        if (length)
            copies[count++] = (struct copy){0, length, m->carried_from};
        at = (size_t)length;
        m->carried -= length;
        m->carried_from += length;
    }
    while (at < piece) {
        uint32_t block = m->expected;
        uint64_t length = block < m->count ? length_of(m, block) : 0;
        if (!length || length > total - at ||
            strong_in(m->records + (size_t)block * RECORD) != strong_of(data + at, (size_t)length, m->seed)) {
            at = roll(m, data, at, piece, total, &patience, &block);
            length = m->block;
            if (block == NONE) {
                m->expected = NONE;
                break;
            }
        }
        uint64_t from = (uint64_t)block * m->block, here = length < piece - at ? length : piece - at;
        if (count && copies[count - 1].start + copies[count - 1].length == at &&
            copies[count - 1].from + copies[count - 1].length == from)
            copies[count - 1].length += here;
        else
            copies[count++] = (struct copy){at, here, from};
        m->carried = length - here;
        m->carried_from = from + here;
        m->shift = (int64_t)(from - (m->position + at));
        m->expected = block + 1;
        at += (size_t)here;
    }
    m->position += piece;
    return count;
}

void
seek_matching(struct matching *m, uint64_t position)
{
    if (position == 0) /* from the beginning, not after a hole */
        m->shift = 0;
    uint64_t older = position + (uint64_t)m->shift;
    m->position = position;
    m->carried = 0;
    m->expected = NONE;
    if (m->block && older % m->block == 0 && older / m->block < m->count)
        m->expected = (uint32_t)(older / m->block);
}

/* Equal blocks are found by the first of them: a content of zeros has one. */
static void
add(struct matching *m, uint32_t block)
{
    const uint8_t *record = m->records + (size_t)block * RECORD;
    uint64_t sum = sum_in(record), mixed = sum << (64 - SUM_BITS);
    uint32_t place = (uint32_t)sum & m->mask, links = 0;
    for (uint32_t other = m->heads[place]; other != NONE; other = m->next[other])
        if (++links == LONGEST_CHAIN || memcmp(m->records + (size_t)other * RECORD, record, RECORD) == 0)
            return;
    m->next[block] = m->heads[place];
    m->heads[place] = block;
    m->filter[mixed >> m->narrow] |= bits_of(mixed);
}

static uint64_t
length_of(const struct matching *m, uint32_t block)
{
    return block < m->whole ? m->block : m->size % m->block;
}

/* Where the next copy begins, at or after `at` and before `end`, and of which block; NONE when there is none. */
static size_t
roll(struct matching *m, const uint8_t *data, size_t at, size_t end, size_t total, uint64_t *patience,
     uint32_t *found)
{
    *found = NONE;
    if (m->whole == 0 || total - at < m->block || *patience == 0)
        return end;
    const uint8_t *last = data + (total - m->block < end - 1 ? total - m->block : end - 1);
    const uint8_t *window = data + at;
    uint64_t value = polynomial(window, m->block);
    while ((window = candidate(m, window, last, &value)) != NULL) {
        *found = look_up(m, mixed(value) >> (64 - SUM_BITS), window, patience);
        if (*found != NONE) {
            at = (size_t)(window - data);
            *found = nearest(m, *found, m->position + at);
            return at;
        }
        if (window == last || *patience == 0)
            break;
        value = rolled(value, window, m->block, m->weight);
        window++;
    }
    return end;
}

/* The first window from `window` to `last` whose sum the filter has, and its value; NULL when there is none. Four
   steps a turn: this loop is what a content costs that is strange altogether. */
static const uint8_t *
candidate(const struct matching *m, const uint8_t *window, const uint8_t *last, uint64_t *value)
{
    const uint64_t *filter = m->filter;
    uint64_t here = *value, weight = m->weight;
    size_t block = m->block;
    int narrow = m->narrow;
#define STEP                                                                                                           \
    if (passes(filter, mixed(here), narrow))                                                                           \
        goto found;                                                                                                    \
    here = rolled(here, window, block, weight);                                                                        \
    window++;
    while (last - window >= 4) {
        STEP STEP STEP STEP
    }
    while (window < last) {
        STEP
    }
#undef STEP
    if (!passes(filter, mixed(here), narrow))
        return NULL;
found:
    *value = here;
    return window;
}

static uint32_t
look_up(const struct matching *m, uint64_t sum, const uint8_t *window, uint64_t *patience)
{
    uint64_t strong = 0;
    int known = 0;
    for (uint32_t block = m->heads[sum & m->mask]; block != NONE; block = m->next[block]) {
        const uint8_t *record = m->records + (size_t)block * RECORD;
        if (sum_in(record) != sum)
            continue;
        if (!known)
            strong = strong_of(window, m->block, m->seed);
        known = 1;
        if (strong_in(record) == strong)
            return block;
    }
    if (known)
        *patience -= *patience < m->block ? *patience : m->block;
    return NONE;
}

/* Of equal blocks the one that continues the last copy behind what is new between them: so the next ones do too. */
static uint32_t
nearest(const struct matching *m, uint32_t block, uint64_t newer)
{
    uint64_t older = newer + (uint64_t)m->shift, other = older / m->block;
    if (older % m->block == 0 && other < m->whole &&
        memcmp(m->records + (size_t)other * RECORD, m->records + (size_t)block * RECORD, RECORD) == 0)
        return (uint32_t)other;
    return block;
}
