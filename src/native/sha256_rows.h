/* The 64 rounds of FIPS 180-4 on words of as many lanes as a vector holds. For a file that has said what they are made of:
   TARGET, WORDS (a vector), PLUS, XOR, CHOOSE, MOST, TURN, SHIFT, SPREAD, and `load_words` (a block of each lane becomes
   sixteen vectors: word i of all, in the order of this machine). */

TARGET static inline void
compress_rows(WORDS *state, const uint8_t *const *at, size_t offset)
{
    WORDS w[16], a = state[0], b = state[1], c = state[2], d = state[3];
    WORDS e = state[4], f = state[5], g = state[6], h = state[7];
    load_words(w, at, offset);
#pragma GCC unroll 64
    for (int i = 0; i < 64; i++) {
        WORDS x = w[i & 15], y = w[(i + 1) & 15], z = w[(i + 14) & 15];
        WORDS one = PLUS(PLUS(h, PLUS(x, SPREAD((int)sha256_rounds[i]))),
                         PLUS(XOR(TURN(e, 6), TURN(e, 11), TURN(e, 25)), CHOOSE(e, f, g)));
        WORDS two = PLUS(XOR(TURN(a, 2), TURN(a, 13), TURN(a, 22)), MOST(a, b, c));
        if (i < 48)
            w[i & 15] = PLUS(PLUS(x, w[(i + 9) & 15]), PLUS(XOR(TURN(y, 7), TURN(y, 18), SHIFT(y, 3)),
                                                            XOR(TURN(z, 17), TURN(z, 19), SHIFT(z, 10))));
        h = g, g = f, f = e, e = PLUS(d, one);
        d = c, c = b, b = a, a = PLUS(one, two);
    }
    const WORDS after[8] = {a, b, c, d, e, f, g, h};
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++)
        state[i] = PLUS(state[i], after[i]);
}
