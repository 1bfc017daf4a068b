// Instructions on a row's features as blocks of numbers. Included by kernels.cpp only.
//
// `inner` features lie together: along an axis that is not the last they are `inner` apart.

// d (inner,) = Σ or the largest of k vectors of a, each (inner,).
template <class F> struct AddUp {
  static inline V<F> of(V<F> a, V<F> b) { return a + b; }
};
template <class F> struct Larger {
  static inline V<F> of(V<F> a, V<F> b) { return select<F>(a != a, a, select<F>(a > b, a, b)); }
};
template <class F, class Join> inline void down(F* d, const F* a, Index k, Index inner) {
  constexpr Index L = kLanes<F>;
  Index j = 0;
  for (; j + 4 * L <= inner; j += 4 * L) {
    V<F> x[4];
    for (int v = 0; v < 4; ++v) x[v] = load(a + j + v * L);
    for (Index i = 1; i < k; ++i)
      for (int v = 0; v < 4; ++v) x[v] = Join::of(x[v], load(a + i * inner + j + v * L));
    for (int v = 0; v < 4; ++v) store(d + j + v * L, x[v]);
  }
  for (; j + L <= inner; j += L) {
    V<F> x = load(a + j);
    for (Index i = 1; i < k; ++i) x = Join::of(x, load(a + i * inner + j));
    store(d + j, x);
  }
  if (const Index rest = inner - j) {
    V<F> x = load_first(a + j, rest);
    for (Index i = 1; i < k; ++i) x = Join::of(x, load_first(a + i * inner + j, rest));
    store_first(d + j, x, rest);
  }
}

// Σ of each of up to L vectors' lanes, as lanes of one vector. Every sum is taken in one order,
// whichever lane it ends in.
template <class F> inline V<F> lane_sums(V<F>* x) {
  transpose<F>(x);
  for (int half = kLanes<F> / 2; half; half /= 2)
    for (int i = 0; i < half; ++i) x[i] += x[i + half];
  return x[0];
}

template <class F> void sum(const Strip<F>& s) {  // d (g, inner) of a (g, k, inner)
  constexpr Index L = kLanes<F>;
  const Index groups = s.n / s.inner;
  for (Index r = 0; r < s.rows; ++r) {
    const F* a = s.a + r * s.as;
    F* d = s.d + r * s.ds;
    if (s.inner > 1) {
      for (Index g = 0; g < groups; ++g, a += s.k * s.inner, d += s.inner)
        down<F, AddUp<F>>(d, a, s.k, s.inner);
      continue;
    }
    for (Index g = 0; g < groups; g += L) {
      const Index some = groups - g < L ? groups - g : L;
      V<F> sums[L] = {};
      for (Index i = 0; i < some; ++i) {
        const F* one = a + (g + i) * s.k;
        Index j = 0;
        for (; j + L <= s.k; j += L) sums[i] += load(one + j);
        if (j < s.k) sums[i] += load_first(one + j, s.k - j);
      }
      store_first_or_all(d + g, lane_sums<F>(sums), some);
    }
  }
}

template <class F> void amax(const Strip<F>& s) {
  constexpr Index L = kLanes<F>;
  const Index groups = s.n / s.inner;
  for (Index r = 0; r < s.rows; ++r)
    for (Index g = 0; g < groups; ++g) {
      const F* a = s.a + r * s.as + g * s.k * s.inner;
      F* d = s.d + r * s.ds + g * s.inner;
      if (s.inner > 1) {
        down<F, Larger<F>>(d, a, s.k, s.inner);
        continue;
      }
      F most = a[0];
      Index j = 1;
      if (s.k >= L) {
        V<F> x = load(a);
        for (j = L; j + L <= s.k; j += L) x = Larger<F>::of(x, load(a + j));
        most = x[0];
        for (int i = 1; i < kLanes<F>; ++i) most = (most != most || most > x[i]) ? most : x[i];
      }
      for (; j < s.k; ++j) most = (most != most || most > a[j]) ? most : a[j];
      *d = most;
    }
}

template <class F> void spread(const Strip<F>& s) {  // d (g, k, inner) of a (g, inner)
  constexpr Index L = kLanes<F>;
  for (Index r = 0; r < s.rows; ++r) {
    const F* a = s.a + r * s.as;
    F* d = s.d + r * s.ds;
    for (Index g = 0; g < s.n / (s.k * s.inner); ++g, a += s.inner) {
      if (s.inner == 1) {
        const V<F> x = splat(*a);
        Index j = 0;
        for (; j + L <= s.k; j += L) store(d + j, x);
        if (j < s.k) store_first(d + j, x, s.k - j);
        d += s.k;
        continue;
      }
      for (Index i = 0; i < s.k; ++i, d += s.inner) {
        Index j = 0;
        for (; j + L <= s.inner; j += L) store(d + j, load(a + j));
        if (j < s.inner) store_first(d + j, load_first(a + j, s.inner - j), s.inner - j);
      }
    }
  }
}

// Each block (height, width, inner) becomes (width, height, inner).
template <class F> void transposed(const Strip<F>& s) {
  constexpr Index L = kLanes<F>;
  const Index h = s.height, w = s.width, inner = s.inner, block = h * w * inner;
  for (Index r = 0; r < s.rows; ++r)
    for (Index at = 0; at < s.n; at += block) {
      const F* a = s.a + r * s.as + at;
      F* d = s.d + r * s.ds + at;
      if (inner > 1) {
        for (Index j = 0; j < w; ++j)
          for (Index i = 0; i < h; ++i)
            __builtin_memcpy(d + (j * h + i) * inner, a + (i * w + j) * inner, inner * sizeof(F));
        continue;
      }
      for (Index i = 0; i < h; i += L)  // a square at a time, turned in registers
        for (Index j = 0; j < w; j += L) {
          const Index rows = h - i < L ? h - i : L, columns = w - j < L ? w - j : L;
          V<F> square[L] = {};
          for (Index k = 0; k < rows; ++k) square[k] = load_first_or_all(a + (i + k) * w + j, columns);
          transpose<F>(square);
          for (Index k = 0; k < columns; ++k) store_first_or_all(d + (j + k) * h + i, square[k], rows);
        }
    }
}

