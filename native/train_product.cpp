// Matrix products of training in bfloat16, summed in float32, a tile of up to 14 rows and 32 columns at a time: its sums stay
// in registers.
#include "train_product.h"
#ifdef ENDASH_VECTOR

#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

namespace endash {
namespace {

constexpr int TILE = 14, PANEL = 32;  // rows and columns whose sums fill 28 of the 32 registers
constexpr int BLOCK = 512;            // rows of a gradient that are packed at a time

#define UNROLL _Pragma("GCC unroll 32")
#define INLINE inline __attribute__((always_inline))
#if defined(__has_attribute) && __has_attribute(noipa)
#define OPAQUE __attribute__((noipa))
#else
#define OPAQUE __attribute__((noinline))
#endif

// Scratch memory of a thread, which grows as it is needed.
template <int WHICH>
bf16* scratch(size_t count) {
  static thread_local std::vector<bf16> memory;
  if (memory.size() < count + 32) memory.resize(count + 32);
  return memory.data() + (64 - reinterpret_cast<uintptr_t>(memory.data()) % 64) % 64 / 2;
}

// The pair of neighbours in column `k` of row `row`, in all lanes. Rows are addressed from three bases, five rows each, in
// assembler: g++ 12 would hold each row's address in a register of its own.
struct Rows {
  const uint8_t* base[3];
  ptrdiff_t stride, stride3;

  Rows(const bf16* x, int inputs) : stride(2 * inputs), stride3(6 * inputs) {
    for (int i = 0; i < 3; i++) base[i] = reinterpret_cast<const uint8_t*>(x) + 5 * i * stride;
  }
  template <int ROW>
  VECTOR INLINE __m512i pair() const {
    __m512i a;
    const uint8_t* p = base[ROW / 5];
    if constexpr (ROW % 5 == 0)
      asm("vpbroadcastd (%1),%0" : "=v"(a) : "r"(p));
    else if constexpr (ROW % 5 == 3)
      asm("vpbroadcastd (%1,%2),%0" : "=v"(a) : "r"(p), "r"(stride3));
    else
      asm("vpbroadcastd (%1,%2,%c3),%0" : "=v"(a) : "r"(p), "r"(stride), "i"(ROW % 5));
    return a;
  }
  INLINE void go_on() {
    for (auto& p : base) p += 4;
  }
};

// The same of a tile packed pair by pair.
struct Packed {
  const uint8_t* at;

