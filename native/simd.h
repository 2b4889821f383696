// Sixteen floats and sixteen 32-bit sums at a time, in the instruction set that a file is compiled for:
// AVX-512 with VNNI, AVX2, or plain C++, which defines what the other two have to give.
//
// All loops of the kernels run over whole vectors: widths are padded with zeros to multiples of LANES.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels.h"

#if defined(__AVX512VNNI__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#define INLINE inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32")

namespace endash {

namespace {  // each file that includes this has its own

#if defined(__AVX512VNNI__)

#define ENDASH_SET avx512
constexpr const char* SET_NAME = "AVX-512 VNNI";
constexpr int TILE = 14;     // rows of a tile: 28 of 32 registers hold its sums
constexpr int LEVELS = 255;  // of a quantised activation

struct F { __m512 v; };
struct I { __m512i v; };

INLINE F zero() { return {_mm512_setzero_ps()}; }
INLINE F all(float x) { return {_mm512_set1_ps(x)}; }
INLINE F load(const float* p) { return {_mm512_loadu_ps(p)}; }
INLINE void store(float* p, F a) { _mm512_storeu_ps(p, a.v); }
INLINE F operator+(F a, F b) { return {_mm512_add_ps(a.v, b.v)}; }
INLINE F operator-(F a, F b) { return {_mm512_sub_ps(a.v, b.v)}; }
INLINE F operator*(F a, F b) { return {_mm512_mul_ps(a.v, b.v)}; }
INLINE F operator/(F a, F b) { return {_mm512_div_ps(a.v, b.v)}; }
INLINE F fma(F a, F b, F c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
INLINE F max(F a, F b) { return {_mm512_max_ps(a.v, b.v)}; }
INLINE F min(F a, F b) { return {_mm512_min_ps(a.v, b.v)}; }
INLINE float sum(F a) { return _mm512_reduce_add_ps(a.v); }
INLINE float highest(F a) { return _mm512_reduce_max_ps(a.v); }
INLINE float lowest(F a) { return _mm512_reduce_min_ps(a.v); }
INLINE unsigned above(F a, F b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ); }
INLINE F first(F a, int n, F other) { return {_mm512_mask_blend_ps((__mmask16)((1u << n) - 1), other.v, a.v)}; }
INLINE F load(const Half* p) { return {_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)p))}; }
INLINE void store(Half* p, F a) { _mm256_storeu_si256((__m256i*)p, _mm512_cvtps_ph(a.v, 0)); }
INLINE F scale2(F x, F n) { return {_mm512_scalef_ps(x.v, n.v)}; }  // x * 2 ** n
INLINE F nearest(F a) { return {_mm512_roundscale_ps(a.v, 0)}; }
INLINE void store_bytes(uint8_t* p, F a) {
    _mm_storeu_si128((__m128i*)p, _mm512_cvtusepi32_epi8(_mm512_cvtps_epu32(a.v)));
}
INLINE I no_sum() { return {_mm512_setzero_si512()}; }
INLINE F floats(I a) { return {_mm512_cvtepi32_ps(a.v)}; }
INLINE I words(const void* p) { return {_mm512_load_si512(p)}; }
INLINE F as_floats(I a) { return {_mm512_castsi512_ps(a.v)}; }
// a pair of bfloat16 in each word: the even one and the odd one as floats
INLINE F even(I a) { return {_mm512_castsi512_ps(_mm512_slli_epi32(a.v, 16))}; }
INLINE F odd(I a) { return {_mm512_castsi512_ps(_mm512_and_si512(a.v, _mm512_set1_epi32((int)0xffff0000)))}; }

