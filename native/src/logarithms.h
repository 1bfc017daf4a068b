// Logarithms and powers of vectors. Included by kernels.cpp only, behind mathematics.h.
//
// ln(1 + f) = f - (f²/2 - s·(f²/2 + R)), s = f / (2 + f), R = s²·P(s²), as fdlibm has it.

template <class F> struct Logarithm;
template <> struct Logarithm<float> {
  static constexpr float kSeries[] = {2.987176206e-01f, 3.997754040e-01f, 6.666677639e-01f};
  static constexpr float kRootHalf = 0.70710678f, kTiny = 1.17549435e-38f, kUp = 8388608.0f;
};
template <> struct Logarithm<double> {
  static constexpr double kSeries[] = {
      1.47959891837677465e-01, 1.53140468230292481e-01, 1.81835644630100018e-01,
      2.22221985707299563e-01, 2.85714287424096880e-01, 3.99999999994145872e-01,
      6.66666666666673402e-01};
  static constexpr double kRootHalf = 0.70710678118654752, kTiny = 2.2250738585072014e-308,
                          kUp = 4503599627370496.0;
};

typedef std::uint32_t UnsignedFloatBits __attribute__((vector_size(kBytes)));
typedef std::uint64_t UnsignedDoubleBits __attribute__((vector_size(kBytes)));
template <class F>
using U = std::conditional_t<sizeof(F) == 4, UnsignedFloatBits, UnsignedDoubleBits>;

// x = 2^k·(1 + f), 1 + f between the roots of 1/2 and 2, of x > 0 and finite.
template <class F> struct Scaled { V<F> k, f; };
template <class F> inline Scaled<F> scaled(V<F> x) {
  using E = Exponent<F>;
  using L = Logarithm<F>;
  const M<F> subnormal = x < L::kTiny;
  x = select<F>(subnormal, x * L::kUp, x);
  const M<F> root = bits<F>(splat(L::kRootHalf));
  const M<F> from_root = bits<F>(x) - root + bits<F>(splat(F(1)));
  const M<F> k = reinterpret_cast<M<F>>(reinterpret_cast<U<F>>(from_root) >> E::kBits);
  const M<F> fraction = from_root & ((typename Lanes<F>::Int(1) << E::kBits) - 1);
  // As a float: put behind the digits of 2^bits, which is then taken away.
  const V<F> shifted = as_floats<F>(k | bits<F>(splat(L::kUp)));
  const V<F> bias = select<F>(subnormal, splat(L::kUp + F(E::kBias + E::kBits)),
                              splat(L::kUp + F(E::kBias)));
  return {shifted - bias, as_floats<F>(fraction + root) - F(1)};
}

// k·ln 2 + ln(1 + f) + c, c small beside it
template <class F> inline V<F> logarithm_of(V<F> k, V<F> f, V<F> c) {
  using E = Exponent<F>;
  const V<F> s = f / (f + F(2)), z = s * s;
  const V<F> rest = z * polynomial(z, Logarithm<F>::kSeries);
  const V<F> half = f * f * F(0.5);
  return k * E::kHigh - ((half - (s * (half + rest) + (k * E::kLow + c))) - f);
}

// What a logarithm is of 0, of negative numbers, of infinity and NaN.
template <class F> inline V<F> at_ends(V<F> x, V<F> y) {
  const F infinity = F(__builtin_inf());
  const V<F> other = select<F>(x == F(0), splat(-infinity), select<F>(x < F(0), x * F(0) / F(0), x));
  return select<F>((x > F(0)) & (x < infinity), y, other);
}

// 1 ULP
template <class F> inline V<F> logarithm(V<F> x) {
  const auto [k, f] = scaled<F>(x);
  return at_ends<F>(x, logarithm_of<F>(k, f, V<F>{}));
}

