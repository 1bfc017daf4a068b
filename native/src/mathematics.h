// Elementary functions on vectors. Included by kernels.cpp only, inside an unnamed namespace.
//
// Each states its largest error in units in the last place (ULP), as tests/backends measure it.
// None is compiled with -ffast-math; NaN goes through all of them.

template <class F> struct Exponent;
template <> struct Exponent<float> {
  static constexpr int kBits = 23, kBias = 127;
  static constexpr float kLog2e = 1.44269504088896341f, kHigh = 0.693359375f,
                         kLow = -2.12194440e-4f, kRound = 12582912.0f,  // 1.5 · 2^23
      kMost = 88.9f, kLeast = -104.0f, kTanhEnds = 20.0f, kSmall = -87.33f, kLog2eRest = 1.925962991127e-08f;
};
template <> struct Exponent<double> {
  static constexpr int kBits = 52, kBias = 1023;
  static constexpr double kLog2e = 1.44269504088896340736, kHigh = 6.93145751953125e-1,
                          kLow = 1.42860682030941723212e-6, kRound = 6755399441055744.0,
                          kMost = 709.9, kLeast = -746.0, kTanhEnds = 44.0, kSmall = -708.39,
                          kLog2eRest = 2.03552737409310331e-17;
};

// r + r²/2 + ... = e^r - 1 for |r| <= ln(2)/2
inline V<float> expm1_small(V<float> r) {
  V<float> p = splat(1.9875691500e-4f);
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return (p * r) * r + r;
}
inline V<double> expm1_small(V<double> r) {
  V<double> p = splat(1.0 / 6227020800.0);
  const double c[] = {1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320,
                      1.0 / 5040,      1.0 / 720,      1.0 / 120,     1.0 / 24,     1.0 / 6,
                      0.5};
  for (double each : c) p = p * r + each;
  return (p * r) * r + r;
}

template <class F> inline V<F> power_of_two(V<F> n) {  // n whole, in the range of normal exponents
  using E = Exponent<F>;
  V<F> shifted = n + (E::kRound + F(E::kBias));
  return as_floats<F>(bits<F>(shifted) << E::kBits);
}

template <class F> struct Reduced { V<F> n, r; };
template <class F> inline Reduced<F> reduce(V<F> x) {  // x = n·ln 2 + r
  using E = Exponent<F>;
  V<F> n = (x * E::kLog2e + E::kRound) - E::kRound;
  return {n, (x - n * E::kHigh) - n * E::kLow};
}

// 1 ULP
template <class F> inline V<F> exponential(V<F> x) {
  using E = Exponent<F>;
  x = select<F>(x > E::kMost, splat(E::kMost), x);
  x = select<F>(x < E::kLeast, splat(E::kLeast), x);
  auto [n, r] = reduce<F>(x);
  V<F> y = expm1_small(r) + F(1);
  V<F> half = (n * F(0.5) + E::kRound) - E::kRound;  // two steps: the result may be subnormal
  return (y * power_of_two<F>(half)) * power_of_two<F>(n - half);
}

// 2.6 ULP
template <class F> inline V<F> hyperbolic_tangent(V<F> x) {  // E / (E + 2), E = e^{2|x|} - 1
  using E = Exponent<F>;
  V<F> y = absolute<F>(x) * F(2);
  y = select<F>(y > E::kTanhEnds, splat(E::kTanhEnds), y);
  auto [n, r] = reduce<F>(y);
  V<F> scale = power_of_two<F>(n);
  V<F> e = expm1_small(r) * scale + (scale - F(1));
  V<F> t = e / (e + F(2));
  return as_floats<F>(bits<F>(t) | (bits<F>(x) & bits<F>(splat<F>(F(-0.0)))));
}

// 2.7 ULP
template <class F> inline V<F> logistic(V<F> x) {
  using E = Exponent<F>;
  V<F> y = -absolute<F>(x);
  const M<F> tiny = x < E::kSmall;  // there e^x is subnormal, and 1 + e^x is 1
  y = select<F>(y < E::kSmall, splat(E::kSmall), y);
  auto [n, r] = reduce<F>(y);
  V<F> scale = power_of_two<F>(n);
  V<F> e = expm1_small(r) * scale + scale;
  V<F> s = F(1) / (e + F(1));
  V<F> result = select<F>(x < F(0), e * s, s);
  return any(tiny) ? select<F>(tiny, exponential<F>(x), result) : result;
}

template <class F> inline V<F> signed_as(V<F> magnitude, V<F> x) {  // of a magnitude >= 0
  return as_floats<F>(bits<F>(magnitude) | (bits<F>(x) & bits<F>(splat<F>(F(-0.0)))));
}

// 2 ULP
template <class F> inline V<F> exponential_less_one(V<F> x) {
  using E = Exponent<F>;
  V<F> y = select<F>(x > E::kMost, splat(E::kMost), x);
  y = select<F>(y < F(-60), splat(F(-60)), y);  // -1 there
  auto [n, r] = reduce<F>(y);
  V<F> most = select<F>(n > F(E::kBias), splat(F(E::kBias)), n);  // 2^n may be beyond the range
  V<F> scale = power_of_two<F>(most);
  V<F> e = (expm1_small(r) * scale + (scale - F(1))) * power_of_two<F>(n - most);
  return signed_as<F>(e, x);  // -0 stays
}

