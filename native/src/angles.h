// Sines, cosines and their inverses. Included by kernels.cpp only, behind mathematics.h.

struct Angles {
  static constexpr double kQuarter = 0.63661977236758134308;  // turns of pi/2
  // pi/2 in pieces of 33 bits: a whole number of up to 20 bits times one is exact.
  static constexpr double kFirst = 1.57079632673412561417e+00, kSecond = 6.07710050630396597660e-11,
                          kThird = 2.02226624879595063154e-21,
                          kSecondAndThird = 6.07710050650619224932e-11;
  static constexpr double kMost = 1e6;  // beyond it lane by lane
  static constexpr double kSine[] = {1.58967956387796053e-10,  -2.50507581150105069e-08,
                                     2.75573136919163433e-06,  -1.98412698298078023e-04,
                                     8.33333333332241313e-03,  -1.66666666666666324e-01};
  static constexpr double kCosine[] = {-1.13596477866387942e-11, 2.08757232729652591e-09,
                                       -2.75573143523314363e-07, 2.48015872894821809e-05,
                                       -1.38888888888741248e-03, 4.16666666666666019e-02};
  // Good for 28 bits
  static constexpr double kShortSine[] = {-1.95172346967649294e-04, 8.33217768649522142e-03,
                                          -1.66666549366949440e-01};
  static constexpr double kShortCosine[] = {2.44383794431353988e-05, -1.38873669096700172e-03,
                                            4.16666468545946675e-02};
};

// The sine and cosine of x less the nearest multiple of pi/2, and in its low bits which.
struct Wave { V<double> sine, cosine; M<double> quarter; };

inline Wave short_wave(V<double> x) {  // for 24 bits
  using A = Angles;
  const V<double> shifted = x * A::kQuarter + Exponent<double>::kRound;
  const V<double> n = shifted - Exponent<double>::kRound;
  const V<double> r = (x - n * A::kFirst) - n * A::kSecondAndThird, z = r * r;
  return {r * (z * polynomial(z, A::kShortSine) + 1.0),
          z * (z * polynomial(z, A::kShortCosine) - 0.5) + 1.0, bits<double>(shifted)};
}

inline Wave wave(V<double> x) {
  using A = Angles;
  const V<double> shifted = x * A::kQuarter + Exponent<double>::kRound;
  const V<double> n = shifted - Exponent<double>::kRound;
  const V<double> first = x - n * A::kFirst, second = n * A::kSecond;  // both exact
  const V<double> t = first - second, from_t = t - first;
  const V<double> lost = (first - (t - from_t)) - (second + from_t);
  const V<double> third = n * A::kThird - lost;
  const V<double> r = t - third, low = (t - r) - third;
  const V<double> z = r * r, v = z * r;
  const V<double> s = r + (v * polynomial(z, A::kSine) + low * (1.0 - 0.5 * z));
  const V<double> h = z * 0.5, w = 1.0 - h;
  const V<double> c = w + (((1.0 - w) - h) + (z * z * polynomial(z, A::kCosine) - r * low));
  return {select<double>(x == 0.0, x, s), c, bits<double>(shifted)};
}

inline V<double> chosen(V<double> even, V<double> odd, M<double> quarter) {
  const V<double> y = select<double>((quarter & 1) != 0, odd, even);
  return as_floats<double>(bits<double>(y) ^ ((quarter & 2) << 62));
}
inline V<double> sine_of(const Wave& w) { return chosen(w.sine, w.cosine, w.quarter); }
inline V<double> cosine_of(const Wave& w) {  // below 0 in the second and third quarter
  return chosen(w.cosine, w.sine, w.quarter ^ ((w.quarter & 1) << 1));
}
inline V<double> tangent_of(const Wave& w) {
  const M<double> odd = (w.quarter & 1) != 0;
  return select<double>(odd, -w.cosine, w.sine) / select<double>(odd, w.sine, w.cosine);
}

template <V<double> (*Of)(const Wave&)> inline V<float> of_angle(V<float> x) {
  const Pair wide = widen(x);
  return narrow({Of(short_wave(wide.low)), Of(short_wave(wide.high))});
}
template <V<double> (*Of)(const Wave&)> inline V<double> of_angle(V<double> x) {
  return Of(wave(x));
}
template <class F, V<double> (*Of)(const Wave&), class Function>
inline V<F> of_any_angle(V<F> x, Function function) {
  const V<F> y = of_angle<Of>(x);
  const M<F> far = ~(absolute<F>(x) <= F(Angles::kMost));
  return any(far) ? select<F>(far, by_lane<F>(x, function), y) : y;
}

