// Products with a matrix: panels, the register tile, and the sums of outer products.
// Included by kernels.cpp only, inside an unnamed namespace.

template <class F> constexpr Index kPanel = kVectors * kLanes<F>;

template <class F> inline Index round_up(Index n) {
  return (n + kLanes<F> - 1) / kLanes<F> * kLanes<F>;
}

// packed: for each panel of b's columns, (k, width): width = panel, or the rest rounded up.
template <class F>
void pack(F* packed, const F* b, Index k_stride, Index n_stride, Index k, Index n, Index from,
          Index to) {
  constexpr Index L = kLanes<F>;
  for (Index j = from; j < to; j += kPanel<F>) {
    const Index count = n - j < kPanel<F> ? n - j : kPanel<F>, width = round_up<F>(count);
    F* out = packed + j * k;
    if (n_stride == 1) {
      for (Index i = 0; i < k; ++i)
        for (Index c = 0; c < width; ++c)
          out[i * width + c] = c < count ? b[i * k_stride + j + c] : F(0);
      continue;
    }
    for (Index i = 0; i < k; i += L)  // a square at a time, turned in registers
      for (Index c = 0; c < width; c += L) {
        V<F> square[L] = {};
        const Index rows = k - i < L ? k - i : L, columns = count - c < L ? count - c : L;
        for (Index each = 0; each < columns; ++each) {
          const F* from_column = b + i * k_stride + (j + c + each) * n_stride;
          if (k_stride == 1) {
            square[each] = rows == L ? load(from_column) : load_first(from_column, rows);
          } else {
            for (Index r = 0; r < rows; ++r) square[each][r] = from_column[r * k_stride];
          }
        }
        transpose<F>(square);
        for (Index r = 0; r < rows; ++r) store(out + (i + r) * width + c, square[r]);
      }
  }
}

// d (MR rows, count columns) = init + Σ_k a[i, k] · b[k, :], the sum in the order of k.
// a's row i, column k lies at a + i·as + k·ak; b is a panel of `width` = NV vectors a row.
template <class F, int MR, int NV, bool Partial>
inline void tile(F* d, Index ds, const F* init, Index is, const F* a, Index as, Index ak,
                 const F* b, Index k, Index count) {
  constexpr Index L = kLanes<F>;
  const Index rest = count - (NV - 1) * L;
  V<F> sums[MR][NV];
#pragma GCC unroll 6
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      if (init == nullptr)
        sums[i][v] = V<F>{};
      else if (Partial && v == NV - 1)
        sums[i][v] = load_first(init + i * is + v * L, rest);
      else
        sums[i][v] = load(init + i * is + v * L);
    }
  for (Index kk = 0; kk < k; ++kk) {
    V<F> row[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) row[v] = load(b + kk * NV * L + v * L);
#pragma GCC unroll 6
    for (int i = 0; i < MR; ++i) {
      const F x = a[i * as + kk * ak];
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) sums[i][v] += x * row[v];
    }
  }
#pragma GCC unroll 6
  for (int i = 0; i < MR; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      if (Partial && v == NV - 1)
        store_first(d + i * ds + v * L, sums[i][v], rest);
      else
        store(d + i * ds + v * L, sums[i][v]);
    }
}

template <class F>
using Tile = void (*)(F*, Index, const F*, Index, const F*, Index, Index, const F*, Index, Index);

// tiles[rows - 1][vectors - 1][partial]
template <class F> struct Tiles {
  Tile<F> of[kTile][kVectors][2];
  template <int MR, int NV> constexpr void fill() {
    of[MR - 1][NV - 1][0] = tile<F, MR, NV, false>;
    of[MR - 1][NV - 1][1] = tile<F, MR, NV, true>;
    if constexpr (NV > 1)
      fill<MR, NV - 1>();
    else if constexpr (MR > 1)
      fill<MR - 1, kVectors>();
  }
  constexpr Tiles() : of() { fill<kTile, kVectors>(); }
};
template <class F> constexpr Tiles<F> kTiles{};

template <class F> inline Tile<F> tile_for(Index rows, Index count) {
  const Index vectors = round_up<F>(count) / kLanes<F>;
  return kTiles<F>.of[rows - 1][vectors - 1][count % kLanes<F> != 0];
}