// e^|x| / 2 - 1/2 and e^|x| / 2: halves, so that they are finite wherever sinh and cosh are.
template <class F> struct Halves { V<F> less_half, half; };
template <class F> inline Halves<F> halved_exponential(V<F> x) {
  using E = Exponent<F>;
  V<F> y = absolute<F>(x);
  y = select<F>(y > E::kMost + F(0.7), splat(E::kMost + F(0.7)), y);
  auto [n, r] = reduce<F>(y);
  V<F> quarter = power_of_two<F>(n - F(2));
  V<F> p = expm1_small(r);
  V<F> less = (p * quarter + (quarter - F(0.25))) * F(2);
  return {less, (p * quarter + quarter) * F(2)};
}

// 2.5 ULP
template <class F> inline V<F> hyperbolic_sine(V<F> x) {  // (E + E / (E + 1)) / 2, E = e^|x| - 1
  const V<F> h = halved_exponential<F>(x).less_half;
  const V<F> rest = select<F>(h > F(1e10), splat(F(0.5)), h / (h * F(2) + F(1)));
  return signed_as<F>(h + rest, x);
}

// 1.5 ULP
template <class F> inline V<F> hyperbolic_cosine(V<F> x) {
  const V<F> h = halved_exponential<F>(x).half;
  return h + F(0.25) / h;
}

// 1.5 ULP
template <class F> inline V<F> power_of_two_of(V<F> x) {  // 2^x
  using E = Exponent<F>;
  const F most = F(E::kBias + 2), least = -F(E::kBias + E::kBits + 2);
  x = select<F>(x > most, splat(most), x);
  x = select<F>(x < least, splat(least), x);
  V<F> n = (x + E::kRound) - E::kRound;
  V<F> y = expm1_small((x - n) * F(0.693147180559945309417)) + F(1);
  V<F> half = (n * F(0.5) + E::kRound) - E::kRound;
  return (y * power_of_two<F>(half)) * power_of_two<F>(n - half);
}

template <class F, int N> inline V<F> polynomial(V<F> x, const F (&c)[N]) {  // highest first
  V<F> p = splat(c[0]);
#pragma GCC unroll 32
  for (int i = 1; i < N; ++i) p = p * x + c[i];
  return p;
}

// erf x = x + x·P(x²) up to 1, 1 - erfc x beyond, where erfc x is
//   exp(Q(x)) in single precision,
//   exp(-x²)·T(1 / (1 + x/2)) in double.
template <class F> struct ErrorFunction;
template <> struct ErrorFunction<float> {
  static constexpr float kNear[] = {
      7.889123583e-05f, -8.020842498e-04f, 5.189535476e-03f, -2.685444466e-02f,
      1.128360018e-01f, -3.761262714e-01f, 1.283791659e-01f};
  static constexpr float kLogarithm[] = {
      -2.168674794e-05f, 4.413351085e-04f, -4.204555248e-03f, 2.520823789e-02f,
      -1.084185458e-01f, -6.332199242e-01f, -1.129578408e+00f, 1.880364365e-04f};
  static constexpr float kEnd = 4.0f;  // 1 from there on
  static V<float> complement(V<float> x) {
    auto [n, r] = reduce<float>(polynomial(x, kLogarithm));
    V<float> scale = power_of_two<float>(n);
    return expm1_small(r) * scale + scale;
  }
};
template <> struct ErrorFunction<double> {
  static constexpr double kNear[] = {
      5.96068603168107287e-11,  -1.13749554277963771e-09, 1.46603284334050048e-08,
      -1.63503961446289322e-07, 1.64610084666604943e-06,  -1.49255957712200794e-05,
      1.20553311329032293e-04,  -8.54832698142370551e-04, 5.22397762482839072e-03,
      -2.68661706450778713e-02, 1.12837916709548847e-01,  -3.76126389031837483e-01,
      1.28379167095512586e-01};
  static constexpr double kTail[] = {
      3.62914214673461522e-02,  -2.61793022902200134e-01, 8.19395202036272918e-01,
      -1.40637271314940193e+00, 1.33184005812147488e+00,  -5.15820394402369820e-01,
      -1.68334130063774040e-01, 2.36479897386621701e-01,  -2.09409373912426339e-01,
      1.71437542887161454e-01,  1.50763247130251521e-01,  2.51965923649385637e-01,
      2.81408571169536825e-01,  2.82150026974789081e-01,  -2.03259751101695696e-06};
  static constexpr double kEnd = 6.0;
  static V<double> complement(V<double> x) {
    auto [n, r] = reduce<double>(-(x * x));
    V<double> scale = power_of_two<double>(n);
    V<double> tail = polynomial(1.0 / (x * 0.5 + 1.0), kTail);
    return (expm1_small(r) * scale + scale) * tail;
  }
};

// 1.5 ULP
template <class F> inline V<F> error_function(V<F> x) {
  using E = ErrorFunction<F>;
  V<F> a = absolute<F>(x);
  a = select<F>(a > E::kEnd, splat(E::kEnd), a);
  V<F> far = select<F>(a < F(1), splat(F(1)), a);
  V<F> y = a + a * polynomial(a * a, E::kNear);
  return signed_as<F>(select<F>(a < F(1), y, F(1) - E::complement(far)), x);
}

// The C library's own function, lane by lane: 1 ULP or so. It stands where the lanes are few: where
// an argument is so large that the vector's way does not reach.
template <class F, class Function> inline V<F> by_lane(V<F> x, Function f) {
  V<F> y = {};
  for (int i = 0; i < kLanes<F>; ++i) y[i] = f(x[i]);
  return y;
}
template <class F, class Function> inline V<F> by_lane(V<F> a, V<F> b, Function f) {
  V<F> y = {};
  for (int i = 0; i < kLanes<F>; ++i) y[i] = f(a[i], b[i]);
  return y;
}