// d (MR rows, NV vectors of columns) = init + Σ_k a[i, k] · b[k, :], in the order of k. The last
// vector has `last` columns. Without init the first term stands alone: -0 stays.
template <class F, int MR, int NV>
inline void block_of_rows(F* d, Index ds, const F* init, const F* a, Index as, Index ak,
                          const F* b, Index bs, Index k, Index last) {
  constexpr Index L = kLanes<F>;
  V<F> sums[MR][NV];
  auto row = [&](Index kk, int v) {
    return v == NV - 1 ? load_first_or_all(b + kk * bs + v * L, last) : load(b + kk * bs + v * L);
  };
  for (int v = 0; v < NV; ++v) {
    const V<F> x = row(0, v);
    for (int i = 0; i < MR; ++i) {
      const V<F> first = x * a[i * as];
      if (init == nullptr)
        sums[i][v] = first;
      else if (v == NV - 1)
        sums[i][v] = load_first_or_all(init + i * ds + v * L, last) + first;
      else
        sums[i][v] = load(init + i * ds + v * L) + first;
    }
  }
  for (Index kk = 1; kk < k; ++kk) {
    V<F> x[NV];
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) x[v] = row(kk, v);
#pragma GCC unroll 4
    for (int i = 0; i < MR; ++i) {
      const F factor = a[i * as + kk * ak];
#pragma GCC unroll 4
      for (int v = 0; v < NV; ++v) sums[i][v] += factor * x[v];
    }
  }
  for (int i = 0; i < MR; ++i)
    for (int v = 0; v < NV; ++v) {
      if (v == NV - 1)
        store_first_or_all(d + i * ds + v * L, sums[i][v], last);
      else
        store(d + i * ds + v * L, sums[i][v]);
    }
}

template <class F, int MR>
inline void rows_by(F* d, const F* init, const F* a, Index as, Index ak, const F* b, Index k,
                    Index width) {
  constexpr Index L = kLanes<F>;
  for (Index j = 0; j < width; j += 2 * L) {
    const Index rest = width - j;
    const F* from = init ? init + j : nullptr;
    if (rest > L)
      block_of_rows<F, MR, 2>(d + j, width, from, a, as, ak, b + j, width, k,
                              rest < 2 * L ? rest - L : L);
    else
      block_of_rows<F, MR, 1>(d + j, width, from, a, as, ak, b + j, width, k, rest);
  }
}

// d (g, m, n) = c + a (g, m, k) · b (g, k, n); Turned: a is stored (g, k, m).
template <class F, bool Turned> void matmul(const Strip<F>& s) {
  const Index m = s.height, n = s.width, k = s.k;
  const Index as = Turned ? 1 : k, ak = Turned ? m : 1;
  for (Index r = 0; r < s.rows; ++r) {
    const F *a = s.a + r * s.as, *b = s.b + r * s.bs, *c = s.c ? s.c + r * s.cs : nullptr;
    F* d = s.d + r * s.ds;
    for (Index g = 0; g < s.n / (m * n); ++g, a += m * k, b += k * n, d += m * n) {
      Index i = 0;
      for (; i + 4 <= m; i += 4)
        rows_by<F, 4>(d + i * n, c ? c + i * n : nullptr, a + i * as, as, ak, b, k, n);
      for (; i < m; ++i)
        rows_by<F, 1>(d + i * n, c ? c + i * n : nullptr, a + i * as, as, ak, b, k, n);
      if (c) c += m * n;
    }
  }
}

// d (g, m, n) = c + a (g, m, k) · b (g, n, k)ᵀ: the sums run along both operands' rows.
template <class F> void matmul_turned(const Strip<F>& s) {
  constexpr Index L = kLanes<F>;
  const Index m = s.height, n = s.width, k = s.k;
  for (Index r = 0; r < s.rows; ++r) {
    const F *a = s.a + r * s.as, *b = s.b + r * s.bs, *c = s.c ? s.c + r * s.cs : nullptr;
    F* d = s.d + r * s.ds;
    for (Index g = 0; g < s.n / (m * n); ++g, b += n * k)
      for (Index i = 0; i < m; ++i, a += k, d += n) {
        for (Index j = 0; j < n; j += L) {
          const Index some = n - j < L ? n - j : L;
          V<F> sums[L] = {};
          for (Index at = 0; at < k; at += L) {
            const Index rest = k - at < L ? k - at : L;
            const V<F> x = load_first_or_all(a + at, rest);
            const F* rows = b + j * k + at;
            if (rest == L && some == L) {
#pragma GCC unroll 16
              for (int each = 0; each < L; ++each) sums[each] += x * load(rows + each * k);
            } else {
              for (Index each = 0; each < some; ++each)
                sums[each] += x * load_first_or_all(rows + each * k, rest);
            }
          }
          V<F> y = lane_sums<F>(sums);
          if (c) y += load_first_or_all(c + j, some);
          store_first_or_all(d + j, y, some);
        }
        if (c) c += n;
      }
  }
}
