// Elementary functions on vectors. Included by kernels.cpp only, inside an unnamed namespace.
//
// Each states its largest error in units in the last place (ULP), as tests/backends measure it.
// None is compiled with -ffast-math; NaN goes through all of them.

template <class F> struct Exponent;
template <> struct Exponent<float> {
  static constexpr int kBits = 23, kBias = 127;
  static constexpr float kLog2e = 1.44269504088896341f, kHigh = 0.693359375f,
                         kLow = -2.12194440e-4f, kRound = 12582912.0f,  // 1.5 · 2^23
      kMost = 88.9f, kLeast = -104.0f, kTanhEnds = 20.0f, kSmall = -87.33f;
};
template <> struct Exponent<double> {
  static constexpr int kBits = 52, kBias = 1023;
  static constexpr double kLog2e = 1.44269504088896340736, kHigh = 6.93145751953125e-1,
                          kLow = 1.42860682030941723212e-6, kRound = 6755399441055744.0,
                          kMost = 709.9, kLeast = -746.0, kTanhEnds = 44.0, kSmall = -708.39;
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

// 2.7 ULP; 0 where the result would be subnormal
template <class F> inline V<F> logistic(V<F> x) {
  using E = Exponent<F>;
  V<F> y = -absolute<F>(x);
  y = select<F>(y < E::kSmall, splat(E::kSmall), y);
  auto [n, r] = reduce<F>(y);
  V<F> scale = power_of_two<F>(n);
  V<F> e = expm1_small(r) * scale + scale;
  V<F> s = F(1) / (e + F(1));
  e = select<F>(x < E::kSmall, splat<F>(0), e);
  return select<F>(x < F(0), e * s, s);
}

// The C library's own function, lane by lane: 1 ULP or so.
template <class F, class Function> inline V<F> by_lane(V<F> x, Function f) {
  V<F> y = {};
  for (int i = 0; i < kLanes<F>; ++i) y[i] = f(x[i]);
  return y;
}

inline float libm_expm1(float x) { return __builtin_expm1f(x); }
inline double libm_expm1(double x) { return __builtin_expm1(x); }
inline float libm_log(float x) { return __builtin_logf(x); }
inline double libm_log(double x) { return __builtin_log(x); }
inline float libm_log1p(float x) { return __builtin_log1pf(x); }
inline double libm_log1p(double x) { return __builtin_log1p(x); }
inline float libm_sin(float x) { return __builtin_sinf(x); }
inline double libm_sin(double x) { return __builtin_sin(x); }
inline float libm_cos(float x) { return __builtin_cosf(x); }
inline double libm_cos(double x) { return __builtin_cos(x); }
inline float libm_erf(float x) { return __builtin_erff(x); }
inline double libm_erf(double x) { return __builtin_erf(x); }
inline float libm_pow(float x, float y) { return __builtin_powf(x, y); }
inline double libm_pow(double x, double y) { return __builtin_pow(x, y); }
inline float libm_sqrt(float x) { return __builtin_sqrtf(x); }
inline double libm_sqrt(double x) { return __builtin_sqrt(x); }