// The word at p + stride * FACTOR in all lanes. In assembler, for g++ 12 would hold each row's address in a register of its own.
template <int FACTOR>
INLINE I spread(const uint8_t* p, ptrdiff_t stride, ptrdiff_t stride3) {
    I a;
    if constexpr (FACTOR == 0)
        asm("vpbroadcastd (%1),%0" : "=v"(a.v) : "r"(p));
    else if constexpr (FACTOR == 3)
        asm("vpbroadcastd (%1,%2),%0" : "=v"(a.v) : "r"(p), "r"(stride3));
    else
        asm("vpbroadcastd (%1,%2,%c3),%0" : "=v"(a.v) : "r"(p), "r"(stride), "i"(FACTOR));
    return a;
}
// sums + the four products of unsigned bytes a and signed bytes b in each word. In assembler, for the intrinsic spills (30 of 84 MAC a cycle).
INLINE void add_products(I& sums, I a, I b) { asm("vpdpbusd %2,%1,%0" : "+v"(sums.v) : "v"(a.v), "v"(b.v)); }

#elif defined(__AVX2__)

#define ENDASH_SET avx2
constexpr const char* SET_NAME = "AVX2";
constexpr int TILE = 3;
constexpr int LEVELS = 127;  // so that two products of bytes fit a signed 16-bit sum

struct F { __m256 a, b; };
struct I { __m256i a, b; };

INLINE F zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
INLINE F all(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
INLINE F load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
INLINE void store(float* p, F x) { _mm256_storeu_ps(p, x.a); _mm256_storeu_ps(p + 8, x.b); }
INLINE F operator+(F x, F y) { return {_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)}; }
INLINE F operator-(F x, F y) { return {_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)}; }
INLINE F operator*(F x, F y) { return {_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)}; }
INLINE F operator/(F x, F y) { return {_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)}; }
INLINE F fma(F x, F y, F z) { return {_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)}; }
INLINE F max(F x, F y) { return {_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)}; }
INLINE F min(F x, F y) { return {_mm256_min_ps(x.a, y.a), _mm256_min_ps(x.b, y.b)}; }
template <class Join>
INLINE float across(__m256 v, Join join) {
    __m128 x = join(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    x = join(x, _mm_movehl_ps(x, x));
    return _mm_cvtss_f32(join(x, _mm_shuffle_ps(x, x, 1)));
}
INLINE float sum(F x) { return across(_mm256_add_ps(x.a, x.b), [](__m128 p, __m128 q) { return _mm_add_ps(p, q); }); }
INLINE float highest(F x) { return across(_mm256_max_ps(x.a, x.b), [](__m128 p, __m128 q) { return _mm_max_ps(p, q); }); }
INLINE float lowest(F x) { return across(_mm256_min_ps(x.a, x.b), [](__m128 p, __m128 q) { return _mm_min_ps(p, q); }); }
INLINE unsigned above(F x, F y) {
    return (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(x.a, y.a, _CMP_GT_OQ)) |
           (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(x.b, y.b, _CMP_GT_OQ)) << 8;
}
INLINE __m256 first8(__m256 x, int n, __m256 other) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_blendv_ps(other, x, _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(n), lane)));
}
INLINE F first(F x, int n, F other) { return {first8(x.a, n, other.a), first8(x.b, n - 8, other.b)}; }
INLINE F load(const Half* p) {
    return {_mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p)), _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)(p + 8)))};
}
INLINE void store(Half* p, F x) {
    _mm_storeu_si128((__m128i*)p, _mm256_cvtps_ph(x.a, 0));
    _mm_storeu_si128((__m128i*)(p + 8), _mm256_cvtps_ph(x.b, 0));
}
INLINE __m256 scale2(__m256 x, __m256 n) {
    n = _mm256_max_ps(_mm256_min_ps(n, _mm256_set1_ps(127)), _mm256_set1_ps(-126));
    return _mm256_mul_ps(x, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtps_epi32(_mm256_add_ps(n, _mm256_set1_ps(127))), 23)));
}
INLINE F scale2(F x, F n) { return {scale2(x.a, n.a), scale2(x.b, n.b)}; }
INLINE F nearest(F x) { return {_mm256_round_ps(x.a, 0), _mm256_round_ps(x.b, 0)}; }
INLINE void store_bytes(uint8_t* p, F x) {
    const __m256i pairs = _mm256_packs_epi32(_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b));  // a b a b, by fours
    const __m256i bytes = _mm256_packus_epi16(pairs, pairs);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 0, 4, 1, 5);
    _mm_storeu_si128((__m128i*)p, _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(bytes, order)));
}
INLINE I no_sum() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
INLINE F floats(I x) { return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
INLINE I words(const void* p) { return {_mm256_load_si256((const __m256i*)p), _mm256_load_si256((const __m256i*)p + 1)}; }
INLINE F as_floats(I x) { return {_mm256_castsi256_ps(x.a), _mm256_castsi256_ps(x.b)}; }
INLINE F even(I x) { return as_floats({_mm256_slli_epi32(x.a, 16), _mm256_slli_epi32(x.b, 16)}); }
INLINE F odd(I x) {
    const __m256i mask = _mm256_set1_epi32((int)0xffff0000);
    return as_floats({_mm256_and_si256(x.a, mask), _mm256_and_si256(x.b, mask)});
}
template <int FACTOR>
INLINE I spread(const uint8_t* p, ptrdiff_t stride, ptrdiff_t) {
    int word;
    std::memcpy(&word, p + stride * FACTOR, 4);
    return {_mm256_set1_epi32(word), _mm256_set1_epi32(word)};
}
INLINE __m256i add_products(__m256i sums, __m256i a, __m256i b) {
    return _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1)));
}
INLINE void add_products(I& sums, I a, I b) { sums = {add_products(sums.a, a.a, b.a), add_products(sums.b, a.b, b.b)}; }