  template <int ROW>
  VECTOR INLINE __m512i pair() const {
    __m512i a;
    asm("vpbroadcastd %c2(%1),%0" : "=v"(a) : "r"(at), "i"(4 * ROW));
    return a;
  }
  INLINE void go_on() { at += 4 * TILE; }
};

// sums + the two products of each lane. In assembler, for the intrinsic spills.
VECTOR INLINE void add_products(__m512& sums, __m512i a, __m512i b) {
  asm("vdpbf16ps %2,%1,%0" : "+v"(sums) : "v"(a), "v"(b));
}

template <class Left, int... ROW>
VECTOR INLINE void add_pair(Left& left, __m512i b0, __m512i b1, __m512 (*sums)[2], std::integer_sequence<int, ROW...>) {
  (
      [&]() VECTOR __attribute__((always_inline)) {
        const __m512i a = left.template pair<ROW>();
        add_products(sums[ROW][0], a, b0);
        add_products(sums[ROW][1], a, b1);
      }(),
      ...);
}

template <int ROWS, class Left>
VECTOR INLINE void multiply(Left left, const bf16* panel, int pairs, __m512 (&sums)[ROWS][2]) {
  UNROLL for (int r = 0; r < ROWS; r++) sums[r][0] = sums[r][1] = _mm512_setzero_ps();
  for (int k = 0; k < pairs; k++, panel += 2 * PANEL) {
    const __m512i b0 = _mm512_load_si512(panel), b1 = _mm512_load_si512(panel + PANEL);
    add_pair(left, b0, b1, sums, std::make_integer_sequence<int, ROWS>());
    left.go_on();
  }
}

// Both tiles are opaque to their callers. Their products read memory unseen by the compiler: g++ that looked into a tile, if only
// to learn what it reads, could drop what was written for it.
template <int ROWS>
VECTOR OPAQUE void product_tile(const bf16* x, const bf16* panel, bf16* out, int inputs, ptrdiff_t columns,
                                const Finish& finish) {
  __m512 sums[ROWS][2];
  multiply<ROWS>(Rows(x, inputs), panel, inputs / 2, sums);
  __m512 bias[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
  if (finish.bias) bias[0] = load(finish.bias), bias[1] = load(finish.bias + 16);
  UNROLL for (int r = 0; r < ROWS; r++) {
    __m512 low = _mm512_add_ps(sums[r][0], bias[0]), high = _mm512_add_ps(sums[r][1], bias[1]);
    if (finish.relu)  // of a pair with a NaN the second is taken: what is none must not become 0
      low = _mm512_max_ps(_mm512_setzero_ps(), low), high = _mm512_max_ps(_mm512_setzero_ps(), high);
    __m512i both = (__m512i)_mm512_cvtne2ps_pbh(high, low);
    if (finish.shown) {
      const __m512i shown = _mm512_loadu_si512(finish.shown + r * columns);
      both = _mm512_maskz_mov_epi16(_mm512_cmpgt_epi16_mask(shown, _mm512_setzero_si512()), both);
    }
    _mm512_storeu_si512(out + r * columns, both);
  }
}

template <int ROWS>
VECTOR OPAQUE void gradient_tile(const bf16* grad, const bf16* panel, int pairs, float* to, ptrdiff_t inputs) {
  for (int r = 0; r < ROWS; r++)
    for (int h = 0; h < 2; h++) __builtin_prefetch(to + r * inputs + 16 * h, 1);
  __m512 sums[ROWS][2];
  multiply<ROWS>(Packed{reinterpret_cast<const uint8_t*>(grad)}, panel, pairs, sums);
  UNROLL for (int r = 0; r < ROWS; r++)
    UNROLL for (int h = 0; h < 2; h++) {
      float* at = to + r * inputs + 16 * h;
      _mm512_storeu_ps(at, _mm512_add_ps(sums[r][h], _mm512_loadu_ps(at)));
    }
}

// Calls `run` with a number of rows that is known when it is compiled.
template <int MOST = TILE, class Run>
INLINE void with_rows(int rows, Run run) {
  if (rows == MOST)
    run(std::integral_constant<int, MOST>());
  else if constexpr (MOST > 1)
    with_rows<MOST - 1>(rows, run);
}

// Two rows of 32 numbers, number by number: the pairs of 32 columns.
VECTOR INLINE void interleave(const bf16* first, const bf16* second, bf16* to) {
  alignas(64) static const uint16_t order[64] = {
      0,  32, 1,  33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39, 8,  40, 9,  41, 10, 42,
      11, 43, 12, 44, 13, 45, 14, 46, 15, 47, 16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53,
      22, 54, 23, 55, 24, 56, 25, 57, 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63};
  const __m512i a = _mm512_loadu_si512(first), b = second ? _mm512_loadu_si512(second) : _mm512_setzero_si512();
  _mm512_storeu_si512(to, _mm512_permutex2var_epi16(a, _mm512_load_si512(order), b));
  _mm512_storeu_si512(to + 32, _mm512_permutex2var_epi16(a, _mm512_load_si512(order + 32), b));
}

// Sixteen words of sixteen rows, columns first.
VECTOR INLINE void transpose(const bf16* from, ptrdiff_t stride, bf16* to, ptrdiff_t to_stride) {
  __m512i r[16], t[16];
  UNROLL for (int i = 0; i < 16; i++) r[i] = _mm512_loadu_si512(from + i * stride);
  UNROLL for (int i = 0; i < 8; i++) {
    t[2 * i] = _mm512_unpacklo_epi32(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm512_unpackhi_epi32(r[2 * i], r[2 * i + 1]);
  }
  UNROLL for (int i = 0; i < 4; i++) {
    r[4 * i] = _mm512_unpacklo_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 1] = _mm512_unpackhi_epi64(t[4 * i], t[4 * i + 2]);
    r[4 * i + 2] = _mm512_unpacklo_epi64(t[4 * i + 1], t[4 * i + 3]);
    r[4 * i + 3] = _mm512_unpackhi_epi64(t[4 * i + 1], t[4 * i + 3]);
  }
  UNROLL for (int i = 0; i < 4; i++) {
    t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
    t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
    t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
    t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
  }
  UNROLL for (int i = 0; i < 4; i++) {
    _mm512_storeu_si512(to + i * to_stride, _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88));
    _mm512_storeu_si512(to + (i + 8) * to_stride, _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd));
    _mm512_storeu_si512(to + (i + 4) * to_stride, _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88));
    _mm512_storeu_si512(to + (i + 12) * to_stride, _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd));
  }
}

// 32 columns of a product's matrix, pair of inputs by pair.
VECTOR void pack_panel(const bf16* matrix, bool transposed, int column, int inputs, int columns, bf16* to) {
  if (!transposed) {
    for (int k = 0; k < inputs; k += 2) {
      const bf16* from = matrix + k * static_cast<ptrdiff_t>(columns) + column;
      interleave(from, from + columns, to + k * PANEL);
    }
    return;
  }
  const bf16* from = matrix + column * static_cast<ptrdiff_t>(inputs);
  for (int k = 0; k < inputs; k += 32)
    for (int half = 0; half < 2; half++)
      transpose(from + half * 16 * static_cast<ptrdiff_t>(inputs) + k, inputs, to + k * PANEL + half * 32, 2 * PANEL);
}

// Some tiles of a gradient's outputs, as even as can be: where each begins, and which lanes of a vector it fills.
struct Tiles {
  static constexpr int MOST = 16;
  int count = 0, starts[MOST + 1];
  __mmask16 lanes[MOST];

