// Vectors of the width that the file is compiled for. Included by kernels.cpp only, inside an
// unnamed namespace: nothing here may be shared between instruction sets.

#if defined(__AVX512F__)
constexpr int kBytes = 64, kTile = 6, kVectors = 4;
#elif defined(__AVX2__)
constexpr int kBytes = 32, kTile = 6, kVectors = 2;
#elif defined(__aarch64__)
constexpr int kBytes = 16, kTile = 6, kVectors = 4;
#else
constexpr int kBytes = 16, kTile = 4, kVectors = 2;
#endif

template <class F> struct Lanes;
template <> struct Lanes<float> {
  using Int = std::int32_t;
  typedef float Vec __attribute__((vector_size(kBytes)));
  typedef float Loose __attribute__((vector_size(kBytes), aligned(4), may_alias));
  typedef std::int32_t Mask __attribute__((vector_size(kBytes)));
};
template <> struct Lanes<double> {
  using Int = std::int64_t;
  typedef double Vec __attribute__((vector_size(kBytes)));
  typedef double Loose __attribute__((vector_size(kBytes), aligned(8), may_alias));
  typedef std::int64_t Mask __attribute__((vector_size(kBytes)));
};

template <class F> using V = typename Lanes<F>::Vec;
template <class F> using M = typename Lanes<F>::Mask;
template <class F> constexpr int kLanes = kBytes / static_cast<int>(sizeof(F));

template <class F> inline V<F> splat(F x) { return x - V<F>{}; }  // x - (+0) keeps -0

template <class F> inline V<F> load(const F* p) {
  return *reinterpret_cast<const typename Lanes<F>::Loose*>(p);
}
template <class F> inline void store(F* p, V<F> v) {
  *reinterpret_cast<typename Lanes<F>::Loose*>(p) = v;
}

// The first `count` lanes only: nothing past them is read or written; the others are zero.
#if defined(__AVX512F__)
inline V<float> load_first(const float* p, Index count) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), p);
}
inline void store_first(float* p, V<float> v, Index count) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << count) - 1), v);
}
inline V<double> load_first(const double* p, Index count) {
  return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << count) - 1), p);
}
inline void store_first(double* p, V<double> v, Index count) {
  _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << count) - 1), v);
}
#else
template <class F> inline V<F> load_first(const F* p, Index count) {
  V<F> v = {};
  for (Index i = 0; i < count; ++i) v[i] = p[i];
  return v;
}
template <class F> inline void store_first(F* p, V<F> v, Index count) {
  for (Index i = 0; i < count; ++i) p[i] = v[i];
}
#endif

// All lanes at once where there are as many.
template <class F> inline V<F> load_first_or_all(const F* p, Index count) {
  return count >= kLanes<F> ? load(p) : load_first(p, count);
}
template <class F> inline void store_first_or_all(F* p, V<F> v, Index count) {
  if (count >= kLanes<F>)
    store(p, v);
  else
    store_first(p, v, count);
}

// a's and b's lanes by turns, from their first halves (Part = 0) or their second (Part = 1).
template <int Part, class F, int... K>
inline V<F> interleave(V<F> a, V<F> b, std::integer_sequence<int, K...>) {
  constexpr int L = kLanes<F>;
#if defined(__clang__)
  return __builtin_shufflevector(a, b, (Part * L / 2 + K / 2 + K % 2 * L)...);
#else
  return __builtin_shuffle(a, b, M<F>{(Part * L / 2 + K / 2 + K % 2 * L)...});
#endif
}

// rows[i] lane j becomes rows[j] lane i.
template <class F> inline void transpose(V<F>* rows) {
  constexpr int L = kLanes<F>;
  constexpr auto lanes = std::make_integer_sequence<int, L>();
  V<F> other[L];
#pragma GCC unroll 4
  for (int done = 1; done < L; done *= 2) {
#pragma GCC unroll 16
    for (int i = 0; i < L / 2; ++i) {
      other[2 * i] = interleave<0, F>(rows[i], rows[i + L / 2], lanes);
      other[2 * i + 1] = interleave<1, F>(rows[i], rows[i + L / 2], lanes);
    }
#pragma GCC unroll 16
    for (int i = 0; i < L; ++i) rows[i] = other[i];
  }
}

template <class F> inline V<F> select(M<F> mask, V<F> a, V<F> b) { return mask ? a : b; }
template <class F> inline M<F> bits(V<F> v) {
  M<F> m;
  __builtin_memcpy(&m, &v, sizeof m);
  return m;
}
template <class F> inline V<F> as_floats(M<F> m) {
  V<F> v;
  __builtin_memcpy(&v, &m, sizeof v);
  return v;
}
template <class F> inline V<F> absolute(V<F> x) {
  return as_floats<F>(bits<F>(x) & ~bits<F>(splat<F>(F(-0.0))));
}

// In what follows GCC 12 takes AVX-512's forms without a mask for uses of uninitialized values
// (its bug 105593), so that they have masks of all lanes.