#else

#define ENDASH_SET plain
constexpr const char* SET_NAME = "plain C++";
constexpr int TILE = 2;
constexpr int LEVELS = 255;

struct F { float v[LANES]; };
struct I { int32_t v[LANES]; };

template <class Of>
INLINE F each(Of of) {
    F r;
    for (int i = 0; i < LANES; i++) r.v[i] = of(i);
    return r;
}
INLINE F all(float x) { return each([&](int) { return x; }); }
INLINE F zero() { return all(0); }
INLINE F load(const float* p) { return each([&](int i) { return p[i]; }); }
INLINE void store(float* p, F a) { std::memcpy(p, a.v, sizeof a.v); }
INLINE F operator+(F a, F b) { return each([&](int i) { return a.v[i] + b.v[i]; }); }
INLINE F operator-(F a, F b) { return each([&](int i) { return a.v[i] - b.v[i]; }); }
INLINE F operator*(F a, F b) { return each([&](int i) { return a.v[i] * b.v[i]; }); }
INLINE F operator/(F a, F b) { return each([&](int i) { return a.v[i] / b.v[i]; }); }
INLINE F fma(F a, F b, F c) { return each([&](int i) { return a.v[i] * b.v[i] + c.v[i]; }); }
INLINE F max(F a, F b) { return each([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; }); }
INLINE F min(F a, F b) { return each([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; }); }
INLINE float sum(F a) {
    float s = 0;
    for (float x : a.v) s += x;
    return s;
}
INLINE float highest(F a) {
    float s = a.v[0];
    for (float x : a.v) s = s > x ? s : x;
    return s;
}
INLINE float lowest(F a) {
    float s = a.v[0];
    for (float x : a.v) s = s < x ? s : x;
    return s;
}
INLINE unsigned above(F a, F b) {
    unsigned bits = 0;
    for (int i = 0; i < LANES; i++) bits |= (unsigned)(a.v[i] > b.v[i]) << i;
    return bits;
}
INLINE F first(F a, int n, F other) { return each([&](int i) { return i < n ? a.v[i] : other.v[i]; }); }
INLINE float from_half(Half h) {
    const int exponent = h >> 10 & 31, fraction = h & 1023;
    const float size = exponent == 0    ? std::ldexp((float)fraction, -24)
                       : exponent == 31 ? (fraction ? NAN : INFINITY)
                                        : std::ldexp((float)(fraction | 1024), exponent - 25);
    return h & 0x8000 ? -size : size;
}
INLINE Half to_half(float x) {
    const Half sign = std::signbit(x) ? 0x8000 : 0;
    if (std::isnan(x)) return sign | 0x7e00;
    const float size = std::fabs(x);
    if (size >= 65520) return sign | 0x7c00;
    if (size < std::ldexp(1.f, -14)) return sign | (Half)std::nearbyint(std::ldexp(size, 24));
    int exponent;
    const float fraction = std::frexp(size, &exponent);  // in [1/2, 1)
    return sign | (Half)(((exponent + 13) << 10) + (int)std::nearbyint(std::ldexp(fraction, 11)));
}
INLINE F load(const Half* p) { return each([&](int i) { return from_half(p[i]); }); }
INLINE void store(Half* p, F a) {
    for (int i = 0; i < LANES; i++) p[i] = to_half(a.v[i]);
}
INLINE F scale2(F x, F n) {
    return each([&](int i) { return n.v[i] < -149 ? 0 : n.v[i] > 1000 ? x.v[i] * INFINITY : std::ldexp(x.v[i], n.v[i] == n.v[i] ? (int)n.v[i] : 0); });
}
INLINE F nearest(F a) { return each([&](int i) { return std::nearbyint(a.v[i]); }); }
INLINE void store_bytes(uint8_t* p, F a) {
    for (int i = 0; i < LANES; i++) p[i] = a.v[i] >= 0 ? (uint8_t)std::nearbyint(a.v[i]) : 0;
}
INLINE I no_sum() { return {}; }
INLINE F floats(I a) { return each([&](int i) { return (float)a.v[i]; }); }
INLINE I words(const void* p) {
    I r;
    std::memcpy(r.v, p, sizeof r.v);
    return r;
}
INLINE F as_floats(I a) {
    F r;
    std::memcpy(r.v, a.v, sizeof r.v);
    return r;
}
INLINE F even(I a) {
    for (int32_t& x : a.v) x = (int32_t)((uint32_t)x << 16);
    return as_floats(a);
}
INLINE F odd(I a) {
    for (int32_t& x : a.v) x &= (int32_t)0xffff0000;
    return as_floats(a);
}
template <int FACTOR>
INLINE I spread(const uint8_t* p, ptrdiff_t stride, ptrdiff_t) {
    int32_t word;
    std::memcpy(&word, p + stride * FACTOR, 4);
    I r;
    for (int32_t& x : r.v) x = word;
    return r;
}
INLINE void add_products(I& sums, I a, I b) {
    for (int i = 0; i < LANES; i++)
        for (int byte = 0; byte < 4; byte++)
            sums.v[i] += (int32_t)(uint8_t)(a.v[i] >> 8 * byte) * (int32_t)(int8_t)(b.v[i] >> 8 * byte);
}