  Tiles(int outputs, int first) {
    const int all = (outputs + TILE - 1) / TILE;
    count = std::min(MOST, all - first);
    for (int i = 0; i <= count; i++) starts[i] = static_cast<int>(static_cast<int64_t>(outputs) * (first + i) / all);
    for (int i = 0; i < count; i++) lanes[i] = static_cast<__mmask16>((1u << rows(i)) - 1);
  }
  int rows(int i) const { return starts[i + 1] - starts[i]; }
};

// Rows of a gradient, two by two, tile by tile; their sum is added to `totals` on the way.
VECTOR void pack_tiles(const bf16* grad, int rows, int outputs, const Tiles& tiles, bf16* to, float* totals) {
  const int pairs = (rows + 1) / 2;
  __m512 sums[Tiles::MOST];
  for (__m512& sum : sums) sum = _mm512_setzero_ps();
  for (int k = 0; k < pairs; k++) {
    const bf16* from = grad + 2 * k * static_cast<ptrdiff_t>(outputs);
    const bool odd = 2 * k + 1 == rows;
    for (int i = 0; i < tiles.count; i++) {
      const bf16* at = from + tiles.starts[i];
      const __m512i one = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(tiles.lanes[i], at));
      const __mmask16 there = odd ? 0 : tiles.lanes[i];
      const __m512i two = _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(there, at + outputs)), 16);
      bf16* pair = to + (static_cast<ptrdiff_t>(i) * pairs + k) * TILE * 2;
      _mm512_mask_storeu_epi32(pair, tiles.lanes[i], _mm512_or_si512(one, two));
      sums[i] = _mm512_add_ps(sums[i], _mm512_castsi512_ps(_mm512_slli_epi32(one, 16)));
      sums[i] = _mm512_add_ps(sums[i], _mm512_castsi512_ps(two));
    }
  }
  for (int i = 0; i < tiles.count; i++) {
    float* at = totals + tiles.starts[i];
    _mm512_mask_storeu_ps(at, tiles.lanes[i], _mm512_add_ps(sums[i], _mm512_maskz_loadu_ps(tiles.lanes[i], at)));
  }
}

}  // namespace

VECTOR void product(const bf16* x, const bf16* matrix, bool transposed, bf16* out, ptrdiff_t rows, int inputs, int columns,
                    const Finish& finish) {
  bf16* panel = scratch<0>(static_cast<size_t>(inputs) * PANEL);
  for (int column = 0; column < columns; column += PANEL) {
    pack_panel(matrix, transposed, column, inputs, columns, panel);
    const ptrdiff_t tiles = (rows + TILE - 1) / TILE;  // as even as can be
    for (ptrdiff_t i = 0; i < tiles; i++) {
      const ptrdiff_t row = rows * i / tiles, at = row * columns + column;
      const Finish own{finish.bias ? finish.bias + column : nullptr, finish.relu, finish.shown ? finish.shown + at : nullptr};
      with_rows(static_cast<int>(rows * (i + 1) / tiles - row), [&](auto count) {
        product_tile<count>(x + row * inputs, panel, out + at, inputs, columns, own);
      });
    }
  }
}

VECTOR void add_gradient(const bf16* grad, const bf16* x, float* sums, float* totals, ptrdiff_t rows, int outputs,
                         int inputs) {
  for (ptrdiff_t first = 0; first < rows; first += BLOCK) {
    const int block = static_cast<int>(std::min<ptrdiff_t>(BLOCK, rows - first)), pairs = (block + 1) / 2;
    const ptrdiff_t panel = 2 * static_cast<ptrdiff_t>(pairs) * PANEL, tile = 2 * static_cast<ptrdiff_t>(pairs) * TILE;
    bf16* panels = scratch<0>(panel * (inputs / PANEL));
    bf16* packed = scratch<1>(tile * Tiles::MOST);
    for (int k = 0; k < pairs; k++) {
      const bf16 *one = x + (first + 2 * k) * inputs, *two = 2 * k + 1 < block ? one + inputs : nullptr;
      for (int i = 0; i < inputs / PANEL; i++)
        interleave(one + i * PANEL, two ? two + i * PANEL : nullptr, panels + i * panel + 2 * k * PANEL);
    }
    for (int begin = 0; begin * TILE < outputs; begin += Tiles::MOST) {
      const Tiles tiles(outputs, begin);
      pack_tiles(grad + first * outputs, block, outputs, tiles, packed, totals);
      for (int column = 0; column < inputs; column += PANEL)
        for (int i = 0; i < tiles.count; i++)
          with_rows(tiles.rows(i), [&](auto count) {
            gradient_tile<count>(packed + i * tile, panels + column / PANEL * panel, pairs,
                                 sums + static_cast<ptrdiff_t>(tiles.starts[i]) * inputs + column, inputs);
          });
    }
  }
}

}  // namespace endash
#endif