// 1.5 ULP; whole for powers of two
template <class F> inline V<F> logarithm_2(V<F> x) {
  const auto [k, f] = scaled<F>(x);
  const V<F> y = logarithm_of<F>(V<F>{}, f, V<F>{});
  return at_ends<F>(x, k + (y * F(1.44269504088896338700) + y * Exponent<F>::kLog2eRest));
}

// 2 ULP
template <class F> inline V<F> logarithm_10(V<F> x) {
  const auto [k, f] = scaled<F>(x);
  const V<F> y = logarithm_of<F>(V<F>{}, f, V<F>{});
  const F high = F(0.30078125), low = F(2.48745663981195213739e-4);  // of log10 2
  return at_ends<F>(x, k * high + (k * low + y * F(0.43429448190325182765)));
}

// 1.5 ULP
template <class F> inline V<F> logarithm_1p(V<F> x) {
  const V<F> u = x + F(1);
  auto [k, f] = scaled<F>(u);
  V<F> lost = select<F>(absolute<F>(x) < F(1), x - (u - F(1)), F(1) - (u - x)) / u;
  const M<F> near = k == F(0);
  f = select<F>(near, x, f);
  lost = select<F>(near, V<F>{}, lost);
  V<F> y = at_ends<F>(u, logarithm_of<F>(k, f, lost));
  return as_floats<F>(bits<F>(y) | (bits<F>(x) & bits<F>(splat<F>(F(-0.0)))));
}

// 2.5 ULP
template <class F> inline V<F> inverse_hyperbolic_sine(V<F> x) {
  const V<F> a = absolute<F>(x);
  const M<F> large = a > Logarithm<F>::kUp;  // the 1 below the root is nothing
  const V<F> b = select<F>(large, V<F>{}, a), square = b * b;
  const V<F> less = b + square / (square_root(square + F(1)) + F(1));
  const V<F> y = logarithm_1p<F>(select<F>(large, a, less));
  return signed_as<F>(select<F>(large, y + F(0.693147180559945309417), y), x);
}

// 2.5 ULP
template <class F> inline V<F> inverse_hyperbolic_cosine(V<F> x) {
  const M<F> large = x > Logarithm<F>::kUp;
  const V<F> t = select<F>(large, V<F>{}, x - F(1));
  const V<F> less = t + square_root(t) * square_root(t + F(2));
  const V<F> y = logarithm_1p<F>(select<F>(large, x, less));
  return select<F>(large, y + F(0.693147180559945309417), y);
}

// 2.5 ULP
template <class F> inline V<F> inverse_hyperbolic_tangent(V<F> x) {
  const V<F> a = absolute<F>(x);
  return signed_as<F>(logarithm_1p<F>((a + a) / (F(1) - a)) * F(0.5), x);
}

// max(a, b) + ln(1 + e^-|a - b|): 2.5 ULP, or as much of the larger of the two terms where they
// cancel.
template <class F> inline V<F> logarithm_of_sum(V<F> a, V<F> b) {
  const V<F> apart = select<F>(a == b, V<F>{}, -absolute<F>(a - b));
  const V<F> larger = select<F>(a != a, a, select<F>(a > b, a, b));
  return larger + logarithm_1p<F>(exponential<F>(apart));
}

// --- powers ------------------------------------------------------------------------------------

// Where |a|^b is taken, a's sign and the numbers for which C's pow makes an exception.
template <class F> inline V<F> power_at_ends(V<F> a, V<F> b, V<F> y) {
  using L = Logarithm<F>;
  const V<F> size = absolute<F>(b);
  const V<F> near = (size + L::kUp) - L::kUp;  // above kUp all numbers are whole
  const M<F> whole = (size >= L::kUp) | (near == size);
  const V<F> halved = size * F(0.5);
  const V<F> near_half = (halved + L::kUp) - L::kUp;
  const M<F> odd = whole & ~((halved >= L::kUp) | (near_half == halved));
  const M<F> sign = bits<F>(a) & bits<F>(splat<F>(F(-0.0)));
  y = select<F>(odd, as_floats<F>(bits<F>(y) | sign), y);
  y = select<F>((a < F(0)) & ~whole & (a > F(-__builtin_inf())), a * F(0) / F(0), y);
  y = select<F>((a == F(-1)) & (size == F(__builtin_inf())), splat(F(1)), y);
  return select<F>((b == F(0)) | (a == F(1)), splat(F(1)), y);
}