// Whether any lane of a mask is set.
#if defined(__AVX512F__)
inline bool any(M<float> m) { return _mm512_movepi32_mask(reinterpret_cast<__m512i>(m)) != 0; }
inline bool any(M<double> m) { return _mm512_movepi64_mask(reinterpret_cast<__m512i>(m)) != 0; }
#elif defined(__AVX2__)
inline bool any(M<float> m) { return _mm256_movemask_ps(reinterpret_cast<__m256>(m)) != 0; }
inline bool any(M<double> m) { return _mm256_movemask_pd(reinterpret_cast<__m256d>(m)) != 0; }
#elif defined(__SSE2__)
inline bool any(M<float> m) { return _mm_movemask_ps(reinterpret_cast<__m128>(m)) != 0; }
inline bool any(M<double> m) { return _mm_movemask_pd(reinterpret_cast<__m128d>(m)) != 0; }
#else
template <class Mask> inline bool any(Mask m) {
  bool found = false;
  for (std::size_t i = 0; i < sizeof m / sizeof m[0]; ++i) found |= m[i] != 0;
  return found;
}
#endif

#if defined(__AVX512F__)
inline V<float> square_root(V<float> x) { return _mm512_maskz_sqrt_ps(0xffff, x); }
inline V<double> square_root(V<double> x) { return _mm512_maskz_sqrt_pd(0xff, x); }
#elif defined(__AVX2__)
inline V<float> square_root(V<float> x) { return _mm256_sqrt_ps(x); }
inline V<double> square_root(V<double> x) { return _mm256_sqrt_pd(x); }
#elif defined(__SSE2__)
inline V<float> square_root(V<float> x) { return _mm_sqrt_ps(x); }
inline V<double> square_root(V<double> x) { return _mm_sqrt_pd(x); }
#elif defined(__aarch64__)
inline V<float> square_root(V<float> x) { return vsqrtq_f32(x); }
inline V<double> square_root(V<double> x) { return vsqrtq_f64(x); }
#else
inline V<float> square_root(V<float> x) {
  for (int i = 0; i < kLanes<float>; ++i) x[i] = __builtin_sqrtf(x[i]);
  return x;
}
inline V<double> square_root(V<double> x) {
  for (int i = 0; i < kLanes<double>; ++i) x[i] = __builtin_sqrt(x[i]);
  return x;
}
#endif

// a·b + c with one rounding, which what is exact to twice the digits is made of. Without such an
// instruction those functions go through the C library lane by lane.
#if defined(__AVX512F__)
constexpr bool kFused = true;
inline V<double> fused(V<double> a, V<double> b, V<double> c) { return _mm512_fmadd_pd(a, b, c); }
#elif defined(__AVX2__)
constexpr bool kFused = true;
inline V<double> fused(V<double> a, V<double> b, V<double> c) { return _mm256_fmadd_pd(a, b, c); }
#elif defined(__aarch64__)
constexpr bool kFused = true;
inline V<double> fused(V<double> a, V<double> b, V<double> c) { return vfmaq_f64(c, a, b); }
#else
constexpr bool kFused = false;
inline V<double> fused(V<double> a, V<double> b, V<double> c) { return a * b + c; }
#endif

// A vector of floats as two of doubles, and back.
typedef float HalfOfFloats __attribute__((vector_size(kBytes / 2)));
struct Pair { V<double> low, high; };
#if defined(__AVX512F__)
inline Pair widen(V<float> x) {
  return {_mm512_maskz_cvtps_pd(0xff, _mm512_maskz_extractf32x8_ps(0xff, x, 0)),
          _mm512_maskz_cvtps_pd(0xff, _mm512_maskz_extractf32x8_ps(0xff, x, 1))};
}
inline V<float> narrow(Pair p) {
  return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_maskz_cvtpd_ps(0xff, p.low)),
                            _mm512_maskz_cvtpd_ps(0xff, p.high), 1);
}
#elif defined(__AVX2__)
inline Pair widen(V<float> x) {
  return {_mm256_cvtps_pd(_mm256_castps256_ps128(x)), _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1))};
}
inline V<float> narrow(Pair p) {
  return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(p.low)),
                              _mm256_cvtpd_ps(p.high), 1);
}
#elif defined(__SSE2__)
inline Pair widen(V<float> x) { return {_mm_cvtps_pd(x), _mm_cvtps_pd(_mm_movehl_ps(x, x))}; }
inline V<float> narrow(Pair p) {
  return _mm_movelh_ps(_mm_cvtpd_ps(p.low), _mm_cvtpd_ps(p.high));
}
#else
inline Pair widen(V<float> x) {
  HalfOfFloats half[2];
  __builtin_memcpy(half, &x, sizeof x);
  return {__builtin_convertvector(half[0], V<double>), __builtin_convertvector(half[1], V<double>)};
}
inline V<float> narrow(Pair p) {
  const HalfOfFloats half[2] = {__builtin_convertvector(p.low, HalfOfFloats),
                                __builtin_convertvector(p.high, HalfOfFloats)};
  V<float> x;
  __builtin_memcpy(&x, half, sizeof x);
  return x;
}
#endif