inline float libm_sin(float x) { return __builtin_sinf(x); }
inline double libm_sin(double x) { return __builtin_sin(x); }
inline float libm_cos(float x) { return __builtin_cosf(x); }
inline double libm_cos(double x) { return __builtin_cos(x); }
inline float libm_tan(float x) { return __builtin_tanf(x); }
inline double libm_tan(double x) { return __builtin_tan(x); }

// 0.6 ULP in single precision, 1 in double
template <class F> inline V<F> sine(V<F> x) {
  return of_any_angle<F, sine_of>(x, [](F v) { return libm_sin(v); });
}
template <class F> inline V<F> cosine(V<F> x) {
  return of_any_angle<F, cosine_of>(x, [](F v) { return libm_cos(v); });
}
// 0.6 ULP in single precision, 2 in double
template <class F> inline V<F> tangent(V<F> x) {
  return of_any_angle<F, tangent_of>(x, [](F v) { return libm_tan(v); });
}

// --- inverses ----------------------------------------------------------------------------------

template <class F> struct Arc;
template <> struct Arc<float> {
  static constexpr float kSeries[] = {-6.083453886e-02f, 1.059600176e-01f, -1.424384876e-01f,
                                      1.999848944e-01f, -3.333331551e-01f};
  static constexpr float kRight = 1.570796370506e+00f, kRightRest = -4.371139000186e-08f;
};
template <> struct Arc<double> {
  static constexpr double kSeries[] = {
      -1.79222824438964624e-02, 3.80783240693795544e-02,  -5.03984564704929236e-02,
      5.84800895042638796e-02,  -6.66312038934600281e-02, 7.69206163768285101e-02,
      -9.09089783648724531e-02, 1.11111107861394678e-01,  -1.42857142802485515e-01,
      1.99999999999540823e-01,  -3.33333333333331983e-01};
  static constexpr double kRight = 1.57079632679489655800, kRightRest = 6.12323399573676603587e-17;
};

// atan(n / d) for n, d >= 0, pi/4 for two infinities and 0 for two zeros. What is above tan(pi/8)
// is turned by pi/4: atan(a / b) = pi/4 + atan((a - b) / (a + b)).
template <class F> inline V<F> arc(V<F> n, V<F> d) {
  using A = Arc<F>;
  const M<F> steep = n > d;
  const V<F> a = select<F>(steep, d, n), b = select<F>(steep, n, d);
  const M<F> turned = (a > b * F(0.41421356237309504880)) | (a == F(__builtin_inf()));
  const V<F> scale = select<F>(b > F(1), splat(F(0.5)), splat(F(1)));  // a + b stays in range
  const V<F> above = select<F>(turned, select<F>(a == b, V<F>{}, (a - b) * scale), a);
  const V<F> below = select<F>(turned, a * scale + b * scale,
                               select<F>(b == F(0), splat(F(1)), b));
  const V<F> t = above / below, z = t * t;
  const V<F> p = t + t * (z * polynomial(z, A::kSeries));
  const V<F> y = select<F>(turned, p + A::kRightRest * F(0.5) + A::kRight * F(0.5), p);
  return select<F>(steep, A::kRight - (y - A::kRightRest), y);
}

// 2 ULP
template <class F> inline V<F> arc_tangent(V<F> x) {
  return signed_as<F>(arc<F>(absolute<F>(x), splat(F(1))), x);
}

// 2.5 ULP
template <class F> inline V<F> arc_tangent_2(V<F> y, V<F> x) {
  using A = Arc<F>;
  const V<F> w = arc<F>(absolute<F>(y), absolute<F>(x));
  const M<F> left = (bits<F>(x) & bits<F>(splat<F>(F(-0.0)))) != 0;
  return signed_as<F>(select<F>(left, A::kRight * F(2) - (w - A::kRightRest * F(2)), w), y);
}

// 3 ULP
template <class F> inline V<F> arc_sine(V<F> x) {
  const V<F> a = absolute<F>(x);
  return signed_as<F>(arc<F>(a, square_root((F(1) - a) * (F(1) + a))), x);
}

// 3 ULP
template <class F> inline V<F> arc_cosine(V<F> x) {
  const V<F> a = absolute<F>(x);
  return arc_tangent_2<F>(square_root((F(1) - a) * (F(1) + a)), x);
}