#endif

// 2 ** x, to 3e-7 of it: a polynomial for the fraction in [-1/2, 1/2] (Taylor, degree 6), and the exponent by itself.
INLINE F exp2(F x) {
    const F whole = nearest(x), f = x - whole;
    F p = all(1.5403530e-4f);
    p = fma(p, f, all(1.3333558e-3f));
    p = fma(p, f, all(9.6181291e-3f));
    p = fma(p, f, all(5.5504109e-2f));
    p = fma(p, f, all(2.4022651e-1f));
    p = fma(p, f, all(6.9314718e-1f));
    return scale2(fma(p, f, all(1)), whole);
}

constexpr float LOG2E = 1.44269504f;

INLINE F sigmoid(F x) { return all(1) / (all(1) + exp2(x * all(-LOG2E))); }

// x Φ(x); erf to 1.5e-7 (Abramowitz & Stegun 1964, 7.1.26), whose tail is used where it does not cancel
INLINE F gelu(F x) {
    const F size = max(x, zero() - x), z = size * all(0.70710678f), t = all(1) / fma(all(0.3275911f), z, all(1));
    F p = fma(all(1.061405429f), t, all(-1.453152027f));
    p = fma(p, t, all(1.421413741f));
    p = fma(p, t, all(-0.284496736f));
    p = fma(p, t, all(0.254829592f));
    const F tail = p * t * exp2(z * z * all(-LOG2E)) * size * all(0.5f);  // |x| (1 - Φ(|x|))
    return max(x, zero()) - tail;
}

}  // namespace
}  // namespace endash
