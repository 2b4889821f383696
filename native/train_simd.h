// What the fused parts of training share: sixteen numbers at a time on processors with AVX-512 BF16.
// Every function that uses these carries VECTOR, so that the file itself is compiled for any x86-64.
#pragma once
#if defined(__x86_64__) && defined(__GNUC__)
#define ENDASH_VECTOR 1
#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#define VECTOR __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))

namespace endash {

using bf16 = uint16_t;

VECTOR static inline __m512 load(const bf16* from) {
  return _mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))), 16));
}

VECTOR static inline void store(bf16* to, __m512 values) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)_mm512_cvtneps_pbh(values));
}

static inline float widen(bf16 value) {
  union {
    uint32_t bits;
    float number;
  } both{static_cast<uint32_t>(value) << 16};
  return both.number;
}

// e^x as 2^n · 2^f with |f| <= 1/2, the latter by its Taylor polynomial of degree 6: within 2e-7 of it, 0 below -87.
VECTOR static inline __m512 exponential(__m512 x) {
  __m512 scaled = _mm512_mul_ps(_mm512_max_ps(x, _mm512_set1_ps(-126.f)), _mm512_set1_ps(1.44269504f));
  __m512 whole = _mm512_roundscale_ps(scaled, 8);
  __m512 part = _mm512_sub_ps(scaled, whole);
  const float coefficients[] = {1.3333558e-3f, 9.6181291e-3f, 5.5504109e-2f, 2.4022651e-1f, 6.9314718e-1f, 1.f};
  __m512 sum = _mm512_set1_ps(1.5403530e-4f);
#pragma GCC unroll 6
  for (int i = 0; i < 6; i++) sum = _mm512_fmadd_ps(sum, part, _mm512_set1_ps(coefficients[i]));
  return _mm512_scalef_ps(sum, whole);
}

// 64 random bytes at a time: xorshift128+ (Vigna 2017) in eight lanes, each begun by splitmix64 of the seed.
struct Random {
  __m512i first, second;

  VECTOR explicit Random(uint64_t seed) {
    uint64_t lanes[16];
    for (uint64_t& lane : lanes) {
      uint64_t x = seed += 0x9e3779b97f4a7c15ull;
      x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
      x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
      lane = x ^ (x >> 31);
    }
    first = _mm512_loadu_si512(lanes);
    second = _mm512_loadu_si512(lanes + 8);
  }

  // A bit for each of 64 numbers: set with probability 1 - dropped / 256.
  VECTOR uint64_t keep(int dropped) {
    __m512i x = first, y = second;
    x = _mm512_xor_si512(x, _mm512_slli_epi64(x, 23));
    first = y;
    second = _mm512_xor_si512(_mm512_xor_si512(x, y),
                              _mm512_xor_si512(_mm512_srli_epi64(x, 17), _mm512_srli_epi64(y, 26)));
    return _mm512_cmpge_epu8_mask(_mm512_add_epi64(second, y), _mm512_set1_epi8(static_cast<char>(dropped)));
  }
};

}  // namespace endash
#endif
