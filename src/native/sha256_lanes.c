/* Many strands on few lanes: the longest first, and a lane whose strand ends takes the next. So the lanes are busy to the
   end, and what is left then is short. */
#include "native.h"

#include "sha256_lanes.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define END (2 * SHA256_BLOCK) /* bytes of a strand's end with its padding and length, at most */
#define LENGTH_AT 56           /* of the last block: the length in bits */
#define FEW 3                  /* lanes of a vector cost as much as OpenSSL without SHA-NI */

const uint32_t sha256_rounds[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/* A kind of lanes; it is left for the next kind when fewer than `least` are busy and no strand waits. */
struct kind {
    compress_blocks *compress;
    size_t lanes, least;
};

/* What this processor hashes by, widest first; the first without `compress` ends it. */
struct plan {
    struct kind kinds[3];
};

/* The first `busy` lanes have work; the first `next` strands were begun. */
struct work {
    lane_words state[8];
    const uint8_t *at[MOST_LANES];
    size_t left[MOST_LANES]; /* blocks, of the strand or of its end */
    const struct strand *strand[MOST_LANES];
    int ending[MOST_LANES];
    uint8_t end[MOST_LANES][END];
    struct strand *strands;
    size_t next, count, busy;
};

static int make_plan(struct plan *plan, enum lanes lanes);
static int by_size(const void *one, const void *other);
static size_t too_long(const struct strand *strands, size_t count, const struct plan *plan);
static int hash_one_by_one(const struct strand *strands, size_t count);
static void hash_by(struct work *work, const struct kind *kind);

enum failure
hash_strands(struct strand *strands, size_t count, enum lanes lanes)
{
    struct plan plan = {0};
    if (make_plan(&plan, lanes))
        return NO_LANES;
    qsort(strands, count, sizeof *strands, by_size);
    const size_t alone = too_long(strands, count, &plan);
    if (alone && hash_one_by_one(strands, alone))
        return NO_OPENSSL;
    struct work work;
    work.strands = strands, work.next = alone, work.count = count, work.busy = 0;
    for (const struct kind *kind = plan.kinds; kind->compress != NULL; kind++)
        hash_by(&work, kind);
    return NO_FAILURE;
}

#if defined(__x86_64__)

#define HALF_BUSY 10 /* lanes of AVX-512: fewer are faster by fours with SHA-NI */

static int
has_shani(void)
{
    static int found = -1; /* cpuid is slow in a virtual machine; threads that come at once find the same */
    unsigned a, b, c, d;
    if (found < 0)
        found = __builtin_cpu_supports("sse4.1") && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
    return found;
}

/* 0, or not when this processor lacks the lanes that were asked for. */
static int
make_plan(struct plan *plan, enum lanes lanes)
{
    const int avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
    const int avx2 = __builtin_cpu_supports("avx2"), shani = has_shani();
    struct kind *kind = plan->kinds;
    if (avx512 && (lanes == BEST || lanes == AVX512_LANES))
        *kind++ = (struct kind){compress_avx512, AVX512_LANES, lanes == BEST && shani ? HALF_BUSY : 1};
    if (shani && (lanes == BEST || lanes == SHANI_LANES))
        *kind++ = (struct kind){compress_shani, SHANI_LANES, 1};
    if (avx2 && (lanes == AVX2_LANES || (lanes == BEST && !avx512 && !shani)))
        *kind++ = (struct kind){compress_avx2, AVX2_LANES, 1};
    return kind == plan->kinds && lanes != BEST && lanes != ONE_LANE;
}

/* How many strands, the longest, are faster one by one: for all lanes would wait for them. */
static size_t
too_long(const struct strand *strands, size_t count, const struct plan *plan)
{
    if (plan->kinds[0].compress == NULL)
        return count;
    for (const struct kind *kind = plan->kinds; kind->compress != NULL; kind++)
        if (kind->compress == compress_shani)
            return 0;
    size_t sum = 0, number = 0;
    for (size_t i = 0; i < count; i++)
        sum += strands[i].size + SHA256_BLOCK;
    while (number < count && FEW * (strands[number].size + SHA256_BLOCK) > sum)
        sum -= strands[number++].size + SHA256_BLOCK;
    return number;
}

#else

static int
make_plan(struct plan *plan, enum lanes lanes)
{
    (void)plan;
    return lanes != BEST && lanes != ONE_LANE;
}

static size_t
too_long(const struct strand *strands, size_t count, const struct plan *plan)
{
    (void)strands, (void)plan;
    return count;
}

#endif

/* The longest first. */
static int
by_size(const void *one, const void *other)
{
    const size_t a = ((const struct strand *)one)->size, b = ((const struct strand *)other)->size;
    return (a < b) - (a > b);
}

/* 0, or not when OpenSSL has no SHA-256. */
static int
hash_one_by_one(const struct strand *strands, size_t count)
{
    EVP_MD *kind = EVP_MD_fetch(NULL, "SHA256", NULL);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int failed = kind == NULL || context == NULL;
    for (size_t i = 0; i < count && !failed; i++)
        failed = !EVP_DigestInit_ex(context, kind, NULL) ||
                 !EVP_DigestUpdate(context, strands[i].data, strands[i].size) ||
                 !EVP_DigestFinal_ex(context, strands[i].hash, NULL);
    EVP_MD_CTX_free(context);
    EVP_MD_free(kind);
    return failed;
}

/* What is behind the last whole block of the strand. */
static void
begin_end(struct work *work, size_t lane)
{
    const struct strand *strand = work->strand[lane];
    const size_t rest = strand->size % SHA256_BLOCK, blocks = rest < LENGTH_AT ? 1 : 2;
    const uint64_t bits = __builtin_bswap64((uint64_t)strand->size * 8);
    uint8_t *end = work->end[lane];
    memset(end, 0, END);
    if (rest)
        memcpy(end, strand->data + strand->size - rest, rest);
    end[rest] = 0x80;
    memcpy(end + blocks * SHA256_BLOCK - sizeof bits, &bits, sizeof bits);
    work->ending[lane] = 1;
    work->at[lane] = end;
    work->left[lane] = blocks;
}

static void
begin_strand(struct work *work, size_t lane)
{
    const struct strand *strand = &work->strands[work->next++];
    for (int i = 0; i < 8; i++)
        work->state[i][lane] = start[i];
    work->strand[lane] = strand;
    work->ending[lane] = 0;
    work->at[lane] = strand->data;
    work->left[lane] = strand->size / SHA256_BLOCK;
    if (!work->left[lane])
        begin_end(work, lane);
}

/* The last busy lane goes to a free one, so that the first ones are busy. */
static void
move_last(struct work *work, size_t lane)
{
    const size_t last = --work->busy;
    if (lane == last)
        return;
    for (int i = 0; i < 8; i++)
        work->state[i][lane] = work->state[i][last];
    work->strand[lane] = work->strand[last];
    work->ending[lane] = work->ending[last];
    work->left[lane] = work->left[last];
    work->at[lane] = work->at[last];
    if (work->ending[lane]) {
        memcpy(work->end[lane], work->end[last], END);
        work->at[lane] = work->end[lane] + (work->at[last] - work->end[last]);
    }
}

static void
end_strand(struct work *work, size_t lane)
{
    uint8_t *hash = work->strand[lane]->hash;
    for (int i = 0; i < 8; i++, hash += sizeof(uint32_t)) {
        const uint32_t word = __builtin_bswap32(work->state[i][lane]);
        memcpy(hash, &word, sizeof word);
    }
    if (work->next < work->count)
        begin_strand(work, lane);
    else
        move_last(work, lane);
}

static void
hash_by(struct work *work, const struct kind *kind)
{
    for (;;) {
        while (work->busy < kind->lanes && work->next < work->count)
            begin_strand(work, work->busy++);
        if (work->busy < kind->least)
            return;
        const size_t busy = work->busy < kind->lanes ? work->busy : kind->lanes;
        size_t blocks = work->left[0];
        for (size_t lane = 1; lane < busy; lane++)
            if (work->left[lane] < blocks)
                blocks = work->left[lane];
        for (size_t lane = busy; lane < kind->lanes; lane++)
            work->at[lane] = work->at[0]; /* what has no work does the first once more */
        kind->compress(work->state, work->at, blocks, busy);
        for (size_t lane = busy; lane-- > 0;) {
            work->at[lane] += blocks * SHA256_BLOCK;
            if (work->left[lane] -= blocks)
                continue;
            if (work->ending[lane])
                end_strand(work, lane);
            else
                begin_end(work, lane);
        }
    }
}