template <class F>
void product(F* d, Index ds, const F* init, Index is, const F* a, Index as, const F* packed,
             Index rows, Index k, Index n) {
  const Index groups = (rows + kTile - 1) / kTile;  // of rows as equal as can be
  for (Index j = 0; j < n; j += kPanel<F>) {
    const Index count = n - j < kPanel<F> ? n - j : kPanel<F>;
    for (Index g = 0; g < groups; ++g) {
      const Index r = g * rows / groups, next = (g + 1) * rows / groups;
      tile_for<F>(next - r, count)(d + r * ds + j, ds, init ? init + r * is + j : nullptr, is,
                                   a + r * as, as, 1, packed + j * k, k, count);
    }
  }
}

// The columns of d that one tile takes lie together, kColumns of them so that a copy is one vector.
constexpr int kColumns = kTile == 6 ? 8 : kTile;

// From one tile's columns to the next's: never a multiple of a page, or they fight for one place
// in the cache.
template <class F> inline Index column_stride(Index rows) { return rows * kColumns + 64 / sizeof(F); }

template <class F> Index outer_scratch(Index n) {
  return (n / kTile + 1) * column_stride<F>(kOuterRows) + kOuterRows * kPanel<F>;
}

template <class F> inline void copy_columns(F* out, const F* in) {
  typedef F Columns __attribute__((vector_size(kColumns * sizeof(F)), aligned(sizeof(F)), may_alias));
  *reinterpret_cast<Columns*>(out) = *reinterpret_cast<const Columns*>(in);
}

// d's columns are packed (kTile of them for every row in turn), x panel by panel.
template <class F>
void outer(F* gradient, Index from, Index to, Index k, const F* const* d, const F* const* x,
           Index rows, F* scratch) {
  const Index groups = (to - from + kTile - 1) / kTile, n = to - from;
  F* columns = scratch;
  const Index stride = column_stride<F>(rows);
  F* panel = scratch + groups * stride;
  for (Index r = 0; r < rows; ++r) {
    const F* row = d[r] + from;
    F* out = columns + r * kColumns;
    Index c = 0;
    for (; c + kColumns <= n; c += kTile, out += stride) copy_columns(out, row + c);
    for (; c < n; c += kTile, out += stride)
      for (int i = 0; i < kTile; ++i) out[i] = c + i < n ? row[c + i] : F(0);
  }
  for (Index j = 0; j < k; j += kPanel<F>) {
    const Index count = k - j < kPanel<F> ? k - j : kPanel<F>, width = round_up<F>(count);
    for (Index r = 0; r < rows; ++r) {
      const F* row = x[r] + j;
      F* out = panel + r * width;
      Index c = 0;
      for (; c + kLanes<F> <= count; c += kLanes<F>) store(out + c, load(row + c));
      if (c < count) store(out + c, load_first(row + c, count - c));
    }
    for (Index g = 0; g < groups; ++g) {
      const Index i = from + g * kTile, more = to - i < kTile ? to - i : kTile;
      F* out = gradient + i * k + j;
      tile_for<F>(more, count)(out, k, out, k, columns + g * stride, 1, kColumns, panel,
                               rows, count);
    }
  }
}

template <class F> void total(F* gradient, Index n, const F* const* d, Index rows) {
  constexpr Index L = kLanes<F>;
  for (Index j = 0; j < n; j += L) {
    const Index count = n - j < L ? n - j : L;
    V<F> sums = {};
    for (Index r = 0; r < rows; ++r)
      sums += count == L ? load(d[r] + j) : load_first(d[r] + j, count);
    store_first(gradient + j, load_first(gradient + j, count) + sums, count);
  }
}

// Independent multiply-adds in registers: what the machine could do at most.
template <class F> double multiply_add(Index rounds) {
  constexpr int chains = kTile * kVectors;
  V<F> sums[chains];
  for (int i = 0; i < chains; ++i) sums[i] = splat(F(i));
  V<F> x = splat(F(0.999)), y = splat(F(0.001));
  for (Index r = 0; r < rounds; ++r) {
    asm volatile("" : "+m"(x), "+m"(y));
    const V<F> a = x, b = y;
#pragma GCC unroll 8
    for (int repeat = 0; repeat < 8; ++repeat)
#pragma GCC unroll 24
      for (int i = 0; i < chains; ++i) sums[i] = sums[i] * a + b;
  }
  V<F> all = {};
  for (int i = 0; i < chains; ++i) all += sums[i];
  asm volatile("" : : "m"(all));
  return 2.0 * 8 * chains * kLanes<F> * static_cast<double>(rounds);
}