// 0.6 ULP: in double precision
inline V<float> power(V<float> a, V<float> b) {
  const Pair x = widen(absolute<float>(a)), y = widen(b);
  const Pair found = {exponential<double>(y.low * logarithm<double>(x.low)),
                      exponential<double>(y.high * logarithm<double>(x.high))};
  return power_at_ends<float>(a, b, narrow(found));
}

// s + e is the sum of a and b to the last bit (Knuth).
struct Exact { V<double> high, low; };
inline Exact exact_sum(V<double> a, V<double> b) {
  const V<double> s = a + b, from_b = s - a;
  return {s, (a - (s - from_b)) + (b - from_b)};
}
inline Exact exact_product(V<double> a, V<double> b) {
  const V<double> p = a * b;
  return {p, fused(a, b, -p)};
}

// ln x to some 65 bits: k·ln 2 + 2s + s³·2/3 + s⁵·Q(s²)
inline Exact exact_logarithm(V<double> x) {
  using E = Exponent<double>;
  static constexpr double kSeries[] = {
      1.31962548041777011e-01, 1.32568251740430881e-01, 1.53867570379617846e-01,
      1.81817843728600270e-01, 2.22222225198655088e-01, 2.85714285700998438e-01,
      4.00000000000022560e-01};
  const auto [k, f] = scaled<double>(x);
  const V<double> below = f + 2.0, lost = f - (below - 2.0), s = f / below;
  const V<double> s_low = (fused(-s, below, f) - s * lost) / below;
  const Exact square = exact_product(s, s);
  const V<double> z_low = square.low + 2.0 * s * s_low;
  Exact cube = exact_product(square.high, s);
  cube.low += square.high * s_low + z_low * s;
  Exact third = exact_product(cube.high, splat(0.66666666666666663));
  third.low += cube.low * 0.66666666666666663 + cube.high * 3.70074341541718826e-17;
  const V<double> rest = cube.high * square.high * polynomial(square.high, kSeries);
  const Exact whole = exact_sum(k * E::kHigh, s + s);
  const Exact sum = exact_sum(whole.high, third.high);
  const V<double> low = k * E::kLow + (2.0 * s_low + whole.low + sum.low + third.low + rest);
  return exact_sum(sum.high, low);
}

// 1.5 ULP
inline V<double> power(V<double> a, V<double> b) {
  if (!kFused) return by_lane<double>(a, b, [](double x, double y) { return __builtin_pow(x, y); });
  using E = Exponent<double>;
  const V<double> x = absolute<double>(a);
  const double infinity = __builtin_inf();
  Exact log = exact_logarithm(x);
  const M<double> plain = (x > 0.0) & (x < infinity);
  log.high = at_ends<double>(x, log.high);
  log.low = select<double>(plain, log.low, V<double>{});
  V<double> y = b * log.high, low = fused(b, log.high, -y) + b * log.low;
  low = select<double>((y > E::kLeast) & (y < E::kMost), low, V<double>{});
  y = select<double>(y > E::kMost, splat(E::kMost), y);
  y = select<double>(y < E::kLeast, splat(E::kLeast), y);
  auto [n, r] = reduce<double>(y);
  const V<double> e = expm1_small(r + low) + 1.0;
  const V<double> half = (n * 0.5 + E::kRound) - E::kRound;
  const V<double> found = (e * power_of_two<double>(half)) * power_of_two<double>(n - half);
  return power_at_ends<double>(a, b, found);
}
